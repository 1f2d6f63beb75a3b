package apono

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// receiveAs decodes a body that came to a URL with ?webhook=hook.
func receiveAs(t testing.TB, k connectors.Connector, hook string, body []byte) (connectors.Event, func(connectors.CaseState) connectors.Response, error) {
	t.Helper()
	receiver, _ := connectors.AsReceiver(k)
	request := connectors.Request{Method: http.MethodPost, Header: http.Header{}, Body: body, Time: noon}
	if hook != "" {
		request.URL = &url.URL{Path: "/in/apono", RawQuery: url.Values{"webhook": {hook}}.Encode()}
	}
	got, err := receiver.Receive(t.Context(), request)
	if err != nil {
		return connectors.Event{}, nil, err
	}
	if len(got.Events) != 1 || got.Changes != nil || got.Votes != nil || got.Reply == nil {
		t.Fatalf("received %+v, want exactly one event and an answer", got)
	}
	return got.Events[0], got.Reply, nil
}

func receive(t testing.TB, k connectors.Connector, body string) (connectors.Event, error) {
	t.Helper()
	event, _, err := receiveAs(t, k, "", []byte(body))
	return event, err
}

func TestReceiveCases(t *testing.T) {
	t.Parallel()
	for _, dir := range connectortest.Cases(t, "receive") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			settings, _ := os.ReadFile(filepath.Join(dir, "settings.yaml"))
			hook, _ := os.ReadFile(filepath.Join(dir, "webhook.txt"))
			event, reply, err := receiveAs(t, mustOpen(t, string(settings)), strings.TrimSpace(string(hook)), connectortest.Body(t, dir))
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
			answer := json.RawMessage(reply(connectors.CaseState{EventID: "e-1", Outcome: connectors.Pending}).Body)
			connectortest.GoldenJSON(t, filepath.Join(dir, "want.json"), map[string]any{"dedupe": event.Dedupe, "event": event, "answer": answer})
		})
	}
}

func TestReceiveContentTypes(t *testing.T) {
	t.Parallel()
	receiver, _ := connectors.AsReceiver(mustOpen(t, ""))
	for _, tt := range []struct {
		header string
		want   bool
	}{
		{"", true}, {"application/json", true}, {"Application/JSON; charset=utf-8", true}, {"application/vnd.acme+json", true},
		{"text/plain", true}, {"application/octet-stream", true}, {"application/xml", false}, {"text/html", false},
		{"application/x-www-form-urlencoded", false}, {"multipart/form-data; boundary=x", false},
	} {
		_, err := receiver.Receive(t.Context(), connectors.Request{
			Header: http.Header{"Content-Type": {tt.header}}, Body: []byte(`{"event_type":"RequestCreated","id":"r-1"}`),
		})
		w, wrong := errors.AsType[*connectors.WrongType](err)
		if wrong == tt.want {
			t.Errorf("%q: %v, want taken: %v", tt.header, err, tt.want)
		}
		if wrong && !strings.Contains(w.Advice, "Body Template") {
			t.Errorf("the advice does not say what to set: %s", w.Advice)
		}
	}
}

func TestEventTypesInEverySpellingMeanOneKind(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "types: {RequestSnoozed: access.failed}")
	for kind, types := range map[string][]string{
		connectors.AccessRequested: {"RequestCreated", "AccessRequestCreated", "requestcreated", "request_created", "access-request-created", "Manual"},
		connectors.AccessApproved:  {"RequestApproved", "AccessRequestApproved"},
		connectors.AccessDenied:    {"RequestRejected", "AccessRequestRejected"},
		connectors.AccessGranted:   {"RequestGranted", "AccessRequestGranted"},
		connectors.AccessExpired:   {"RequestExpired", "AccessRequestExpired"},
		connectors.AccessFailed:    {"RequestFailed", "AccessRequestFailed", "RequestSnoozed"},
	} {
		for _, name := range types {
			event, err := receive(t, k, `{"event_type":"`+name+`","id":"r-1"}`)
			if err != nil || event.Kind != kind || event.Type != name {
				t.Errorf("%s: %s as %q, %v; want %s", name, event.Kind, event.Type, err, kind)
			}
			decides := kind == connectors.AccessApproved || kind == connectors.AccessDenied
			if (event.Decision != nil) != decides {
				t.Errorf("%s: reports a decision: %v", name, event.Decision != nil)
			}
		}
	}
}

