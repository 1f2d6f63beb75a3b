package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// The cases below try to get a decision posted that nobody with the right to decide has made. Each plays on a request
// of its own; afterwards the source must have been told nothing, or what the case says was decided rightly.

// hostile is one attack on one request.
type hostile struct {
	name string
	do   func(h *scene)
	told []string // decisions the source is rightly told; none by default
}

// scene is what an attack acts on.
type scene struct {
	*check
	t     *testing.T
	id    string
	issue jirastandin.Issue
}

func (h *scene) must(err error) { h.t.Helper(); must(h.t, err) }

func (h *scene) move(by, status string) {
	h.t.Helper()
	var fields map[string]any
	if status == "Done" {
		fields = map[string]any{"resolution": "Done"}
	}
	h.must(h.jira.Move(h.issue.Key, by, status, fields))
}

func (h *scene) edit(by string, fields map[string]any) {
	h.t.Helper()
	h.must(h.jira.Edit(h.issue.Key, by, fields))
}

// play runs attacks one after the other in one world.
func play(t *testing.T, c *check, attacks []hostile) {
	t.Helper()
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			h := &scene{check: c, t: t}
			var err error
			h.id, h.issue, err = c.request()
			must(t, err)
			must(t, c.settled())
			a.do(h)
			must(t, c.settled())
			told := c.epm.Decisions(h.id)
			if len(told) != len(a.told) {
				t.Fatalf("the source was told %+v, want %v", told, a.told)
			}
			for i := range told {
				if told[i].Decision != a.told[i] {
					t.Errorf("the source was told %s, want %s", told[i].Decision, a.told[i])
				}
			}
		})
	}
}

// theatre is a world for attacks. The desk is read after its notices only, so that an attack chooses the moment.
func theatre(t *testing.T, change ...func(*worldOptions)) *check {
	t.Helper()
	c := start(t, storetest.SQLite, change...)
	c.edit(t, "Connection", "jira", "watch: {every: 1s}", "watch: {every: -1s}")
	_, _, err := c.request() // whoever opened its ticket goes by the new settings
	must(t, err)
	must(t, c.settled())
	return c
}

// crowd is the usual people and some who pretend.
func crowd(o *worldOptions) {
	o.Jira = func(j *jirastandin.Options) {
		j.Accounts = append(jirastandin.DefaultAccounts(),
			jirastandin.Account{ID: "acc-eve", Name: "Eve", Mail: "eve@elsewhere.example"},
			jirastandin.Account{ID: "acc-kim-too", Name: "Kim Okafor", Mail: "kim.okafor@elsewhere.example"},
			jirastandin.Account{ID: "acc-ana-too", Name: "Somebody Else", Mail: "ana@corp.example"},
			jirastandin.Account{ID: "acc-mixed", Name: "Mixed", Mail: "kim@corp.example"},
			jirastandin.Account{ID: "acc-kim-second", Name: "Kim at home", Mail: "kim.home@elsewhere.example"},
		)
	}
}

const (
	approvedStatus = "Approved"
	declinedStatus = "Declined"
	openStatus     = "Open"
)

func TestHostileMovers(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	c.edit(t, "People", "staff", "jira: [acc-max]", "jira: [acc-max, acc-mixed]")
	c.edit(t, "People", "staff", "jira: [acc-kim]", "jira: [acc-kim, acc-kim-second]")
	var attacks []hostile
	for _, who := range []struct{ name, account string }{
		{"somebody without the right", "acc-max"}, {"the requester", "acc-ana"}, {"an automation", "acc-robot"}, {"our own account", "acc-bridge"},
		{"a stranger", "acc-eve"}, {"a stranger with an approver's display name", "acc-kim-too"}, {"the requester under a second account", "acc-ana-too"},
		{"an account joined to two people", "acc-mixed"},
	} {
		for _, status := range []string{approvedStatus, declinedStatus} {
			attacks = append(attacks,
				hostile{who.name + " moves to " + status, func(h *scene) { h.move(who.account, status) }, nil},
				hostile{who.name + " goes by another status to " + status, func(h *scene) { h.move(who.account, "In Review"); h.move(who.account, status) }, nil},
			)
		}
	}
	attacks = append(attacks,
		hostile{"an approver looks at it only", func(h *scene) { h.move("acc-kim", "In Review") }, nil},
		hostile{"an approver closes what somebody else approved", func(h *scene) { h.move("acc-max", approvedStatus); h.move("acc-kim", "Done") }, nil},
		hostile{"an approver edits what somebody else approved", func(h *scene) {
			h.move("acc-max", approvedStatus)
			h.edit("acc-kim", map[string]any{"customfield_10042": "x"})
		}, nil},
		hostile{"an approver comments on what somebody else approved", func(h *scene) {
			h.move("acc-max", approvedStatus)
			h.must(h.jira.CommentAs(h.issue.Key, "acc-kim", "Approved"))
		}, nil},
		hostile{"a comment that looks like a status", func(h *scene) {
			h.must(h.jira.CommentAs(h.issue.Key, "acc-kim", "status: Approved\n{\"status\":\"Approved\"}"))
		}, nil},
		hostile{"a comment that looks like an outcome of ours", func(h *scene) {
			h.must(h.jira.CommentAs(h.issue.Key, "acc-max", "Approved by Kim Okafor: accepted by epm."))
		}, nil},
		hostile{"a field that says approved", func(h *scene) { h.edit("acc-kim", map[string]any{"customfield_10042": "Approved"}) }, nil},
		hostile{"a label that says approved", func(h *scene) {
			h.must(h.jira.EditLabels(h.issue.Key, "acc-kim", []string{"approved", "drawbridge-approved"}, nil))
		}, nil},
		hostile{"an approver takes it back before anybody reads it", func(h *scene) {
			h.jira.DropWebhooks(true)
			h.move("acc-kim", approvedStatus)
			h.move("acc-kim", openStatus)
			h.jira.DropWebhooks(false)
		}, nil},
		hostile{"somebody else moves it on before anybody reads it", func(h *scene) {
			h.jira.DropWebhooks(true)
			h.move("acc-kim", approvedStatus)
			h.move("acc-max", openStatus)
			h.move("acc-max", approvedStatus)
			h.jira.DropWebhooks(false)
			h.must(h.jira.CommentAs(h.issue.Key, "acc-max", "read me"))
		}, nil},
		hostile{"two tabs: one decision", func(h *scene) {
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			h.move("acc-lee", openStatus)
			h.move("acc-lee", declinedStatus)
		}, []string{"Approved"}},
		hostile{"approved, then denied", func(h *scene) {
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			h.move("acc-kim", openStatus)
			h.move("acc-kim", declinedStatus)
			h.must(h.settled())
			h.move("acc-kim", openStatus)
			h.move("acc-kim", approvedStatus)
		}, []string{"Approved"}},
	)
	play(t, c, attacks)
}

