package aponostandin_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
)

// hook keeps the webhooks it gets and answers as told, 200 otherwise.
type hook struct {
	mu      sync.Mutex
	answers []int
	says    string
	bodies  []string
	queries []string
	header  http.Header
	got     chan struct{}
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.header = r.Header.Clone()
	status := http.StatusOK
	if len(h.answers) > 0 {
		status, h.answers = h.answers[0], h.answers[1:]
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(h.says))
	if status == http.StatusOK {
		h.bodies, h.queries = append(h.bodies, string(body)), append(h.queries, r.URL.RawQuery)
		h.got <- struct{}{}
	}
}

func (h *hook) say(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.says = text
}

func listen(t *testing.T, answers ...int) (*hook, string) {
	t.Helper()
	h := &hook{answers: answers, got: make(chan struct{}, 64)}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return h, server.URL + "/in/apono?site=a"
}

func TestWebhooksTellEveryTrigger(t *testing.T) {
	t.Parallel()
	h, address := listen(t)
	x := start(t, aponostandin.Options{HookURL: address, HookToken: "hook", HookHeader: http.Header{"X-Site": {"a"}}})
	granted, rejected, failed := x.Request(asks), x.Request(asks), x.Request(asks)
	if err := errors.Join(x.ApproveInPortal(granted, ours.Email), x.Expire(granted), x.RejectInPortal(rejected, ours.Email), x.Fail(failed)); err != nil {
		t.Fatal(err)
	}
	x.Audit(aponostandin.AuditEvent{Action: "delete", Actor: kim})
	x.Integration(aponostandin.IntegrationAilment{Name: "prod db", Status: "Warning"})
	if err := x.Anomaly(granted, "odd"); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, text := range h.bodies {
		var body struct {
			Type string `json:"event_type"`
			Time string `json:"event_time"`
		}
		if err := json.Unmarshal([]byte(text), &body); err != nil || body.Time != "1767614400.000000000" {
			t.Errorf("%s: %v", text, err)
		}
		types = append(types, body.Type)
	}
	want := []string{
		"RequestCreated", "RequestCreated", "RequestCreated", "RequestApproved", "RequestGranted", "RequestExpired",
		"RequestRejected", "RequestFailed", "AuditLogCreated", "IntegrationStatusChanged", "AnomalyDetected",
	}
	if !slices.Equal(types, want) {
		t.Errorf("told %v, want %v", types, want)
	}
	if want := []string{"site=a", "site=a&webhook=audit", "site=a&webhook=integration", "site=a&webhook=anomaly"}; !slices.Equal(h.queries[7:], want) {
		t.Errorf("URLs with %q, want %q", h.queries[7:], want)
	}
	if h.header.Get("Authorization") != "Bearer hook" || h.header.Get("X-Site") != "a" || h.header.Get("Content-Type") != "application/json" {
		t.Errorf("header: %v", h.header)
	}
}

func TestValuesArePastedAsTheStandInWasTold(t *testing.T) {
	t.Parallel()
	a := asks
	a.Justification, a.Duration = "a \"b\" & 'c'\n\\d", time.Hour
	for _, tt := range []struct {
		options aponostandin.Options
		want    []string
	}{
		{aponostandin.Options{}, []string{`"justification":"a &quot;b&quot; &amp; &#x27;c&#x27;` + "\n" + `\d"`, `"access_duration_in_seconds":"3600"`, `"event_type":"RequestCreated"`}},
		{aponostandin.Options{Escaping: aponostandin.EscapeJSON, LongTypes: true}, []string{`"justification":"a \"b\" & 'c'\n\\d"`, `"event_type":"AccessRequestCreated"`}},
		{aponostandin.Options{Escaping: aponostandin.EscapeNone}, []string{`"justification":"a "b" & 'c'` + "\n" + `\d"`}},
		{aponostandin.Options{Templates: aponostandin.Templates{Request: aponostandin.SentinelTemplate}}, []string{`"resource_id": "Database"`, `"resource_name": "orders"`, `"permission":  "Read"`}},
		{aponostandin.Options{Templates: aponostandin.Templates{Request: aponostandin.LogzTemplate}}, []string{`\"id\": \"r-1\"`, `\"access_bundle_name\": \"\"`}},
		{aponostandin.Options{Templates: aponostandin.Templates{Request: `{{data.requester}} {{data.approvals.[7].status}} {{data.approvals.[x]}} {{nothing.at.all}}.`}}, []string{"[object Object]   ."}},
	} {
		h, address := listen(t)
		tt.options.HookURL = address
		x := start(t, tt.options)
		x.Request(a)
		if _, err := x.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !strings.Contains(h.bodies[0], want) {
				t.Errorf("the body lacks %s:\n%s", want, h.bodies[0])
			}
		}
	}
}

func TestWebhooksStayInOrderUntilTheyAreTaken(t *testing.T) {
	t.Parallel()
	h, address := listen(t, 503)
	x := start(t, aponostandin.Options{HookURL: address})
	x.Request(asks)
	x.Request(asks)
	if statuses, err := x.Flush(t.Context()); err == nil || !slices.Equal(statuses, []int{503}) || x.Queued() != 2 {
		t.Errorf("refused: %v, %v, %d queued", statuses, err, x.Queued())
	}
	if _, err := x.Flush(t.Context()); err != nil || x.Queued() != 0 {
		t.Errorf("taken: %v, %d queued", err, x.Queued())
	}
	if len(h.bodies) != 2 || !strings.Contains(h.bodies[0], "r-1") || !strings.Contains(h.bodies[1], "r-2") {
		t.Errorf("bodies: %q", h.bodies)
	}
	x.Request(asks)
	x.ClearQueue()
	if x.Queued() != 0 {
		t.Error("the queue was not cleared")
	}
}

