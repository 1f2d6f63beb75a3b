package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/slack/slackstandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
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
func slack(t *testing.T, c *check) (*slackstandin.Server, desk) {
	t.Helper()
	o := slackstandin.Options{Token: slackToken, SigningSecret: slackSigning, Address: c.urls.bridge + "/in/slack"}
	for _, p := range slackPeople {
		o.People = append(o.People, p)
	}
	server := slackstandin.New(o)
	listen := httptest.NewServer(server)
	t.Cleanup(listen.Close)
	return server, desk{
		name: "slack", docs: chat(t, "Slack"), hooked: true, approved: "approve", denied: "deny",
		settings: strings.NewReplacer("team: T0EXAMPLE", "team: T0CORP\n  app: A0BRIDGE\n  base_url: "+listen.URL, "C0EXAMPLE", "C0SEC",
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
		forge: func(t testing.TB, ticket string) (body, header string) {
			r, err := server.Request(t.Context(), slackstandin.Click{Message: messageOf(ticket), Button: "approve", By: "U0KIM", Secret: "another"})
			must(t, err)
			return "{}", "X-Slack-Signature: " + r.Header.Get("X-Slack-Signature")
		},
		cut:    func() { server.Faults.CutNext("chat.postMessage") },
		opened: func() int { return len(server.Messages()) },
	}
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
	must(t, o.patiently(func() error {
		if m, _ := server.Message(messageOf(message)); m.Buttons() || !strings.Contains(m.Text, "Denied") {
			return fmt.Errorf("the message still asks: %s", m.Text)
		}
		return nil
	}))
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

// stage is what an attack by way of Slack acts on.
type stage struct {
	*office
	slack       *slackstandin.Server
	id, message string // the request and its message
}

// click sends a click on the message that need not be true; what it is answered must be the status given.
func (s *stage) click(status int, c slackstandin.Click) {
	s.t.Helper()
	if c.Message == "" {
		c.Message = s.message
	}
	if c.Button == "" {
		c.Button = "approve"
	}
	got, _, err := s.slack.Click(s.ctx, c)
	must(s.t, err)
	if got != status {
		s.t.Errorf("the click is answered %d, want %d", got, status)
	}
}

func (s *stage) settled() {
	s.t.Helper()
	must(s.t, s.patiently(s.quietNow))
}

// answers are those the case has.
func (s *stage) answers() []gateway.AnswerView {
	s.t.Helper()
	view, err := s.caseOf(s.id)
	must(s.t, err)
	return view.Answers
}

func (s *stage) refused(words string) {
	s.t.Helper()
	s.settled()
	must(s.t, s.says(strings.Replace(strings.Replace(s.message, ":", "/p", 1), ".", "", 1), words))
}

func TestHostileSlack(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := slack(t, c)
	o := openOffice(t, c, d)
	const taken, refused = http.StatusOK, http.StatusUnauthorized
	by := func(who string) slackstandin.Click { return slackstandin.Click{By: slackPeople[who].ID} }
	quorum := func(s *stage, policy string) {
		c.policy(s.t, policy)
		var message string
		s.id, message = s.ask(anaAsksForATool)
		s.message = messageOf(message)
		s.t.Cleanup(func() { c.policy(s.t, "approvers: {people: [kim, lee]}\n") })
	}
	for _, attack := range []struct {
		name string
		do   func(s *stage)
		told []string // decisions the source is rightly told
	}{
		{"a click with a forged signature", func(s *stage) { s.click(refused, slackstandin.Click{By: "U0KIM", Secret: "another"}) }, nil},
		{"a click signed long ago", func(s *stage) { s.click(refused, slackstandin.Click{By: "U0KIM", Age: 6 * time.Minute}) }, nil},
		{"a click signed in the future", func(s *stage) { s.click(refused, slackstandin.Click{By: "U0KIM", Age: -6 * time.Minute}) }, nil},
		{"a click in another workspace", func(s *stage) { s.click(taken, slackstandin.Click{By: "U0KIM", Team: "T0OTHER"}) }, nil},
		{"a click on another app's message", func(s *stage) { s.click(taken, slackstandin.Click{By: "U0KIM", App: "A0OTHER"}) }, nil},
		{"the requester clicks", func(s *stage) {
			s.click(taken, by("ana"))
			s.refused("nobody decides their own request")
		}, nil},
		{"somebody without the right clicks", func(s *stage) {
			s.click(taken, by("max"))
			s.refused("The answer of Max (approved) does not count")
		}, nil},
		{"a person nobody knows clicks", func(s *stage) {
			s.slack.SetPerson(slackstandin.Person{ID: "U0WHO", Name: "Kim Okafor", Mail: "kim.okafor@elsewhere.example"})
			s.click(taken, slackstandin.Click{By: "U0WHO"})
			s.refused("is not known to Drawbridge as a person")
		}, nil},
		{"an id that Slack does not know", func(s *stage) { s.click(taken, slackstandin.Click{By: "U0NOBODY"}) }, nil},
		{"a member of another workspace with an approver's address", func(s *stage) { s.click(taken, by("stranger")) }, nil},
		{"a bot with an approver's address clicks", func(s *stage) { s.click(taken, by("robot")) }, nil},
		{"an approver whose account was deactivated", func(s *stage) {
			gone := slackPeople["kim"]
			gone.Deleted = true
			s.slack.SetPerson(gone)
			s.t.Cleanup(func() { s.slack.SetPerson(slackPeople["kim"]) })
			s.click(taken, by("kim"))
			s.settled()
		}, nil},
		{"the key of a ticket at another desk", func(s *stage) {
			id := s.epm.RequestAdmin(epmstandin.AdminRequest{UserName: `CORP\ana`, Duration: time.Hour})
			issue, err := s.ticket(id)
			must(s.t, err)
			view, err := s.caseOf(id)
			must(s.t, err)
			s.click(taken, slackstandin.Click{By: "U0KIM", Value: view.Tickets[0].Key})
			s.settled()
			must(s.t, s.silent(id))
			if issue.Key == "" || len(view.Answers) > 0 {
				s.t.Errorf("ticket %s has the answers %+v", issue.Key, view.Answers)
			}
		}, nil},
		{"the key of another message", func(s *stage) {
			other, message := s.ask(anaAsksForATool)
			s.click(taken, slackstandin.Click{By: "U0KIM", Value: s.slack.Value(messageOf(message), "approve")})
			s.settled()
			must(s.t, s.silent(other))
		}, nil},
		{"a key that is none", func(s *stage) { s.click(taken, slackstandin.Click{By: "U0KIM", Value: "aaaaaaaaaaaaaaaa"}) }, nil},
		{"a button that is none of ours", func(s *stage) {
			s.click(taken, slackstandin.Click{By: "U0KIM", Button: "approved", Block: "drawbridge", Value: s.slack.Value(s.message, "approve")})
		}, nil},
		{"a no without the right beside a yes with it", func(s *stage) {
			s.click(taken, slackstandin.Click{By: "U0MAX", Button: "deny"})
			s.click(taken, by("kim"))
			s.click(taken, slackstandin.Click{By: "U0MAX", Button: "deny", ActionTS: "1.5", Block: "drawbridge", Value: s.slack.Value(s.message, "deny")})
		}, []string{"Approved"}},
		{"a yes, then a no by the same", func(s *stage) {
			s.click(taken, by("kim"))
			s.click(taken, slackstandin.Click{By: "U0KIM", Button: "deny"})
			s.refused("the first valid decision stands")
		}, []string{"Approved"}},
		{"a no by another after the decision", func(s *stage) {
			value := s.slack.Value(s.message, "deny")
			s.click(taken, by("kim"))
			s.settled()
			s.click(taken, slackstandin.Click{By: "U0LEE", Button: "deny", Block: "drawbridge", Value: value})
			s.refused("the first valid decision stands")
		}, []string{"Approved"}},
		{"one person in two tabs", func(s *stage) {
			s.click(taken, by("kim"))
			s.click(taken, by("kim"))
		}, []string{"Approved"}},
		{"a click told again", func(s *stage) {
			quorum(s, "approvers: {people: [kim, lee]}\nquorum: 2\n")
			for range 3 {
				s.click(taken, slackstandin.Click{By: "U0KIM", ActionTS: "1795168800.000001"})
			}
			s.settled()
			if n := len(s.answers()); n != 1 {
				s.t.Errorf("one click is %d answers", n)
			}
		}, nil},
		{"one of two, twice", func(s *stage) {
			quorum(s, "approvers: {people: [kim, lee]}\nquorum: 2\n")
			s.click(taken, by("kim"))
			s.click(taken, by("kim"))
			s.refused("counts as 1 of 2")
		}, nil},
		{"one of two and somebody without the right", func(s *stage) {
			quorum(s, "approvers: {people: [kim, lee]}\nquorum: 2\n")
			s.click(taken, by("kim"))
			s.click(taken, by("max"))
			s.click(taken, by("ana"))
			s.click(taken, by("robot"))
		}, nil},
		{"two of two", func(s *stage) {
			quorum(s, "approvers: {people: [kim, lee]}\nquorum: 2\n")
			s.click(taken, by("kim"))
			s.click(taken, by("max"))
			s.click(taken, by("lee"))
		}, []string{"Approved"}},
		{"one of two was deactivated before the other clicked", func(s *stage) {
			quorum(s, "approvers: {people: [kim, lee]}\nquorum: 2\n")
			s.click(taken, by("kim"))
			s.settled()
			gone := slackPeople["kim"]
			gone.Deleted = true
			s.slack.SetPerson(gone)
			s.t.Cleanup(func() { s.slack.SetPerson(slackPeople["kim"]) })
			s.click(taken, by("lee"))
			s.settled()
		}, nil},
		{"a veto", func(s *stage) {
			quorum(s, "approvers: {people: [kim, lee]}\nquorum: 2\n")
			s.click(taken, by("kim"))
			s.click(taken, slackstandin.Click{By: "U0LEE", Button: "deny"})
		}, []string{"Denied"}},
	} {
		t.Run(attack.name, func(t *testing.T) {
			at := *o
			at.t = t
			s := &stage{office: &at, slack: server}
			var message string
			s.id, message = s.ask(anaAsksForATool)
			s.message = messageOf(message)
			attack.do(s)
			s.settled()
			told := c.epm.Decisions(s.id)
			if len(told) != len(attack.told) {
				t.Fatalf("EPM was told %+v, want %v", told, attack.told)
			}
			for i := range told {
				if told[i].Decision != attack.told[i] {
					t.Errorf("EPM was told %s, want %s", told[i].Decision, attack.told[i])
				}
			}
		})
	}
	// Who may still can.
	id, message := o.ask(anaAsksForATool)
	d.move(t, "kim", message, "approve")
	o.told(id, message, "Approved")
}
