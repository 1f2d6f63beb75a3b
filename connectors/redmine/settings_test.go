package redmine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

func ping(t *testing.T, w *world) {
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.again(t, byLine).Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	connectortest.Permanent(t, open(t, w.desk.URL, w.desk.NoRights).Ping(t.Context()), "project access: the account lacks the permissions edit_issues, set_notes_private, view_private_notes")
	connectortest.Permanent(t, w.again(t, func(c *Config) { c.Projects = []string{"access", "plain", "nowhere"} }).Ping(t.Context()),
		`project plain: it has no custom field "Drawbridge Key"`, "project nowhere: there is none")
	create(t, w.again(t, func(c *Config) { c.KeyField = "Loose Key" }), "k1")
	connectortest.Permanent(t, w.again(t, func(c *Config) { c.KeyField = "Loose Key" }).Ping(t.Context()), "not set to be used as a filter")
}

func keyNotTaken(t *testing.T, w *world) {
	_, err := w.again(t, func(c *Config) { c.KeyField = "Other Tracker Key" }).Create(t.Context(), "k1", request())
	connectortest.Permanent(t, err, "opened without our key", "tracker Support")
	_, err = w.Create(t.Context(), "k1", connectors.Ticket{Project: "plain", Type: "Support", Summary: "s"})
	connectortest.Permanent(t, err, "no custom field")
	_, err = w.Create(t.Context(), "k1", connectors.Ticket{Project: "access", Type: "Nothing", Summary: "s"})
	connectortest.Permanent(t, err, `no tracker "Nothing"; it has: Bug, Feature, Support`)
}

func describe(t *testing.T, w *world) {
	s, err := w.Describe(t.Context(), connectors.Place{Project: "access", Type: "Support"})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range s.Fields {
		ids = append(ids, f.ID)
		if f.ID == "priority" && !slices.Contains(f.Allowed, "High") {
			t.Errorf("priority %+v", f)
		}
	}
	if !slices.Contains(ids, "Department") || slices.Contains(ids, keyField) || !slices.Contains(s.Statuses, "Approved") {
		t.Errorf("fields %v, statuses %v", ids, s.Statuses)
	}
	_, err = w.Describe(t.Context(), connectors.Place{Project: "nowhere"})
	connectortest.Permanent(t, err)
}

func directory(t *testing.T, w *world) {
	got, err := w.Groups(t.Context(), w.desk.Person("kim").ID)
	if err != nil || !slices.Contains(got, "Access/Approver") {
		t.Errorf("groups of Kim = %v, %v", got, err)
	}
	_, err = w.Groups(t.Context(), "99999")
	connectortest.Permanent(t, err)
	_, err = w.Groups(t.Context(), "../1")
	connectortest.Permanent(t, err)
	c := w.again(t, func(c *Config) { c.Projects = []string{"access", "plain"} })
	seen := map[string]connectors.Person{}
	cursor := connectors.Cursor("")
	for range 20 {
		var people []connectors.Person
		if people, cursor, err = c.People(t.Context(), cursor); err != nil {
			t.Fatal(err)
		}
		for _, p := range people {
			seen[p.Name] = p
		}
		if cursor == "" {
			break
		}
	}
	if want := (connectors.Person{Account: w.desk.Person("kim").ID, Name: "Kim Example"}); cursor != "" || seen["Kim Example"] != want {
		t.Errorf("%d people, Kim as %+v, cursor %q", len(seen), seen["Kim Example"], cursor)
	}
}

func wrongCredentials(t *testing.T, w *world) {
	ref := create(t, w.connector, "k1")
	c := open(t, w.desk.URL, desktest.Account{Token: "canary-wrong"})
	for name, call := range map[string]func() error{
		"find":    func() error { _, err := c.Find(t.Context(), "k1"); return err },
		"ping":    func() error { return c.Ping(t.Context()) },
		"fetch":   func() error { _, err := c.Fetch(t.Context(), ref); return err },
		"watch":   func() error { _, _, err := c.Watch(t.Context(), progress{At: time.Now()}.cursor(), nil); return err },
		"comment": func() error { return c.Comment(t.Context(), ref, connectors.Note{Body: "x"}) },
	} {
		if err := call(); err == nil || connectors.AsError(err).Kind != connectors.Unwell || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s = %v, want unwell", name, err)
		}
	}
}
