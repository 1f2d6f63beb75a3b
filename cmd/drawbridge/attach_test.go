package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const (
	attachesEvidence  = "\n  attach: { name: \"request-${event.request_id}.json\", content: \"${event.raw}\" }"
	attachesForNobody = "\n  attach: { name: \"${event.severity}\", content: x }"
)

// attaching is a world whose application requests get a file.
func attaching(t *testing.T, attach string) *check {
	t.Helper()
	c := start(t, storetest.SQLite)
	c.edit(t, "Rule", "epm-app-requests", "\n  labels: [epm, epm-application]", "\n  labels: [epm, epm-application]"+attach)
	return c
}

// attachment waits until the file a case owes has come to a state.
func (c *check) attachment(id, state string) (d gateway.DeliveryView, err error) {
	err = c.until(func() error {
		view, err := c.caseOf(id)
		if err != nil {
			return err
		}
		for _, d = range view.Deliveries {
			if d.Action == "attach" && d.State == state {
				return nil
			}
		}
		return fmt.Errorf("deliveries are %+v, want the file %s", view.Deliveries, state)
	})
	return d, err
}

func TestEvidenceIsAttachedOnceThoughTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	c := attaching(t, attachesEvidence)
	c.jira.CutNext("attach")
	id, issue, err := c.request()
	must(t, err)
	_, err = c.attachment(id, store.Delivered)
	must(t, err)
	now, _ := c.jira.Issue(issue.Key)
	if len(now.Files) != 1 || now.Files[0].Name != "request-"+id+".json" || !strings.Contains(string(now.Files[0].Data), `"RequestId":"`+id+`"`) {
		t.Errorf("the ticket has the files %+v, want what came in, once", now.Files)
	}
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestAFileThatCannotBeAttachedHoldsNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		attach string
		deny   func(*jirastandin.Server)
		says   string
	}{
		"the rule fails":       {attachesForNobody, func(*jirastandin.Server) {}, "create.attach.name is empty for this event"},
		"no permission":        {attachesEvidence, func(s *jirastandin.Server) { s.Deny("CREATE_ATTACHMENTS") }, "403"},
		"too large for a desk": {attachesEvidence, func(s *jirastandin.Server) { s.FailOn("attach", 1, http.StatusRequestEntityTooLarge, nil) }, "413"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := attaching(t, test.attach)
			test.deny(c.jira)
			id, issue, err := c.request()
			must(t, err)
			dead, err := c.attachment(id, store.Dead)
			must(t, err)
			if !strings.Contains(dead.Error, test.says) {
				t.Errorf("the dead letter says %q, want %q", dead.Error, test.says)
			}
			must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
			_, err = c.decided(id, issue.Key, "Approved")
			must(t, err)
		})
	}
}

func TestAFileIsRenderedAnewWithTheRule(t *testing.T) {
	t.Parallel()
	c := attaching(t, attachesForNobody)
	id, issue, err := c.request()
	must(t, err)
	dead, err := c.attachment(id, store.Dead)
	must(t, err)
	if err := c.bridge.gateway.Replan(c.ctx, dead.ID, "admin", ""); err == nil || !strings.Contains(err.Error(), "create.attach.name") {
		t.Errorf("rendered anew by the rule that cannot: %v", err)
	}
	c.edit(t, "Rule", "epm-app-requests", attachesForNobody, attachesEvidence)
	must(t, c.bridge.gateway.Replan(c.ctx, dead.ID, "admin", ""))
	_, err = c.attachment(id, store.Delivered)
	must(t, err)
	if now, _ := c.jira.Issue(issue.Key); len(now.Files) != 1 || len(c.jira.Issues()) != 1 {
		t.Errorf("the ticket has the files %+v", now.Files)
	}
}
