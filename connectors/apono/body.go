package apono

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/jsonscan"
)

// What a customer's template can sensibly need, and more than a hostile body may use.
const (
	maxDepth = 32
	maxNodes = 1 << 14
)

// node is one value of a JSON document, with members and numbers as they were written.
type node struct {
	kind byte   // { [ " for object, list and text, 0 for a number, t f n for true, false and null
	key  string // its key in an object
	text string // a text decoded, a number or word as it was written
	kids []node // the members of an object, the elements of a list
}

func malformed(format string, args ...any) error {
	return &connectors.Malformed{Reason: fmt.Sprintf(format, args...)}
}

// read finds the variables of the object that holds the event: the body itself, the one element of a list, or the JSON
// text in one of the configured members. A list with more elements is refused, as a quote pasted into a template could
// add one; and a member is only taken for the event where nothing around it is a variable, as people may type JSON.
func (s *source) read(body []byte) (*values, error) {
	doc, err := parseObject("the body", string(body))
	if err != nil {
		return nil, err
	}
	v, err := s.fields.find(doc, s.config.Unescape)
	if err != nil || v.any() {
		return v, err
	}
	var inner *node
	for i := range doc.kids {
		kid := &doc.kids[i]
		if !s.isText(kid) {
			continue
		}
		if inner != nil {
			return nil, malformed("two members hold JSON text; leave one in settings.text_fields")
		}
		inner = kid
	}
	if inner == nil {
		return v, nil
	}
	if doc, err = parseObject("the text in "+connectors.Clean(inner.key, 60), inner.text); err != nil {
		return nil, err
	}
	return s.fields.find(doc, s.config.Unescape)
}

// isText tells whether a member is configured to hold JSON text, and does.
func (s *source) isText(n *node) bool {
	return n.kind == '"' && strings.HasPrefix(strings.TrimLeft(n.text, " \t\r\n"), "{") &&
		slices.ContainsFunc(s.config.TextFields, func(name string) bool { return fold(name) == fold(n.key) })
}

// parseObject reads strict JSON, and what mend makes of text where it is not.
func parseObject(what, text string) (node, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	if !utf8.ValidString(text) {
		return node{}, malformed("%s is not UTF-8", what)
	}
	if !json.Valid([]byte(text)) {
		text = mend(text)
		if !json.Valid([]byte(text)) {
			return node{}, malformed("%s is no JSON, also after mending raw backslashes and control characters; look for quotes in inserted values", what)
		}
	}
	r := reader{Scanner: jsonscan.New(text)}
	doc, err := r.value(0)
	if err != nil {
		return node{}, err
	}
	if doc.kind == '[' {
		if len(doc.kids) != 1 {
			return node{}, malformed("%s is a list of %d; a webhook tells of one event", what, len(doc.kids))
		}
		doc = doc.kids[0]
	}
	if doc.kind != '{' {
		return node{}, malformed("%s is no JSON object", what)
	}
	return doc, nil
}

// reader makes nodes of valid JSON. It refuses a key that stands twice in one object, wherever that is: templates may be
// filled with a requester's text as it is, so it can be an attempt to slip keys in.
type reader struct {
	jsonscan.Scanner
	nodes int
}

func (r *reader) value(depth int) (node, error) {
	if r.nodes++; r.nodes > maxNodes {
		return node{}, malformed("the body has too many values")
	}
	if depth > maxDepth {
		return node{}, malformed("the body is nested too deeply")
	}
	n := node{kind: r.Kind()}
	switch n.kind {
	case '{', '[':
		keys := map[string]bool{}
		for r.Open(); r.More(); {
			key := ""
			if n.kind == '{' {
				key = r.Key()
				if keys[key] {
					return node{}, malformed("%s stands twice in one object", connectors.Clean(key, 60))
				}
				keys[key] = true
			}
			kid, err := r.value(depth + 1)
			if err != nil {
				return node{}, err
			}
			kid.key = key
			n.kids = append(n.kids, kid)
		}
	case '"':
		n.text, _ = r.Text()
	default:
		n.text = r.Word()
	}
	return n, nil
}

// mend escapes what Handlebars leaves as it is inside texts: control characters, and every backslash where one of them
// is no escape that JSON knows, as all values were pasted the same way. An escaped quote stays one: it may be the
// template's own. What comes back need not be valid; no value is invented.
func mend(text string) string {
	literal := hasUnknownEscape(text)
	var out bytes.Buffer
	inside := false
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch {
		case b == '"':
			inside = !inside
			out.WriteByte(b)
		case !inside:
			out.WriteByte(b)
		case b == '\\' && i+1 < len(text) && (text[i+1] == '"' || !literal):
			out.WriteString(text[i : i+2])
			i++
		case b == '\\':
			out.WriteString(`\\`)
		case b < 0x20:
			fmt.Fprintf(&out, `\u%04x`, b)
		default:
			out.WriteByte(b)
		}
	}
	return out.String()
}

// hasUnknownEscape tells whether a text has a backslash before something JSON gives no meaning.
func hasUnknownEscape(text string) bool {
	inside := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			inside = !inside
		case text[i] == '\\' && inside:
			if i++; i >= len(text) || strings.IndexByte(`"\/bfnrtu`, text[i]) < 0 || text[i] == 'u' && !hexFollows(text[i+1:]) {
				return true
			}
		}
	}
	return false
}

func hexFollows(text string) bool {
	if len(text) < 4 {
		return false
	}
	_, err := strconv.ParseUint(text[:4], 16, 16)
	return err == nil
}

// plain is the value for people and rules: what was left empty or unfilled is left out, and a number that a float
// would change stays the text it is.
func (n node) plain(unescape bool) (any, bool) {
	switch n.kind {
	case '{':
		object := make(map[string]any, len(n.kids))
		for _, kid := range n.kids {
			if value, ok := kid.plain(unescape); ok {
				object[kid.key] = value
			}
		}
		return object, len(object) > 0
	case '[':
		elements := make([]any, 0, len(n.kids))
		for _, kid := range n.kids {
			if value, ok := kid.plain(unescape); ok {
				elements = append(elements, value)
			}
		}
		return elements, len(elements) > 0
	case '"':
		text := n.value(unescape)
		return text, text != ""
	case 0:
		return exact(n.text), true
	case 'n':
		return nil, false
	default:
		return n.kind == 't', true
	}
}

// exact is the number that text writes, or text where a float would not come back to the same digits.
func exact(text string) any {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "-.0123456789") != "" || strconv.FormatFloat(f, 'f', -1, 64) != text {
		return text
	}
	return f
}

// value is the text of a scalar, empty where the template's variable was empty or not filled in.
func (n node) value(unescape bool) string {
	bare := strings.TrimSpace(n.text)
	if n.kind == 'n' || bare == "" || strings.HasPrefix(bare, "{{") && strings.HasSuffix(bare, "}}") {
		return ""
	}
	if unescape && n.kind == '"' {
		return unescaper.Replace(n.text)
	}
	return n.text
}

// unescaper undoes what stock Handlebars escapes, and nothing that people may have typed.
// https://handlebarsjs.com/api-reference/utilities.html
var unescaper = strings.NewReplacer(
	"&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#x27;", "'", "&#x60;", "`", "&#x3D;", "=",
)
