package datatheoremstandin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
)

type account struct {
	*datatheoremstandin.Server
	url string
}

func start(t *testing.T, o datatheoremstandin.Options) *account {
	t.Helper()
	var n int
	o.Now = func() time.Time { return time.Date(2026, 1, 5, 9, 0, 0, 1000, time.UTC) }
	o.NewID = func() string { n++; return fmt.Sprintf("id-%d", n) }
	x := &account{Server: datatheoremstandin.New(o)}
	server := httptest.NewServer(x.Server)
	t.Cleanup(server.Close)
	x.url = server.URL
	return x
}

func (x *account) get(t *testing.T, authorization, path string) (*http.Response, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, x.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return resp, body
}

const violations = "/apis/api_security/results/v1beta1/policy_violations"

func TestTheAPIWantsItsOwnSchemeAndCanBeMadeToFail(t *testing.T) {
	t.Parallel()
	x := start(t, datatheoremstandin.Options{})
	for _, tt := range []struct {
		authorization string
		want          int
	}{{"", 401}, {"Bearer standin-key", 401}, {"APIKey wrong", 401}, {"APIKey standin-key", 200}} {
		if resp, _ := x.get(t, tt.authorization, violations); resp.StatusCode != tt.want {
			t.Errorf("%q: %d, want %d", tt.authorization, resp.StatusCode, tt.want)
		}
	}
	x.FailNext(1, 500)
	if resp, _ := x.get(t, "APIKey standin-key", violations); resp.StatusCode != 500 {
		t.Errorf("asked to fail: %d", resp.StatusCode)
	}
	x.ThrottleNext(1, 7*time.Second)
	if resp, _ := x.get(t, "APIKey standin-key", violations); resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("asked to throttle: %d %v", resp.StatusCode, resp.Header)
	}
	if resp, _ := x.get(t, "APIKey standin-key", violations+"?cursor=x"); resp.StatusCode != 400 {
		t.Errorf("a cursor of nobody's: %d", resp.StatusCode)
	}
	y := start(t, datatheoremstandin.Options{WithoutRight: true})
	if resp, _ := y.get(t, "APIKey standin-key", violations); resp.StatusCode != 403 {
		t.Errorf("without the right: %d", resp.StatusCode)
	}
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	x := start(t, datatheoremstandin.Options{PageSize: 2})
	for range 3 {
		x.OpenViolation(datatheoremstandin.Violation{})
		x.OpenTarget("app", "title")
	}
	for path, list := range map[string]string{violations: "policy_violations", "/apis/mobile_security/results/v2/security_finding_targets": "security_finding_targets"} {
		_, first := x.get(t, "APIKey standin-key", path)
		next, _ := first["pagination_information"].(map[string]any)["next_cursor"].(string)
		_, second := x.get(t, "APIKey standin-key", path+"?cursor="+url.QueryEscape(next))
		if len(first[list].([]any)) != 2 || len(second[list].([]any)) != 1 || second["pagination_information"].(map[string]any)["next_cursor"] != nil {
			t.Errorf("%s: pages %v and %v", path, first, second)
		}
	}
	if resp, _ := x.get(t, "APIKey standin-key", "/apis/mobile_security/results/v2/security_finding_targets/none"); resp.StatusCode != 404 {
		t.Errorf("no such target: %d", resp.StatusCode)
	}
	x.Reset()
	if _, body := x.get(t, "APIKey standin-key", violations); len(body["policy_violations"].([]any)) != 0 || x.Queued() != 0 {
		t.Errorf("after a reset: %v", body)
	}
}

// hook keeps the webhooks it gets and answers as told, 202 otherwise.
type hook struct {
	mu      sync.Mutex
	answers []int
	bodies  []string
	header  http.Header
	got     chan struct{}
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.header = r.Header.Clone()
	status := http.StatusAccepted
	if len(h.answers) > 0 {
		status, h.answers = h.answers[0], h.answers[1:]
	}
	w.WriteHeader(status)
	if status == http.StatusAccepted {
		h.bodies = append(h.bodies, string(body))
		h.got <- struct{}{}
	}
}

func listen(t *testing.T, answers ...int) (*hook, string) {
	t.Helper()
	h := &hook{answers: answers, got: make(chan struct{}, 16)}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return h, server.URL
}

// names returns the names of all members of a JSON value, with their paths.
func names(prefix string, v any) []string {
	var list []string
	if object, ok := v.(map[string]any); ok {
		for key, value := range object {
			list = append(append(list, prefix+key), names(prefix+key+".", value)...)
		}
	}
	slices.Sort(list)
	return list
}

