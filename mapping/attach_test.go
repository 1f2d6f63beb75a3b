package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAttach(t *testing.T) {
	t.Parallel()
	event := map[string]any{
		"kind": "access.requested", "reason": "*as* it\r\nis", "severity": "", "raw": map[string]any{"b": 1.0, "a": "<x>"},
		"data": map[string]any{"Nested": map[string]any{"long": strings.Repeat("x", usual.result)}},
	}
	for _, tc := range []struct {
		name, attach string
		want         *File
	}{
		{"what came in", `{ name: "request-${event.kind}.json", content: "${event.raw}" }`, &File{Name: "request-access.requested.json", Content: `{"a":"<x>","b":1}`}},
		{"text is no Markdown", `{ name: a.txt, content: "${event.reason}" }`, &File{Name: "a.txt", Content: "*as* it\nis"}},
		{"no content, no file", `{ name: a.txt, content: "${event.severity}" }`, nil},
		{"no name", `{ name: "${event.severity}", content: x }`, &File{Fault: "create.attach.name is empty for this event"}},
		{"too large", `{ name: a.txt, content: "${event.data.Nested}" }`, &File{Name: "a.txt", Fault: "is larger than 64 KiB"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, err := compileText(testEnv(t), []byte("kind: Rule\nname: r\non: epm\nwhen: \"true\"\ncreate:\n  at: jira\n  project: A\n  type: B\n  summary: s\n  attach: "+tc.attach+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			result, err := p.Eval(t.Context(), event)
			if err != nil || result.Draft == nil || result.Draft.Summary != "s" {
				t.Fatalf("got %+v, %v, want the ticket whatever becomes of the file", result.Draft, err)
			}
			got := result.Draft.Attach
			if got != nil && got.Fault != "" && strings.Contains(got.Fault, tc.want.Fault) {
				got.Fault = tc.want.Fault
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestAttachIsChecked(t *testing.T) {
	t.Parallel()
	for attach, want := range map[string]string{
		`attach: { name: a }`:                           "update.attach.content is missing",
		`attach: { content: a }`:                        "update.attach.name is missing",
		`attach: { name: a, content: "${event.nope}" }`: "nope",
		`attach: { name: a, body: x }`:                  "body",
	} {
		_, err := compileText(testEnv(t), []byte("kind: Rule\nname: r\non: epm\nwhen: \"true\"\nupdate:\n  at: jira\n  "+attach+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", attach, err, want)
		}
	}
}
