package jirastandin

import (
	"html"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// html renders a text for the ticket page. Every text and address in it is escaped, and links lead to the web or to
// a mail only.
func (t richText) html() template.HTML {
	root, err := parseDocument(t.tree)
	if err != nil {
		return template.HTML("<p>" + html.EscapeString(t.text) + "</p>")
	}
	var out strings.Builder
	for _, n := range root.Content {
		n.writeHTML(&out)
	}
	return template.HTML(out.String())
}

// elements are the HTML elements of nodes that only wrap what they hold.
var elements = map[string]string{
	"paragraph": "p", "blockquote": "blockquote", "bulletList": "ul", "orderedList": "ol", "listItem": "li",
	"table": "table", "tableRow": "tr", "tableCell": "td", "tableHeader": "th", "panel": "aside", "expand": "section",
}

func (n node) writeHTML(out *strings.Builder) {
	switch n.Type {
	case "text":
		n.writeText(out)
		return
	case "hardBreak":
		out.WriteString("<br>")
		return
	case "rule":
		out.WriteString("<hr>")
		return
	case "codeBlock":
		out.WriteString("<pre><code>" + html.EscapeString(n.plain()) + "</code></pre>")
		return
	}
	element := elements[n.Type]
	if n.Type == "heading" {
		level, _ := n.Attrs["level"].(float64)
		element = "h" + strconv.Itoa(min(6, int(level)+2)) // the page has headings of its own above
	}
	if element == "" {
		out.WriteString(html.EscapeString(n.plain()))
		return
	}
	out.WriteString("<" + element + ">")
	for _, child := range n.Content {
		child.writeHTML(out)
	}
	out.WriteString("</" + element + ">")
}

func (n node) writeText(out *strings.Builder) {
	text := html.EscapeString(n.Text)
	for _, m := range n.Marks {
		switch m.Type {
		case "strong", "em", "code":
			text = "<" + m.Type + ">" + text + "</" + m.Type + ">"
		case "strike":
			text = "<s>" + text + "</s>"
		case "underline":
			text = "<u>" + text + "</u>"
		case "link":
			href, _ := m.Attrs["href"].(string)
			if u, err := url.Parse(href); err == nil && slices.Contains([]string{"http", "https", "mailto"}, u.Scheme) {
				text = `<a rel="noopener noreferrer" href="` + html.EscapeString(u.String()) + `">` + text + "</a>"
			}
		}
	}
	out.WriteString(text)
}
