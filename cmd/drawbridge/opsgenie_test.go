package main

import (
	"fmt"
	"strings"
	"testing"

	og "github.com/drawbridge-itsm/drawbridge/connectors/opsgenie/opsgeniestandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const opsgenieSecret = "a secret that both sides know well"

// opsgeniePeople are the names of those the tests speak of; stranger bears a name that nobody registered.
var opsgeniePeople = map[string]string{
	"kim": "kim@desk.example", "lee": "lee@desk.example", "max": "max@desk.example", "ana": "ana@corp.example", "stranger": "kim@corp.example", "bridge": "drawbridge", "robot": "System",
}

// opsgenie starts a stand-in that tells c of what people do there, and gives the desk of docs/desks, with further
// replacements in its documents.
func opsgenie(t *testing.T, c *check, o og.Options, further ...string) (*og.Server, desk) {
	t.Helper()
	server := og.New(o)
	server.SendTo(c.urls.bridge+"/in/opsgenie", "X-Drawbridge-Secret", opsgenieSecret)
	return server, desk{
		name: "opsgenie", hooked: true, approved: "Approve", denied: "Deny", flush: server.Hooks.Flush,
		settings: strings.NewReplacer(append([]string{
			"host: jsm", "host: jsm\n  base_url: " + served(t, server) + "/v2\n  ask: 5ms\n  index_lag: 1s",
			"{env: DRAWBRIDGE_SECRET_OPSGENIE_KEY}", value(og.Key), "{env: DRAWBRIDGE_SECRET_OPSGENIE_NOTICES}", value(opsgenieSecret),
		}, further...)...),
		accounts: func(login string) string { return opsgeniePeople[login] },
		move: func(t testing.TB, who, id, action string) {
			switch who {
			case "program":
				must(t, server.Execute(id, opsgeniePeople["kim"], "api", action))
			case "caller": // the webhook says so, and the log does not
				must(t, server.Pretend(id, opsgeniePeople["kim"], action))
			default:
				must(t, server.Execute(id, opsgeniePeople[who], "web", action))
			}
		},
		comments: func(_ *testing.T, id string) string {
			one, _ := server.Alert(id)
			return strings.Join(one.Notes, "\n")
		},
		others: []string{"ana", "robot", "program", "caller", "stranger", "bridge"},
		lacks: map[string]string{
			"alias":     "a mail address tells nobody who somebody is, and an account belongs to one person",
			"second":    "a mail address tells nobody who somebody is, and an account belongs to one person",
			"shared":    "a mail address tells nobody who somebody is, and an account belongs to one person",
			"reopen":    "an action cannot be taken back",
			"busy":      "a status decides nothing here",
			"describe":  "the texts of an alert are changed alike; its message is",
			"history":   "the log does not tell what texts and details were",
			"field":     "who changes a detail is not told, so nothing is read off one; see TestNothingIsPublishedThatAnybodysEditCouldMeet",
			"mark":      "the alias of an alert cannot be changed",
			"merge":     "alerts are not merged",
			"elsewhere": "an alert that another team takes over is still the same to everybody",
			"rewrite":   "the log cannot be written",
			"group":     "the desk tells no groups of people",
		},
		notice: func(_ testing.TB, id string) (body, header string) {
			one, _ := server.Alert(id)
			return fmt.Sprintf(`{"action":"Approve","alert":{"alertId":%q,"username":"kim@desk.example"}}`, one.ID), "X-Drawbridge-Secret: " + opsgenieSecret
		},
		edit: func(t testing.TB, who, id, subject string) { must(t, server.Rename(id, opsgeniePeople[who], subject)) },
		note: func(t testing.TB, who, id, text string) {
			must(t, server.Note(id, opsgeniePeople[who], text))
			must(t, server.Note(id, opsgeniePeople[who], "Custom action [Approve] executed via web"))
			must(t, server.Move(id, opsgeniePeople[who], "web", "acknowledge", "")) // says that somebody works on it
		},
		clone: func(t testing.TB, _, id string) string {
			clone, err := server.Clone(id)
			must(t, err)
			return clone
		},
		remove: func(t testing.TB, _, id string) { must(t, server.Delete(id)) },
		cut:    func() { server.Faults.CutNext("create") },
		opened: func() int { return len(server.Alerts()) },
		forge: func(t testing.TB, id string) (body, header string) {
			one, _ := server.Alert(id)
			return fmt.Sprintf(`{"action":"Approve","alert":{"alertId":%q,"username":"kim@desk.example"}}`, one.ID), "X-Drawbridge-Secret: guessed"
		},
	}
}

func opsgenieByActions(t *testing.T, c *check) desk {
	_, d := opsgenie(t, c, og.Options{Slow: 1})
	return d
}

// TestOpsgenieDecidesByCustomActions goes the whole way by the actions people execute: webhooks alone bring decisions, and
// the log says whose they are.
func TestOpsgenieDecidesByCustomActions(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	_, d := opsgenie(t, c, og.Options{Slow: 1})
	c.decideAt(t, d)
}

// TestOpsgenieDecidesByNotes goes the whole way by what people close alerts with, on alerts that are watched.
func TestOpsgenieDecidesByNotes(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := opsgenie(t, c, og.Options{}, "integration: drawbridge", "integration: drawbridge\n  answers: [Approved, Declined]\n  overlap: 8s",
		`ticket.fields.action == "Approve"`, `ticket.fields.answer == "Approved"`, `ticket.fields.action == "Deny"`, `ticket.fields.answer == "Declined"`)
	server.Hooks.Drop(true)
	d.hooked, d.others, d.approved, d.denied = false, []string{"ana", "stranger", "bridge", "robot"}, "Approved", "Declined"
	d.move = func(t testing.TB, who, id, answer string) {
		must(t, server.Move(id, opsgeniePeople[who], "web", "close", answer))
	}
	d.edit = nil // what is closed cannot be
	d.note = nil
	c.decideAt(t, d)
}

// TestACreateAtOpsgenieWhoseAnswerIsLost leaves one alert a request.
func TestACreateAtOpsgenieWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := opsgenie(t, c, og.Options{Lag: deskLag, Hidden: deskLag})
	o := openOffice(t, c, d)
	for _, lost := range []string{"create", "outcome", "create"} {
		server.Faults.CutNext(lost)
		id, ticket := o.ask(anaAsksForATool)
		d.move(t, "kim", ticket, d.approved)
		o.told(id, ticket, "Approved")
	}
	if n := d.opened(); n != 3 {
		t.Errorf("there are %d alerts for three requests", n)
	}
}
