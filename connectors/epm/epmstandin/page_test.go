package epmstandin_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
)

var formToken = regexp.MustCompile(`name="form" value="([^"]+)"`)

func TestThePageRaisesAndDecides(t *testing.T) {
	t.Parallel()
	x := start(t, epmstandin.Options{})
	_, page := x.call(t, "", "GET", "/", "")
	if !strings.Contains(page, "<title>EPM stand-in</title>") || !strings.Contains(page, "None yet.") {
		t.Errorf("empty page: %s", page)
	}
	form := formToken.FindStringSubmatch(page)[1]
	post := func(path string, v url.Values) int {
		resp, err := http.PostForm(x.url+path, v)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	hostile := `<script>alert(1)</script>`
	post("/requests", url.Values{"form": {form}, "user": {hostile}, "product": {"ACME"}, "reason": {`"><img src=x>`}})
	post("/requests", url.Values{"form": {form}, "kind": {"admin"}, "user": {"max"}, "product": {"PC-9"}, "reason": {"r"}})
	post("/requests", url.Values{"form": {"wrong"}, "user": {"eve"}})
	if got := len(x.Requests()); got != 2 {
		t.Fatalf("%d requests, want 2", got)
	}
	if status := post("/decisions", url.Values{"form": {form}, "request": {"r-2"}, "decision": {"Denied"}}); status != http.StatusOK {
		t.Errorf("deny, then the page: %d", status)
	}
	if status := post("/decisions", url.Values{"form": {form}, "request": {"r-2"}, "decision": {"Approved"}}); status != http.StatusConflict {
		t.Errorf("decide again: %d", status)
	}
	if status := post("/decisions", url.Values{"request": {"r-1"}, "decision": {"Approved"}}); status != http.StatusForbidden {
		t.Errorf("without the form's token: %d", status)
	}
	_, page = x.call(t, "", "GET", "/", "")
	if strings.Contains(page, hostile) || strings.Contains(page, "<img") {
		t.Error("the page does not escape what people typed")
	}
	for _, want := range []string{"administrator rights on PC-9", "Denied", "console@corp.example", "Webhooks waiting: 3"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
