package webhook

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
	"github.com/drawbridge-itsm/drawbridge/connectors/webhook/webhookstandin"
)

// back is how the stand-in is told a decision.
const back = `
auth: {bearer: {token: {value: CANARY}}}
ping: {url: URL/me, headers: {X-Api-Key: {value: CANARY}}}
decision:
  url: URL/requests/${decision.request_id}/decision
  headers: {X-Api-Key: {value: CANARY}}
  words: {approved: APPROVE, denied: REJECT}
  taken: /ok
  body:
    decision: ${decision.word}
    by: ${decision.by.name}
    ticket: ${decision.ticket.key}
    note: ${decision.reason}
  state:
    url: URL/requests/${decision.request_id}
    headers: {X-Api-Key: {value: CANARY}}
    outcome: /status
    by: /decided/by
    at: /decided/at
    words: {WAITING: pending}
`

// forms are the settings for each form of the stand-in's webhooks.
var forms = map[webhookstandin.Form]string{
	webhookstandin.Plain: `
paths: {id: /id, kind: /event, time: /at, request_id: /request/id, reason: /request/reason, requester: {account: /request/user/login, name: /request/user/name}}
data: {Resource: {at: /request/resource, type: text, required: true}}
`,
	webhookstandin.Structured: inData("cloudevents"),
	webhookstandin.Binary:     inData("cloudevents"),
	webhookstandin.Batch:      inData("cloudevents"),
	webhookstandin.Standard:   inData("standard_webhooks"),
}

func inData(format string) string {
	return "format: " + format + `
paths: {request_id: /data/request/id, reason: /data/request/reason, requester: {account: /data/request/user/login, name: /data/request/user/name}}
data: {Resource: {at: /data/request/resource, type: text, required: true}}
`
}

const kindsOfStandin = "kinds: {request.created: access.requested, request.decided: audit}\n"

func settingsFor(form webhookstandin.Form, url string) string {
	return strings.NewReplacer("URL", url, "CANARY", connectortest.Canary).Replace(forms[form] + kindsOfStandin + back)
}

const signingKey = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"

func newStandin(o webhookstandin.Options) *webhookstandin.Server {
	o.Token, o.APIKey, o.Now = connectortest.Canary, connectortest.Canary, func() time.Time { return connectortest.Now }
	s := webhookstandin.New(o)
	s.Ask(webhookstandin.Request{ID: "req-1", Login: `CORP\ana`, Name: "Ana Alva", Resource: "production database", Reason: "a migration that has to run tonight"})
	return s
}

// inbound makes the webhook of one form as the gateway would hand it over.
func inbound(t *testing.T, form webhookstandin.Form) connectors.Request {
	t.Helper()
	req, err := newStandin(webhookstandin.Options{}).Webhook(t.Context(), form, webhookstandin.Created, "req-1")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	return connectors.Request{Method: req.Method, Header: req.Header, Body: body}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	hmac := connectors.Verification{HMAC: &connectors.HMACCheck{Header: "X-Signature", Secrets: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}}}
	bearer := connectors.Verification{Bearer: &connectors.BearerCheck{Tokens: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}}}
	signed := connectors.Verification{StandardWebhooks: &connectors.StandardWebhooks{Secrets: []connectors.Secret{connectors.SecretValue(signingKey)}}}
	for _, tt := range []struct {
		name         string
		form         webhookstandin.Form
		verification connectors.Verification
	}{
		{"JSON", webhookstandin.Plain, hmac},
		{"CloudEvents, structured", webhookstandin.Structured, bearer},
		{"CloudEvents, binary", webhookstandin.Binary, bearer},
		{"CloudEvents, a batch", webhookstandin.Batch, bearer},
		{"Standard Webhooks", webhookstandin.Standard, signed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			request := inbound(t, tt.form)
			if tt.form == webhookstandin.Standard {
				request.Header.Set("webhook-id", "msg_suite") // the suite signs a copy that has it
			}
			connectortest.Run(t, connectortest.Suite{
				New: func(t *testing.T, baseURL string) connectors.Connector {
					t.Helper()
					return openIn(t, connectortest.Env(t), settingsFor(tt.form, baseURL))
				},
				Standin: func(*testing.T) http.Handler {
					return newStandin(webhookstandin.Options{})
				},
				Decision: connectors.Decision{
					Kind: connectors.AccessRequested, RequestID: "req-1", Outcome: connectors.Approved, At: connectortest.Now,
					By: connectors.Person{Name: "Kim Okafor"}, Ticket: connectors.Ref{ID: "10001", Key: "SEC-42"},
				},
				Inbound:      []connectors.Request{request},
				Verification: tt.verification,
			})
		})
	}
}

