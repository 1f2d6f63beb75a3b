package mapping

import (
	"strings"
	"testing"
)

func TestTemplatesEndWhereTheirExpressionEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"plain", "plain"},
		{"${1}", "1"},
		{"a ${1} b ${2} c", "a 1 b 2 c"},
		{"${1}${2}", "12"},
		{"$${1} $ $1 {} }", "${1} $ $1 {} }"},
		{"$$${1}", "$${1}"},
		{`${"}"}`, "}"},
		{`${'}'}`, "}"},
		{"${`}`}", "}"},
		{`${"\"}"}`, `"}`},
		{`${{"a": {"b": 1}}.a.b}`, "1"},
		{`${len(filter([1, 2], {# > 1}))}`, "1"},
		{"${1 // }\n}", "1"},
		{"${1 /* } */}", "1"},
		{`ü${"ü}"}ü`, "üü}ü"},
		{`${"$${"}`, "$${"},
	} {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			var faults Errors
			tmpl := newScope(&Rule{}, Env{}.eventTypes(nil), nil, &faults).template(c.text, "x", asText)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			var pool runners
			got, err := tmpl.text(pool.take(t.Context(), "event", nil), asText)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestTemplatesWithoutAnEndAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"${", "a ${1", `${"}`, "${1 /* }", "${}", "${ }", "${" + strings.Repeat(" ", 5000) + "1}", "${1 2}", "${?}"} {
		var faults Errors
		if newScope(&Rule{}, Env{}.eventTypes(nil), nil, &faults).template(text, "x", asText) != nil || len(faults) == 0 {
			t.Errorf("%.20q is taken", text)
		}
	}
}

func TestTextsInMarkdownStayText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"plain text, as it is: 10:30 - ok.", "plain text, as it is: 10:30 - ok."},
		{"# head", `\# head`},
		{"1. one", `1\. one`},
		{"10.5.2.1", "10.5.2.1"},
		{"2.", `2\.`},
		{"- a\n\n+ b", "\\- a  \n\\+ b"},
		{"   indented", "indented"},
		{"===", `\===`},
		{"**b** _i_ `c` ~~s~~", "\\*\\*b\\*\\* \\_i\\_ \\`c\\` \\~\\~s\\~\\~"},
		{"[a](b) ![c](d)", `\[a\]\(b\) \!\[c\]\(d\)`},
		{"<b>&amp;", `\<b\>\&amp;`},
		{"https://evil.example WWW.evil.example a@b.example", `https\://evil.example WWW\.evil.example a\@b.example`},
		{`C:\x`, `C:\\x`},
		{"a | b", `a \| b`},
		{"\u202eabc\u2066\x00\x1b", "abc"},
		{"a\u2028b", "a  \nb"},
		{"", ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			if got := EscapeMarkdown(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
