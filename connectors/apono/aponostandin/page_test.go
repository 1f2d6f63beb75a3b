package aponostandin_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
)

var formToken = regexp.MustCompile(`name="form" value="([^"]+)"`)

func TestThePageRaisesAndDecides(t *testing.T) {
	t.Parallel()
	x := start(t, aponostandin.Options{})
	_, page := x.call(t, "", "GET", "/", "")
	if !strings.Contains(page, "<title>Apono stand-in</title>") || !strings.Contains(page, "None yet.") {
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
	post("/requests", url.Values{"form": {form}, "name": {hostile}, "email": {"a@corp.example"}, "permission": {"Read"}, "resource": {"orders"}, "reason": {`"><img src=x>`}, "flow": {"any"}})
	post("/requests", url.Values{"form": {form}, "name": {"Max"}, "email": {"m@corp.example"}, "permission": {"Write"}, "resource": {"orders"}, "reason": {"r"}, "flow": {"all"}})
	post("/requests", url.Values{"form": {form}, "name": {"Max"}, "email": {"m@corp.example"}, "permission": {"Write"}, "resource": {"logs"}, "reason": {"r"}, "flow": {"webhook"}})
	post("/requests", url.Values{"form": {"wrong"}, "name": {"Eve"}})
	if got := len(x.Requests()); got != 3 {
		t.Fatalf("%d requests, want 3", got)
	}
	for _, tt := range []struct {
		request, action string
		want            int
	}{
		{"r-1", "reject", 200}, {"r-1", "approve", 409}, {"r-1", "expire", 409}, {"r-2", "approve", 200}, {"r-2", "expire", 200}, {"r-3", "ask", 200}, {"r-9", "reject", 409},
	} {
		if status := post("/actions", url.Values{"form": {form}, "request": {tt.request}, "action": {tt.action}}); status != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.action, tt.request, status, tt.want)
		}
	}
	if status := post("/actions", url.Values{"request": {"r-2"}, "action": {"approve"}}); status != http.StatusForbidden {
		t.Errorf("without the form's token: %d", status)
	}
	_, page = x.call(t, "", "GET", "/", "")
	if strings.Contains(page, hostile) || strings.Contains(page, "<img") {
		t.Error("the page does not escape what people typed")
	}
	for _, want := range []string{"Write on logs", "REJECTED", "EXPIRED", "Dana Cruz: Approved", "Ask again", "Webhooks waiting: 6"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
