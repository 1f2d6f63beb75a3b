package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const (
	maxDocument = 256 << 10 // bytes of one document
	maxDepth    = 16        // of mappings and lists in each other
	maxName     = 100
)

// Header is what every document begins with, whatever its kind.
type Header struct {
	Kind string `yaml:"kind" json:"kind"`
	Name string `yaml:"name" json:"name"`
}

// ReadHeader reads kind and name of one document of any kind and looks at nothing else in it. Its faults show no line
// of the text, because the document may hold secrets.
func ReadHeader(text []byte) (Header, error) {
	var h Header
	s, body, err := open(text, true)
	if err != nil {
		return h, err
	}
	if err := yaml.NodeToValue(body, &h); err != nil {
		return Header{}, s.yamlFault(err)
	}
	if h.Kind == "" {
		return Header{}, Errors{s.at("kind", 0, "kind is missing")}
	}
	if message := nameFault(h.Name); message != "" {
		return Header{}, Errors{s.at("name", 0, message)}
	}
	return h, nil
}

// SplitDocuments cuts a stream of YAML documents at its --- and ... lines. Each document keeps its text and comments;
// those that hold nothing but comments are left out.
func SplitDocuments(text []byte) ([][]byte, error) {
	if !utf8.Valid(text) {
		return nil, Errors{{Message: "the text is not UTF-8"}}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var out [][]byte
	var current []byte
	full := false
	flush := func() {
		if full {
			out = append(out, current)
		}
		current, full = nil, false
	}
	for line := range bytes.Lines(text) {
		rest, marker := afterMarker(line)
		if marker {
			flush()
			line = rest
		}
		current = append(current, line...)
		content := bytes.TrimSpace(line)
		full = full || (len(content) > 0 && content[0] != '#')
	}
	flush()
	return out, nil
}

// afterMarker returns what stands on a line after its document marker.
func afterMarker(line []byte) (rest []byte, ok bool) {
	for _, marker := range []string{"---", "..."} {
		if rest, ok = bytes.CutPrefix(line, []byte(marker)); !ok {
			continue
		}
		if content := bytes.TrimLeft(rest, " \t"); len(content) < len(rest) || len(bytes.TrimSpace(rest)) == 0 {
			if len(bytes.TrimSpace(content)) == 0 {
				return nil, true
			}
			return content, true
		}
	}
	return nil, false
}

// decode reads one document of a kind into v. Unknown and repeated keys are faults.
func decode(text []byte, kind string, v any) (*source, error) {
	s, body, err := begin(text, kind)
	if err != nil {
		return nil, err
	}
	if err := yaml.NodeToValue(body, v, yaml.Strict()); err != nil {
		return nil, s.yamlFault(err)
	}
	if message := nameFault(s.name); message != "" {
		return nil, Errors{s.at("name", 0, message)}
	}
	return s, nil
}

// begin parses the text of one document of a kind.
func begin(text []byte, kind string) (*source, ast.Node, error) {
	s, body, err := open(text, false)
	if err != nil {
		return nil, nil, err
	}
	var h Header
	if err := yaml.NodeToValue(body, &h); err != nil {
		return nil, nil, s.yamlFault(err)
	}
	s.name = h.Name
	if h.Kind != kind {
		return nil, nil, Errors{s.at("kind", 0, fmt.Sprintf("kind must be %s here", kind))}
	}
	return s, body, nil
}

// open parses the text of one document. hidden keeps its lines out of faults.
func open(text []byte, hidden bool) (s *source, body ast.Node, err error) {
	if len(text) > maxDocument {
		return nil, nil, Errors{{Message: fmt.Sprintf("the document is longer than %d KiB", maxDocument>>10)}}
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, nil, Errors{{Message: "the document is not UTF-8 text"}}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	s = &source{lines: strings.Split(string(text), "\n"), values: map[string]ast.Node{}, hidden: hidden}
	if line := overNested(s.lines); line > 0 {
		return nil, nil, Errors{{Line: line, Column: 1, Message: "is nested too deeply", Snippet: s.snippet(line, 1)}}
	}
	// The parser is a library that reads what strangers may have written: its panics are faults of the text.
	defer func() {
		if recover() != nil {
			s, body, err = nil, nil, Errors{{Message: "the text is not valid YAML"}}
		}
	}()
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, nil, s.yamlFault(err)
	}
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType || d.Body.Type() == ast.NullType {
			continue
		}
		if body != nil {
			return nil, nil, Errors{s.atToken("", d.Body.GetToken(), "one document is expected, here begins a second")}
		}
		body = d.Body
	}
	switch body.(type) {
	case nil:
		return nil, nil, Errors{{Message: "the document is empty"}}
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		return nil, nil, Errors{s.atToken("", body.GetToken(), "a document is a mapping of keys to values")}
	}
	if e := s.index(body, "", 0); e != nil {
		return nil, nil, Errors{e}
	}
	return s, body, nil
}

// overNested guards the parser's recursion: it returns a line on which more brackets are open than any document
// needs, 0 where there is none. Brackets in text are counted too, hence the generous limit.
func overNested(lines []string) int {
	depth := 0
	for i, line := range lines {
		for _, r := range line {
			switch r {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
		}
		if depth > 500 || margin(line) > 500 || strings.Count(line, "- ") > 500 || strings.Count(line, "? ") > 500 {
			return i + 1
		}
	}
	return 0
}

// yamlFault puts a fault of the YAML library in our words.
func (s *source) yamlFault(err error) Errors {
	var e yaml.Error
	if !errors.As(err, &e) {
		return Errors{{Document: s.name, Message: "the text is not valid YAML"}}
	}
	message := e.GetMessage()
	if s.hidden {
		message, _, _ = strings.Cut(message, `: "`) // some quote the text
	}
	var mismatch *yaml.TypeError
	var unexpected *yaml.UnexpectedNodeTypeError
	switch {
	case errors.As(err, &mismatch):
		message = fmt.Sprintf("%s is expected here, this is %s", typeName(mismatch.DstType), typeName(mismatch.SrcType))
	case errors.As(err, &unexpected):
		message = fmt.Sprintf("a %s is expected here, this is a %s", unexpected.Expected.YAMLName(), unexpected.Actual.YAMLName())
	}
	return Errors{s.atToken("", e.GetToken(), message)}
}

func typeName(t reflect.Type) string {
	if t == nil {
		return "nothing"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping"
	default:
		return "a number"
	}
}

// nameFault says what is wrong with a name, nothing when it may be used.
func nameFault(name string) string {
	switch {
	case name == "":
		return "name is missing"
	case len(name) > maxName:
		return fmt.Sprintf("name is longer than %d bytes", maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '/' }):
		return "name holds a space, a slash or a character that cannot be seen"
	}
	return ""
}

// InWords puts a fault of the YAML library in the words and with the place every fault of a document has, and shows no
// line of the text: it may hold secrets. Other errors stay as they are.
func InWords(err error) error {
	if _, ok := errors.AsType[yaml.Error](err); !ok {
		return err
	}
	return (&source{hidden: true}).yamlFault(err)
}
