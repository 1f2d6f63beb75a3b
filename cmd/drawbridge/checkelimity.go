package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/elimity/elimitystandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
)

func (c *check) elimitySteps() []step {
	return []step{
		{"change.requested", "an entity should go: Kim approves, and the journal says so", c.entityRemoval},
		{"change.requested", "a relationship should go: Lee declines, and the journal says so", c.relationshipRemoval},
		{"change.requested", "an attribute should change: Lee, who asked, may not decide, Kim may", c.attributeAssignment},
		{"change.requested", "a review opens a ticket, and one for each of its changes; only Kim may add", c.accessReview},
		{"change.made", "a change was approved and carried out: its ticket is closed once the data shows it", c.changeMade},
		{"change.requested", "without a journal the decision is recorded here only, and the ticket says so", c.recordedOnly},
		{"unknown", "a request of a type nobody documents is kept and opens no ticket", c.unknownChange},
	}
}

const asker = "max@corp.example"

// changeOf asks Elimity for a change and waits for the ticket of the case it opens.
func (c *check) changeOf(ask func()) (id string, issue jirastandin.Issue, err error) {
	if err := c.until(func() error { return nil }); err != nil {
		return "", issue, err
	}
	before, err := c.newest("elimity")
	if err != nil {
		return "", issue, err
	}
	ask()
	event, err := c.latest("elimity", "change.requested", before)
	if err != nil {
		return "", issue, err
	}
	issue, err = c.ticketOf("elimity", event.RequestID)
	return event.RequestID, issue, err
}

// journaled waits until the log of the journal source has exactly one line about a change, and the ticket says so.
func (c *check) journaled(id, key, outcome, by string) error {
	want := fmt.Sprintf("change %s %s by %s in %s", id, outcome, by, key)
	err := c.until(func() error {
		lines := 0
		for _, line := range c.elimity.Log() {
			if strings.HasPrefix(line.Message, want) {
				lines++
			}
		}
		if lines != 1 {
			return fmt.Errorf("the journal has %d lines %q, want 1", lines, want)
		}
		return c.comment(key, "accepted by elimity")
	})
	if err != nil {
		return err
	}
	return c.linkedOnce("elimity", id)
}

func (c *check) entityRemoval() (string, error) {
	id, issue, err := c.changeOf(func() { c.elimity.RemoveEntity(asker, "left the company", elimitystandin.Bo) })
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	return issue.Key + ", written into the connector log", c.journaled(id, issue.Key, "approved", "Kim Okafor (kim)")
}

func (c *check) relationshipRemoval() (string, error) {
	id, issue, err := c.changeOf(func() {
		c.elimity.RemoveRelationship(asker, "not needed", elimitystandin.Ana, elimitystandin.Admin)
	})
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-lee", "Declined", nil); err != nil {
		return "", err
	}
	return issue.Key + ", written into the connector log", c.journaled(id, issue.Key, "denied", "Lee Santos (lee)")
}

func (c *check) attributeAssignment() (string, error) {
	id, issue, err := c.changeOf(func() {
		c.elimity.AssignText("lee@corp.example", "wrong department", elimitystandin.Ana, "department", "Department", "Finance")
	})
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-lee", "Approved", nil); err != nil {
		return "", err
	}
	if err := c.says(issue.Key, "nobody decides their own request"); err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Open", nil); err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	return issue.Key + ", refused first, then written into the connector log", c.journaled(id, issue.Key, "approved", "Kim Okafor (kim)")
}

