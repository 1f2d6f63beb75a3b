package apono

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		config func(*Config)
	}{
		{"api", func(*Config) {}},
		// The state at Apono changes only when it asks, so it is no echo of what was told.
		{"manual", func(c *Config) { c.Way, c.State.Path = "manual", "" }},
		{"none", func(c *Config) { c.Way, c.Token = "none", connectors.Secret{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			standin := func(*testing.T) http.Handler {
				s := aponostandin.New(aponostandin.Options{
					Token: connectortest.Canary, Now: func() time.Time { return connectortest.Now }, NewID: func() string { return "r-1" },
				})
				s.Request(anaAsks)
				return s
			}
			connectortest.Run(t, connectortest.Suite{
				New: func(t *testing.T, baseURL string) connectors.Connector {
					t.Helper()
					c := New().(*Config)
					c.BaseURL, c.Token = baseURL, connectors.SecretValue(connectortest.Canary)
					tt.config(c)
					k, err := c.Open(connectortest.Env(t))
					if err != nil {
						t.Fatal(err)
					}
					return k
				},
				Standin:  standin,
				Decision: approval,
				Inbound: []connectors.Request{
					{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: connectortest.Body(t, "testdata/receive/created_documented_payload")},
					{Method: http.MethodPost, Header: http.Header{}, Body: connectortest.Body(t, "testdata/receive/created_sentinel_template")},
					{Method: http.MethodPost, Header: http.Header{}, Body: connectortest.Body(t, "testdata/receive/created_logz_template")},
					{Method: http.MethodPost, Header: http.Header{}, Body: connectortest.Body(t, "testdata/receive/audit")},
				},
				Means:        map[string]connectors.Kind{"poll 404": connectortest.NoError},
				Verification: connectors.Verification{Bearer: &connectors.BearerCheck{Tokens: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}}},
			})
		})
	}
}

var (
	kim = aponostandin.Person{ID: "user-kim", Name: "Kim Okafor", Email: "kim@corp.example"}

	anaAsks = aponostandin.AccessRequest{
		Requester:     aponostandin.Person{ID: "user-ana", Name: "Ana Silva", Email: "ana@corp.example"},
		Justification: `say "please" & <b>'now'</b>`, Integration: "prod db", Type: "Postgresql",
		Resources: []aponostandin.Resource{{Name: "orders", Type: "Database", Permission: "Read"}},
	}
)

// against opens a connector on a stand-in whose token it has.
func against(t *testing.T, o aponostandin.Options, settings string) (*approver, *aponostandin.Server) {
	t.Helper()
	o.Token = "canary-token"
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	standin := aponostandin.New(o)
	server := httptest.NewServer(standin)
	t.Cleanup(server.Close)
	return byCall(t, server, settings), standin
}

func TestPing(t *testing.T) {
	t.Parallel()
	k, _ := against(t, aponostandin.Options{}, "")
	if err := k.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, settings, words string
		options               aponostandin.Options
		kind                  connectors.Kind
	}{
		{"may not approve", "", "may not approve requests", aponostandin.Options{ReadOnly: true}, connectors.Permanent},
		{"wrong token", "token: {value: stranger}", "check settings.token; Apono says: Unauthorized", aponostandin.Options{}, connectors.Unwell},
		{"wrong path", "ping_path: /api/v9/x", "check settings.base_url and settings.ping_path", aponostandin.Options{}, connectors.Permanent},
		{"wrong tasks path", "decision: {tasks_path: /api/v9/x}", "settings.decision.tasks_path", aponostandin.Options{}, connectors.Permanent},
	} {
		k, _ := against(t, tt.options, tt.settings)
		err := k.Ping(t.Context())
		if err == nil || connectors.AsError(err).Kind != tt.kind || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: Ping() = %v, want %s with %q", tt.name, err, tt.kind, tt.words)
		}
	}
	k, _ = against(t, aponostandin.Options{ReadOnly: true}, "decision: {tasks_path: ''}")
	if err := k.Ping(t.Context()); err != nil {
		t.Errorf("without a look at the tasks: %v", err)
	}
	forbidden := vendor(t, nil, says(403, "application/json", `{}`))
	if err := byCall(t, forbidden, "").Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "may not read access requests") {
		t.Errorf("Ping() = %v", err)
	}
}

