package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func TestDecideCases(t *testing.T) {
	t.Parallel()
	for _, dir := range connectortest.Cases(t, "decide") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			var d connectors.Decision
			if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "decision.json"))), &d); err != nil {
				t.Fatal(err)
			}
			k, ok := mustOpen(t, settingsOf(t, dir)).(*decider)
			if !ok {
				t.Fatal("the connector decides nothing")
			}
			call, err := k.decision.prepare(t.Context(), d)
			if err == nil {
				connectortest.GoldenText(t, filepath.Join(dir, "want.http"), wire(call))
				return
			}
			if e := connectors.AsError(err); e.Kind != connectors.Permanent || e.Sent {
				t.Errorf("got %v, want a permanent error that was not sent", err)
			}
			connectortest.GoldenText(t, filepath.Join(dir, "want.err"), err.Error()+"\n")
		})
	}
}

// wire writes a call as it goes out, without what the client adds.
func wire(c connectors.Call) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", c.Method, c.URL)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range c.Header {
			if !yield(name) {
				return
			}
		}
	}) {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(c.Header[name], " | "))
	}
	fmt.Fprintf(&b, "\n%s\n", c.Body)
	return b.String()
}

var approval = connectors.Decision{
	Kind: connectors.AccessRequested, RequestID: "r-1", Outcome: connectors.Approved, At: noon,
	By: connectors.Person{Name: "Kim Okafor"}, Ticket: connectors.Ref{ID: "10001", Key: "SEC-42"},
}

// toolThat opens a connector for a tool whose only answer is the handler's. URL in settings is its address.
func toolThat(t *testing.T, settings string, answer http.HandlerFunc) connectors.Connector {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return mustOpen(t, strings.ReplaceAll(settings, "URL", server.URL))
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const smallest = "paths: {id: /id, kind: access.requested, request_id: /request}\n"

func decide(t *testing.T, k connectors.Connector, d connectors.Decision) error {
	t.Helper()
	_, err := connectors.Do(t.Context(), k, connectors.Action{Kind: connectors.Decide, Decision: &d})
	return err
}

func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, settings string
		status         int
		body           string
		want           string // in the error; empty: taken
		kind           connectors.Kind
		sent           bool
	}{
		{"any success", "", 204, "", "", 0, false},
		{"a refusal, in the tool's words", "", 422, `{"error":{"message":"request\nis closed"}}`, "the answer says: request is closed", connectors.Permanent, false},
		{"a conflict", "", 409, `{}`, "conflict", connectors.Temporary, false},
		{"a conflict that means it is taken", "ok: [200, 409]", 409, `{}`, "", 0, false},
		{"a success that is none of those listed", "ok: [200, 409]", 202, `{}`, "none of settings.decision.ok", connectors.Permanent, true},
		{"broken JSON under a status that means it is taken", "ok: [200, 409]", 200, `{"ok":`, "broken JSON", connectors.Temporary, true},
		{"broken JSON", "", 200, `{"ok":`, "broken JSON", connectors.Temporary, true},
		{"a page", "", 200, `<html>`, "a page", connectors.Temporary, true},
		{"taken", "taken: /ok", 200, `{"ok":true}`, "", 0, false},
		{"taken, by an expression", "taken: \"${answer.status == 200 and answer.body.code == 0}\"", 200, `{"code":0}`, "", 0, false},
		{"not taken", "taken: /ok", 200, `{"ok":false}`, "did not take", connectors.Permanent, false},
		{"nothing said", "taken: /ok", 200, `{}`, "neither true nor false", connectors.Permanent, true},
		{"no body", "taken: /ok", 204, ``, "neither true nor false", connectors.Permanent, true},
		{"an expression that fails", "taken: \"${answer.body.code > 0}\"", 200, `{"code":"x"}`, "decision.taken", connectors.Permanent, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := toolThat(t, smallest+"decision: {url: URL/decide, "+tt.settings+"}", answering(tt.status, tt.body))
			err := decide(t, k, approval)
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v, want it taken", err)
				}
				return
			}
			e, ok := errors.AsType[*connectors.Error](err)
			if !ok || !strings.Contains(err.Error(), tt.want) || e.Kind != tt.kind || e.Sent != tt.sent {
				t.Errorf("got %v (%+v), want %q, %s, sent %v", err, e, tt.want, tt.kind, tt.sent)
			}
		})
	}
}

