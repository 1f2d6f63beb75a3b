package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestSecondDeskMustBeARuleThatCreates(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	for _, rule := range []string{
		"kind: Rule\nname: other\non: epm\nwhen: event.kind == \"access.denied\"\n",
		"kind: Rule\nname: other\non: epm\nwhen: event.kind == \"access.denied\"\ncomment: {at: jira, body: hello}\n",
	} {
		_, err := c.bridge.gateway.Apply(c.ctx, [][]byte{[]byte(rule),
			[]byte("kind: Policy\nname: endpoint-approvers\napprovers: {people: [kim]}\ndeadline: {after: 2h, second: {after: 1h, rule: other}}\n")}, "test", "")
		if err == nil || !strings.Contains(err.Error(), "deadline.second.rule") {
			t.Errorf("got %v, want the second desk's rule refused", err)
		}
	}
}

func TestTwoConnectionsToOneDeskLeaveEachOthersTicketsAlone(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.apply(t, strings.Replace(c.published(t, "Connection", "jira"), "name: jira", "name: jira-too", 1))
	id, issue, err := c.request()
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
	// The other connection is told of the ticket as well.
	body := fmt.Sprintf(`{"webhookEvent":"jira:issue_updated","issue":{"id":%q,"key":%q}}`, issue.ID, issue.Key)
	mac := hmac.New(sha256.New, []byte(c.hookSecret))
	mac.Write([]byte(body))
	status, _, text := c.send1(t, "/in/jira-too", body, "application/json", func(r *http.Request) {
		r.Header.Set("X-Hub-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	})
	if status != http.StatusAccepted {
		t.Fatalf("the notice was answered %d %s", status, text)
	}
	must(t, c.settled())
	_, err = c.noTwins()
	must(t, err)
}

func TestCreateThatNeverAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.edit(t, "Connection", "jira", "delivery: {timeout: 2s, first: 200ms}", "delivery: {timeout: 100ms, first: 20ms, attempts: 3}")
	c.edit(t, "Connection", "jira", "index_lag: 1s", "index_lag: 100ms")
	c.jira.FailOn("create", 1000, http.StatusInternalServerError, nil)
	id := c.epm.RequestApplication(anaAsksForATool)
	must(t, c.until(func() error {
		view, err := c.caseOf(id)
		if err != nil {
			return err
		}
		if len(view.Deliveries) == 0 || view.Deliveries[0].State != store.Dead || !strings.Contains(view.Deliveries[0].Error, "look for it by hand") {
			return fmt.Errorf("deliveries are %+v, want one given up", view.Deliveries)
		}
		return nil
	}))
}

func TestPolicyThatFailsIsARefusalAndNotTheDesksFault(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.policy(t, "approvers: {people: [kim]}\ncases:\n  - when: event.data.ProductName > 5\n    approvers: {people: [lee]}\n")
	id, issue, err := c.request()
	must(t, err)
	must(t, c.refusedMove(id, issue.Key, "acc-kim", "could not be worked out"))
	health, err := c.store.Healths(c.ctx)
	must(t, err)
	for _, h := range health {
		if h.State != "well" {
			t.Errorf("%s is unwell: %s", h.Connection, h.Reason)
		}
	}
}

func TestTicketOfAGivenUpCreateIsClosedWhenItSurfaces(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite, func(o *worldOptions) {
		o.Jira = func(j *jirastandin.Options) { j.IndexLag = func() time.Duration { return time.Hour } }
	})
	c.jira.DropWebhooks(true)
	c.jira.CutNext("create")
	id := c.epm.RequestApplication(anaAsksForATool)
	var create string
	must(t, c.until(func() error {
		view, err := c.caseOf(id)
		if err != nil {
			return err
		}
		if len(c.jira.Issues()) != 1 || len(view.Deliveries) != 1 || !view.Deliveries[0].InDoubt || view.Deliveries[0].State != store.Pending {
			return fmt.Errorf("deliveries are %+v, want one in doubt", view.Deliveries)
		}
		create = view.Deliveries[0].ID
		return c.bridge.gateway.Cancel(c.ctx, create, "tester", "not wanted")
	}))
	c.jira.DropWebhooks(false)
	key := c.jira.Issues()[0].Key
	must(t, c.jira.CommentAs(key, "acc-max", "here it is"))
	must(t, c.until(func() error { return c.comment(key, "given up here") }))
	must(t, c.jira.Move(key, "acc-kim", "Open", nil))
	must(t, c.jira.Move(key, "acc-kim", "Approved", nil))
	must(t, c.settled())
	must(t, c.silent(id))
}

func TestOneStrayAnswerThatATicketIsGoneEndsNothing(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	must(t, c.settled())
	c.jira.FailOn("get", 1, http.StatusNotFound, nil)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestTicketThatWasHiddenForAWhileDecidesAgain(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	must(t, c.settled())
	c.jira.FailOn("get", 1000, http.StatusNotFound, nil)
	must(t, c.jira.CommentAs(issue.Key, "acc-max", "where is it?"))
	must(t, c.until(func() error {
		view, err := c.caseOf(id)
		if err == nil && view.Tickets[0].State != store.LinkGone {
			err = fmt.Errorf("the ticket is %s, want it gone", view.Tickets[0].State)
		}
		return err
	}))
	c.jira.Heal()
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}