func TestHostileTickets(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	label := func(h *scene) string { return mark(h.issue)[0] }
	key := func(h *scene) string { return strings.TrimPrefix(label(h), "drawbridge-") }
	other := func(h *scene) *scene {
		id, issue, err := h.request()
		h.must(err)
		h.must(h.settled())
		return &scene{check: h.check, t: h.t, id: id, issue: issue}
	}
	bothSilent := func(h, o *scene) {
		h.must(h.settled())
		h.must(h.silent(o.id))
	}
	play(t, c, []hostile{
		{"a clone is approved", func(h *scene) {
			clone, err := h.jira.Clone(h.issue.Key, "acc-max")
			h.must(err)
			h.must(h.jira.Move(clone, "acc-kim", approvedStatus, nil))
		}, nil},
		{"an approver's own clone is approved", func(h *scene) {
			clone, err := h.jira.Clone(h.issue.Key, "acc-kim")
			h.must(err)
			h.must(h.jira.Move(clone, "acc-kim", approvedStatus, nil))
		}, nil},
		{"a clone with our property is approved", func(h *scene) {
			clone, err := h.jira.Clone(h.issue.Key, "acc-max")
			h.must(err)
			h.must(h.jira.SetProperty(clone, "drawbridge", map[string]string{"key": key(h)}))
			h.must(h.jira.Move(clone, "acc-kim", approvedStatus, nil))
		}, nil},
		{"the label is removed", func(h *scene) {
			h.must(h.jira.EditLabels(h.issue.Key, "acc-max", nil, []string{label(h)}))
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the label is replaced", func(h *scene) {
			h.must(h.jira.EditLabels(h.issue.Key, "acc-max", []string{"drawbridge-aaaaaaaaaaaaaaaa"}, []string{label(h)}))
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the property is removed", func(h *scene) {
			h.must(h.jira.SetProperty(h.issue.Key, "drawbridge", nil))
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the property is replaced", func(h *scene) {
			h.must(h.jira.SetProperty(h.issue.Key, "drawbridge", map[string]string{"key": "aaaaaaaaaaaaaaaa"}))
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the property is broken", func(h *scene) {
			h.must(h.jira.SetProperty(h.issue.Key, "drawbridge", []int{1}))
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"keys of two tickets are swapped", func(h *scene) {
			o := other(h)
			h.must(h.jira.EditLabels(h.issue.Key, "acc-max", mark(o.issue), mark(h.issue)))
			h.must(h.jira.EditLabels(o.issue.Key, "acc-max", mark(h.issue), mark(o.issue)))
			h.must(h.jira.SetProperty(h.issue.Key, "drawbridge", map[string]string{"key": key(o)}))
			h.must(h.jira.SetProperty(o.issue.Key, "drawbridge", map[string]string{"key": key(h)}))
			h.move("acc-kim", approvedStatus)
			o.move("acc-kim", approvedStatus)
			bothSilent(h, o)
		}, nil},
		{"the key of one ticket is copied to another", func(h *scene) {
			o := other(h)
			h.must(h.jira.EditLabels(o.issue.Key, "acc-max", mark(h.issue), mark(o.issue)))
			h.must(h.jira.SetProperty(o.issue.Key, "drawbridge", map[string]string{"key": key(h)}))
			o.move("acc-kim", approvedStatus)
			bothSilent(h, o)
		}, nil},
		{"both keys on one ticket", func(h *scene) {
			o := other(h)
			h.must(h.jira.EditLabels(o.issue.Key, "acc-max", mark(h.issue), nil))
			h.must(h.jira.SetProperty(o.issue.Key, "drawbridge", map[string]string{"key": key(h)}))
			o.move("acc-kim", approvedStatus)
			bothSilent(h, o)
		}, nil},
		{"the ticket is deleted", func(h *scene) { h.must(h.jira.Delete(h.issue.Key, "acc-kim")) }, nil},
		{"the summary is edited, then approved", func(h *scene) {
			h.edit("acc-max", map[string]any{"summary": "something harmless"})
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the requester edits the summary, then it is approved", func(h *scene) {
			h.edit("acc-ana", map[string]any{"summary": "something harmless"})
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the approver edits the summary and approves", func(h *scene) {
			h.edit("acc-kim", map[string]any{"summary": "something harmless"})
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the description is edited, then approved", func(h *scene) {
			h.edit("acc-max", map[string]any{"description": "harmless"})
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"edited after the approval, before anybody read it", func(h *scene) {
			h.jira.DropWebhooks(true)
			h.move("acc-kim", approvedStatus)
			h.jira.DropWebhooks(false)
			h.edit("acc-max", map[string]any{"summary": "something else"})
		}, nil},
		{"edited and put back after the approval", func(h *scene) {
			h.jira.DropWebhooks(true)
			h.move("acc-kim", approvedStatus)
			h.edit("acc-max", map[string]any{"summary": "something else"})
			h.jira.DropWebhooks(false)
			h.edit("acc-max", map[string]any{"summary": h.issue.Summary})
		}, nil},
		{"edited, approved, put back", func(h *scene) {
			h.edit("acc-max", map[string]any{"summary": "something harmless"})
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			h.edit("acc-max", map[string]any{"summary": h.issue.Summary})
		}, nil},
		{"a ticket made by hand with our marks", func(h *scene) {
			made, err := h.jira.Clone(h.issue.Key, "acc-max")
			h.must(err)
			h.must(h.jira.SetProperty(made, "drawbridge", map[string]string{"key": key(h)}))
			h.must(h.jira.Delete(h.issue.Key, "acc-max"))
			h.must(h.jira.Move(made, "acc-kim", approvedStatus, nil))
		}, nil},
	})
}

func TestHostileWebhooks(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	claim := func(h *scene, status string) string {
		text, err := json.Marshal(map[string]any{
			"timestamp": time.Now().UnixMilli(), "webhookEvent": "jira:issue_updated", "user": map[string]any{"accountId": "acc-kim"},
			"issue":     map[string]any{"id": h.issue.ID, "key": h.issue.Key, "fields": map[string]any{"status": map[string]any{"name": status}}},
			"changelog": map[string]any{"items": []any{map[string]any{"field": "status", "fromString": "Open", "toString": status}}},
		})
		h.must(err)
		return string(text)
	}
	sign := func(secret, body string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		return "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	send := func(h *scene, path, body string, header map[string]string, want int) {
		h.t.Helper()
		status, _, text := h.send1(h.t, path, body, "application/json", func(r *http.Request) {
			for k, v := range header {
				r.Header.Set(k, v)
			}
		})
		if status != want {
			h.t.Errorf("answered %d %s, want %d", status, text, want)
		}
	}
	genuine := func(h *scene) string { return h.hookSecret }
	play(t, c, []hostile{
		{"unsigned", func(h *scene) { send(h, "/in/jira", claim(h, approvedStatus), nil, 401) }, nil},
		{"signed with another secret", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign("guess", body)}, 401)
		}, nil},
		{"signed with an empty secret", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign("", body)}, 401)
		}, nil},
		{"signature of another body", func(h *scene) {
			send(h, "/in/jira", claim(h, approvedStatus), map[string]string{"X-Hub-Signature": sign(genuine(h), claim(h, declinedStatus))}, 401)
		}, nil},
		{"signature without its method", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": strings.TrimPrefix(sign(genuine(h), body), "sha256=")}, 401)
		}, nil},
		{"signature under a weaker method's name", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": strings.Replace(sign(genuine(h), body), "sha256=", "sha1=", 1)}, 401)
		}, nil},
		{"the tool's credentials at the desk's door", func(h *scene) {
			status, _, _ := h.send1(h.t, "/in/jira", claim(h, approvedStatus), "application/json", func(r *http.Request) { r.SetBasicAuth(demoHookUser, h.hookPassword) })
			if status != http.StatusUnauthorized {
				h.t.Errorf("answered %d, want 401", status)
			}
		}, nil},
		{"rightly signed, but the ticket says otherwise", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign(genuine(h), body)}, 202)
		}, nil},
		{"rightly signed a hundred times", func(h *scene) {
			body := claim(h, approvedStatus)
			for range 100 {
				send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign(genuine(h), body)}, 202)
			}
		}, nil},
		{"a genuine notice sent again after the ticket was moved back", func(h *scene) {
			h.jira.DropWebhooks(true)
			h.move("acc-kim", approvedStatus)
			body := claim(h, approvedStatus)
			h.move("acc-kim", openStatus)
			h.jira.DropWebhooks(false)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign(genuine(h), body)}, 202)
		}, nil},
		{"a notice of a ticket that is not there", func(h *scene) {
			body := strings.Replace(claim(h, approvedStatus), h.issue.ID, "999999", 1)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign(genuine(h), body)}, 202)
		}, nil},
		{"a decision event at the tool's door without credentials", func(h *scene) {
			send(h, "/in/epm", decisionEvent(h.id, demoTenant), nil, 401)
		}, nil},
		{"a desk's notice at the tool's door", func(h *scene) {
			_, err := h.post(claim(h, approvedStatus))
			h.must(err)
		}, nil},
		{"a decision event of another tenant", func(h *scene) {
			_, err := h.post(decisionEvent(h.id, "t-999"))
			h.must(err)
		}, nil},
		{"a second RequestId in the body", func(h *scene) {
			_, err := h.post(strings.Replace(decisionEvent("r-x", demoTenant), `"Decision"`, `"RequestId":"`+h.id+`","Decision"`, 1))
			h.must(err)
		}, nil},
		{"a decision typed into the reason", func(h *scene) {
			id := h.epm.RequestApplication(epmstandin.AppRequest{User: `CORP\ana`, ProductName: "Tool", Reason: `x","Decision":"Approved","DecisionTime":"20260105T110000Z","a":"`})
			_, err := h.ticket(id)
			h.must(err)
			h.must(h.silent(id))
		}, nil},
		{"the request sent again under another name, then the first requester approves", func(h *scene) {
			_, err := h.post(fmt.Sprintf(`{"EventType":"URM_Native_Ticket_Created","RequestId":%q,"TenantId":%q,"requestInfo":{"user":"CORP\\max"}}`, h.id, demoTenant))
			h.must(err)
			h.move("acc-ana", approvedStatus)
		}, nil},
		{"decided at the tool first, then here", func(h *scene) {
			h.must(h.epm.DecideInConsole(h.id, epmstandin.Denied, "Root"))
			h.must(h.settled())
			h.move("acc-kim", openStatus)
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"decided at the tool while the click is on its way", func(h *scene) {
			h.must(h.epm.DecideInConsole(h.id, epmstandin.Denied, "Root"))
			_, err := h.epm.Flush(h.ctx)
			h.must(err)
			h.jira.DropWebhooks(true)
			err = h.jira.Move(h.issue.Key, "acc-kim", approvedStatus, nil)
			h.jira.DropWebhooks(false)
			if err == nil {
				h.must(h.jira.CommentAs(h.issue.Key, "acc-max", "read me"))
			}
		}, nil},
	})
}

