package markdown

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValue(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in, want any // nil: refused
	}{
		{" two\nlines ", "two\nlines"}, {"too long", "too…"}, {true, "true"}, {2.5, "2.5"}, {float64(1e15), "1000000000000000"}, {7, "7"}, {int64(8), "8"},
		{json.Number("9007199254740993"), "9007199254740993"}, {nil, ""},
		{[]string{"a", " b "}, []string{"a", "b"}}, {[]any{"a", 1, false, nil}, []string{"a", "1", "false", ""}}, {[]any{}, []string{}},
		{[]any{[]any{"a"}}, nil}, {[]any{map[string]any{}}, nil}, {map[string]any{"a": 1}, nil},
	} {
		limit := 20
		if tc.in == "too long" {
			limit = 4
		}
		got, err := Value(tc.in, limit, strconv.FormatBool)
		if (err != nil) != (tc.want == nil) || cmp.Diff(tc.want, got) != "" {
			t.Errorf("Value(%v) = %v, %v; want %v", tc.in, got, err, tc.want)
		}
	}
}
