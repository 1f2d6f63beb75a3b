package jirastandin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func TestFailuresAreInjected(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	d.FailNext(2, 503, http.Header{"Retry-After": {"7"}})
	if got := d.call("GET", "/rest/api/3/myself", "", 503); got.header.Get("Retry-After") != "7" {
		t.Errorf("got %v", got.header)
	}
	d.call("GET", "/rest/api/3/myself", "", 503)
	d.call("GET", "/rest/api/3/myself", "", 200)
	d.FailOn("create", 1, 500, nil)
	d.call("GET", "/rest/api/3/myself", "", 200)
	d.call("POST", "/rest/api/3/issue", `{}`, 500)
	if len(d.Issues()) != 0 {
		t.Error("a failed call had an effect")
	}
}

func TestCutCallTakesEffectWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	d.CutNext("create")
	_, err := d.send(d.request("POST", "/rest/api/2/issue", `{"fields":{"project":{"key":"ITSEC"},"issuetype":{"name":"Task"},"summary":"a"}}`))
	if err == nil {
		t.Error("want a broken connection")
	}
	if n := len(d.Issues()); n != 1 {
		t.Errorf("got %d tickets, want 1", n)
	}
	d.create("b", "")
}

func TestDelayEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	d.Delay(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.send(d.request("GET", "/rest/api/3/myself", "").WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	d.Delay(0)
	d.call("GET", "/rest/api/3/myself", "", 200)
}

func TestWritesToOneTicketAreLimited(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{WriteLimit: true})
	a, b := d.create("a", ""), d.create("b", "")
	edit := func(key string, n, want int) response {
		return d.call("PUT", "/rest/api/3/issue/"+key, fmt.Sprintf(`{"fields":{"summary":"a%d"}}`, n), want)
	}
	for n := range 20 {
		edit(a, n, 204)
	}
	got := edit(a, 20, 429)
	if got.header.Get("Retry-After") != "2" || got.header.Get("RateLimit-Reason") != "jira-per-issue-on-write" {
		t.Errorf("got %v", got.header)
	}
	edit(b, 0, 204)
	d.call("GET", "/rest/api/3/issue/"+a, "", 200)
	d.clock.pass(2 * time.Second)
	edit(a, 20, 204)
	for n := range 79 {
		d.clock.pass(200 * time.Millisecond)
		edit(a, 100+n, 204)
	}
	if got := edit(a, 300, 429); got.header.Get("Retry-After") == "" {
		t.Errorf("100 writes in 30 seconds: got %v", got.header)
	}
	d.clock.pass(30 * time.Second)
	edit(a, 300, 204)
}
