package slack

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/slack/slackstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slackstandin.Options{})
	ref := w.create(t, "k1")
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	asked := ticket()
	connectortest.Run(t, connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			c, err := (&Config{BaseURL: baseURL, Team: "T0CORP", Token: connectors.SecretValue(connectortest.Canary)}).Open(connectortest.Env(t))
			connectortest.Must(t, err)
			return c
		},
		Standin: func(*testing.T) http.Handler {
			return slackstandin.New(slackstandin.Options{
				Now: func() time.Time { return connectortest.Now }, Token: connectortest.Canary, People: []slackstandin.Person{{ID: "U0KIM", Name: "Kim"}},
			})
		},
		Reads:   func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/auth.test") },
		Ticket:  ticket(),
		Note:    connectors.Note{Key: "note", Body: "accepted"},
		Move:    connectors.Move{Status: "Approved", Asked: &asked},
		Account: "U0KIM",
		Ref:     ref,
		Inbound: []connectors.Request{
			{Header: form, Body: w.click(t, slackstandin.Click{Message: ref.ID, Button: "approve/1h", By: "U0KIM"}).Body},
			{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`)},
			{Header: form, Body: []byte("ssl_check=1&token=x")},
		},
		Verification: connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}}},
	})
}

func TestRequestsAsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slackstandin.Options{})
	asked := ticket()
	var ref connectors.Ref
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"ping", func() error { return w.Ping(t.Context()) }},
		{"create", func() (err error) { ref, err = w.Create(t.Context(), "k1", ticket()); return err }},
		{"create-plain", func() error {
			_, err := w.Create(t.Context(), "k2", connectors.Ticket{Project: "C0SEC", Type: "ask", Summary: "Ana asks"})
			return err
		}},
		{"notice", func() error {
			_, err := w.Create(t.Context(), "k3", connectors.Ticket{Project: "C0SEC", Type: "notice", Summary: "Done", Description: "# All\n\n1. one\n2. two\n\n> said"})
			return err
		}},
		{"comment", func() error {
			return w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**Refused:** <script> by \\*Max\\*"})
		}},
		{"transition", func() error {
			return w.Transition(t.Context(), ref, connectors.Move{Status: "Approved", Asked: &asked})
		}},
		{"transition-forgotten", func() error {
			return w.Transition(t.Context(), ref, connectors.Move{Status: "Denied", Note: &connectors.Note{Body: "too late"}})
		}},
		{"resolve", func() error { _, err := w.Resolve(t.Context(), "U0KIM"); return err }},
	} {
		w.tape.Take()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		connectortest.Golden(t, step.name, w.tape.Take())
	}
	if ref.ID == "" || ref.Key == "" || !strings.Contains(ref.URL, "channel=C0SEC") {
		t.Errorf("the message is %+v", ref)
	}
	if m, _ := w.slack.Message(ref.ID); m.Buttons() {
		t.Error("the message still has buttons")
	}
}

// The signature is the one of the golden vectors for verifiers.
func TestSignatureAsSlackMakesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slackstandin.Options{})
	given := connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue("test-key-not-secret")}}}
	at := time.Unix(1700000000, 0)
	r := connectors.Request{Header: http.Header{
		"X-Slack-Signature":         {"v0=c63564ea10f2de0f41f1eb16ea3c8c0aff06ce3892338c0297d0962b7a3ed5cb"},
		"X-Slack-Request-Timestamp": {"1700000000"},
	}, Body: []byte(`{"n":1,"t":"é"}`)}
	for _, test := range []struct {
		late time.Duration
		want error
	}{{0, nil}, {5 * time.Minute, nil}, {5*time.Minute + time.Second, connectors.ErrForged}, {-5*time.Minute - time.Second, connectors.ErrForged}} {
		v, err := verify.New(w.Verification(), given, verify.Env{Vault: &connectors.Vault{}, Now: func() time.Time { return at.Add(test.late) }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), r, ""); !errors.Is(err, test.want) {
			t.Errorf("%v late: %v, want %v", test.late, err, test.want)
		}
	}
}
