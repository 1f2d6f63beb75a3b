package jirastandin_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func TestEdit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		body      string
		want      int
		wantLabel string
	}{
		{"sets a field", `{"fields":{"priority":{"name":"High"}}}`, 204, "a b"},
		{"adds and removes labels", `{"update":{"labels":[{"add":"c"},{"remove":"a"}]}}`, 204, "b c"},
		{"empties labels", `{"fields":{"labels":[]}}`, 204, ""},
		{"ignores a transition", `{"fields":{"summary":"x"},"transition":{"id":"21"}}`, 204, "a b"},
		{"refuses a field in fields and update", `{"fields":{"labels":["c"]},"update":{"labels":[{"add":"d"}]}}`, 400, "a b"},
		{"refuses adding to a summary", `{"update":{"summary":[{"add":"c"}]}}`, 400, "a b"},
		{"refuses an unknown field", `{"fields":{"nope":1}}`, 400, "a b"},
		{"refuses emptying the summary", `{"fields":{"summary":null}}`, 400, "a b"},
		{"refuses changing the type", `{"fields":{"issuetype":{"name":"Task"}}}`, 400, "a b"},
		{"refuses nothing", `{}`, 400, "a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := start(t, jirastandin.Options{})
			key := d.create("a", `,"labels":["a","b"]`)
			d.call("PUT", "/rest/api/3/issue/"+key, tt.body, tt.want)
			got := d.issue(key)
			if labels := strings.Join(got.Labels, " "); labels != tt.wantLabel {
				t.Errorf("labels: got %q, want %q", labels, tt.wantLabel)
			}
			if got.Status != "Open" {
				t.Errorf("status: got %q", got.Status)
			}
		})
	}
}

func TestEditOfNothingLeavesNoTrace(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	d.clock.pass(time.Hour)
	d.call("PUT", "/rest/api/3/issue/"+key, `{"fields":{"summary":"a"}}`, 204)
	if got := d.issue(key); len(got.History) != 0 || got.Updated != got.Created {
		t.Errorf("got history %v, updated %v", got.History, got.Updated)
	}
}

func TestTransitionsListScreens(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	got := d.call("GET", "/rest/api/3/issue/"+key+"/transitions", "", 200)
	if got.at("transitions", 0, "to", "name") != "In Review" || got.at("transitions", 1, "fields") != nil {
		t.Errorf("without expand: %s", got.raw)
	}
	got = d.call("GET", "/rest/api/3/issue/"+key+"/transitions?expand=transitions.fields", "", 200)
	if closing := got.at("transitions", 4); got.at("transitions", 4, "fields", "resolution", "required") != true ||
		got.at("transitions", 4, "fields", "resolution", "allowedValues", 0, "name") != "Done" {
		t.Errorf("closing: %v", closing)
	}
}

func TestTransition(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		version    string
		body       string
		want       int
		wantStatus string
		wantText   string
	}{
		{"moves", "3", `{"transition":{"id":"21"}}`, 204, "Approved", ""},
		{"sets a field of the screen", "3", `{"transition":{"id":"21"},"fields":{"customfield_10050":"1h"}}`, 204, "Approved", ""},
		{"adds a comment of the screen", "2", `{"transition":{"id":"21"},"update":{"comment":[{"add":{"body":"Granted"}}]}}`, 204, "Approved", ""},
		{"demands an identifier", "3", `{"fields":{}}`, 400, "Open", "Missing 'transition' identifier"},
		{"refuses an unknown one", "3", `{"transition":{"id":"99"}}`, 400, "Open", "Transition id '99' is not valid for this issue."},
		{"refuses one of another status", "3", `{"transition":{"id":"61"}}`, 400, "Open", "not valid"},
		{"refuses a field not on the screen", "3", `{"transition":{"id":"21"},"fields":{"resolution":{"name":"Done"}}}`, 400, "Open", "Field 'resolution' cannot be set"},
		{"refuses a comment not on the screen", "2", `{"transition":{"id":"11"},"update":{"comment":[{"add":{"body":"x"}}]}}`, 400, "Open", "Field 'comment' cannot be set"},
		{"refuses a string comment in version 3", "3", `{"transition":{"id":"21"},"update":{"comment":[{"add":{"body":"x"}}]}}`, 400, "Open", "Atlassian Document"},
		{"demands the screen's required field", "3", `{"transition":{"id":"51"}}`, 400, "Open", "Resolution is required."},
		{"refuses an unknown resolution", "3", `{"transition":{"id":"51"},"fields":{"resolution":{"name":"Shrug"}}}`, 400, "Open", "Resolution"},
		{"closes with a resolution", "3", `{"transition":{"id":"51"},"fields":{"resolution":{"name":"Done"}}}`, 204, "Done", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := start(t, jirastandin.Options{})
			key := d.create("a", "")
			got := d.call("POST", "/rest/api/"+tt.version+"/issue/"+key+"/transitions", tt.body, tt.want)
			if status := d.issue(key).Status; status != tt.wantStatus {
				t.Errorf("status: got %q, want %q", status, tt.wantStatus)
			}
			if !strings.Contains(got.raw, tt.wantText) {
				t.Errorf("got %s, want %q", got.raw, tt.wantText)
			}
		})
	}
}

