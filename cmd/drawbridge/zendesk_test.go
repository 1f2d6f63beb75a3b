package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const (
	zendeskClient  = "client-secret-of-the-desk"
	zendeskWebhook = "webhook-secret-of-the-desk"

	zendeskApprovers = 43 // a group
)

// zendeskPeople are the numbers of those the tests speak of; stranger bears Kim's name, and her address without
// having proved it.
var zendeskPeople = map[string]int64{"kim": 101, "lee": 102, "max": 103, "ana": 104, "stranger": 105, "alias": 106, "second": 107, "shared": 108, "bridge": zendeskstandin.Bridge}

// zendesk starts a stand-in and gives the desk of docs/desks, with further replacements in its documents.
func zendesk(t *testing.T, o zendeskstandin.Options, further ...string) (*zendeskstandin.Server, desk) {
	t.Helper()
	o.ClientSecret = zendeskClient
	o.People = []zendeskstandin.Account{
		{ID: 101, Name: "Kim", Mail: "kim@desk.example", Role: "agent", Groups: []int64{zendeskApprovers}},
		{ID: 102, Name: "Lee", Mail: "lee@desk.example", Role: "agent", Groups: []int64{zendeskApprovers}},
		{ID: 103, Name: "Max", Mail: "max@desk.example", Role: "agent"}, {ID: 104, Name: "Ana", Mail: "ana@corp.example", Role: "agent"},
		{ID: 105, Name: "Kim Okafor", Mail: "kim@corp.example", Role: "agent", Unverified: true},
		{ID: 106, Name: "Ana at home", Mail: "ana@desk.example", Role: "agent"}, {ID: 107, Name: "Kim at home", Mail: "kim@home.example", Role: "agent"},
		{ID: 108, Name: "Kim or Max", Mail: "kim@corp.example", Role: "agent"},
	}
	server := zendeskstandin.New(o)
	address := served(t, server)
	return server, desk{
		name: "zendesk", approved: "Approved", denied: "Declined", flush: server.Hooks.Flush,
		settings: strings.NewReplacer(append([]string{
			"https://example.zendesk.com", address, "{env: DRAWBRIDGE_SECRET_ZENDESK_CLIENT}", value(zendeskClient),
			"{env: DRAWBRIDGE_SECRET_ZENDESK_WEBHOOK}", value(zendeskWebhook), "groups:", "index_lag: 1s\n  export_every: 10s\n  groups:",
		}, further...)...),
		accounts: func(login string) string { return fmt.Sprint(zendeskPeople[login]) },
		move: func(t testing.TB, who, id, status string) {
			switch who {
			case "robot":
				must(t, server.MoveBy(id, zendeskPeople["kim"], "rule", status))
			case "program":
				must(t, server.MoveBy(id, zendeskPeople["kim"], "api", status))
			default:
				must(t, server.Move(id, zendeskPeople[who], status))
			}
		},
		comments: func(_ *testing.T, id string) string {
			ticket, _ := server.Ticket(id)
			var b strings.Builder
			for _, c := range ticket.Comments {
				fmt.Fprintln(&b, c.Text)
			}
			return b.String()
		},
		others: []string{"ana", "alias", "second", "shared", "robot", "program", "stranger", "bridge"},
		lacks: map[string]string{
			"describe":  "the first comment of a ticket cannot be edited",
			"elsewhere": "a ticket that goes to another group is still the same to everybody",
		},
		busy: "In review", history: true, keptOnce: true, field: "360002", group: "Approvers",
		reopen: func(t testing.TB, who, id string) { must(t, server.Move(id, zendeskPeople[who], "Open")) },
		edit: func(t testing.TB, who, id, subject string) {
			must(t, server.Edit(id, zendeskPeople[who], map[string]any{"subject": subject}))
		},
		set: func(t testing.TB, who, id, value string) {
			must(t, server.Edit(id, zendeskPeople[who], map[string]any{"360002": value}))
		},
		merge:   func(t testing.TB, id, into string) { must(t, server.Merge(id, into, zendeskPeople["max"])) },
		rewrite: func(t testing.TB, id, status string) { must(t, server.Reword(id, status)) },
		member: func(_ testing.TB, who string, in bool) {
			if in {
				server.SetGroups(zendeskPeople[who], zendeskApprovers)
			} else {
				server.SetGroups(zendeskPeople[who])
			}
		},
		note: func(t testing.TB, who, id, text string) {
			must(t, server.CommentAs(id, zendeskPeople[who], text, true))
		},
		clone: func(_ testing.TB, who, id string) string {
			return server.Clone(id, zendeskPeople[who], zendeskstandin.Bridge)
		},
		key: func(_ testing.TB, id string) string {
			ticket, _ := server.Ticket(id)
			return ticket.External
		},
		mark: func(t testing.TB, id, key string) {
			must(t, server.Edit(id, zendeskPeople["max"], map[string]any{"external_id": key}))
		},
		remove: func(t testing.TB, who, id string) { must(t, server.Delete(id, zendeskPeople[who])) },
		cut:    func() { server.Faults.CutNext("create") },
		opened: func() int { return len(server.Tickets()) },
		forge: func(_ testing.TB, ticket string) (body, header string) {
			return fmt.Sprintf(`{"ticket":%q}`, ticket), "X-Zendesk-Webhook-Signature: " + strings.Repeat("A", 43) + "="
		},
		notice: func(_ testing.TB, ticket string) (body, header string) {
			body = fmt.Sprintf(`{"ticket":%q}`, ticket)
			stamp := time.Now().UTC().Format(time.RFC3339)
			return body, "X-Zendesk-Webhook-Signature-Timestamp: " + stamp + "\nX-Zendesk-Webhook-Signature: " + zendeskstandin.Sign(zendeskWebhook, stamp, []byte(body))
		},
	}
}

