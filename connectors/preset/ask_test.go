package preset

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
)

const answerLink = "https://bridge.example.com/vote/c2VjcmV0LXRva2Vu.bWFyaw"

// question is a request as a rule puts it, with what people wrote in it.
func question() connectors.Ticket {
	return connectors.Ticket{
		Type: "ask", Summary: "Ana asks for db-7", Description: "**Reason given:**\n\n" + `it's "urgent" \<!channel\> & é`, Priority: "High",
		Fields: map[string]any{"ring": "red"}, Links: map[string]string{"": answerLink},
	}
}

// asking are the presets that put requests to people.
func asking(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, name := range presetstandin.Names() {
		if shipped(t, name).ask != nil {
			names = append(names, name)
		}
	}
	return names
}

// Every preset that asks sends what its stand-in takes: the question with its link, a note, and that it has ended.
func TestPresetsAskAsTheirVendorsTakeIt(t *testing.T) {
	t.Parallel()
	for _, name := range asking(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name, nil)
			asked := question()
			if a, ok := connectors.AsAsker(w.sink); ok {
				for _, to := range a.Addressees(asked) {
					asked.Links = map[string]string{to: answerLink}
				}
			}
			ref, err := w.sink.(connectors.Creator).Create(t.Context(), "k-1", asked)
			connectortest.Must(t, err)
			if ref.ID != "k-1" || ref.Key == "" {
				t.Errorf("the question is known as %+v", ref)
			}
			if !strings.Contains(w.Requests(), answerLink) {
				t.Errorf("the link is missing:\n%s", w.Requests())
			}
			known := question()
			known.Links = nil
			connectortest.Must(t, w.sink.(connectors.Commenter).Comment(t.Context(), ref, connectors.Note{Key: "n-1", Body: "**Refused:** Max may not", Asked: &known}))
			connectortest.Must(t, w.sink.(connectors.Transitioner).Transition(t.Context(), ref, connectors.Move{Status: "Approved", Asked: &known}))
			connectortest.Golden(t, name+"-ask", w.Requests())

			// What was asked may be kept no more.
			connectortest.Must(t, w.sink.(connectors.Commenter).Comment(t.Context(), ref, connectors.Note{Body: "late"}))
			connectortest.Must(t, w.sink.(connectors.Transitioner).Transition(t.Context(), ref, connectors.Move{Status: "Denied", Note: &connectors.Note{Body: "late"}}))
		})
	}
}

// Each addressee has a link of their own.
func TestALogicAppIsGivenALinkPerAddressee(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "logic-app", nil)
	asker, _ := connectors.AsAsker(w.sink)
	asked := question()
	for _, tt := range []struct {
		to   any
		want string
	}{
		{nil, "security@example.com"}, {"kim@example.com, lee@example.com;kim@example.com", "kim@example.com lee@example.com"},
		{[]any{"kim@example.com", "lee@example.com"}, "kim@example.com lee@example.com"}, {"Kim <kim@example.com>", ""},
	} {
		asked.Fields = map[string]any{"to": tt.to}
		if got := strings.Join(asker.Addressees(asked), " "); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.to, got, tt.want)
		}
	}
	if _, err := w.sink.(connectors.Creator).Create(t.Context(), "k-1", asked); err == nil || connectors.AsError(err).Kind != connectors.Permanent || w.Count() != 0 {
		t.Errorf("an address that is none: %v", err)
	}
	asked.Fields = map[string]any{"to": "kim@example.com,lee@example.com"}
	asked.Links = map[string]string{"kim@example.com": "https://b.example/vote/1", "lee@example.com": "https://b.example/vote/2"}
	_, err := w.sink.(connectors.Creator).Create(t.Context(), "k-1", asked)
	connectortest.Must(t, err)
	if !strings.Contains(w.Requests(), `"mails":[{"link":"https://b.example/vote/1","to":"kim@example.com"},{"link":"https://b.example/vote/2","to":"lee@example.com"}]`) {
		t.Errorf("got %s", w.Requests())
	}
}

