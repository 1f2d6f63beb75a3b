package webhook

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// settingsOf reads a case's own settings, or those its name begins with.
func settingsOf(t testing.TB, dir string) string {
	t.Helper()
	if own, err := os.ReadFile(filepath.Join(dir, "settings.yaml")); err == nil {
		return string(own)
	}
	format, _, _ := strings.Cut(filepath.Base(dir), "_")
	return readFile(t, filepath.Join("testdata", format+".yaml"))
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// requestOf reads request.http: the method, the headers, an empty line and the body.
func requestOf(t testing.TB, dir string) connectors.Request {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(readFile(t, filepath.Join(dir, "request.http"))))
	method, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	header, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return connectors.Request{Method: strings.TrimSpace(method), Header: http.Header(header), Body: body.Bytes(), Time: noon}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// received is a Received as it is kept in a golden file.
type received struct {
	Events   []event     `json:"events,omitempty"`
	Response *respondent `json:"response,omitempty"`
}

type event struct {
	Dedupe string           `json:"dedupe"`
	Event  connectors.Event `json:"event"`
}

type respondent struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
}

func shown(got connectors.Received) received {
	var out received
	for _, e := range got.Events {
		out.Events = append(out.Events, event{e.Dedupe, e})
	}
	if got.Reply != nil {
		r := got.Reply(connectors.CaseState{})
		out.Response = &respondent{r.Status, r.Header}
	}
	return out
}

func TestReceiveCases(t *testing.T) {
	t.Parallel()
	for _, dir := range connectortest.Cases(t, "receive") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			receiver, _ := connectors.AsReceiver(mustOpen(t, settingsOf(t, dir)))
			got, err := receiver.Receive(t.Context(), requestOf(t, dir))
			if err == nil {
				connectortest.GoldenText(t, filepath.Join(dir, "want.json"), asJSON(t, shown(got)))
				return
			}
			kind := "malformed: "
			if _, ok := errors.AsType[*connectors.WrongType](err); ok {
				kind = "wrong type: "
			} else if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Fatalf("neither understood nor refused: %v", err)
			}
			connectortest.GoldenText(t, filepath.Join(dir, "want.err"), kind+err.Error()+"\n")
		})
	}
}

func TestRepeatedEventsHaveOneIdentity(t *testing.T) {
	t.Parallel()
	event := func(settings, header, body string) string {
		receiver, _ := connectors.AsReceiver(mustOpen(t, settings))
		h := http.Header{}
		if name, value, ok := strings.Cut(header, ": "); ok {
			h.Set(name, value)
		}
		got, err := receiver.Receive(t.Context(), connectors.Request{Method: http.MethodPost, Header: h, Body: []byte(body)})
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return got.Events[0].Dedupe
	}
	const cloud, structured = "format: cloudevents", "Content-Type: application/cloudevents+json"
	first := event(cloud, structured, `{"specversion":"1.0","type":"audit","source":"a","id":"b c"}`)
	for name, tt := range map[string]struct {
		body string
		same bool
	}{
		"sent again":         {`{"specversion":"1.0","type":"audit","source":"a","id":"b c","time":"2026-01-05T10:15:00Z"}`, true},
		"another id":         {`{"specversion":"1.0","type":"audit","source":"a","id":"b"}`, false},
		"another source":     {`{"specversion":"1.0","type":"audit","source":"A","id":"b c"}`, false},
		"ids that run":       {`{"specversion":"1.0","type":"audit","source":"a b","id":"c"}`, false},
		"ids with quotes":    {`{"specversion":"1.0","type":"audit","source":"a\" \"b","id":"c"}`, false},
		"another type alone": {`{"specversion":"1.0","type":"anomaly","source":"a","id":"b c"}`, true},
	} {
		if got := event(cloud, structured, tt.body); (got == first) != tt.same {
			t.Errorf("%s: identity %s against %s, want same: %v", name, got, first, tt.same)
		}
	}
	const standard = "format: standard_webhooks"
	one, two := event(standard, "webhook-id: msg_1", `{"type":"audit","n":1}`), event(standard, "webhook-id: msg_1", `{"type":"audit","n":2}`)
	if one != two || one == event(standard, "webhook-id: msg_2", `{"type":"audit","n":1}`) {
		t.Errorf("webhook-id does not say which event it is: %s, %s", one, two)
	}
}