func TestViolationsLookLikeTheDocumentedExample(t *testing.T) {
	t.Parallel()
	h, address := listen(t)
	x := start(t, datatheoremstandin.Options{HookURL: address, Authorization: "Bearer 123456abcde"})
	x.OpenViolation(datatheoremstandin.Violation{Description: "One.\n\nTwo."})
	if statuses, err := x.Flush(t.Context()); err != nil || !slices.Equal(statuses, []int{202}) {
		t.Fatal(statuses, err)
	}
	var got, want map[string]any
	if err := errors.Join(json.Unmarshal([]byte(h.bodies[0]), &got), json.Unmarshal(datatheoremstandin.Example, &want)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(names("", got), names("", want)) {
		t.Errorf("members %v, want those of the example: %v", names("", got), names("", want))
	}
	if !strings.Contains(h.bodies[0], `One.\\n\\nTwo.`) || !strings.Contains(h.bodies[0], `"2026-01-05T09:00:00.000001+00:00"`) {
		t.Errorf("prose or times are not written as in the example: %s", h.bodies[0])
	}
	if h.header.Get("Authorization") != "Bearer 123456abcde" || h.header.Get("Content-Type") != "application/json" {
		t.Errorf("header: %v", h.header)
	}
}

func TestWebhooksKeepTheirOrderThroughFailures(t *testing.T) {
	t.Parallel()
	h, address := listen(t, 503)
	x := start(t, datatheoremstandin.Options{HookURL: address})
	x.TestConnectivity()
	x.SendExample()
	if _, err := x.Flush(t.Context()); err == nil || x.Queued() != 2 {
		t.Fatalf("a webhook that was refused: %v, %d queued", err, x.Queued())
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- x.Run(ctx) }()
	<-h.got
	<-h.got
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v", err)
	}
	if !slices.Equal(h.bodies, []string{string(datatheoremstandin.Check), string(datatheoremstandin.Example)}) {
		t.Errorf("bodies: %q", h.bodies)
	}
	if _, err := start(t, datatheoremstandin.Options{}).Send(t.Context(), nil); err == nil {
		t.Error("sending nowhere worked")
	}
}

func TestWhatIsNotThereCannotBeChanged(t *testing.T) {
	t.Parallel()
	x := start(t, datatheoremstandin.Options{})
	id := x.OpenTarget("app", "title")
	for name, err := range map[string]error{
		"resolve": x.Resolve("x"), "dismiss": x.Dismiss("x", "y"), "reopen": x.Reopen("x"),
		"close target": x.CloseTarget("x", "CLOSED_FIXED"), "close with an unknown word": x.CloseTarget(id, "CLOSED"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

var formToken = regexp.MustCompile(`name="form" value="([^"]+)"`)

func TestThePageFindsAndChanges(t *testing.T) {
	t.Parallel()
	x := start(t, datatheoremstandin.Options{})
	page := func() string {
		resp, err := http.Get(x.url + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	form := formToken.FindStringSubmatch(page())[1]
	post := func(v url.Values) int {
		resp, err := http.PostForm(x.url+"/events", v)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	hostile := `<script>alert(1)</script>`
	post(url.Values{"form": {form}, "do": {"open"}, "host": {hostile}, "relevance": {"IMPORTANT"}, "description": {`"><img src=x>`}})
	id := x.Violations()[0].ID
	for _, do := range []string{"check", "example", "discover", "target", "login", "protect", "resolve", "reopen", "dismiss"} {
		if status := post(url.Values{"form": {form}, "do": {do}, "id": {id}}); status != http.StatusOK {
			t.Errorf("%s, then the page: %d", do, status)
		}
	}
	for status, v := range map[int]url.Values{
		http.StatusForbidden: {"form": {"wrong"}, "do": {"check"}}, http.StatusConflict: {"form": {form}, "do": {"resolve"}, "id": {"x"}},
		http.StatusBadRequest: {"form": {form}, "do": {"x"}},
	} {
		if got := post(v); got != status {
			t.Errorf("%v: %d, want %d", v, got, status)
		}
	}
	text := page()
	if strings.Contains(text, hostile) || strings.Contains(text, "<img") {
		t.Error("the page does not escape what people typed")
	}
	for _, want := range []string{"WONT_FIX", "Webhooks waiting: 10", "This is a stand-in"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
