package jira

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// hostile are texts an event may hold, each with what it would be read as.
var hostile = []string{
	"[~accountid:acc-kim] [~kim]",                     // a mention
	"{html}<script>alert(1)</script>{html}",           // a macro
	"{noformat} {code} {panel:title=x} {quote}",       // the ends of ours
	"!https://evil.example/pixel.png!",                // an image that is fetched
	"[approve here|https://evil.example/]",            // a link
	"|| head || |cell|",                               // a table
	"h1. Approved\n---- *bold* _it_ +ins+ -del- ^up^", // headings and styles
	"bq. said nobody\n* a list\n# another",            // blocks
	"@Kim #ITSEC-1 https://evil.example/",             // what editors complete
	"\" OR project = OTHER ORDER BY created --",       // a query
	"\\\\ \\u0022 \x00 \x1b[31m \u202e gnp.exe",       // escapes, controls and turned text
	"</p>]]>&amp;<!--",                                // markup of others
}

func TestNothingInATextBecomesMarkup(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		for n, text := range hostile {
			w.tape.take()
			fields := map[string]any{"customfield_10042": text, "customfield_10060": text}
			ref, err := w.Create(t.Context(), fmt.Sprintf("k%d", n), connectors.Ticket{
				Project: "ITSEC", Type: "Access Request", Summary: text, Description: markdown.Escape(text), Labels: []string{text}, Fields: fields,
			})
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if err := w.Comment(t.Context(), ref, connectors.Note{Key: "n", Body: markdown.Escape(text)}); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			i := w.issue(t, ref)
			if !slices.Contains(i.Labels, mark) || !slices.Contains(i.Labels, fmt.Sprintf("drawbridge-k%d", n)) {
				t.Errorf("%q: labels %q", text, i.Labels)
			}
			for _, one := range w.tape.take() {
				if w.conf.Deployment == cloud {
					plainNodes(t, text, one.Body)
				} else if !strings.Contains(one.Call, "createmeta") {
					wikiEscaped(t, text, one.Body)
				}
			}
			if s, err := w.Fetch(t.Context(), ref); err != nil || s.Key != fmt.Sprintf("k%d", n) {
				t.Errorf("%q: key %q, %v", text, s.Key, err)
			}
		}
	})
}

// plainNodes wants every document in a body to have text and nothing else in it.
func plainNodes(t *testing.T, text string, body any) {
	t.Helper()
	switch v := body.(type) {
	case map[string]any:
		if kind, ok := v["type"].(string); ok && !slices.Contains([]string{"doc", "paragraph", "text", "hardBreak"}, kind) {
			t.Errorf("%q became a node of type %s", text, kind)
		}
		if v["type"] == "text" && v["marks"] != nil {
			t.Errorf("%q is marked %v", text, v["marks"])
		}
		for _, inner := range v {
			plainNodes(t, text, inner)
		}
	case []any:
		for _, inner := range v {
			plainNodes(t, text, inner)
		}
	}
}

// wikiEscaped wants the characters that begin markup to stand behind a backslash in the texts Jira reads as wiki markup.
func wikiEscaped(t *testing.T, text string, body any) {
	t.Helper()
	whole, _ := body.(map[string]any)
	fields, _ := whole["fields"].(map[string]any)
	for _, value := range []any{whole["body"], fields["description"], fields["customfield_10060"]} {
		wiki, _ := value.(string)
		for at, r := range wiki {
			if strings.ContainsRune("{[|", r) && !strings.HasSuffix(strings.ReplaceAll(wiki[:at], `\\`, ""), `\`) {
				t.Errorf("%q: %q begins markup at %d", text, wiki, at)
			}
		}
	}
}

func TestNoKeyOrProjectBecomesAQuery(t *testing.T) {
	t.Parallel()
	for _, text := range hostile {
		c := open(t, &tape{next: answers{}}, newClock(), nil)
		if _, err := c.Find(t.Context(), text); err == nil || connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("find %q = %v, want a refusal", text, err)
		}
		if _, err := c.Create(t.Context(), text, request()); err == nil || connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("create %q = %v, want a refusal", text, err)
		}
		if err := (Config{BaseURL: "https://x.example", Projects: []string{text}}).withDefaults().faults(); err == nil || !strings.Contains(err.Error(), "is not a project key") {
			t.Errorf("project %q: %v", text, err)
		}
		var back string
		if literal := quote(text); json.Unmarshal([]byte(literal), &back) != nil || strings.Count(strings.ReplaceAll(literal, `\\`, ""), `"`) != 2+strings.Count(literal, `\"`) {
			t.Errorf("quote(%q) = %s", text, literal)
		}
	}
}

func TestTextOfAnyLengthIsCutAtJirasLimits(t *testing.T) {
	t.Parallel()
	units := func(text string) int { return len(utf16.Encode([]rune(text))) }
	for _, letter := range []string{"a", "é", "漢", "😀", "{", "**x** "} {
		for _, kind := range []string{cloud, dataCenter} {
			t.Run(kind+" "+letter, func(t *testing.T) {
				t.Parallel()
				long := strings.Repeat(letter, 34_000/utf8.RuneCountInString(letter))
				w := newWorld(t, worldOptions{jira: jirastandin.Options{DataCenter: kind == dataCenter}})
				ref, err := w.Create(t.Context(), "k1", connectors.Ticket{
					Project: "ITSEC", Type: "Access Request", Summary: long, Description: long, Labels: []string{long},
					Fields: map[string]any{"customfield_10042": long, "customfield_10060": long},
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Comment(t.Context(), ref, connectors.Note{Key: "n", Body: long}); err != nil {
					t.Fatal(err)
				}
				if err := w.Update(t.Context(), ref, connectors.Ticket{Summary: long, Description: long}); err != nil {
					t.Fatal(err)
				}
				if err := w.Attach(t.Context(), ref, connectors.File{Name: long + ".txt", Content: []byte("x")}); err != nil {
					t.Fatal(err)
				}
				i := w.issue(t, ref)
				for name, text := range map[string]struct {
					value string
					most  int
				}{
					"summary": {i.Summary, 255}, "description": {i.Description, 32767}, "line": {i.Fields["customfield_10042"], 255},
					"lines": {i.Fields["customfield_10060"], 32767}, "comment": {i.Comments[0].Text, 32767}, "file": {i.Files[0].Name, 255},
				} {
					if n := units(text.value); n > text.most || n < text.most/50 || !utf8.ValidString(text.value) {
						t.Errorf("%s has %d characters, want at most %d and not next to nothing", name, n, text.most)
					}
				}
				if len(i.Labels) != 3 {
					t.Errorf("%d labels", len(i.Labels))
				}
			})
		}
	}
}
