package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
)

func (c *check) epmSteps() []step {
	return []step{
		{"access.requested", "an application request opens a ticket, and Kim's approval reaches EPM", c.approved},
		{"access.requested", "an application request is declined by Lee", c.denied},
		{"admin.requested", "a request for administrator rights is approved by Lee", c.adminApproved},
		{"admin.requested", "a request for administrator rights is declined by Kim", c.adminDenied},
		{"access.requested", "Max, who may not decide, approves: refused, then Kim decides", c.wrongPerson},
		{"access.requested", "Ana approves her own request: refused", c.requester},
		{"access.approved", "somebody approves in EPM itself: the ticket is closed", func() (string, error) { return c.decidedInConsole(epmstandin.Approved, "Approved") }},
		{"access.denied", "somebody declines in EPM itself: the ticket is closed", func() (string, error) { return c.decidedInConsole(epmstandin.Denied, "Declined") }},
		{"admin.approved", "somebody grants administrator rights in EPM itself: the ticket is closed", func() (string, error) { return c.adminInConsole(epmstandin.Approved, "Approved") }},
		{"admin.denied", "somebody refuses administrator rights in EPM itself: the ticket is closed", func() (string, error) { return c.adminInConsole(epmstandin.Denied, "Declined") }},
		{"admin.requested", "Kim closes an approved ticket: the administrator rights are taken back", c.adminRevoked},
		{"access.requested", "the same event arrives twice: one ticket", c.duplicate},
		{"access.requested", "the answer to create is lost: still one ticket", c.lostAnswer},
		{"access.requested", "no ticket was opened twice so far", c.noTwins},
		{"access.requested", "the answer is lost and the desk's search lags longer than the wait: the twin is closed and never decides", c.twin},
	}
}

// request raises an application request by Ana and waits for its ticket.
func (c *check) request() (id string, issue jirastandin.Issue, err error) {
	id = c.epm.RequestApplication(anaAsksForATool)
	issue, err = c.ticket(id)
	return id, issue, err
}

// ticket waits until a request of EPM has its ticket.
func (c *check) ticket(id string) (jirastandin.Issue, error) { return c.ticketOf("epm", id) }

func (c *check) caseOf(id string) (gateway.CaseView, error) { return c.caseAt("epm", id) }

// decided waits until EPM was told exactly one decision and the ticket says so.
func (c *check) decided(id, key, decision string) (string, error) {
	err := c.until(func() error {
		told := c.epm.Decisions(id)
		if len(told) == 0 {
			return fmt.Errorf("EPM was not told of request %s", id)
		}
		if len(told) > 1 || told[0].Decision != decision {
			return fmt.Errorf("EPM was told %+v, want %s once", told, decision)
		}
		return c.comment(key, "accepted by epm")
	})
	if err == nil {
		err = c.linkedOnce("epm", id)
	}
	return key + ", EPM was told " + decision + " once, and the ticket says so", err
}

// silent makes sure that EPM was told nothing.
func (c *check) silent(id string) error {
	if told := c.epm.Decisions(id); len(told) != 0 {
		return fmt.Errorf("EPM was told %+v, want nothing", told)
	}
	return nil
}

func (c *check) approved() (string, error) {
	id, issue, err := c.request()
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	return c.decided(id, issue.Key, "Approved")
}

func (c *check) denied() (string, error) {
	id, issue, err := c.request()
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-lee", "Declined", nil); err != nil {
		return "", err
	}
	return c.decided(id, issue.Key, "Denied")
}

func (c *check) admin(by, status, decision string) (string, error) {
	id := c.epm.RequestAdmin(maxAsksForRights)
	issue, err := c.ticket(id)
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, by, status, nil); err != nil {
		return "", err
	}
	return c.decided(id, issue.Key, decision)
}

func (c *check) adminApproved() (string, error) { return c.admin("acc-lee", "Approved", "Approved") }
func (c *check) adminDenied() (string, error)   { return c.admin("acc-kim", "Declined", "Denied") }

// adminRevoked takes back rights that were granted, while the rule and the policy say who may.
func (c *check) adminRevoked() (string, error) {
	policy, err := c.edited("Policy", "endpoint-approvers", func(text string) string { return text + "revoke: { people: [kim] }\n" })
	if err != nil {
		return "", err
	}
	rule, err := c.edited("Rule", "epm-admin-requests", func(text string) string {
		return strings.Replace(text, "decision:\n", "decision:\n  revoked: ticket.status == \"Done\"\n", 1)
	})
	if err != nil {
		return "", err
	}
	id := c.epm.RequestAdmin(maxAsksForRights)
	issue, err := c.ticket(id)
	if err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-lee", "Approved", nil); err != nil {
		return "", err
	}
	if _, err := c.decided(id, issue.Key, "Approved"); err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Done", map[string]any{"resolution": "Done"}); err != nil {
		return "", err
	}
	err = c.until(func() error {
		if told := c.epm.Decisions(id); len(told) != 2 || told[1].Decision != "Denied" || told[1].Answered != http.StatusOK {
			return fmt.Errorf("EPM was told %+v, want Approved, then Denied", told)
		}
		return c.comment(issue.Key, "Access taken back on the word of Kim Okafor (kim)")
	})
	return issue.Key + ", EPM was told, and the ticket says so", errors.Join(err, rule(), policy())
}

func (c *check) wrongPerson() (string, error) {
	id, issue, err := c.request()
	if err != nil {
		return "", err
	}
	if err := c.refusedMove(id, issue.Key, "acc-max", "not among those who may decide"); err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-max", "Open", nil); err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	return c.decided(id, issue.Key, "Approved")
}

