package jirastandin_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

// found runs a search and returns the keys in order.
func (d *desk) found(jql string) string {
	d.t.Helper()
	body, _ := json.Marshal(map[string]any{"jql": jql, "fields": []string{"key"}})
	got := d.call("POST", "/rest/api/3/search/jql", string(body), 200)
	var keys []string
	for n := range got.at("issues").([]any) {
		keys = append(keys, got.at("issues", n, "key").(string))
	}
	return strings.Join(keys, " ")
}

func TestSearchFinds(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	d.create("a", `,"labels":["drawbridge","drawbridge-1"]`)
	d.clock.pass(10 * time.Minute)
	d.create("b", `,"labels":["drawbridge"],"assignee":{"accountId":"acc-kim"}`)
	d.clock.pass(10 * time.Minute)
	if err := d.Move("ITSEC-1", "acc-kim", "Approved", nil); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ jql, want string }{
		{`project = ITSEC`, "ITSEC-1 ITSEC-2"},
		{`project = "IT Security" AND labels = "drawbridge-1"`, "ITSEC-1"},
		{`PROJECT = itsec and LABELS = drawbridge order by updated asc`, "ITSEC-2 ITSEC-1"},
		{`project = ITSEC ORDER BY created DESC`, "ITSEC-2 ITSEC-1"},
		{`project in (DESK)`, ""},
		{`labels = "nothing"`, ""},
		{`labels in ("nothing", 'drawbridge-1')`, "ITSEC-1"},
		{`labels not in ("drawbridge-1")`, "ITSEC-2"},
		{`issue in (ITSEC-2, 10001)`, "ITSEC-1 ITSEC-2"},
		{`key = ITSEC-2`, "ITSEC-2"},
		{`status = Approved`, "ITSEC-1"},
		{`statusCategory != Done AND project = ITSEC`, "ITSEC-2"},
		{`issuetype = "Access Request" AND assignee = acc-kim`, "ITSEC-2"},
		{`creator = currentUser()`, "ITSEC-1 ITSEC-2"},
		{`creator = acc-kim`, ""},
		{`updated >= -5m AND project = ITSEC`, "ITSEC-1"},
		{`created >= -10m`, "ITSEC-2"},
		{`project = ITSEC AND updated >= "2026-11-20 11:16"`, "ITSEC-1"}, // 10:16 UTC, in Berlin
		{`project = ITSEC AND updated < "2026-11-20 11:16"`, "ITSEC-2"},
	}
	for _, tt := range tests {
		if got := d.found(tt.jql); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.jql, got, tt.want)
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	d.create("a", "")
	tests := []struct{ jql, want string }{
		{``, "Unbounded"},
		{`ORDER BY updated ASC`, "Unbounded"},
		{`project = NOPE`, "does not exist for the field 'project'"},
		{`issue in (ITSEC-99)`, "An issue with key 'ITSEC-99' does not exist"},
		{`cf = 1`, "Field 'cf' does not exist"},
		{`status = Gone`, "does not exist"},
		{`project = ITSEC OR labels = x`, "AND only"},
		{`labels = a b`, "AND only"},
		{`labels = "a`, "not been completed"},
		{`labels = "a\d"`, "illegal JQL escape"},
		{`labels = a@b`, "reserved JQL character"},
		{`issue.property[x].y = 1`, "reserved JQL character"},
		{`labels =`, "before the end of the query"},
		{`labels = and`, "but got 'and'"},
		{`labels ~ a`, "but got '~'"},
		{`labels in (a`, "before the end"},
		{`labels > a`, "is not supported by the 'labels' field"},
		{`updated >= "2026-11-20T10:05:00Z"`, "Date value"},
		{`updated >= "2026-11-20 10:05:30"`, "Date value"},
		{`updated >= 5x`, "Date value"},
		{`project = ITSEC ORDER BY summary`, "Not able to sort"},
		{`project = ITSEC ORDER BY`, "before the end"},
		{`project = ITSEC ORDER BY updated ASC labels`, "end of the query"},
		{`creator = membersOf("x")`, "currentUser() only"},
	}
	for _, tt := range tests {
		body, _ := json.Marshal(map[string]string{"jql": tt.jql})
		if got := d.call("POST", "/rest/api/3/search/jql", string(body), 400); !strings.Contains(got.raw, tt.want) {
			t.Errorf("%s: got %s, want %q", tt.jql, got.raw, tt.want)
		}
	}
	d.call("POST", "/rest/api/3/search/jql", `{"jql":"project = ITSEC","startAt":0}`, 400)
	d.call("POST", "/rest/api/3/search/jql", `{"jql":"project = ITSEC","maxResults":0}`, 400)
}

