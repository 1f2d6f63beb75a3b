package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/store"
)

func (c *check) aponoSteps() []step {
	return []step{
		{"access.requested", "Kim approves, and Apono is told by a call", c.aponoApproved},
		{"access.requested", "Lee declines, and Apono is told by a call", c.aponoDenied},
		{"access.requested", "Apono wants all its approvers: Kim's approval leaves the request waiting there", c.aponoAllOf},
		{"access.approved", "an approver answers in Apono itself: the ticket follows", func() (string, error) { return c.aponoInPortal("Approved") }},
		{"access.denied", "an approver declines in Apono itself: the ticket follows", func() (string, error) { return c.aponoInPortal("Declined") }},
		{"access.expired", "a request expires undecided: the ticket is closed", func() (string, error) { return c.aponoEnds(c.apono.Expire) }},
		{"access.failed", "a request fails: the ticket is closed", func() (string, error) { return c.aponoEnds(c.apono.Fail) }},
		{"access.denied", "an approver declines in Apono, whose webhook is lost: asking finds it out", c.aponoUnheard},
		{"access.requested", "Kim closes an approved ticket: the access is taken back", c.aponoRevoked},
		{"access.requested", "Apono is not to be told: the decision is recorded here only, and the ticket says so", c.aponoNotTold},
		{"access.requested", "the template for Logz.io, JSON inside a text, opens a ticket", c.aponoText},
		{"access.requested", "the template for Sentinel, a list without an id, is kept as a dead letter that says so", c.aponoList},
		{"anomaly", "an anomaly is told on its request's ticket", c.aponoAnomaly},
		{"audit", "an administrator's change opens no ticket", c.aponoAudit},
		{"integration.warning", "an ailing integration opens no ticket", c.aponoIntegration},
	}
}

// askApono raises a request that waits for its approvers and for its ticket.
func (c *check) askApono(change ...func(*aponostandin.AccessRequest)) (id string, issue jirastandin.Issue, err error) {
	request := anaAsksForADatabase
	for _, f := range change {
		f(&request)
	}
	id = c.apono.Request(request)
	issue, err = c.ticketOf("apono", id)
	return id, issue, err
}

// aponoHas looks for a request's state at Apono.
func (c *check) aponoHas(s *aponostandin.Server, id string, want aponostandin.State) error {
	requests := s.Requests()
	at := slices.IndexFunc(requests, func(r aponostandin.Request) bool { return r.ID == id })
	if at < 0 {
		return fmt.Errorf("there is no request %s at Apono", id)
	}
	if state := requests[at].State; state != want {
		return fmt.Errorf("request %s is %s at Apono, want %s", id, state, want)
	}
	return nil
}

