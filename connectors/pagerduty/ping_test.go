package pagerduty

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	pd "github.com/drawbridge-itsm/drawbridge/connectors/pagerduty/pagerdutystandin"
)

func TestPingNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		o      pd.Options
		change func(*Config)
		want   string
	}{
		"nothing":               {},
		"nothing, a user's key": {o: pd.Options{Owner: pd.Bridge}},
		"another's key":         {o: pd.Options{Owner: "PKIM"}, want: "another user"},
		"users":                 {o: pd.Options{Denied: []string{"users"}}, want: "may not read users"},
		"incidents":             {o: pd.Options{Denied: []string{"find"}}, want: "may not read incidents"},
		"log":                   {o: pd.Options{Denied: []string{"entries"}}, want: "may not read the log"},
		"custom fields":         {o: pd.Options{Denied: []string{"fields"}}, want: "no_custom_fields"},
		"no custom fields":      {o: pd.Options{Denied: []string{"fields"}}, change: func(c *Config) { c.NoCustomFields = true }},
		"services":              {o: pd.Options{Denied: []string{"services"}}, want: "may not read services"},
		"write":                 {o: pd.Options{Denied: []string{"update"}}, want: "may not write"},
		"a service":             {change: func(c *Config) { c.Services = []string{"Nope"} }, want: "no service Nope"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var changes []func(*Config)
			if tc.change != nil {
				changes = append(changes, tc.change)
			}
			w := newWorld(t, tc.o, changes...)
			err := w.Ping(t.Context())
			if tc.want == "" {
				connectortest.Must(t, err)
				return
			}
			connectortest.Permanent(t, err, tc.want)
		})
	}
	w := newWorld(t, pd.Options{}, func(c *Config) { c.From = "nobody@corp.example" })
	if err := w.Ping(t.Context()); err == nil || connectors.AsError(err).Kind != connectors.Unwell {
		t.Errorf("nobody's address: %v", err)
	}
}

func TestDirectoryAndForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{})
	groups, err := w.Groups(t.Context(), "PKIM")
	connectortest.Must(t, err)
	if !cmp.Equal(groups, []string{"Approvers", "Security"}) {
		t.Errorf("groups %v", groups)
	}
	people, next, err := w.People(t.Context(), "")
	connectortest.Must(t, err)
	if len(people) != 5 || next != "" || people[1] != (connectors.Person{Account: "PKIM", Name: "Kim Okafor", Mail: "kim@corp.example"}) {
		t.Errorf("people %v, next %q", people, next)
	}
	form, err := w.Describe(t.Context(), connectors.Place{Project: "Access requests"})
	connectortest.Must(t, err)
	types := map[string]string{}
	for _, f := range form.Fields {
		types[f.ID] = f.Type
		if f.ID == "approval" && !cmp.Equal(f.Allowed, []string{"Approved", "Declined"}) {
			t.Errorf("approval takes %v", f.Allowed)
		}
	}
	if types["approval"] != "text" || types["systems"] != "list" || types["seats"] != "number" || types["reviewed"] != "bool" || !cmp.Equal(form.Statuses, statuses) {
		t.Errorf("form %+v", form)
	}
	_, err = w.Describe(t.Context(), connectors.Place{Project: "Nope"})
	connectortest.Permanent(t, err, "Nope")
}
