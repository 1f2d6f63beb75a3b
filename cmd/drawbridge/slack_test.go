package main

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/slack/slackstandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const slackToken, slackSigning = "xoxb-token-of-the-app", "signing-secret-of-the-app"

// slackPeople are the workspace's; robot is a bot, and stranger bears Kim's name and address in another workspace.
var slackPeople = map[string]slackstandin.Person{
	"kim": {ID: "U0KIM", Name: "Kim", Mail: "kim@desk.example"}, "lee": {ID: "U0LEE", Name: "Lee", Mail: "lee@desk.example"},
	"max": {ID: "U0MAX", Name: "Max", Mail: "max@desk.example"}, "ana": {ID: "U0ANA", Name: "Ana", Mail: "ana@corp.example"},
	"robot":    {ID: "U0ROBOT", Name: "Robot", Mail: "kim@corp.example", Bot: true},
	"stranger": {ID: "U0FAR", Name: "Kim", Mail: "kim@corp.example", Team: "T0OTHER"},
}

// slack starts a stand-in and gives the desk of docs/chat.md.
func slack(t *testing.T, c *check, now ...func() time.Time) (*slackstandin.Server, desk) {
	t.Helper()
	o := slackstandin.Options{Now: append(now, time.Now)[0], Token: slackToken, SigningSecret: slackSigning, Address: c.urls.bridge + "/in/slack"}
	for _, p := range slackPeople {
		o.People = append(o.People, p)
	}
	server := slackstandin.New(o)
	address := served(t, server)
	return server, desk{
		name: "slack", documents: chat(t, "Slack"), hooked: true, approved: "approve", denied: "deny",
		settings: strings.NewReplacer("team: T0EXAMPLE", "team: T0CORP\n  app: A0BRIDGE\n  base_url: "+address, "C0EXAMPLE", "C0SEC",
			"{env: DRAWBRIDGE_SECRET_SLACK_TOKEN}", value(slackToken), "{env: DRAWBRIDGE_SECRET_SLACK_SIGNING}", value(slackSigning)),
		accounts: func(login string) string { return slackPeople[login].ID },
		move: func(t testing.TB, who, id, status string) {
			status1, body, err := server.Click(t.Context(), slackstandin.Click{Message: messageOf(id), Button: status, By: slackPeople[who].ID})
			must(t, err)
			if status1 != http.StatusOK || body != "" {
				t.Errorf("a click is answered %d %q", status1, body)
			}
		},
		comments: func(_ *testing.T, id string) string {
			_, ts, _ := strings.Cut(messageOf(id), ":")
			var b strings.Builder
			for _, m := range server.Replies(ts) {
				fmt.Fprintln(&b, m.Text)
			}
			return b.String()
		},
		others: []string{"ana", "robot", "stranger"},
		lacks: map[string]string{
			"alias":     "whoever clicks is known by their account",
			"second":    "whoever clicks is known by their account",
			"shared":    "whoever clicks is known by their account",
			"program":   "no program can click",
			"bridge":    "no app can click",
			"reopen":    "an answer cannot be taken back",
			"busy":      "there is no ticket that could be moved",
			"edit":      "a message is its app's own, and is not read back",
			"describe":  "a message is its app's own, and is not read back",
			"history":   "there is no ticket that could be changed",
			"note":      "replies are not read",
			"field":     "there is no ticket that could be changed",
			"clone":     "a copied message has no buttons",
			"mark":      "a message is its app's own; see TestHostileSlack for keys in clicks",
			"remove":    "a message that is gone cannot be clicked on",
			"merge":     "there is no ticket that could be changed",
			"elsewhere": "there is no ticket that could be changed",
			"rewrite":   "there is no ticket that could be changed",
			"group":     "the desk tells no groups of people",
			"unread":    "a click is judged at once",
			"late":      "a message of what is decided has no buttons; see TestHostileSlack for clicks on it",
			"notice":    "what Slack sends is the answer itself; see TestHostileSlack",
		},
		forge: func(t testing.TB, ticket string) (body, header string) {
			r, err := server.Request(t.Context(), slackstandin.Click{Message: messageOf(ticket), Button: "approve", By: "U0KIM", Secret: "another"})
			must(t, err)
			return "{}", "X-Slack-Signature: " + r.Header.Get("X-Slack-Signature")
		},
		cut:    func() { server.Faults.CutNext("chat.postMessage") },
		opened: func() int { return len(server.Messages()) },
	}
}

func slackByClicks(t *testing.T, c *check) desk {
	_, d := slack(t, c)
	return d
}

