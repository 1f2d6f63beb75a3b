package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func (c *check) datatheoremSteps() []step {
	return []step{
		{"test", "the connectivity check is answered and opens no ticket", c.connectivity},
		{"finding.resolved", "the documented example, of a violation nobody knew, opens no ticket", c.documentedViolation},
		{"finding.opened", "a violation opens a ticket; resolved, it is done", c.violationResolved},
		{"finding.opened", "a violation opens again within a month: so does its ticket", c.violationReopened},
		{"finding.opened", "a violation opens again after a month: it gets a new ticket", c.violationReturns},
		{"finding.dismissed", "a violation will not be mended: its ticket is done and says why", c.violationDismissed},
		{"finding.dismissed", "a violation becomes an exception, whose webhook is lost: asking finds it out", c.violationUnheard},
		{"finding.opened", "a mobile finding opens a ticket; its risk accepted, it is done", c.mobileFinding},
		{"finding.opened", "Kim accepts a mobile finding's risk: Data Theorem is told by the call its settings describe", c.riskAccepted},
		{"finding.opened", "Kim refuses to accept a mobile finding's risk: it stays open there, and the ticket says that nobody was told", c.riskRefused},
		{"finding.opened", "Kim accepts a violation's risk: there is no call that says so, and the ticket says that nobody was told", c.violationAccepted},
		{"asset.discovered", "a discovered service opens a ticket", c.serviceDiscovered},
		{"audit", "somebody who logs in to the portal opens no ticket", c.portalLogin},
		{"anomaly", "what Mobile Protect tells is kept and opens no ticket", c.protectEvent},
		{"unknown", "an event of a type nobody documents is kept and opens no ticket", c.unknownEvent},
	}
}

func (c *check) connectivity() (string, error) {
	event, err := c.without("datatheorem", "test", func() error { c.datatheorem.TestConnectivity(); return nil })
	if err == nil && !event.Test {
		err = fmt.Errorf("event %s is not marked as a test", event.ID)
	}
	return "kept as a test", err
}

func (c *check) documentedViolation() (string, error) {
	event, err := c.without("datatheorem", "finding.resolved", func() error { c.datatheorem.SendExample(); return nil })
	if err == nil && event.RequestID != "924f1fb0-ebaa-4dfd-9297-390c0df18b44" {
		err = fmt.Errorf("the violation is known as %q", event.RequestID)
	}
	return "word for word, and understood", err
}

// violation opens a violation and waits for its ticket.
func (c *check) violation() (id string, issue jirastandin.Issue, err error) {
	id = c.datatheorem.OpenViolation(datatheoremstandin.Violation{})
	issue, err = c.ticketOf("datatheorem", id)
	switch {
	case err != nil:
	case issue.Status != "Open":
		err = fmt.Errorf("%s stands at %s, want Open", issue.Key, issue.Status)
	case !strings.Contains(issue.Description, "Browsers will then refuse") || strings.Contains(issue.Description, `\n`):
		err = fmt.Errorf("%s describes the violation with line breaks spelled out: %q", issue.Key, issue.Description)
	}
	return id, issue, err
}

// resolve closes a violation by a scan and waits until its ticket is done.
func (c *check) resolve(id, key string) error {
	if err := c.datatheorem.Resolve(id); err != nil {
		return err
	}
	if err := c.stands(key, "Done"); err != nil {
		return err
	}
	return c.says(key, "no longer finds this")
}

// later moves Data Theorem's clock ahead: nothing happens there twice within a second.
func (c *check) later(by time.Duration) { c.ahead.Add(int64(by)) }

func (c *check) violationResolved() (string, error) {
	id, issue, err := c.violation()
	if err != nil {
		return "", err
	}
	return issue.Key + " is done, and says why", c.resolve(id, issue.Key)
}

func (c *check) violationReopened() (string, error) {
	id, issue, err := c.violation()
	if err != nil {
		return "", err
	}
	if err := c.resolve(id, issue.Key); err != nil {
		return "", err
	}
	c.later(24 * time.Hour)
	if err := c.datatheorem.Reopen(id); err != nil {
		return "", err
	}
	if err := c.stands(issue.Key, "Open"); err != nil {
		return "", err
	}
	if err := c.says(issue.Key, "has opened again"); err != nil {
		return "", err
	}
	c.later(24 * time.Hour)
	if err := c.resolve(id, issue.Key); err != nil {
		return "", err
	}
	return issue.Key + " opens, and is done again once it is resolved", c.linkedOnce("datatheorem", id)
}

func (c *check) violationReturns() (string, error) {
	id, issue, err := c.violation()
	if err != nil {
		return "", err
	}
	if err := c.resolve(id, issue.Key); err != nil {
		return "", err
	}
	c.later(40 * 24 * time.Hour)
	if err := c.datatheorem.Reopen(id); err != nil {
		return "", err
	}
	var second jirastandin.Issue
	err = c.until(func() error {
		view, err := c.caseAt("datatheorem", id)
		if err != nil {
			return err
		}
		for _, t := range view.Tickets {
			if t.Ticket != "" && t.Ticket != issue.Key {
				second, _ = c.jira.Issue(t.Ticket)
				return nil
			}
		}
		return fmt.Errorf("violation %s has no second ticket", id)
	})
	if err != nil {
		return "", err
	}
	if !strings.Contains(second.Description, issue.Key) {
		return "", fmt.Errorf("%s does not name %s", second.Key, issue.Key)
	}
	if err := c.resolve(id, second.Key); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s stays done, %s names it and is done in its turn", issue.Key, second.Key), c.stands(issue.Key, "Done")
}

