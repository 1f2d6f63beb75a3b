package markdown

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text returns d as plain text of at most limit runes, readable without any rendering.
func (d Document) Text(limit int) string {
	return plainText(fit(d, limit, func(d Document) int { return utf8.RuneCountInString(plainText(d)) }))
}

func plainText(d Document) string { return joinText(d.blocks) }

func joinText(blocks []block) string {
	parts := make([]string, 0, len(blocks))
	for _, b := range blocks {
		parts = append(parts, textBlock(b))
	}
	return strings.Join(parts, "\n\n")
}

func textBlock(b block) string {
	switch b.kind {
	case bullets, numbers:
		return textList(b)
	case code:
		return b.text
	case quote:
		return indent(joinText(b.blocks), "> ", "> ")
	case rule:
		return "----"
	case table:
		rows := make([]string, 0, len(b.blocks))
		for _, r := range b.blocks {
			cells := make([]string, 0, len(r.blocks))
			for _, c := range r.blocks {
				cells = append(cells, textSpans(c.spans))
			}
			rows = append(rows, strings.Join(cells, " | "))
		}
		return strings.Join(rows, "\n")
	default:
		return textSpans(b.spans)
	}
}

func textList(b block) string {
	items := make([]string, 0, len(b.blocks))
	for i, it := range b.blocks {
		mark := "- "
		if b.kind == numbers {
			mark = strconv.Itoa(b.level+i) + ". "
		}
		parts := make([]string, 0, len(it.blocks))
		for _, inner := range it.blocks {
			parts = append(parts, textBlock(inner))
		}
		items = append(items, indent(strings.Join(parts, "\n"), mark, strings.Repeat(" ", len(mark))))
	}
	return strings.Join(items, "\n")
}

func indent(text, first, rest string) string {
	return first + strings.ReplaceAll(text, "\n", "\n"+rest)
}

func textSpans(spans []span) string {
	var b strings.Builder
	for i, s := range spans {
		if s.br {
			b.WriteByte('\n')
			continue
		}
		b.WriteString(s.text)
		last := i+1 == len(spans) || spans[i+1].href != s.href
		if s.href != "" && last && s.href != s.text && s.href != "mailto:"+s.text {
			b.WriteString(" (" + s.href + ")")
		}
	}
	return b.String()
}