func decisionEvent(id, tenant string) string {
	return fmt.Sprintf(`{"EventType":"URM_NATIVE_DECISION_UPDATE","RequestId":%q,"TenantId":%q,"Decision":"Approved","DecisionTime":"20260105T110000Z","DecisionPerformedByUser":"Root"}`, id, tenant)
}

func TestHostileGroupsAndPeople(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	c.policy(t, "approvers: {groups: [endpoint-approvers]}\n")
	later := func(h *scene, change func()) {
		h.jira.DropWebhooks(true)
		h.move("acc-kim", approvedStatus)
		change()
		h.jira.DropWebhooks(false)
		h.must(h.jira.CommentAs(h.issue.Key, "acc-max", "read me"))
		h.must(h.settled())
	}
	play(t, c, []hostile{
		{"the approver left the group in between", func(h *scene) {
			later(h, func() { h.must(h.jira.SetGroups("acc-kim", "jira-users")) })
			h.must(h.jira.SetGroups("acc-kim", "jira-users", "endpoint-approvers"))
		}, nil},
		{"a group of nearly the same name", func(h *scene) {
			h.must(h.jira.SetGroups("acc-max", "Endpoint-Approvers", "endpoint-approvers "))
			h.move("acc-max", approvedStatus)
			h.must(h.settled())
			h.must(h.jira.SetGroups("acc-max", "jira-users"))
		}, nil},
		{"a stranger in the group", func(h *scene) {
			h.must(h.jira.SetGroups("acc-eve", "endpoint-approvers"))
			h.move("acc-eve", approvedStatus)
		}, nil},
		{"the requester in the group", func(h *scene) {
			h.must(h.jira.SetGroups("acc-ana", "endpoint-approvers"))
			h.move("acc-ana", approvedStatus)
		}, nil},
		{"the requester's second account in the group", func(h *scene) {
			h.must(h.jira.SetGroups("acc-ana-too", "endpoint-approvers"))
			h.move("acc-ana-too", approvedStatus)
		}, nil},
		{"an automation in the group", func(h *scene) {
			h.must(h.jira.SetGroups("acc-robot", "endpoint-approvers"))
			h.move("acc-robot", approvedStatus)
		}, nil},
		{"the approver is nobody's account any more", func(h *scene) {
			later(h, func() { h.edit1("People", "staff", "jira: [acc-kim]", "jira: [acc-was-kim]") })
			h.edit1("People", "staff", "jira: [acc-was-kim]", "jira: [acc-kim]")
		}, nil},
		{"the approver's account turns out to be the requester's", func(h *scene) {
			later(h, func() {
				h.edit1("People", "staff", "jira: [acc-kim]", "jira: [acc-was-kim]")
				h.edit1("People", "staff", "jira: [acc-ana]", "jira: [acc-ana, acc-kim]")
			})
			h.edit1("People", "staff", "jira: [acc-ana, acc-kim]", "jira: [acc-ana]")
			h.edit1("People", "staff", "jira: [acc-was-kim]", "jira: [acc-kim]")
		}, nil},
		{"a requester nobody knows", func(h *scene) {
			id := h.epm.RequestApplication(epmstandin.AppRequest{User: `CORP\nobody`, ProductName: "Tool"})
			issue, err := h.ticket(id)
			h.must(err)
			h.must(h.settled())
			h.must(h.jira.Move(issue.Key, "acc-kim", approvedStatus, nil))
			h.must(h.settled())
			h.must(h.silent(id))
		}, nil},
		{"a request without a requester", func(h *scene) {
			id := h.epm.RequestApplication(epmstandin.AppRequest{ProductName: "Tool"})
			issue, err := h.ticket(id)
			h.must(err)
			h.must(h.settled())
			h.must(h.jira.Move(issue.Key, "acc-kim", approvedStatus, nil))
			h.must(h.settled())
			h.must(h.silent(id))
		}, nil},
		{"the requester written in other letters", func(h *scene) {
			id := h.epm.RequestApplication(epmstandin.AppRequest{User: `corp\KIM`, ProductName: "Tool"})
			issue, err := h.ticket(id)
			h.must(err)
			h.must(h.settled())
			h.must(h.jira.Move(issue.Key, "acc-kim", approvedStatus, nil))
			h.must(h.settled())
			h.must(h.silent(id))
		}, nil},
	})
}

