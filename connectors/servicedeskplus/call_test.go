package servicedeskplus

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	desk "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
)

// Outcomes of a create by what the desk answers.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	failed := func(code string) string {
		return `{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":` + code + `,"type":"failed","field":"category","message":"no: ` + connectortest.Canary + `"}]}}`
	}
	const temporary, throttled, final, unwell = connectors.Temporary, connectors.Throttled, connectors.Permanent, connectors.Unwell
	for _, tt := range []struct {
		name   string
		status int
		header string
		body   string
		kind   connectors.Kind
		sent   bool
		wait   time.Duration
		words  string
	}{
		{"unknown name", 400, "", failed("4001"), final, false, 0, "not known there: category (code 4001)"},
		{"unknown name under 200", 200, "", failed("4001"), final, false, 0, "not known there: category (code 4001)"},
		{"codes as texts", 200, "", failed(`"4012"`), final, false, 0, "mandatory field is missing: category"},
		{"several outcomes", 200, "", `{"response_status":[{"status_code":2000},{"status_code":4014,"messages":[{"fields":["a","b; DROP"]}]}]}`, final, false, 0, "read-only: a (code 4014)"},
		{"may not", 403, "", failed("4002"), final, false, 0, "the account may not do this"},
		{"may not, under 200", 200, "", failed("4002"), final, false, 0, "the account may not do this"},
		{"failed inside", 500, "", failed("4004"), temporary, true, 0, "failed inside"},
		{"failed inside, under 200", 200, "", failed("4004"), temporary, true, 0, "failed inside"},
		{"referenced elsewhere", 400, "", failed("4005"), final, false, 0, "refers to it"},
		{"nothing there", 404, "", failed("4007"), final, false, 0, "no such thing"},
		{"nothing there, under 200", 200, "", failed("4007"), final, false, 0, "not found at the vendor"},
		{"not unique", 400, "", failed("4008"), final, false, 0, "must be unique"},
		{"too fast", 429, "", failed("4015"), throttled, false, 0, "too many calls"},
		{"too fast, with a time", 429, "9", failed("4015"), throttled, false, 9 * time.Second, "too many calls"},
		{"too fast, under 200", 200, "", failed("4015"), throttled, false, 0, "too many calls"},
		{"too fast, under 400", 400, "", failed("4015"), throttled, false, 0, "too many calls"},
		{"bad key", 401, "", failed("4022"), unwell, false, 0, "key or token was refused"},
		{"bad key, under 200", 200, "", failed("4022"), unwell, false, 0, "key or token was refused"},
		{"wrong type", 400, "", failed("4021"), final, false, 0, "wrong type"},
		{"licence", 402, "", failed("7001"), final, false, 0, "the licence allows no more"},
		{"a code nobody knows, under 200", 200, "", failed("9999"), final, false, 0, "the desk did not do it"},
		{"a failure nobody knows, under 200", 200, "", `{"response_status":{"status_code":1}}`, final, true, 0, "the desk did not do it"},
		{"nothing said", 200, "", `{"request":{"id":"5"}}`, temporary, true, 0, "does not say how it went"},
		{"an empty list of outcomes", 200, "", `{"response_status":[]}`, temporary, true, 0, "does not say how it went"},
		{"an outcome that is a text", 200, "", `{"response_status":"ok"}`, temporary, true, 0, "not the JSON expected"},
		{"no request in it", 200, "", "{" + good + "}", temporary, true, 0, "names no request"},
		{"a page to sign in", 200, "html", "<html>Sign in</html>", temporary, true, 0, "web page"},
		{"maintenance", 503, "", "<html>", temporary, true, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if tt.header == "html" {
					w.Header().Set("Content-Type", "text/html;charset=UTF-8")
				} else if tt.header != "" {
					w.Header().Set("Retry-After", tt.header)
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			_, err := open(t, server.URL, desk.Options{Edition: desk.OnPrem}).Create(t.Context(), "k1", ticket())
			e, ok := errors.AsType[*connectors.Error](err)
			if !ok || e.Kind != tt.kind || e.Sent != tt.sent || e.RetryAfter != tt.wait || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("got %+v (%v), want %s, sent %t, wait %s, %q", e, err, tt.kind, tt.sent, tt.wait, tt.words)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, e), connectortest.Canary) {
				t.Errorf("%q holds a credential", err)
			}
		})
	}
}