func TestAStoppedCallKeepsNothingInQuarantine(t *testing.T) {
	t.Parallel()
	receiver, _ := connectors.AsReceiver(mustOpen(t, `paths: {id: /id, kind: audit, reason: "${body.reason}"}`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := receiver.Receive(ctx, connectors.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(`{"id":"1","reason":"x"}`)})
	if _, malformed := errors.AsType[*connectors.Malformed](err); malformed || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func TestRefusalsRepeatNoValue(t *testing.T) {
	t.Parallel()
	for _, dir := range connectortest.Cases(t, "receive") {
		request := requestOf(t, dir)
		for _, value := range []string{"r-1", "evt-1", "A-1", "CORP", "yesterday", "soon", "javascript"} {
			request.Body = bytes.ReplaceAll(request.Body, []byte(value), []byte("canary"+value))
		}
		receiver, _ := connectors.AsReceiver(mustOpen(t, settingsOf(t, dir)))
		if _, err := receiver.Receive(t.Context(), request); err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the reason repeats a value: %v", dir, err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	var receivers []connectors.Receiver
	for _, name := range []string{"json", "cloud", "standard"} {
		receiver, _ := connectors.AsReceiver(mustOpen(f, readFile(f, filepath.Join("testdata", name+".yaml"))))
		receivers = append(receivers, receiver)
	}
	for _, dir := range connectortest.Cases(f, "receive") {
		r := requestOf(f, dir)
		f.Add(r.Header.Get("Content-Type"), r.Header.Get("Ce-Id"), r.Header.Get("Ce-Subject"), r.Body)
	}
	f.Fuzz(func(t *testing.T, kind, id, subject string, body []byte) {
		header := http.Header{"Content-Type": {kind}, "Webhook-Id": {id}}
		if id != "" {
			for name, value := range map[string]string{"Specversion": "1.0", "Id": id, "Source": "s", "Type": "request.created", "Subject": subject} {
				header.Set("Ce-"+name, value)
			}
		}
		for _, receiver := range receivers {
			got, err := receiver.Receive(t.Context(), connectors.Request{Method: http.MethodPost, Header: header, Body: body})
			if err != nil {
				_, malformed := errors.AsType[*connectors.Malformed](err)
				_, wrongType := errors.AsType[*connectors.WrongType](err)
				if !malformed && !wrongType {
					t.Fatalf("neither understood nor refused: %v", err)
				}
				continue
			}
			for _, e := range got.Events {
				if e.Dedupe == "" || e.Kind == "" || (e.Kind == unknownKind && e.RequestID != "") {
					t.Fatalf("event without identity or kind: %+v", e)
				}
				if _, err := json.Marshal(e); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// FuzzURL: whatever stands in a decision, the call goes to the host that was written out, and no further up its path.
func FuzzURL(f *testing.F) {
	k := mustOpen(f, smallest+"decision: {url: 'https://tool.example/in/${decision.request_id}/x?t=${decision.tenant}', headers: {X-Id: '${decision.request_id}'}}").(*decider)
	for _, id := range []string{"r-1", "..", "../..", "%2e%2e", "a\\..\\b", "//evil.example", "@evil.example", "?#", "\r\nX: 1", "é", "\xff"} {
		f.Add(id, id)
	}
	f.Fuzz(func(t *testing.T, id, tenant string) {
		d := approval
		d.RequestID, d.Tenant = id, tenant
		call, err := k.decision.prepare(t.Context(), d)
		if err != nil {
			if e, ok := errors.AsType[*connectors.Error](err); !ok || e.Sent {
				t.Fatalf("got %v", err)
			}
			return
		}
		u, err := url.Parse(call.URL)
		if err != nil || u.Scheme != "https" || u.Host != "tool.example" || u.Fragment != "" {
			t.Fatalf("%q leads to %s", id, call.URL)
		}
		if parts := strings.Split(u.EscapedPath(), "/"); len(parts) != 4 || parts[1] != "in" || parts[3] != "x" {
			t.Fatalf("%q makes the path %s", id, u.EscapedPath())
		}
		if len(u.Query()) != 1 {
			t.Fatalf("%q makes the query %s", tenant, u.RawQuery)
		}
		if strings.ContainsAny(call.Header.Get("X-Id"), "\r\n\x00") {
			t.Fatalf("%q makes the header %q", id, call.Header.Get("X-Id"))
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	request := requestOf(b, "testdata/receive/json_full")
	receiver, _ := connectors.AsReceiver(mustOpen(b, readFile(b, "testdata/json.yaml")))
	b.Run("receive", func(b *testing.B) {
		for b.Loop() {
			if _, err := receiver.Receive(b.Context(), request); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := parse(request.Body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unmarshal", func(b *testing.B) {
		for b.Loop() {
			var v any
			if err := json.Unmarshal(request.Body, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
