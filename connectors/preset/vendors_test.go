package preset

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
)

// What a vendor says in a body counts as much as the status it says it with.
func TestAnswersMeanWhatTheirVendorsSay(t *testing.T) {
	t.Parallel()
	const fine = connectortest.NoError
	for _, tt := range []struct {
		preset, name string
		status       int
		body         string
		want         connectors.Kind
		wait         time.Duration
		header       []string
	}{
		{preset: "slack-webhook", name: "taken", status: 200, body: "ok", want: fine},
		{preset: "slack-webhook", name: "200 with something else", status: 200, body: "maybe", want: connectors.Temporary},
		{preset: "slack-webhook", name: "no such webhook", status: 404, body: "no_service", want: connectors.Unwell, wait: askedAgain},
		{preset: "slack-webhook", name: "gone", status: 410, body: "channel_is_archived", want: connectors.Unwell, wait: askedAgain},
		{preset: "slack-webhook", name: "no text", status: 400, body: "no_text", want: connectors.Permanent},
		{preset: "slack-webhook", name: "too fast", status: 429, want: connectors.Throttled, wait: 30 * time.Second, header: []string{"Retry-After", "30"}},
		{preset: "slack-webhook", name: "too fast, until", status: 429, want: connectors.Throttled, wait: time.Minute, header: []string{"Retry-After", connectortest.Now.Add(time.Minute).Format(http.TimeFormat)}},
		{preset: "splunk-hec", name: "taken", status: 200, body: `{"text":"Success","code":0}`, want: fine},
		{preset: "splunk-hec", name: "200 with a failure inside", status: 200, body: `{"text":"Server is busy","code":9}`, want: connectors.Temporary},
		{preset: "splunk-hec", name: "busy", status: 503, body: `{"text":"Server is busy","code":9}`, want: connectors.Temporary},
		{preset: "splunk-hec", name: "no such index", status: 400, body: `{"text":"Incorrect index","code":7}`, want: connectors.Unwell},
		{preset: "splunk-hec", name: "disabled", status: 403, body: `{"text":"Token disabled","code":1}`, want: connectors.Unwell},
		{preset: "splunk-hec", name: "blank", status: 400, body: `{"text":"Event field cannot be blank","code":13}`, want: connectors.Permanent},
		{preset: "logpoint", name: "taken", status: 200, body: `{"success":true}`, want: fine},
		{preset: "logpoint", name: "200 with a failure inside", status: 200, body: `{"success":false,"message":"no such incident"}`, want: connectors.Permanent},
		{preset: "teams-workflows", name: "accepted", status: 202, want: fine},
		{preset: "teams-workflows", name: "200 with a failure inside", status: 200, body: "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", want: connectors.Temporary},
		{preset: "cortex-xsiam", name: "taken", status: 200, body: `{"ok":"true"}`, want: fine},
		{preset: "cortex-xsiam", name: "200 with a failure inside", status: 200, body: `{"ok":"false","error":"no such format"}`, want: connectors.Temporary},
		{preset: "zenduty", name: "taken", status: 200, body: `{"message":"success","trace_id":"t-1"}`, want: fine},
		{preset: "zenduty", name: "200 with a failure inside", status: 200, body: `{"error":"no such integration"}`, want: connectors.Temporary},
		{preset: "splunk-on-call", name: "taken", status: 200, body: `{"result":"success","entity_id":"e"}`, want: fine},
		{preset: "splunk-on-call", name: "taken, in other words", status: 200, want: fine},
		{preset: "splunk-on-call", name: "200 with a failure inside", status: 200, body: `{"result":"failure","message":"no such key"}`, want: connectors.Temporary},
		{preset: "grafana-loki", name: "blocked", status: 260, want: connectors.Unwell},
		{preset: "pagerduty-events", name: "taken", status: 202, body: `{"status":"success","dedup_key":"k"}`, want: fine},
		{preset: "pagerduty-events", name: "invalid", status: 400, body: `{"status":"invalid event","errors":["'x' is missing"]}`, want: connectors.Permanent},
		{preset: "sentinel", name: "no role yet", status: 403, body: `{"error":{"code":"x","message":"no role"}}`, want: connectors.Unwell},
		{preset: "signed-webhook", name: "retired", status: 410, want: connectors.Unwell, wait: askedAgain},
		{preset: "signed-webhook", name: "slow down", status: 502, want: connectors.Temporary},
	} {
		t.Run(tt.preset+" "+tt.name, func(t *testing.T) {
			t.Parallel()
			stand := presetstandin.New(tt.preset, canary)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == tokenPaths[tt.preset] {
					stand.ServeHTTP(w, r)
					return
				}
				for i := 0; i < len(tt.header); i += 2 {
					w.Header().Set(tt.header[i], tt.header[i+1])
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			t.Cleanup(server.Close)
			p := shipped(t, tt.preset)
			c, err := open(t, p, settings(t, p, server.URL))
			connectortest.Must(t, err)
			results, err := send(t, c, records(1))
			if err == nil {
				err = results[0].Err
			}
			if tt.want == fine {
				connectortest.Must(t, err)
				return
			}
			if e := connectors.AsError(err); err == nil || e.Kind != tt.want || e.RetryAfter != tt.wait {
				t.Errorf("got %v, want %s for %s", err, tt.want, tt.wait)
			}
		})
	}
}

func TestTheVendorsOwnIDIsKept(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"pagerduty-events": "apono:req-1", "zenduty": "t-1", "new-relic": "r-1"} {
		w := newWorld(t, name, nil)
		if got := mustSend(t, w.sink, records(1))[0].ID; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestOktaIsAskedWithATokenForASignedAssertion(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	connectortest.Must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	connectortest.Must(t, err)
	stand := presetstandin.New("okta-workflows", canary)
	server := httptest.NewServer(stand)
	t.Cleanup(server.Close)
	p := shipped(t, "okta-workflows")
	given := settings(t, p, server.URL)
	delete(given, "client_token")
	maps.Copy(given, map[string]any{
		"security": "oauth", "org": server.URL, "client_id": "0oa1", "key_id": "k-1",
		"private_key": map[string]any{"value": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))},
	})
	c, err := open(t, p, given)
	connectortest.Must(t, err)
	mustSend(t, c, records(2))
	if stand.Minted() != 1 || len(stand.Records()) != 2 {
		t.Errorf("%d tokens, %d records", stand.Minted(), len(stand.Records()))
	}
	connectortest.Must(t, c.Ping(t.Context()))
}

