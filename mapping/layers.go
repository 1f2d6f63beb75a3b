package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// layers reads what a policy says where one of its cases holds: mappings are merged key by key, and any other value
// is the case's where the case names it. Faults name the place the value was read from.
type layers struct {
	source *source
	under  []string // what goes before a path, the layer that wins first: cases[0]. and nothing
	faults *Errors
}

// add notes a fault once: a value that several cases inherit is read for each of them.
func (l *layers) add(at, message string) {
	for _, f := range *l.faults {
		if f.Field == at && f.Message == message {
			return
		}
	}
	*l.faults = append(*l.faults, l.source.at(at, 0, message))
}

// find returns the value at path and where it stands, nil where there is none or a case took it away.
func (l *layers) find(path string) (ast.Node, string) {
	for _, under := range l.under {
		for end := 0; end < len(path); {
			if dot := strings.IndexByte(path[end+1:], '.'); dot >= 0 {
				end += 1 + dot
			} else {
				end = len(path)
			}
			node, ok := l.source.values[under+path[:end]]
			if !ok {
				break
			}
			if _, null := node.(*ast.NullNode); null {
				return nil, ""
			}
			if end == len(path) {
				return node, under + path
			}
		}
	}
	return nil, ""
}

func (l *layers) has(path string) bool {
	node, _ := l.find(path)
	return node != nil
}

// hasMapping is has for what has keys of its own; anything else in its place was found before.
func (l *layers) hasMapping(path string) bool {
	node, _ := l.find(path)
	return node != nil && isMapping(node)
}

// where returns the place of the first of paths that a case names, else of the first that is there: where two values
// contradict each other, the layer that brought the contradiction is at fault.
func (l *layers) where(paths ...string) string {
	first := ""
	for _, path := range paths {
		_, at := l.find(path)
		if at != "" && len(l.under) > 1 && strings.HasPrefix(at, l.under[0]) {
			return at
		}
		if first == "" {
			first = at
		}
	}
	return first
}

// home is where a value that is missing, or was taken away, would stand: in the layer that names it or, else, what it
// belongs to.
func (l *layers) home(path string) string {
	above := path[:max(0, strings.LastIndexByte(path, '.'))]
	for _, under := range l.under {
		for _, near := range []string{path, above} {
			if _, ok := l.source.values[under+near]; ok && near != "" {
				return under + path
			}
		}
	}
	return path
}

// text reads a text. A number is text as it is written.
func (l *layers) text(path string) (text, at string, ok bool) {
	node, at := l.find(path)
	if node == nil {
		return "", "", false
	}
	text, ok = scalarNode(node)
	if !ok {
		l.add(at, "text is expected here")
	}
	return text, at, ok
}

func scalarNode(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.LiteralNode:
		if n.Value == nil {
			return "", true
		}
		return n.Value.Value, true
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// constant reads a text that is used as it is.
func (l *layers) constant(path string) (text, at string, ok bool) {
	text, at, ok = l.text(path)
	return l.checked(text, at, ok)
}

func (l *layers) checked(text, at string, ok bool) (string, string, bool) {
	switch text = strings.TrimSpace(text); {
	case !ok:
		return "", at, false
	case text == "":
		l.add(at, "a value is missing")
		return "", at, false
	case hasExpression(text):
		l.add(at, "a constant is expected here, without ${...}")
		return "", at, false
	}
	return text, at, true
}

// word reads one of two words, the first of which holds where there is none. It tells whether it is the other.
func (l *layers) word(path, usual, other string) bool {
	text, at, ok := l.constant(path)
	if ok && text != usual && text != other {
		l.add(at, fmt.Sprintf("%s is %s or %s", path, usual, other))
	}
	return ok && text == other
}

// length reads a length of time, at least a second. Zero and not ok is none.
func (l *layers) length(path string) (length time.Duration, ok bool) {
	text, at, ok := l.constant(path)
	if !ok {
		return 0, false
	}
	return l.parseLength(text, at)
}

func (l *layers) parseLength(text, at string) (time.Duration, bool) {
	length, err := parseLength(text)
	if err != nil {
		l.add(at, err.Error())
		return 0, false
	}
	if length < time.Second {
		l.add(at, "a length of time is less than a second")
		return 0, false
	}
	return length, true
}

// count is how many items a list has, 0 where there is none.
func (l *layers) count(path string, limit int) int {
	node, at := l.find(path)
	if node == nil {
		return 0
	}
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		l.add(at, "a list is expected here")
		return 0
	}
	if n := len(list.Values); n > limit {
		l.add(at, fmt.Sprintf("the list is longer than %d", limit))
		return 0
	}
	return len(list.Values)
}

// list reads a list of constants, none of them twice. It calls each for every one with its place.
func (l *layers) list(path string, limit int, each func(text, at string)) {
	n := l.count(path, limit)
	if n == 0 {
		return
	}
	node, at := l.find(path)
	var seen []string
	for i, item := range node.(*ast.SequenceNode).Values {
		at := at + "[" + strconv.Itoa(i) + "]"
		text, ok := scalarNode(item)
		if !ok {
			l.add(at, "text is expected here")
			continue
		}
		if text, _, ok = l.checked(text, at, true); !ok {
			continue
		}
		if slices.Contains(seen, text) {
			l.add(at, text+" stands in this list twice")
			continue
		}
		seen = append(seen, text)
		each(text, at)
	}
}

func (l *layers) names(path string) []string {
	var out []string
	l.list(path, maxNames, func(text, _ string) { out = append(out, text) })
	return out
}
