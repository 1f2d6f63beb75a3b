package markdown

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Wiki returns d as Jira wiki markup of at most limit runes. Text is escaped: whatever an event holds, it is shown and
// not interpreted.
func (d Document) Wiki(limit int) string {
	return wiki(fit(d, limit, func(d Document) int { return utf8.RuneCountInString(wiki(d)) }))
}

func wiki(d Document) string {
	parts := make([]string, 0, len(d.blocks))
	for _, b := range d.blocks {
		parts = append(parts, wikiBlock(b, ""))
	}
	return strings.Join(parts, "\n\n")
}

// wikiBlock writes one block; prefix is that of the list it stands in.
func wikiBlock(b block, prefix string) string {
	switch b.kind {
	case heading:
		return "h" + string(rune('0'+b.level)) + ". " + strings.ReplaceAll(wikiSpans(b.spans), "\n", " ")
	case bullets, numbers:
		return wikiList(b, prefix)
	case code:
		return "{noformat}\n" + wikiVerbatim.ReplaceAllString(b.text, "{\u200b$1") + "\n{noformat}"
	case quote:
		parts := make([]string, 0, len(b.blocks))
		for _, inner := range b.blocks {
			if inner.kind == quote { // {quote} cannot be nested
				for _, deeper := range inner.blocks {
					parts = append(parts, wikiFlat(deeper))
				}
				continue
			}
			parts = append(parts, wikiBlock(inner, ""))
		}
		return "{quote}\n" + strings.Join(parts, "\n\n") + "\n{quote}"
	case rule:
		return "----"
	case table:
		return wikiTable(b)
	default:
		return wikiSpans(b.spans)
	}
}

func wikiFlat(b block) string {
	if b.kind != quote {
		return wikiBlock(b, "")
	}
	parts := make([]string, 0, len(b.blocks))
	for _, inner := range b.blocks {
		parts = append(parts, wikiFlat(inner))
	}
	return strings.Join(parts, "\n\n")
}

// wikiVerbatim finds what would end a {noformat} block from inside.
var wikiVerbatim = regexp.MustCompile(`(?i)\{(noformat|code)`)

func wikiList(b block, prefix string) string {
	mark := "*"
	if b.kind == numbers {
		mark = "#"
	}
	prefix += mark
	var out []string
	for _, it := range b.blocks {
		lead := prefix + " "
		for _, inner := range it.blocks {
			text := wikiBlock(inner, prefix)
			if inner.kind != bullets && inner.kind != numbers {
				text, lead = lead+text, ""
			}
			out = append(out, text)
		}
	}
	return strings.Join(out, "\n")
}

func wikiTable(t block) string {
	rows := make([]string, 0, len(t.blocks))
	for _, r := range t.blocks {
		bar := "|"
		if r.header {
			bar = "||"
		}
		line := bar
		for _, c := range r.blocks {
			text := strings.ReplaceAll(wikiSpans(c.spans), "\n", " ")
			if text == "" {
				text = " " // two bars in a row would make a header
			}
			line += text + bar
		}
		rows = append(rows, line)
	}
	return strings.Join(rows, "\n")
}

func wikiSpans(spans []span) string {
	var b strings.Builder
	for i, s := range spans {
		if s.br {
			b.WriteByte('\n')
			continue
		}
		var before, after rune
		if i > 0 {
			before, _ = utf8.DecodeLastRuneInString(spans[i-1].text)
		}
		if i+1 < len(spans) {
			after, _ = utf8.DecodeRuneInString(spans[i+1].text)
		}
		b.WriteString(wikiSpan(s, word(before) || word(after)))
	}
	return b.String()
}

// wikiSpan writes one run of text. tight is set where a word touches it: marks then need braces to count.
func wikiSpan(s span, tight bool) string {
	// Marks must touch the text they mark.
	core := strings.TrimSpace(s.text)
	if core == "" {
		return s.text
	}
	lead, trail, _ := strings.Cut(s.text, core)
	text := wikiEscape(core)
	if s.href != "" {
		text = "[" + text + "|" + wikiAddress.Replace(s.href) + "]"
	}
	mark := func(m string) {
		if tight && (lead == "" || trail == "") {
			m = "{" + m + "}"
		}
		text = m + text + m
	}
	switch {
	case s.code && s.href == "":
		text = "{{" + text + "}}"
	case s.strong && s.em:
		mark("_")
		mark("*")
	case s.em:
		mark("_")
	case s.strong:
		mark("*")
	}
	return lead + text + trail
}

// wikiAddress writes what would end a link or start a macro in its percent form.
var wikiAddress = strings.NewReplacer("[", "%5B", "]", "%5D", "|", "%7C", "{", "%7B", "}", "%7D", " ", "%20", "\\", "%5C", "^", "%5E", "!", "%21")

// wikiLine finds what has a meaning at the start of a line and no escape of its own: the dot gets one.
var wikiLine = regexp.MustCompile(`(?m)^(\s*(?:h[1-6]|bq))\.`)

// wikiEscape makes text be shown as it is. Marks inside a word have no meaning and are left alone, so that dates,
// keys and file names stay readable for those who edit the field.
func wikiEscape(text string) string {
	var b strings.Builder
	runes := []rune(text)
	at := func(i int) rune {
		if i < 0 || i >= len(runes) {
			return 0
		}
		return runes[i]
	}
	for i, r := range runes {
		inside := word(at(i-1)) && word(at(i+1))
		switch {
		case strings.ContainsRune("{}[]|!#", r), strings.ContainsRune("*_-+^~?@", r) && !inside:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\\' && !word(at(i+1)) && at(i+1) != ' ':
			b.WriteString("&#92;") // a backslash before a mark would escape it, two would break the line
		case r == '&' && (word(at(i+1)) || at(i+1) == '#'):
			b.WriteString("&amp;")
		case r == '(' && (at(i+2) == ')' || strings.ContainsRune("*of", at(i+1)) && at(i+1) != 0):
			b.WriteString("&#40;") // (x), (*r), (on), (off), (flag): icons
		case (r == ':' || r == ';') && strings.ContainsRune("()DPp", at(i+1)) && at(i+1) != 0 && !word(at(i+2)):
			b.WriteString("&#" + map[rune]string{':': "58", ';': "59"}[r] + ";") // smileys
		default:
			b.WriteRune(r)
		}
	}
	return wikiLine.ReplaceAllString(b.String(), "$1&#46;")
}

func word(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