func (c *check) accessReview() (string, error) {
	const changes = 3
	c.elimity.SubmitReview(elimitystandin.SampleReview(asker, "first quarter"))
	var parent gateway.CaseView
	var parts []gateway.CaseView
	err := c.until(func() error {
		cases, err := c.store.Cases(c.ctx, store.CaseFilter{Connection: "elimity", Limit: changes + 1})
		if err != nil {
			return err
		}
		parts, parent = nil, gateway.CaseView{}
		for _, one := range cases {
			view, err := c.bridge.gateway.Case(c.ctx, one.ID)
			if err != nil {
				return err
			}
			if len(view.Tickets) == 0 || view.Tickets[0].Ticket == "" {
				return fmt.Errorf("change %s has no ticket yet", one.RequestID)
			}
			if one.ParentID == "" {
				parent = view
			} else {
				parts = append(parts, view)
			}
		}
		if len(parts) != changes || !strings.HasPrefix(parent.Subject, "access review") {
			return fmt.Errorf("the review %q has %d changes, want %d", parent.Subject, len(parts), changes)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	for _, part := range parts {
		if err := c.decidePart(part); err != nil {
			return "", fmt.Errorf("%s: %w", part.Subject, err)
		}
	}
	return fmt.Sprintf("%s for the review, %d for its changes, each decided by itself", parent.Tickets[0].Ticket, changes), nil
}

// changeMade approves a change, carries it out and has the data reloaded. Data that was reloaded before the approval shows
// the same, and does not count.
func (c *check) changeMade() (string, error) {
	unasked, err := c.edited("Connection", "elimity", func(text string) string { return text + "watch: {every: -1s}\n" })
	if err != nil {
		return "", err
	}
	n := 0
	id, issue, err := c.changeOf(func() {
		n = c.elimity.AssignText(asker, "moved", elimitystandin.Ana, "department", "Department", "Legal")
	})
	if err != nil {
		return "", err
	}
	if err := errors.Join(c.elimity.CarryOut(n), c.elimity.Reload(elimitystandin.Ana.SourceID)); err != nil {
		return "", err
	}
	if err := c.pass(50 * time.Millisecond); err != nil { // Jira's clock counts coarser than Elimity's
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	if err := c.journaled(id, issue.Key, "approved", "Kim Okafor (kim)"); err != nil {
		return "", err
	}
	if err := unasked(); err != nil {
		return "", err
	}
	back, err := c.pollOften("elimity")
	if err != nil {
		return "", err
	}
	if err := c.lookedInVain(id); err != nil {
		return "", err
	}
	if err := c.elimity.Reload(elimitystandin.Ana.SourceID); err != nil {
		return "", err
	}
	if err := c.says(issue.Key, "elimity shows that this change was made"); err != nil {
		return "", err
	}
	if err := c.stands(issue.Key, "Done"); err != nil {
		return "", err
	}
	return issue.Key + " is done once the data was reloaded after the approval, with what shows it", back()
}

// lookedInVain waits until Elimity was asked again and again, and makes sure that no change was found made.
func (c *check) lookedInVain(id string) error {
	before := c.elimity.Looks()
	err := c.until(func() error {
		if looks := c.elimity.Looks() - before; looks < 3 {
			return fmt.Errorf("there were %d looks at Elimity, want 3", looks)
		}
		return nil
	})
	if err != nil {
		return err
	}
	view, err := c.caseAt("elimity", id)
	if err == nil && len(view.Events) != 1 {
		err = fmt.Errorf("the case has %d events, want the request alone", len(view.Events))
	}
	return err
}

// withoutJournal leaves Elimity with nobody to be told by, until back is called.
func (c *check) withoutJournal() (back func() error, err error) {
	return c.edited("Connection", "elimity", func(text string) string {
		return regexp.MustCompile(`(?m)^  journal: .*\n`).ReplaceAllString(text, "")
	})
}

// recordedOnly decides while Elimity has no journal.
func (c *check) recordedOnly() (string, error) {
	back, err := c.withoutJournal()
	if err != nil {
		return "", err
	}
	before := len(c.elimity.Log())
	id, issue, err := c.changeOf(func() { c.elimity.RemoveEntity(asker, "left the company", elimitystandin.Ana) })
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Declined", nil); err != nil {
		return "", err
	}
	if err := c.kept("elimity", id, issue.Key); err != nil {
		return "", err
	}
	if lines := len(c.elimity.Log()); lines != before {
		return "", fmt.Errorf("the log has %d lines, want %d", lines, before)
	}
	return issue.Key + " says so, and nobody was told", back()
}

// unknownChange sends a request of a type that nobody documents.
func (c *check) unknownChange() (string, error) {
	return c.unrouted("elimity", "unknown", func() error {
		_, err := c.elimity.Send(c.ctx, []byte(`{"type":"dataRefresh","requestedBy":"max@corp.example","requestedAt":"2026-01-05T10:15:00Z"}`))
		return err
	})
}

// decidePart lets Lee approve one change of a review, and Kim where Lee may not.
func (c *check) decidePart(part gateway.CaseView) error {
	key := part.Tickets[0].Ticket
	if err := c.jira.Move(key, "acc-lee", "Approved", nil); err != nil {
		return err
	}
	if !strings.HasPrefix(part.Subject, "add ") {
		return c.journaled(part.RequestID, key, "approved", "Lee Santos (lee)")
	}
	if err := c.says(key, "not among those who may decide"); err != nil {
		return err
	}
	if err := c.jira.Move(key, "acc-kim", "Open", nil); err != nil {
		return err
	}
	if err := c.jira.Move(key, "acc-kim", "Approved", nil); err != nil {
		return err
	}
	return c.journaled(part.RequestID, key, "approved", "Kim Okafor (kim)")
}

func readJSON(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}