func TestTimesAreReadToTheNanosecond(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, tt := range []struct{ text, want string }{
		{`"1696263265.851898000"`, "2023-10-02T16:14:25.851898Z"},
		{`1696263265.851898000`, "2023-10-02T16:14:25.851898Z"},
		{`"1696263265.123456789"`, "2023-10-02T16:14:25.123456789Z"},
		{`1696263265.123456789`, "2023-10-02T16:14:25.123456789Z"},
		{`"1696263265.000000001"`, "2023-10-02T16:14:25.000000001Z"},
		{`"1696263265.1234567891234"`, "2023-10-02T16:14:25.123456789Z"},
		{`"1696263265.5"`, "2023-10-02T16:14:25.5Z"},
		{`"1696263265"`, "2023-10-02T16:14:25Z"},
		{`1696263265`, "2023-10-02T16:14:25Z"},
		{`" 1696263265 "`, "2023-10-02T16:14:25Z"},
		{`"2023-10-02T16:14:25.123456789Z"`, "2023-10-02T16:14:25.123456789Z"},
		{`"2023-10-02T18:14:25+02:00"`, "2023-10-02T16:14:25Z"},
		{`"253402300799.999999999"`, "9999-12-31T23:59:59.999999999Z"},
		// nonsense stays the text it is
		{`"253402300800"`, ""}, {`"1696263265123456789"`, ""}, {`"1696263265."`, ""}, {`".5"`, ""}, {`"1.6e9"`, ""}, {`1.6e9`, ""},
		{`"-1696263265"`, ""}, {`"0"`, ""}, {`"+1696263265"`, ""}, {`"yesterday"`, ""}, {`"1696263265,5"`, ""}, {`"1_696_263_265"`, ""},
		{`"1696263265.5.5"`, ""}, {`"NaN"`, ""}, {`"Inf"`, ""}, {`"٣"`, ""}, {`true`, ""}, {`99999999999999999999999999`, ""},
	} {
		event, err := receive(t, k, `{"event_type":"RequestGranted","id":"r-1","event_time":`+tt.text+`}`)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if tt.want == "" {
			kept := strings.Trim(tt.text, `"`)
			if !event.Time.IsZero() || event.Data["event_time"] != kept {
				t.Errorf("%s: %v, data %v; want it to stay a text", tt.text, event.Time, event.Data["event_time"])
			}
			continue
		}
		if got := event.Time.Format(time.RFC3339Nano); got != tt.want || event.Data["event_time"] != tt.want || event.Time.Location() != time.UTC {
			t.Errorf("%s: %s, data %v; want %s", tt.text, got, event.Data["event_time"], tt.want)
		}
	}
	for _, absent := range []string{`""`, `null`, `"{{event_time}}"`, `{}`, `[]`} {
		event, err := receive(t, k, `{"event_type":"RequestGranted","id":"r-1","event_time":`+absent+`}`)
		if _, there := event.Data["event_time"]; err != nil || there || !event.Time.IsZero() {
			t.Errorf("%s: %v, data %v, %v; want it absent", absent, event.Time, event.Data, err)
		}
	}
}

