package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk/freshdeskstandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// freshDesk starts a stand-in that tells c of what people do there.
func freshDesk(t *testing.T, c *check, o freshdeskstandin.Options) (*freshdeskstandin.Server, desk) {
	t.Helper()
	if o.Accounts == nil {
		o.Accounts = freshAccounts(freshdeskstandin.Accounts())
	}
	site := freshdeskstandin.New(o)
	address := served(t, site)
	site.Forward(c.urls.bridge+"/in/freshdesk", "X-Drawbridge-Secret", freshSecret)
	return site, desk{
		name: "freshdesk", hooked: true, flush: site.Hooks.Flush, approved: "Approved", denied: "Declined",
		settings: strings.NewReplacer("https://example.freshdesk.com", address,
			"{env: DRAWBRIDGE_SECRET_FRESHDESK_KEY}", value(freshdeskstandin.Key), "{env: DRAWBRIDGE_SECRET_FRESHDESK_NOTICES}", value(freshSecret),
			"key_field:", "index_lag: 1s\n  key_field:",
			"denied: { status: Closed }", `denied: { status: Closed, fields: { cf_closing_reason: "denied" } }`,
			"approved: { status: Resolved }", `approved: { status: Resolved, fields: { cf_closing_reason: "approved" } }`),
		accounts: func(login string) string { return fmt.Sprint(freshPeople[login]) },
		move: func(t testing.TB, who, id, answer string) {
			must(t, site.Move(id, answer))
			_, err := site.NoteAs(id, freshPeople[who], answer) // the robot has no account: a rule
			must(t, err)
		},
		comments: func(_ *testing.T, id string) string {
			ticket, _ := site.Ticket(id)
			return fmt.Sprint(ticket.Notes)
		},
		others: freshOthers("robot"), lacks: freshLacks(),
		field: "cf_department", group: "Security",
		edit:     func(t testing.TB, _, id, subject string) { must(t, site.Edit(id, "subject", subject)) },
		describe: func(t testing.TB, _, id string) { must(t, site.Edit(id, "description", "harmless")) },
		set:      func(t testing.TB, _, id, value string) { must(t, site.Edit(id, "cf_department", value)) },
		member:   func(_ testing.TB, who string, in bool) { freshMember(site, who, in) },
		note: func(t testing.TB, who, id, text string) {
			must(t, site.MailAs(id, freshPeople[who], text))
			must(t, site.MailAs(id, freshPeople[who], "Approved"))
			_, err := site.NoteAs(id, freshPeople[who], text)
			must(t, err)
		},
		clone: func(t testing.TB, _, id string) string {
			clone, err := site.Clone(id)
			must(t, err)
			return clone
		},
		key: func(_ testing.TB, id string) string {
			ticket, _ := site.Ticket(id)
			return fmt.Sprint(ticket.Fields["cf_drawbridge_key"])
		},
		mark:   func(t testing.TB, id, key string) { must(t, site.Edit(id, "cf_drawbridge_key", key)) },
		remove: func(t testing.TB, _, id string) { must(t, site.Delete(id)) },
		forge: func(_ testing.TB, id string) (string, string) {
			return fmt.Sprintf(`{"freshdesk_webhook":{"ticket_id":%s,"ticket_status":"Approved"}}`, id), "X-Drawbridge-Secret: guessed"
		},
		notice: func(_ testing.TB, id string) (string, string) {
			return fmt.Sprintf(`{"freshdesk_webhook":{"ticket_id":%s,"ticket_status":"Approved"}}`, id), "X-Drawbridge-Secret: " + freshSecret
		},
		cut:    func() { site.CutNext("create") },
		opened: func() int { return len(site.Tickets()) },
	}
}

func freshDeskByNotes(t *testing.T, c *check) desk {
	_, d := freshDesk(t, c, freshdeskstandin.Options{})
	return d
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
