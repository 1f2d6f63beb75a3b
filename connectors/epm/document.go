package epm

import (
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/jsonscan"
)

// What a customer's template can sensibly need, and more than a hostile body may use.
const (
	maxDepth = 32
	maxNodes = 4096
)

// node is one value of a JSON document. Unlike a map, a list of nodes keeps keys that appear twice.
type node struct {
	parent int    // index of the object or list it is in, -1 for the whole document
	key    string // its key in an object, its index in a list
	kind   byte   // { [ " for object, list and text, 0 for a number, t f n for true, false and null
	text   string // a text decoded, a number as it was written
	raw    string // a text as it was written between its quotes
	listed bool   // it is in a list, so that key is an index
}

// document is the nodes of one body in the order they were written.
type document []node

// readDocument reads text, which is valid JSON. The document is an object and within the limits.
func readDocument(text string) (document, error) {
	r := reader{jsonscan.New(text), make(document, 0, 64)}
	if r.Kind() != '{' {
		return nil, &connectors.Malformed{Reason: "the body is no JSON object"}
	}
	if err := r.value(node{parent: -1}, 0); err != nil {
		return nil, err
	}
	return r.nodes, nil
}

// pointer is the node's JSON pointer.
func (d document) pointer(i int) string {
	if d[i].parent < 0 {
		return ""
	}
	key := d[i].key
	if strings.ContainsAny(key, "~/") {
		key = strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
	}
	return d.pointer(d[i].parent) + "/" + key
}

// place is the node's pointer, fit to be shown.
func (d document) place(i int) string { return connectors.Clean(d.pointer(i), 120) }

func (n node) scalar() bool { return n.kind != '{' && n.kind != '[' }

// reader makes nodes of valid JSON.
type reader struct {
	jsonscan.Scanner
	nodes document
}

func (r *reader) value(n node, depth int) error {
	if depth > maxDepth {
		return &connectors.Malformed{Reason: "the body is nested too deeply"}
	}
	if len(r.nodes) >= maxNodes {
		return &connectors.Malformed{Reason: "the body has too many values"}
	}
	n.kind = r.Kind()
	switch n.kind {
	case '{', '[':
		r.nodes = append(r.nodes, n)
		return r.members(len(r.nodes)-1, n.kind == '[', depth)
	case '"':
		n.text, n.raw = r.Text()
	default:
		n.text = r.Word()
	}
	r.nodes = append(r.nodes, n)
	return nil
}

// members reads what is in an object or a list, from its opening to its closing bracket.
func (r *reader) members(parent int, listed bool, depth int) error {
	r.Open()
	for i := 0; r.More(); i++ {
		n := node{parent: parent, listed: listed}
		if listed {
			n.key = strconv.Itoa(i)
		} else {
			n.key = r.Key()
		}
		if err := r.value(n, depth+1); err != nil {
			return err
		}
	}
	return nil
}
