package datatheorem

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	inbound := func(dir string) connectors.Request {
		return connectors.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: connectortest.Body(t, "testdata/receive/"+dir)}
	}
	suite := connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			c := New().(*Config)
			c.BaseURL, c.APIKey = baseURL, connectors.SecretValue(connectortest.Canary)
			c.Targets.Update.Body = `{"status":{status}}`
			k, err := c.Open(connectortest.Env(t))
			if err != nil {
				t.Fatal(err)
			}
			return k
		},
		Standin: func(*testing.T) http.Handler {
			s := datatheoremstandin.New(datatheoremstandin.Options{
				APIKey: connectortest.Canary, Now: func() time.Time { return connectortest.Now }, NewID: func() string { return "v-1" },
			})
			s.OpenViolation(datatheoremstandin.Violation{})
			s.OpenTarget("app-1", "Backups hold a token")
			return s
		},
		Decision: connectors.Decision{Kind: connectors.FindingOpened, RequestID: "v-1", Outcome: connectors.Approved},
		Inbound: []connectors.Request{
			inbound("violation_resolved_documented_example"), inbound("connectivity_check_documented"), inbound("violation_wont_fix"), inbound("user_login_failed"),
		},
		Verification: connectors.Verification{Bearer: &connectors.BearerCheck{Tokens: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}}},
	}
	t.Run("violations", func(t *testing.T) {
		t.Parallel()
		connectortest.Run(t, suite)
	})
	t.Run("mobile finding targets", func(t *testing.T) {
		t.Parallel()
		suite := suite
		suite.Decision.IDs = map[string]string{"security_finding_id": "f-1"}
		suite.Means = map[string]connectors.Kind{"poll 404": connectortest.NoError}
		connectortest.Run(t, suite)
	})
}

// TestAnAccountsEventsArrive plays an account against the verifier and the connector together.
func TestAnAccountsEventsArrive(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	given := connectors.Verification{Bearer: &connectors.BearerCheck{Tokens: []connectors.Secret{connectors.SecretValue("123456abcde")}}}
	verifier, err := verify.New(k.Verification(), given, verify.Env{Vault: &connectors.Vault{}, Now: func() time.Time { return connectortest.Now }})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan connectors.Event, 32)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request := connectors.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body, Time: connectortest.Now}
		if _, err := verifier.Verify(r.Context(), request, ""); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		got, err := k.Receive(r.Context(), request)
		if err != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		for _, e := range got.Events {
			events <- e
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer hook.Close()
	now := connectortest.Now
	s := datatheoremstandin.New(datatheoremstandin.Options{
		HookURL: hook.URL, Authorization: "Bearer 123456abcde", Now: func() time.Time { now = now.Add(time.Hour); return now },
	})
	s.TestConnectivity()
	s.SendExample()
	id := s.OpenViolation(datatheoremstandin.Violation{Description: "One.\nTwo."})
	for _, change := range []func() error{
		func() error { return s.Dismiss(id, "accepted") },
		func() error { return s.Reopen(id) },
		func() error { return s.Resolve(id) },
		func() error { return s.Reopen(id) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	target := s.OpenTarget("app-1", "Backups hold a token")
	if err := s.CloseTarget(target, "CLOSED_RISK_ACCEPTED"); err != nil {
		t.Fatal(err)
	}
	s.DiscoverService("new.example")
	s.Login("ana@corp.example", "WRONG_PASSWORD")
	s.CreateUser("max@corp.example", "lee@corp.example")
	s.Protect("MOBILE", "DEVICE_ROOTED")
	if _, err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(events)
	want := []struct{ kind, id string }{
		{connectors.Test, ""}, {connectors.FindingResolved, "924f1fb0-ebaa-4dfd-9297-390c0df18b44"},
		{connectors.FindingOpened, id}, {connectors.FindingDismissed, id}, {connectors.FindingOpened, id},
		{connectors.FindingResolved, id}, {connectors.FindingOpened, id},
		{connectors.FindingOpened, target}, {connectors.FindingDismissed, target},
		{connectors.AssetDiscovered, "*"}, {connectors.Audit, ""}, {connectors.Audit, ""}, {connectors.Anomaly, "*"},
	}
	seen := map[string]bool{}
	i := 0
	for e := range events {
		if i >= len(want) || e.Kind != want[i].kind || e.RequestID != want[i].id && (want[i].id != "*" || e.RequestID == "") {
			t.Errorf("event %d is %s of %q", i, e.Kind, e.RequestID)
		}
		if seen[e.Dedupe] {
			t.Errorf("event %d has the identity of another: %s", i, e.Dedupe)
		}
		seen[e.Dedupe] = true
		i++
	}
	if i != len(want) {
		t.Errorf("%d events arrived, want %d", i, len(want))
	}
}
