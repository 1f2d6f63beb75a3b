package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

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

// move publishes a policy and has the open cases go on with it.
func (c *check) move(t *testing.T, keys string) {
	t.Helper()
	c.policy(t, keys)
	moved, err := c.bridge.gateway.MoveOpen(c.ctx, "Policy", "endpoint-approvers", "admin", "")
	must(t, err)
	if moved != 1 {
		t.Fatalf("%d tickets were moved, want 1", moved)
	}
}

// deniedInTime waits until EPM was told once that a request is denied.
func (c *check) deniedInTime(id string) error {
	return c.until(func() error {
		told := c.epm.Decisions(id)
		if len(told) != 1 || told[0].Decision != "Denied" {
			return fmt.Errorf("EPM was told %+v, want denied", told)
		}
		return nil
	})
}

// ticked waits until the clock's loop has seen the present time.
func (c *check) ticked(t *testing.T, clock *virtual) {
	t.Helper()
	now := clock.now()
	must(t, c.until(func() error {
		due, err := c.store.DueTimers(c.ctx, now, 1)
		if err == nil && len(due) > 0 {
			err = fmt.Errorf("a timer waits: %+v", due)
		}
		return err
	}))
	must(t, c.settled())
}

func TestMovedCaseEndsByItsNewDeadline(t *testing.T) {
	t.Parallel()
	const deny, leave = ", then: deny}\n", ", then: leave}\n"
	for name, terms := range map[string]struct{ first, then string }{
		"from none":           {"", "deadline: {after: 2h, remind: [30m, 1h]" + deny},
		"from a nearer one":   {"deadline: {after: 30m" + deny, "deadline: {after: 2h, remind: [1h]" + deny},
		"from a later one":    {"deadline: {after: 8h" + deny, "deadline: {after: 2h, remind: [1h]" + deny},
		"from one that left":  {"deadline: {after: 10m" + leave, "deadline: {after: 2h, remind: [1h]" + deny},
		"from the same, left": {"deadline: {after: 2h, remind: [1h]" + leave, "deadline: {after: 2h, remind: [1h]" + deny},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var clock virtual
			c := start(t, storetest.SQLite, withClock(&clock))
			c.policy(t, "approvers: {people: [kim]}\n"+terms.first)
			id, issue, err := c.request()
			must(t, err)
			must(t, c.settled())
			clock.forward(20 * time.Minute)
			c.ticked(t, &clock)
			c.move(t, "approvers: {people: [kim]}\n"+terms.then)
			clock.forward(45 * time.Minute)
			must(t, c.until(func() error { return c.comment(issue.Key, "still waits for a decision") }))
			c.ticked(t, &clock)
			must(t, c.silent(id))
			view, err := c.caseOf(id)
			must(t, err)
			if len(view.Timers) != 1 || view.Timers[0].Kind != store.TimerDeadline {
				t.Errorf("the timers are %+v, want the new deadline", view.Timers)
			}
			clock.forward(time.Hour)
			must(t, c.deniedInTime(id))
		})
	}
}

func TestMovedCaseIsNotEndedByItsOldDeadline(t *testing.T) {
	t.Parallel()
	for _, then := range []string{"deny", "leave"} {
		t.Run(then, func(t *testing.T) {
			t.Parallel()
			var clock virtual
			c := start(t, storetest.SQLite, withClock(&clock))
			c.policy(t, "approvers: {people: [kim]}\ndeadline: {after: 1h, then: "+then+"}\n")
			id, issue, err := c.request()
			must(t, err)
			must(t, c.settled())
			c.move(t, "approvers: {people: [kim]}\ndeadline: {after: 8h, then: "+then+"}\n")
			must(t, c.until(func() error { return c.comment(issue.Key, "now goes by other terms") }))
			clock.forward(61 * time.Minute)
			c.ticked(t, &clock)
			must(t, c.silent(id))
			if err := c.comment(issue.Key, "has no effect any more"); err == nil {
				t.Error("the ticket says that a decision has no effect, and it has")
			}
			must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
			_, err = c.decided(id, issue.Key, "Approved")
			must(t, err)
		})
	}
}

func TestMovedCaseThatIsOverEndsAtOnce(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]string{"left by the same deadline": "{after: 1h, then: leave}", "with a later deadline": "{after: 8h, then: deny}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var clock virtual
			c := start(t, storetest.SQLite, withClock(&clock))
			c.policy(t, "approvers: {people: [kim]}\ndeadline: "+first+"\n")
			id, issue, err := c.request()
			must(t, err)
			must(t, c.settled())
			clock.forward(2 * time.Hour)
			c.ticked(t, &clock)
			c.move(t, "approvers: {people: [kim]}\ndeadline: {after: 1h, remind: [30m], deputy: {after: 40m, people: [lee]}, then: deny}\n")
			must(t, c.deniedInTime(id))
			for _, text := range []string{"still waits", "deputies"} {
				if err := c.comment(issue.Key, text); err == nil {
					t.Errorf("the ticket says %q, when it is too late", text)
				}
			}
		})
	}
}

func TestMovedCaseIsDecidedWhereOtherFieldsMatter(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.policy(t, "approvers: {people: [kim]}\n")
	id, issue, err := c.request()
	must(t, err)
	must(t, c.settled())
	c.move(t, "approvers: {people: [kim]}\nmatters: [summary]\n")
	must(t, c.settled())
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestHostileEditBeforeOtherFieldsMatter(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.policy(t, "approvers: {people: [kim]}\nmatters: [priority]\n")
	id, issue, err := c.request()
	must(t, err)
	must(t, c.settled())
	must(t, c.jira.Edit(issue.Key, "acc-max", map[string]any{"summary": "something harmless"}))
	must(t, c.settled())
	c.move(t, "approvers: {people: [kim]}\nmatters: [summary]\n")
	must(t, c.settled())
	must(t, c.refusedMove(id, issue.Key, "acc-kim", "no longer says what was asked for"))
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
	c.edit(t, "Rule", "epm-app-requests", "project: ITSEC", "project: \"${'NOWHERE'}\"") // which is looked up when it is used
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
	c.edit(t, "Rule", "epm-app-requests", "project: \"${'NOWHERE'}\"", "project: ITSEC")
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

// Somebody gives an account of their own the approver's mail address.
func TestHostileMailAddressOfAnotherPerson(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, identity string
		refused        bool
	}{
		{"where addresses prove nothing", "\nidentity: {mail: false}", true},
		{"where they do", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := start(t, storetest.SQLite, func(o *worldOptions) {
				o.Jira = func(j *jirastandin.Options) {
					j.Accounts = append(jirastandin.DefaultAccounts(), jirastandin.Account{ID: "acc-new", Name: "New", Mail: "kim@corp.example"})
				}
			})
			c.policy(t, "approvers: {people: [kim]}\n")
			c.edit(t, "Connection", "jira", "watch: {every: 1s}", "watch: {every: 1s}"+test.identity)
			id, issue, err := c.request()
			must(t, err)
			if !test.refused {
				must(t, c.jira.Move(issue.Key, "acc-new", "Approved", nil))
				_, err = c.decided(id, issue.Key, "Approved")
				must(t, err)
				return
			}
			must(t, c.refusedMove(id, issue.Key, "acc-new", "not known to Drawbridge as a person"))
			if _, err := c.bridge.gateway.ImportDirectory(c.ctx, "jira", "admin", ""); err == nil || !strings.Contains(err.Error(), "identity.mail") {
				t.Errorf("the directory is imported by mail address all the same: %v", err)
			}
		})
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
