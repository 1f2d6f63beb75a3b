package zendesk

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
)

func TestPingNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	approvals := func(c *Config) { c.Approvals = &Approvals{Workflow: "w"} }
	for _, tc := range []struct {
		name   string
		o      zendeskstandin.Options
		change func(*Config)
		want   []string
	}{
		{"nothing", zendeskstandin.Options{Approvals: true}, approvals, nil},
		{"the role", zendeskstandin.Options{Role: "end-user"}, nil, []string{"its role is end-user"}},
		{"an administrator's role", zendeskstandin.Options{Role: "agent"}, nil, []string{"incremental export: the role administrator"}},
		{"an administrator's role, no export", zendeskstandin.Options{Role: "agent"}, func(c *Config) { c.NoExport = true }, nil},
		{"an administrator's role, approvals", zendeskstandin.Options{Role: "agent"}, approvals, []string{"approval requests: the role administrator", "incremental export"}},
		{"approval requests", zendeskstandin.Options{}, approvals, []string{"has no approval requests"}},
		{"sight of tickets", zendeskstandin.Options{Restriction: "assigned"}, nil, []string{"sees only tickets that are assigned"}},
		{"a live account", zendeskstandin.Options{Suspended: true}, nil, []string{"suspended"}},
		{"write", zendeskstandin.Options{Scopes: []string{"read"}}, nil, []string{"write tickets", "tickets:write"}},
		{"all of read", zendeskstandin.Options{Scopes: []string{"tickets:read", "users:read", "write"}}, nil, []string{"read statuses", "read groups", "a ticket's history", "incremental export"}},
		{"tickets", zendeskstandin.Options{Scopes: []string{"users:read", "write"}}, nil, []string{"tickets:read"}},
		{"a group", zendeskstandin.Options{}, func(c *Config) { c.Groups = []string{"Access", "Nobody"} }, []string{`no group "Nobody"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			change := tc.change
			if change == nil {
				change = func(*Config) {}
			}
			w := newWorld(t, tc.o, change)
			if !strings.Contains(strings.Join(tc.o.Scopes, " "), "write") && tc.o.Scopes != nil {
				t.Log("no ticket to look at")
			} else if tc.name != "tickets" {
				// A group cannot be looked up without the scope for it; its number can be used.
				_, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "42", Summary: "s"})
				connectortest.Must(t, err)
			}
			err := w.Ping(t.Context())
			if tc.want == nil {
				connectortest.Must(t, err)
				return
			}
			connectortest.Refused(t, err, tc.want...)
		})
	}
}

func TestCredentialsAreTheConnectionsFault(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"secret": func(c *Config) { c.Auth.OAuth.ClientSecret = connectors.SecretValue("canary-1") },
		"client": func(c *Config) { c.Auth.OAuth.ClientID = "other" },
		"token": func(c *Config) {
			c.Auth = Auth{APIToken: &APIToken{User: "bridge@corp.example", Token: connectors.SecretValue("canary-2")}}
		},
	} {
		w := newWorld(t, zendeskstandin.Options{}, change)
		for what, err := range map[string]error{
			"ping":   w.Ping(t.Context()),
			"create": func() error { _, err := w.Create(t.Context(), "k1", request()); return err }(),
		} {
			if err == nil || connectors.AsError(err).Kind != connectors.Unwell || connectors.AsError(err).Sent || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s, %s: %v, want unwell", name, what, err)
			}
		}
	}
}

func TestTokensAreAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	ref := w.create(t, "k1")
	w.fetch(t, ref)
	w.desk.RevokeTokens()
	w.fetch(t, ref)
	w.time.Advance(2 * time.Hour)
	w.fetch(t, ref)
	if n := w.desk.Requests("token"); n != 3 {
		t.Errorf("%d tokens were asked for, want 3", n)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := (&Config{
		BaseURL: "http://example.zendesk.com", Groups: []string{""}, PeopleVia: []string{"rule"}, Approvals: &Approvals{Workflow: "../x"},
		ExportEvery: time.Second, IndexLag: -1,
	}).Open(connectortest.Env(t))
	if err == nil {
		t.Fatal("want faults")
	}
	for _, want := range []string{
		"base_url must be https", "exactly one of oauth and api_token", `groups: ""`, "rule is none of people", "approvals.workflow", "export_every lies", "index_lag lies",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	_, err = (&Config{BaseURL: "https://example.zendesk.com/api/v2", Auth: Auth{OAuth: &OAuth{Scopes: []string{"read,write"}}}}).Open(connectortest.Env(t))
	for _, want := range []string{"ends before /api", "client_id and client_secret", "auth.oauth.scopes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestWhatIsUnverifiedIsSaid(t *testing.T) {
	t.Parallel()
	says := func(change func(*Config), words string) bool {
		c := newWorld(t, zendeskstandin.Options{}, change)
		return strings.Contains(strings.Join(c.Unverified(), "\n"), words)
	}
	tokens := func(c *Config) {
		c.Auth = Auth{APIToken: &APIToken{User: "a@b.example", Token: connectors.SecretValue("x")}}
	}
	if !says(tokens, "30 April 2027") || says(func(*Config) {}, "2027") {
		t.Error("the end of API tokens is told to those who use them, and to nobody else")
	}
	if !says(func(c *Config) { c.Approvals = &Approvals{Workflow: "w"} }, "early access") || !says(func(c *Config) { c.NoExport = true }, "a hundred") {
		t.Error("something that is chosen is not told")
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{RequiredOnSolve: true})
	s, err := w.Describe(t.Context(), connectors.Place{Project: "Access", Type: "task"})
	connectortest.Must(t, err)
	got := map[string]connectors.Field{}
	for _, f := range s.Fields {
		got[f.ID] = f
	}
	if f := got["360001"]; f.Name != "Approval" || !cmp.Equal(f.Allowed, []string{"pending", "approved", "denied"}) {
		t.Errorf("approval %+v", f)
	}
	if f := got["360003"]; !f.Required || f.Doc == "" {
		t.Errorf("resolution %+v", f)
	}
	if _, old := got["360005"]; old || got["360004"].Type != "list" || !got["subject"].Required {
		t.Errorf("fields %v", got)
	}
	if !cmp.Equal(s.Statuses[5:], []string{"Approved", "Declined", "In review", "closed", "hold"}) {
		t.Errorf("statuses %v", s.Statuses)
	}
	_, err = w.Describe(t.Context(), connectors.Place{Project: "Nobody"})
	connectortest.Refused(t, err, "no group")
	_, err = w.Describe(t.Context(), connectors.Place{Type: "Bug"})
	connectortest.Refused(t, err, "no type")
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	if got, err := w.Groups(t.Context(), "101"); err != nil || !cmp.Equal(got, []string{"Access", "Approvers"}) {
		t.Errorf("groups %v, %v", got, err)
	}
	_, err := w.Groups(t.Context(), "kim")
	connectortest.Refused(t, err, "no person's number")
	_, err = w.Groups(t.Context(), "999")
	connectortest.Refused(t, err)
	people, cursor, err := w.People(t.Context(), "")
	if err != nil || cursor != "" || len(people) != 5 || people[1].Mail != "kim@corp.example" || people[4].Mail != "" {
		t.Errorf("people %+v, %q, %v", people, cursor, err)
	}
}

func TestWaitingTimesInZendesksOwnHeaders(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		{http.Header{"ratelimit-reset": {"41"}}, 41 * time.Second},
		{http.Header{"Zendesk-RateLimit-Tickets-Update": {"total=30; remaining=0; resets=120"}, "ratelimit-reset": {"3"}}, 2 * time.Minute},
		{http.Header{"Zendesk-RateLimit-Tickets-Update": {"total=30; remaining=2; resets=120"}}, 0},
		{http.Header{"ratelimit-reset": {"soon"}}, 0},
	} {
		w := newWorld(t, zendeskstandin.Options{})
		ref := w.create(t, "k1")
		w.desk.Faults.FailOn("update", 1, http.StatusTooManyRequests, tc.header)
		err := w.Comment(t.Context(), ref, connectors.Note{Body: "x"})
		if e := connectors.AsError(err); err == nil || e.Kind != connectors.Throttled || e.RetryAfter != tc.want || e.Sent {
			t.Errorf("%v: got %v for %s, want throttled for %s", tc.header, err, e.RetryAfter, tc.want)
		}
	}
}

func TestZendesksWordsAreTold(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"error":"RecordInvalid","description":"Record validation errors","details":{"status":[{"description":"Status: is invalid","error":"x"}]}}`: "RecordInvalid; Record validation errors; status: Status: is invalid",
		`{"error":{"title":"Forbidden","message":"You do not have access"}}`:                                                                         "Forbidden; You do not have access",
		`{"error":"Couldn't authenticate you"}`:                                                  "Couldn't authenticate you",
		`{"errors":[{"code":"X","title":"Invalid attribute","detail":"endpoint is not valid"}]}`: "Invalid attribute; endpoint is not valid",
		`<html>`: "", `{"error":7}`: "", ``: "",
	} {
		if got := said([]byte(body)); got != want {
			t.Errorf("said(%s) = %q, want %q", body, got, want)
		}
	}
}