func TestAWebhookIsGivenUpOn(t *testing.T) {
	t.Parallel()
	_, address := listen(t, slices.Repeat([]int{500}, 50)...)
	x := start(t, aponostandin.Options{HookURL: address})
	a := asks
	a.BehindWebhook = true
	x.Request(a)
	tries := 0
	for ; x.Queued() > 0 && tries < 50; tries++ {
		_, _ = x.Flush(t.Context())
	}
	if got := x.Requests()[0]; tries != 24 || got.Asked != 0 {
		t.Errorf("%d tries and %d answers, want 24 and none", tries, got.Asked)
	}
}

func TestRunSendsWhatIsQueuedAndAsksAgainUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	h, address := listen(t, 503)
	h.say(`{"data":{"status":"pending"}}`)
	x := start(t, aponostandin.Options{HookURL: address, AskEvery: 5 * time.Millisecond})
	a := asks
	a.BehindWebhook = true
	x.Request(a)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	for range 4 { // the creation, the question, and two more
		<-h.got
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v", err)
	}
}

func TestSendNeedsAnAddress(t *testing.T) {
	t.Parallel()
	if _, err := aponostandin.New(aponostandin.Options{}).Send(t.Context(), []byte("{}")); err == nil {
		t.Error("a webhook was sent to nobody")
	}
}

func TestValidatorsJudgeAnswersInBothReadings(t *testing.T) {
	t.Parallel()
	h, address := listen(t)
	row := func(path string, expected ...string) []aponostandin.Validator {
		return []aponostandin.Validator{{Path: path, Expected: expected}}
	}
	for _, tt := range []struct {
		name            string
		validators      []aponostandin.Validator
		answer          string
		wrapped, member bool
	}{
		{"in the member", nil, `{"data":{"status":"approved"}}`, false, true},
		{"at the top", nil, `{"status":"approved"}`, true, false},
		{"in both", nil, `{"status":"approved","data":{"status":"approved"}}`, true, true},
		{"in neither", nil, `{"status":"pending","data":{"status":"pending"}}`, false, false},
		{"no JSON", nil, `approved`, false, false},
		{"no text", nil, `{"status":{},"data":{"status":null}}`, false, false},
		{"one of several", row("$.data.status", "ok", "approved"), `{"data":{"status":"ok"}}`, false, true},
		{"in a list", row("$.data.list[1].status", "ok"), `{"list":[{},{"status":"ok"}]}`, true, false},
		{"past the list", row("$.data.list[7].status", "ok"), `{"list":[{},{"status":"ok"}]}`, false, false},
		{"through a text", row("$.data.status.x", "ok"), `{"status":"ok"}`, false, false},
		{"true and a number", []aponostandin.Validator{{"$.data.a", []string{"true"}}, {"$.data.b", []string{"7"}}}, `{"a":true,"b":7}`, true, false},
		{"one row fails", []aponostandin.Validator{{"$.data.a", []string{"true"}}, {"$.data.b", []string{"8"}}}, `{"a":true,"b":7}`, false, false},
		{"no path", row("data.status", "ok"), `{"status":"ok"}`, false, false},
		{"no validators", []aponostandin.Validator{}, `{"status":"approved"}`, false, false},
	} {
		h.say(tt.answer)
		for _, wrapped := range []bool{true, false} {
			x := start(t, aponostandin.Options{HookURL: address, Validators: tt.validators, Wrapped: wrapped})
			a := asks
			a.BehindWebhook = true
			id := x.Request(a)
			got, err := x.Ask(t.Context(), id)
			if err != nil || got.Wrapped != tt.wrapped || got.Member != tt.member {
				t.Errorf("%s: %+v, %v; want %v and %v", tt.name, got, err, tt.wrapped, tt.member)
			}
			granted := wrapped && tt.wrapped || !wrapped && tt.member
			if state := x.state(t, id); (state == aponostandin.Granted) != granted {
				t.Errorf("%s: the request is %s", tt.name, state)
			}
		}
	}
}

func TestQuestionsThatFailLeaveTheRequestWaiting(t *testing.T) {
	t.Parallel()
	_, address := listen(t, 500)
	x := start(t, aponostandin.Options{HookURL: address})
	a := asks
	a.BehindWebhook = true
	id := x.Request(a)
	if _, err := x.Ask(t.Context(), "r-9"); !errors.Is(err, aponostandin.ErrUnknown) {
		t.Errorf("an unknown request: %v", err)
	}
	if got, err := x.Ask(t.Context(), id); err == nil || got.Status != 500 {
		t.Errorf("a refusal: %+v, %v", got, err)
	}
	if got := x.state(t, id); got != aponostandin.Pending {
		t.Errorf("the request is %s", got)
	}
	x.AskAgain()
	if got := x.Queued(); got != 2 {
		t.Errorf("%d queued, want the creation and one question", got)
	}
}
