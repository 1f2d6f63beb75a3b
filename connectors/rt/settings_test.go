package rt

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

func ping(t *testing.T, w *world) {
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.create(t, "k1")
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	connectortest.Refused(t, open(t, w.rt.URL, w.rt.NoRights).Ping(t.Context()), "queue Access", "SeeQueue")
	connectortest.Refused(t, open(t, w.rt.URL, desktest.Account{Login: "kim", Token: w.account.Token}).Ping(t.Context()), `not those of user "kim"`)
}

func withoutKeyField(t *testing.T, w *world) {
	root := func(change func(*Config)) *connector {
		return open(t, w.rt.URL, desktest.Account{Login: "root"}, func(c *Config) {
			c.Auth = Auth{Password: connectors.SecretValue(w.rt.Password())}
			change(c)
		})
	}
	connectortest.Refused(t, root(func(c *Config) { c.Queues = []string{"Plain"} }).Ping(t.Context()), `queue Plain: it has no custom field "Drawbridge Key"`)
	_, err := root(func(*Config) {}).Create(t.Context(), "k1", connectors.Ticket{Project: "Plain", Summary: "s"})
	connectortest.Refused(t, err, `no custom field "Drawbridge Key"`)
}

func describe(t *testing.T, w *world) {
	s, err := w.Describe(t.Context(), connectors.Place{Project: "Access"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]connectors.Field{}
	for _, f := range s.Fields {
		got[f.ID] = f
	}
	if f := got["Department"]; !f.Required || f.Type != "text" {
		t.Errorf("department %+v", f)
	}
	if f := got["Systems"]; f.Type != "list" || !cmp.Equal(f.Allowed, []string{"Mail", "Payroll"}) {
		t.Errorf("systems %+v", f)
	}
	if _, ok := got[defaultKeyField]; ok {
		t.Error("the field for our key is offered to rules")
	}
	_, err = w.Describe(t.Context(), connectors.Place{Project: "No Such Queue"})
	connectortest.Refused(t, err)
}

func directory(t *testing.T, w *world) {
	got, err := w.Groups(t.Context(), "kim")
	if err != nil || !cmp.Equal(listed(anys(got)), []string{"approvers", "movers"}) {
		t.Errorf("groups of Kim = %v, %v", got, err)
	}
	_, err = w.Groups(t.Context(), "nobody-knows")
	connectortest.Refused(t, err)
	_, err = open(t, w.rt.URL, w.rt.NoRights).Groups(t.Context(), "kim")
	connectortest.Refused(t, err, "AdminGroupMembership")
	seen := map[string]connectors.Person{}
	cursor := connectors.Cursor("")
	for range 20 {
		var people []connectors.Person
		if people, cursor, err = w.People(t.Context(), cursor); err != nil {
			t.Fatal(err)
		}
		for _, p := range people {
			seen[p.Account] = p
		}
		if cursor == "" {
			break
		}
	}
	if want := (connectors.Person{Account: "kim", Name: "Kim Example", Mail: "kim@example.test"}); seen["kim"] != want || len(seen) < 300 {
		t.Errorf("%d people, Kim as %+v", len(seen), seen["kim"])
	}
}

func anys(in []string) []any {
	var out []any
	for _, s := range in {
		out = append(out, s)
	}
	return out
}

func wrongCredentials(t *testing.T, w *world) {
	c := open(t, w.rt.URL, desktest.Account{Login: w.account.Login, Token: "1-1-canary"})
	for name, call := range map[string]func() error{
		"find":  func() error { _, err := c.Find(t.Context(), "k1"); return err },
		"ping":  func() error { return c.Ping(t.Context()) },
		"fetch": func() error { _, err := c.Fetch(t.Context(), connectors.Ref{ID: "1"}); return err },
	} {
		if err := call(); err == nil || connectors.AsError(err).Kind != connectors.Unwell || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s = %v, want unwell", name, err)
		}
	}
}
