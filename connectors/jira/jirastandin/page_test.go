package jirastandin_test

import (
	"io"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func (d *desk) page(path string) string {
	d.t.Helper()
	resp, err := d.client.Get(d.url + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		d.t.Fatalf("GET %s: %d %v", path, resp.StatusCode, err)
	}
	return string(text)
}

// submit posts a form and returns the status of the page it ends on, with its text.
func (d *desk) submit(path string, form url.Values) (int, string) {
	d.t.Helper()
	resp, err := d.client.PostForm(d.url+path, form)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

var tokenPattern = regexp.MustCompile(`name="token" value="([^"]+)"`)

func TestPagesShowTicketsEscaped(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	d.call("POST", "/rest/api/3/issue", `{"fields":{"project":{"key":"ITSEC"},"issuetype":{"name":"Access Request"},"summary":"<script>alert(1)</script>","labels":["<b>"],
		"description":{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"<img src=x>","marks":[{"type":"strong"}]},
		{"type":"text","text":"good","marks":[{"type":"link","attrs":{"href":"https://example.test/?a=\"b"}}]},
		{"type":"text","text":"bad","marks":[{"type":"link","attrs":{"href":"javascript:alert(1)"}}]}]},
		{"type":"codeBlock","content":[{"type":"text","text":"<i>"}]}]}}}`, 201)
	if err := d.CommentAs("ITSEC-1", "acc-kim", "<u>hello</u>"); err != nil {
		t.Fatal(err)
	}
	list, ticket := d.page("/"), d.page("/browse/ITSEC-1")
	for _, text := range []string{list, ticket} {
		if !strings.Contains(text, "stand-in for Jira Cloud") {
			t.Error("the page does not say that it is a stand-in")
		}
		for _, bad := range []string{"<script", "<img", "<b>", "<i>", "<u>", "javascript:"} {
			if strings.Contains(text, bad) {
				t.Errorf("the page contains %s", bad)
			}
		}
	}
	for _, want := range []string{"<strong>&lt;img src=x&gt;</strong>", `href="https://example.test/?a=`, "<pre><code>&lt;i&gt;</code></pre>", "Kim Okafor", ">Approve</button>"} {
		if !strings.Contains(ticket, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	resp, err := d.client.Get(d.url + "/browse/NOPE-1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("unknown ticket: got %d", resp.StatusCode)
	}
}

func TestPageActsAsAPerson(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	form := url.Values{"person": {"acc-kim"}, "transition": {"21"}, "field.customfield_10050": {"2h"}}
	if status, _ := d.submit("/browse/"+key+"/transition", form); status != 403 || d.issue(key).Status != "Open" {
		t.Errorf("without a token: got %d, %s", status, d.issue(key).Status)
	}
	form.Set("token", tokenPattern.FindStringSubmatch(d.page("/browse/" + key))[1])
	if status, _ := d.submit("/browse/"+key+"/transition", form); status != 200 {
		t.Errorf("got %d", status)
	}
	if got := d.issue(key); got.Status != "Approved" || got.Fields["customfield_10050"] != "2h" || got.History[0].By != "acc-kim" {
		t.Errorf("got %+v", got)
	}
	if status, text := d.submit("/browse/"+key+"/transition", form); status != 422 || !strings.Contains(text, "not possible any more") {
		t.Errorf("the same again: got %d", status)
	}
	form.Set("text", "well done")
	d.submit("/browse/"+key+"/comment", form)
	if got := d.issue(key).Comments; len(got) != 1 || got[0].Text != "well done" {
		t.Errorf("comment: got %v", got)
	}
}

func TestPageAnswersApprovals(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.call("POST", "/rest/servicedeskapi/request", `{"serviceDeskId":"2","requestTypeId":"20","requestFieldValues":{"summary":"a"}}`, 201).at("issueKey").(string)
	form := url.Values{"person": {"acc-max"}, "decision": {"approve"}, "token": {tokenPattern.FindStringSubmatch(d.page("/browse/" + key))[1]}}
	if status, text := d.submit("/browse/"+key+"/approval", form); status != 422 || !strings.Contains(text, "You are not an approver") {
		t.Errorf("somebody else: got %d", status)
	}
	form.Set("person", "acc-lee")
	if status, _ := d.submit("/browse/"+key+"/approval", form); status != 200 || d.issue(key).Status != "Approved" {
		t.Errorf("an approver: got %d, %s", status, d.issue(key).Status)
	}
}
