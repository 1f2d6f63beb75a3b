package elimity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func receive(t testing.TB, k connectors.Connector, body []byte) ([]connectors.Event, error) {
	t.Helper()
	receiver, _ := connectors.AsReceiver(k)
	got, err := receiver.Receive(t.Context(), connectors.Request{Method: http.MethodPost, Header: http.Header{}, Body: body, Time: connectortest.Now})
	if err == nil && (len(got.Events) == 0 || got.Changes != nil || got.Votes != nil || got.Reply != nil) {
		t.Fatalf("received %+v, want events and nothing else", got)
	}
	return got.Events, err
}

func mustReceive(t testing.TB, k connectors.Connector, body []byte) []connectors.Event {
	t.Helper()
	events, err := receive(t, k, body)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestReceiveCases(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, dir := range connectortest.Cases(t, "receive") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			events, err := receive(t, k, connectortest.Body(t, dir))
			if want, readErr := os.ReadFile(filepath.Join(dir, "want.err")); readErr == nil {
				m, ok := errors.AsType[*connectors.Malformed](err)
				if !ok || m.Reason != strings.TrimSpace(string(want)) && !strings.Contains(m.Reason, strings.TrimSpace(string(want))) {
					t.Fatalf("got %v, want *Malformed with %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Dedupe != e.RequestID {
					t.Errorf("identity %q and request id %q differ", e.Dedupe, e.RequestID)
				}
			}
			connectortest.GoldenJSON(t, filepath.Join(dir, "want.json"), events)
		})
	}
}