func TestReopeningClearsTheResolution(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	if err := d.Move(key, "acc-kim", "Done", map[string]any{"resolution": "Duplicate"}); err != nil {
		t.Fatal(err)
	}
	if got := d.issue(key).Resolution; got != "Duplicate" {
		t.Errorf("resolution: got %q", got)
	}
	if err := d.Move(key, "acc-kim", "Open", nil); err != nil {
		t.Fatal(err)
	}
	if got := d.issue(key).Resolution; got != "" {
		t.Errorf("resolution: got %q, want none", got)
	}
}

func TestHistoryNamesWhoAndWhat(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	d.clock.pass(time.Minute)
	d.call("PUT", "/rest/api/3/issue/"+key, `{"fields":{"labels":["x"],"customfield_10042":"Finance"}}`, 204)
	d.clock.pass(time.Minute)
	if err := d.Move(key, "acc-kim", "Approved", map[string]any{"customfield_10050": "1h"}); err != nil {
		t.Fatal(err)
	}
	at := d.clock.now()
	want := []jirastandin.Change{
		{By: "acc-bridge", At: at.Add(-time.Minute), Field: "Computer group", To: "Finance"},
		{By: "acc-bridge", At: at.Add(-time.Minute), Field: "labels", To: "x"},
		{By: "acc-kim", At: at, Field: "Duration", To: "1h"},
		{By: "acc-kim", At: at, Field: "status", From: "Open", To: "Approved"},
	}
	if diff := cmp.Diff(want, d.issue(key).History); diff != "" {
		t.Error(diff)
	}
	got := d.call("GET", "/rest/api/3/issue/"+key+"/changelog?startAt=1&maxResults=1", "", 200)
	if got.at("isLast") != true || got.at("total") != 2.0 || got.at("values", 0, "author", "accountId") != "acc-kim" ||
		got.at("values", 0, "items", 1, "fieldId") != "status" || got.at("values", 0, "items", 1, "toString") != "Approved" {
		t.Errorf("changelog: %s", got.raw)
	}
	inline := d.call("GET", "/rest/api/3/issue/"+key+"?expand=changelog&fields=id,key", "", 200)
	if inline.at("changelog", "histories", 0, "author", "accountId") != "acc-kim" {
		t.Errorf("inline changelog is newest first at Cloud: %s", inline.raw)
	}
}

func TestInlineHistoryIsCutAtCloudOnly(t *testing.T) {
	t.Parallel()
	for _, dataCenter := range []bool{false, true} {
		d := start(t, jirastandin.Options{DataCenter: dataCenter})
		key := d.create("a", "")
		for n := range 120 {
			if err := d.Edit(key, "acc-ana", map[string]any{"summary": fmt.Sprint("a", n)}); err != nil {
				t.Fatal(err)
			}
		}
		got := d.call("GET", "/rest/api/2/issue/"+key+"?expand=changelog", "", 200)
		want, first := 100, "a119"
		if dataCenter {
			want, first = 120, "a0"
		}
		if n := len(got.at("changelog", "histories").([]any)); n != want || got.at("changelog", "total") != 120.0 {
			t.Errorf("data center %v: got %d of %v entries, want %d", dataCenter, n, got.at("changelog", "total"), want)
		}
		if text := got.at("changelog", "histories", 0, "items", 0, "toString"); text != first {
			t.Errorf("data center %v: first is %v, want %s", dataCenter, text, first)
		}
	}
}

