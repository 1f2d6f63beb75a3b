package jirastandin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	const place = `"project":{"key":"ITSEC"},"issuetype":{"name":"Access Request"}`
	text := func(n int) string { return strings.Repeat("é", n) }
	tests := []struct {
		name      string
		version   string
		fields    string
		wantField string
		wantText  string
	}{
		{"no project", "3", `"issuetype":{"name":"Task"},"summary":"a"`, "project", "Specify a valid project ID or key"},
		{"unknown project", "3", `"project":{"key":"NOPE"},"issuetype":{"name":"Task"},"summary":"a"`, "project", "valid project is required"},
		{"no type", "3", `"project":{"key":"ITSEC"},"summary":"a"`, "issuetype", "Specify an issue type"},
		{"unknown type", "3", `"project":{"key":"ITSEC"},"issuetype":{"name":"Service Request"},"summary":"a"`, "issuetype", "The issue type selected is invalid."},
		{"no summary", "3", place, "summary", "You must specify a summary of the issue."},
		{"empty summary", "3", place + `,"summary":" "`, "summary", "You must specify a summary of the issue."},
		{"summary of two lines", "3", place + `,"summary":"a\nb"`, "summary", "newline"},
		{"long summary", "3", place + `,"summary":"` + text(256) + `"`, "summary", "less than 255"},
		{"summary no string", "3", place + `,"summary":7`, "summary", "must be a string"},
		{"missing required field", "3", place + `,"summary":"a"`, "customfield_10042", "Computer group is required."},
		{"null required field", "3", place + `,"summary":"a","customfield_10042":null`, "customfield_10042", "Computer group is required."},
		{"unknown field", "3", place + `,"summary":"a","customfield_99":"x"`, "customfield_99", "Field 'customfield_99' cannot be set. It is not on the appropriate screen, or unknown."},
		{"field of another type", "3", `"project":{"key":"ITSEC"},"issuetype":{"name":"Task"},"summary":"a","customfield_10042":"x"`, "customfield_10042", "cannot be set"},
		{"resolution is not on the screen", "3", place + `,"summary":"a","resolution":{"name":"Done"}`, "resolution", "cannot be set"},
		{"status cannot be set", "3", place + `,"summary":"a","status":{"name":"Approved"}`, "status", "cannot be set"},
		{"string as rich text in version 3", "3", place + `,"summary":"a","description":"text"`, "description", "Atlassian Document"},
		{"document as rich text in version 2", "2", place + `,"summary":"a","description":{"type":"doc","version":1,"content":[]}`, "description", "must be a string"},
		{"invalid document", "3", place + `,"summary":"a","description":{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":""}]}]}`, "description", "INVALID_INPUT"},
		{"document in a one-line field", "3", place + `,"summary":"a","customfield_10042":{"type":"doc","version":1,"content":[]}`, "customfield_10042", "must be a string"},
		{"long description", "2", place + `,"summary":"a","description":"` + text(32768) + `"`, "description", "32,767"},
		{"long text field", "2", place + `,"summary":"a","customfield_10042":"` + text(256) + `"`, "customfield_10042", "255"},
		{"unknown priority", "3", place + `,"summary":"a","priority":{"name":"Urgent"}`, "priority", "Priority"},
		{"priority as string", "3", place + `,"summary":"a","priority":"High"`, "priority", "Priority"},
		{"unknown option", "3", place + `,"summary":"a","customfield_10070":{"value":"Extreme"}`, "customfield_10070", "Risk"},
		{"label with a space", "3", place + `,"summary":"a","labels":["a b"]`, "labels", "contains spaces"},
		{"long label", "3", place + `,"summary":"a","labels":["` + text(256) + `"]`, "labels", "too long"},
		{"labels as string", "3", place + `,"summary":"a","labels":"a"`, "labels", "array"},
		{"unknown user", "3", place + `,"summary":"a","assignee":{"accountId":"acc-nobody"}`, "assignee", "does not exist"},
		{"wrong date", "3", place + `,"summary":"a","duedate":"20.11.2026"`, "duedate", "date"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := start(t, jirastandin.Options{Required: []string{"customfield_10042"}})
			got := d.call("POST", "/rest/api/"+tt.version+"/issue", `{"fields":{`+tt.fields+`}}`, 400)
			text, _ := got.at("errors", tt.wantField).(string)
			if !strings.Contains(text, tt.wantText) {
				t.Errorf("errors.%s: got %q, want %q\n%s", tt.wantField, text, tt.wantText, got.raw)
			}
			if messages, ok := got.at("errorMessages").([]any); !ok || len(messages) != 0 {
				t.Errorf("errorMessages: got %v, want an empty list", got.at("errorMessages"))
			}
			if n := len(d.Issues()); n != 0 {
				t.Errorf("got %d tickets, want none", n)
			}
		})
	}
}