func (c *check) violationDismissed() (string, error) {
	id, issue, err := c.violation()
	if err != nil {
		return "", err
	}
	if err := c.datatheorem.Dismiss(id, "a test machine, gone in a week"); err != nil {
		return "", err
	}
	if err := c.stands(issue.Key, "Done"); err != nil {
		return "", err
	}
	return issue.Key + " is done", c.says(issue.Key, "a test machine")
}

func (c *check) violationUnheard() (string, error) {
	id, issue, err := c.violation()
	if err != nil {
		return "", err
	}
	back, err := c.pollOften("datatheorem")
	if err != nil {
		return "", err
	}
	if err := c.datatheorem.Dismiss(id, "a test machine"); err != nil {
		return "", err
	}
	c.datatheorem.ClearQueue()
	if err := c.stands(issue.Key, "Done"); err != nil {
		return "", err
	}
	if err := c.says(issue.Key, "exception WONT_FIX"); err != nil {
		return "", err
	}
	return issue.Key + " is done", back()
}

func (c *check) mobileFinding() (string, error) {
	id := c.datatheorem.OpenTarget("app-1", "A key is in the program")
	issue, err := c.ticketOf("datatheorem", id)
	if err != nil {
		return "", err
	}
	if err := c.datatheorem.CloseTarget(id, "CLOSED_RISK_ACCEPTED"); err != nil {
		return "", err
	}
	return issue.Key + " is done", c.stands(issue.Key, "Done")
}

// riskAccepted decides a mobile finding while the call that tells of it is set, and the rule takes decisions.
func (c *check) riskAccepted() (string, error) {
	back, err := c.decidable()
	if err != nil {
		return "", err
	}
	id := c.datatheorem.OpenTarget("app-1", "A test address is in the program")
	issue, err := c.ticketOf("datatheorem", id)
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	if err := c.says(issue.Key, "accepted by datatheorem"); err != nil {
		return "", err
	}
	if told := c.datatheorem.Updates(); len(told) != 1 || told[0].Target != id || told[0].Status != "CLOSED_RISK_ACCEPTED" {
		return "", fmt.Errorf("it is %+v that Data Theorem was told, want one accepted risk", told)
	}
	return issue.Key + ", the finding is closed there, and the ticket says so", back()
}

// decidable sets the call that tells of mobile findings, and has the rule take decisions, until back is called.
func (c *check) decidable() (back func() error, err error) {
	connection, err := c.edited("Connection", "datatheorem", func(text string) string {
		return strings.Replace(text, "settings:\n", "settings:\n  targets: {update: {body: '{\"status\": {status}, \"comment\": {reason}}'}}\n", 1)
	})
	if err != nil {
		return nil, err
	}
	rule, err := c.edited("Rule", "datatheorem-findings", func(text string) string {
		return strings.Replace(text, "type: Task", "type: Access Request", 1) +
			"decision: { approved: ticket.status == \"Approved\", denied: ticket.status == \"Declined\", policy: risk-owners }\n"
	})
	return func() error { return errors.Join(connection(), rule()) }, err
}

// riskRefused declines a mobile finding, for which the settings name no status: nothing is sent.
func (c *check) riskRefused() (string, error) {
	return c.keptFinding("Declined", func() (id string, issue jirastandin.Issue, err error) {
		id = c.datatheorem.OpenTarget("app-1", "A debug flag is in the program")
		issue, err = c.ticketOf("datatheorem", id)
		return id, issue, err
	})
}

func (c *check) violationAccepted() (string, error) { return c.keptFinding("Approved", c.violation) }

// keptFinding has Kim decide a finding about which there is nobody to tell.
func (c *check) keptFinding(status string, open func() (id string, issue jirastandin.Issue, err error)) (string, error) {
	back, err := c.decidable()
	if err != nil {
		return "", err
	}
	before := len(c.datatheorem.Updates())
	id, issue, err := open()
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", status, nil); err != nil {
		return "", err
	}
	if err := c.kept("datatheorem", id, issue.Key); err != nil {
		return "", err
	}
	if told := len(c.datatheorem.Updates()) - before; told != 0 {
		return "", fmt.Errorf("it was %d times that Data Theorem was told, want never", told)
	}
	return issue.Key + " says so", back()
}

func (c *check) serviceDiscovered() (string, error) {
	before := len(c.jira.Issues())
	c.datatheorem.DiscoverService("new.shop.example")
	var found jirastandin.Issue
	err := c.until(func() error {
		issues := c.jira.Issues()
		if len(issues) == before {
			return fmt.Errorf("no ticket was opened for the service")
		}
		found = issues[len(issues)-1]
		return nil
	})
	if err == nil && !strings.Contains(found.Summary, "new.shop.example") {
		err = fmt.Errorf("the summary of %s is %q", found.Key, found.Summary)
	}
	return found.Key, err
}

func (c *check) portalLogin() (string, error) {
	return c.unrouted("datatheorem", "audit", func() error { c.datatheorem.Login("ana@corp.example", "WRONG_PASSWORD"); return nil })
}

func (c *check) protectEvent() (string, error) {
	return c.unrouted("datatheorem", "anomaly", func() error { c.datatheorem.Protect("MOBILE", "ATTACK_BLOCKED"); return nil })
}

func (c *check) unknownEvent() (string, error) {
	return c.unrouted("datatheorem", "unknown", func() error {
		_, err := c.datatheorem.Send(c.ctx, []byte(`{"event":{"type":"SUPPLY_CHAIN__PACKAGE_SEEN","data":{"name":"left"},"version":1},"time":1767607200}`))
		return err
	})
}