func TestNumbersAFloatWouldChangeStayText(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, tt := range []struct {
		text string
		want any
	}{
		{"3600", 3600.0}, {`"3600"`, 3600.0}, {"9007199254740992", 9007199254740992.0}, {"9007199254740993", "9007199254740993"},
		{"123456789012345678901234567890", "123456789012345678901234567890"}, {"1.5", 1.5}, {"1e400", "1e400"}, {`"NaN"`, "NaN"}, {`"+Inf"`, "+Inf"}, {`"an hour"`, "an hour"},
	} {
		event, err := receive(t, k, `{"event_type":"RequestCreated","id":"r-1","access_duration_in_seconds":`+tt.text+`,"access_groups":[{"n":`+strings.Trim(tt.text, `"`)+`}]}`)
		if strings.Contains(tt.text, `"`) {
			event, err = receive(t, k, `{"event_type":"RequestCreated","id":"r-1","access_duration_in_seconds":`+tt.text+`,"access_groups":[{"n":`+tt.text+`}]}`)
		}
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := event.Data["access_duration_in_seconds"]; got != tt.want {
			t.Errorf("%s: %v (%T), want %v", tt.text, got, got, tt.want)
		}
		inList := event.Data["access_groups"].([]any)[0].(map[string]any)["n"]
		if want := tt.want; inList != want && fmt.Sprint(inList) != strings.Trim(tt.text, `"`) {
			t.Errorf("%s in a list: %v (%T)", tt.text, inList, inList)
		}
		if _, err := json.Marshal(event); err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
	for _, number := range []string{"9007199254740993", "123456789012345678901234567890"} {
		event, err := receive(t, k, `{"event_type":"RequestCreated","data":{"id":`+number+`}}`)
		if err != nil || event.RequestID != number {
			t.Errorf("id %s became %q, %v", number, event.RequestID, err)
		}
	}
}

// everyValue is one of each type a template can leave at any place.
var everyValue = []string{`null`, `true`, `false`, `0`, `-1.5`, `9007199254740993`, `1e999`, `""`, `" "`, `"x"`, `"{{x}}"`, `[]`, `[1]`, `["x"]`, `[[]]`, `{}`, `{"x":1}`, `[{"status":[]}]`, `[{"approver":7,"status":"Approved"}]`}

func TestAnyTypeAtAnyPlaceIsTakenOrMalformed(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	known := map[string]map[string]string{}
	for _, e := range connectors.Emits(k) {
		known[e.Kind] = map[string]string{}
		for _, f := range e.Data {
			known[e.Kind][f.ID] = f.Type
		}
	}
	for _, v := range documented {
		for _, value := range everyValue {
			for _, hook := range []string{"", "manual", "audit", "anomaly", "integration"} {
				members := map[string]string{"event_type": `"RequestApproved"`, "event_time": `"1696263265.5"`, "id": `"r-1"`}
				if hook == "manual" {
					members["event_type"] = `"Manual"`
				}
				members[v.name] = value
				var pairs []string
				for name, text := range members {
					pairs = append(pairs, fmt.Sprintf("%q:%s", name, text))
				}
				event, _, err := receiveAs(t, k, hook, []byte("{"+strings.Join(pairs, ",")+"}"))
				if err != nil {
					if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
						t.Fatalf("%s = %s: %v, want *Malformed", v.name, value, err)
					}
					continue
				}
				if _, err := json.Marshal(event); err != nil {
					t.Fatalf("%s = %s: %v", v.name, value, err)
				}
				for name := range event.Data {
					if known[event.Kind][name] == "" {
						t.Errorf("%s = %s: %s carries %s, which is not declared", v.name, value, event.Kind, name)
					}
				}
				if v.form == list && event.Data[v.name] != nil {
					if _, ok := event.Data[v.name].([]any); !ok {
						t.Errorf("%s = %s is a %T", v.name, value, event.Data[v.name])
					}
				}
			}
		}
	}
}