// edit1 is edit for a scene.
func (h *scene) edit1(kind, name, old, with string) {
	h.t.Helper()
	h.check.edit(h.t, kind, name, old, with)
}

func TestHostileQuorum(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	c.edit(t, "People", "staff", "jira: [acc-kim]", "jira: [acc-kim, acc-kim-second]")
	c.policy(t, "approvers: {people: [kim, lee]}\nquorum: 2\n")
	twice := func(first, between, second string) func(h *scene) {
		return func(h *scene) {
			h.move(first, approvedStatus)
			h.must(h.settled())
			h.move(between, openStatus)
			h.move(second, approvedStatus)
		}
	}
	play(t, c, []hostile{
		{"one alone", func(h *scene) { h.move("acc-kim", approvedStatus) }, nil},
		{"the same person twice", twice("acc-kim", "acc-kim", "acc-kim"), nil},
		{"the same person twice, moved back by another", twice("acc-kim", "acc-max", "acc-kim"), nil},
		{"one person under two accounts", twice("acc-kim", "acc-max", "acc-kim-second"), nil},
		{"an approver and somebody without the right", twice("acc-kim", "acc-max", "acc-max"), nil},
		{"somebody without the right, then an approver", twice("acc-max", "acc-kim", "acc-kim"), nil},
		{"an approver and the requester", twice("acc-kim", "acc-ana", "acc-ana"), nil},
		{"an approver and an automation", twice("acc-kim", "acc-max", "acc-robot"), nil},
		{"an approver and a stranger", twice("acc-kim", "acc-max", "acc-eve"), nil},
		{"an approver takes theirs back, then the other", twice("acc-kim", "acc-kim", "acc-lee"), nil},
		{"edited between the two", func(h *scene) {
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			h.edit("acc-max", map[string]any{"summary": "something else"})
			h.edit("acc-max", map[string]any{"summary": h.issue.Summary})
			h.move("acc-lee", openStatus)
			h.move("acc-lee", approvedStatus)
		}, nil},
		{"an approver takes theirs back under a second account, then the other", func(h *scene) {
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			h.move("acc-kim-second", openStatus)
			h.move("acc-lee", approvedStatus)
		}, nil},
		{"one approves, one declines: the no counts", func(h *scene) {
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			h.move("acc-lee", openStatus)
			h.move("acc-lee", declinedStatus)
		}, []string{"Denied"}},
	})
	c.policy(t, "approvers: {people: [kim, lee]}\nquorum: 2\ndeny: quorum\n")
	play(t, c, []hostile{
		{"an approver changes to no, then the other approves", func(h *scene) {
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			h.move("acc-lee", openStatus)
			h.move("acc-kim", declinedStatus)
			h.must(h.settled())
			h.move("acc-lee", openStatus)
			h.move("acc-lee", approvedStatus)
		}, nil},
	})
}

