package epm

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func receive(t testing.TB, k *connector, body []byte) (connectors.Event, error) {
	t.Helper()
	got, err := k.Receive(t.Context(), connectors.Request{Method: http.MethodPost, Header: http.Header{}, Body: body, Time: noon})
	if err != nil {
		return connectors.Event{}, err
	}
	if len(got.Events) != 1 || got.Changes != nil || got.Votes != nil || got.Reply != nil {
		t.Fatalf("received %+v, want exactly one event", got)
	}
	return got.Events[0], nil
}

func TestReceiveCases(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, dir := range connectortest.Cases(t, "receive") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			event, err := receive(t, k, connectortest.Body(t, dir))
			if want, readErr := os.ReadFile(filepath.Join(dir, "want.err")); readErr == nil {
				m, ok := errors.AsType[*connectors.Malformed](err)
				if !ok || !strings.Contains(m.Reason, strings.TrimSpace(string(want))) {
					t.Fatalf("got %v, want *Malformed with %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			connectortest.GoldenJSON(t, filepath.Join(dir, "want.json"), map[string]any{"dedupe": event.Dedupe, "event": event})
		})
	}
}

func TestReceiveContentTypes(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, tt := range []struct {
		header string
		want   bool
	}{
		{"", true}, {"application/json", true}, {"Application/JSON; charset=utf-8", true}, {"application/json; utf-8", true},
		{"application/vnd.acme+json", true}, {"text/plain", true}, {"json", true},
		{"application/xml", false}, {"text/xml; charset=utf-8", false}, {"application/x-www-form-urlencoded", false},
		{"multipart/form-data; boundary=x", false}, {"text/html", false},
	} {
		_, err := k.Receive(t.Context(), connectors.Request{
			Header: http.Header{"Content-Type": {tt.header}},
			Body:   []byte(`{"EventType":"URM_Native_Ticket_Created","RequestId":"r-1"}`),
		})
		w, refused := errors.AsType[*connectors.WrongType](err)
		if refused == tt.want || !refused && err != nil {
			t.Errorf("content type %q: %v", tt.header, err)
		}
		if refused && !strings.Contains(w.Advice, "application/json") {
			t.Errorf("the advice does not say what to set: %s", w.Advice)
		}
	}
}

func TestFieldsSayWhereVariablesStand(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, `
fields:
  RequestId: [/data/id]
  reason: [/text/why, /text/Message]
  User: [/people/0/name]
  CostCenter: [/cost~1center]
`)
	event, err := receive(t, k, []byte(`{"EventType":"URM_Native_Ticket_Created","DATA":{"id":"r-1"},"text":{"message":"because"},
		"requestId":"not this one","user":"nor this one","people":[{"name":"CORP\\ana"}],"cost/center":4711,"color":"red"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"EventType": "URM_Native_Ticket_Created", "RequestId": "r-1", "Reason": "because", "User": `CORP\ana`, "CostCenter": "4711"}
	if diff := cmp.Diff(want, event.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if event.RequestID != "r-1" || event.Reason != "because" || event.Requester.Account != `CORP\ana` {
		t.Errorf("event = %+v", event)
	}
}

func TestFieldsPreferTheFirstPointerThatHoldsSomething(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "fields: {Reason: [/a, /b, /c], TicketNumber: [/n, /m]}")
	for _, tt := range []struct{ name, body, reason, number string }{
		{"all", `"c":"3","b":"2","a":"1"`, "1", ""},
		{"first is empty", `"a":"","c":"3","b":"2"`, "2", ""},
		{"first is not filled in", `"a":"%%Reason%%","b":"2"`, "2", ""},
		{"last only", `"c":"3"`, "3", ""},
		{"id", `"m":"EPM2","n":"EPM1"`, "", "EPM1"},
		{"id, first is empty", `"n":"","m":"EPM2"`, "", "EPM2"},
	} {
		event, err := receive(t, k, []byte(`{"EventType":"URM_x","RequestId":"r-1",`+tt.body+`}`))
		number, _ := event.Data["TicketNumber"].(string)
		if err != nil || event.Reason != tt.reason || number != tt.number {
			t.Errorf("%s: reason %q, number %q, %v; want %q, %q", tt.name, event.Reason, number, err, tt.reason, tt.number)
		}
	}
	for _, body := range []string{`"n":"EPM1","N":"EPM1"`, `"n":"","n":"EPM1"`, `"a":"1","A":"2"`} {
		_, err := receive(t, k, []byte(`{"EventType":"URM_x","RequestId":"r-1",`+body+`}`))
		if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
			t.Errorf("%s: %v, want *Malformed", body, err)
		}
	}
}

func TestMixedEventsAreAcceptedWhereAllowed(t *testing.T) {
	t.Parallel()
	body := []byte(`{"EventType":"URM_NATIVE_DECISION_UPDATE","RequestId":"r-1","Decision":"Denied","User":"CORP\\ana"}`)
	event, err := receive(t, mustOpen(t, "mixed_events: true"), body)
	if err != nil || event.Kind != connectors.AccessDenied || event.Data["User"] != `CORP\ana` {
		t.Errorf("got %+v, %v", event, err)
	}
}

func TestRepeatedEventsHaveOneIdentity(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	identity := func(body string) string {
		event, err := receive(t, k, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return event.Dedupe
	}
	const approved = `{"EventType":"URM_NATIVE_DECISION_UPDATE","TenantId":"t","RequestId":"r","Decision":"Approved","DecisionTime":"20260105T110000Z","Timestamp":"1"}`
	first := identity(approved)
	for name, tt := range map[string]struct {
		old, new string
		same     bool
	}{
		"sent again later":           {`"Timestamp":"1"`, `"Timestamp":"2"`, true},
		"time in another notation":   {"20260105T110000Z", "2026-01-05T11:00:00Z", true},
		"another decision time":      {"20260105T110000Z", "20260105T110001Z", false},
		"another outcome":            {"Approved", "Denied", false},
		"another tenant":             {`"t"`, `"u"`, false},
		"another request":            {`"r"`, `"s"`, false},
		"administrator rights":       {"URM_NATIVE_DECISION_UPDATE", "JIT_ADMIN_X", false},
		"ids that run together":      {`"TenantId":"t","RequestId":"r"`, `"TenantId":"t\",\"r","RequestId":"r"`, false},
		"event type in lower case":   {"URM_NATIVE_DECISION_UPDATE", "urm_native_decision_update", true},
		"decision in another case":   {"Approved", "APPROVED", true},
		"variable added to a layout": {`"Timestamp":"1"`, `"Timestamp":"1","Duration":"60"`, true},
	} {
		if got := identity(strings.Replace(approved, tt.old, tt.new, 1)); (got == first) != tt.same {
			t.Errorf("%s: identity %s against %s, want same: %v", name, got, first, tt.same)
		}
	}
}

func TestIdsWithCharactersNoIdHasAreRefused(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	long := strings.Repeat("x", 201)
	for _, tt := range []struct {
		field, value string
		taken        bool
	}{
		{"RequestId", "6f0c1c1e-0d0a-4b58-9c55-2b1f7f7d1a01", true}, {"RequestId", "{AB_1.2:3}", true},
		{"RequestId", "a b", false}, {"RequestId", "a/b", false}, {"RequestId", "a?b", false}, {"RequestId", "a#b", false},
		{"RequestId", "a%20b", false}, {"RequestId", "é", false}, {"RequestId", long, false},
		{"TenantId", "Tenant é 7/2", true}, {"TenantId", `a\u0000`, false}, {"TenantId", `a\u007f`, false},
		{"TenantId", `a\ud800`, false}, {"TicketNumber", long, false}, {"TicketNumber", `EPM1\n`, false},
	} {
		body := `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-1","TenantId":"t","TicketNumber":"EPM1"}`
		old := map[string]string{"RequestId": `"r-1"`, "TenantId": `"t"`, "TicketNumber": `"EPM1"`}[tt.field]
		_, err := receive(t, k, []byte(strings.Replace(body, old, `"`+tt.value+`"`, 1)))
		if m, _ := errors.AsType[*connectors.Malformed](err); (err == nil) != tt.taken || m != nil && !strings.HasPrefix(m.Reason, tt.field) {
			t.Errorf("%s %.20q: %v, want taken: %v", tt.field, tt.value, err, tt.taken)
		}
	}
}

