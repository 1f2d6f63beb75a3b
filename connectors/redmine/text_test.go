package redmine

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTextIsShownAsItIs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"file_name-1 a*b", "file_name-1 a*b"},
		{"*bold* _em_ @kim #1", "&#42;bold&#42; &#95;em&#95; &#64;kim &#35;1"},
		{"<b>&amp;", "&#60;b&#62;&#38;amp;"},
		{"http://x/?a=1&b=2 a & b", "http://x/?a=1&b=2 a & b"},
		{"{{x}} [[y]] |z|", "&#123;&#123;x&#125;&#125; &#91;&#91;y&#93;&#93; &#124;z&#124;"},
		{"h1. x\n  bq. y\nsee h1. z", "h1&#46; x\n  bq&#46; y\nsee h1. z"},
	} {
		if got := escape(tc.in); got != tc.want {
			t.Errorf("escape(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestDecodedIssueKeepsAllItsFields(t *testing.T) {
	t.Parallel()
	var i issue
	if err := json.Unmarshal([]byte(`{"id":7,"status":{"id":1,"name":"New","is_closed":true},"assigned_to":{"id":5,"name":"Kim"},"done_ratio":10}`), &i); err != nil {
		t.Fatal(err)
	}
	if i.ID != 7 || i.Status.Name != "New" || !i.Status.Closed || simple(i)["assigned_to"] != "Kim" {
		t.Errorf("issue %+v", i)
	}
	if got := dropped(i, map[string]any{"assigned_to_id": 5, "done_ratio": "10", "status_id": int64(2)}); !cmp.Equal(got, []string{"status_id"}) {
		t.Errorf("dropped %v, want status_id", got)
	}
}