// What the approver chose, or what the right to decide depends on, is changed by somebody else.
func TestHostileFields(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	hours := func(h *scene, by, n string) { h.edit(by, map[string]any{"customfield_10042": n}) }
	priority := func(h *scene, by, name string) {
		h.edit(by, map[string]any{"priority": map[string]any{"name": name}})
	}
	c.policy(t, "approvers:\n  people: [kim]\n  when: ticket.priority != \"Medium\"\n")
	play(t, c, []hostile{
		{"the requester makes the condition hold after the click", func(h *scene) {
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			priority(h, "acc-ana", "Low")
		}, nil},
		{"the requester makes the condition hold before the click", func(h *scene) {
			priority(h, "acc-ana", "Low")
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the approver makes the condition hold", func(h *scene) {
			priority(h, "acc-kim", "Low")
			h.move("acc-kim", approvedStatus)
		}, nil},
	})
	c.policy(t, "approvers: {people: [kim]}\ndurations: {max: 8h, default: 1h}\n")
	c.edit(t, "Rule", "epm-app-requests", "  policy: endpoint-approvers", "  duration: ticket.fields.customfield_10042\n  policy: endpoint-approvers")
	play(t, c, []hostile{
		{"the requester chooses the duration before the click", func(h *scene) {
			hours(h, "acc-ana", "8h")
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			h.must(h.comment(h.issue.Key, "chosen by somebody who does not decide"))
		}, nil},
		{"the requester chooses the duration after the click", func(h *scene) {
			h.jira.DropWebhooks(true)
			hours(h, "acc-kim", "2h")
			h.move("acc-kim", approvedStatus)
			h.jira.DropWebhooks(false)
			hours(h, "acc-ana", "8h")
			h.must(h.settled())
			if told := h.epm.Decisions(h.id); len(told) != 1 || told[0].Duration != "7200" {
				h.t.Errorf("the source was told %+v, want 7200 seconds", told)
			}
		}, []string{"Approved"}},
		{"the approver chooses again after the requester did", func(h *scene) {
			hours(h, "acc-ana", "8h")
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			hours(h, "acc-kim", "30m")
			h.must(h.settled())
			if told := h.epm.Decisions(h.id); len(told) != 1 || told[0].Duration != "1800" {
				h.t.Errorf("the source was told %+v, want 1800 seconds", told)
			}
		}, []string{"Approved"}},
	})
}