// messageOf is the message that people call CHANNEL/pNUMBER.
func messageOf(key string) string {
	return regexp.MustCompile(`^([A-Z0-9]+)/p(\d+)(\d{6})$`).ReplaceAllString(key, "$1:$2.$3")
}

// TestSlackDecidesByClicks goes the whole way by clicks.
func TestSlackDecidesByClicks(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := slack(t, c)
	c.decideAt(t, d)

	// Somebody who is known by the address the workspace has, and by nothing else.
	server.SetPerson(slackstandin.Person{ID: "U0NEW", Name: "Lee Anew", Mail: "lee@corp.example"})
	o := &office{check: c, t: t, d: d}
	id, message := o.ask(anaAsksForATool)
	_, _, err := server.Click(c.ctx, slackstandin.Click{Message: messageOf(message), Button: "deny", By: "U0NEW"})
	must(t, err)
	o.told(id, message, "Denied")
	o.ended(server, message, "Denied")
	view, err := o.caseOf(id)
	must(t, err)
	if len(view.Answers) != 1 || view.Answers[0].By.Account != "U0NEW" || view.Answers[0].Outcome != "denied" || !view.Answers[0].Judged || view.Answers[0].Refused != "" {
		t.Errorf("the case shows %+v", view.Answers)
	}
	if view.Decision.Receipt == "" {
		t.Error("there is no receipt")
	}
}

func TestADurationAndAReasonAreGivenInSlack(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := slack(t, c)
	o := openOffice(t, c, d)
	c.policy(t, "approvers: {people: [kim]}\ndurations: {max: 2h, default: 1h}\nreason: required\n")
	c.edit(t, "Rule", "epm-app-requests", "  type: ask", "  type: ask\n  fields: { durations: [1h, 8h], reason: Why }")
	id, message := o.ask(anaAsksForATool)
	click := slackstandin.Click{Message: messageOf(message), Button: "approve/8h", By: "U0KIM"}
	_, _, err := server.Click(c.ctx, click)
	must(t, err)
	o.read(id)
	must(t, o.silent(id))
	must(t, o.says(message, "asks for a reason"))
	click.Reason = "the scanner is ours"
	_, _, err = server.Click(c.ctx, click)
	must(t, err)
	o.told(id, message, "Approved")
	if told := c.epm.Decisions(id); told[0].Duration != "7200" {
		t.Errorf("EPM was told %q seconds, want 7200", told[0].Duration)
	}
	view, err := o.caseOf(id)
	must(t, err)
	if view.Decision.Reason != "the scanner is ours" || len(view.Answers) != 2 || view.Answers[0].Refused == "" {
		t.Errorf("the case says %+v and %+v", view.Decision, view.Answers)
	}
}

// TestAMessageWhoseAnswerIsLostIsSettledByAClick: nobody can look for a message, so people have to, or click on it.
func TestAMessageWhoseAnswerIsLostIsSettledByAClick(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := slack(t, c)
	o := openOffice(t, c, d)
	lost := func() (id, dead string) {
		d.cut()
		id = c.epm.RequestApplication(anaAsksForATool)
		must(t, o.patiently(func() error {
			view, err := o.caseOf(id)
			if err != nil {
				return err
			}
			for _, delivery := range view.Deliveries {
				if delivery.State == "dead" && strings.Contains(delivery.Error, "cannot be searched") {
					dead = delivery.ID
					return nil
				}
			}
			return fmt.Errorf("no dead letter: %+v", view.Deliveries)
		}))
		return id, dead
	}
	latest := func(want int) (id, key string) {
		t.Helper()
		all := server.Messages()
		if len(all) != want {
			t.Fatalf("there are %d messages, want %d", len(all), want)
		}
		m := all[want-1]
		return m.Channel + ":" + m.TS, m.Channel + "/p" + strings.Replace(m.TS, ".", "", 1)
	}
	click := func(message string) {
		t.Helper()
		_, _, err := server.Click(c.ctx, slackstandin.Click{Message: message, Button: "approve", By: "U0KIM"})
		must(t, err)
	}
	request, _ := lost()
	message, key := latest(1)
	click(message)
	o.told(request, key, "Approved")

	// Posted again by an operator who did not find it, the first message counts for nothing and is closed when somebody
	// clicks on it.
	request, dead := lost()
	first, firstKey := latest(2)
	_, err := c.bridge.gateway.Replay(c.ctx, dead, "kim", "not in the channel")
	must(t, err)
	must(t, o.patiently(o.quietNow))
	message, key = latest(3)
	click(first)
	must(t, o.patiently(func() error {
		if m, _ := server.Message(first); m.Buttons() {
			return errors.New("the first message still asks")
		}
		return o.says(firstKey, "opened a second time")
	}))
	must(t, o.silent(request))
	click(message)
	o.told(request, key, "Approved")
}