func (c *check) requester() (string, error) {
	id, issue, err := c.request()
	if err != nil {
		return "", err
	}
	err = c.refusedMove(id, issue.Key, "acc-ana", "nobody decides their own request")
	return issue.Key + ", nothing posted, and the ticket says why", err
}

// refusedMove approves as somebody who may not, and waits for the refusal on the ticket.
func (c *check) refusedMove(id, key, by, words string) error {
	if err := c.jira.Move(key, by, "Approved", nil); err != nil {
		return err
	}
	if err := c.until(func() error { return c.comment(key, words) }); err != nil {
		return err
	}
	return c.silent(id)
}

func (c *check) decidedInConsole(decision epmstandin.State, status string) (string, error) {
	id, issue, err := c.request()
	if err != nil {
		return "", err
	}
	return c.inConsole(id, issue.Key, decision, status)
}

func (c *check) adminInConsole(decision epmstandin.State, status string) (string, error) {
	id := c.epm.RequestAdmin(maxAsksForRights)
	issue, err := c.ticket(id)
	if err != nil {
		return "", err
	}
	return c.inConsole(id, issue.Key, decision, status)
}

// inConsole decides a request in EPM itself and waits until its ticket follows.
func (c *check) inConsole(id, key string, decision epmstandin.State, status string) (string, error) {
	if err := c.epm.DecideInConsole(id, decision, "Root Admin"); err != nil {
		return "", err
	}
	err := c.until(func() error {
		now, _ := c.jira.Issue(key)
		if now.Status != status {
			return fmt.Errorf("%s stands at %s, want %s", key, now.Status, status)
		}
		return c.comment(key, "Root Admin")
	})
	if err == nil {
		err = c.silent(id)
	}
	return key + " follows, and nothing is posted back", err
}

func (c *check) duplicate() (string, error) {
	id, issue, err := c.request()
	if err != nil {
		return "", err
	}
	view, err := c.caseOf(id)
	if err != nil {
		return "", err
	}
	before := len(c.jira.Issues())
	answer, err := c.post(view.Events[0].Body)
	if err != nil {
		return "", err
	}
	if !strings.Contains(answer, `"duplicate":true`) || !strings.Contains(answer, view.Events[0].ID) {
		return "", fmt.Errorf("the second answer is %s, want the first event's id", answer)
	}
	if after := len(c.jira.Issues()); after != before {
		return "", fmt.Errorf("there are %d tickets, want %d", after, before)
	}
	return issue.Key + " alone, and the answer names the first event", nil
}

// post sends a body to the bridge as EPM does.
func (c *check) post(body string) (string, error) {
	req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.urls.bridge+"/in/epm", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(demoHookUser, c.hookPassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the bridge answered %d: %s", resp.StatusCode, answer.String())
	}
	return answer.String(), nil
}

func (c *check) lostAnswer() (string, error) {
	before := len(c.jira.Issues())
	c.jira.CutNext("create")
	id, issue, err := c.request()
	if err != nil {
		return "", err
	}
	if after := len(c.jira.Issues()); after != before+1 {
		return "", fmt.Errorf("%d tickets were opened, want 1", after-before)
	}
	if err := c.jira.Move(issue.Key, "acc-kim", "Declined", nil); err != nil {
		return "", err
	}
	return c.decided(id, issue.Key, "Denied")
}

// noTwins looks at all cases: every one has one ticket, and Jira has as many tickets as there are cases.
func (c *check) noTwins() (string, error) {
	cases, err := c.store.Cases(c.ctx, store.CaseFilter{Limit: 100})
	if err != nil {
		return "", err
	}
	for _, one := range cases {
		links, err := c.store.LinksOfCase(c.ctx, one.ID)
		if err != nil {
			return "", err
		}
		if len(links) != 1 || links[0].State != store.LinkLinked {
			return "", fmt.Errorf("request %s has the links %+v, want one with its ticket", one.RequestID, links)
		}
	}
	if tickets := len(c.jira.Issues()); tickets != len(cases) {
		return "", fmt.Errorf("there are %d tickets for %d requests", tickets, len(cases))
	}
	return fmt.Sprintf("%d requests, %d tickets", len(cases), len(cases)), nil
}

func (c *check) twin() (string, error) {
	before := len(c.jira.Issues())
	c.jira.DropWebhooks(true)
	c.lag.Store(int64(8 * time.Second))
	c.jira.CutNext("create")
	id, issue, err := c.request()
	c.lag.Store(0)
	c.jira.DropWebhooks(false)
	if err != nil {
		return "", err
	}
	opened := c.jira.Issues()[before:]
	if len(opened) != 2 {
		return "", fmt.Errorf("%d tickets were opened, want 2", len(opened))
	}
	twin := opened[0]
	if err := c.until(func() error { return c.comment(twin.Key, "a second time for the same request") }); err != nil {
		return "", err
	}
	// Somebody works on the twin all the same.
	if err := c.jira.Move(twin.Key, "acc-kim", "Open", nil); err != nil {
		return "", err
	}
	if err := c.jira.Move(twin.Key, "acc-kim", "Approved", nil); err != nil {
		return "", err
	}
	if err := c.jira.Move(issue.Key, "acc-lee", "Declined", nil); err != nil {
		return "", err
	}
	note, err := c.decided(id, issue.Key, "Denied")
	return note + "; " + twin.Key + " was closed", err
}