// An alert that a request raised is resolved by what becomes of it, and by nothing that follows raised anew.
func TestAlertsEndWithTheirRequests(t *testing.T) {
	t.Parallel()
	for name, field := range map[string]string{"pagerduty-events": "event_action", "zenduty": "alert_type", "splunk-on-call": "message_type", "grafana-oncall": "state"} {
		w := newWorld(t, name, nil)
		var got []string
		for _, kind := range []string{
			connectors.AccessRequested, connectors.AccessApproved, connectors.AccessGranted, connectors.AccessExpired, connectors.AccessDenied, connectors.AccessFailed,
			connectors.AdminApproved, connectors.AdminDenied, connectors.FindingResolved, connectors.FindingDismissed, connectors.ChangeMade,
		} {
			rs := records(1)
			rs[0].Event["kind"] = kind
			mustSend(t, w.sink, rs)
		}
		for _, one := range w.Records() {
			got = append(got, fmt.Sprint(one.(map[string]any)[field]))
		}
		ends := slices.Compact(slices.Clone(got[1:]))
		if len(got) != 11 || len(ends) != 1 || ends[0] == got[0] {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestAReceiverCanChangeOverToAnotherSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "signed-webhook", map[string]any{"secret": map[string]any{"value": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}, "previous_secret": map[string]any{"value": whsec()}})
	rs := records(1)
	rs[0].EventID = "evt.1"
	mustSend(t, w.sink, rs)
	if !strings.Contains(w.Requests(), "Webhook-Id: evt-1\n") {
		t.Errorf("got\n%s", w.Requests())
	}
}

// What people wrote makes no mention and no link, wherever a rule puts it in a message of Slack. Addresses stay as they are.
func TestNoTextForSlackIsReadAsMore(t *testing.T) {
	t.Parallel()
	const evil, safe, address = "<!channel> & <https://evil.example|ok>", "&lt;!channel&gt; &amp; &lt;https://evil.example|ok&gt;", "https://b.example/r?a=1&b=2"
	message := func(text string) map[string]any {
		return map[string]any{
			"text": text,
			"blocks": []any{map[string]any{
				"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text}, "fields": []any{map[string]any{"type": "plain_text", "text": text}},
				"accessory": map[string]any{"type": "button", "url": address, "text": map[string]any{"type": "plain_text", "text": text}},
			}},
			"attachments": []any{map[string]any{
				"color": "#d00000", "fallback": text, "pretext": text, "author_name": text, "author_link": address, "title": text, "title_link": address,
				"image_url": address, "footer": text, "fields": []any{map[string]any{"title": text, "value": text, "short": true}},
			}},
		}
	}
	w := newWorld(t, "slack-webhook", nil)
	rs := records(1)
	rs[0].Data = message(evil)
	mustSend(t, w.sink, rs)
	got := w.Records()[0].(map[string]any)
	delete(got, "event_id")
	if diff := cmp.Diff(message(safe), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, text := range []string{"https://b.example/<!channel>", "https://b.example <!here>", "http://b.example\n<@U1>"} {
		rs[0].Data = map[string]any{"text": "x", "attachments": []any{map[string]any{"title_link": text}}}
		mustSend(t, w.sink, rs)
	}
}

func TestAHeaderHoldsWhatCloudEventsSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "cloudevents-binary", nil)
	rs := records(1)
	rs[0].Group = "Ré \"x\"\r\nX-Evil: 1%"
	mustSend(t, w.sink, rs)
	if want := "Ce-Subject: R%C3%A9%20%22x%22%0D%0AX-Evil:%201%25\n"; !strings.Contains(w.Requests(), want) {
		t.Errorf("got\n%s\nwant %s", w.Requests(), want)
	}
}

