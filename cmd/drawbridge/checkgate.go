package main

import (
	"fmt"

	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func (c *check) gateSteps() []step {
	return []step{
		{"access.requested", "Apono asks by a manual webhook: pending until Kim approves, then approved", c.gateApproved},
		{"access.requested", "Apono asks by a manual webhook: rejected once Lee has declined", c.gateDenied},
	}
}

// askAtTheGate raises a request behind a manual webhook and asks about it before anything else is told: the question
// opens the case.
func (c *check) askAtTheGate() (id string, issue jirastandin.Issue, err error) {
	id = c.gate.Request(maxAsksAtTheGate)
	if err := c.answered(id, "pending"); err != nil {
		return id, issue, err
	}
	issue, err = c.ticketOf("apono-gate", id)
	return id, issue, err
}

// answered asks about a request and compares the answer, also as each reading of a response validator's path has it.
func (c *check) answered(id, want string) error {
	a, err := c.gate.Ask(c.ctx, id)
	if err != nil {
		return err
	}
	var got struct {
		Status string
		Data   struct{ Status string }
	}
	if err := readJSON(a.Body, &got); err != nil {
		return err
	}
	if got.Status != want || got.Data.Status != want {
		return fmt.Errorf("the answer to Apono is %s, want %s", a.Body, want)
	}
	if good := want == "approved"; a.Wrapped != good || a.Member != good {
		return fmt.Errorf("a validator for approved gives %t with data around the answer and %t with data in it, want %t", a.Wrapped, a.Member, good)
	}
	return nil
}

func (c *check) gateApproved() (string, error) {
	id, issue, err := c.askAtTheGate()
	if err != nil {
		return "", err
	}
	if err := c.answered(id, "pending"); err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	if err := c.says(issue.Key, "accepted by apono-gate"); err != nil {
		return "", err
	}
	if err := c.answered(id, "approved"); err != nil {
		return "", err
	}
	if err := c.until(func() error { return c.aponoHas(c.gate, id, aponostandin.Granted) }); err != nil {
		return "", err
	}
	return issue.Key + ", access is granted by the answer, in both readings of a validator's path", c.linkedOnce("apono-gate", id)
}

func (c *check) gateDenied() (string, error) {
	id, issue, err := c.askAtTheGate()
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-lee", "Declined", nil); err != nil {
		return "", err
	}
	if err := c.says(issue.Key, "accepted by apono-gate"); err != nil {
		return "", err
	}
	if err := c.answered(id, "rejected"); err != nil {
		return "", err
	}
	return issue.Key + ", the answer lets nobody through", c.aponoHas(c.gate, id, aponostandin.Pending)
}
