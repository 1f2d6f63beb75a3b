package jira

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestWhatAnAnswerMeans(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		status int
		header http.Header
		body   string
		kind   connectors.Kind
		sent   bool
		retry  time.Duration
		want   string
	}{
		{
			name: "field errors, in order", status: 400, kind: connectors.Permanent,
			body: `{"errorMessages":["no"],"errors":{"summary":"is required","customfield_1":"is unknown"}}`,
			want: "create issue: no; customfield_1: is unknown; summary: is required (HTTP 400)",
		},
		{name: "service desk", status: 400, body: `{"errorMessage":"not that type"}`, kind: connectors.Permanent, want: "not that type"},
		{name: "gateway", status: 401, body: `{"code":401,"message":"Unauthorized; scope does not match"}`, kind: connectors.Unwell, want: "the token lacks the scope write:jira-work"},
		{name: "no words", status: 401, body: "<html>login</html>", kind: connectors.Unwell, want: "the credentials were refused"},
		{
			name: "captcha", status: 403, header: http.Header{"X-Seraph-Loginreason": {"AUTHENTICATION_DENIED"}},
			kind: connectors.Unwell, want: "CAPTCHA",
		},
		{
			name: "burst", status: 429, header: http.Header{"Retry-After": {"7"}, "Ratelimit-Reason": {"jira-burst-based"}},
			kind: connectors.Throttled, retry: 7 * time.Second, want: "too many calls (jira-burst-based)",
		},
		{
			name: "too many writes to one ticket", status: 429, header: http.Header{"Retry-After": {"2"}, "Ratelimit-Reason": {"jira-per-issue-on-write"}},
			kind: connectors.Temporary, retry: 2 * time.Second, want: "too many writes to this ticket",
		},
		{
			name: "too many writes, told by their end", status: 429,
			header: http.Header{"X-Ratelimit-Reset": {"2026-11-20T10:00:30Z"}, "Ratelimit-Reason": {"jira-per-issue-on-write"}},
			kind:   connectors.Temporary, retry: 30 * time.Second, want: "too many writes to this ticket",
		},
		{
			name: "quota of the tenant", status: 429, header: http.Header{"Retry-After": {"3600"}, "Ratelimit-Reason": {"jira-quota-tenant-based"}},
			kind: connectors.Throttled, retry: time.Hour, want: "the hourly quota of this Jira is used up (jira-quota-tenant-based)",
		},
		{
			name: "a limit without a reason", status: 429, header: http.Header{"Retry-After": {"1"}},
			kind: connectors.Throttled, retry: time.Second, want: "too many calls (HTTP 429)",
		},
		{
			name: "a reason that is none", status: 429, header: http.Header{"Ratelimit-Reason": {"<b>Jira</b>"}},
			kind: connectors.Throttled, want: "too many calls (HTTP 429)",
		},
		{
			name: "slowed down by a time", status: 503, header: http.Header{"Retry-After": {"Fri, 20 Nov 2026 10:00:09 GMT"}},
			kind: connectors.Throttled, sent: true, retry: 9 * time.Second, want: "service unavailable",
		},
		{
			name: "quota with its end only", status: 429,
			header: http.Header{"X-Ratelimit-Reset": {"2026-11-20T10:40:00Z"}, "Ratelimit-Reason": {"jira-quota-global-based"}},
			kind:   connectors.Throttled, retry: 40 * time.Minute, want: "jira-quota-global-based",
		},
		{name: "conflict", status: 409, kind: connectors.Temporary, want: "conflict"},
		{name: "gone", status: 410, kind: connectors.Permanent, want: "no longer has the call"},
		{name: "down", status: 503, kind: connectors.Temporary, sent: true, want: "service unavailable"},
		{name: "a proxy's page", status: 200, body: "<html>sorry</html>", kind: connectors.Temporary, sent: true, want: "web page"},
		{name: "half an answer", status: 201, body: `{"id":`, kind: connectors.Temporary, sent: true, want: "not the JSON expected"},
		{name: "made, but which", status: 201, body: `{}`, kind: connectors.Temporary, sent: true, want: "names no issue"},
		{
			name: "answered as to the public", status: 201, header: http.Header{"X-Seraph-Loginreason": {"AUTHENTICATED_FAILED"}},
			body: `{"id":"7"}`, kind: connectors.Unwell, sent: true, want: "did not take the credentials",
		},
		{name: "redirect", status: 301, header: http.Header{"Location": {"/login"}}, kind: connectors.Unwell, want: "redirect"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range tc.header {
					w.Header()[name] = values
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}), newClock(), nil)
			_, err := c.Create(t.Context(), "k1", connectors.Ticket{Project: "A", Type: "Task", Summary: "s"})
			e := connectors.AsError(err)
			if e == nil || e.Kind != tc.kind || e.Sent != tc.sent || e.RetryAfter != tc.retry || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("create = %+v (%v), want %v, sent %v, retry after %v, %q", e, err, tc.kind, tc.sent, tc.retry, tc.want)
			}
		})
	}
}

func TestNothingThatComesBeforeTheCreateLeavesItInDoubt(t *testing.T) {
	t.Parallel()
	c := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	}), newClock(), nil)
	for name, do := range map[string]func() error{
		"create": func() error {
			_, err := c.Create(t.Context(), "k1", connectors.Ticket{Project: "A", Type: "Task", Summary: "s", Fields: map[string]any{"customfield_1": "x"}})
			return err
		},
		"update":     func() error { return c.Update(t.Context(), connectors.Ref{ID: "7"}, request()) },
		"comment":    func() error { return c.Comment(t.Context(), connectors.Ref{ID: "7"}, connectors.Note{Body: "x"}) },
		"transition": func() error { return c.Transition(t.Context(), connectors.Ref{ID: "7"}, connectors.Move{Status: "x"}) },
		"attach":     func() error { return c.Attach(t.Context(), connectors.Ref{ID: "7"}, connectors.File{Name: "x"}) },
	} {
		if e := connectors.AsError(do()); e == nil || e.Kind != connectors.Temporary || e.Sent {
			t.Errorf("%s = %+v, want temporary and not sent", name, e)
		}
	}
}

func TestASearchThatNeverEndsIsEnded(t *testing.T) {
	t.Parallel()
	c := open(t, answers{
		"GET /rest/api/3/myself":      `{"accountId":"a","timeZone":"UTC"}`,
		"POST /rest/api/3/search/jql": `{"issues":[],"nextPageToken":"again"}`,
	}, newClock(), nil)
	if _, err := c.Find(t.Context(), "k1"); err == nil || !strings.Contains(err.Error(), "does not end") {
		t.Errorf("find = %v, want an end", err)
	}
}