// bridge receives webhooks the way the gateway would: it keeps events, knows duplicates, and answers from the state of
// the case.
type bridge struct {
	*httptest.Server
	connector connectors.Connector
	events    chan connectors.Event

	mu      sync.Mutex
	seen    map[string]bool
	decided map[string]connectors.Outcome
}

func newBridge(t *testing.T) *bridge {
	t.Helper()
	b := &bridge{events: make(chan connectors.Event, 32), seen: map[string]bool{}, decided: map[string]connectors.Outcome{}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	receiver, _ := connectors.AsReceiver(b.connector)
	got, err := receiver.Receive(r.Context(), connectors.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body, Time: noon})
	if err != nil || r.Header.Get("Authorization") != "Bearer hook" {
		http.Error(w, "refused", http.StatusUnprocessableEntity)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	event := got.Events[0]
	if !b.seen[event.Dedupe] {
		b.seen[event.Dedupe] = true
		b.events <- event
	}
	outcome, ok := b.decided[event.RequestID]
	if !ok {
		outcome = connectors.Pending
	}
	answer := got.Reply(connectors.CaseState{EventID: "e-1", Outcome: outcome})
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body)
}

func (b *bridge) decide(id string, outcome connectors.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.decided[id] = outcome
}

func TestARequestTravelsThereAndBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		options  aponostandin.Options
		settings string
		hasID    bool
	}{
		{"recommended template", aponostandin.Options{}, "unescape: true", true},
		{"long event types", aponostandin.Options{LongTypes: true}, "unescape: true", true},
		{"values escaped as JSON", aponostandin.Options{Escaping: aponostandin.EscapeJSON}, "", true},
		{"Logz.io's template", aponostandin.Options{Templates: aponostandin.Templates{Request: aponostandin.LogzTemplate}}, "unescape: true", true},
		{"Sentinel's template", aponostandin.Options{Templates: aponostandin.Templates{Request: aponostandin.SentinelTemplate}}, "unescape: true", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBridge(t)
			o := tt.options
			o.HookURL, o.HookToken = b.URL, "hook"
			k, standin := against(t, o, tt.settings)
			b.connector = k
			id := standin.Request(anaAsks)
			if _, err := standin.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			asked := <-b.events
			if asked.Kind != connectors.AccessRequested || asked.Reason != anaAsks.Justification || asked.Requester.Account != "user-ana" || asked.Time != noon {
				t.Fatalf("asked: %+v", asked)
			}
			if !tt.hasID {
				if asked.RequestID != "" {
					t.Errorf("the request's id was guessed: %q", asked.RequestID)
				}
				return
			}
			if asked.RequestID != id {
				t.Fatalf("request %q, want %q", asked.RequestID, id)
			}
			d := approval
			d.RequestID, d.IDs = id, map[string]string{"friendly_id": asked.Data["friendly_id"].(string)}
			if s, err := k.State(t.Context(), d); err != nil || s.Outcome != connectors.Pending {
				t.Fatalf("state before: %+v, %v", s, err)
			}
			if err := k.Decide(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if s, err := k.State(t.Context(), d); err != nil || s.Outcome != connectors.Approved {
				t.Fatalf("state after: %+v, %v", s, err)
			}
			if err := k.Revoke(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if err := standin.Expire(id); err != nil {
				t.Fatal(err)
			}
			if err := k.Revoke(t.Context(), d); err != nil {
				t.Errorf("revoke again: %v", err)
			}
			if _, err := standin.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			told, granted, expired := <-b.events, <-b.events, <-b.events
			if told.Kind != connectors.AccessApproved || told.Decision.Outcome != connectors.Approved || granted.Kind != connectors.AccessGranted || expired.Kind != connectors.AccessExpired {
				t.Errorf("told %+v, then %s and %s", told, granted.Kind, expired.Kind)
			}
			if posted := standin.Decisions(id)[0]; posted.Justification != "Approved by Lee in ITSEC-42" {
				t.Errorf("posted %+v", posted)
			}
		})
	}
}

