package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const freshSecret = "a secret that both sides know well"

// freshService starts a stand-in that tells c of what people do there.
func freshService(t *testing.T, c *check, o freshservicestandin.Options, further ...string) (*freshservicestandin.Server, desk) {
	t.Helper()
	site := freshservicestandin.New(o)
	listen := httptest.NewServer(site)
	t.Cleanup(listen.Close)
	site.Forward(c.urls.bridge+"/in/freshservice", "X-Drawbridge-Secret", freshSecret)
	return site, desk{
		name: "freshservice", hooked: true, flush: site.Hooks.Flush,
		settings: strings.NewReplacer(append([]string{
			"https://example.freshservice.com", listen.URL, `"21000000008"`, fmt.Sprintf("\"%d\"\n  index_lag: 1s", freshservicestandin.Bridge),
			"{env: DRAWBRIDGE_SECRET_FRESHSERVICE_KEY}", value(freshservicestandin.Key), "{env: DRAWBRIDGE_SECRET_FRESHSERVICE_NOTICES}", value(freshSecret),
		}, further...)...),
		accounts: func(login string) string { return fmt.Sprint(site.Account(login)) },
		comments: func(_ *testing.T, id string) string {
			ticket, _ := site.Ticket(id)
			return fmt.Sprint(ticket.Notes)
		},
		others: []string{"bridge", "stranger"},
		edit:   func(t testing.TB, _, id string) { must(t, site.Edit(id, "subject", "something harmless")) },
		note: func(t testing.TB, who, id, text string) {
			_, err := site.NoteAs(id, site.Account(who), text)
			must(t, err)
		},
		clone: func(t testing.TB, _, id string) string {
			clone, err := site.Clone(id)
			must(t, err)
			return clone
		},
		swap: func(t testing.TB, a, b string) {
			one, _ := site.Ticket(a)
			two, _ := site.Ticket(b)
			must(t, site.SetTags(a, two.Tags...))
			must(t, site.SetTags(b, one.Tags...))
		},
		remove: func(t testing.TB, _, id string) { must(t, site.Delete(id)) },
		forge: func(_ testing.TB, id string) (string, string) {
			return fmt.Sprintf(`{"ticket_id":%q,"approval_status":"approved"}`, id), "X-Drawbridge-Secret: guessed"
		},
		cut:    func() { site.CutNext("place") },
		opened: func() int { return len(site.Tickets()) },
	}
}

// TestFreshserviceDecidesByApprovals goes the whole way by approvals of service requests: notices alone bring decisions.
func TestFreshserviceDecidesByApprovals(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	site, d := freshService(t, c, freshservicestandin.Options{})
	d.approved, d.denied = "approved", "rejected"
	d.move = func(t testing.TB, who, id, answer string) {
		must(t, site.Ask(id, site.Account(who)))
		must(t, site.Answer(id, site.Account(who), answer, ""))
	}
	c.decideAt(t, d)
	privateNotes(t, site)
}

// TestFreshserviceDecidesByNotes goes the whole way by notes on tickets, which are watched.
func TestFreshserviceDecidesByNotes(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	site, d := freshService(t, c, freshservicestandin.Options{}, "type: Service Request 12", "type: Incident", "ticket.fields.approval_status == 1", `ticket.fields.answer == "Approved"`,
		"ticket.fields.approval_status == 2", `ticket.fields.answer == "Declined"`, "items:", "answers: [Approved, Declined]\n  overlap: 8s\n  items:")
	site.Hooks.Drop(true)
	d.hooked = false
	d.others = append(d.others, "robot")
	d.approved, d.denied = "Approved", "Declined"
	d.move = func(t testing.TB, who, id, answer string) {
		must(t, site.Move(id, answer))
		_, err := site.NoteAs(id, site.Account(who), answer) // the robot has no account: a rule
		must(t, err)
	}
	c.decideAt(t, d)
	privateNotes(t, site)
}

func privateNotes(t *testing.T, site *freshservicestandin.Server) {
	t.Helper()
	for _, ticket := range site.Tickets() {
		for _, note := range ticket.Notes {
			if !note.Private {
				t.Errorf("customers can read %q on ticket %s", note.Body, ticket.ID)
			}
		}
	}
}