func TestCreateReportsEveryFault(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{Required: []string{"customfield_10042"}})
	got := d.call("POST", "/rest/api/3/issue", `{"fields":{"project":{"key":"ITSEC"},"issuetype":{"name":"Access Request"},"labels":["a b"],"x":1}}`, 400)
	if n := len(got.at("errors").(map[string]any)); n != 4 {
		t.Errorf("got %d faults, want 4: %s", n, got.raw)
	}
}

func TestCreateKeepsWhatItWasGiven(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	made := d.call("POST", "/rest/api/3/issue", `{"fields":{"project":{"key":"ITSEC"},"issuetype":{"name":"Access Request"},"summary":"JIT access",
		"description":{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"Asked by ana"}]}]},
		"labels":["drawbridge","drawbridge-7f3a9c"],"priority":{"name":"High"},"customfield_10042":"Finance","customfield_10070":{"value":"High"}},
		"properties":[{"key":"drawbridge","value":{"key":"7f3a9c"}}]}`, 201)
	if self := made.at("self"); self != d.url+"/rest/api/3/issue/"+made.at("id").(string) {
		t.Errorf("self: got %v", self)
	}
	got := d.issue("ITSEC-1")
	want := jirastandin.Issue{
		ID: made.at("id").(string), Key: "ITSEC-1", Project: "ITSEC", Type: "Access Request", Status: "Open", Summary: "JIT access",
		Description: "Asked by ana", Priority: "High", Creator: "acc-bridge", Reporter: "acc-bridge",
		Labels: []string{"drawbridge", "drawbridge-7f3a9c"},
		Fields: map[string]string{
			"summary": "JIT access", "description": "Asked by ana", "priority": "High", "reporter": "Drawbridge",
			"labels": "drawbridge drawbridge-7f3a9c", "customfield_10042": "Finance", "customfield_10070": "High",
		},
		Properties: map[string]json.RawMessage{"drawbridge": json.RawMessage(`{"key":"7f3a9c"}`)},
		Created:    d.clock.now(), Updated: d.clock.now(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDataCenterDropsPropertiesOfCreate(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{DataCenter: true})
	d.call("POST", "/rest/api/2/issue", `{"fields":{"project":{"key":"ITSEC"},"issuetype":{"name":"Task"},"summary":"a"},"properties":[{"key":"drawbridge","value":1}]}`, 201)
	d.call("GET", "/rest/api/2/issue/ITSEC-1/properties/drawbridge", "", 404)
}

func TestBodyMustBeJSON(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	d.call("POST", "/rest/api/3/issue", `{"fields":`, 400)
	d.call("POST", "/rest/api/3/issue", `{} {}`, 400)
	req := d.request("POST", "/rest/api/3/issue", `{}`)
	req.Header.Set("Content-Type", "text/plain")
	if got, err := d.send(req); err != nil || got.status != 415 {
		t.Errorf("got %v %v, want 415", got.status, err)
	}
}

func TestIssueIsShownAsAsked(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", `,"description":"one\ntwo"`)
	if err := d.SetProperty(key, "drawbridge", map[string]string{"key": "k"}); err != nil {
		t.Fatal(err)
	}
	if got := d.call("GET", "/rest/api/2/issue/"+key, "", 200); got.at("fields", "description") != "one\ntwo" || got.at("properties") != nil {
		t.Errorf("version 2: %s", got.raw)
	}
	if got := d.call("GET", "/rest/api/3/issue/"+key+"?fields=description", "", 200).at("fields"); len(got.(map[string]any)) != 1 || got.(map[string]any)["description"].(map[string]any)["type"] != "doc" {
		t.Errorf("version 3: %v", got)
	}
	got := d.call("GET", "/rest/api/3/issue/"+strings.ToLower(key)+"?fields=-comment&properties=drawbridge&expand=names", "", 200)
	if got.at("properties", "drawbridge", "key") != "k" || got.at("names", "customfield_10042") != "Computer group" {
		t.Errorf("properties and names: %s", got.raw)
	}
	if fields := got.at("fields").(map[string]any); fields["comment"] != nil || fields["status"] == nil {
		t.Errorf("fields but the comment: %v", fields)
	}
	if stamp := got.at("fields", "created"); stamp != "2026-11-20T11:05:30.000+0100" {
		t.Errorf("created: got %v, want Jira's format in the caller's zone", stamp)
	}
	d.call("GET", "/rest/api/3/issue/ITSEC-99", "", 404)
}

func TestBulkFetchListsWhatIsMissing(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	a, b := d.create("a", ""), d.create("b", "")
	got := d.call("POST", "/rest/api/3/issue/bulkfetch", `{"issueIdsOrKeys":["`+a+`","999","`+b+`","`+a+`"],"fields":["status"]}`, 200)
	if n := len(got.at("issues").([]any)); n != 2 || got.at("issueErrors", 0, "id") != "999" {
		t.Errorf("got %s", got.raw)
	}
	many, _ := json.Marshal(map[string]any{"issueIdsOrKeys": make([]string, 101)})
	d.call("POST", "/rest/api/3/issue/bulkfetch", string(many), 400)
	d.call("POST", "/rest/api/3/issue/bulkfetch", `{"issueIdsOrKeys":["1"],"startAt":0}`, 400)
}