func TestHostileTime(t *testing.T) {
	t.Parallel()
	var clock virtual
	c := theatre(t, withClock(&clock))
	c.policy(t, "approvers: {people: [kim]}\ndeadline: {after: 2h, deputy: {after: 1h, people: [lee]}, then: leave}\n")
	play(t, c, []hostile{
		{"a deputy before their time", func(h *scene) { h.move("acc-lee", approvedStatus) }, nil},
		{"a deputy's early move read in their time", func(h *scene) {
			h.jira.DropWebhooks(true)
			h.move("acc-lee", approvedStatus)
			clock.forward(61 * time.Minute)
			h.jira.DropWebhooks(false)
			h.must(h.jira.CommentAs(h.issue.Key, "acc-max", "read me"))
		}, nil},
		{"after the deadline", func(h *scene) {
			clock.forward(2*time.Hour + time.Minute)
			h.move("acc-kim", approvedStatus)
		}, nil},
	})
	day := clock.now().UTC().AddDate(0, 0, 3).Weekday().String()[:3]
	c.policy(t, "approvers: {people: [kim]}\nhours: {zone: UTC, days: ["+strings.ToLower(day)+"], from: '00:00', to: '00:01'}\n")
	play(t, c, []hostile{
		{"outside the hours", func(h *scene) { h.move("acc-kim", approvedStatus) }, nil},
	})
}

func TestHostileVersions(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	play(t, c, []hostile{
		{"the policy is loosened after the case opened", func(h *scene) {
			h.edit1("Policy", "endpoint-approvers", "people: [kim, lee]", "people: [kim, lee, max]")
			h.move("acc-max", approvedStatus)
			h.must(h.settled())
			h.edit1("Policy", "endpoint-approvers", "people: [kim, lee, max]", "people: [kim, lee]")
		}, nil},
		{"the rule is changed after the case opened", func(h *scene) {
			h.edit1("Rule", "epm-app-requests", `approved: ticket.status == "Approved"`, `approved: ticket.status == "In Review"`)
			h.move("acc-kim", "In Review")
			h.must(h.settled())
			h.edit1("Rule", "epm-app-requests", `approved: ticket.status == "In Review"`, `approved: ticket.status == "Approved"`)
		}, nil},
	})
}