// aponoTold waits until Apono took exactly one answer, which names who decided, the request was read back, and the ticket
// says so.
func (c *check) aponoTold(id, key, action, by string, state aponostandin.State) error {
	err := c.until(func() error {
		told := c.apono.Decisions(id)
		if len(told) == 0 {
			return fmt.Errorf("nobody told Apono of request %s", id)
		}
		if len(told) > 1 || told[0].Action != action || told[0].Answered != 200 || !strings.Contains(told[0].Justification, by) {
			return fmt.Errorf("it is %+v that Apono was told, want one %s that names %s", told, action, by)
		}
		if err := c.aponoHas(c.apono, id, state); err != nil {
			return err
		}
		if err := c.comment(key, "accepted by apono"); err != nil {
			return err
		}
		if !told[0].ReadBack {
			return fmt.Errorf("request %s was not read back after Apono was told", id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.linkedOnce("apono", id)
}

func (c *check) aponoApproved() (string, error) {
	id, issue, err := c.askApono()
	if err != nil {
		return "", err
	}
	if want := "Read & write on orders"; !strings.Contains(issue.Summary, want) {
		return "", fmt.Errorf("the summary is %q, want %q in it", issue.Summary, want)
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	if err := c.aponoTold(id, issue.Key, "approve", "Kim Okafor (kim)", aponostandin.Granted); err != nil {
		return "", err
	}
	return issue.Key + ", access is active, and the ticket says so", c.says(issue.Key, "it is active now")
}

func (c *check) aponoDenied() (string, error) {
	id, issue, err := c.askApono()
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-lee", "Declined", nil); err != nil {
		return "", err
	}
	return issue.Key + ", rejected, read back", c.aponoTold(id, issue.Key, "reject", "Lee Santos (lee)", aponostandin.Rejected)
}

func (c *check) aponoAllOf() (string, error) {
	id, issue, err := c.askApono(func(a *aponostandin.AccessRequest) {
		a.Relation, a.Approvers = aponostandin.AllOf, []aponostandin.Person{aponoBridge, dana}
	})
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	if err := c.aponoTold(id, issue.Key, "approve", "Kim Okafor (kim)", aponostandin.Pending); err != nil {
		return "", err
	}
	if err := c.apono.ApproveInPortal(id, dana.Email); err != nil {
		return "", err
	}
	return issue.Key + ", pending until Dana approved in Apono as well", c.says(issue.Key, "it is active now")
}

func (c *check) aponoInPortal(status string) (string, error) {
	id, issue, err := c.askApono(func(a *aponostandin.AccessRequest) { a.Approvers = []aponostandin.Person{aponoBridge, dana} })
	if err != nil {
		return "", err
	}
	answer := c.apono.ApproveInPortal
	if status == "Declined" {
		answer = c.apono.RejectInPortal
	}
	if err := answer(id, dana.Email); err != nil {
		return "", err
	}
	if err := c.stands(issue.Key, status); err != nil {
		return "", err
	}
	if err := c.says(issue.Key, "Dana Cruz"); err != nil {
		return "", err
	}
	return issue.Key + " follows, and nothing is posted back", c.aponoSilent(id)
}

// aponoUnheard lets an approver decline in Apono and loses the webhooks that tell of it.
func (c *check) aponoUnheard() (string, error) {
	id, issue, err := c.askApono(func(a *aponostandin.AccessRequest) { a.Approvers = []aponostandin.Person{aponoBridge, dana} })
	if err != nil {
		return "", err
	}
	back, err := c.pollOften("apono")
	if err != nil {
		return "", err
	}
	if err := c.apono.RejectInPortal(id, dana.Email); err != nil {
		return "", err
	}
	c.apono.ClearQueue()
	if err := c.stands(issue.Key, "Declined"); err != nil {
		return "", err
	}
	if err := c.says(issue.Key, "in apono itself"); err != nil {
		return "", err
	}
	if err := back(); err != nil {
		return "", err
	}
	return issue.Key + " follows, and nothing is posted back", c.aponoSilent(id)
}

// pollOften has a source asked all the time what became of requests, until back is called.
func (c *check) pollOften(connection string) (back func() error, err error) {
	return c.edited("Connection", connection, func(text string) string { return text + "watch: {every: 100ms}\n" })
}

// aponoSilent makes sure that Apono was told nothing.
func (c *check) aponoSilent(id string) error {
	if told := c.apono.Decisions(id); len(told) != 0 {
		return fmt.Errorf("it is %+v that Apono was told, want nothing", told)
	}
	return nil
}

func (c *check) aponoEnds(end func(string) error) (string, error) {
	id, issue, err := c.askApono()
	if err != nil {
		return "", err
	}
	if err := end(id); err != nil {
		return "", err
	}
	if err := c.stands(issue.Key, "Won't do"); err != nil {
		return "", err
	}
	if err := c.says(issue.Key, "ended without a decision"); err != nil {
		return "", err
	}
	view, err := c.caseAt("apono", id)
	if err == nil && view.State != store.CaseClosed {
		err = fmt.Errorf("the case is %s, want closed", view.State)
	}
	return issue.Key + " is closed, and so is its case", err
}

func (c *check) aponoRevoked() (string, error) {
	id, issue, err := c.askApono()
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-lee", "Approved", nil); err != nil {
		return "", err
	}
	if err := c.aponoTold(id, issue.Key, "approve", "Lee Santos (lee)", aponostandin.Granted); err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Done", map[string]any{"resolution": "Done"}); err != nil {
		return "", err
	}
	err = c.until(func() error {
		if err := c.aponoHas(c.apono, id, aponostandin.Revoking); err != nil {
			return err
		}
		return c.comment(issue.Key, "Access taken back on the word of Kim Okafor (kim)")
	})
	return issue.Key + ", Apono takes the access back, and the ticket says so", err
}

// aponoNotTold decides while nothing goes back to Apono.
func (c *check) aponoNotTold() (string, error) {
	back, err := c.edited("Connection", "apono", func(text string) string { return strings.Replace(text, "way: api", "way: none", 1) })
	if err != nil {
		return "", err
	}
	id, issue, err := c.askApono()
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	if err := c.kept("apono", id, issue.Key); err != nil {
		return "", err
	}
	if err := c.aponoSilent(id); err != nil {
		return "", err
	}
	return issue.Key + " says so, and nobody was told", back()
}

// aponoWith is another webhook of the same account, with a template of its own.
func (c *check) aponoWith(template string) *aponostandin.Server {
	return aponostandin.New(aponostandin.Options{
		HookURL: c.urls.bridge + "/in/apono", HookToken: c.hookPassword, LongTypes: true, Templates: aponostandin.Templates{Request: template},
	})
}

func (c *check) aponoText() (string, error) {
	sender := c.aponoWith(aponostandin.LogzTemplate)
	request := anaAsksForADatabase
	request.Justification = "Look at one order" // what people type can break a text inside a text, and is then quarantined
	id := sender.Request(request)
	if _, err := sender.Flush(c.ctx); err != nil {
		return "", err
	}
	issue, err := c.ticketOf("apono", id)
	if err == nil && !strings.Contains(issue.Summary, "Ana Moreau asks for Production") {
		err = fmt.Errorf("the summary is %q", issue.Summary)
	}
	return issue.Key + ", the event is read out of the text", err
}

func (c *check) aponoList() (string, error) {
	sender := c.aponoWith(aponostandin.SentinelTemplate)
	event, err := c.without("apono", "access.requested", func() error {
		sender.Request(anaAsksForADatabase)
		_, err := sender.Flush(c.ctx)
		return err
	})
	if err != nil {
		return "", err
	}
	dead, err := c.store.DeadLetters(c.ctx, "jira", 20)
	if err != nil {
		return "", err
	}
	c.withoutID = event.ID
	for _, d := range dead {
		if d.EventID == event.ID && strings.Contains(d.Error, "no request id") {
			return "accepted, understood, and no ticket without a case", nil
		}
	}
	return "", fmt.Errorf("no dead letter of event %s says that the request's id is missing", event.ID)
}

func (c *check) aponoAnomaly() (string, error) {
	id, issue, err := c.askApono()
	if err != nil {
		return "", err
	}
	if err := c.apono.Anomaly(id, "unusual hour"); err != nil {
		return "", err
	}
	return issue.Key + " has a comment", c.says(issue.Key, "reports an anomaly")
}

func (c *check) aponoAudit() (string, error) {
	return c.unrouted("apono", "audit", func() error {
		c.apono.Audit(aponostandin.AuditEvent{Action: "update", TargetType: "access flow", TargetID: "flow-1", TargetName: "Production access", Actor: aponoAna})
		return nil
	})
}

func (c *check) aponoIntegration() (string, error) {
	return c.unrouted("apono", "integration.warning", func() error {
		c.apono.Integration(aponostandin.IntegrationAilment{ID: "int-1", Name: "Production", Type: "Postgresql", Status: "Warning"})
		return nil
	})
}
