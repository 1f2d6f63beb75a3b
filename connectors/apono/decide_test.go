package apono

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func TestDecideCases(t *testing.T) {
	t.Parallel()
	for _, dir := range connectortest.Cases(t, "decide") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			settings, _ := os.ReadFile(filepath.Join(dir, "settings.yaml"))
			text, err := os.ReadFile(filepath.Join(dir, "decision.json"))
			if err != nil {
				t.Fatal(err)
			}
			var d connectors.Decision
			if err := json.Unmarshal(text, &d); err != nil {
				t.Fatal(err)
			}
			call, err := mustOpen(t, string(settings)).(*approver).call(d)
			if want, readErr := os.ReadFile(filepath.Join(dir, "want.err")); readErr == nil {
				e, ok := errors.AsType[*connectors.Error](err)
				if !ok || e.Kind != connectors.Permanent || e.Sent || !strings.Contains(e.Error(), strings.TrimSpace(string(want))) {
					t.Fatalf("got %v, want a permanent error with %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			connectortest.GoldenJSON(t, filepath.Join(dir, "want.json"), map[string]any{
				"method": call.Method, "url": call.URL, "header": call.Header, "body": json.RawMessage(call.Body),
			})
		})
	}
}

func TestReasonsStayBelowTheLimitOnARune(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"", "short", strings.Repeat("x", 300), strings.Repeat("é", 300), strings.Repeat("👩‍💻 ", 90), strings.Repeat("a ", 150)} {
		for _, limit := range []int{1, 20, 123} {
			got := reason("Approved", "Kim", "ITSEC-42", words, limit)
			if n := utf8.RuneCountInString(got); got == "" || n > limit || !utf8.ValidString(got) {
				t.Errorf("%.10q… to %d: %d characters, %q", words, limit, n, got)
			}
		}
	}
}

var approval = connectors.Decision{
	Kind: connectors.AccessRequested, RequestID: "r-1", Outcome: connectors.Approved, By: connectors.Person{Name: "Lee"}, At: noon,
	Ticket: connectors.Ref{ID: "10042", Key: "ITSEC-42", URL: "https://desk.example/browse/ITSEC-42"},
}

// vendor answers posts with one handler and reads with another.
func vendor(t *testing.T, post, read http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			post(w, r)
			return
		}
		read(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestDecideReadsAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, kind, body string
		status           int
		want             connectors.Kind
		sent             bool
		words            string // in the error; empty: there is none
	}{
		{"JSON", "application/json", `{"message":"ok"}`, 200, 0, false, ""},
		{"nothing said", "", "", 200, 0, false, ""},
		{"a login page", "text/html", "<html>sign in</html>", 200, connectors.Temporary, true, "page"},
		{"a page without a type", "", "  <!doctype html>", 200, connectors.Temporary, true, "page or broken JSON"},
		{"JSON cut short", "application/json", `{"message":`, 200, connectors.Temporary, true, "page or broken JSON"},
		{"the documented 401", "application/json", `{"status":"401","code":"Unauthorized"}`, 401, connectors.Unwell, false, "check settings.token; Apono says: Unauthorized"},
		{"no approver", "application/json", `{"message":"forbidden"}`, 403, connectors.Permanent, false, "name that user in the access flow"},
		{"no such request", "application/json", `{"error":"not\nthere"}`, 404, connectors.Permanent, false, "Apono says: not there"},
		{"broken", "application/json", `{"message":"database"}`, 500, connectors.Temporary, true, "Apono says: database"},
		{"too fast", "", "", 429, connectors.Throttled, false, "too many calls"},
		{"list of errors", "application/json", `["canary"]`, 400, connectors.Permanent, false, "bad request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := vendor(t, says(tt.status, tt.kind, tt.body), says(500, "", ""))
			err := byCall(t, server, "").Decide(t.Context(), approval)
			if tt.words == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e, ok := errors.AsType[*connectors.Error](err)
			if !ok || e.Kind != tt.want || e.Sent != tt.sent || e.Status != tt.status || !strings.Contains(e.Error(), tt.words) {
				t.Fatalf("got %v (%+v), want %s, sent %v, with %q", err, e, tt.want, tt.sent, tt.words)
			}
			for _, secret := range []string{"canary", "Lee", "10042"} {
				if strings.Contains(e.Error(), secret) {
					t.Errorf("the error repeats %q: %v", secret, e)
				}
			}
		})
	}
}