// TestARequestTravelsThereAndBack sends every form of webhook, verified as the gateway verifies, and posts the decision.
func TestARequestTravelsThereAndBack(t *testing.T) {
	t.Parallel()
	for form := range forms {
		t.Run([]string{"plain", "structured", "binary", "batch", "standard"}[form], func(t *testing.T) {
			t.Parallel()
			var k connectors.Connector
			var verifier *verify.Verifier
			events := make(chan connectors.Event, 4)
			hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				request := connectors.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body, Time: connectortest.Now}
				receiver, _ := connectors.AsReceiver(k)
				if _, err := verifier.Verify(r.Context(), request, ""); err != nil {
					http.Error(w, "no", http.StatusUnauthorized)
					return
				}
				got, err := receiver.Receive(r.Context(), request)
				if err != nil {
					http.Error(w, "no", http.StatusUnprocessableEntity)
					return
				}
				if got.Reply != nil {
					answer := got.Reply(connectors.CaseState{})
					for name, values := range answer.Header {
						w.Header()[name] = values
					}
					w.WriteHeader(answer.Status)
					return
				}
				for _, e := range got.Events {
					events <- e
				}
				w.WriteHeader(http.StatusAccepted)
			}))
			t.Cleanup(hook.Close)
			standin := newStandin(webhookstandin.Options{
				HookURL: hook.URL, HookHeader: http.Header{"Authorization": {"Bearer hook"}}, HookSecret: signingKey,
			})
			second := standin.Ask(webhookstandin.Request{Login: "max", Resource: "vault"})
			tool := httptest.NewServer(standin)
			t.Cleanup(tool.Close)
			k = openIn(t, connectortest.Env(t), settingsFor(form, tool.URL))
			given := connectors.Verification{Bearer: &connectors.BearerCheck{Tokens: []connectors.Secret{connectors.SecretValue("hook")}}}
			if form == webhookstandin.Standard {
				given = connectors.Verification{StandardWebhooks: &connectors.StandardWebhooks{Secrets: []connectors.Secret{connectors.SecretValue(signingKey)}}}
			}
			var err error
			if verifier, err = verify.New(connectors.DefaultVerification(k), given, verify.Env{Vault: &connectors.Vault{}, Now: func() time.Time { return connectortest.Now }}); err != nil {
				t.Fatal(err)
			}

			if form == webhookstandin.Structured {
				allowed, rate, err := standin.Handshake(t.Context(), "tool.example")
				if err != nil || allowed != "tool.example" || rate != "*" {
					t.Errorf("handshake: %q, %q, %v", allowed, rate, err)
				}
			}
			ids := []string{"req-1"}
			if form == webhookstandin.Batch {
				ids = append(ids, second)
			}
			if status, err := standin.Send(t.Context(), form, webhookstandin.Created, ids...); err != nil || status != http.StatusAccepted {
				t.Fatalf("send: %d, %v", status, err)
			}
			asked := <-events
			want := connectors.Event{
				Dedupe: asked.Dedupe, Kind: connectors.AccessRequested, Type: webhookstandin.Created, RequestID: "req-1", Time: connectortest.Now,
				Requester: connectors.Person{Account: `CORP\ana`, Name: "Ana Alva"}, Reason: "a migration that has to run tonight",
				Subject: asked.Subject, Data: map[string]any{"Resource": "production database"}, Part: asked.Part,
			}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Fatalf("event (-want +got):\n%s", diff)
			}
			if form == webhookstandin.Batch {
				if other := <-events; other.RequestID != second || other.Dedupe == asked.Dedupe {
					t.Errorf("second of the batch: %+v", other)
				}
			}

			d := connectors.Decision{Kind: asked.Kind, RequestID: asked.RequestID, Outcome: connectors.Denied, At: connectortest.Now, By: connectors.Person{Name: "Kim"}, Ticket: connectors.Ref{Key: "SEC-1"}}
			if s, _, err := connectors.AskState(t.Context(), k, d); err != nil || s.Outcome != connectors.Pending {
				t.Fatalf("state before: %+v, %v", s, err)
			}
			standin.CutNext()
			if e := connectors.AsError(decide(t, k, d)); e == nil || !e.Sent {
				t.Fatalf("a lost answer: %v, want it in doubt", e)
			}
			s, _, err := connectors.AskState(t.Context(), k, d)
			if want := (connectors.State{Outcome: connectors.Denied, By: "Kim", At: connectortest.Now}); err != nil || s != want {
				t.Errorf("state after: %+v, %v; want %+v", s, err, want)
			}
			if err := decide(t, k, d); err != nil {
				t.Errorf("the same decision again: %v", err)
			}
			d.Outcome = connectors.Approved
			if err := decide(t, k, d); err == nil || !strings.Contains(err.Error(), "decided already") {
				t.Errorf("another decision: %v", err)
			}
			if found, _ := standin.Find("req-1"); found.State != webhookstandin.Denied {
				t.Errorf("the tool has %q", found.State)
			}
		})
	}
}