func TestHostileAdministration(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	deliveries := func(h *scene) []gateway.DeliveryView {
		view, err := h.caseOf(h.id)
		h.must(err)
		return view.Deliveries
	}
	refused := func(h *scene, what string, err error) {
		h.t.Helper()
		if err == nil {
			h.t.Errorf("%s was let through", what)
		}
	}
	dead := func(h *scene) gateway.DeliveryView {
		h.epm.FailNext(1, http.StatusForbidden)
		h.move("acc-kim", approvedStatus)
		h.must(h.settled())
		for _, d := range deliveries(h) {
			if d.Action == "decide" {
				return d
			}
		}
		h.t.Fatal("there is no decision delivery")
		return gateway.DeliveryView{}
	}
	edit := func(h *scene, id string, change func(map[string]any)) error {
		text, err := h.bridge.gateway.Show(h.ctx, id)
		h.must(err)
		var action map[string]any
		h.must(json.Unmarshal(text, &action))
		change(action)
		text, err = json.Marshal(action)
		h.must(err)
		_, err = h.bridge.gateway.ReplayEdited(h.ctx, id, text, "mallory", "")
		return err
	}
	request := func(method, path string) func(h *scene) {
		return func(h *scene) {
			view, err := h.caseOf(h.id)
			h.must(err)
			status, _, _ := h.send1(h.t, strings.Replace(path, "{id}", view.ID, 1), `{"outcome":"approved"}`, "application/json", func(r *http.Request) {
				r.Method = method
				r.Header.Set("Authorization", "Bearer "+h.token)
			})
			if status < 400 {
				h.t.Errorf("answered %d, want a refusal", status)
			}
		}
	}
	play(t, c, []hostile{
		{"POST a decision to the API", request(http.MethodPost, "/api/v1/cases/{id}/decision"), nil},
		{"PUT a case by the API", request(http.MethodPut, "/api/v1/cases/{id}"), nil},
		{"PATCH a case by the API", request(http.MethodPatch, "/api/v1/cases/{id}"), nil},
		{"POST to the list of cases", request(http.MethodPost, "/api/v1/cases"), nil},
		{"replay of a ticket that was opened", func(h *scene) {
			_, err := h.bridge.gateway.Replay(h.ctx, deliveries(h)[0].ID, "mallory", "")
			refused(h, "the replay", err)
		}, nil},
		{"edit of a ticket that was opened", func(h *scene) {
			refused(h, "the edit", edit(h, deliveries(h)[0].ID, func(a map[string]any) { a["ticket"].(map[string]any)["summary"] = "x" }))
		}, nil},
		{"rendering anew of a ticket that was opened", func(h *scene) {
			refused(h, "the replan", h.bridge.gateway.Replan(h.ctx, deliveries(h)[0].ID, "mallory", ""))
		}, nil},
		{"edit of a dead decision", func(h *scene) {
			d := dead(h)
			refused(h, "the edit", edit(h, d.ID, func(a map[string]any) { a["decision"].(map[string]any)["outcome"] = "denied" }))
			h.epm.Reset()
		}, nil},
		{"rendering anew of a dead decision", func(h *scene) {
			d := dead(h)
			refused(h, "the replan", h.bridge.gateway.Replan(h.ctx, d.ID, "mallory", ""))
			h.epm.Reset()
		}, nil},
		{"edit of a dead ticket into a decision", func(h *scene) {
			id, d := deadTicket(h)
			refused(h, "the edit", edit(h, d.ID, func(a map[string]any) {
				a["kind"] = "decide"
				a["decision"] = map[string]any{"request_id": id, "outcome": "approved"}
			}))
			h.must(h.silent(id))
		}, nil},
		{"edit of a dead ticket with a decision beside", func(h *scene) {
			_, d := deadTicket(h)
			refused(h, "the edit", edit(h, d.ID, func(a map[string]any) { a["decision"] = map[string]any{"outcome": "approved"} }))
		}, nil},
		{"edit of a dead ticket under another key", func(h *scene) {
			_, d := deadTicket(h)
			refused(h, "the edit", edit(h, d.ID, func(a map[string]any) { a["key"] = "aaaaaaaaaaaaaaaa" }))
		}, nil},
		{"edited ticket takes a second person", func(h *scene) {
			id, d := deadTicket(h)
			h.must(edit(h, d.ID, func(a map[string]any) { a["ticket"].(map[string]any)["summary"] = "Ana asks for a new mouse" }))
			issue, err := h.ticket(id)
			h.must(err)
			h.must(h.until(func() error {
				return h.comment(issue.Key, "mallory edited by hand what Drawbridge wrote here (create)")
			}))
			h.must(h.jira.Move(issue.Key, "acc-kim", approvedStatus, nil))
			h.must(h.until(func() error { return h.comment(issue.Key, "counts as 1 of 2") }))
			h.must(h.settled())
			h.must(h.silent(id))
			view, err := h.caseOf(id)
			h.must(err)
			if !view.Edited {
				h.t.Error("the case does not show that its ticket was edited")
			}
		}, nil},
		{"edited quarantine under another RequestId", func(h *scene) {
			refused(h, "the edit", editBody(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-other","TenantId":"`+demoTenant+`" broken`, requestEvent(h.id, demoTenant)))
		}, nil},
		{"edited quarantine under a RequestId that the reason names", func(h *scene) {
			refused(h, "the edit", editBody(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-other","Reason":"as in `+h.id+`","TenantId":"`+demoTenant+`" broken`, requestEvent(h.id, demoTenant)))
		}, nil},
		{"edited quarantine under a RequestId that was pasted into the reason", func(h *scene) {
			body := `{"EventType":"URM_Native_Ticket_Created","Reason":"x","RequestId":"` + h.id + `","z":"" broken","RequestId":"r-other","TenantId":"` + demoTenant + `"}`
			refused(h, "the edit", editBody(h, body, requestEvent(h.id, demoTenant)))
		}, nil},
		{"edited quarantine under a part of its RequestId", func(h *scene) {
			refused(h, "the edit", editBody(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"`+h.id+`-2","TenantId":"`+demoTenant+`" broken`, requestEvent(h.id, demoTenant)))
		}, nil},
		{"edited quarantine under another tenant", func(h *scene) {
			refused(h, "the edit", editBody(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"`+h.id+`","TenantId":"t-200"}`, requestEvent(h.id, demoTenant)))
		}, nil},
		{"quarantine edited into a decision", func(h *scene) {
			body := `{"EventType":"URM_Native_Ticket_Created","RequestId":"` + h.id + `","TenantId":"` + demoTenant + `" broken`
			refused(h, "the edit", editBody(h, body, decisionEvent(h.id, demoTenant)))
			view, err := h.caseOf(h.id)
			h.must(err)
			if view.Decision != nil || view.State != "open" {
				h.t.Errorf("the case is %s with the decision %+v", view.State, view.Decision)
			}
		}, nil},
		{"a quarantined decision edited", func(h *scene) {
			body := strings.Replace(decisionEvent(h.id, demoTenant), "Approved", "Denied", 1)
			refused(h, "the edit", editBody(h, body+" broken", decisionEvent(h.id, demoTenant)))
		}, nil},
		{"edited quarantine takes a second person", func(h *scene) {
			q := quarantined(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-edited","TenantId":"`+demoTenant+`","User":"CORP\\max" broken`)
			_, err := h.bridge.gateway.ReplayEdited(h.ctx, q, []byte(`{"EventType":"URM_Native_Ticket_Created","RequestId":"r-edited","TenantId":"`+demoTenant+`","User":"CORP\\max"}`), "mallory", "")
			h.must(err)
			issue, err := h.ticket("r-edited")
			h.must(err)
			h.must(h.settled())
			h.must(h.jira.Move(issue.Key, "acc-kim", approvedStatus, nil))
			h.must(h.settled())
			h.must(h.silent("r-edited"))
		}, nil},
		{"a given-up decision stays given up", func(h *scene) {
			d := dead(h)
			h.must(h.bridge.gateway.Cancel(h.ctx, d.ID, "mallory", ""))
			h.epm.Reset()
			h.move("acc-lee", openStatus)
			h.move("acc-lee", approvedStatus)
		}, nil},
	})
}

// TestHostileEditAtTheGate: whoever waits at the gate is let through by a decision, and an edit makes none.
func TestHostileEditAtTheGate(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	h := &scene{check: c, t: t}
	id, _, err := c.askAtTheGate()
	must(t, err)
	for _, kind := range []string{"RequestApproved", "RequestRejected", "RequestExpired"} {
		_, _, text := c.send1(t, "/in/apono-gate", `{"event_type":"?","data":{"id":"`+id+`"} broken`, "application/json", func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+c.hookPassword)
		})
		var a gateway.Accepted
		must(t, json.Unmarshal([]byte(text), &a))
		_, err = c.bridge.gateway.ReplayEdited(c.ctx, a.Quarantine, []byte(`{"event_type":"`+kind+`","data":{"id":"`+id+`"}}`), "mallory", "")
		if err == nil || !strings.Contains(err.Error(), "neither decide nor end") {
			h.t.Errorf("%s: got %v, want a refusal", kind, err)
		}
		must(t, c.answered(id, "pending"))
	}
}

func requestEvent(id, tenant string) string {
	return `{"EventType":"URM_Native_Ticket_Created","RequestId":"` + id + `","TenantId":"` + tenant + `","User":"CORP\\max"}`
}

// editBody has a body kept in quarantine and edits it.
func editBody(h *scene, before, after string) error {
	h.t.Helper()
	replayed, err := h.bridge.gateway.ReplayEdited(h.ctx, quarantined(h, before), []byte(after), "mallory", "")
	if err == nil && replayed.Again != "" {
		h.t.Errorf("the edit failed of itself: %s", replayed.Again)
	}
	return err
}

// deadTicket makes a request whose ticket Jira refuses.
func deadTicket(h *scene) (string, gateway.DeliveryView) {
	h.t.Helper()
	h.jira.FailOn("create", 1, http.StatusBadRequest, nil)
	id := h.epm.RequestApplication(anaAsksForATool)
	var dead gateway.DeliveryView
	h.must(h.until(func() error {
		view, err := h.caseOf(id)
		if err != nil {
			return err
		}
		if len(view.Deliveries) != 1 || view.Deliveries[0].State != "dead" {
			return errors.New("the ticket is not dead yet")
		}
		dead = view.Deliveries[0]
		return nil
	}))
	return id, dead
}

func quarantined(h *scene, body string) string {
	h.t.Helper()
	answer, err := h.post(body)
	h.must(err)
	var accepted gateway.Accepted
	h.must(json.Unmarshal([]byte(answer), &accepted))
	if !accepted.Quarantined {
		h.t.Fatalf("got %s, want quarantine", answer)
	}
	return accepted.Quarantine
}
