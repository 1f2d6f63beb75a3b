package pagerduty

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

const webhook = `{"event":{"id":"01EVENT000000000000000001","event_type":"incident.resolved","resource_type":"incident","occurred_at":"2026-03-02T09:29:00.169Z",
 "agent":{"html_url":"https://acme.pagerduty.com/users/PKIM","id":"PKIM","self":"https://api.pagerduty.com/users/PKIM","summary":"Kim Okafor","type":"user_reference"},
 "client":{"name":"PagerDuty"},"data":{"id":"QINCIDENT1","type":"incident","self":"https://api.pagerduty.com/incidents/QINCIDENT1",
 "html_url":"https://acme.pagerduty.com/incidents/QINCIDENT1","number":42,"status":"resolved","incident_key":"k1","title":"Ana asks to run Setup Tool","resolve_reason":null}}}`

const noted = `{"event":{"id":"01EVENT000000000000000002","event_type":"incident.annotated","resource_type":"incident","occurred_at":"2026-03-02T09:29:00.169Z","agent":null,"client":null,
 "data":{"incident":{"html_url":"https://acme.pagerduty.com/incidents/QINCIDENT1","id":"QINCIDENT1","self":"https://api.pagerduty.com/incidents/QINCIDENT1","summary":"Ana asks","type":"incident_reference"},
 "id":"PNOTE","content":"Approved by everybody here","trimmed":false,"type":"incident_note"}}}`

func notice(body string) connectors.Request {
	return connectors.Request{
		Method: http.MethodPost, URL: &url.URL{Path: "/in/pagerduty"}, Body: []byte(body), Time: connectortest.Now,
		Header: http.Header{"Content-Type": {"application/json"}, webhookHeader: {"hook-1"}},
	}
}

func receiver() *connector { return &connector{conf: settings().withDefaults()} }

func TestReceive(t *testing.T) {
	t.Parallel()
	const url = "https://acme.pagerduty.com/incidents/QINCIDENT1"
	at := time.Date(2026, 3, 2, 9, 29, 0, 169e6, time.UTC)
	whole := connectors.Change{Ref: connectors.Ref{ID: "QINCIDENT1", Key: "#42", URL: url}, ID: "hook@01EVENT000000000000000001", At: at}
	foreign, unnamed, withoutID := whole, whole, whole
	foreign.Ref.URL, unnamed.Ref.Key, withoutID.ID = "", "", "hook@hook-1"
	for _, tc := range []struct {
		name, body string
		want       []connectors.Change
	}{
		{"resolved", webhook, []connectors.Change{whole}},
		{"a note", noted, []connectors.Change{{Ref: connectors.Ref{ID: "QINCIDENT1", URL: url}, ID: "hook@01EVENT000000000000000002", At: at}}},
		{"an address of others", strings.Replace(webhook, url, "https://evil.example/.pagerduty.com", 1), []connectors.Change{foreign}},
		{"no number", strings.Replace(webhook, `"number":42,`, "", 1), []connectors.Change{unnamed}},
		{"an event without an id", strings.Replace(webhook, "01EVENT000000000000000001", "", 1), []connectors.Change{withoutID}},
		{"the subscription's test", `{"event":{"id":"01X","event_type":"pagey.ping","resource_type":"pagey","occurred_at":"2026-03-02T09:29:00Z","agent":null,"client":null,"data":{"message":"Hello","type":"ping"}}}`, nil},
		{"of a service", strings.Replace(webhook, "incident.resolved", "service.updated", 1), nil},
		{"of a kind to come", strings.Replace(webhook, `"id":"QINCIDENT1","type":"incident"`, `"type":"incident_video"`, 1), nil},
		{"data of another form", `{"event":{"id":"01X","event_type":"incident.triggered","occurred_at":"2026-03-02T09:29:00Z","data":[]}}`, nil},
		{"an id that leads elsewhere", strings.Replace(webhook, `"id":"QINCIDENT1"`, `"id":"../users/PKIM"`, 1), nil},
		{"two days ago", strings.Replace(webhook, "2026-03-02T09:29", "2026-02-28T10:00", 1), []connectors.Change{}},
		{"older than PagerDuty tries", strings.Replace(webhook, "2026-03-02T09:29", "2026-02-28T08:00", 1), nil},
		{"from the future", strings.Replace(webhook, "2026-03-02", "2026-03-12", 1), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := receiver().Receive(t.Context(), notice(tc.body))
			connectortest.Must(t, err)
			if tc.want != nil && len(tc.want) == 0 {
				if len(got.Changes) != 1 {
					t.Errorf("got %+v, want one change", got.Changes)
				}
				return
			}
			if d := cmp.Diff(tc.want, got.Changes); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
		})
	}
}

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no JSON": "event=1", "empty": "", "no object": `["x"]`, "more than an object": webhook + "{}", "no event": `{}`, "a text": `{"event":"x"}`,
		"too large": `{"event":{},"x":"` + strings.Repeat("x", connectors.MaxWebhook) + `"}`, "a key twice": `{"event":{},"event":{}}`,
	} {
		_, err := receiver().Receive(t.Context(), notice(body))
		if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
			t.Errorf("%s: %v, want malformed", name, err)
		}
	}
}