// cloudEventSchema reads the CloudEvents project's own schema where DRAWBRIDGE_SPECS names its folder.
func cloudEventSchema(t *testing.T) *openapi3.Schema {
	t.Helper()
	dir := os.Getenv("DRAWBRIDGE_SPECS")
	if dir == "" {
		t.Skip("skipped: specs: events are not checked against the schema of CloudEvents (set DRAWBRIDGE_SPECS)")
	}
	var document map[string]any
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "cloudevents-1.0.schema.json"))), &document); err != nil {
		t.Fatal(err)
	}
	// OpenAPI knows no definitions beside a schema: they are put where they are named.
	for _, property := range document["properties"].(map[string]any) {
		fields := property.(map[string]any)
		name := strings.TrimPrefix(fields["$ref"].(string), "#/definitions/")
		clear(fields)
		for key, value := range document["definitions"].(map[string]any)[name].(map[string]any) {
			fields[key] = value
		}
	}
	delete(document, "$schema")
	delete(document, "definitions")
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var schema openapi3.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	return &schema
}

// TestCloudEventsFollowTheirSchema: what is taken is valid, what the schema refuses is refused.
func TestCloudEventsFollowTheirSchema(t *testing.T) {
	t.Parallel()
	schema := cloudEventSchema(t)
	taken, refused := 0, 0
	for _, dir := range connectortest.Cases(t, "receive") {
		request := requestOf(t, dir)
		var e any
		if !strings.HasPrefix(request.Header.Get("Content-Type"), "application/cloudevents+json") || json.Unmarshal(request.Body, &e) != nil {
			continue
		}
		valid := schema.VisitJSON(e)
		receiver, _ := connectors.AsReceiver(mustOpen(t, settingsOf(t, dir)))
		_, err := receiver.Receive(t.Context(), request)
		switch {
		case err == nil && valid != nil && !strings.Contains(filepath.Base(dir), "null_attributes"):
			t.Errorf("%s is taken, but the schema says: %v", dir, valid)
		case err == nil:
			taken++
		case valid != nil:
			refused++
		}
	}
	if taken < 4 || refused < 4 {
		t.Errorf("%d events were taken and %d that the schema refuses were refused; the cases say little", taken, refused)
	}
	var sent any
	if err := json.Unmarshal(inbound(t, webhookstandin.Structured).Body, &sent); err != nil {
		t.Fatal(err)
	}
	if err := schema.VisitJSON(sent); err != nil {
		t.Errorf("what the stand-in sends: %v", err)
	}
}
