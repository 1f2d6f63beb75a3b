package connectors

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRound(t *testing.T) {
	t.Parallel()
	open := []Ref{{ID: "c"}, {ID: "a"}, {ID: "b"}, {ID: "a"}}
	for _, tt := range []struct {
		after string
		few   int
		want  []string
	}{{"", 2, []string{"a", "b"}}, {"b", 2, []string{"c"}}, {"c", 2, []string{"a", "b"}}, {"a", 3, []string{"a", "b", "c"}}} {
		var got []string
		for _, r := range Round(open, tt.after, tt.few) {
			got = append(got, r.ID)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("after %q (-want +got):\n%s", tt.after, d)
		}
	}
}
