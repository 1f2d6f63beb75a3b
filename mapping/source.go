package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// source is the text of a document and where its values stand in it. Faults found long after parsing are shown there.
type source struct {
	name   string // of the document
	lines  []string
	values map[string]ast.Node // by path: create.labels[0]
	hidden bool                // the text may hold secrets: faults show no line of it
}

// index records where the values below node stand. It refuses what would make a document read otherwise than it
// looks: anchors, aliases, tags, merge keys, and nesting without end.
func (s *source) index(node ast.Node, path string, depth int) *Error {
	if depth > maxDepth {
		return s.atToken(path, node.GetToken(), "is nested too deeply")
	}
	if path != "" {
		s.values[path] = node
	}
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			if e := s.indexPair(pair, path, depth); e != nil {
				return e
			}
		}
	case *ast.MappingValueNode:
		return s.indexPair(n, path, depth)
	case *ast.SequenceNode:
		for i, item := range n.Values {
			if e := s.index(item, path+"["+strconv.Itoa(i)+"]", depth+1); e != nil {
				return e
			}
		}
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return s.atToken(path, node.GetToken(), "anchors, aliases and tags are not used in documents")
	}
	return nil
}

func (s *source) indexPair(pair *ast.MappingValueNode, path string, depth int) *Error {
	switch pair.Key.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
	default:
		return s.atToken(path, pair.Key.GetToken(), "a key must be plain text")
	}
	return s.index(pair.Value, join(path, pair.Key.GetToken().Value), depth+1)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// at makes a fault of the value at path, offset runes into it. A path that is not in the text is shown at the nearest
// value above it.
func (s *source) at(path string, offset int, message string) *Error {
	e := &Error{Document: s.name, Field: path, Message: message}
	for near := path; near != ""; near = near[:max(0, strings.LastIndexAny(near, ".["))] {
		if node, ok := s.values[near]; ok {
			if near != path {
				offset = 0
			}
			e.Line, e.Column = s.position(node, offset)
			break
		}
	}
	if e.Line == 0 && len(s.lines) > 0 {
		filled := slices.IndexFunc(s.lines, func(line string) bool { return strings.TrimSpace(line) != "" })
		e.Line, e.Column = max(0, filled)+1, 1
	}
	e.Snippet = s.snippet(e.Line, e.Column)
	return e
}

func (s *source) atToken(path string, t *token.Token, message string) *Error {
	e := &Error{Document: s.name, Field: path, Message: message}
	if t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, max(1, t.Position.Column)
		e.Snippet = s.snippet(e.Line, e.Column)
	}
	return e
}

func (s *source) snippet(line, column int) string {
	if s.hidden || line < 1 || line > len(s.lines) {
		return ""
	}
	text := []rune(strings.ReplaceAll(s.lines[line-1], "\t", " "))
	const width = 160
	start := max(0, min(column-width/2, len(text)-width))
	text = text[start:min(len(text), start+width)]
	number := strconv.Itoa(line)
	mark := strings.Repeat(" ", max(0, column-1-start))
	return fmt.Sprintf("%s | %s\n%s | %s^", number, string(text), strings.Repeat(" ", len(number)), mark)
}

// position finds the rune offset runes into the value of node. Where the text folds lines it points at the start.
func (s *source) position(node ast.Node, offset int) (line, column int) {
	if block, ok := node.(*ast.LiteralNode); ok {
		return s.inBlock(block, offset)
	}
	t := node.GetToken()
	line, column = t.Position.Line, max(1, t.Position.Column)
	if line > len(s.lines) {
		return line, column
	}
	text := []rune(s.lines[line-1])
	if column > len(text) {
		return line, column
	}
	switch t.Type {
	case token.DoubleQuoteType, token.SingleQuoteType:
		if inside, ok := inQuotes(text[column-1:], offset); ok {
			return line, column + inside
		}
	case token.StringType:
		if slices.Equal(text[column-1:min(len(text), column-1+len([]rune(t.Value)))], []rune(t.Value)) {
			return line, column + offset
		}
	}
	return line, column
}

// inBlock finds a place in a block (|).
func (s *source) inBlock(block *ast.LiteralNode, offset int) (line, column int) {
	line, column = block.Start.Position.Line, max(1, block.Start.Position.Column)
	if !strings.HasPrefix(block.Start.Value, "|") || block.Value == nil {
		return line, column
	}
	before := []rune(block.Value.Value)
	before = before[:min(offset, len(before))]
	row, start := 0, 0
	for i, r := range before {
		if r == '\n' {
			row, start = row+1, i+1
		}
	}
	indent := 0
	for i, text := range strings.Split(block.Value.Value, "\n") {
		if at := line + i; strings.TrimSpace(text) != "" && at < len(s.lines) {
			indent = margin(s.lines[at]) - margin(text)
			break
		}
	}
	return line + 1 + row, indent + len(before) - start + 1
}

func margin(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// inQuotes counts how many runes of quoted source stand for the first offset runes of its value, the opening quote
// included.
func inQuotes(quoted []rune, offset int) (int, bool) {
	quote, i := quoted[0], 1
	for ; offset > 0 && i < len(quoted); offset-- {
		width := 1
		switch {
		case quote == '\'' && quoted[i] == '\'':
			width = 2
		case quote == '"' && quoted[i] == '\\' && i+1 < len(quoted):
			width = map[rune]int{'x': 4, 'u': 6, 'U': 10}[quoted[i+1]]
			width = max(width, 2)
		}
		i += width
	}
	return i, offset == 0 && i < len(quoted)
}
