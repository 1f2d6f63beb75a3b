package markdown

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Node is a node of the Atlassian Document Format:
// https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
type Node struct {
	Type    string         `json:"type"`
	Version int            `json:"version,omitempty"`
	Attrs   map[string]any `json:"attrs,omitempty"`
	Content []Node         `json:"content,omitempty"`
	Text    string         `json:"text,omitempty"`
	Marks   []Node         `json:"marks,omitempty"`
}

// ADF returns d as an Atlassian document. Its JSON has at most limit runes: Atlassian does not say whether markup
// counts against its limits, so here it does. No limit below 100 can be kept.
func (d Document) ADF(limit int) Node {
	return adf(fit(d, limit, func(d Document) int {
		text, _ := json.Marshal(adf(d)) // strings, numbers and maps of them always encode
		return utf8.RuneCount(text)
	}))
}

func adf(d Document) Node {
	doc := Node{Type: "doc", Version: 1}
	for _, b := range d.blocks {
		doc.Content = append(doc.Content, adfBlock(b)...)
	}
	if len(doc.Content) == 0 {
		doc.Content = []Node{{Type: "paragraph"}}
	}
	return doc
}

func adfBlock(b block) []Node {
	switch b.kind {
	case heading:
		return []Node{{Type: "heading", Attrs: map[string]any{"level": b.level}, Content: adfSpans(b.spans)}}
	case bullets:
		return []Node{{Type: "bulletList", Content: adfItems(b)}}
	case numbers:
		return []Node{{Type: "orderedList", Attrs: map[string]any{"order": b.level}, Content: adfItems(b)}}
	case code:
		return []Node{{Type: "codeBlock", Content: []Node{{Type: "text", Text: b.text}}}}
	case quote:
		return []Node{{Type: "blockquote", Content: adfParagraphs(b.blocks)}}
	case rule:
		return []Node{{Type: "rule"}}
	case table:
		return []Node{{Type: "table", Content: adfRows(b)}}
	default:
		return []Node{adfParagraph(b)}
	}
}

func adfParagraph(b block) Node {
	return Node{Type: "paragraph", Content: adfSpans(b.spans)}
}

// adfItems keeps to what a list item may hold: it starts with a paragraph or code, and no heading, quote, rule or
// table is in it.
func adfItems(list block) []Node {
	var out []Node
	for _, it := range list.blocks {
		var content []Node
		for _, b := range it.blocks {
			switch b.kind {
			case bullets, numbers:
				if len(content) == 0 {
					content = append(content, Node{Type: "paragraph"})
				}
				content = append(content, adfBlock(b)...)
			case code:
				content = append(content, adfBlock(b)...)
			default:
				content = append(content, adfParagraphs([]block{b})...)
			}
		}
		if len(content) == 0 {
			content = []Node{{Type: "paragraph"}}
		}
		out = append(out, Node{Type: "listItem", Content: content})
	}
	return out
}

// adfParagraphs writes blocks as paragraphs, for places that take nothing else.
func adfParagraphs(blocks []block) []Node {
	var out []Node
	for _, b := range blocks {
		switch b.kind {
		case paragraph:
			out = append(out, adfParagraph(b))
		case heading:
			b.spans = slices.Clone(b.spans)
			for i := range b.spans {
				b.spans[i].strong = true
			}
			out = append(out, adfParagraph(b))
		case quote:
			out = append(out, adfParagraphs(b.blocks)...)
		default:
			for line := range strings.SplitSeq(textBlock(b), "\n") {
				if line != "" {
					out = append(out, Node{Type: "paragraph", Content: []Node{{Type: "text", Text: line}}})
				}
			}
		}
	}
	if len(out) == 0 {
		out = []Node{{Type: "paragraph"}}
	}
	return out
}

func adfRows(t block) []Node {
	var out []Node
	for _, r := range t.blocks {
		line := Node{Type: "tableRow"}
		for _, c := range r.blocks {
			name := "tableCell"
			if c.header {
				name = "tableHeader"
			}
			line.Content = append(line.Content, Node{Type: name, Content: []Node{adfParagraph(c)}})
		}
		out = append(out, line)
	}
	return out
}

func adfSpans(spans []span) []Node {
	var out []Node
	for _, s := range spans {
		switch {
		case s.br:
			out = append(out, Node{Type: "hardBreak"})
		case s.text != "":
			out = append(out, Node{Type: "text", Text: s.text, Marks: adfMarks(s)})
		}
	}
	return out
}

// adfMarks leaves strong and em off code: code goes with a link only.
func adfMarks(s span) []Node {
	var out []Node
	if s.href != "" {
		out = append(out, Node{Type: "link", Attrs: map[string]any{"href": s.href}})
	}
	if s.code {
		return append(out, Node{Type: "code"})
	}
	if s.strong {
		out = append(out, Node{Type: "strong"})
	}
	if s.em {
		out = append(out, Node{Type: "em"})
	}
	return out
}