func TestDecideReadsBackWhatItsAnswerLedTo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state   string
		outcome connectors.Outcome
		words   string
	}{
		{`{"status":"APPROVED"}`, connectors.Approved, ""},
		{`{"status":"GRANTED"}`, connectors.Approved, ""},
		{`{"status":"PENDING"}`, connectors.Approved, ""},
		{`{"status":"FAILED"}`, connectors.Approved, ""},
		{`{"status":"UNHEARD_OF"}`, connectors.Approved, ""},
		{`<html>`, connectors.Approved, ""},
		{`{"status":"REJECTED"}`, connectors.Denied, ""},
		{`{"status":"PENDING"}`, connectors.Denied, ""},
		{`{"status":"REJECTED"}`, connectors.Approved, "holds the request as denied"},
		{`{"status":"GRANTED"}`, connectors.Denied, "holds the request as approved"},
	} {
		d := approval
		d.Outcome = tt.outcome
		err := byCall(t, vendor(t, says(200, "application/json", `{}`), says(200, "application/json", tt.state)), "").Decide(t.Context(), d)
		if (err == nil) != (tt.words == "") || err != nil && (connectors.AsError(err).Kind != connectors.Permanent || !strings.Contains(err.Error(), tt.words)) {
			t.Errorf("%s after %s: %v, want %q", tt.state, tt.outcome, err, tt.words)
		}
	}
}

func TestDecideLooksIntoARefusal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, state string
		refusal     int
		settings    string
		want        string // in the error; empty: it counts as told
		kind        connectors.Kind
	}{
		{"already so", `{"status":"GRANTED"}`, 409, "", "", 0},
		{"already so, by a bad request", `{"status":{"status":"Active"}}`, 400, "", "", 0},
		{"the other way", `{"status":"REJECTED"}`, 409, "", "already holds the request as denied", connectors.Permanent},
		{"over", `{"status":"EXPIRED"}`, 422, "", "already holds the request as expired", connectors.Permanent},
		{"still open", `{"status":"PENDING"}`, 409, "", "other approvers are missing", connectors.Temporary},
		{"waits for a second factor", `{"status":"PendingMFA"}`, 400, "", "still waits", connectors.Permanent},
		{"unknown", `{}`, 409, "", "conflict", connectors.Temporary},
		{"not asked", `{"status":"GRANTED"}`, 409, "state: {path: ''}", "conflict", connectors.Temporary},
		{"another kind of refusal", `{"status":"GRANTED"}`, 413, "", "request entity too large", connectors.Permanent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := vendor(t, says(tt.refusal, "application/json", `{}`), says(200, "application/json", tt.state))
			err := byCall(t, server, tt.settings).Decide(t.Context(), approval)
			if (err == nil) != (tt.want == "") {
				t.Fatalf("Decide() = %v, want %q", err, tt.want)
			}
			if err != nil && (connectors.AsError(err).Kind != tt.kind || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Decide() = %v, want %s with %q", err, tt.kind, tt.want)
			}
		})
	}
}

func TestADecisionThatAponoAsksForNeedsNoCall(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("Apono was called") }))
	t.Cleanup(server.Close)
	for _, k := range []connectors.Connector{withoutToken(t, "manual"), mustOpen(t, "base_url: "+server.URL+"\nway: manual")} {
		if _, err := connectors.Do(t.Context(), k, connectors.Action{Kind: connectors.Decide, Decision: &approval}); err != nil {
			t.Errorf("Decide() = %v", err)
		}
		_, err := connectors.Do(t.Context(), k, connectors.Action{Kind: connectors.Decide, Decision: &connectors.Decision{}})
		if err == nil || connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("without a request id: %v, want a permanent error", err)
		}
	}
}

func TestADecisionNobodyIsToldIsKept(t *testing.T) {
	t.Parallel()
	_, err := connectors.Do(t.Context(), withoutToken(t, "none"), connectors.Action{Kind: connectors.Decide, Decision: &approval})
	if kept, ok := errors.AsType[*connectors.Kept](err); !ok || kept.Why != "settings.way is none" {
		t.Errorf("Decide() = %v, want it kept", err)
	}
}

func TestAManualWebhookGetsNoDecisionThatAponoIsNotToBeTold(t *testing.T) {
	t.Parallel()
	for _, k := range []connectors.Connector{withoutToken(t, "none"), mustOpen(t, "way: none")} {
		_, reply, err := receiveAs(t, k, "", []byte(`{"event_type":"Manual","id":"m-1"}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, outcome := range []connectors.Outcome{connectors.Pending, connectors.Approved, connectors.Denied, connectors.Expired} {
			if body := string(reply(connectors.CaseState{Outcome: outcome}).Body); body != `{"status":"pending","data":{"status":"pending"}}` {
				t.Errorf("%s: answered %s, want pending", outcome, body)
			}
		}
	}
}