// TestZendeskDecidesByWebhooks goes the whole way by signed webhooks alone.
func TestZendeskDecidesByWebhooks(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := zendesk(t, zendeskstandin.Options{Notices: c.urls.bridge + "/in/zendesk", Secret: zendeskWebhook})
	d.hooked = true
	c.decideAt(t, d)
	o := &office{check: c, t: t, d: d}

	// A ticket that was merged into another is gone, and what is decided on the other is decided there.
	id, ticket := o.ask(anaAsksForATool)
	other, into := o.ask(anaAsksForATool)
	must(t, server.Merge(ticket, into, zendeskPeople["max"]))
	o.read(id)
	d.move(t, "kim", into, d.approved)
	o.told(other, into, "Approved")
	must(t, o.silent(id))

	// Who changes a field does not make the move that a trigger makes of it.
	id, ticket = o.ask(anaAsksForATool)
	must(t, server.MoveAndTrigger(ticket, zendeskPeople["kim"], 360001, "approved", d.approved))
	o.read(id)
	must(t, o.silent(id))

	for _, one := range server.Tickets() {
		for _, comment := range one.Comments {
			if comment.Public && comment.Author == zendeskstandin.Bridge {
				t.Errorf("the requester can read %q", comment.Text)
			}
		}
	}
}

// TestZendeskDecidesByWatching goes the whole way without webhooks, and without custom statuses.
func TestZendeskDecidesByWatching(t *testing.T) {
	t.Parallel()
	_, d := zendesk(t, zendeskstandin.Options{NoCustomStatuses: true}, `ticket.status == "Approved"`, `ticket.status == "solved"`,
		`ticket.status == "Declined"`, `ticket.status == "hold"`, "{ status: Approved }", "{ status: solved }", "{ status: Declined }", "{ status: hold }")
	d.approved, d.denied = "solved", "hold"
	start(t, storetest.SQLite).decideAt(t, d)
}

// zendeskByStatuses decides by custom statuses.
func zendeskByStatuses(t *testing.T, _ *check) desk {
	_, d := zendesk(t, zendeskstandin.Options{})
	return d
}

// TestZendeskDecidesByApprovals goes the whole way by the account's own approval requests.
func TestZendeskDecidesByApprovals(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.decideAt(t, zendeskByApprovals(t, c))
}

// zendeskByApprovals decides by the account's own approval requests.
func zendeskByApprovals(t *testing.T, _ *check) desk {
	server, d := zendesk(t, zendeskstandin.Options{Approvals: true}, "  groups:", "  approvals: {workflow: 01JJWORKFLOW}\n  index_lag: 1s\n  groups:")
	people := map[string]int64{"robot": -1}
	for who, id := range zendeskPeople {
		people[who] = id
	}
	answers := map[string]string{d.approved: "approved", d.denied: "rejected"}
	d.move = func(t testing.TB, who, id, status string) {
		request := server.Ask(id, people[who])
		must(t, server.Answer(request, people[who], answers[status]))
	}
	d.apart, d.reopen, d.busy, d.rewrite = true, nil, "", nil
	d.others = slices.DeleteFunc(d.others, func(who string) bool { return who == "program" })
	d.lacks["program"] = "an answer does not show whether a person or a program gave it"
	d.lacks["reopen"] = "an answer cannot be taken back"
	d.lacks["busy"] = "an approval is answered at once"
	d.lacks["rewrite"] = "an approval shows its answer, and no way to it"
	return d
}

// TestACreateAtZendeskWhoseAnswerIsLost leaves one ticket a request.
func TestACreateAtZendeskWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := zendesk(t, zendeskstandin.Options{Notices: c.urls.bridge + "/in/zendesk", Secret: zendeskWebhook})
	d.hooked = true
	o := openOffice(t, c, d)
	for range 3 {
		server.Faults.CutNext("create")
		server.Faults.CutNext("create")
		id, ticket := o.ask(anaAsksForATool)
		server.Faults.Heal()
		d.move(t, "kim", ticket, d.approved)
		o.told(id, ticket, "Approved")
	}
	if n := len(server.Tickets()); n != 3 {
		t.Errorf("there are %d tickets for three requests", n)
	}
}
