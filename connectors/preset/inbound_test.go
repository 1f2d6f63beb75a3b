package preset

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

// hearing are the presets that take answers, with the one way to sign of each.
var hearing = []string{"okta-workflows", "signed-webhook", "torq"}

// answering is an opened connection that takes answers.
func answering(t *testing.T, p *Preset, base string) connectors.Connector {
	t.Helper()
	given := maps.Clone(settings(t, p, base))
	given["answers"] = true
	c, err := open(t, p, given)
	connectortest.Must(t, err)
	return c
}

func TestPresetsThatTakeAnswersKeepWhatEveryReceiverPromises(t *testing.T) {
	t.Parallel()
	for _, name := range hearing {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := shipped(t, name)
			connectortest.Run(t, connectortest.Suite{
				New:     func(t *testing.T, base string) connectors.Connector { return answering(t, p, base) },
				Standin: func(*testing.T) http.Handler { return presetstandin.New(name, canary) },
				Records: records(1), Ticket: question(), Note: connectors.Note{Key: "n-1", Body: "noted"}, Move: connectors.Move{Status: "Approved"},
				Ref: connectors.Ref{ID: "k1", Key: "k1"}, Means: means(p),
				Inbound: []connectors.Request{
					{Header: http.Header{"Content-Type": {"application/json"}, "Webhook-Id": {"msg-1"}}, Body: []byte(`{"key":"k1","outcome":"approved","by":{"account":"kim"}}`)},
					{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"hello":"there"}`)},
				},
				Verification: connectors.Verification{StandardWebhooks: &connectors.StandardWebhooks{Secrets: []connectors.Secret{connectors.SecretValue(whsec())}}},
			})
		})
	}
}

func TestAnswersAreRead(t *testing.T) {
	t.Parallel()
	c := answering(t, shipped(t, "torq"), "https://127.0.0.1")
	r, _ := connectors.AsReceiver(c)
	for _, tt := range []struct {
		name, body string
		want       []connectors.Vote
		malformed  bool
	}{
		{
			"an answer", `{"key":"k1","outcome":"denied","by":{"account":"u-7","name":"Kim","mail":"kim@example.com"},"reason":"not\nnow","duration":"1h","at":"2026-03-02T09:00:00Z"}`,
			[]connectors.Vote{{
				ID: "msg-1", Key: "k1", Ref: connectors.Ref{ID: "k1", Key: "k1"}, By: connectors.Account{Person: connectors.Person{Account: "u-7", Name: "Kim", Mail: "kim@example.com"}},
				Outcome: connectors.Denied, Reason: "not now", Duration: "1h", At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
			}}, false,
		},
		{"an account alone", `{"key":"k1","outcome":"approved","by":7}`, []connectors.Vote{{ID: "msg-1", Key: "k1", Ref: connectors.Ref{ID: "k1", Key: "k1"}, By: connectors.Account{Person: connectors.Person{Account: "7"}}, Outcome: connectors.Approved}}, false},
		{"nobody", `{"key":"k1","outcome":"approved"}`, []connectors.Vote{{ID: "msg-1", Key: "k1", Ref: connectors.Ref{ID: "k1", Key: "k1"}, Outcome: connectors.Approved}}, false},
		{"another outcome", `{"key":"k1","outcome":"APPROVED","by":"kim"}`, nil, false},
		{"no outcome", `{"key":"k1","by":"kim"}`, nil, false},
		{"no key", `{"outcome":"approved","by":"kim"}`, nil, false},
		{"a list as key", `{"key":["k1"],"outcome":"approved","by":"kim"}`, nil, false},
		{"a text", `"approved"`, nil, true},
		{"nothing", `null`, nil, true},
		{"no JSON", `outcome=approved`, nil, true},
		{"two objects", `{"key":"k1"}{"key":"k2"}`, nil, true},
	} {
		got, err := r.Receive(t.Context(), connectors.Request{Header: http.Header{"Webhook-Id": {"msg-1"}}, Body: []byte(tt.body)})
		_, malformed := errors.AsType[*connectors.Malformed](err)
		if malformed != tt.malformed || err != nil && !malformed || fmt.Sprint(got.Votes) != fmt.Sprint(tt.want) {
			t.Errorf("%s: got %+v, %v", tt.name, got.Votes, err)
		}
	}
}

// Whatever a body holds, what comes of it is an answer with a key, an id and an outcome, or none.
func FuzzReceive(f *testing.F) {
	for _, body := range []string{`{"key":"k1","outcome":"approved","by":{"account":"kim"}}`, `{"key":["k1"],"outcome":"denied","by":[]}`, `{"by":{"account":{"a":1}}}`, `[]`, `{"at":1e99,"key":"\u0000"}`} {
		f.Add([]byte(body))
	}
	p := shipped(f, "torq")
	given := maps.Clone(settings(f, p, "https://127.0.0.1"))
	given["answers"] = true
	c, err := open(f, p, given)
	connectortest.Must(f, err)
	r, _ := connectors.AsReceiver(c)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := r.Receive(t.Context(), connectors.Request{Header: http.Header{"Webhook-Id": {"msg-1"}}, Body: body})
		if _, malformed := errors.AsType[*connectors.Malformed](err); err != nil && !malformed {
			t.Errorf("got %v", err)
		}
		for _, v := range got.Votes {
			if v.Key == "" || v.ID == "" || v.Outcome != connectors.Approved && v.Outcome != connectors.Denied {
				t.Errorf("got %+v", v)
			}
		}
	})
}

// grafanaIncident signs as Grafana Incident does, whose webhooks an operator's own preset could read.
const grafanaIncident = `
ask:
  question: {title: "${ticket.summary}", key: "${key}"}
inbound:
  verify:
    hmac: {header: Gi-Signature, prefix: "v1=", list: ",", timestamp_part: "t=", signed: "{body_sha256}:{timestamp}:v1", window: 5m}
  vote:
    id: "${body.id}"
    key: "${body.incident.labels[0].label}"
    outcome: '${body.event == "approve" ? "approved" : body.event == "deny" ? "denied" : nil}'
    by: {mail: "${body.actor.email}"}
`

// pagerDuty signs as version 3 of its webhooks does: no time, so the id of an event is all that tells a replay.
const pagerDuty = `
ask:
  question: {title: "${ticket.summary}", key: "${key}"}
inbound:
  verify:
    hmac: {header: X-PagerDuty-Signature, prefix: "v1=", list: ","}
  vote:
    id: "${body.event.id}"
    key: "${body.event.data.incident_key}"
    outcome: '${body.event.event_type == "incident.annotated" ? "approved" : nil}'
    by: "${body.event.agent.id}"
`

func ownPreset(t *testing.T, parts string) *Preset {
	t.Helper()
	text := strings.Replace(engine, "\ntest:", parts+"test:", 1)
	p, err := Parse("engine.yaml", []byte(text))
	connectortest.Must(t, err)
	return p
}

// Signatures are those of the vectors, and those computed here without the verifier's code.
func TestHostileAnswersAreRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	const body = `{"id":"e-1","event":"approve","incident":{"labels":[{"label":"k1"}]},"actor":{"email":"kim@example.com"}}`
	at := time.Unix(1700000000, 0)
	grafana := func(key, body string, at time.Time) string {
		digest := sha256.Sum256([]byte(body))
		mac := hmac.New(sha256.New, []byte(key))
		fmt.Fprintf(mac, "%s:%d:v1", base64.StdEncoding.EncodeToString(digest[:]), at.Unix())
		return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
	}
	c := answering(t, ownPreset(t, grafanaIncident), "https://127.0.0.1")
	door := func(c connectors.Connector, key string) *verify.Verifier {
		given := connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(key)}}}
		v, err := verify.New(connectors.DefaultVerification(c), given, verify.Env{Vault: &connectors.Vault{}, Now: func() time.Time { return at }})
		connectortest.Must(t, err)
		return v
	}
	v := door(c, "test-key-not-secret")
	for _, tt := range []struct {
		name, header, body string
		good               bool
	}{
		{"the vector", "t=1700000000,v1=981a9bb1ac0c277c2f2525acd4696f1fef45671efc9335bd4b0e752df536c9fe", `{"n":1,"t":"é"}`, true},
		{"signed here", grafana("test-key-not-secret", body, at), body, true},
		{"another key", grafana("another", body, at), body, false},
		{"another body", grafana("test-key-not-secret", body, at), strings.Replace(body, "approve", "deny", 1), false},
		{"long ago", grafana("test-key-not-secret", body, at.Add(-6*time.Minute)), body, false},
		{"in the future", grafana("test-key-not-secret", body, at.Add(6*time.Minute)), body, false},
		{"the time of another", "t=1700000001," + strings.Split(grafana("test-key-not-secret", body, at), ",")[1], body, false},
		{"no signature", "t=1700000000", body, false},
		{"nothing", "", body, false},
	} {
		r := connectors.Request{Header: http.Header{"Gi-Signature": {tt.header}}, Body: []byte(tt.body), Time: at}
		if _, err := v.Verify(t.Context(), r, ""); (err == nil) != tt.good || err != nil && !errors.Is(err, connectors.ErrForged) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}

	// What is not signed changes nothing: a replay under another header is the same answer.
	pd := answering(t, ownPreset(t, pagerDuty), "https://127.0.0.1")
	note := `{"event":{"id":"01ABC","event_type":"incident.annotated","agent":{"id":"PKIM"},"data":{"incident_key":"k1"}}}`
	mac := hmac.New(sha256.New, []byte("test-key-not-secret"))
	mac.Write([]byte(note))
	var ids []string
	for _, webhook := range []string{"first", "second"} {
		r := connectors.Request{Body: []byte(note), Header: http.Header{"X-Pagerduty-Signature": {"v1=00,v1=" + hex.EncodeToString(mac.Sum(nil))}, "X-Webhook-Id": {webhook}, "Webhook-Id": {webhook}}}
		if _, err := door(pd, "test-key-not-secret").Verify(t.Context(), r, ""); err != nil {
			t.Fatal(err)
		}
		receiver, _ := connectors.AsReceiver(pd)
		got, err := receiver.Receive(t.Context(), r)
		connectortest.Must(t, err)
		ids = append(ids, got.Votes[0].ID)
	}
	if ids[0] != "01ABC" || ids[1] != ids[0] {
		t.Errorf("a replay is another answer: %v", ids)
	}
}
