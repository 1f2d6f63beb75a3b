package webhook

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func TestParseReadsWhatJSONSays(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `[]`, ` [ ] `, `null`, `true`, ` false `, `"a"`, `""`, `0`, `-0.5e-3`, `1E4`, "\t{ \"a\" :\n[ 1 , 2,{\"b\":null} ] , \"c\": \"\" }\r\n",
		`{"":{"":[]}}`, `["\"","\\","\u0041\ud83d\ude00\/\b","{[,:]}"]`, `[[],{},[[1]],"]",{"}":"{"}]`, `9007199254740991`, `"\ud800"`,
	} {
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		got, err := parse([]byte(text))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
	for text, want := range map[string]any{
		`9007199254740992`: "9007199254740992", `-9007199254740993`: "-9007199254740993", `1e17`: 1e17, `123456789012345678901234567890`: "123456789012345678901234567890",
		`9007199254740993.0`: "9007199254740993.0", `9.007199254740993e15`: "9.007199254740993e15", `-9007199254740991.4`: "-9007199254740991.4",
		`0.99999999999999999`: "0.99999999999999999", `3.0000000000000000`: 3.0, `0.12345678901234567890`: 0.12345678901234567890, `1.5E3`: 1500.0,
		`1e-400`: "1e-400", `-4e-324`: "-4e-324", `0e-400`: 0.0,
	} {
		if got, err := parse([]byte(text)); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
}

// FuzzParse: parse takes what the standard library takes, unless a key stands twice or a limit is met, and reads the same.
func FuzzParse(f *testing.F) {
	for _, dir := range connectortest.Cases(f, "receive") {
		f.Add(requestOf(f, dir).Body)
	}
	f.Add([]byte(`{"a":{"b":[1,2,{"c":null}]},"\u0061b":"\"\\"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parse(body)
		if err != nil {
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Fatalf("got %v, want *Malformed", err)
			}
			return
		}
		var want any
		if err := json.Unmarshal(trimMark(body), &want); err != nil {
			t.Fatalf("parse takes what is not JSON: %v", err)
		}
		if diff := cmp.Diff(want, exact(want, got)); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func trimMark(body []byte) []byte {
	if len(body) >= 3 && string(body[:3]) == "\ufeff" {
		return body[3:]
	}
	return body
}

// exact puts numbers that parse keeps as texts back to what the standard library makes of them.
func exact(want, got any) any {
	switch want := want.(type) {
	case float64:
		if text, ok := got.(string); ok {
			var f float64
			if json.Unmarshal([]byte(text), &f) == nil && f == want {
				return want
			}
		}
	case []any:
		if list, ok := got.([]any); ok && len(list) == len(want) {
			for i := range list {
				list[i] = exact(want[i], list[i])
			}
		}
	case map[string]any:
		if fields, ok := got.(map[string]any); ok {
			for key := range fields {
				fields[key] = exact(want[key], fields[key])
			}
		}
	}
	return got
}

func TestZeroIsOneID(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "-0", "0.0", "-0.0", "-0e5"} {
		found, err := parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if id, err := (values{"id": found}).id("id", idBytes); id != "0" || err != nil {
			t.Errorf("%s is known as %q, %v; want 0", text, id, err)
		}
	}
}

// Requests whose ids are as good as equal to a float64 stay apart, however they are written.
func TestIDsThatDifferStayApart(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "paths: {id: /id, kind: /event, request_id: /request/id}\nkinds: {request.created: access.requested}")
	receiver, _ := connectors.AsReceiver(k)
	seen := map[string]string{}
	for _, id := range []string{"9007199254740992", "9007199254740993", "9007199254740993.0", "9007199254740994e0", "9007199254740991.4", "9007199254740991", "0", "1e-400", "-1e-400"} {
		body := `{"id":` + id + `,"event":"request.created","request":{"id":` + id + `}}`
		got, err := receiver.Receive(t.Context(), connectors.Request{Method: "POST", Body: []byte(body)})
		if err != nil || len(got.Events) != 1 {
			t.Fatalf("%s: %+v, %v", id, got, err)
		}
		e := got.Events[0]
		for _, as := range []string{"dedupe " + e.Dedupe, "request " + e.RequestID} {
			if other, twice := seen[as]; twice {
				t.Errorf("%s and %s are both known as %q", other, id, as)
			}
			seen[as] = id
		}
	}
}
