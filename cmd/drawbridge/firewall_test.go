package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// virtual is a clock that tests set forward; it goes on with the real one.
type virtual struct{ ahead atomic.Int64 }

func (v *virtual) now() time.Time           { return time.Now().Add(time.Duration(v.ahead.Load())) }
func (v *virtual) forward(by time.Duration) { v.ahead.Add(int64(by)) }

// withClock runs the bridge and both stand-ins on one virtual clock.
func withClock(v *virtual) func(*worldOptions) {
	return func(o *worldOptions) {
		o.Gateway.Now = v.now
		o.Jira = func(j *jirastandin.Options) { j.Now = v.now }
		o.EPM = func(e *epmstandin.Options) { e.Now = v.now }
	}
}

// policy replaces the demo's policy.
func (c *check) policy(t *testing.T, keys string) {
	t.Helper()
	c.apply(t, "kind: Policy\nname: endpoint-approvers\n"+keys)
}

// status waits until a ticket stands at a status.
func (c *check) status(key, want string) error {
	return c.until(func() error {
		if now, _ := c.jira.Issue(key); now.Status != want {
			return fmt.Errorf("%s stands at %s, want %s", key, now.Status, want)
		}
		return nil
	})
}

func TestQuorumOfTwo(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.policy(t, "approvers: {people: [kim, lee]}\nquorum: 2\n")
	id, issue, err := c.request()
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.until(func() error { return c.comment(issue.Key, "counts as 1 of 2") }))
	must(t, c.silent(id))
	must(t, c.jira.Move(issue.Key, "acc-lee", "Open", nil))
	must(t, c.jira.Move(issue.Key, "acc-lee", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestEditedTicketAsksForAFreshApproval(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	must(t, c.settled())
	must(t, c.jira.Edit(issue.Key, "acc-max", map[string]any{"summary": "CORP\\ana asks for something harmless"}))
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.until(func() error { return c.comment(issue.Key, "no longer says what was asked for") }))
	must(t, c.silent(id))
	must(t, c.jira.Edit(issue.Key, "acc-kim", map[string]any{"summary": issue.Summary}))
	must(t, c.settled())
	must(t, c.silent(id))
	must(t, c.jira.Move(issue.Key, "acc-kim", "Open", nil))
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestRefusedTicketIsMovedBack(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.policy(t, "approvers: {people: [kim]}\nrefused: {status: Open}\n")
	id, issue, err := c.request()
	must(t, err)
	must(t, c.refusedMove(id, issue.Key, "acc-max", "not among those who may decide"))
	must(t, c.status(issue.Key, "Open"))
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestRefusedMoveIsNotPutBackAfterADecision(t *testing.T) {
	t.Parallel()
	for _, heard := range []bool{true, false} {
		t.Run(fmt.Sprintf("desk heard %v", heard), func(t *testing.T) {
			t.Parallel()
			var clock virtual
			c := theatre(t, withClock(&clock))
			c.policy(t, "approvers: {people: [kim]}\nrefused: {status: Open}\n")
			id, issue, err := c.request()
			must(t, err)
			must(t, c.settled())
			c.jira.FailOn("transition", 1, http.StatusServiceUnavailable, http.Header{"Retry-After": {"600"}})
			must(t, c.jira.Move(issue.Key, "acc-max", "Approved", nil))
			must(t, c.until(func() error { // until the move back was tried in vain
				var n int
				err := c.store.DB().QueryRowContext(c.ctx, `SELECT COUNT(*) FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE kind = 'transition')`).Scan(&n)
				if err == nil && n == 0 {
					err = errors.New("nothing was moved back yet")
				}
				return err
			}))
			c.jira.DropWebhooks(!heard)
			must(t, c.jira.Move(issue.Key, "acc-kim", "Open", nil))
			must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
			clock.forward(11 * time.Minute) // where the desk was heard, the move back is due before or after the ticket is read
			_, err = c.decided(id, issue.Key, "Approved")
			must(t, err)
			must(t, c.status(issue.Key, "Approved"))
			view, err := c.caseOf(id)
			must(t, err)
			for _, d := range view.Deliveries {
				if d.Purpose == "refusal" && d.Action == "transition" && d.State != "canceled" {
					t.Errorf("the move back is %s, want canceled", d.State)
				}
			}
		})
	}
}

func TestDifferentApproversByHostGroup(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.policy(t, `approvers: {people: [kim]}
cases:
  - when: event.data.ComputerGroup == "Finance"
    approvers: {people: [lee]}
`)
	id, issue, err := c.request()
	must(t, err)
	must(t, c.refusedMove(id, issue.Key, "acc-kim", "endpoint-approvers/case 1"))
	must(t, c.jira.Move(issue.Key, "acc-lee", "Open", nil))
	must(t, c.jira.Move(issue.Key, "acc-lee", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestClockRemindsThenDeputiesThenDenies(t *testing.T) {
	t.Parallel()
	var clock virtual
	c := start(t, storetest.SQLite, withClock(&clock))
	c.policy(t, "approvers: {people: [kim]}\ndeadline: {after: 4h, remind: [1h], deputy: {after: 2h, people: [lee]}, then: deny}\n")
	id, issue, err := c.request()
	must(t, err)
	clock.forward(time.Hour)
	must(t, c.until(func() error { return c.comment(issue.Key, "still waits for a decision") }))
	must(t, c.refusedMove(id, issue.Key, "acc-lee", "not among those who may decide"))
	must(t, c.jira.Move(issue.Key, "acc-lee", "Open", nil))
	clock.forward(time.Hour)
	must(t, c.until(func() error { return c.comment(issue.Key, "deputies") }))
	clock.forward(2 * time.Hour)
	must(t, c.until(func() error {
		told := c.epm.Decisions(id)
		if len(told) != 1 || told[0].Decision != "Denied" || !strings.Contains(told[0].By, "policy endpoint-approvers") {
			return fmt.Errorf("EPM was told %+v, want denied by the policy", told)
		}
		return nil
	}))
	must(t, c.status(issue.Key, "Declined"))
	must(t, c.until(func() error { return c.comment(issue.Key, "Denied by the policy endpoint-approvers: accepted by epm") }))
	view, err := c.caseOf(id)
	must(t, err)
	c.receipted(t, issue.Key, view.Decision.Receipt, "denied", "the policy endpoint-approvers")
	// A late click is answered with words.
	must(t, c.jira.Move(issue.Key, "acc-kim", "Open", nil))
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.until(func() error { return c.comment(issue.Key, "the first valid decision stands") }))
	if told := c.epm.Decisions(id); len(told) != 1 {
		t.Errorf("EPM was told %d times, want once", len(told))
	}
}

// receipted fails unless a ticket bears the receipt the API shows, signed, and it says this.
func (c *check) receipted(t *testing.T, ticket, receipt, outcome, by string) {
	t.Helper()
	shown, err := audit.ParseReceipt(receipt)
	must(t, err)
	key, sure, err := audit.PublicKey(t.Context(), c.store.Queries, c.bridge.vault)
	if err != nil || !sure || shown.Check(key) != nil || shown.Outcome != outcome || shown.By != by {
		t.Errorf("the API shows the receipt %+v (%v), want it signed, %s by %s", shown.Receipt, err, outcome, by)
	}
	issue, _ := c.jira.Issue(ticket)
	for _, m := range issue.Comments {
		if there, err := audit.ParseReceipt(m.Text); err == nil && there.Receipt == shown.Receipt {
			return
		}
	}
	t.Errorf("%s lacks the receipt; its comments are %+v", ticket, issue.Comments)
}

func TestTicketIsToldThatTheClocksDecisionDidNotArrive(t *testing.T) {
	t.Parallel()
	var clock virtual
	c := start(t, storetest.SQLite, withClock(&clock))
	c.policy(t, "approvers: {people: [kim]}\ndeadline: {after: 1h, then: deny}\n")
	id, issue, err := c.request()
	must(t, err)
	must(t, c.settled())
	c.epm.FailNext(1, http.StatusForbidden)
	clock.forward(61 * time.Minute)
	must(t, c.until(func() error { return c.comment(issue.Key, "did not reach epm") }))
	must(t, c.comment(issue.Key, "drawbridge replay"))
	if told := c.epm.Decisions(id); len(told) != 0 {
		t.Errorf("EPM was told %+v, want nothing", told)
	}
}

func TestCaseShowsWhenItEndsWithoutADecision(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.policy(t, "approvers: {people: [kim]}\ndeadline: {after: 4h, then: deny}\n")
	id, issue, err := c.request()
	must(t, err)
	view, err := c.caseOf(id)
	must(t, err)
	if e := view.Expires; e == nil || e.By != "policy" || !e.At.Equal(view.OpenedAt.Add(4*time.Hour)) {
		t.Errorf("the case ends %+v, want by the policy 4 hours after %s", e, view.OpenedAt)
	}
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
	if view, err = c.caseOf(id); err != nil || view.Expires != nil {
		t.Errorf("decided, it ends %+v, %v", view.Expires, err)
	}
	c.edit(t, "Connection", "epm", "connector: epm", "connector: epm\nwaits: 1h")
	id, issue, err = c.request()
	must(t, err)
	if view, err = c.caseOf(id); err != nil || view.Expires == nil || view.Expires.By != "source" || !view.Expires.At.Equal(view.OpenedAt.Add(time.Hour)) {
		t.Errorf("where the tool waits for an hour, the case ends %+v, %v", view.Expires, err)
	}
	must(t, c.until(func() error {
		return c.comment(issue.Key, "epm waits for a decision until "+view.OpenedAt.Add(time.Hour).UTC().Format("2006-01-02 15:04:05"))
	}))
}

func TestDeputyDecidesInTime(t *testing.T) {
	t.Parallel()
	var clock virtual
	c := start(t, storetest.SQLite, withClock(&clock))
	c.policy(t, "approvers: {people: [kim]}\ndeadline: {after: 4h, deputy: {after: 2h, people: [lee]}, then: leave}\n")
	id, issue, err := c.request()
	must(t, err)
	clock.forward(2*time.Hour + time.Minute)
	must(t, c.jira.Move(issue.Key, "acc-lee", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestLateClickIsRefusedWhereTheCaseIsLeft(t *testing.T) {
	t.Parallel()
	var clock virtual
	c := start(t, storetest.SQLite, withClock(&clock))
	c.policy(t, "approvers: {people: [kim]}\ndeadline: {after: 1h, then: leave}\n")
	id, issue, err := c.request()
	must(t, err)
	clock.forward(61 * time.Minute)
	must(t, c.until(func() error { return c.comment(issue.Key, "The request is left as it is") }))
	must(t, c.refusedMove(id, issue.Key, "acc-kim", "after the time the policy"))
}

func TestSecondDeskIsAskedAndTheFirstDecisionWins(t *testing.T) {
	t.Parallel()
	var clock virtual
	c := start(t, storetest.SQLite, withClock(&clock))
	second := strings.NewReplacer("name: epm-app-requests", "name: epm-escalation", `event.kind == "access.requested"`, `event.kind == "access.requested" and event.data.ComputerGroup == "nowhere"`,
		"at: jira", "at: jira\n  slot: escalation").Replace(c.published(t, "Rule", "epm-app-requests"))
	c.apply(t, second, "kind: Policy\nname: endpoint-approvers\napprovers: {people: [kim, lee]}\ndeadline: {after: 4h, second: {after: 1h, rule: epm-escalation}}\n")
	id, issue, err := c.request()
	must(t, err)
	clock.forward(time.Hour)
	var other string
	must(t, c.until(func() error {
		view, err := c.caseOf(id)
		if err != nil {
			return err
		}
		for _, ticket := range view.Tickets {
			if ticket.Slot == "escalation" && ticket.Ticket != "" {
				other = ticket.Ticket
				return nil
			}
		}
		return fmt.Errorf("tickets are %+v, want one more", view.Tickets)
	}))
	must(t, c.jira.Move(other, "acc-lee", "Declined", nil))
	must(t, c.until(func() error {
		if told := c.epm.Decisions(id); len(told) != 1 || told[0].Decision != "Denied" {
			return fmt.Errorf("EPM was told %+v, want denied once", told)
		}
		return c.comment(issue.Key, other)
	}))
	must(t, c.status(issue.Key, "Declined"))
}

func TestAdminSessionIsTakenBack(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.policy(t, "approvers: {people: [kim]}\nrevoke: {people: [lee]}\n")
	c.edit(t, "Rule", "epm-admin-requests", `denied: ticket.status == "Declined"`, "denied: ticket.status == \"Declined\"\n  revoked: ticket.status == \"Won't do\"")
	id := c.epm.RequestAdmin(maxAsksForRights)
	issue, err := c.ticket(id)
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
	revoke := func(by string) {
		must(t, c.jira.Move(issue.Key, by, "Open", nil))
		must(t, c.jira.Move(issue.Key, by, "Won't do", nil))
	}
	revoke("acc-kim")
	must(t, c.until(func() error { return c.comment(issue.Key, "not among those who may take access back") }))
	must(t, c.settled())
	if told := c.epm.Decisions(id); len(told) != 1 {
		t.Fatalf("EPM was told %+v, want the approval alone", told)
	}
	revoke("acc-lee")
	must(t, c.until(func() error {
		if told := c.epm.Decisions(id); len(told) != 2 || told[1].Decision != "Denied" {
			return fmt.Errorf("EPM was told %+v, want the approval and its revocation", told)
		}
		return c.comment(issue.Key, "Access taken back")
	}))
	view, err := c.caseOf(id)
	must(t, err)
	c.receipted(t, issue.Key, view.Decision.Receipt, "approved", "kim")
	c.receipted(t, issue.Key, view.Revocation.Receipt, audit.Revoked, "lee")
	if view.Decision.Outcome != "approved" {
		t.Errorf("the decision is %s now, want it as it was", view.Decision.Outcome)
	}
}

func TestDurationIsChosenLimitedAndWrittenBack(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.policy(t, "approvers: {people: [kim]}\ndurations: {max: 2h, default: 1h}\n")
	c.edit(t, "Rule", "epm-app-requests", "  policy: endpoint-approvers", "  duration: ticket.fields.customfield_10042\n  granted: customfield_10042\n  policy: endpoint-approvers")
	id, issue, err := c.request()
	must(t, err)
	must(t, c.jira.Edit(issue.Key, "acc-kim", map[string]any{"customfield_10042": "8h"}))
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
	if told := c.epm.Decisions(id); told[0].Duration != "7200" {
		t.Errorf("EPM was told %q seconds, want 7200", told[0].Duration)
	}
	must(t, c.until(func() error {
		if now, _ := c.jira.Issue(issue.Key); now.Fields["customfield_10042"] != "2h" {
			return fmt.Errorf("the field says %q, want 2h", now.Fields["customfield_10042"])
		}
		return nil
	}))
}

func TestServiceDeskApprovalDecides(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.edit(t, "Rule", "epm-app-requests", "project: ITSEC\n  type: Access Request", "project: DESK\n  type: Service Request")
	c.edit(t, "Policy", "endpoint-approvers", "people: [kim, lee]", "people: [lee]")
	id, issue, err := c.request()
	must(t, err)
	must(t, c.jira.Answer(issue.Key, "acc-kim", "approve"))
	must(t, c.until(func() error { return c.comment(issue.Key, "not among those who may decide") }))
	must(t, c.silent(id))
	for _, comment := range mustIssue(t, c, issue.Key).Comments {
		if comment.Public {
			t.Errorf("a comment on a service desk is public: %s", comment.Text)
		}
	}
	second, other, err := c.request()
	must(t, err)
	must(t, c.jira.Answer(other.Key, "acc-lee", "approve"))
	_, err = c.decided(second, other.Key, "Approved")
	must(t, err)
}

func mustIssue(t *testing.T, c *check, key string) jirastandin.Issue {
	t.Helper()
	issue, ok := c.jira.Issue(key)
	if !ok {
		t.Fatalf("there is no ticket %s", key)
	}
	return issue
}

// settled waits until nothing is left to read, plan or deliver.
func (c *check) settled() error {
	return c.until(func() error {
		var n int
		err := c.store.DB().QueryRowContext(c.ctx, `SELECT (SELECT COUNT(*) FROM deliveries WHERE state IN ('pending', 'running'))
			+ (SELECT COUNT(*) FROM events WHERE state = 'accepted') + (SELECT COUNT(*) FROM changes)`).Scan(&n)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d things are under way", n)
		}
		// Afterwards: what was under way may have left a webhook behind, and none is sent but by us.
		if n := c.jira.Pending() + c.epm.Queued(); err == nil && n > 0 {
			err = fmt.Errorf("%d webhooks wait", n)
		}
		return err
	})
}