func TestSearchShowsTheIDAloneByDefault(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	got := d.call("POST", "/rest/api/3/search/jql", `{"jql":"project = ITSEC"}`, 200).at("issues", 0).(map[string]any)
	if len(got) != 1 || got["id"] != d.issue(key).ID {
		t.Errorf("got %v", got)
	}
	full := d.call("GET", "/rest/api/2/search/jql?fields=labels,status&jql="+url.QueryEscape("project = ITSEC"), "", 200)
	if full.at("issues", 0, "fields", "status", "name") != "Open" || full.at("total") != nil || full.at("isLast") != true {
		t.Errorf("got %s", full.raw)
	}
}

func TestSearchPagesByToken(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	for n := range 5 {
		d.create(fmt.Sprint("a", n), "")
		d.clock.pass(time.Minute)
	}
	ask := func(jql, token string, want int) response {
		body, _ := json.Marshal(map[string]any{"jql": jql, "maxResults": 2, "fields": []string{"key"}, "nextPageToken": token})
		return d.call("POST", "/rest/api/3/search/jql", string(body), want)
	}
	const jql = "project = ITSEC ORDER BY updated ASC"
	var seen []string
	token := ""
	for range 4 {
		got := ask(jql, token, 200)
		for n := range got.at("issues").([]any) {
			seen = append(seen, got.at("issues", n, "key").(string))
		}
		if len(seen) == 2 { // a ticket of a page already read moves to the end: nothing may be skipped for it
			if err := d.Edit("ITSEC-1", "acc-ana", map[string]any{"summary": "changed"}); err != nil {
				t.Fatal(err)
			}
		}
		token, _ = got.at("nextPageToken").(string)
		if (token == "") != (got.at("isLast") == true) {
			t.Fatalf("token %q with isLast %v", token, got.at("isLast"))
		}
		if token == "" {
			break
		}
	}
	if want := []string{"ITSEC-1", "ITSEC-2", "ITSEC-3", "ITSEC-4", "ITSEC-5", "ITSEC-1"}; !slices.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
	token = ask(jql, "", 200).at("nextPageToken").(string)
	ask("project = ITSEC ORDER BY updated DESC", token, 400)
	ask(jql, "rubbish", 400)
	d.clock.pass(8 * 24 * time.Hour)
	ask(jql, token, 400)
}

func TestSearchLagsBehind(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{IndexLagMin: time.Minute, IndexLagMax: 3 * time.Minute})
	key := d.create("a", `,"labels":["x"]`)
	id := d.issue(key).ID
	if got := d.found("labels = x"); got != "" {
		t.Errorf("at once: got %q", got)
	}
	body := `{"jql":"labels = x","fields":["key"],"reconcileIssues":[` + id + `]}`
	if got := d.call("POST", "/rest/api/3/search/jql", body, 200); got.at("issues", 0, "key") != key {
		t.Errorf("reconciled: got %s", got.raw)
	}
	d.clock.pass(59 * time.Second)
	if got := d.found("labels = x"); got != "" {
		t.Errorf("before the shortest lag: got %q", got)
	}
	d.clock.pass(2*time.Minute + time.Second)
	if got := d.found("labels = x"); got != key {
		t.Errorf("after the longest lag: got %q", got)
	}
	if err := d.EditLabels(key, "acc-ana", []string{"y"}, []string{"x"}); err != nil {
		t.Fatal(err)
	}
	if got := d.found("labels = x") + "/" + d.found("labels = y"); got != key+"/" {
		t.Errorf("a changed label is not seen yet: got %q", got)
	}
	d.clock.pass(3 * time.Minute)
	if got := d.found("labels = x") + "/" + d.found("labels = y"); got != "/"+key {
		t.Errorf("a changed label is seen: got %q", got)
	}
}

func TestIndexLagIsDrawnForEachChange(t *testing.T) {
	t.Parallel()
	lags := []time.Duration{time.Hour, 0}
	d := start(t, jirastandin.Options{IndexLag: func() time.Duration {
		lag := lags[0]
		lags = lags[1:]
		return lag
	}})
	d.create("a", "")
	d.create("b", "")
	if got := d.found("project = ITSEC"); got != "ITSEC-2" {
		t.Errorf("got %q, want the second only", got)
	}
}

func TestDataCenterSearchPagesByOffset(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{DataCenter: true})
	for n := range 3 {
		d.create(fmt.Sprint("a", n), "")
	}
	got := d.call("GET", "/rest/api/2/search?startAt=1&maxResults=1&jql="+url.QueryEscape("project = ITSEC ORDER BY key DESC"), "", 200)
	if got.at("total") != 3.0 || got.at("issues", 0, "key") != "ITSEC-2" || got.at("issues", 0, "fields", "summary") != "a1" {
		t.Errorf("got %s", got.raw)
	}
	if got := d.call("POST", "/rest/api/2/search", `{"jql":"","startAt":3}`, 200); len(got.at("issues").([]any)) != 0 {
		t.Errorf("past the end: %s", got.raw)
	}
	d.call("POST", "/rest/api/2/search/jql", `{"jql":"project = ITSEC"}`, 404)
}
