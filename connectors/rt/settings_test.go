package rt

import (
	"bytes"
	"log/slog"
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

// without is a connector whose account lacks one right.
func without(t *testing.T, w *world, right string) *connector {
	t.Helper()
	account, ok := w.rt.Without[right]
	if !ok {
		t.Fatalf("there is no account without %s", right)
	}
	return open(t, w.rt.URL, account)
}

// lost is a failure that left something behind and names the right that is missing.
func lost(t *testing.T, err error, right string) {
	t.Helper()
	if e := connectors.AsError(err); err == nil || e.Kind != connectors.Permanent || !e.Sent || !strings.Contains(err.Error(), right) {
		t.Errorf("got %v, want a permanent failure that was sent and names %s", err, right)
	}
}

func missingRights(t *testing.T, w *world) {
	w.create(t, "k1") // so that there is a ticket in the queue
	for _, right := range []string{"SeeQueue", "CreateTicket", "SeeCustomField", "ShowTicket"} {
		connectortest.Permanent(t, without(t, w, right).Ping(t.Context()), "queue Access", "right "+right)
	}
	for _, right := range []string{"ModifyTicket", "CommentOnTicket", "ReplyToTicket"} {
		c := without(t, w, right)
		if _, err := c.Create(t.Context(), "k1", request()); err != nil {
			t.Errorf("without %s: create = %v", right, err)
		}
		connectortest.Permanent(t, c.Ping(t.Context()), "queue Access", right)
	}
}

func lostKey(t *testing.T, w *world) {
	c := without(t, w, "ModifyCustomField")
	ticket := request()
	_, err := connectors.Do(t.Context(), c, connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &ticket})
	lost(t, err, "ModifyCustomField")
	connectortest.Permanent(t, c.Ping(t.Context()), "without our key", "ModifyCustomField")
	id := newest(t, c)
	w.rt.Move(t, "kim", id, "declined") // the admin puts things right and closes the ticket, as the fault asks for
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("ping = %v, want no fault once the ticket is closed", err)
	}
}

func unseenTicket(t *testing.T, w *world) {
	w.create(t, "k1")
	_, err := without(t, w, "ShowTicket").Create(t.Context(), "k1", request())
	lost(t, err, "ShowTicket")
}

func unseenNotes(t *testing.T, w *world) {
	c := without(t, w, "ShowTicketComments")
	ref, err := c.Create(t.Context(), "k1", request())
	if err != nil {
		t.Fatal(err)
	}
	desktest.Eventually(t, func() bool { // a note in the second the ticket was opened in leaves no trace
		lost(t, c.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "once"}), "ShowTicketComments")
		err = c.Ping(t.Context())
		return t.Failed() || err != nil
	})
	connectortest.Permanent(t, err, "queue Access", "ShowTicketComments")
	if err := c.Comment(t.Context(), ref, connectors.Note{Key: "n2", Body: "for all", Public: true}); err != nil {
		t.Errorf("a public note = %v, want it written: it can be seen", err)
	}
}

// lostFields opens a ticket whose owner Request Tracker refuses.
func lostFields(t *testing.T, w *world) {
	var log bytes.Buffer
	w.log = slog.New(slog.NewTextHandler(&log, nil))
	ticket := request()
	ticket.Fields["Owner"] = "nobody-knows"
	if _, err := w.Create(t.Context(), "k1", ticket); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "fields=Owner") {
		t.Errorf("log %q, want it to name the owner and nothing else", log.String())
	}
}

func newest(t *testing.T, c *connector) string {
	t.Helper()
	page, err := c.tickets(t.Context(), "find own tickets", "Creator = '__CurrentUser__'", listing{fields: "Status", order: "DESC", size: 1, page: 1})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("newest ticket = %v, %v", page, err)
	}
	return string(page.Items[0].ID)
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