func TestWhoClickedIsAskedUntilSlackTells(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := slack(t, c)
	o := openOffice(t, c, d)
	id, message := o.ask(anaAsksForATool)
	server.Faults.FailOn("users.info", 2, http.StatusServiceUnavailable, nil)
	d.move(t, "kim", message, "approve")
	o.told(id, message, "Approved")
}

// ended waits until a message asks nobody any more, and says so.
func (o *office) ended(server *slackstandin.Server, message, status string) {
	o.t.Helper()
	must(o.t, o.patiently(func() error {
		if m, _ := server.Message(messageOf(message)); m.Buttons() || !strings.Contains(m.Text, status) {
			return fmt.Errorf("the message does not say %s, or still asks: %s", status, m.Text)
		}
		return nil
	}))
}

func TestTheClockEndsARequestInSlack(t *testing.T) {
	t.Parallel()
	var clock virtual
	c := start(t, storetest.SQLite, withClock(&clock))
	server, d := slack(t, c, clock.now)
	o := openOffice(t, c, d)
	c.policy(t, "approvers: {people: [kim]}\ndeadline: {after: 4h, remind: [1h], then: deny}\n")
	id, message := o.ask(anaAsksForATool)
	value := server.Value(messageOf(message), "approve")
	clock.forward(time.Hour)
	must(t, o.patiently(func() error { return o.says(message, "still waits for a decision") }))
	clock.forward(3 * time.Hour)
	o.told(id, message, "Denied")
	o.ended(server, message, "Denied")
	_, _, err := server.Click(c.ctx, slackstandin.Click{Message: messageOf(message), Button: "approve", By: "U0KIM", Block: "drawbridge", Value: value})
	must(t, err)
	must(t, o.patiently(func() error { return o.says(message, "the first valid decision stands") }))
	if told := c.epm.Decisions(id); len(told) != 1 {
		t.Errorf("EPM was told %d times, want once", len(told))
	}
}

// What was answered is judged anew when there is reason to read it again, like a ticket that stands where it stood.
func TestAnAnswerCountsUnderThePolicyACaseIsMovedTo(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	_, d := slack(t, c)
	o := openOffice(t, c, d)
	c.policy(t, "approvers: {people: [kim, lee]}\nquorum: 2\n")
	id, message := o.ask(anaAsksForATool)
	d.move(t, "kim", message, "approve")
	must(t, o.patiently(func() error { return o.says(message, "counts as 1 of 2") }))
	c.move(t, "approvers: {people: [kim, lee]}\n")
	o.read(id)
	o.told(id, message, "Approved")
}

// TestAnswersInSlackAndAtADeskAddUp has one of two approve in Slack and the other in Jira, in either order.
func TestAnswersInSlackAndAtADeskAddUp(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := slack(t, c)
	inJira := strings.Replace(c.published(t, "Rule", "epm-app-requests"), "name: epm-app-requests", "name: in-jira", 1)
	o := openOffice(t, c, d)
	c.apply(t, inJira)
	c.policy(t, "approvers: {people: [kim, lee]}\nquorum: 2\n")
	for _, slackFirst := range []bool{true, false} {
		id := c.epm.RequestApplication(anaAsksForATool)
		tickets := map[string]string{}
		must(t, o.patiently(func() error {
			view, err := o.caseOf(id)
			if err != nil {
				return err
			}
			for _, ticket := range view.Tickets {
				if ticket.ID != "" {
					tickets[ticket.Desk] = ticket.Ticket
				}
			}
			if len(tickets) != 2 {
				return fmt.Errorf("the case has the tickets %v", tickets)
			}
			return nil
		}))
		click := func() { d.move(t, "kim", tickets["slack"], "approve") }
		move := func() { must(t, c.jira.Move(tickets["jira"], "acc-lee", "Approved", nil)) }
		if !slackFirst {
			click, move = move, click
		}
		click()
		must(t, o.patiently(o.quietNow))
		must(t, o.silent(id))
		move()
		must(t, o.patiently(func() error {
			if told := c.epm.Decisions(id); len(told) != 1 || told[0].Decision != "Approved" {
				return fmt.Errorf("EPM was told %+v, want Approved", told)
			}
			return nil
		}))
		o.ended(server, tickets["slack"], "Approved")
		must(t, c.status(tickets["jira"], "Approved"))
	}
}