func TestOneOfSeveralApprovalsLeavesTheRequestPending(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	k, standin := against(t, aponostandin.Options{HookURL: b.URL, HookToken: "hook"}, "")
	b.connector = k
	ask := anaAsks
	ask.Relation = aponostandin.AllOf
	ask.Approvers = []aponostandin.Person{{ID: "user-bridge", Name: "Drawbridge"}, kim}
	d := approval
	d.RequestID = standin.Request(ask)
	if err := k.Decide(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if s, err := k.State(t.Context(), d); err != nil || s.Outcome != connectors.Pending {
		t.Fatalf("state: %+v, %v; want it pending", s, err)
	}
	err := k.Decide(t.Context(), d)
	if err == nil || !strings.Contains(err.Error(), "other approvers are missing") {
		t.Errorf("a second answer: %v", err)
	}
	if err := standin.ApproveInPortal(d.RequestID, kim.Email); err != nil {
		t.Fatal(err)
	}
	if err := k.Decide(t.Context(), d); err != nil {
		t.Errorf("told again once it is approved: %v", err)
	}
	if _, err := standin.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-b.events
	if told := <-b.events; told.Decision == nil || told.Decision.By.Name != "Drawbridge, Kim Okafor" {
		t.Errorf("told %+v", told)
	}
}

func TestALostAnswerIsSettledByAsking(t *testing.T) {
	t.Parallel()
	k, standin := against(t, aponostandin.Options{}, "")
	d := approval
	d.RequestID = standin.Request(anaAsks)
	standin.CutNext()
	err := k.Decide(t.Context(), d)
	if e, ok := errors.AsType[*connectors.Error](err); !ok || !e.Sent || e.Kind == connectors.Permanent {
		t.Fatalf("a lost answer: %v, want it in doubt", err)
	}
	s, asked, err := connectors.AskState(t.Context(), k, d)
	if !asked || err != nil || s.Outcome != connectors.Approved {
		t.Errorf("state: %+v, %v, %v", s, asked, err)
	}
	if got := len(standin.Decisions(d.RequestID)); got != 1 {
		t.Errorf("%d decisions were posted, want 1", got)
	}
}

func TestADecisionMadeInAponoFirstStands(t *testing.T) {
	t.Parallel()
	k, standin := against(t, aponostandin.Options{}, "")
	ask := anaAsks
	ask.Approvers = []aponostandin.Person{{ID: "user-bridge"}, kim}
	d := approval
	d.RequestID = standin.Request(ask)
	if err := standin.RejectInPortal(d.RequestID, kim.Email); err != nil {
		t.Fatal(err)
	}
	err := k.Decide(t.Context(), d)
	if err == nil || connectors.AsError(err).Kind != connectors.Permanent || !strings.Contains(err.Error(), "already holds the request as denied") {
		t.Errorf("Decide() = %v", err)
	}
}

func TestReasonsAreWhatAponoTakes(t *testing.T) {
	t.Parallel()
	k, standin := against(t, aponostandin.Options{}, "")
	ask := anaAsks
	ask.NeedsReason = true
	d := approval
	d.Outcome, d.RequestID, d.By, d.Ticket, d.Reason = connectors.Denied, standin.Request(ask), connectors.Person{}, connectors.Ref{}, strings.Repeat("é ", 200)
	if err := k.Decide(t.Context(), d); err != nil {
		t.Errorf("a long reason: %v", err)
	}
	d.RequestID, d.Reason = standin.Request(ask), ""
	if err := k.Decide(t.Context(), d); err != nil {
		t.Errorf("no reason: %v", err)
	}
}

func TestAManualWebhookIsAnsweredFromTheCaseInBothReadings(t *testing.T) {
	t.Parallel()
	for _, wrapped := range []bool{true, false} {
		b := newBridge(t)
		b.connector = withoutToken(t, "manual")
		standin := aponostandin.New(aponostandin.Options{
			HookURL: b.URL, HookToken: "hook", Wrapped: wrapped, Now: func() time.Time { return noon },
		})
		ask := anaAsks
		ask.BehindWebhook = true
		id := standin.Request(ask)
		if _, err := standin.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := standin.Requests()[0]; got.State != aponostandin.Pending || got.Asked != 1 {
			t.Fatalf("after the first question: %s, asked %d times", got.State, got.Asked)
		}
		if first := <-b.events; first.Kind != connectors.AccessRequested || first.RequestID != id {
			t.Fatalf("the case opens with %+v", first)
		}
		for _, tt := range []struct {
			outcome connectors.Outcome
			good    bool
		}{{connectors.Denied, false}, {connectors.Expired, false}, {"", false}, {connectors.Approved, true}} {
			b.decide(id, tt.outcome)
			answer, err := standin.Ask(t.Context(), id)
			if err != nil || answer.Wrapped != tt.good || answer.Member != tt.good {
				t.Errorf("%s: %+v, %v; want both readings to be %v", tt.outcome, answer, err, tt.good)
			}
		}
		if got := standin.Requests()[0].State; got != aponostandin.Granted {
			t.Errorf("the request is %s at the end", got)
		}
		if len(b.events) != 0 {
			t.Errorf("a question made %d further events", len(b.events))
		}
	}
}

func TestAQuestionMayComeBeforeTheCreation(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	b.connector = withoutToken(t, "manual")
	standin := aponostandin.New(aponostandin.Options{HookURL: b.URL, HookToken: "hook"})
	ask := anaAsks
	ask.BehindWebhook = true
	id := standin.Request(ask)
	if answer, err := standin.Ask(t.Context(), id); err != nil || !strings.Contains(string(answer.Body), `"pending"`) {
		t.Fatalf("answer %s, %v", answer.Body, err)
	}
	if _, err := standin.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.events) != 1 {
		t.Errorf("%d events, want one", len(b.events))
	}
}

