package jirastandin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func TestMoveFollowsTheWorkflow(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	tests := []struct {
		name, status, person string
		fields               map[string]any
		want                 string
	}{
		{"nobody", "Approved", "acc-nobody", nil, `no account "acc-nobody"`},
		{"nowhere", "Lost", "acc-kim", nil, "only to In Review, Approved, Declined, Won't do, Done"},
		{"missing field", "Done", "acc-kim", nil, "Resolution is required."},
		{"field not on the screen", "Approved", "acc-kim", map[string]any{"labels": []string{"x"}}, "cannot be set"},
	}
	for _, tt := range tests {
		if err := d.Move(key, tt.person, tt.status, tt.fields); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	if got := d.issue(key); got.Status != "Open" || len(got.History) != 0 {
		t.Errorf("got %q, %v", got.Status, got.History)
	}
	if err := d.Move("NOPE-1", "acc-kim", "Approved", nil); err == nil {
		t.Error("want an error for an unknown ticket")
	}
}

func TestCloneIsSomebodyElsesWithoutProperties(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", `,"labels":["drawbridge-1"]`)
	if err := d.SetProperty(key, "drawbridge", map[string]string{"key": "1"}); err != nil {
		t.Fatal(err)
	}
	if err := d.Move(key, "acc-kim", "Approved", nil); err != nil {
		t.Fatal(err)
	}
	clone, err := d.Clone(key, "acc-max")
	if err != nil {
		t.Fatal(err)
	}
	got := d.issue(clone)
	if got.Creator != "acc-max" || got.Summary != "CLONE - a" || !slices.Equal(got.Labels, []string{"drawbridge-1"}) ||
		len(got.Properties) != 0 || got.Status != "Open" || d.issue(key).Creator != "acc-bridge" {
		t.Errorf("got %+v", got)
	}
}

func TestMovedTicketIsFoundUnderBothKeys(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	id := d.issue(key).ID
	moved, err := d.MoveProject(key, "acc-max", "DESK")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{key, moved, id} {
		got := d.call("GET", "/rest/api/3/issue/"+name, "", 200)
		if got.at("id") != id || got.at("key") != "DESK-1" || got.at("fields", "status", "name") != "Waiting for approval" {
			t.Errorf("%s: %s", name, got.raw)
		}
	}
	if d.found("project = ITSEC") != "" || d.found("project = DESK") != moved {
		t.Error("search still knows the former project")
	}
}

func TestDeletedTicketIsGone(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	if err := d.Delete(key, "acc-max"); err != nil {
		t.Fatal(err)
	}
	d.call("GET", "/rest/api/3/issue/"+key, "", 404)
	if got := d.create("b", ""); got != "ITSEC-2" {
		t.Errorf("a key is never used again: got %s", got)
	}
}

func TestApprovalsAreAnsweredByApproversOnly(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	made := d.call("POST", "/rest/servicedeskapi/request", `{"serviceDeskId":"2","requestTypeId":"20","requestFieldValues":{"summary":"a","description":"text"},"raiseOnBehalfOf":"acc-ana"}`, 201)
	key := made.at("issueKey").(string)
	if got := d.issue(key); got.Reporter != "acc-ana" || got.Fields["customfield_10010"] != "Get access" {
		t.Errorf("got %+v", got)
	}
	list := "/rest/servicedeskapi/request/" + key + "/approval"
	first := d.call("GET", list, "", 200).at("values", 0, "id").(string)
	kim, other := d.as("kim@example.test", "token-kim"), d.as("max@example.test", "token-max")
	if refused := other.call("POST", list+"/"+first, `{"decision":"approve"}`, 403); refused.at("errorMessage") == nil {
		t.Errorf("the service desk's own error shape: %s", refused.raw)
	}
	kim.call("POST", list+"/"+first, `{"decision":"approved"}`, 400)
	if got := kim.call("GET", list+"/"+first, "", 200); got.at("canAnswerApproval") != true || got.at("finalDecision") != "pending" {
		t.Errorf("open: %s", got.raw)
	}
	if got := kim.call("POST", list+"/"+first, `{"decision":"approve"}`, 200); got.at("finalDecision") != "approved" || got.at("completedDate") == nil {
		t.Errorf("answered: %s", got.raw)
	}
	kim.call("POST", list+"/"+first, `{"decision":"decline"}`, 409)
	if got := d.issue(key); got.Status != "Approved" || got.History[0].By != "acc-kim" {
		t.Errorf("got %s by %v", got.Status, got.History)
	}
	if err := d.Move(key, "acc-max", "Waiting for approval", nil); err != nil {
		t.Fatal(err)
	}
	if err := d.Answer(key, "acc-lee", "decline"); err != nil {
		t.Fatal(err)
	}
	if got := d.issue(key).Approvals; !slices.Equal(got, []string{"Waiting for approval: approved", "Waiting for approval: declined"}) {
		t.Errorf("a status entered again asks anew: got %v", got)
	}
}

func TestRequestComments(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	plain := d.create("a", "")
	d.call("GET", "/rest/servicedeskapi/request/"+plain, "", 404)
	key := d.call("POST", "/rest/servicedeskapi/request", `{"serviceDeskId":"2","requestTypeId":"20","requestFieldValues":{"summary":"a"}}`, 201).at("issueKey").(string)
	path := "/rest/servicedeskapi/request/" + key + "/comment"
	d.call("POST", path, `{"body":"a"}`, 400)
	d.call("POST", path, `{"body":"","public":true}`, 400)
	d.call("POST", path, `{"body":"a","public":false}`, 201)
	d.call("POST", path, `{"body":"b","public":true}`, 201)
	if got := d.call("GET", path+"?internal=false", "", 200); got.at("size") != 1.0 || got.at("values", 0, "body") != "b" {
		t.Errorf("got %s", got.raw)
	}
	d.call("POST", "/rest/servicedeskapi/request", `{"serviceDeskId":"9","requestTypeId":"20"}`, 400)
	d.call("POST", "/rest/servicedeskapi/request", `{"serviceDeskId":"2","requestTypeId":"99","requestFieldValues":{"summary":"a"}}`, 400)
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	if got := d.call("GET", "/rest/api/3/myself", "", 200); got.at("accountId") != "acc-bridge" || got.at("timeZone") != "Europe/Berlin" {
		t.Errorf("myself: %s", got.raw)
	}
	if got := d.call("GET", "/rest/api/3/user/groups?accountId=acc-kim", "", 200); got.at(1, "name") != "endpoint-approvers" {
		t.Errorf("groups: %s", got.raw)
	}
	if got := d.call("GET", "/rest/api/3/users/search?startAt=5&maxResults=2", "", 200); len(got.body.([]any)) != 1 || got.at(0, "accountType") != "app" {
		t.Errorf("people: %s", got.raw)
	}
	if got := d.call("GET", "/rest/api/3/group/member?groupname=endpoint-approvers&maxResults=1", "", 200); got.at("isLast") != false || got.at("values", 0, "accountId") != "acc-kim" {
		t.Errorf("members: %s", got.raw)
	}
	d.call("GET", "/rest/api/3/group/member?groupname=nope", "", 404)
	d.call("GET", "/rest/api/3/user?accountId=nope", "", 404)
	d.call("GET", "/rest/api/3/user", "", 400)

	dc := start(t, jirastandin.Options{DataCenter: true})
	if got := dc.call("GET", "/rest/api/2/user?username=kim&expand=groups", "", 200); got.at("groups", "items", 1, "name") != "endpoint-approvers" {
		t.Errorf("groups at Data Center: %s", got.raw)
	}
	if got := dc.call("GET", "/rest/api/2/user/search?username=.&maxResults=2", "", 200); len(got.body.([]any)) != 2 || got.at(0, "name") != "bridge" {
		t.Errorf("people at Data Center: %s", got.raw)
	}
}

func TestDescriptions(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{Required: []string{"customfield_10042"}})
	types := d.call("GET", "/rest/api/3/issue/createmeta/ITSEC/issuetypes", "", 200)
	id := types.at("issueTypes", 0, "id").(string)
	if types.at("issueTypes", 0, "name") != "Access Request" || types.at("total") != 3.0 {
		t.Errorf("types: %s", types.raw)
	}
	got := d.call("GET", "/rest/api/3/issue/createmeta/ITSEC/issuetypes/"+id+"?maxResults=200", "", 200)
	fields := map[string]map[string]any{}
	for _, f := range got.at("fields").([]any) {
		fields[f.(map[string]any)["fieldId"].(string)] = f.(map[string]any)
	}
	if fields["customfield_10042"]["required"] != true || fields["summary"]["required"] != true || fields["customfield_10050"]["required"] != false {
		t.Errorf("required: %s", got.raw)
	}
	if custom := fields["customfield_10060"]["schema"].(map[string]any)["custom"]; custom != "com.atlassian.jira.plugin.system.customfieldtypes:textarea" {
		t.Errorf("rich text is told by its schema: got %v", custom)
	}
	if options := fields["customfield_10070"]["allowedValues"].([]any); len(options) != 4 {
		t.Errorf("options: got %v", options)
	}
	d.call("GET", "/rest/api/3/issue/createmeta/NOPE/issuetypes", "", 404)
	d.call("GET", "/rest/api/3/issue/createmeta/ITSEC/issuetypes/1", "", 400)
	statuses := d.call("GET", "/rest/api/3/project/ITSEC/statuses", "", 200)
	if statuses.at(0, "statuses", 2, "name") != "Approved" || statuses.at(0, "statuses", 2, "statusCategory", "key") != "done" {
		t.Errorf("statuses: %s", statuses.raw)
	}
	d.call("GET", "/rest/api/3/project/NOPE/statuses", "", 404)

	dc := start(t, jirastandin.Options{DataCenter: true})
	if got := dc.call("GET", "/rest/api/2/issue/createmeta/ITSEC/issuetypes", "", 200); got.at("values", 0, "name") != "Access Request" || got.at("isLast") != true {
		t.Errorf("types at Data Center: %s", got.raw)
	}
}