// A vendor that repeats what it was sent does not bring a link into what is kept of an error.
func TestALinkIsInNoError(t *testing.T) {
	t.Parallel()
	p := shipped(t, "zenduty")
	for _, status := range []int{http.StatusOK, http.StatusBadRequest, http.StatusServiceUnavailable} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if !strings.Contains(string(body), answerLink) {
				t.Error("the link was not sent")
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"message":"success","error":"cannot take `+answerLink+`","trace_id":"`+answerLink+`"}`)
		})
		c, err := open(t, p, settings(t, p, server))
		connectortest.Must(t, err)
		ref, err := c.(connectors.Creator).Create(t.Context(), "k-1", question())
		if status == http.StatusOK && (err != nil || strings.Contains(ref.Key, "vote")) {
			t.Errorf("%d: got %+v, %v", status, ref, err)
		}
		if status != http.StatusOK && (err == nil || strings.Contains(err.Error(), "c2VjcmV0") || !strings.Contains(err.Error(), "cannot take [link]")) {
			t.Errorf("%d: got %v", status, err)
		}
	}
}

// A vendor that knows a question by our key is asked again after a lost answer; the others are not.
func TestWhichPresetsAskOnce(t *testing.T) {
	t.Parallel()
	want := map[string]bool{"splunk-on-call": true, "zenduty": true, "grafana-oncall": true, "pagerduty-events": true}
	for _, name := range asking(t) {
		w := newWorld(t, name, nil)
		if got := connectors.CreatesOnce(w.sink); got != want[name] {
			t.Errorf("%s: got %t", name, got)
		}
		if _, hears := connectors.AsReceiver(w.sink); hears {
			t.Errorf("%s takes answers nobody asked for in its settings", name)
		}
	}
	if _, asks := connectors.AsAsker(newWorld(t, "logzio", nil).sink); asks {
		t.Error("a log store asks people")
	}
}

func TestAskPartsAreChecked(t *testing.T) {
	t.Parallel()
	good := string(readFile(t, "presets/torq.yaml"))
	for _, tt := range []struct{ old, with, want string }{
		{"framing: single", "framing: array", "ask: needs the framing single"},
		{"summary: \"${ticket.summary}\"", "summary: \"${ticket.sumary}\"", "ask.question.body.summary: "},
		{"note: \"${note}\"", "note: \"${answer_link}\"", "ask.note.body.note: "},
		{"standard_webhooks: {window: 5m}", "none: true", "inbound.verify: is one of hmac and standard_webhooks: what is not signed is never an answer"},
		{"standard_webhooks: {window: 5m}", "basic: {user: torq}", "inbound.verify: is one of"},
		{"standard_webhooks: {window: 5m}", "bearer: {}", "inbound.verify: is one of"},
		{"standard_webhooks: {window: 5m}", "header: {name: X-Key}", "inbound.verify: is one of"},
		{"standard_webhooks: {window: 5m}", "certificate: {}", "inbound.verify: is one of"},
		{"standard_webhooks: {window: 5m}", "hmac: {header: X-Signature}, standard_webhooks: {}", "inbound.verify: is one of"},
		{"verify: {standard_webhooks: {window: 5m}}", "verify: {standard_webhooks: {}}\n  vote: {key: x}", "inbound.vote: lacks "},
	} {
		text := strings.Replace(good, tt.old, tt.with, 1)
		if text == good {
			t.Fatalf("%q is not there", tt.old)
		}
		_, err := Parse("torq.yaml", []byte(text))
		var fault Fault
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.with, err, tt.want)
		}
	}
	p := shipped(t, "splunk-on-call")
	given := settings(t, p, "https://127.0.0.1")
	given["answers"] = true
	if _, err := open(t, p, given); err == nil || !strings.Contains(err.Error(), "settings.answers: ") {
		t.Errorf("got %v", err)
	}
}
