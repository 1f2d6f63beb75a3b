package markdown

import (
	"html"
	"strconv"
	"strings"
	"unicode/utf8"
)

// HTML returns d as an HTML fragment of at most limit runes. All text is escaped; there is nothing in it but plain
// block and inline elements and links.
func (d Document) HTML(limit int) string {
	return hypertext(fit(d, limit, func(d Document) int { return utf8.RuneCountInString(hypertext(d)) }))
}

func hypertext(d Document) string { return htmlBlocks(d.blocks) }

func htmlBlocks(blocks []block) string {
	var b strings.Builder
	for _, inner := range blocks {
		b.WriteString(htmlBlock(inner))
	}
	return b.String()
}

func htmlBlock(b block) string {
	switch b.kind {
	case heading:
		return element("h"+strconv.Itoa(b.level), htmlSpans(b.spans))
	case bullets:
		return element("ul", htmlBlocks(b.blocks))
	case numbers:
		if b.level != 1 {
			return `<ol start="` + strconv.Itoa(b.level) + `">` + htmlBlocks(b.blocks) + "</ol>"
		}
		return element("ol", htmlBlocks(b.blocks))
	case item:
		if len(b.blocks) > 0 && b.blocks[0].kind == paragraph {
			return element("li", htmlSpans(b.blocks[0].spans)+htmlBlocks(b.blocks[1:]))
		}
		return element("li", htmlBlocks(b.blocks))
	case code:
		return element("pre", element("code", html.EscapeString(b.text)))
	case quote:
		return element("blockquote", htmlBlocks(b.blocks))
	case rule:
		return "<hr>"
	case table:
		return element("table", htmlBlocks(b.blocks))
	case row:
		return element("tr", htmlBlocks(b.blocks))
	case cell:
		if b.header {
			return element("th", htmlSpans(b.spans))
		}
		return element("td", htmlSpans(b.spans))
	default:
		return element("p", htmlSpans(b.spans))
	}
}

func htmlSpans(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		if s.br {
			b.WriteString("<br>")
			continue
		}
		text := html.EscapeString(s.text)
		if s.code {
			text = element("code", text)
		}
		if s.em {
			text = element("em", text)
		}
		if s.strong {
			text = element("strong", text)
		}
		if s.href != "" {
			text = `<a href="` + html.EscapeString(s.href) + `">` + text + "</a>"
		}
		b.WriteString(text)
	}
	return b.String()
}

func element(name, content string) string {
	return "<" + name + ">" + content + "</" + name + ">"
}
