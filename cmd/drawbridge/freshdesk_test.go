package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk/freshdeskstandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// freshDesk starts a stand-in that tells c of what people do there.
func freshDesk(t *testing.T, c *check, o freshdeskstandin.Options) (*freshdeskstandin.Server, desk) {
	t.Helper()
	site := freshdeskstandin.New(o)
	listen := httptest.NewServer(site)
	t.Cleanup(listen.Close)
	site.Forward(c.urls.bridge+"/in/freshdesk", "X-Drawbridge-Secret", freshSecret)
	key := func(id string) any {
		ticket, _ := site.Ticket(id)
		return ticket.Fields["cf_drawbridge_key"]
	}
	return site, desk{
		name: "freshdesk", hooked: true, flush: site.Hooks.Flush, approved: "Approved", denied: "Declined",
		settings: strings.NewReplacer("https://example.freshdesk.com", listen.URL,
			"{env: DRAWBRIDGE_SECRET_FRESHDESK_KEY}", value(freshdeskstandin.Key), "{env: DRAWBRIDGE_SECRET_FRESHDESK_NOTICES}", value(freshSecret),
			"key_field:", "index_lag: 1s\n  key_field:",
			"denied: { status: Closed }", `denied: { status: Closed, fields: { cf_closing_reason: "denied" } }`,
			"approved: { status: Resolved }", `approved: { status: Resolved, fields: { cf_closing_reason: "approved" } }`),
		accounts: func(login string) string { return fmt.Sprint(site.Account(login)) },
		move: func(t testing.TB, who, id, answer string) {
			must(t, site.Move(id, answer))
			must(t, site.Edit(id, "cf_department", answer))
			_, err := site.NoteAs(id, site.Account(who), answer) // the robot has no account: a rule
			must(t, err)
		},
		comments: func(_ *testing.T, id string) string {
			ticket, _ := site.Ticket(id)
			return fmt.Sprint(ticket.Notes)
		},
		others: []string{"bridge", "robot", "ana"},
		edit:   func(t testing.TB, _, id string) { must(t, site.Edit(id, "subject", "something harmless")) },
		note: func(t testing.TB, who, id, text string) {
			must(t, site.MailAs(id, site.Account(who), text))
			must(t, site.MailAs(id, site.Account(who), "Approved"))
			_, err := site.NoteAs(id, site.Account(who), text)
			must(t, err)
		},
		clone: func(t testing.TB, _, id string) string {
			clone, err := site.Clone(id)
			must(t, err)
			return clone
		},
		swap: func(t testing.TB, a, b string) {
			one, two := key(a), key(b)
			must(t, site.Edit(a, "cf_drawbridge_key", two))
			must(t, site.Edit(b, "cf_drawbridge_key", one))
		},
		remove: func(t testing.TB, _, id string) { must(t, site.Delete(id)) },
		forge: func(_ testing.TB, id string) (string, string) {
			return fmt.Sprintf(`{"freshdesk_webhook":{"ticket_id":%s,"ticket_status":"Approved"}}`, id), "X-Drawbridge-Secret: guessed"
		},
		cut:    func() { site.CutNext("create") },
		opened: func() int { return len(site.Tickets()) },
	}
}

// TestFreshdeskDecides goes the whole way by notes on tickets: notices alone bring decisions. A status that somebody set,
// and a field that somebody changed, decide nothing.
func TestFreshdeskDecides(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	site, d := freshDesk(t, c, freshdeskstandin.Options{})
	c.decideAt(t, d)
	for _, ticket := range site.Tickets() {
		for _, note := range ticket.Notes {
			if !note.Private && note.By == freshdeskstandin.Bridge {
				t.Errorf("customers can read %q on ticket %s", note.Body, ticket.ID)
			}
		}
	}
}
