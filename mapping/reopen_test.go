package mapping

import (
	"strings"
	"testing"
	"time"
)

func TestReopenCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		within string
		since  time.Duration
		want   bool
	}{
		{"30d", 30 * 24 * time.Hour, true},
		{"30d", 30*24*time.Hour + time.Second, false},
		{"12h", 0, true},
		{"", 1000 * 24 * time.Hour, true},
	} {
		if got := (&Reopen{Status: "Open", Within: c.within}).Covers(c.since); got != c.want {
			t.Errorf("within %q, after %s: got %t, want %t", c.within, c.since, got, c.want)
		}
	}
}

func TestReopenFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, reopen, want string }{
		{"no status", "{within: 30d}", "create.reopen.status is missing"},
		{"status that is computed", "{status: '${event.kind}'}", "create.reopen.status is a constant"},
		{"no length of time", "{status: Open, within: soon}", "length of time"},
		{"no time at all", "{status: Open, within: 0s}", "length of time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := ParseRule([]byte("kind: Rule\nname: r\non: scanner\nwhen: \"true\"\ncreate: {at: jira, project: P, type: T, summary: S, reopen: " + c.reopen + "}\n"))
			if err == nil {
				_, err = Compile(r, Env{})
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
