// Package markdown turns the Markdown that rules and the gateway write into what desks take: Atlassian documents,
// Jira wiki markup, HTML, Slack's mrkdwn and plain text.
//
// Parse reads a small, dependable subset: headings, paragraphs, strong, emphasis, code, code blocks, lists, quotes,
// links, tables, rules and backslash escapes. HTML is text. A line break in a paragraph stays a line break, as
// people who fill in a template expect. Links lead to http, https and mailto only; others become their text.
//
// The renderers take a limit in runes of what they return, cut the text to fit and end it with an ellipsis; markup is
// never cut open. A document is plain data and may be rendered from several goroutines at once.
package markdown

import (
	"path"
	"strings"
	"unicode/utf8"
)

// Document is a parsed text.
type Document struct {
	blocks []block
}

type kind uint8

const (
	paragraph kind = iota
	heading
	bullets
	numbers
	item
	code
	quote
	rule
	table
	row
	cell
)

// block is one block with what it holds: spans (paragraph, heading, cell), blocks (lists, item, quote, table, row) or
// text (code).
type block struct {
	kind   kind
	level  int // of a heading; first number of a numbered list
	header bool
	spans  []span
	blocks []block
	text   string
}

// span is a run of text with one set of marks, or a line break.
type span struct {
	text   string
	strong bool
	em     bool
	code   bool
	href   string
	br     bool
}

const (
	ellipsis = "…"
	// maxSource keeps parsing cheap whatever an event holds; every desk's limit is far below it.
	maxSource = 256 << 10
	// maxDepth is how deep lists and quotes nest before they are flattened.
	maxDepth = 6
)

// Plain returns text as a document without reading any markup in it. Blank lines part paragraphs.
func Plain(text string) Document {
	var d Document
	for part := range strings.SplitSeq(Clean(head(text)), "\n\n") {
		if part = strings.Trim(part, "\n"); strings.TrimSpace(part) != "" {
			d.blocks = append(d.blocks, block{kind: paragraph, spans: lines(span{text: part})})
		}
	}
	return d
}

// Escape returns text, cleaned, so that Parse reads it as nothing but text.
func Escape(text string) string {
	var b strings.Builder
	for _, r := range Clean(text) {
		if r < utf8.RuneSelf && strings.ContainsRune("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Clean returns text without what no desk should show: control characters other than line breaks and tabs, and the
// characters that turn the direction of writing around, with which a text can be made to look like another.
func Clean(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return '\n'
		case r < ' ', r >= 0x7f && r <= 0x9f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfffe, r == 0xffff:
			return -1
		default:
			return r
		}
	}, text)
}

// Line returns text on one line, cleaned, with at most limit runes; a text that was cut ends with an ellipsis.
func Line(text string, limit int) string {
	text = strings.Join(strings.Fields(Clean(text)), " ")
	return cutText(text, limit)
}

// Lines returns text as a field of plain text keeps it: without blanks around it, cut to limit runes.
func Lines(text string, limit int) string {
	return cutText(strings.TrimSpace(Clean(text)), limit)
}

// FileName is a name of at most limit runes on one line, without a path, in which the signs in unfit are underscores; "file"
// where nothing is left.
func FileName(name string, limit int, unfit string) string {
	name = Line(path.Base(strings.ReplaceAll(name, `\`, "/")), limit)
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(unfit, r) {
			return '_'
		}
		return r
	}, name)
	if strings.Trim(name, "._ ") == "" {
		return "file"
	}
	return name
}

func cutText(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return firstRunes(text, limit-1) + ellipsis
}

func firstRunes(text string, n int) string {
	for i := range text {
		if n <= 0 {
			return text[:i]
		}
		n--
	}
	return text
}

// head bounds what is parsed at all.
func head(text string) string {
	if len(text) <= maxSource {
		return text
	}
	return strings.ToValidUTF8(text[:maxSource], "") + ellipsis
}

// lines parts a span at its line breaks.
func lines(s span) []span {
	var out []span
	for i, line := range strings.Split(s.text, "\n") {
		if i > 0 {
			out = append(out, span{br: true})
		}
		if line != "" {
			part := s
			part.text = line
			out = append(out, part)
		}
	}
	return out
}
