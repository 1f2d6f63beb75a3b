package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	pd "github.com/drawbridge-itsm/drawbridge/connectors/pagerduty/pagerdutystandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const (
	pagerDutyKey    = "key-of-the-account"
	pagerDutySecret = "webhook-secret-of-the-account"
)

// pagerDutyPeople are the ids of those the tests speak of; stranger has Kim's name and address, which nobody had to prove,
// and a program and a rule are no people.
var pagerDutyPeople = map[string]string{"kim": "PKIM", "lee": "PLEE", "max": "PMAX", "ana": "PANA", "stranger": "PKIM2", "bridge": pd.Bridge}

// pagerDuty starts a stand-in that tells c of what people do there, and gives the desk of docs/desks, with further
// replacements in its documents.
func pagerDuty(t *testing.T, c *check, o pd.Options, further ...string) (*pd.Server, desk) {
	t.Helper()
	o.Key = pagerDutyKey
	o.Users = []pd.User{
		{ID: "PKIM", Name: "Kim", Mail: "kim@desk.example"}, {ID: "PLEE", Name: "Lee", Mail: "lee@desk.example"}, {ID: "PMAX", Name: "Max", Mail: "max@desk.example"},
		{ID: "PANA", Name: "Ana", Mail: "ana@corp.example"}, {ID: "PKIM2", Name: "Kim Okafor", Mail: "kim@corp.example"},
	}
	server := pd.New(o)
	server.SendTo(c.urls.bridge+"/in/pagerduty", pagerDutySecret, "the secret that comes next")
	return server, desk{
		name: "pagerduty", hooked: true, approved: "Approved", denied: "Declined", flush: server.Hooks.Flush,
		settings: strings.NewReplacer(append([]string{
			"region: us", "base_url: " + served(t, server) + "\n  index_lag: 1s", "drawbridge@example.com", pd.BridgeMail,
			"{env: DRAWBRIDGE_SECRET_PAGERDUTY_KEY}", value(pagerDutyKey), "{env: DRAWBRIDGE_SECRET_PAGERDUTY_WEBHOOK}", value(pagerDutySecret),
		}, further...)...),
		accounts: func(login string) string { return pagerDutyPeople[login] },
		move: func(t testing.TB, who, id, answer string) {
			switch who {
			case "robot":
				must(t, server.SetVia(id, "", "auto", "approval", answer))
			case "program":
				must(t, server.SetVia(id, "PKIM", "api", "approval", answer))
			default:
				must(t, server.Set(id, pagerDutyPeople[who], "approval", answer))
			}
		},
		comments: func(_ *testing.T, id string) string {
			one, _ := server.Incident(id)
			return strings.Join(one.Notes, "\n")
		},
		others: []string{"ana", "robot", "program", "stranger", "bridge"},
		lacks: map[string]string{
			"alias":     "a mail address tells nobody who somebody is, and an account belongs to one person",
			"second":    "a mail address tells nobody who somebody is, and an account belongs to one person",
			"shared":    "a mail address tells nobody who somebody is, and an account belongs to one person",
			"busy":      "a status decides nothing here",
			"describe":  "what an incident was opened with cannot be edited",
			"mark":      "the key of an incident cannot be changed",
			"merge":     "an incident that was merged is gone; see TestPagerDutyDecidesByACustomField",
			"elsewhere": "an incident that another service takes over is still the same to everybody",
			"rewrite":   "the log cannot be written",
			"group":     "the desk tells no groups of people",
		},
		history: true, field: "department",
		reopen: func(t testing.TB, who, id string) { must(t, server.Set(id, pagerDutyPeople[who], "approval", nil)) },
		set: func(t testing.TB, who, id, value string) {
			must(t, server.Set(id, pagerDutyPeople[who], "department", value))
		},
		notice: func(_ testing.TB, id string) (body, header string) {
			one, _ := server.Incident(id)
			body = fmt.Sprintf(`{"event":{"id":"01X","event_type":"incident.resolved","occurred_at":%q,"data":{"id":%q,"type":"incident"}}}`, time.Now().UTC().Format(time.RFC3339), one.ID)
			return body, "X-PagerDuty-Signature: " + pd.Sign([]byte(body), pagerDutySecret)
		},
		edit: func(t testing.TB, who, id, subject string) { must(t, server.Rename(id, pagerDutyPeople[who], subject)) },
		note: func(t testing.TB, who, id, text string) {
			_, err := server.Note(id, pagerDutyPeople[who], text)
			must(t, err)
			must(t, server.Move(id, pagerDutyPeople[who], "acknowledged")) // says that somebody works on it
		},
		clone: func(t testing.TB, who, id string) string {
			clone, err := server.Clone(id, pagerDutyPeople[who])
			must(t, err)
			return clone
		},
		remove: func(t testing.TB, _, id string) { must(t, server.Hide(id)) },
		cut:    func() { server.Faults.CutNext("create") },
		opened: func() int { return len(server.Incidents()) },
		forge: func(t testing.TB, id string) (body, header string) {
			one, _ := server.Incident(id)
			return fmt.Sprintf(`{"event":{"id":"01X","event_type":"incident.resolved","occurred_at":"2026-11-20T10:00:00Z","data":{"id":%q,"type":"incident"}}}`, one.ID),
				"X-PagerDuty-Signature: v1=" + strings.Repeat("0", 64)
		},
	}
}