func TestEveryKindOfWebhookArrives(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	k, standin := against(t, aponostandin.Options{HookURL: b.URL, HookToken: "hook"}, "")
	b.connector = k
	id := standin.Request(anaAsks)
	standin.Audit(aponostandin.AuditEvent{Action: "update", TargetType: "access flow", TargetID: "flow-1", TargetName: "Production", Actor: kim})
	standin.Integration(aponostandin.IntegrationAilment{ID: "int-1", Name: "prod db", Type: "Postgresql", Status: "Error"})
	if err := errors.Join(standin.Anomaly(id, "unusual hour"), standin.Fail(id)); err != nil {
		t.Fatal(err)
	}
	if _, err := standin.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(b.events)
	var got []string
	for e := range b.events {
		got = append(got, e.Kind+" "+e.Subject)
		if ofRequest := e.Kind != connectors.Audit && e.Kind != connectors.IntegrationWarning; (e.RequestID == id) != ofRequest {
			t.Errorf("%s belongs to %q", e.Kind, e.RequestID)
		}
	}
	want := "access.requested Read on orders in prod db|audit update access flow Production|integration.warning prod db Error|anomaly |access.failed Read on orders in prod db"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
}

func TestThrottlingIsPassedOn(t *testing.T) {
	t.Parallel()
	k, standin := against(t, aponostandin.Options{}, "")
	standin.ThrottleNext(1, 7*time.Second)
	e := connectors.AsError(k.Ping(t.Context()))
	if e == nil || e.Kind != connectors.Throttled || e.RetryAfter != 7*time.Second {
		t.Errorf("Ping() = %v, want throttled for 7s", e)
	}
}

func TestCallsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	k, _ := against(t, aponostandin.Options{}, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Decide(ctx, approval); !errors.Is(err, context.Canceled) {
		t.Errorf("Decide() = %v, want canceled", err)
	}
}
