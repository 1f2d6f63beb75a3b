package markdown

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestOneTemplateInAllFormats(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("testdata/ticket.md")
	if err != nil {
		t.Fatal(err)
	}
	d := Parse(string(source))
	tree, err := json.MarshalIndent(d.ADF(0), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{
		"ticket.adf.json": string(tree),
		"ticket.wiki":     d.Wiki(0),
		"ticket.txt":      d.Text(0),
		"ticket.html":     d.HTML(0),
		"ticket.mrkdwn":   d.Mrkdwn(0),
	} {
		golden(t, "testdata/"+name, got+"\n")
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}

func TestTextShows(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, markdown, want string }{
		{"a line break stays", "a\nb", "a\nb"},
		{"html is text", "<script>x</script>", "<script>x</script>"},
		{"entities are text", "&lt;b&gt;", "&lt;b&gt;"},
		{"no code by indentation", "a\n\n    b", "a\n\nb"},
		{"no heading by underlining", "a\n---", "a\n\n----"},
		{"no reference definitions", "[a]: https://example.org", "[a]: https://example.org"},
		{"refused link becomes its text", "[x](file:///etc/passwd)", "x"},
		{"link without a text", "[](https://example.org)", "https://example.org"},
		{"mail link", "<ana@example.org>", "ana@example.org"},
		{"a list may start anywhere", "7. a\n8. b", "7. a\n8. b"},
		{"nothing", " \n\n ", ""},
		{"direction tricks are dropped", "invoice\u202Efdp.exe", "invoicefdp.exe"},
		{"controls are dropped", "a\x00\x1b[31mb\x7f", "a[31mb"},
		{"bytes that are no text", "a\xffb", "a\uFFFDb"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := Parse(tc.markdown).Text(0); got != tc.want {
				t.Errorf("Text(%q) = %q, want %q", tc.markdown, got, tc.want)
			}
		})
	}
}

func TestWikiShowsEventTextAsItIs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"macro", "{html}x{html}", `\{html\}x\{html\}`},
		{"mention and link", "[~admin] [x|http://e]", `\[\~admin\] \[x\|http://e\]`},
		{"marks", "*a* _b_ -c- +d+ ^e^ ~f~ ??g??", `\*a\* \_b\_ \-c\- \+d\+ \^e\^ \~f\~ \?\?g\?\?`},
		{"marks inside words", "snake_case 2026-11-20 a*b", "snake_case 2026-11-20 a*b"},
		{"image", "!https://e/x.png!", `\!https://e/x.png\!`},
		{"heading and quote", "h1. x", "h1&#46; x"},
		{"list", "- a\n# b\n* c", "\\- a\n\\# b\n\\* c"},
		{"table", "||a||", `\|\|a\|\|`},
		{"rule", "----", `\-\-\-\-`},
		{"login", `CORP\ana`, `CORP\ana`},
		{"share", `\\srv\x`, `&#92;\srv\x`},
		{"escape", `\*a\*`, `&#92;\*a&#92;\*`},
		{"entity", "&#42;a&copy;", `&amp;\#42;a&amp;copy;`},
		{"icons", "(x) :) C:DE", "&#40;x) &#58;) C:DE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := Plain(tc.text).Wiki(0); got != tc.want {
				t.Errorf("Wiki(%q) = %q, want %q", tc.text, got, tc.want)
			}
		})
	}
}

func TestCutKeepsMarkupWhole(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("testdata/ticket.md")
	if err != nil {
		t.Fatal(err)
	}
	d := Parse(string(source))
	for limit := 100; limit < 900; limit += 7 {
		for name, got := range map[string]string{"text": d.Text(limit), "wiki": d.Wiki(limit), "html": d.HTML(limit)} {
			if n := utf8.RuneCountInString(got); n > limit {
				t.Errorf("%s has %d runes, limit %d", name, n, limit)
			}
			if whole := map[string]string{"text": d.Text(0), "wiki": d.Wiki(0), "html": d.HTML(0)}[name]; got != whole && !strings.Contains(got, ellipsis) {
				t.Errorf("%s cut at %d does not say so: %q", name, limit, got)
			}
		}
		if got := d.Wiki(limit); strings.Count(strings.ReplaceAll(got, "{\u200b", ""), "{noformat}")%2 != 0 || strings.Count(got, "{quote}")%2 != 0 {
			t.Errorf("wiki cut at %d leaves a block open: %q", limit, got)
		}
		tree := d.ADF(limit)
		if faults := adfFaults(tree); len(faults) > 0 {
			t.Errorf("ADF cut at %d: %v", limit, faults)
		}
		if text, _ := json.Marshal(tree); utf8.RuneCount(text) > limit {
			t.Errorf("ADF has %d runes, limit %d", utf8.RuneCount(text), limit)
		}
	}
}

