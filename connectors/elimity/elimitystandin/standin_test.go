package elimitystandin_test

import (
	"context"
	"encoding/json"
	"errors"
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

	"github.com/drawbridge-itsm/drawbridge/connectors/elimity/elimitystandin"
)

type insights struct {
	*elimitystandin.Server
	url string
}

func start(t *testing.T, o elimitystandin.Options) *insights {
	t.Helper()
	o.Now = func() time.Time { return time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC) }
	x := &insights{Server: elimitystandin.New(o)}
	server := httptest.NewServer(x.Server)
	t.Cleanup(server.Close)
	x.url = server.URL
	return x
}

// call sends one request as user:password and returns status, header and body.
func (x *insights) call(t *testing.T, credentials, method, path, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, x.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user, password, ok := strings.Cut(credentials, ":"); ok {
		req.SetBasicAuth(user, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

const (
	agent   = "bridge:standin-secret"
	journal = "90:standin-token"
	logs    = "/api/sources/90/connector-logs"
)

func TestCallsNeedTheirOwnCredentials(t *testing.T) {
	t.Parallel()
	x := start(t, elimitystandin.Options{})
	line := `[{"level":"info","message":"m","timestamp":"2026-01-05T09:30:00Z"}]`
	for _, tt := range []struct {
		credentials, method, path, body string
		want                            int
	}{
		{"", "GET", "/api/agent/sources", "", 401}, {journal, "GET", "/api/agent/sources", "", 401}, {agent, "GET", "/api/agent/sources", "", 200},
		{agent, "POST", logs, line, 401}, {journal, "POST", "/api/sources/4/connector-logs", line, 403}, {journal, "POST", logs, line, 204},
		{journal, "GET", "/api/sources/90/domain-graph-schema", "", 200}, {journal, "GET", "/api/sources/90/x", "", 404},
		{journal, "POST", logs, `{}`, 400}, {journal, "POST", logs, `[{"Level":"info","message":"m"}]`, 400},
		{journal, "POST", logs, `[{"level":"warn","message":"m","timestamp":"2026-01-05T09:30:00Z"}]`, 400},
		{journal, "POST", logs, line + line, 400}, {journal, "POST", logs, `[{"level":"info","message":"m","timestamp":"2026-01-05T09:30:00Z","x":1}]`, 400},
	} {
		if got, _, body := x.call(t, tt.credentials, tt.method, tt.path, tt.body); got != tt.want {
			t.Errorf("%s %s %s as %q: %d, want %d: %s", tt.method, tt.path, tt.body, tt.credentials, got, tt.want, body)
		}
	}
	if lines := x.Log(); len(lines) != 1 || lines[0].Message != "m" {
		t.Errorf("log: %+v", lines)
	}
	x.FailNext(1, 500)
	if got, _, _ := x.call(t, agent, "GET", "/api/agent/sources", ""); got != 500 {
		t.Errorf("asked to fail: %d", got)
	}
	x.ThrottleNext(1, 7*time.Second)
	if got, header, _ := x.call(t, agent, "GET", "/api/agent/sources", ""); got != 429 || header.Get("Retry-After") != "7" {
		t.Errorf("asked to throttle: %d %v", got, header)
	}
}

// query is a whole query with a condition, as Elimity's own client writes it.
func query(condition, include string) string {
	return `{"alias":"u","condition":` + condition + `,"directLinkGroupByQueries":[],"directLinkQueries":[],"entityType":"person","include":[` + include +
		`],"limit":1,"linkGroupByQueries":[],"linkQueries":[],"offset":0,"orderBy":[],"sourceId":4}`
}

func TestQueriesAreAnsweredFromWhatWasReloaded(t *testing.T) {
	t.Parallel()
	x := start(t, elimitystandin.Options{})
	const bo = `{"type":"idInBooleanExpression","ids":["u-2"],"reference":"u"}`
	const linked = `{"type":"directlyLinkedTo","alias":"v","condition":{"type":"idInBooleanExpression","ids":["r-9"],"reference":"v"},"entityType":"role","linkAlias":"l","sourceId":5}`
	const department = `{"type":"boolean","expr":{"attributeType":"department","reference":"u","type":"assigned"}},{"type":"string","expr":{"attributeType":"department","reference":"u","type":"attribute"}}`
	ask := func(queries ...string) (int, string) {
		status, _, body := x.call(t, agent, "POST", "/api/agent/query", "["+strings.Join(queries, ",")+"]")
		return status, strings.TrimSpace(body)
	}
	for _, tt := range []struct {
		name, query, want string
	}{
		{"one", query(bo, department), `[{"count":1,"results":[{"entity":{"active":true,"id":"u-2","name":"Bo"},"inclusions":[{"type":"boolean","value":"true"},{"type":"string","value":"Sales"}],"linkGroupByPages":[],"linkPages":[]}]}]`},
		{"any, one at a time", query(`{"type":"literal","boolean":true}`, ""), `"count":2,"results":[{"entity":{"active":true,"id":"u-1"`},
		{"linked", query(linked, ""), `"id":"u-1"`},
		{"active and linked and another", query(`{"type":"all","exprs":[{"type":"active","reference":"u"},`+linked+`,`+bo+`]}`, ""), `[{"count":0,"results":[]}]`},
	} {
		if status, body := ask(tt.query); status != 200 || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s, want %s", tt.name, status, body, tt.want)
		}
	}
	for name, bad := range map[string]string{
		"a member is missing": strings.Replace(query(bo, ""), `"orderBy":[],`, "", 1), "an unknown member": strings.Replace(query(bo, ""), `"limit"`, `"top":1,"limit"`, 1),
		"an unknown condition": query(`{"type":"idIn","ids":[]}`, ""), "no such alias": query(strings.Replace(bo, `"u"`, `"w"`, 1), ""),
		"half a link": query(strings.Replace(linked, `"linkAlias":"l",`, "", 1), ""),
	} {
		if status, body := ask(bad); status != 400 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	n := x.RemoveEntity("lee@corp.example", "left", elimitystandin.Bo)
	if err := x.CarryOut(n); err != nil {
		t.Fatal(err)
	}
	if _, body := ask(query(bo, "")); !strings.Contains(body, `"count":1`) {
		t.Errorf("carried out, but not reloaded: %s", body)
	}
	if err := x.Reload(4); err != nil {
		t.Fatal(err)
	}
	if _, body := ask(query(bo, "")); !strings.Contains(body, `"count":0`) {
		t.Errorf("carried out and reloaded: %s", body)
	}
	for name, err := range map[string]error{"a second time": x.CarryOut(n), "no such request": x.CarryOut(9), "no such source": x.Reload(77)} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
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

func TestWebhooksHaveTheDocumentedMembers(t *testing.T) {
	t.Parallel()
	h, address := listen(t)
	x := start(t, elimitystandin.Options{HookURL: address, HookHeader: http.Header{"X-Site": {"a"}}})
	x.RemoveEntity("lee@corp.example", "left", elimitystandin.Bo)
	x.RemoveRelationship("lee@corp.example", "left", elimitystandin.Ana, elimitystandin.Admin)
	x.AssignText("lee@corp.example", "moved", elimitystandin.Ana, "department", "Department", "Finance")
	x.SubmitReview(elimitystandin.SampleReview("lee@corp.example", "Q1"))
	x.SubmitReview(elimitystandin.Review{By: "lee@corp.example"})
	if statuses, err := x.Flush(t.Context()); err != nil || len(statuses) != 5 {
		t.Fatal(statuses, err)
	}
	common := []string{"comment", "requestedAt", "requestedBy", "type"}
	review := []string{"campaignName", "relationshipChanges", "reviewCreatedBy", "rowRemovals"}
	for i, own := range [][]string{{"entity"}, {"fromEntity", "toEntity"}, {"attributeTypeId", "attributeTypeName", "entity", "value"}, review, review} {
		var body map[string]any
		if err := json.Unmarshal([]byte(h.bodies[i]), &body); err != nil {
			t.Fatal(err)
		}
		var got []string
		for name, v := range body {
			got = append(got, name)
			if v == nil {
				t.Errorf("webhook %d: %s is null", i, name)
			}
		}
		want := append(slices.Clone(own), common...)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("webhook %d has %v, want %v", i, got, want)
		}
	}
	if !strings.Contains(h.bodies[0], `"sourceId":4`) || !strings.Contains(h.bodies[2], `"value":{"current":"Sales","requested":"Finance","type":"string"}`) {
		t.Errorf("bodies: %s", h.bodies)
	}
	if h.header.Get("X-Site") != "a" || h.header.Get("Content-Type") != "application/json" {
		t.Errorf("header: %v", h.header)
	}
}

func TestWebhooksKeepTheirOrderThroughFailures(t *testing.T) {
	t.Parallel()
	h, address := listen(t, 503)
	x := start(t, elimitystandin.Options{HookURL: address})
	x.RemoveEntity("lee@corp.example", "first", elimitystandin.Bo)
	x.RemoveEntity("lee@corp.example", "second", elimitystandin.Ana)
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
	if !strings.Contains(h.bodies[0], "first") || !strings.Contains(h.bodies[1], "second") {
		t.Errorf("bodies: %q", h.bodies)
	}
	if _, err := start(t, elimitystandin.Options{}).Send(t.Context(), nil); err == nil {
		t.Error("sending nowhere worked")
	}
}

var formToken = regexp.MustCompile(`name="form" value="([^"]+)"`)

func TestThePageAsksAndCarriesOut(t *testing.T) {
	t.Parallel()
	x := start(t, elimitystandin.Options{})
	_, _, page := x.call(t, "", "GET", "/", "")
	if !strings.Contains(page, "None yet.") {
		t.Errorf("empty page: %s", page)
	}
	form := formToken.FindStringSubmatch(page)[1]
	post := func(v url.Values) int {
		resp, err := http.PostForm(x.url+"/requests", v)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	hostile := `<script>alert(1)</script>`
	for _, do := range []string{"remove", "unlink", "assign", "review"} {
		if status := post(url.Values{"form": {form}, "do": {do}, "by": {hostile}, "comment": {`"><img src=x>`}}); status != http.StatusOK {
			t.Errorf("%s, then the page: %d", do, status)
		}
	}
	for _, tt := range []struct {
		v    url.Values
		want int
	}{
		{url.Values{"form": {form}, "do": {"carry-out"}, "n": {"4"}}, http.StatusOK}, {url.Values{"form": {form}, "do": {"carry-out"}, "n": {"4"}}, http.StatusConflict},
		{url.Values{"form": {"wrong"}, "do": {"remove"}}, http.StatusForbidden}, {url.Values{"form": {form}, "do": {"x"}}, http.StatusBadRequest},
	} {
		if got := post(tt.v); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.v, got, tt.want)
		}
	}
	if _, header, _ := x.call(t, journal, "POST", logs, `[{"level":"info","message":"change elm-1 approved","timestamp":"2026-01-05T09:30:00Z"}]`); header == nil {
		t.Fatal("no answer")
	}
	_, _, page = x.call(t, "", "GET", "/", "")
	if strings.Contains(page, hostile) || strings.Contains(page, "<img") {
		t.Error("the page does not escape what people typed")
	}
	for _, want := range []string{"carried out", "Webhooks waiting: 4", "change elm-1 approved", "This is a stand-in"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	x.Reset()
	if len(x.Requests()) != 0 || x.Queued() != 0 || len(x.Log()) != 0 {
		t.Error("a reset left something behind")
	}
}
