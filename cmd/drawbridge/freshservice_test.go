package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const freshSecret = "a secret that both sides know well"

// freshService starts a stand-in that tells c of what people do there.
func freshService(t *testing.T, c *check, o freshservicestandin.Options, further ...string) (*freshservicestandin.Server, desk) {
	t.Helper()
	if o.Accounts == nil {
		o.Accounts = freshAccounts(freshservicestandin.Accounts())
	}
	site := freshservicestandin.New(o)
	address := served(t, site)
	site.Forward(c.urls.bridge+"/in/freshservice", "X-Drawbridge-Secret", freshSecret)
	return site, desk{
		name: "freshservice", hooked: true, flush: site.Hooks.Flush,
		settings: strings.NewReplacer(append([]string{
			"https://example.freshservice.com", address, `"21000000008"`, fmt.Sprintf("\"%d\"\n  index_lag: 1s", freshservicestandin.Bridge),
			"{env: DRAWBRIDGE_SECRET_FRESHSERVICE_KEY}", value(freshservicestandin.Key), "{env: DRAWBRIDGE_SECRET_FRESHSERVICE_NOTICES}", value(freshSecret),
		}, further...)...),
		accounts: func(login string) string { return fmt.Sprint(freshPeople[login]) },
		comments: func(_ *testing.T, id string) string {
			ticket, _ := site.Ticket(id)
			return fmt.Sprint(ticket.Notes)
		},
		others: freshOthers(), lacks: freshLacks(),
		field: "department_name", group: "Security",
		edit:     func(t testing.TB, _, id, subject string) { must(t, site.Edit(id, "subject", subject)) },
		describe: func(t testing.TB, _, id string) { must(t, site.Edit(id, "description", "harmless")) },
		set:      func(t testing.TB, _, id, value string) { must(t, site.Edit(id, "department_name", value)) },
		member:   func(_ testing.TB, who string, in bool) { freshMember(site, who, in) },
		note: func(t testing.TB, who, id, text string) {
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
			return strings.Join(ticket.Tags, " ")
		},
		mark:   func(t testing.TB, id, key string) { must(t, site.SetTags(id, strings.Fields(key)...)) },
		remove: func(t testing.TB, _, id string) { must(t, site.Delete(id)) },
		forge: func(_ testing.TB, id string) (string, string) {
			return fmt.Sprintf(`{"ticket_id":%q,"approval_status":"approved"}`, id), "X-Drawbridge-Secret: guessed"
		},
		notice: func(_ testing.TB, id string) (string, string) {
			return fmt.Sprintf(`{"ticket_id":%q,"approval_status":"approved"}`, id), "X-Drawbridge-Secret: " + freshSecret
		},
		cut:    func() { site.CutNext("place") },
		opened: func() int { return len(site.Tickets()) },
	}
}

// TestFreshserviceDecidesByApprovals goes the whole way by approvals of service requests: notices alone bring decisions.
func TestFreshserviceDecidesByApprovals(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	site, d := freshServiceWithApprovals(t, c)
	c.decideAt(t, d)
	privateNotes(t, site)
}

// TestFreshserviceDecidesByNotes goes the whole way by notes on tickets, which are watched.
func TestFreshserviceDecidesByNotes(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	site, d := freshServiceWithNotes(t, c)
	c.decideAt(t, d)
	privateNotes(t, site)
}

func freshServiceByNotes(t *testing.T, c *check) desk {
	_, d := freshServiceWithNotes(t, c)
	return d
}

func freshServiceByApprovals(t *testing.T, c *check) desk {
	_, d := freshServiceWithApprovals(t, c)
	return d
}

// freshServiceWithApprovals decides by approvals of service requests.
func freshServiceWithApprovals(t *testing.T, c *check) (*freshservicestandin.Server, desk) {
	t.Helper()
	site, d := freshService(t, c, freshservicestandin.Options{})
	d.approved, d.denied, d.apart = "approved", "rejected", true
	d.mark = func(t testing.TB, id, key string) {
		must(t, site.SetTags(id, strings.Fields(key)...))
		must(t, site.Edit(id, "drawbridge_key", strings.TrimPrefix(key, "drawbridge-")))
	}
	d.lacks["robot"] = "an automation answers no approval"
	d.move = func(t testing.TB, who, id, answer string) {
		must(t, site.Ask(id, freshPeople[who]))
		must(t, site.Answer(id, freshPeople[who], answer, ""))
	}
	return site, d
}

// freshServiceWithNotes decides by notes on tickets, which are watched.
func freshServiceWithNotes(t *testing.T, c *check) (*freshservicestandin.Server, desk) {
	t.Helper()
	site, d := freshService(t, c, freshservicestandin.Options{}, "type: Service Request 12", "type: Incident", "ticket.fields.approval_status == 1", `ticket.fields.answer == "Approved"`,
		"ticket.fields.approval_status == 2", `ticket.fields.answer == "Declined"`, "items:", "answers: [Approved, Declined]\n  overlap: 8s\n  items:")
	site.Hooks.Drop(true)
	d.hooked = false
	d.others = append(d.others, "robot")
	d.approved, d.denied = "Approved", "Declined"
	d.move = func(t testing.TB, who, id, answer string) {
		must(t, site.Move(id, answer))
		_, err := site.NoteAs(id, freshPeople[who], answer) // the robot has no account: a rule
		must(t, err)
	}
	return site, d
}

// freshPeople are the numbers of those the tests speak of.
var freshPeople = map[string]int64{
	"bridge": freshservicestandin.Bridge, "kim": 11, "lee": 12, "max": 13, "ana": 14, "stranger": 15, "alias": 16, "second": 17, "shared": 18,
}

// freshAccounts adds those to the agents of a site who have second accounts, and a stranger.
func freshAccounts(accounts []freshservicestandin.Account) []freshservicestandin.Account {
	return append(accounts,
		freshservicestandin.Account{ID: 15, Name: "Kim Okafor", Mail: "kim.okafor@elsewhere.example"}, freshservicestandin.Account{ID: 16, Name: "Ana at home", Mail: "ana@home.example"},
		freshservicestandin.Account{ID: 17, Name: "Kim at home", Mail: "kim@home.example"}, freshservicestandin.Account{ID: 18, Name: "Kim or Max", Mail: "kim@corp.example"},
	)
}

func freshOthers(besides ...string) []string {
	return append([]string{"ana", "alias", "second", "shared", "stranger", "bridge"}, besides...)
}

// freshLacks is what neither Freshservice nor Freshdesk lets anybody do, or shows.
func freshLacks() map[string]string {
	return map[string]string{
		"program":   "an answer does not show whether a person or a program gave it",
		"reopen":    "an answer cannot be taken back",
		"busy":      "a status decides nothing here",
		"history":   "the interface has no history of fields",
		"rewrite":   "a status decides nothing here",
		"merge":     "a ticket that is merged is closed, and its answers stay its own",
		"elsewhere": "a ticket that goes elsewhere is still the same to everybody",
	}
}

func freshMember(site *freshservicestandin.Server, who string, in bool) {
	if in {
		site.SetGroups(freshPeople[who], "Security")
	} else {
		site.SetGroups(freshPeople[who])
	}
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