func TestComments(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	path := "/rest/api/2/issue/" + key + "/comment"
	for _, body := range []string{`{}`, `{"body":""}`, `{"body":null}`, `{"body":{"type":"doc"}}`, `{"body":"` + strings.Repeat("x", 32768) + `"}`} {
		if got := d.call("POST", path, body, 400); got.at("errors", "comment") == nil {
			t.Errorf("%.20s: got %s", body, got.raw)
		}
	}
	made := d.call("POST", path, `{"body":"one","properties":[{"key":"drawbridge","value":{"key":"n1"}}]}`, 201)
	if err := d.CommentAs(key, "acc-kim", "two"); err != nil {
		t.Fatal(err)
	}
	if got := d.call("GET", path+"?maxResults=1", "", 200); got.at("total") != 2.0 || got.at("comments", 0, "body") != "one" || got.at("comments", 0, "properties") != nil {
		t.Errorf("first page: %s", got.raw)
	}
	if got := d.call("GET", path+"?orderBy=-created&expand=properties", "", 200); got.at("comments", 0, "body") != "two" ||
		got.at("comments", 1, "properties", 0, "value", "key") != "n1" {
		t.Errorf("newest first with properties: %s", got.raw)
	}
	if got := d.call("GET", "/rest/api/3/comment/"+made.at("id").(string)+"/properties/drawbridge", "", 200); got.at("value", "key") != "n1" {
		t.Errorf("property: %s", got.raw)
	}
}

func TestInternalCommentsAtAServiceDeskOnly(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	plain := d.create("a", "")
	request := d.call("POST", "/rest/api/2/issue", `{"fields":{"project":{"key":"DESK"},"issuetype":{"name":"Service Request"},"summary":"a"}}`, 201).at("key").(string)
	body := `{"body":"quiet","properties":[{"key":"sd.public.comment","value":{"internal":true}}]}`
	for key, public := range map[string]bool{plain: true, request: false} {
		d.call("POST", "/rest/api/2/issue/"+key+"/comment", body, 201)
		if got := d.issue(key).Comments[0].Public; got != public {
			t.Errorf("%s: public is %v, want %v", key, got, public)
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	path := "/rest/api/3/issue/" + d.create("a", "") + "/properties/"
	d.call("GET", path+"drawbridge", "", 404)
	d.call("PUT", path+"drawbridge", `{"key":"a"}`, 201)
	d.call("PUT", path+"drawbridge", `{"key":"b"}`, 200)
	d.call("PUT", path+"drawbridge", `{"key":`, 400)
	d.call("PUT", path+strings.Repeat("k", 256), `1`, 400)
	d.call("PUT", path+"big", `"`+strings.Repeat("x", 32767)+`"`, 400)
	if got := d.call("GET", path+"drawbridge", "", 200); got.at("value", "key") != "b" {
		t.Errorf("got %s", got.raw)
	}
	if got := d.call("GET", strings.TrimSuffix(path, "/"), "", 200); got.at("keys", 0, "key") != "drawbridge" {
		t.Errorf("got %s", got.raw)
	}
	d.call("DELETE", path+"drawbridge", "", 204)
	d.call("DELETE", path+"drawbridge", "", 404)
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	attach := func(part, token string, size int) response {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		f, err := w.CreateFormFile(part, "evidence.txt")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		req := d.request("POST", "/rest/api/3/issue/"+key+"/attachments", body.String())
		req.Header.Set("Content-Type", w.FormDataContentType())
		req.Header.Set("X-Atlassian-Token", token)
		got, err := d.send(req)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := attach("file", "", 3); got.status != 403 {
		t.Errorf("without the header: got %d, want 403", got.status)
	}
	if got := attach("document", "no-check", 3); got.status != 400 {
		t.Errorf("wrong part: got %d, want 400", got.status)
	}
	if got := attach("file", "no-check", 10<<20+1); got.status != 413 {
		t.Errorf("large: got %d, want 413", got.status)
	}
	if got := attach("file", "no-check", 3); got.status != 200 || got.at(0, "filename") != "evidence.txt" || got.at(0, "size") != 3.0 {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	if got := d.issue(key); len(got.Files) != 1 || len(got.History) != 1 {
		t.Errorf("got %d files, %d changes", len(got.Files), len(got.History))
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	first, twin := d.create("a", ""), d.create("b", "")
	body := func(kind, in, out string) string {
		return fmt.Sprintf(`{"type":{"name":"%s"},"inwardIssue":{"key":"%s"},"outwardIssue":{"key":"%s"}}`, kind, in, out)
	}
	d.call("POST", "/rest/api/3/issueLink", body("Eats", twin, first), 404)
	d.call("POST", "/rest/api/3/issueLink", body("Duplicate", twin, "ITSEC-99"), 404)
	d.call("POST", "/rest/api/3/issueLink", body("Duplicate", twin, twin), 400)
	if got := d.call("POST", "/rest/api/3/issueLink", body("Duplicate", twin, first), 201); got.raw != "" {
		t.Errorf("body: got %q, want none", got.raw)
	}
	if got := append(d.issue(twin).Links, d.issue(first).Links...); cmp.Diff([]string{"duplicates " + first, "is duplicated by " + twin}, got) != "" {
		t.Errorf("got %v", got)
	}
}
