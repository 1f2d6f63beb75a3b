package main

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
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