// The signatures were computed outside this program; PagerDuty publishes none.
func TestSignatures(t *testing.T) {
	t.Parallel()
	const (
		body  = `{"event":{"id":"01X"}}`
		one   = "v1=cffff235ace55030bfe8f8c2d218f747"
		first = "first-secret"
		next  = "next-secret"
	)
	byFirst, byNext := "cffff235ace55030bfe8f8c2d218f74725cc76fd74d5c5db3aa603ddb766df6d", "2a7ee51552e3f4e2106c2ca773f6330e4ab95bd87df4519bd1874a021ddb8f50"
	for _, tc := range []struct {
		name, header string
		known        []string
		good         bool
	}{
		{"one secret", "v1=" + byFirst, []string{first}, true},
		{"two signatures, the first is known", "v1=" + byFirst + ",v1=" + byNext, []string{first}, true},
		{"two signatures, the second is known", "v1=" + byFirst + ",v1=" + byNext, []string{next}, true},
		{"two signatures with a space", "v1=" + byFirst + ", v1=" + byNext, []string{next}, true},
		{"two secrets, one signature", "v1=" + byNext, []string{first, next}, true},
		{"a version to come beside it", "v2=abcdef,v1=" + byFirst, []string{first}, true},
		{"neither is known", "v1=" + byFirst + ",v1=" + byNext, []string{"another"}, false},
		{"no prefix", byFirst, []string{first}, false},
		{"only another version", "v2=" + byFirst, []string{first}, false},
		{"half of it", one, []string{first}, false},
		{"empty", "", []string{first}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var secrets []connectors.Secret
			for _, s := range tc.known {
				secrets = append(secrets, connectors.SecretValue(s))
			}
			given := connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: secrets}}
			v, err := verify.New(receiver().Verification(), given, verify.Env{Vault: &connectors.Vault{}, Now: time.Now})
			connectortest.Must(t, err)
			r := notice(body)
			r.Header.Set(signatureHeader, tc.header)
			if _, err = v.Verify(t.Context(), r, ""); (err == nil) != tc.good {
				t.Errorf("verify = %v, want it good: %t", err, tc.good)
			}
		})
	}
}

func FuzzReceive(f *testing.F) {
	for _, body := range []string{webhook, noted, `{"event":{"event_type":"pagey.ping"}}`, `{"event":null}`, `{`, `{"event":{"event_type":"incident.x","occurred_at":"2026-03-02T09:29:00Z","data":{"incident":{}}}}`} {
		f.Add(body, "hook-1")
	}
	c := receiver()
	f.Fuzz(func(t *testing.T, body, id string) {
		r := notice(body)
		r.Header.Set(webhookHeader, id)
		got, err := c.Receive(t.Context(), r)
		if err != nil {
			if _, malformed := errors.AsType[*connectors.Malformed](err); !malformed {
				t.Errorf("error %v is not ours", err)
			}
			return
		}
		for _, change := range got.Changes {
			if !idForm.MatchString(change.Ref.ID) || len(change.ID) > 200 {
				t.Errorf("change %+v", change)
			}
		}
	})
}