func pagerDutyByField(t *testing.T, c *check) desk {
	_, d := pagerDuty(t, c, pd.Options{})
	return d
}

// TestPagerDutyDecidesByACustomField goes the whole way by signed webhooks alone, while the secret changes.
func TestPagerDutyDecidesByACustomField(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := pagerDuty(t, c, pd.Options{})
	c.decideAt(t, d)
	o := &office{check: c, t: t, d: d}

	// An incident that was merged into another is gone, and what is decided on the other is decided there.
	id, ticket := o.ask(anaAsksForATool)
	other, into := o.ask(anaAsksForATool)
	must(t, server.Merge(ticket, into, "PMAX"))
	o.read(id)
	d.move(t, "kim", into, d.approved)
	o.told(other, into, "Approved")
	must(t, o.silent(id))

	server.Greet()
	must(t, server.Hooks.Flush(c.ctx))
}

// TestPagerDutyDecidesByNotes goes the whole way by notes, where they are told to answer, on incidents that are watched.
func TestPagerDutyDecidesByNotes(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.decideAt(t, pagerDutyByNotes(t, c))
}

func pagerDutyByNotes(t *testing.T, c *check) desk {
	t.Helper()
	server, d := pagerDuty(t, c, pd.Options{}, "services:", "answers: [Approved, Declined]\n  overlap: 8s\n  services:",
		`ticket.fields.approval == "Approved"`, `ticket.fields.answer == "Approved"`, `ticket.fields.approval == "Declined"`, `ticket.fields.answer == "Declined"`)
	server.Hooks.Drop(true)
	d.hooked, d.others, d.reopen = false, []string{"ana", "stranger", "bridge"}, nil
	d.lacks["robot"] = "an automation writes no notes"
	d.lacks["program"] = "a note does not show whether a person or a program wrote it"
	d.lacks["reopen"] = "an answer cannot be taken back"
	d.move = func(t testing.TB, who, id, answer string) {
		_, err := server.Note(id, pagerDutyPeople[who], answer)
		must(t, err)
	}
	return d
}

// TestPagerDutyDecidesByResolving goes the whole way by who resolves an incident; denied is what the custom field says.
func TestPagerDutyDecidesByResolving(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := pagerDuty(t, c, pd.Options{}, `ticket.fields.approval == "Approved"`, `ticket.status == "resolved" and ticket.fields.approval != "Declined"`)
	set := d.move
	d.move = func(t testing.TB, who, id, answer string) {
		switch {
		case answer == d.denied:
			set(t, who, id, answer)
		case who == "robot":
			must(t, server.MoveVia(id, "", "auto", "resolved", ""))
		case who == "program":
			must(t, server.MoveVia(id, "PKIM", "api", "resolved", ""))
		default:
			must(t, server.Move(id, pagerDutyPeople[who], "resolved"))
		}
	}
	c.decideAt(t, d)
}

// TestACreateAtPagerDutyWhoseAnswerIsLost leaves one incident a request.
func TestACreateAtPagerDutyWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	_, d := pagerDuty(t, c, pd.Options{Lag: deskLag})
	o := openOffice(t, c, d)
	for range 3 {
		d.cut()
		id, ticket := o.ask(anaAsksForATool)
		d.move(t, "kim", ticket, d.approved)
		o.told(id, ticket, "Approved")
	}
	if n := d.opened(); n != 3 {
		t.Errorf("there are %d incidents for three requests", n)
	}
}
