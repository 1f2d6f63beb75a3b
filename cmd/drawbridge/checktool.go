package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/webhook/webhookstandin"
)

func (c *check) toolSteps() []step {
	return []step{
		{"access.requested", "a tool known by its settings alone: Kim approves, and it is told by the call they describe", c.toolApproved},
		{"access.requested", "a tool known by its settings alone: Lee declines and the answer is lost: it is asked, not told again", c.toolDenied},
		{"access.requested", "the same tool sends CloudEvents, in each of their forms: Kim approves", c.toolCloudEvents},
	}
}

// askTool raises a request at the tool nobody has heard of and waits for its ticket.
func (c *check) askTool(form webhookstandin.Form) (id string, issue jirastandin.Issue, err error) {
	id = c.tool.Ask(maxAsksForABackup)
	status, err := c.tool.Send(c.ctx, form, webhookstandin.Created, id)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("the bridge answered the tool's webhook with %d", status)
	}
	if err != nil {
		return id, issue, err
	}
	issue, err = c.ticketOf("tool", id)
	return id, issue, err
}

// toolTold waits until the ticket says that the tool was told, and makes sure that it was told once.
func (c *check) toolTold(id, key, word, by string) error {
	if err := c.says(key, "accepted by tool"); err != nil {
		return err
	}
	told := 0
	for _, d := range c.tool.Decisions() {
		if d.Request != id {
			continue
		}
		if told++; d.Word != word || d.By != by || d.Ticket != key {
			return fmt.Errorf("it is %+v that the tool was told, want %s by %s in %s", d, word, by, key)
		}
	}
	if told != 1 {
		return fmt.Errorf("the tool was told %d times, want once", told)
	}
	return c.linkedOnce("tool", id)
}

func (c *check) toolApproved() (string, error) {
	id, issue, err := c.askTool(webhookstandin.Plain)
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	return issue.Key + ", the tool was told in its own words, once", c.toolTold(id, issue.Key, webhookstandin.Approved, "Kim Okafor (kim)")
}

func (c *check) toolDenied() (string, error) {
	id, issue, err := c.askTool(webhookstandin.Plain)
	if err != nil {
		return "", err
	}
	c.tool.CutNext()
	if err := c.jira.Move(issue.Key, "acc-lee", "Declined", nil); err != nil {
		return "", err
	}
	return issue.Key + ", what the tool holds is read back", c.toolTold(id, issue.Key, webhookstandin.Denied, "Lee Santos (lee)")
}

// toolCloudEvents has the tool speak CloudEvents while its settings say so.
func (c *check) toolCloudEvents() (string, error) {
	back, err := c.edited("Connection", "tool", func(text string) string {
		text = regexp.MustCompile(`(?m)^    (id|kind|time): .*\n`).ReplaceAllString(text, "")
		text = strings.NewReplacer(" /request/", " /data/request/", "body.request.", "body.data.request.").Replace(text)
		return strings.Replace(text, "settings:\n", "settings:\n  format: cloudevents\n", 1)
	})
	if err != nil {
		return "", err
	}
	var keys []string
	for _, form := range []webhookstandin.Form{webhookstandin.Structured, webhookstandin.Binary, webhookstandin.Batch} {
		id, issue, err := c.askTool(form)
		if err != nil {
			return "", err
		}
		if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
			return "", err
		}
		if err := c.toolTold(id, issue.Key, webhookstandin.Approved, "Kim Okafor (kim)"); err != nil {
			return "", err
		}
		keys = append(keys, issue.Key)
	}
	return strings.Join(keys, ", "), back()
}