// No event says which incidents Logpoint is to open again, so a rule has to.
func TestLogpointOpensWhatARuleNamesOnly(t *testing.T) {
	t.Parallel()
	p := shipped(t, "logpoint")
	stand := presetstandin.New("logpoint", canary)
	given := settings(t, p, serve(t, stand.ServeHTTP))
	delete(given, "record")
	c, err := open(t, p, given)
	connectortest.Must(t, err)
	rs := records(4)
	rs[0].Event["data"] = map[string]any{"incident_id": "i-9"}
	rs[1].Data = map[string]any{"incident_ids": []any{}}
	rs[2].Data = map[string]any{"incident_ids": []any{nil, ""}}
	rs[3].Data = map[string]any{"incident_ids": []any{"i-1"}}
	results, err := send(t, c, rs)
	connectortest.Must(t, err)
	for i, one := range results {
		if i == 3 {
			connectortest.Must(t, one.Err)
			continue
		}
		if e := connectors.AsError(one.Err); e == nil || e.Kind != connectors.Permanent || e.Sent || !strings.Contains(e.Error(), "nothing at $.incident_ids") {
			t.Errorf("record %d: got %v", i, one.Err)
		}
	}
	if got := fmt.Sprint(stand.Records()); stand.Count() != 1 || !strings.Contains(got, "incident_ids:[i-1]") {
		t.Errorf("got %s", got)
	}
}

