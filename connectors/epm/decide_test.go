package epm

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
			call, err := mustOpen(t, string(settings)).call(d)
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
				"method": call.Method, "url": call.URL, "header": call.Header, "body": call.JSON,
			})
		})
	}
}

func TestApplicationDecisionsHaveTenTextsWithSomethingInThem(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, d := range []connectors.Decision{
		{Kind: connectors.AccessRequested, RequestID: "r-1", Outcome: connectors.Approved, By: connectors.Person{Account: "lee"}, At: noon},
		{Kind: connectors.AccessRequested, RequestID: "r-1", Outcome: connectors.Denied, By: connectors.Person{Name: "Lee"}, At: noon, Reason: "\n"},
	} {
		call, err := k.call(d)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(call.JSON)
		var body map[string]string
		if err := errors.Join(err, json.Unmarshal(text, &body)); err != nil {
			t.Fatal(err)
		}
		if len(body) != 10 {
			t.Errorf("%d members, want 10: %s", len(body), text)
		}
		for name, value := range body {
			if value == "" {
				t.Errorf("%s is empty", name)
			}
		}
	}
}

// tenant answers the token call and hands the rest to api.
func tenant(t *testing.T, api http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/connect/token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"canary-token","token_type":"Bearer","expires_in":3600}`))
	})
	mux.HandleFunc("/management-api/", api)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

var approval = connectors.Decision{
	Kind: connectors.AccessRequested, RequestID: "r-1", Outcome: connectors.Approved, By: connectors.Person{Name: "Lee"}, At: noon,
	Duration: connectors.Duration{Length: time.Hour},
	Ticket:   connectors.Ref{ID: "10042", Key: "ITSEC-42", URL: "https://desk.example/browse/ITSEC-42"},
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
		{"nothing said", "", "", 200, 0, false, ""},
		{"plain word", "text/plain", "OK", 200, 0, false, ""},
		{"JSON", "application/json", `{"ok":true}`, 200, 0, false, ""},
		{"a login page", "text/html", "<html>sign in</html>", 200, connectors.Temporary, true, "page"},
		{"a page without a type", "", "  <!doctype html>", 200, connectors.Temporary, true, "page or broken JSON"},
		{"JSON cut short", "application/json", `{"ok":`, 200, connectors.Temporary, true, "page or broken JSON"},
		{"a field is missed", "application/json", `{"title":"One or more validation errors occurred.","errors":{"TicketId":["x"],"Message":["y"]}}`, 400, connectors.Permanent, false, "EPM says: One or more validation errors occurred. (Message, TicketId)"},
		{"no permission", "text/html", "<html>canary-page</html>", 403, connectors.Permanent, false, "JIT permission in EPM under Configuration > API Settings"},
		{"another shape", "application/json", `{"error":{"message":"no such\nrequest"}}`, 404, connectors.Permanent, false, "EPM says: no such request"},
		{"broken", "application/json", `{"message":"database"}`, 500, connectors.Temporary, true, "EPM says: database"},
		{"too fast", "", "", 429, connectors.Throttled, false, "too many calls"},
		{"list of errors", "application/json", `["a"]`, 400, connectors.Permanent, false, "bad request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := tenant(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					http.Error(w, "", http.StatusInternalServerError)
					return
				}
				w.Header().Set("Content-Type", tt.kind)
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			err := mustOpenAt(t, server, "").Decide(t.Context(), approval)
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

func TestDecideLooksIntoARefusal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, state string
		refusal     int
		settings    string
		want        string // in the error; empty: it counts as told
		kind        connectors.Kind
	}{
		{"already so", `{"accessDecision":{"status":"2000"}}`, 409, "", "", 0},
		{"already so, by a bad request", `{"accessDecision":{"status":2000}}`, 400, "", "", 0},
		{"the other way", `{"accessDecision":{"status":"2001"}}`, 409, "", "already holds the request as denied", connectors.Permanent},
		{"no longer asked", `{"accessDecision":{"status":"Expired"}}`, 409, "", "already holds the request as expired", connectors.Permanent},
		{"still open", `{"accessDecision":{"status":"1000"}}`, 409, "", "conflict", connectors.Temporary},
		{"unknown", `{}`, 409, "", "conflict", connectors.Temporary},
		{"not asked", `{"accessDecision":{"status":"2000"}}`, 409, "state: {application: []}", "conflict", connectors.Temporary},
		{"another kind of refusal", `{"accessDecision":{"status":"2000"}}`, 413, "", "", connectors.Permanent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := tenant(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					w.WriteHeader(tt.refusal)
					return
				}
				_, _ = w.Write([]byte(tt.state))
			})
			err := mustOpenAt(t, server, tt.settings).Decide(t.Context(), approval)
			told := tt.want == "" && tt.refusal != 413
			if told != (err == nil) {
				t.Fatalf("Decide() = %v, want told: %v", err, told)
			}
			if err != nil && (connectors.AsError(err).Kind != tt.kind || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Decide() = %v, want %s with %q", err, tt.kind, tt.want)
			}
		})
	}
}