func TestAMegabyteIsCut(t *testing.T) {
	t.Parallel()
	d := Parse(strings.Repeat("Grüße *an* alle\n", 70_000))
	text, err := json.Marshal(d.ADF(32767))
	if err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCount(text); n > 32767 || n < 32000 {
		t.Errorf("ADF has %d runes, want close to 32767", n)
	}
	if got := d.Text(32767); utf8.RuneCountInString(got) > 32767 || !strings.HasSuffix(got, ellipsis) {
		t.Errorf("text has %d runes and ends %q", utf8.RuneCountInString(got), got[len(got)-10:])
	}
}

func TestDeepNestingIsFlattened(t *testing.T) {
	t.Parallel()
	for _, source := range []string{strings.Repeat(">", 500) + " a", strings.Repeat("- ", 500) + "a", strings.Repeat("*a **b ", 500)} {
		d := Parse(source)
		if faults := adfFaults(d.ADF(32767)); len(faults) > 0 {
			t.Errorf("ADF of %.20q: %v", source, faults)
		}
		if !strings.Contains(d.Text(0), "a") {
			t.Errorf("text of %.20q is lost", source)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		limit      int
		want       string
	}{
		{"on one line", " a\r\n\tb\u2028c ", 10, "a b c"},
		{"cut on a rune", "äöüß", 3, "äö…"},
		{"fits", "äöü", 3, "äöü"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := Line(tc.text, tc.limit); got != tc.want {
				t.Errorf("Line = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLinesKeepsLinesAndCutsOnARune(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text  string
		limit int
		want  string
	}{
		{" a \r\n b\u202e ", 10, "a \n b"},
		{"ä\nöüß", 4, "ä\nö…"},
		{"äöü", 3, "äöü"},
		{" \n ", 3, ""},
	} {
		if got := Lines(tc.text, tc.limit); got != tc.want {
			t.Errorf("Lines(%q, %d) = %q, want %q", tc.text, tc.limit, got, tc.want)
		}
	}
}

func TestFileName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"../a.txt": "a.txt", `C:\x\a"b.txt`: "a_b.txt", "": "file", "..": "file", "/": "file", "a\r\nX: y": "a X_ y", "äöüßäöüß.txt": "äöüßäöü…",
	} {
		if got := FileName(name, 8, `":/`); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

// adfFaults checks a document against the part of Atlassian's schema we use:
// https://unpkg.com/@atlaskit/adf-schema/dist/json-schema/v1/full.json
func adfFaults(doc Node) []string {
	var faults []string
	var walk func(n Node, parent string)
	inline := []string{"text", "hardBreak"}
	holds := map[string][]string{
		"doc":       {"paragraph", "heading", "bulletList", "orderedList", "codeBlock", "blockquote", "rule", "table"},
		"paragraph": inline, "heading": inline, "codeBlock": {"text"},
		"bulletList": {"listItem"}, "orderedList": {"listItem"},
		"listItem":   {"paragraph", "bulletList", "orderedList", "codeBlock"},
		"blockquote": {"paragraph"}, "table": {"tableRow"}, "tableRow": {"tableCell", "tableHeader"},
		"tableCell": {"paragraph"}, "tableHeader": {"paragraph"},
	}
	walk = func(n Node, parent string) {
		if n.Type == "text" && n.Text == "" {
			faults = append(faults, "empty text in "+parent)
		}
		if n.Type == "listItem" && (len(n.Content) == 0 || n.Content[0].Type != "paragraph" && n.Content[0].Type != "codeBlock") {
			faults = append(faults, "list item starts with no paragraph")
		}
		if len(n.Content) == 0 && n.Type != "paragraph" && n.Type != "rule" && n.Type != "text" && n.Type != "hardBreak" && n.Type != "heading" {
			faults = append(faults, n.Type+" is empty")
		}
		if parent == "codeBlock" && len(n.Marks) > 0 {
			faults = append(faults, "marks in a code block")
		}
		for _, m := range n.Marks {
			if m.Type == "code" && len(n.Marks) > 1 && n.Marks[0].Type != "link" {
				faults = append(faults, "code with other marks")
			}
		}
		for _, c := range n.Content {
			allowed := false
			for _, name := range holds[n.Type] {
				allowed = allowed || name == c.Type
			}
			if !allowed {
				faults = append(faults, c.Type+" in "+n.Type)
			}
			walk(c, n.Type)
		}
	}
	walk(doc, "")
	return faults
}
