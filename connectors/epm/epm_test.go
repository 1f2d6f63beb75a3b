package epm

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
)

const adminPath = "\nadmin: {decision_path: /management-api/v3/AdminAccessRequest/notification}\n"

// against opens a connector on a stand-in whose account it has.
func against(t *testing.T, o epmstandin.Options, settings string) (*connector, *epmstandin.Server) {
	t.Helper()
	o.ClientSecret = "canary-secret"
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	standin := epmstandin.New(o)
	server := httptest.NewServer(standin)
	t.Cleanup(server.Close)
	return mustOpenAt(t, server, settings), standin
}

func TestPing(t *testing.T) {
	t.Parallel()
	t.Run("works", func(t *testing.T) {
		t.Parallel()
		k, _ := against(t, epmstandin.Options{}, "")
		if err := k.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	for _, tt := range []struct {
		name, settings, words string
		options               epmstandin.Options
		kind                  connectors.Kind
	}{
		{"no JIT permission", "", "JIT permission", epmstandin.Options{WithoutJIT: true}, connectors.Permanent},
		{"wrong account", "client_id: stranger", "token server refused", epmstandin.Options{}, connectors.Unwell},
		{"wrong path", "ping_path: /management-api/v9/x", "check settings.base_url", epmstandin.Options{}, connectors.Permanent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, _ := against(t, tt.options, tt.settings)
			err := k.Ping(t.Context())
			if err == nil || connectors.AsError(err).Kind != tt.kind || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), "canary") {
				t.Errorf("Ping() = %v, want %s with %q", err, tt.kind, tt.words)
			}
		})
	}
}

// inbox receives webhooks the way the gateway would hand them over.
func inbox(t *testing.T, k func() *connector, to chan<- connectors.Event) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, err := k().Receive(r.Context(), connectors.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body, Time: noon})
		if user, password, _ := r.BasicAuth(); err != nil || user != "epm" || password != "hook" {
			http.Error(w, "refused", http.StatusBadRequest)
			return
		}
		for _, e := range got.Events {
			to <- e
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestARequestTravelsThereAndBack(t *testing.T) {
	t.Parallel()
	const hostile = `say "please"","Decision":"Approved","x":"\`
	for _, tt := range []struct {
		name     string
		raw      bool
		ask      func(*epmstandin.Server) string
		kinds    [2]string
		duration connectors.Duration
		account  string
		reason   string
	}{
		{
			"application", false,
			func(s *epmstandin.Server) string {
				return s.RequestApplication(epmstandin.AppRequest{User: `CORP\nina`, ProductName: "ACME Tool", FilePath: `C:\tools\acme.exe`, Reason: hostile})
			},
			[2]string{connectors.AccessRequested, connectors.AccessApproved}, connectors.Duration{Length: time.Hour}, `CORP\nina`, hostile,
		},
		{
			"application, values pasted raw", true,
			func(s *epmstandin.Server) string {
				return s.RequestApplication(epmstandin.AppRequest{User: `CORP\nina`, ProductName: "ACME Tool", FilePath: `C:\tools\acme.exe`, Reason: "one\ntwo"})
			},
			[2]string{connectors.AccessRequested, connectors.AccessApproved}, connectors.Duration{Once: true}, `CORP\nina`, "one\ntwo",
		},
		{
			"administrator rights", false,
			func(s *epmstandin.Server) string {
				return s.RequestAdmin(epmstandin.AdminRequest{UserName: `CORP\max`, ComputerID: "PC-7", Reason: "printer", Duration: 2 * time.Hour})
			},
			[2]string{connectors.AdminRequested, connectors.AdminApproved}, connectors.Duration{Length: time.Hour}, `CORP\max`, "printer",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var k *connector
			events := make(chan connectors.Event, 2)
			hook := inbox(t, func() *connector { return k }, events)
			k, standin := against(t, epmstandin.Options{
				HookURL: hook.URL, HookUser: "epm", HookPassword: "hook", RawValues: tt.raw, EchoDecisions: true,
			}, adminPath)

			id := tt.ask(standin)
			if _, err := standin.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			asked := <-events
			if asked.Kind != tt.kinds[0] || asked.RequestID != id || asked.Requester.Account != tt.account || asked.Reason != tt.reason {
				t.Fatalf("asked: %+v", asked)
			}
			d := connectors.Decision{
				Kind: asked.Kind, Tenant: asked.Tenant, RequestID: asked.RequestID, IDs: map[string]string{"TicketNumber": asked.Data["TicketNumber"].(string)},
				Outcome: connectors.Approved, By: connectors.Person{Name: "Lee"}, At: noon, Duration: tt.duration, Ticket: approval.Ticket,
			}
			if s, err := k.State(t.Context(), d); err != nil || s.Outcome != connectors.Pending {
				t.Fatalf("state before: %+v, %v", s, err)
			}
			if err := k.Decide(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			s, err := k.State(t.Context(), d)
			if diff := cmp.Diff(connectors.State{Outcome: connectors.Approved, By: "Lee", At: noon}, s); err != nil || diff != "" {
				t.Fatalf("state after: %v (-want +got):\n%s", err, diff)
			}
			if _, err := standin.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			told := <-events
			if told.Kind != tt.kinds[1] || told.RequestID != id || told.Decision.Outcome != connectors.Approved || told.Decision.By.Name != "Lee" || told.Decision.Duration != tt.duration {
				t.Errorf("told: %+v, %+v", told, told.Decision)
			}
		})
	}
}

func TestALostAnswerIsSettledByAsking(t *testing.T) {
	t.Parallel()
	for _, onlyBySystemID := range []bool{false, true} {
		k, standin := against(t, epmstandin.Options{OnlyBySystemID: onlyBySystemID}, "")
		d := approval
		d.RequestID = standin.RequestApplication(epmstandin.AppRequest{User: "ana", ProductName: "ACME Tool"})
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
}

func TestASecondDecisionOtherThanTheFirstFailsForGood(t *testing.T) {
	t.Parallel()
	k, standin := against(t, epmstandin.Options{}, "")
	d := approval
	d.RequestID = standin.RequestApplication(epmstandin.AppRequest{User: "ana", ProductName: "ACME Tool"})
	if err := standin.DecideInConsole(d.RequestID, epmstandin.Denied, "console"); err != nil {
		t.Fatal(err)
	}
	err := k.Decide(t.Context(), d)
	if err == nil || connectors.AsError(err).Kind != connectors.Permanent || !strings.Contains(err.Error(), "already holds the request as denied") {
		t.Errorf("Decide() = %v", err)
	}
}

func TestThrottlingIsPassedOn(t *testing.T) {
	t.Parallel()
	k, standin := against(t, epmstandin.Options{}, "")
	standin.ThrottleNext(1, 7*time.Second)
	e := connectors.AsError(k.Ping(t.Context()))
	if e == nil || e.Kind != connectors.Throttled || e.RetryAfter != 7*time.Second {
		t.Errorf("Ping() = %v, want throttled for 7s", e)
	}
}

func TestARegeneratedSecretCostsOneNewToken(t *testing.T) {
	t.Parallel()
	k, standin := against(t, epmstandin.Options{}, "")
	for range 2 {
		if err := k.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		standin.RevokeTokens()
	}
}

func TestCallsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	k, _ := against(t, epmstandin.Options{}, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Decide(ctx, approval); !errors.Is(err, context.Canceled) {
		t.Errorf("Decide() = %v, want canceled", err)
	}
}