func TestCredentialsAreSent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, auth, header, want string }{
		{"none", "", "Authorization", ""},
		{"basic", "auth: {basic: {user: u, password: {value: p}}}", "Authorization", "Basic dTpw"},
		{"bearer", "auth: {bearer: {token: {value: t}}}", "Authorization", "Bearer t"},
		{"header", "auth: {header: {name: X-Key, value: {value: k}}}", "X-Key", "k"},
		{"header in Authorization", "auth: {header: {name: Authorization, value: {value: Token k}}}", "Authorization", "Token k"},
		{"oauth", "auth: {oauth: {token_url: URL/token, client_id: c, client_secret: {value: s}, scope: a b}}", "Authorization", "Bearer given"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := toolThat(t, smallest+tt.auth+`
decision:
  url: URL/decide
  headers: {X-Second: {value: second}}
  state: {url: URL/state, outcome: /is}
ping: {url: URL/ping}
`, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if r.URL.Path == "/token" {
					if r.FormValue("scope") != "a b" || r.Header.Get("X-Second") != "" {
						t.Errorf("token request: %v %v", r.Form, r.Header)
					}
					_, _ = io.WriteString(w, `{"access_token":"given","token_type":"Bearer"}`)
					return
				}
				second := ""
				if r.URL.Path == "/decide" {
					second = "second"
				}
				if got := r.Header.Get(tt.header); got != tt.want || r.Header.Get("X-Second") != second {
					t.Errorf("%s: %s is %q, want %q; X-Second is %q", r.URL.Path, tt.header, got, tt.want, r.Header.Get("X-Second"))
				}
				_, _ = io.WriteString(w, `{"is":"approved"}`)
			})
			if err := errors.Join(decide(t, k, approval), k.Ping(t.Context())); err != nil {
				t.Error(err)
			}
			if s, asked, err := connectors.AskState(t.Context(), k, approval); !asked || err != nil || s.Outcome != connectors.Approved {
				t.Errorf("state: %v, %v, %v", s, asked, err)
			}
		})
	}
}

func TestStateReadsTheAnswer(t *testing.T) {
	t.Parallel()
	const settings = smallest + `
decision:
  url: URL/decide
  words: {approved: APPROVE, denied: REJECT}
  state:
    url: URL/requests/${decision.request_id}
    outcome: /status
    by: "${answer.body.decided.by}"
    at: /decided/at
    words: {waiting: pending, gone: expired}
`
	for _, tt := range []struct {
		name, body string
		want       connectors.State
		wrong      string
	}{
		{"decided", `{"status":"APPROVE","decided":{"by":"Kim","at":"2026-01-05T12:00:00Z"}}`, connectors.State{Outcome: connectors.Approved, By: "Kim", At: noon}, ""},
		{"in other letters", `{"status":" reject "}`, connectors.State{Outcome: connectors.Denied}, ""},
		{"waiting", `{"status":"Waiting"}`, connectors.State{Outcome: connectors.Pending}, ""},
		{"gone", `{"status":"gone"}`, connectors.State{Outcome: connectors.Expired}, ""},
		{"our own word", `{"status":"denied"}`, connectors.State{Outcome: connectors.Denied}, ""},
		{"an unknown word", `{"status":"canary"}`, connectors.State{}, "no known outcome"},
		{"no word", `{}`, connectors.State{}, "no known outcome"},
		{"a list", `{"status":["approved"]}`, connectors.State{}, "no known outcome"},
		{"two words", `{"status":"denied","status":"APPROVE"}`, connectors.State{}, "not JSON in which every key stands once"},
		{"no JSON", `approved`, connectors.State{}, "broken JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := toolThat(t, settings, answering(200, tt.body))
			s, asked, err := connectors.AskState(t.Context(), k, approval)
			if !asked {
				t.Fatal("the connector asks nothing")
			}
			if tt.wrong != "" {
				e, ok := errors.AsType[*connectors.Error](err)
				if !ok || !strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "canary") || e.Sent && e.Kind == connectors.Permanent {
					t.Errorf("got %v, want %q", err, tt.wrong)
				}
				return
			}
			if err != nil || s != tt.want {
				t.Errorf("got %+v, %v; want %+v", s, err, tt.want)
			}
		})
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	if err := mustOpen(t, smallest).Ping(t.Context()); err != nil {
		t.Errorf("nothing to ask: %v", err)
	}
	k := toolThat(t, smallest+"ping: {url: URL/me}", answering(401, `{"message":"no"}`))
	if e := connectors.AsError(k.Ping(t.Context())); e == nil || e.Kind != connectors.Unwell {
		t.Errorf("refused: got %v, want unwell", e)
	}
}

func TestOnlyTheToolItselfSaysThatItHoldsADecision(t *testing.T) {
	t.Parallel()
	const settings = smallest + `
auth: {oauth: {token_url: URL/token, client_id: c, client_secret: {value: s}}}
decision: {url: URL/decide, ok: [200, 404, 409]}
`
	for name, answer := range map[string]http.HandlerFunc{
		"the token server says 409": answering(http.StatusConflict, `{}`),
		"the token server says 404": answering(http.StatusNotFound, `{}`),
		"a page to sign in": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				answering(200, `{"access_token":"given","token_type":"Bearer"}`)(w, r)
				return
			}
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>")
		},
		"an answer that breaks off": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				answering(200, `{"access_token":"given","token_type":"Bearer"}`)(w, r)
				return
			}
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "{")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := decide(t, toolThat(t, settings, answer), approval); err == nil {
				t.Error("the decision counts as taken")
			}
		})
	}
}
