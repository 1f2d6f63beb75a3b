package markdown

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var tags = regexp.MustCompile(`</?(?:p|h[1-6]|ul|ol|li|pre|code|blockquote|table|tr|th|td|strong|em|a)>|<(?:hr|br)>|<a href="(?:https?://|mailto:)[^"<>]*">|<ol start="\d+">`)

// references are what Slack makes links, mentions and commands of.
var references = regexp.MustCompile(`<[^>]*>?`)

func FuzzRender(f *testing.F) {
	source, err := os.ReadFile("testdata/ticket.md")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(source), 500)
	for _, s := range []string{"", "a **b", "> - 1. a\n>\n> ```\nx", "|a|\n|-|\n|`x\\|y`|", "[a](http://%zz)", "![](mailto:a@b)", "\\", "***a***b"} {
		f.Add(s, 120)
	}
	f.Fuzz(func(t *testing.T, markdown string, limit int) {
		limit = 100 + abs(limit)%40000
		d := Parse(markdown)
		if faults := adfFaults(d.ADF(limit)); len(faults) > 0 {
			t.Errorf("ADF: %v", faults)
		}
		text, err := json.Marshal(d.ADF(limit))
		if err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string]string{"ADF": string(text), "wiki": d.Wiki(limit), "text": d.Text(limit), "html": d.HTML(limit), "mrkdwn": d.Mrkdwn(limit)} {
			if n := utf8.RuneCountInString(got); n > limit || !utf8.ValidString(got) {
				t.Errorf("%s: %d runes, limit %d, valid %v", name, n, limit, utf8.ValidString(got))
			}
		}
		if rest := tags.ReplaceAllString(d.HTML(0), ""); strings.ContainsAny(rest, "<>\"") {
			t.Errorf("HTML holds more than our tags: %q", rest)
		}
		for _, found := range references.FindAllString(d.Mrkdwn(0), -1) {
			if !strings.HasPrefix(found, "<http") && !strings.HasPrefix(found, "<mailto:") {
				t.Errorf("mrkdwn refers to something: %q", found)
			}
		}
	})
}

func FuzzEscapedIsText(f *testing.F) {
	for _, s := range []string{"*a*", "- x", "1. y", "# h", "> q", "```\nx\n```", "[a](https://b)", "a\\b", "|a|\n|-|", "<https://x>", "+ x", "a\n  b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxSource/4 {
			return
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		got, want := squeeze(Parse(Escape(text)).Text(0)), squeeze(Clean(text))
		if got != want {
			t.Errorf("Escape(%q) reads as %q", text, got)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}
