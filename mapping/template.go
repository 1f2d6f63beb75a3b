package mapping

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
)

// template is a value of a rule: constant text, or text with expressions in it.
type template struct {
	parts    []part
	sole     *expression // of a template that is one expression and nothing else but white space
	path     string
	document document
}

// part is literal text or an expression.
type part struct {
	literal    string
	expression *expression
}

// mode is how a template becomes text.
type mode int

const (
	asText     mode = iota // as it is, without what cannot be seen
	asLine                 // the same on one line
	asMarkdown             // the template is Markdown, and values appear in it as they are
)

// segment is a part before it is compiled. offset is where its text begins, in runes.
type segment struct {
	text       string
	offset     int
	expression bool
}

// cutTemplate finds the expressions in text. $${ stands for ${. An expression ends at the bracket that closes it for
// the expression language, whatever stands in its texts and comments.
func cutTemplate(text string) ([]segment, int, error) {
	var out []segment
	var literal strings.Builder
	offset := 0 // runes of text before rest
	flush := func() {
		if literal.Len() > 0 {
			out = append(out, segment{text: literal.String()})
			literal.Reset()
		}
	}
	for rest := text; rest != ""; {
		i := strings.Index(rest, "${")
		if i < 0 {
			literal.WriteString(rest)
			break
		}
		if i > 0 && rest[i-1] == '$' {
			literal.WriteString(rest[:i-1] + "${")
			offset += utf8.RuneCountInString(rest[:i+2])
			rest = rest[i+2:]
			continue
		}
		literal.WriteString(rest[:i])
		flush()
		start := offset + utf8.RuneCountInString(rest[:i]) + 2
		rest = rest[i+2:]
		end, err := closing(rest)
		if err != nil {
			return nil, start - 2, err
		}
		out = append(out, segment{text: rest[:end], offset: start, expression: true})
		offset = start + utf8.RuneCountInString(rest[:end]) + 1
		rest = rest[end+1:]
	}
	flush()
	return out, 0, nil
}

// Constant is the text of a value that is the same for every event; false for one with an expression in it.
func Constant(text string) (string, bool) {
	segments, _, err := cutTemplate(text)
	if err != nil || len(segments) > 1 || len(segments) == 1 && segments[0].expression {
		return "", false
	}
	if len(segments) == 0 {
		return "", true
	}
	return segments[0].text, true
}

// closing returns the index of the } that ends the expression at the start of text.
func closing(text string) (int, error) {
	head := text
	if len(head) > maxSource+1 {
		head = strings.ToValidUTF8(head[:maxSource+1], "")
	}
	l := lexer.New()
	l.Reset(file.NewSource(head))
	depth := 0
	for {
		token, err := l.Next()
		if err != nil || token.Kind == lexer.EOF {
			if len(head) < len(text) {
				return 0, faultf("an expression is longer than %d KiB", maxSource>>10)
			}
			return 0, fault("${ has no } that ends it, or a text in it does not end")
		}
		if token.Kind != lexer.Bracket {
			continue
		}
		switch token.Value {
		case "{":
			depth++
		case "}":
			if depth--; depth < 0 {
				return byteIndex(head, token.From), nil
			}
		}
	}
}

// byteIndex is where rune n of text begins.
func byteIndex(text string, n int) int {
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return len(text)
}