func TestIdsAreTextsOrWholeNumbers(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, name := range []string{"id", "request_id", "friendly_id", "event_type"} {
		for _, value := range []string{"true", "false", "{}", "[]", `["r-1"]`, `{"id":"r-1"}`, "-1", "1.5", "1e3"} {
			_, err := receive(t, k, `{"`+name+`":`+value+`,"x":{"event_type":"RequestCreated"}}`)
			if m, ok := errors.AsType[*connectors.Malformed](err); !ok || !strings.HasPrefix(m.Reason, name) {
				t.Errorf("%s = %s: %v, want *Malformed", name, value, err)
			}
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
		{"id", "6f0c1c1e-0d0a-4b58-9c55-2b1f7f7d1a01", true}, {"id", "AB_1.2:3=", true}, {"id", "123", true},
		{"id", "a b", false}, {"id", "a/b", false}, {"id", "a?b", false}, {"id", "a#b", false}, {"id", "a%20b", false}, {"id", "é", false},
		{"id", "a&amp;b", false}, {"id", "{{data.id}}x", false}, {"id", "<b>", false}, {"id", ".", false}, {"id", "..", false}, {"id", long, false},
		{"id", `a\u0000`, false}, {"id", `a\\b`, false},
		{"friendly_id", "AR 1/2", true}, {"friendly_id", `a\u0000`, false}, {"friendly_id", `a\ud800`, false}, {"friendly_id", long, false},
		{"event_type", long, false},
	} {
		values := map[string]string{"event_type": "RequestCreated", "id": "r-1", "friendly_id": "AR-1"}
		values[tt.field] = tt.value
		_, err := receive(t, k, fmt.Sprintf(`{"event_type":"%s","id":"%s","friendly_id":"%s"}`, values["event_type"], values["id"], values["friendly_id"]))
		if m, _ := errors.AsType[*connectors.Malformed](err); (err == nil) != tt.taken || m != nil && !strings.HasPrefix(m.Reason, tt.field) {
			t.Errorf("%s %.20q: %v, want taken: %v", tt.field, tt.value, err, tt.taken)
		}
	}
}

func TestHostileBodiesAreMalformed(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for name, body := range map[string]string{
		"empty":                     "",
		"spaces":                    "  \n",
		"a byte order mark":         "\ufeff",
		"a megabyte of lists":       strings.Repeat("[", 1<<20),
		"a megabyte, closed":        strings.Repeat("[", 1<<19) + strings.Repeat("]", 1<<19),
		"a megabyte of objects":     strings.Repeat(`{"a":`, 1<<18),
		"deep, not too deep for Go": strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000),
		"many values":               `{"a":[` + strings.Repeat("1,", 1<<18) + `1]}`,
		"a megabyte of quotes":      `{"a":"` + strings.Repeat(`\"`, 1<<19),
		"a megabyte of backslashes": `{"a":"` + strings.Repeat(`\`, 1<<20),
		"invalid UTF-8":             "{\"event_type\":\"RequestCreated\",\"id\":\"r-1\",\"justification\":\"\xff\"}",
		"cut rune":                  "{\"event_type\":\"RequestCreated\",\"id\":\"r-1\",\"justification\":\"\xe2\x82\"}",
		"JSON text with bad JSON":   `{"message":"{ \"event_type\": "}`,
		"JSON text in JSON text":    `{"message":"{\"message\":\"{\\\"event_type\\\":\\\"RequestCreated\\\"}\"}"}`,
		"a text":                    `"RequestCreated"`,
		"a number":                  `7`,
		"nothing":                   `null`,
		"a list of nothing":         `[]`,
		"a list of texts":           `["RequestCreated"]`,
		"a list in a list":          `[[{"event_type":"RequestCreated","id":"r-1"}]]`,
	} {
		_, err := receive(t, k, body)
		if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
			t.Errorf("%s: %v, want *Malformed", name, err)
		}
	}
}

func TestLongKeysAreNoBurden(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("K", 400_000)
	event, err := receive(t, mustOpen(t, "fields: {extra: [/x]}"), `{"`+long+`":[`+strings.Repeat("1,", 16000)+`1],"event_type":"RequestCreated","id":"r-1"}`)
	if err != nil || event.RequestID != "r-1" {
		t.Errorf("request %q, %v", event.RequestID, err)
	}
}

func TestRepeatedEventsHaveOneIdentity(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	identity := func(body string) string {
		event, err := receive(t, k, body)
		if err != nil {
			t.Fatal(err)
		}
		return event.Dedupe
	}
	const granted = `{"event_type":"RequestGranted","event_time":"1696263265.500000000","data":{"id":"r-1","justification":"a"}}`
	const created = `{"event_type":"RequestCreated","event_time":"1696263265.5","data":{"id":"r-1"}}`
	for _, tt := range []struct {
		name, body, old, new string
		same                 bool
	}{
		{"long event type", granted, "RequestGranted", "AccessRequestGranted", true},
		{"time as a number", granted, `"1696263265.500000000"`, "1696263265.5", true},
		{"time in another notation", granted, "1696263265.500000000", "2023-10-02T16:14:25.5Z", true},
		{"other words", granted, `"a"`, `"b"`, true},
		{"another time", granted, "1696263265.500000000", "1696263265.500000001", false},
		{"another request", granted, "r-1", "r-2", false},
		{"another trigger", granted, "RequestGranted", "RequestExpired", false},
		{"a request is made once", created, "1696263265.5", "1696263300", true},
		{"a question is no second creation", created, "RequestCreated", "Manual", true},
		{"another request is made", created, "r-1", "r-2", false},
		{"ids that run together", created, `"id":"r-1"`, `"id":"r-1,1"`, false},
	} {
		if got := identity(strings.Replace(tt.body, tt.old, tt.new, 1)); (got == identity(tt.body)) != tt.same {
			t.Errorf("%s: identity %s against %s, want same: %v", tt.name, got, identity(tt.body), tt.same)
		}
	}
}

func TestEventsWithoutARequestAreKnownByTimeAndContent(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	const audit = `{"event_type":"X","event_time":"1696263265.5","data":{"action":"delete","target_id":"f-1"}}`
	first, _, err := receiveAs(t, k, "audit", []byte(audit))
	if err != nil || first.RequestID != "" {
		t.Fatal(first, err)
	}
	again, _, _ := receiveAs(t, k, "audit", []byte(audit))
	if first.Dedupe != again.Dedupe {
		t.Error("the same event has two identities")
	}
	for _, other := range []string{strings.Replace(audit, "265.5", "266.5", 1), strings.Replace(audit, "f-1", "f-2", 1)} {
		if got, _, err := receiveAs(t, k, "audit", []byte(other)); err != nil || got.Dedupe == first.Dedupe {
			t.Errorf("%s: %v, identity %s", other, err, got.Dedupe)
		}
	}
	for _, hook := range []string{"audit", "anomaly", "integration"} {
		_, _, err := receiveAs(t, k, hook, []byte(`{"event_type":"X","status":"Warning","action":"delete"}`))
		if m, ok := errors.AsType[*connectors.Malformed](err); !ok || !strings.HasPrefix(m.Reason, "event_time") {
			t.Errorf("%s without a time: %v, want *Malformed", hook, err)
		}
	}
}

func TestFieldsSayWhereVariablesStand(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, `
fields:
  id: [/who/request, /other]
  justification: [/TEXT/why, /text/message]
  requester_email: [/people/1/mail]
  cost_center: [/cost~1center]
`)
	event, err := receive(t, k, `{"event_type":"RequestCreated","id":"not this one","WHO":{"request":"r-1"},"text":{"message":"because"},
		"people":[{"mail":"a@corp.example"},{"mail":"b@corp.example"}],"requester":{"email":"c@corp.example"},"cost/center":4711,"color":"red"}`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"event_type": "RequestCreated", "id": "r-1", "justification": "because", "requester_email": "b@corp.example", "cost_center": "4711"}
	if diff := cmp.Diff(want, event.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if event.RequestID != "r-1" || event.Reason != "because" || event.Requester.Mail != "b@corp.example" {
		t.Errorf("event = %+v", event)
	}
	for _, tt := range []struct{ body, want string }{
		{`"text":{"why":"1","message":"2"}`, "1"}, {`"text":{"message":"2","why":"1"}`, "1"},
		{`"text":{"why":"","message":"2"}`, "2"}, {`"text":{"why":"{{x}}","message":"2"}`, "2"}, {`"text":{}`, ""},
	} {
		event, err := receive(t, k, `{"event_type":"RequestCreated","other":"r-1",`+tt.body+`}`)
		if err != nil || event.Reason != tt.want {
			t.Errorf("%s: reason %q, %v; want %q", tt.body, event.Reason, err, tt.want)
		}
	}
}

func TestWhatHandlebarsEscapedIsUndoneWhereSet(t *testing.T) {
	t.Parallel()
	const escaped = `Tom &amp; &lt;b&gt; &quot;x&quot; &#x27;y&#x27; &#x60;z&#x60; a&#x3D;b &amp;lt; &copy;`
	body := `{"event_type":"RequestCreated","id":"YWI&#x3D;","justification":"` + escaped + `","access_groups":[{"integration":{"name":"A &amp; B"}}]}`
	event, err := receive(t, mustOpen(t, "unescape: true"), body)
	if want := "Tom & <b> \"x\" 'y' `z` a=b &lt; &copy;"; err != nil || event.Reason != want || event.RequestID != "YWI=" {
		t.Errorf("got %q of %q, %v; want %q", event.Reason, event.RequestID, err, want)
	}
	if event.Subject != "A & B" || event.Data["access_groups"].([]any)[0].(map[string]any)["integration"].(map[string]any)["name"] != "A & B" {
		t.Errorf("subject %q, data %v", event.Subject, event.Data)
	}
	event, err = receive(t, mustOpen(t, ""), strings.Replace(body, "YWI&#x3D;", "r-1", 1))
	if err != nil || event.Reason != escaped {
		t.Errorf("left alone: %q, %v", event.Reason, err)
	}
}

func TestMalformedRepeatsNoValue(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, dir := range connectortest.Cases(t, "receive") {
		body := bytes.ReplaceAll(connectortest.Body(t, dir), []byte("r-1"), []byte("canary-value"))
		if _, err := receive(t, k, string(body)); err != nil && strings.Contains(err.Error(), "canary-value") {
			t.Errorf("%s: the reason repeats a value: %v", dir, err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, dir := range connectortest.Cases(f, "receive") {
		hook, _ := os.ReadFile(filepath.Join(dir, "webhook.txt"))
		f.Add(strings.TrimSpace(string(hook)), connectortest.Body(f, dir))
	}
	f.Add("", []byte(`{"message":"{\"event_type\":\"Manual\",\"id\":\"a\\\"`))
	f.Add("audit", []byte("{\"a\":\"\\\"\\\" ,\\\" \",\"event_time\":\"\x01\"}"))
	k := mustOpen(f, "unescape: true\nfields: {extra: [/message, /a/0/b]}")
	receiver, _ := connectors.AsReceiver(k)
	known := connectors.Emits(k)
	f.Fuzz(func(t *testing.T, hook string, body []byte) {
		got, err := receiver.Receive(t.Context(), connectors.Request{
			Header: http.Header{}, Body: body, URL: &url.URL{RawQuery: url.Values{"webhook": {hook}}.Encode()},
		})
		if err != nil {
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Fatalf("neither understood nor *Malformed: %v", err)
			}
			return
		}
		event := got.Events[0]
		if event.Dedupe == "" || event.RequestID != "" && !plainID(event.RequestID, true) {
			t.Fatalf("event without identity, or a request id that is none: %+v", event)
		}
		declared := map[string]bool{}
		for _, e := range known {
			for _, field := range e.Data {
				declared[e.Kind+" "+field.ID] = true
			}
		}
		for name := range event.Data {
			if !declared[event.Kind+" "+name] {
				t.Fatalf("%s carries %s, which is not declared", event.Kind, name)
			}
		}
		if _, err := json.Marshal(event); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(got.Reply(connectors.CaseState{EventID: "e"}).Body) {
			t.Fatal("the answer is no JSON")
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	body := connectortest.Body(b, "testdata/receive/created_documented_payload")
	receiver, _ := connectors.AsReceiver(mustOpen(b, ""))
	b.Run("receive", func(b *testing.B) {
		for b.Loop() {
			if _, err := receiver.Receive(b.Context(), connectors.Request{Header: http.Header{}, Body: body}); err != nil {
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
