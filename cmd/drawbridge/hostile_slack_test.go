package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/slack/slackstandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

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
			s.refused("The answer of max (approved) does not count")
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
