package markdown

import (
	"net/url"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// newParser leaves out what a template would trip over: HTML, code by indentation, headings by underlining, and
// reference links.
func newParser() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(indented{parser.NewParagraphParser()}, 1000),
		),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewEmphasisParser(), 500),
		),
		parser.WithParagraphTransformers(util.Prioritized(extension.NewTableParagraphTransformer(), 200)),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)),
	)
}

// indented is a paragraph parser that also takes lines indented like code, which would be dropped otherwise.
type indented struct{ parser.BlockParser }

func (indented) CanAcceptIndentedLine() bool { return true }

// Parse reads Markdown. Every text is valid Markdown; what is no markup is text.
func Parse(markdown string) Document {
	source := []byte(Clean(head(markdown)))
	r := reader{source: source}
	root := newParser().Parse(text.NewReader(source))
	return Document{blocks: r.blocks(root, 0)}
}

// reader turns the parser's tree into ours.
type reader struct {
	source []byte
}

func (r reader) blocks(parent ast.Node, depth int) []block {
	var out []block
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		out = append(out, r.block(n, depth)...)
	}
	return out
}

func (r reader) block(n ast.Node, depth int) []block {
	switch n := n.(type) {
	case *ast.Paragraph, *ast.TextBlock:
		if spans := r.spans(n, span{}); !blank(spans) {
			return []block{{kind: paragraph, spans: spans}}
		}
		return nil
	case *ast.Heading:
		if spans := r.spans(n, span{}); !blank(spans) {
			return []block{{kind: heading, level: n.Level, spans: spans}}
		}
		return nil
	case *ast.FencedCodeBlock:
		return r.codeBlock(n)
	case *ast.ThematicBreak:
		return []block{{kind: rule}}
	case *tables.Table:
		return r.table(n)
	}
	if depth >= maxDepth {
		return r.blocks(n, depth)
	}
	b := block{blocks: r.blocks(n, depth+1)}
	if len(b.blocks) == 0 {
		return nil
	}
	switch n := n.(type) {
	case *ast.List:
		b.kind = bullets
		if n.IsOrdered() {
			b.kind, b.level = numbers, n.Start
		}
	case *ast.ListItem:
		b.kind = item
	case *ast.Blockquote:
		b.kind = quote
	default:
		return b.blocks
	}
	return []block{b}
}

func (r reader) codeBlock(n *ast.FencedCodeBlock) []block {
	code := block{kind: code, text: strings.TrimRight(string(n.Lines().Value(r.source)), "\n")}
	if code.text == "" {
		return nil
	}
	return []block{code}
}

func (r reader) table(n ast.Node) []block {
	out := block{kind: table}
	for line := n.FirstChild(); line != nil; line = line.NextSibling() {
		_, header := line.(*tables.TableHeader)
		cells := block{kind: row, header: header}
		for c := line.FirstChild(); c != nil; c = c.NextSibling() {
			cells.blocks = append(cells.blocks, block{kind: cell, header: header, spans: r.spans(c, span{})})
		}
		out.blocks = append(out.blocks, cells)
	}
	return []block{out}
}

// spans reads the inline children of n; style holds the marks they inherit.
func (r reader) spans(n ast.Node, style span) []span {
	var out []span
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			s := style
			s.text = plain(c.Value(r.source), c.IsRaw())
			out = add(out, s)
			if c.SoftLineBreak() || c.HardLineBreak() {
				out = append(out, span{br: true})
			}
		case *ast.String:
			s := style
			s.text = plain(c.Value, c.IsRaw())
			out = add(out, s)
		case *ast.CodeSpan:
			s := style
			s.text, s.code = r.codeText(c), true
			out = add(out, s)
		case *ast.Emphasis:
			s := style
			s.strong, s.em = s.strong || c.Level >= 2, s.em || c.Level == 1
			for _, inner := range r.spans(c, s) {
				out = add(out, inner)
			}
		case *ast.Link:
			out = append(out, r.link(c, c.Destination, style)...)
		case *ast.Image:
			out = append(out, r.link(c, c.Destination, style)...)
		case *ast.AutoLink:
			s := style
			s.text = string(c.Label(r.source))
			s.href = string(c.URL(r.source))
			if c.AutoLinkType == ast.AutoLinkEmail {
				s.href = "mailto:" + s.text
			}
			s.href = address(s.href)
			out = add(out, s)
		default:
			out = append(out, r.spans(c, style)...)
		}
	}
	return out
}

// link reads a link or an image, which is shown as a link. One without a text shows its target.
func (r reader) link(n ast.Node, target []byte, style span) []span {
	style.href = address(string(util.UnescapePunctuations(target)))
	out := r.spans(n, style)
	if blank(out) {
		style.text = style.href
		return add(nil, style)
	}
	return out
}

// codeText is what stands between the backquotes, on one line.
func (r reader) codeText(n ast.Node) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Value(r.source))
		}
	}
	return strings.ReplaceAll(b.String(), "\n", " ")
}

// plain resolves the backslash escapes of a text node. Entities stay as they were written.
func plain(value []byte, raw bool) string {
	if raw {
		return string(value)
	}
	return string(util.UnescapePunctuations(value))
}

// add appends s, joined to the span before it where both look the same.
func add(out []span, s span) []span {
	if s.text == "" && !s.br {
		return out
	}
	if n := len(out); n > 0 {
		last := out[n-1]
		text := last.text
		last.text = s.text
		if last == s && !s.br {
			out[n-1].text = text + s.text
			return out
		}
	}
	return append(out, s)
}

func blank(spans []span) bool {
	for _, s := range spans {
		if strings.TrimSpace(s.text) != "" {
			return false
		}
	}
	return true
}

// address returns a link's target where it is one of the kinds we allow.
func address(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		if u.Host == "" {
			return ""
		}
	case "mailto":
		if u.Opaque == "" {
			return ""
		}
	default:
		return ""
	}
	return u.String()
}
