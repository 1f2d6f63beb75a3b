package epm

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRepairMendsWhatWasPastedRaw(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		want       any // nil: not mended, or still no JSON
	}{
		{"backslash JSON does not know", `{"a":"C:\acme"}`, map[string]any{"a": `C:\acme`}},
		{"then all backslashes are literal", `{"a":"C:\x","b":"CORP\nina","c":"\\nas\d"}`, map[string]any{"a": `C:\x`, "b": `CORP\nina`, "c": `\\nas\d`}},
		{"unicode escape cut short", `{"a":"C:\u12"}`, map[string]any{"a": `C:\u12`}},
		{"unicode escape of other letters", `{"a":"C:\users"}`, map[string]any{"a": `C:\users`}},
		{"known escapes stay beside control characters", "{\"a\":\"one\ntwo\\tthree\\u0041\",\"b\":\"\x01\"}", map[string]any{"a": "one\ntwo\tthreeA", "b": "\x01"}},
		{"every known escape", "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\t\"}", map[string]any{"a": "\"\\/\b\f\n\r\té\t"}},
		{"backslash before the end of a text", `{"a":"C:\x\","b":"y\"}`, map[string]any{"a": `C:\x\`, "b": `y\`}},
		{"backslash before the end of a text in a list", `{"a":["C:\x\" , "D:\"]}`, map[string]any{"a": []any{`C:\x\`, `D:\`}}},
		{"escaped quotes", `{"a":"C:\x \"y\" z"}`, map[string]any{"a": `C:\x "y" z`}},
		{"escaped quote before two commas", `{"a":"C:\x\",,"}`, map[string]any{"a": `C:\x",,`}},
		{"escaped quote before a comma and a bracket", `{"a":"C:\x\",}"}`, map[string]any{"a": `C:\x",}`}},
		{"quote pasted raw", `{"a":"say "x" \d"}`, nil},
		{"nothing to mend", `{"a":1,}`, nil},
		{"backslash at the very end", `{"a":"\`, nil},
		{"backslash outside a text", `{\"a":1}`, nil},
		{"too long", `{"a":"\d` + strings.Repeat(" ", maxRepair) + `"}`, nil},
	} {
		mended, ok := repair([]byte(tt.body))
		var got any
		if ok && json.Unmarshal(mended, &got) != nil {
			got = nil
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %.200s (-want +got):\n%s", tt.name, mended, diff)
		}
	}
}

func FuzzRepair(f *testing.F) {
	f.Add([]byte(`{"a":"C:\x\","b":"y\"}`))
	f.Add([]byte("{\"a\":\"\\\" , \\\"\x00\"}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		mended, ok := repair(body)
		if len(mended) > 6*len(body) {
			t.Errorf("%d bytes became %d", len(body), len(mended))
		}
		if !ok && len(body) <= maxRepair && !bytes.Equal(mended, body) {
			t.Errorf("%q was changed to %q in silence", body, mended)
		}
		again, _ := repair(mended)
		if json.Valid(mended) && !bytes.Equal(again, mended) {
			t.Errorf("mending twice changes %q to %q", mended, again)
		}
	})
}
