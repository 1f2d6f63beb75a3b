package epm

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
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
	r := reader{text: text, nodes: make(document, 0, 64)}
	r.space()
	if r.pos >= len(text) || text[r.pos] != '{' {
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

// reader walks over JSON that was found valid before, so it need not look for mistakes.
type reader struct {
	text  string
	pos   int
	nodes document
}

func (r *reader) space() {
	for r.pos < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.pos]) >= 0 {
		r.pos++
	}
}

func (r *reader) value(n node, depth int) error {
	if depth > maxDepth {
		return &connectors.Malformed{Reason: "the body is nested too deeply"}
	}
	if len(r.nodes) >= maxNodes {
		return &connectors.Malformed{Reason: "the body has too many values"}
	}
	switch b := r.text[r.pos]; b {
	case '{', '[':
		n.kind = b
		r.nodes = append(r.nodes, n)
		return r.members(len(r.nodes)-1, b == '[', depth)
	case '"':
		n.kind = b
		n.text, n.raw = r.str()
	case 't', 'f', 'n':
		n.kind = b
		n.text = r.literal()
	default:
		n.text = r.literal()
	}
	r.nodes = append(r.nodes, n)
	return nil
}

// members reads what is in an object or a list, from its opening to its closing bracket.
func (r *reader) members(parent int, listed bool, depth int) error {
	r.pos++
	for i := 0; ; i++ {
		r.space()
		switch r.text[r.pos] {
		case '}', ']':
			r.pos++
			return nil
		case ',':
			r.pos++
			r.space()
		}
		n := node{parent: parent, listed: listed}
		if listed {
			n.key = strconv.Itoa(i)
		} else {
			n.key, _ = r.str()
			r.space()
			r.pos++ // the colon
			r.space()
		}
		if err := r.value(n, depth+1); err != nil {
			return err
		}
	}
}

// str reads a text, decoded and as it was written.
func (r *reader) str() (decoded, raw string) {
	start, escaped := r.pos, false
	for r.pos++; r.text[r.pos] != '"'; r.pos++ {
		if r.text[r.pos] == '\\' {
			escaped = true
			r.pos++
		}
	}
	r.pos++
	raw = r.text[start+1 : r.pos-1]
	if !escaped {
		return raw, raw
	}
	_ = json.Unmarshal([]byte(r.text[start:r.pos]), &decoded) // part of valid JSON
	return decoded, raw
}

func (r *reader) literal() string {
	start := r.pos
	for r.pos < len(r.text) && strings.IndexByte(",]} \t\r\n", r.text[r.pos]) < 0 {
		r.pos++
	}
	return r.text[start:r.pos]
}
