package freshservice

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
)

func TestPingNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	tests := []struct{ denied, want string }{
		{"", ""},
		{"agents", "may not do this"},
		{"view tickets", "view tickets"}, {"view changes", "view changes"}, {"create tickets", "create tickets"}, {"create changes", "create changes"},
		{"edit tickets", "edit tickets"}, {"edit changes", "edit changes"}, {"notes tickets", "add notes to tickets"}, {"notes changes", "add notes to changes"},
		{"fields ticket", "fields of tickets"}, {"fields change", "fields of changes"}, {"items", "catalog item 12"}, {"approvals", "approvals"},
	}
	for _, tt := range tests {
		t.Run(tt.denied, func(t *testing.T) {
			t.Parallel()
			accounts := freshservicestandin.Accounts()
			accounts[0].Denied = []string{tt.denied}
			w := newWorld(t, freshservicestandin.Options{Accounts: accounts})
			err := w.Ping(t.Context())
			if tt.want == "" {
				connectortest.Must(t, err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || connectors.AsError(err).Kind != connectors.Permanent {
				t.Errorf("ping = %v, want %q", err, tt.want)
			}
			if len(w.site.Tickets()) != 0 {
				t.Error("ping opened a ticket")
			}
		})
	}
	w := newWorld(t, freshservicestandin.Options{}, func(c *Config) { c.Items, c.ChangeKeyField = []int64{99}, "no_such_field" })
	if err := w.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "99") || !strings.Contains(err.Error(), "no_such_field") {
		t.Errorf("ping = %v", err)
	}
}

// The key belongs to another agent than the settings say: the ticket is never ours.
func TestKeyOfAnotherAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{}, func(c *Config) { c.Account = "11" })
	ref := w.create(t, "k1", request())
	if _, err := w.Fetch(t.Context(), ref); connectors.AsError(err).Kind != connectors.Permanent || !strings.Contains(err.Error(), "account 8") {
		t.Errorf("fetch = %v", err)
	}
}

func TestDirectoryAndForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	groups, err := w.Groups(t.Context(), "12")
	connectortest.Must(t, err)
	if !cmp.Equal(groups, []string{"Network", "Security"}) {
		t.Errorf("groups %v", groups)
	}
	people, next, err := w.People(t.Context(), "")
	connectortest.Must(t, err)
	if len(people) != 5 || next != "" || people[1] != (connectors.Person{Account: "11", Name: "Kim Okafor", Mail: "kim@corp.example"}) {
		t.Errorf("people %v, next %q", people, next)
	}
	form, err := w.Describe(t.Context(), connectors.Place{Type: "Incident"})
	connectortest.Must(t, err)
	at := slices.IndexFunc(form.Fields, func(f connectors.Field) bool { return f.ID == "risk_level" })
	if at < 0 || !cmp.Equal(form.Fields[at].Allowed, []string{"low", "high"}) || !slices.Contains(form.Statuses, "Approved") {
		t.Errorf("form %+v", form)
	}
	form, err = w.Describe(t.Context(), connectors.Place{Type: "Change"})
	connectortest.Must(t, err)
	if slices.ContainsFunc(form.Fields, func(f connectors.Field) bool { return f.ID == "drawbridge_key" }) || !slices.Contains(form.Statuses, "Planning") {
		t.Errorf("form of changes %+v", form)
	}
}
