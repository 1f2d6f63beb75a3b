package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestWholeLoop(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		must(t, start(t, engine).all())
	})
}

func TestLostWebhookRepairsItself(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	c.jira.DropWebhooks(true)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestRefusedTicketIsADeadLetterThatNamesTheField(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.edit(t, "Rule", "epm-app-requests", "\n  labels:", "\n  fields: { customfield_10070: \"${event.kind}\" }\n  labels:")
	id := c.epm.RequestApplication(anaAsksForATool)
	var dead gateway.DeliveryView
	must(t, c.until(func() error {
		view, err := c.caseOf(id)
		if err != nil {
			return err
		}
		if len(view.Deliveries) != 1 || view.Deliveries[0].State != store.Dead {
			return fmt.Errorf("deliveries are %+v, want one dead", view.Deliveries)
		}
		dead = view.Deliveries[0]
		return nil
	}))
	if !strings.Contains(dead.Error, "customfield_10070") {
		t.Errorf("the error %q does not name the field", dead.Error)
	}
	if _, err := c.bridge.gateway.Replay(c.ctx, dead.ID, "tester", "trying again"); err != nil {
		t.Fatal(err)
	}
	must(t, c.until(func() error {
		d, err := c.store.Delivery(c.ctx, dead.ID)
		if err == nil && (d.State != store.Dead || d.Attempts != 1) {
			err = fmt.Errorf("delivery is %s after %d attempts, want dead again", d.State, d.Attempts)
		}
		return err
	}))
}

func TestDeskDownKeepsEverythingAndCatchesUp(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.jira.FailNext(40, http.StatusServiceUnavailable, nil)
	ids := make([]string, 10)
	for i := range ids {
		ids[i] = c.epm.RequestApplication(anaAsksForATool)
	}
	must(t, c.until(func() error {
		if c.epm.Queued() > 0 {
			return fmt.Errorf("%d webhooks wait", c.epm.Queued())
		}
		return nil
	}))
	c.jira.Heal()
	for _, id := range ids {
		_, err := c.ticket(id)
		must(t, err)
	}
	_, err := c.noTwins()
	must(t, err)
}

func TestRefusedCredentialsPauseTheConnectionAndUseUpNoAttempt(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.jira.FailNext(1000, http.StatusUnauthorized, nil)
	id := c.epm.RequestApplication(anaAsksForATool)
	must(t, c.until(func() error {
		health, err := c.store.Healths(c.ctx)
		if err != nil {
			return err
		}
		for _, h := range health {
			if h.Connection == "jira" && h.State == "unwell" && strings.Contains(h.Reason, "credentials") {
				return nil
			}
		}
		return fmt.Errorf("health is %+v, want jira unwell", health)
	}))
	view, err := c.caseOf(id)
	must(t, err)
	if d := view.Deliveries[0]; d.State != store.Pending || d.Attempts != 0 {
		t.Errorf("delivery is %s after %d attempts, want pending after none", d.State, d.Attempts)
	}
	// An admin who mends the connection and publishes it need not wait for the next try.
	c.jira.Heal()
	c.edit(t, "Connection", "jira", "watch: {every: 1s}", "watch: {every: 2s}")
	_, err = c.ticket(id)
	must(t, err)
}

func TestLostAnswerOfADecisionIsAskedForBeforeItIsPostedAgain(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	c.epm.CutNext()
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestRefusedPostIsADeadLetterAndTheTicketSaysSo(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	c.epm.FailNext(1, http.StatusForbidden)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.until(func() error { return c.comment(issue.Key, "did not reach epm") }))
	view, err := c.caseOf(id)
	must(t, err)
	var post string
	for _, d := range view.Deliveries {
		if d.Action == "decide" && d.State == store.Dead {
			post = d.ID
		}
	}
	if _, err := c.bridge.gateway.Replay(c.ctx, post, "tester", "permission granted"); err != nil {
		t.Fatal(err)
	}
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestGroupOfTheDeskDecides(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.edit(t, "Policy", "endpoint-approvers", "people: [kim, lee]", "groups: [endpoint-approvers]")
	id, issue, err := c.request()
	must(t, err)
	must(t, c.refusedMove(id, issue.Key, "acc-max", "not among those who may decide"))
	must(t, c.jira.Move(issue.Key, "acc-max", "Open", nil))
	must(t, c.jira.Move(issue.Key, "acc-lee", "Declined", nil))
	_, err = c.decided(id, issue.Key, "Denied")
	must(t, err)
}

func TestCaseKeepsTheVersionsItOpenedWith(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	c.edit(t, "Policy", "endpoint-approvers", "people: [kim, lee]", "people: [max]")
	c.edit(t, "Rule", "epm-app-requests", `approved: ticket.status == "Approved"`, `approved: ticket.status == "Done"`)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestCloneOfATicketDecidesNothing(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.request()
	must(t, err)
	clone, err := c.jira.Clone(issue.Key, "acc-kim")
	must(t, err)
	must(t, c.jira.Move(clone, "acc-kim", "Approved", nil))
	must(t, c.jira.Move(issue.Key, "acc-lee", "Declined", nil))
	_, err = c.decided(id, issue.Key, "Denied")
	must(t, err)
	if now, _ := c.jira.Issue(clone); len(now.Comments) != 0 || now.Status != "Approved" {
		t.Errorf("the clone was touched: %+v", now)
	}
}

func TestMarksSwappedBetweenTicketsAreRefused(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	first, one, err := c.request()
	must(t, err)
	second, two, err := c.request()
	must(t, err)
	for _, swap := range [][2]jirastandin.Issue{{one, two}, {two, one}} {
		must(t, c.jira.EditLabels(swap[0].Key, "acc-max", mark(swap[1]), mark(swap[0])))
	}
	for _, key := range []string{one.Key, two.Key} {
		must(t, c.jira.Move(key, "acc-kim", "Approved", nil))
		must(t, c.until(func() error { return c.comment(key, "mark by which Drawbridge knows this ticket") }))
	}
	must(t, c.silent(first))
	must(t, c.silent(second))
}

func mark(i jirastandin.Issue) []string {
	for _, label := range i.Labels {
		if strings.HasPrefix(label, "drawbridge-") {
			return []string{label}
		}
	}
	return nil
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.edit(t, "Connection", "epm", "status: 200", "status: 200\n  max_body: 65536")
	good := func(r *http.Request) { r.SetBasicAuth(demoHookUser, c.hookPassword) }
	body := `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-1","TenantId":"t-100","User":"CORP\\ana","ProductName":"Tool"}`
	tests := []struct {
		name, path, body, contentType string
		change                        func(*http.Request)
		status                        int
		says                          string
	}{
		{"wrong password", "/in/epm", body, "application/json", func(r *http.Request) { r.SetBasicAuth(demoHookUser, "wrong-secret") }, 401, "missing or wrong"},
		{"no credentials", "/in/epm", body, "application/json", func(*http.Request) {}, 401, "missing or wrong"},
		{"unknown connection", "/in/nobody", body, "application/json", good, 404, "no such connection"},
		{"too large", "/in/epm", strings.Repeat("x", 70_000), "application/json", good, 413, "larger"},
		{"XML", "/in/epm", "<a/>", "application/xml", good, 415, "application/json"},
		{"form", "/in/epm", "a=b", "application/x-www-form-urlencoded", good, 415, "application/json"},
		{"not JSON", "/in/epm", `{"RequestId": nope`, "application/json", good, 200, `"quarantined":true`},
		{"a second RequestId", "/in/epm", `{"RequestId":"r-2","TenantId":"t-100","Reason":"x","RequestId":"r-3"}`, "application/json", good, 200, `"quarantined":true`},
		{"another tenant", "/in/epm", strings.Replace(body, "t-100", "t-999", 1), "application/json", good, 200, `"quarantined":true`},
		{"no tenant", "/in/epm", strings.Replace(body, `"TenantId":"t-100",`, "", 1), "application/json", good, 200, `"quarantined":true`},
		{"API without token", "/api/v1/cases", "", "", func(r *http.Request) { r.Method = http.MethodGet }, 401, "token"},
		{"good", "/in/epm", body, "application/json", good, 200, `"event":"`},
		{"good once more", "/in/epm", body, "application/json", good, 200, `"duplicate":true`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, kind, text := c.send1(t, test.path, test.body, test.contentType, test.change)
			if status != test.status || !strings.Contains(text, test.says) {
				t.Errorf("got %d %s, want %d with %q", status, text, test.status, test.says)
			}
			if status >= 400 && !strings.HasPrefix(kind, "application/problem+json") {
				t.Errorf("the error is %s, want application/problem+json", kind)
			}
			if strings.Contains(text, "secret") || strings.Contains(text, c.hookPassword) || strings.Contains(text, "goroutine") {
				t.Errorf("the answer gives something away: %s", text)
			}
		})
	}
}

// send1 sends one request to the bridge.
func (c *check) send1(t *testing.T, path, body, contentType string, change func(*http.Request)) (status int, kind, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.urls.bridge+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", contentType)
	change(req)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), b.String()
}

func TestConnectionIsBoundToATenantByApply(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.edit(t, "Connection", "epm", `tenant: "t-100"`, `tenant: ""`)
	answer, err := c.post(`{"EventType":"URM_Native_Ticket_Created","RequestId":"r-1","TenantId":"t-100","User":"CORP\\ana","ProductName":"Tool"}`)
	must(t, err)
	var accepted gateway.Accepted
	must(t, json.Unmarshal([]byte(answer), &accepted))
	if !accepted.Quarantined || !strings.Contains(accepted.Reason, `"t-100"`) {
		t.Fatalf("got %s, want quarantine that proposes the tenant", answer)
	}
	if done, err := c.bridge.gateway.Replay(c.ctx, accepted.Quarantine, "tester", ""); err != nil || done.Again == "" {
		t.Fatalf("replay before the tenant is set: %+v, %v; want it to stay", done, err)
	}
	c.edit(t, "Connection", "epm", `tenant: ""`, `tenant: "t-100"`)
	done, err := c.bridge.gateway.Replay(c.ctx, accepted.Quarantine, "tester", "")
	if err != nil || done.Event == "" {
		t.Fatalf("replay: %+v, %v", done, err)
	}
	_, err = c.ticket("r-1")
	must(t, err)
}

func TestPausedConnectionKeepsItsEvents(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.edit(t, "Connection", "epm", "connector: epm", "connector: epm\nstate: paused")
	id := c.epm.RequestApplication(anaAsksForATool)
	must(t, c.until(func() error { _, err := c.caseOf(id); return err }))
	view, err := c.caseOf(id)
	must(t, err)
	if len(view.Deliveries) != 0 || view.Events[0].State != "accepted" {
		t.Fatalf("planned while paused: %+v", view)
	}
	c.edit(t, "Connection", "epm", "state: paused", "state: active")
	_, err = c.ticket(id)
	must(t, err)
	c.edit(t, "Connection", "epm", "state: active", "state: disabled")
	status, _, _ := c.send1(t, "/in/epm", "{}", "application/json", func(r *http.Request) { r.SetBasicAuth(demoHookUser, c.hookPassword) })
	if status != http.StatusForbidden {
		t.Errorf("a disabled connection answers %d, want 403", status)
	}
}

func TestDecisionBeforeItsRequestOpensNoTicket(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id := "r-early"
	_, err := c.post(`{"EventType":"URM_NATIVE_DECISION_UPDATE","RequestId":"r-early","TenantId":"t-100","Decision":"Denied","DecisionTime":"20260105T110000Z","DecisionPerformedByUser":"Root"}`)
	must(t, err)
	_, err = c.post(`{"EventType":"URM_Native_Ticket_Created","RequestId":"r-early","TenantId":"t-100","User":"CORP\\ana","ProductName":"Tool"}`)
	must(t, err)
	must(t, c.until(func() error {
		view, err := c.caseOf(id)
		if err != nil {
			return err
		}
		for _, e := range view.Events {
			if e.State == "accepted" {
				return fmt.Errorf("%s is not planned yet", e.Kind)
			}
		}
		if len(view.Tickets) != 0 || view.Decision == nil || view.Decision.Outcome != "denied" {
			t.Fatalf("got %+v, want the decision and no ticket", view)
		}
		return nil
	}))
	if n := len(c.jira.Issues()); n != 0 {
		t.Errorf("%d tickets were opened, want none", n)
	}
}

func TestDataCenterLoop(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite, func(o *worldOptions) {
		o.Jira = func(j *jirastandin.Options) { j.DataCenter = true }
	})
	c.edit(t, "Connection", "jira", "settings:", "settings:\n  deployment: data_center")
	c.edit(t, "Connection", "jira", "user: bridge@example.test", "user: bridge")
	c.edit(t, "People", "staff", "jira: [acc-kim]", "jira: [kim]")
	id, issue, err := c.request()
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	_, err = c.decided(id, issue.Key, "Approved")
	must(t, err)
}

func TestAdminDecisionWithoutAPathIsRefusedVisibly(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.edit(t, "Connection", "epm", "decision_path: /management-api/v3/AdminAccessRequest/notification", "decision_path: \"\"")
	id := c.epm.RequestAdmin(maxAsksForRights)
	issue, err := c.ticket(id)
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.until(func() error { return c.comment(issue.Key, "admin.decision_path") }))
	must(t, c.silent(id))
}

func TestRequestsWithRawValuesAreRead(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite, func(o *worldOptions) {
		o.EPM = func(e *epmstandin.Options) { e.RawValues = true }
	})
	id := c.epm.RequestApplication(epmstandin.AppRequest{User: `CORP\ana`, Hostname: "PC-7", Reason: "line one\nline two", ProductName: "Tool", FilePath: `C:\tools\new.exe`})
	issue, err := c.ticket(id)
	must(t, err)
	if !strings.Contains(issue.Description, `C:\tools\new.exe`) {
		t.Errorf("the description lost the path: %s", issue.Description)
	}
}