// Each event's id is somewhere in what is sent for it, whatever a rule makes of it.
func TestTheEventsIDIsInEveryRecord(t *testing.T) {
	t.Parallel()
	data := map[string]map[string]any{
		"logpoint":         {"incident_ids": []any{"i-1"}},
		"pagerduty-events": {"event_action": "trigger", "dedup_key": "k", "payload": map[string]any{"summary": "s", "source": "x", "severity": "info"}},
		"splunk-on-call":   {"message_type": "INFO", "entity_id": "e"}, "zenduty": {"message": "m", "summary": "s", "alert_type": "info", "entity_id": "e"},
		"grafana-oncall": {"alert_uid": "a", "title": "t", "state": "ok"}, "slack-webhook": {"text": "x <b>"}, "sentinel": {"TimeGenerated": "2026-03-02T09:30:00Z"},
		"teams-workflows": {"type": "message", "attachments": []any{map[string]any{"contentType": "application/vnd.microsoft.card.adaptive", "content": map[string]any{"type": "AdaptiveCard", "version": "1.4"}}}},
		"logic-app":       {"subject": "x"}, "signed-webhook": {"type": "a.b", "timestamp": "2026-03-02T09:30:00Z"},
	}
	for _, name := range presetstandin.Names() {
		rs := records(1)
		if rs[0].Data = data[name]; rs[0].Data == nil {
			rs[0].Data = map[string]any{"any": "thing"}
		}
		w := newWorld(t, name, nil)
		mustSend(t, w.sink, rs)
		if !strings.Contains(w.Requests(), "evt-0001") {
			t.Errorf("%s: not in\n%s", name, w.Requests())
		}
	}
}

func TestTheEndOfAServiceIsToldAndLoggedOnce(t *testing.T) {
	t.Parallel()
	p, err := Parse("engine.yaml", []byte(strings.Replace(engine, "group: generic\n", "group: generic\nlifecycle: {status: deprecated, until: 2027-04-05, successor: another}\n", 1)))
	connectortest.Must(t, err)
	var log bytes.Buffer
	address := serve(t, func(http.ResponseWriter, *http.Request) {})
	c, err := open(t, p, settings(t, p, address), func(e *connectors.Env) { e.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	connectortest.Must(t, err)
	rs := records(1)
	rs[0].Event["reason"] = "x"
	mustSend(t, c, rs)
	mustSend(t, c, rs)
	if strings.Count(log.String(), "2027-04-05") != 1 {
		t.Errorf("logged %q", log.String())
	}
	if list := connectors.Notices(c); !slices.Contains(list, "the vendor has deprecated this; its end: 2027-04-05; use another") {
		t.Errorf("got %q", list)
	}
}

// A credential in a URL, a body or a header never comes back in an error, however the server repeats it.
func TestNoVendorsWordsRepeatACredential(t *testing.T) {
	t.Parallel()
	for _, name := range presetstandin.Names() {
		if name == "signed-webhook" {
			continue // its secret does not travel
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == tokenPaths[name] {
				_, _ = w.Write([]byte(`{"access_token":"` + canary + `-x","token_type":"Bearer","expires_in":60}`))
				return
			}
			w.WriteHeader(http.StatusBadRequest)
			said := `"` + r.URL.String() + " " + canary + `"`
			_, _ = w.Write([]byte(`{"message":` + said + `,"text":` + said + `,"error":` + said + `,"detail":` + said + `,"errors":[` + said + `]}`))
		}))
		t.Cleanup(server.Close)
		p := shipped(t, name)
		c, err := open(t, p, settings(t, p, server.URL))
		connectortest.Must(t, err)
		results, err := send(t, c, records(1))
		if err == nil {
			err = results[0].Err
		}
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: got %v", name, err)
		}
		if inner, ok := errors.AsType[*connectors.Answered](err); ok && strings.Contains(string(inner.Body), canary) {
			t.Errorf("%s: the body kept holds a credential", name)
		}
	}
}