func TestMalformedRepeatsNoValue(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, dir := range connectortest.Cases(t, "receive") {
		body := bytes.ReplaceAll(connectortest.Body(t, dir), []byte("r-1"), []byte("canary-value"))
		if _, err := receive(t, k, body); err != nil && strings.Contains(err.Error(), "canary-value") {
			t.Errorf("%s: the reason repeats a value: %v", dir, err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, dir := range connectortest.Cases(f, "receive") {
		f.Add(connectortest.Body(f, dir))
	}
	f.Add([]byte(`{"RequestId":"a\"","x":"\`))
	f.Add([]byte("{\"a\":\"\\\"\\\" ,\\\" \",\"RequestId\":\"\x01\"}"))
	env := connectors.Env{}
	client, err := connectors.NewClient(connectors.Outbound{}, &connectors.Vault{}, nil)
	if err != nil {
		f.Fatal(err)
	}
	env.Client = client
	c := New().(*Config)
	c.BaseURL, c.ClientID, c.ClientSecret = "https://epm.example", "id", connectors.SecretValue("secret")
	c.Fields = map[string][]string{"Message": {"/requestInfo/message", "/a/0/b"}}
	opened, err := c.Open(env)
	if err != nil {
		f.Fatal(err)
	}
	k := opened.(*connector)
	f.Fuzz(func(t *testing.T, body []byte) {
		event, err := receive(t, k, body)
		if err != nil {
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Fatalf("neither understood nor *Malformed: %v", err)
			}
			return
		}
		if event.RequestID == "" || !bytes.Contains(body, []byte(event.RequestID)) {
			t.Fatalf("RequestId %q is not in the body", event.RequestID)
		}
		if event.Kind == "" || event.Dedupe == "" {
			t.Fatalf("event without kind or identity: %+v", event)
		}
		if _, err := json.Marshal(event); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	body := connectortest.Body(b, "testdata/receive/app_created_vendor_template")
	c := New().(*Config)
	c.BaseURL, c.ClientID, c.ClientSecret = "https://epm.example", "id", connectors.SecretValue("secret")
	client, err := connectors.NewClient(connectors.Outbound{}, &connectors.Vault{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	k, err := c.Open(connectors.Env{Client: client})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("receive", func(b *testing.B) {
		for b.Loop() {
			if _, err := receive(b, k.(*connector), body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unmarshal", func(b *testing.B) {
		for b.Loop() {
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
