package main

import (
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// The attacks that no table for every desk can hold (hostile_desk_test.go has that): what only Jira lets somebody try, in
// hostile_jira_test.go; what no desk has a part in, in hostile_tool_test.go and hostile_admin_test.go. Each plays on a
// request of its own; afterwards the source must have been told nothing, or what the case says was decided rightly.

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
