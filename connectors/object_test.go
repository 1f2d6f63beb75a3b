package connectors_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestReadObjectReadsWhatToolsWrite(t *testing.T) {
	t.Parallel()
	got, err := connectors.ReadObject([]byte("\ufeff { \"a\" : 1 , \"b\":[ ],\"c\":[true,false,null, -0.5e+3],\"d\":{},\"\\u0065\":\"\\ud83d\\ude00\\n\",\"f\":{\"a\":{\"a\":9007199254740993}}}\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"a": json.Number("1"), "b": []any{}, "c": []any{true, false, nil, json.Number("-0.5e+3")}, "d": map[string]any{},
		"e": "😀\n", "f": map[string]any{"a": map[string]any{"a": json.Number("9007199254740993")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
}

func TestReadObjectRefusesWhatNoToolWrites(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, want string }{
		{"nothing", "", "no JSON"},
		{"space", " \n", "no JSON"},
		{"text", "hello", "no JSON"},
		{"list", "[]", "no JSON object"},
		{"number", "1", "no JSON object"},
		{"null", "null", "no JSON object"},
		{"cut", `{"a":`, "no JSON"},
		{"two objects", `{}{}`, "no JSON"},
		{"not UTF-8", "{\"a\":\"\xff\"}", "not UTF-8"},
		{"a key twice", `{"a":1,"b":{"x":1,"x":1}}`, "a key twice: x"},
		{"a key twice, once escaped", `{"uuid":1,"\u0075uid":2}`, "a key twice: uuid"},
		{"deep", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), "nested too deeply"},
		{"deeper than any parser reads", strings.Repeat("[", 1<<20), "no JSON"},
		{"many values", `{"a":[` + strings.Repeat("0,", 1<<16) + `0]}`, "too many values"},
	} {
		_, err := connectors.ReadObject([]byte(tt.body))
		m, ok := errors.AsType[*connectors.Malformed](err)
		if !ok || !strings.Contains(m.Reason, tt.want) {
			t.Errorf("%s: got %v, want *Malformed with %q", tt.name, err, tt.want)
		}
	}
}

func TestAsStoredLosesNothingInTheStore(t *testing.T) {
	t.Parallel()
	object, err := connectors.ReadObject([]byte(`{"n":[0,-1,1.5,9007199254740991,9007199254740993,-9007199254740993,1e400,-1e400,1e300,1e-400],"o":{"t":"x","b":true,"z":null}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := connectors.AsStored(object)
	want := map[string]any{
		"n": []any{0.0, -1.0, 1.5, 9007199254740991.0, "9007199254740993", "-9007199254740993", "1e400", "-1e400", 1e300, 0.0},
		"o": map[string]any{"t": "x", "b": true, "z": nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("as stored (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var again any
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
}

func FuzzReadObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,{"b":"\\\""}],"c":null}`, `{"a":1,"a":2}`, `[`, "{\"\xff\":1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := connectors.ReadObject(body)
		if err != nil {
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Fatalf("got a %T, want *Malformed", err)
			}
			return
		}
		text, err := json.Marshal(connectors.AsStored(got))
		if err != nil {
			t.Fatal(err)
		}
		var again map[string]any
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
	})
}
