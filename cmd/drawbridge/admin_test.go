package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestOpenCasesAreMovedToANewPolicy(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	c.edit(t, "Policy", "endpoint-approvers", "people: [kim, lee]", "people: [max]")
	older, err := c.bridge.gateway.OlderLinks(c.ctx, "Policy", "endpoint-approvers")
	must(t, err)
	if len(older) != 1 || older[0].Ticket != issue.Key || older[0].PolicyVersion != 1 {
		t.Fatalf("got %+v, want the one ticket at version 1", older)
	}
	moved, err := c.bridge.gateway.MoveOpen(c.ctx, "Policy", "endpoint-approvers", "admin", "new team")
	must(t, err)
	if moved != 1 {
		t.Errorf("%d tickets were moved, want 1", moved)
	}
	must(t, c.refusedMove(id, issue.Key, "acc-kim", "not among those who may decide"))
	must(t, c.jira.Move(issue.Key, "acc-max", "Open", nil))
	must(t, c.jira.Move(issue.Key, "acc-max", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
	view, err := c.caseOf(id)
	must(t, err)
	found := false
	for _, e := range view.Timeline {
		found = found || e.Kind == "case.moved" && strings.Contains(string(e.Content), "new team")
	}
	if !found {
		t.Error("the record does not say who moved the case and why")
	}
}

func TestOpenCasesAreMovedToANewRule(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	c.edit(t, "Rule", "epm-app-requests", `approved: ticket.status == "Approved"`, `approved: ticket.status == "Done"`)
	_, err = c.bridge.gateway.MoveOpen(c.ctx, "Rule", "epm-app-requests", "admin", "")
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.settled())
	must(t, c.silent(id))
	must(t, c.jira.Move(issue.Key, "acc-kim", "Done", map[string]any{"resolution": "Done"}))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
	if _, err := c.bridge.gateway.OlderLinks(c.ctx, "Table", "priority"); err == nil {
		t.Error("tables have no versions that cases keep, and nothing says so")
	}
}

func TestDeadTicketIsEditedAndSent(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	h := &scene{check: c, t: t}
	id, dead := deadTicket(h)
	text, err := c.bridge.gateway.Show(c.ctx, dead.ID)
	must(t, err)
	var action map[string]any
	must(t, json.Unmarshal(text, &action))
	action["ticket"].(map[string]any)["summary"] = "Edited by hand"
	text, err = json.Marshal(action)
	must(t, err)
	_, err = c.bridge.gateway.ReplayEdited(c.ctx, dead.ID, text, "admin", "wrong summary")
	must(t, err)
	issue, err := c.ticket(id)
	must(t, err)
	if issue.Summary != "Edited by hand" {
		t.Errorf("the ticket says %q", issue.Summary)
	}
	for name, text := range map[string]string{"not JSON": "{", "an unknown key": `{"kind":"create","x":1}`, "nothing": "{}"} {
		if _, err := c.bridge.gateway.ReplayEdited(c.ctx, dead.ID, []byte(text), "admin", ""); err == nil {
			t.Errorf("%s was taken as an edit", name)
		}
	}
}

func TestDeadTicketIsRenderedAnewWithThePublishedRule(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.edit(t, "Rule", "epm-app-requests", "project: ITSEC", "project: NOWHERE")
	id := c.epm.RequestApplication(anaAsksForATool)
	var dead string
	must(t, c.until(func() error {
		view, err := c.caseOf(id)
		if err != nil {
			return err
		}
		if len(view.Deliveries) != 1 || view.Deliveries[0].State != store.Dead {
			return fmt.Errorf("deliveries are %+v, want one dead", view.Deliveries)
		}
		dead = view.Deliveries[0].ID
		return nil
	}))
	if _, err := c.bridge.gateway.Replay(c.ctx, dead, "admin", ""); err != nil {
		t.Fatal(err)
	}
	must(t, c.until(func() error {
		d, err := c.store.Delivery(c.ctx, dead)
		if err == nil && d.State != store.Dead {
			err = fmt.Errorf("replayed unchanged it is %s, want dead again", d.State)
		}
		return err
	}))
	c.edit(t, "Rule", "epm-app-requests", "project: NOWHERE", "project: ITSEC")
	must(t, c.bridge.gateway.Replan(c.ctx, dead, "admin", "the project was wrong"))
	issue, err := c.ticket(id)
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestCommentRenderedAnewLeavesItsTicketToItsRule(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.edit(t, "Policy", "endpoint-approvers", "people: [kim, lee]", "people: [kim, lee, max]")
	c.apply(t, "kind: Rule\nname: epm-remark\non: epm\nwhen: event.kind == \"access.requested\"\ncomment: {at: jira, body: hello}\n")
	c.jira.FailOn("comment", 1, http.StatusBadRequest, nil)
	id, issue, err := c.request()
	must(t, err)
	var dead string
	must(t, c.until(func() error {
		view, err := c.caseOf(id)
		for _, d := range view.Deliveries {
			if d.Action == "comment" && d.State == store.Dead {
				dead = d.ID
				return nil
			}
		}
		return errors.Join(err, fmt.Errorf("deliveries are %+v, want a dead comment", view.Deliveries))
	}))
	before, err := c.caseOf(id)
	must(t, err)
	must(t, c.bridge.gateway.Replan(c.ctx, dead, "admin", ""))
	must(t, c.until(func() error { return c.comment(issue.Key, "hello") }))
	after, err := c.caseOf(id)
	must(t, err)
	if diff := cmp.Diff(before.Tickets, after.Tickets); diff != "" {
		t.Errorf("the ticket goes by something else (-before +after):\n%s", diff)
	}
	for i, d := range after.Deliveries {
		var had, has connectors.Action
		must(t, json.Unmarshal(before.Deliveries[i].Content, &had))
		must(t, json.Unmarshal(d.Content, &has))
		if d.ID == dead && had.Note.Key != has.Note.Key {
			t.Errorf("the comment has the key %q, want %q as before", has.Note.Key, had.Note.Key)
		}
	}
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestEditedBodyIsDecidedByTwo(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	h := &scene{check: c, t: t}
	q := quarantined(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-edited","TenantId":"t-100","User":"CORP\\max" broken`)
	_, err := c.bridge.gateway.ReplayEdited(c.ctx, q, []byte(`{"EventType":"URM_Native_Ticket_Created","RequestId":"r-edited","TenantId":"t-100","User":"CORP\\max"}`), "admin", "a comma was missing")
	must(t, err)
	issue, err := c.ticket("r-edited")
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.until(func() error { return c.comment(issue.Key, "counts as 1 of 2") }))
	must(t, c.silent("r-edited"))
	must(t, c.jira.Move(issue.Key, "acc-lee", "Open", nil))
	must(t, c.jira.Move(issue.Key, "acc-lee", "Approved", nil))
	must(t, c.until(func() error {
		view, err := c.caseOf("r-edited")
		if err == nil && (view.Decision == nil || view.Decision.Outcome != "approved") {
			err = fmt.Errorf("the decision is %+v, want approved", view.Decision)
		}
		return err
	}))
}

func TestDirectoryJoinsAccountsToKnownPeopleByMail(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite, func(o *worldOptions) {
		o.Jira = func(j *jirastandin.Options) {
			j.Accounts = append(jirastandin.DefaultAccounts(), jirastandin.Account{ID: "acc-lee-new", Name: "Lee", Mail: "lee@corp.example"})
		}
	})
	done, err := c.bridge.gateway.ImportDirectory(c.ctx, "jira", "admin", "")
	must(t, err)
	if done.Joined != 1 || done.Seen < 6 {
		t.Errorf("got %+v, want one joined of all", done)
	}
	person, err := c.store.PersonOf(c.ctx, "jira", "acc-lee-new")
	if err != nil || person != "lee" {
		t.Errorf("the new account is %q's, %v; want lee's", person, err)
	}
	if _, err := c.bridge.gateway.ImportDirectory(c.ctx, "epm", "admin", ""); err == nil {
		t.Error("a tool without a directory was imported from")
	}
}

func TestPeopleFromATable(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, table, want, err string }{
		{"two accounts of one", "name,mail,system,account\nana,ana@corp.example,epm,CORP\\ana\nana,,jira,acc-ana\n", "acc-ana", ""},
		{"another mail for the same person", "name,mail,system,account\nana,a@x.example,epm,a\nana,b@x.example,jira,b\n", "", "line 3: ana has another mail address above"},
		{"wrong columns", "who,mail,system,account\n", "", "the first line must be"},
		{"a column too few", "name,mail,system,account\nana,a@x.example\n", "", "wrong number of fields"},
		{"nothing", "", "", "read the first line"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text, err := peopleDocument("imported", csv.NewReader(strings.NewReader(test.table)))
			if test.err == "" && (err != nil || !strings.Contains(string(text), test.want)) {
				t.Errorf("got %s, %v", text, err)
			}
			if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

func TestReceiptIsOnTheTicketAndByAPI(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
	must(t, c.comment(issue.Key, "drawbridge-receipt"))
	view, err := c.caseOf(id)
	must(t, err)
	status, _, text := c.send1(t, "/api/v1/cases/"+view.ID, "", "", func(r *http.Request) {
		r.Method = http.MethodGet
		r.Header.Set("Authorization", "Bearer "+c.token)
	})
	if status != http.StatusOK || !strings.Contains(text, "drawbridge-receipt") {
		t.Errorf("the API answers %d without the receipt", status)
	}
}