func TestDeepAndLargeBodiesAreRefused(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for name, body := range map[string]string{
		"a megabyte of brackets": strings.Repeat("[", 1<<20),
		"a megabyte of objects":  `{"type":` + strings.Repeat(`{"a":`, 1<<18),
		"a deep value":           `{"type":"attributeAssignment","value":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat("}", 101),
		"many values":            `{"type":"x","a":[` + strings.Repeat("1,", 1<<17) + `1]}`,
	} {
		if _, err := receive(t, k, []byte(body)); err == nil {
			t.Errorf("%s was accepted", name)
		} else if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
			t.Errorf("%s: got %v, want *Malformed", name, err)
		}
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	receiver, _ := connectors.AsReceiver(mustOpen(t, ""))
	for _, tt := range []struct {
		header string
		want   bool
	}{
		{"", true}, {"application/json", true}, {"Application/JSON; charset=utf-8", true}, {"text/plain", true}, {"application/octet-stream", true},
		{"application/xml", false}, {"application/x-www-form-urlencoded", false}, {"text/html", false},
	} {
		_, err := receiver.Receive(t.Context(), connectors.Request{Header: http.Header{"Content-Type": {tt.header}}, Body: []byte(`{"type":"x"}`)})
		if _, refused := errors.AsType[*connectors.WrongType](err); refused == tt.want || !refused && err != nil {
			t.Errorf("content type %q: %v", tt.header, err)
		}
	}
}

func TestRepeatedRequestsHaveOneID(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	id := func(body string) string { return mustReceive(t, k, []byte(body))[0].RequestID }
	text := func(dir string) string { return string(connectortest.Body(t, "testdata/receive/"+dir)) }
	removal, attribute, review := text("entity_removal"), text("attribute_assignment"), text("review_submission")
	var members map[string]any
	if err := json.Unmarshal([]byte(review), &members); err != nil {
		t.Fatal(err)
	}
	changes := members["relationshipChanges"].([]any)
	changes[0], changes[1] = changes[1], changes[0]
	swapped, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	if id(string(swapped)) != id(review) {
		t.Error("a review with its changes in another order is another request")
	}
	for _, tt := range []struct {
		name, body, old, new string
		same                 bool
	}{
		{"sent again", removal, "", "", true},
		{"without white space", removal, "\n", "", true},
		{"the entity was renamed", removal, `"Bo"`, `"Bo B."`, true},
		{"a member added", removal, `"type": "entityRemoval"`, `"type": "entityRemoval", "new": 1`, true},
		{"asked again later", removal, "09:30:00", "09:30:01", false},
		{"asked by another", removal, "lee@", "max@", false},
		{"another comment", removal, "left the company", "on leave", false},
		{"another entity", removal, "CN=bo", "CN=ana", false},
		{"another source", removal, `"sourceId": 4`, `"sourceId": 5`, false},
		{"a source whose id differs beyond 2^53", strings.Replace(removal, `"sourceId": 4`, `"sourceId": 9007199254740992`, 1), "9007199254740992", "9007199254740993", false},
		{"another entity type", removal, "ad_user", "ad_group", false},
		{"another attribute", attribute, `"attributeTypeId": "department"`, `"attributeTypeId": "site"`, false},
		{"another value", attribute, `"requested": "Finance"`, `"requested": "Legal"`, false},
		{"another type of value", attribute, `"type": "string"`, `"type": "number"`, false},
		{"another operation", review, `"operation": "add"`, `"operation": "remove"`, false},
		{"another campaign", review, "Q1 SAP", "Q2 SAP", false},
		{"another comment on a change", review, "not needed", "unused", false},
	} {
		if tt.old != "" && !strings.Contains(tt.body, tt.old) {
			t.Fatalf("%s: the body has no %q", tt.name, tt.old)
		}
		if got := id(strings.ReplaceAll(tt.body, tt.old, tt.new)) == id(tt.body); tt.old != "" && got != tt.same {
			t.Errorf("%s: same id: %v, want %v", tt.name, got, tt.same)
		}
	}
}

func TestIDsDifferBetweenConnections(t *testing.T) {
	t.Parallel()
	body := connectortest.Body(t, "testdata/receive/entity_removal")
	env := connectortest.Env(t)
	env.Name = "another"
	other, err := New().Open(env)
	if err != nil {
		t.Fatal(err)
	}
	if mustReceive(t, other, body)[0].RequestID == mustReceive(t, mustOpen(t, ""), body)[0].RequestID {
		t.Error("two connections gave a request the same id")
	}
}

func TestAReviewIsSplitAsTheSettingsSay(t *testing.T) {
	t.Parallel()
	change := `{"operation":"add","comment":"","rowEntity":{"id":"u-%d","sourceId":4,"type":"person"},"columnEntity":{"id":"r","sourceId":5,"type":"role"}}`
	review := func(n int) []byte {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(change, i)
		}
		return []byte(`{"type":"accessReviewSubmission","comment":"why","requestedAt":"2026-01-05T09:30:00Z","requestedBy":"lee@corp.example","relationshipChanges":[` + strings.Join(list, ",") + `]}`)
	}
	split := mustOpen(t, "max_changes: 3")
	events := mustReceive(t, split, review(3))
	ids := map[string]bool{}
	for i, e := range events {
		ids[e.RequestID] = true
		if child := i > 0; child != (e.Parent != "") || child && (e.Parent != events[0].RequestID || e.Data["operation"] != "add" || e.Reason != "why") {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	if len(events) != 4 || len(ids) != 4 {
		t.Errorf("%d events with %d ids, want 4 each", len(events), len(ids))
	}
	_, err := receive(t, split, review(4))
	if m, ok := errors.AsType[*connectors.Malformed](err); !ok || !strings.Contains(m.Reason, "settings.max_changes") {
		t.Errorf("more changes than allowed: %v", err)
	}
	if events := mustReceive(t, mustOpen(t, "split: false\nmax_changes: 3"), review(4)); len(events) != 1 || len(events[0].Data["relationshipChanges"].([]any)) != 4 {
		t.Errorf("not split: %+v", events)
	}
}

func TestMalformedRepeatsNoValue(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, dir := range connectortest.Cases(t, "receive") {
		body := bytes.ReplaceAll(connectortest.Body(t, dir), []byte("lee@corp.example"), []byte("canary-value"))
		if _, err := receive(t, k, body); err != nil && strings.Contains(err.Error(), "canary-value") {
			t.Errorf("%s: the reason repeats a value: %v", dir, err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, dir := range connectortest.Cases(f, "receive") {
		f.Add(connectortest.Body(f, dir))
	}
	k := mustOpen(f, "max_changes: 20")
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := receive(t, k, body)
		if err != nil {
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Fatalf("neither understood nor *Malformed: %v", err)
			}
			return
		}
		for _, e := range events {
			if (e.Kind != connectors.ChangeRequested && e.Kind != unknown) || len(e.RequestID) != len("elm-")+32 || e.Dedupe != e.RequestID {
				t.Fatalf("event without a known kind or a usable identity: %+v", e)
			}
			if e.Kind == connectors.ChangeRequested && e.Requester.Account == "" {
				t.Fatalf("nobody asked: %+v", e)
			}
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var again map[string]any
			if err := json.Unmarshal(text, &again); err != nil {
				t.Fatalf("the stored event cannot be read again: %v", err)
			}
			if effect, ok := e.Data[fieldEffect].(string); ok {
				if _, err := readEffect(effect); err != nil && connectors.AsError(err).Kind != connectors.Permanent {
					t.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	k := mustOpen(b, "")
	body := connectortest.Body(b, "testdata/receive/review_submission")
	b.Run("receive", func(b *testing.B) {
		for b.Loop() {
			if _, err := receive(b, k, body); err != nil {
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

// A source's number is part of what says which request it is, so it is read in one way of writing only.
func TestASourceIsAWholeNumber(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	body := string(connectortest.Body(t, "testdata/receive/entity_removal"))
	if !strings.Contains(body, `"sourceId": 4`) {
		t.Fatalf("the example has another source: %s", body)
	}
	for _, as := range []string{"4.0", "4e0", "40e-1", "4.5", "1e400"} {
		_, err := receive(t, k, []byte(strings.Replace(body, `"sourceId": 4`, `"sourceId": `+as, 1)))
		if m, ok := errors.AsType[*connectors.Malformed](err); !ok || !strings.Contains(m.Reason, "sourceId is not a whole number") {
			t.Errorf("%s: got %v, want *Malformed", as, err)
		}
	}
}