// template compiles the value at path. It notes faults and returns nil where it cannot.
func (s *scope) template(text, path string, as mode) *template {
	segments, at, err := cutTemplate(text)
	if err != nil {
		s.add(path, at, err.Error())
		return nil
	}
	if len(text) > usual.result {
		s.add(path, 0, fmt.Sprintf("%s is longer than %d KiB", path, usual.result>>10))
		return nil
	}
	t := &template{path: path, document: s.document}
	faults := len(*s.faults)
	for i, one := range segments {
		if !one.expression {
			if as == asMarkdown && i < len(segments)-1 && oddBackslashes(one.text) {
				// The backslash would take the one that escapes the value after it.
				one.text += `\`
			}
			t.parts = append(t.parts, part{literal: one.text})
			continue
		}
		t.parts = append(t.parts, part{expression: s.compile(one.text, path, one.offset, false)})
	}
	if len(*s.faults) > faults {
		return nil
	}
	t.sole = sole(t.parts)
	return t
}

func oddBackslashes(text string) bool {
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

func sole(parts []part) *expression {
	var sole *expression
	for _, p := range parts {
		switch {
		case p.expression != nil && sole == nil:
			sole = p.expression
		case p.expression != nil || strings.TrimSpace(p.literal) != "":
			return nil
		}
	}
	return sole
}

// value evaluates the template. One that is one expression keeps its value; any other is text.
func (t *template) value(r *runner) (any, error) {
	if t.sole == nil {
		return boxed(t.text(r, asText))
	}
	v, err := t.sole.run(r)
	if err != nil {
		return nil, err
	}
	v, err = plain(&r.meter, v)
	if err != nil {
		return nil, t.sole.fault(err)
	}
	if text, ok := v.(string); ok {
		return clean(text), nil
	}
	return v, nil
}

// text evaluates the template as text.
func (t *template) text(r *runner, as mode) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.expression == nil {
			b.WriteString(p.literal)
			continue
		}
		v, err := p.expression.run(r)
		if err != nil {
			return "", err
		}
		text, err := textOf(&r.meter, v)
		if err != nil {
			return "", p.expression.fault(err)
		}
		if _, ready := v.(markup); as == asMarkdown && !ready {
			text = EscapeMarkdown(text)
		}
		if b.WriteString(text); b.Len() > r.meter.room.result {
			return "", p.expression.fault(r.meter.tooLarge())
		}
	}
	switch as {
	case asLine:
		return oneLine(b.String()), nil
	case asMarkdown:
		return strings.TrimRight(b.String(), " \t\n"), nil
	default:
		return clean(b.String()), nil
	}
}

// tree is a value of fields: a template, a constant, or a list or mapping of them.
type tree struct {
	template *template
	constant any
	list     []*tree
	fields   []field
}

type field struct {
	name  string
	value *tree
}

func (s *scope) tree(v any, path string) *tree {
	switch v := v.(type) {
	case string:
		return &tree{template: s.template(v, path, asText)}
	case []any:
		out := &tree{list: make([]*tree, len(v))}
		for i, one := range v {
			out.list[i] = s.tree(one, fmt.Sprintf("%s[%d]", path, i))
		}
		return out
	case map[string]any:
		out := &tree{fields: make([]field, 0, len(v))}
		for _, key := range sortedKeys(v) {
			out.fields = append(out.fields, field{key, s.tree(v[key], join(path, key))})
		}
		return out
	case nil, bool:
		return &tree{constant: v}
	}
	n, ok := tableValue(v)
	if !ok {
		s.add(path, 0, "a field holds text, numbers, true, false, lists and mappings")
	}
	return &tree{constant: n}
}

// value evaluates the tree. Expressions that give nothing are left out of mappings and lists; a constant null stays,
// because it empties a field.
func (t *tree) value(r *runner) (v any, present bool, err error) {
	switch {
	case t.template != nil:
		v, err = t.template.value(r)
		return v, v != nil, err
	case t.fields != nil:
		out := make(map[string]any, len(t.fields))
		for _, f := range t.fields {
			one, present, err := f.value.value(r)
			if err != nil {
				return nil, false, err
			}
			if present {
				out[f.name] = one
			}
		}
		return out, true, nil
	case t.list != nil:
		out := make([]any, 0, len(t.list))
		for _, item := range t.list {
			one, present, err := item.value(r)
			if err != nil {
				return nil, false, err
			}
			if present {
				out = append(out, one)
			}
		}
		return out, true, nil
	}
	return t.constant, true, nil
}
