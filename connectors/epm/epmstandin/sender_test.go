package epmstandin_test

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

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
)

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

func TestWebhooksFollowTheVendorsExample(t *testing.T) {
	t.Parallel()
	h, address := listen(t)
	x := start(t, epmstandin.Options{HookURL: address, HookUser: "epm", HookPassword: "p", HookHeader: http.Header{"X-Site": {"a"}}})
	x.RequestApplication(epmstandin.AppRequest{User: `CORP\ana`, Hostname: "PC-7", Reason: `say "x"`})
	if statuses, err := x.Flush(t.Context()); err != nil || !slices.Equal(statuses, []int{202}) {
		t.Fatal(statuses, err)
	}
	var body struct {
		EventType, RequestID, TicketNumber, TenantID, Timestamp string
		RequestInfo                                             map[string]string
	}
	if err := json.Unmarshal([]byte(h.bodies[0]), &body); err != nil {
		t.Fatal(err)
	}
	if body.EventType != "URM_Native_Ticket_Created" || body.RequestID != "r-1" || body.TicketNumber != "EPM000001" || body.Timestamp != "20260105T120000Z" {
		t.Errorf("ids: %+v", body)
	}
	for name, want := range map[string]string{"user": `CORP\ana`, "hostName": "PC-7", "reason": `say "x"`, "uacTriggered": "True", "clsId": "%%ClsId%%"} {
		if got := body.RequestInfo[name]; got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if user, password, _ := (&http.Request{Header: h.header}).BasicAuth(); user != "epm" || password != "p" || h.header.Get("X-Site") != "a" || h.header.Get("Content-Type") != "application/json" {
		t.Errorf("header: %v", h.header)
	}
}

func TestRawValuesAndExactNamesAreLeftAsTheyAre(t *testing.T) {
	t.Parallel()
	h, address := listen(t)
	x := start(t, epmstandin.Options{HookURL: address, RawValues: true, ExactNames: true})
	x.RequestApplication(epmstandin.AppRequest{User: `CORP\ana`, Hostname: "PC-7", Reason: `x","RequestId":"r-2`})
	if _, err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"user": "CORP\ana"`, `"reason": "x","RequestId":"r-2"`, `"hostName": "%%HostName%%"`} {
		if !strings.Contains(h.bodies[0], want) {
			t.Errorf("the body lacks %s", want)
		}
	}
}

func TestDecisionsAreToldByWebhook(t *testing.T) {
	t.Parallel()
	h, address := listen(t)
	x := start(t, epmstandin.Options{HookURL: address, EchoDecisions: true})
	token := x.login(t)
	app := x.RequestApplication(epmstandin.AppRequest{User: "ana"})
	admin := x.RequestAdmin(epmstandin.AdminRequest{UserName: "max", Duration: 2 * time.Hour})
	x.ClearQueue()
	x.call(t, token, "POST", applicationPath, decision(app, nil))
	x.call(t, token, "POST", applicationPath, decision(app, nil))
	if err := x.DecideInConsole(admin, epmstandin.Approved, "kim"); err != nil {
		t.Fatal(err)
	}
	if err := x.DecideInConsole(admin, epmstandin.Denied, "kim"); !errors.Is(err, epmstandin.ErrDecided) {
		t.Errorf("second decision in the console: %v", err)
	}
	if err := x.DecideInConsole(admin, "Maybe", "kim"); err == nil {
		t.Error("an unknown decision was taken")
	}
	if err := x.DecideInConsole("r-9", epmstandin.Denied, "kim"); err == nil {
		t.Error("an unknown request was decided")
	}
	if _, err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"EventType":"URM_NATIVE_DECISION_UPDATE","RequestId":"r-1","TicketNumber":"EPM000001","TenantId":"t-100","Timestamp":"20260105T120000Z","Decision":"Approved","DecisionTime":"20260105T120000Z","DecisionPerformedByUser":"Lee","Duration":"3600"}`,
		`{"EventType":"JIT_ADMIN_TICKET_CREATED","RequestId":"r-2","TicketNumber":"EPM000002","TenantId":"t-100","Timestamp":"20260105T120000Z","Decision":"Approved","DecisionTime":"20260105T120000Z","DecisionPerformedByUser":"kim","Duration":"3600","StartTime":"20260105T120000Z","EndTime":"20260105T130000Z","DurationRequested":"7200"}`,
	}
	if !slices.Equal(h.bodies, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(h.bodies, "\n"), strings.Join(want, "\n"))
	}
}

func TestWebhooksStayInOrderUntilTheyAreTaken(t *testing.T) {
	t.Parallel()
	h, address := listen(t, 503)
	x := start(t, epmstandin.Options{HookURL: address})
	x.RequestAdmin(epmstandin.AdminRequest{UserName: "first"})
	x.RequestAdmin(epmstandin.AdminRequest{UserName: "second"})
	if statuses, err := x.Flush(t.Context()); err == nil || !slices.Equal(statuses, []int{503}) || x.Queued() != 2 {
		t.Errorf("refused: %v, %v, %d queued", statuses, err, x.Queued())
	}
	if _, err := x.Flush(t.Context()); err != nil || x.Queued() != 0 {
		t.Errorf("taken: %v, %d queued", err, x.Queued())
	}
	if len(h.bodies) != 2 || !strings.Contains(h.bodies[0], "first") || !strings.Contains(h.bodies[1], "second") {
		t.Errorf("bodies: %q", h.bodies)
	}
}

func TestAWebhookIsGivenUpOn(t *testing.T) {
	t.Parallel()
	_, address := listen(t, slices.Repeat([]int{500}, 50)...)
	x := start(t, epmstandin.Options{HookURL: address})
	x.RequestAdmin(epmstandin.AdminRequest{UserName: "ana"})
	tries := 0
	for ; x.Queued() > 0 && tries < 50; tries++ {
		_, _ = x.Flush(t.Context())
	}
	if tries != 12 {
		t.Errorf("%d tries, want 12", tries)
	}
}

func TestRunSendsWhatIsQueuedUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	h, address := listen(t, 503)
	x := start(t, epmstandin.Options{HookURL: address})
	x.RequestAdmin(epmstandin.AdminRequest{UserName: "before"})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	<-h.got
	x.RequestAdmin(epmstandin.AdminRequest{UserName: "after"})
	<-h.got
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v", err)
	}
}

func TestSendNeedsAnAddress(t *testing.T) {
	t.Parallel()
	if _, err := epmstandin.New(epmstandin.Options{}).Send(t.Context(), []byte("{}")); err == nil {
		t.Error("a webhook was sent to nobody")
	}
}
