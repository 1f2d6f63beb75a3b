package mapping

import (
	"context"
	"maps"
	"strings"

	"github.com/expr-lang/expr/types"
)

// A setting is a value with ${...} in it that stands in the settings of a connection instead of a rule: where an event's
// parts are, or what is posted where. Its expressions are those of rules, with the same functions and limits and
// without tables; only the names they may use are the connector's to give.

// Shape is what a name in a setting stands for: a type as in Field, or fields of their own.
type Shape struct {
	Type   string
	Fields map[string]Shape
}

// Names are the names that expressions in a setting may use.
type Names map[string]Shape

func (n Names) types() types.Map {
	out := types.Map{}
	for name, shape := range n {
		out[name] = shape.types()
	}
	return out
}

func (s Shape) types() types.Type {
	if s.Fields == nil {
		return fieldType(s.Type)
	}
	return Names(s.Fields).types()
}

// HasExpression tells whether text has a ${...} in it.
func HasExpression(text string) bool { return hasExpression(text) }

// Setting is a compiled setting: a text, a constant, or lists and mappings of them. It may be used by several
// goroutines at once.
type Setting struct {
	tree    *tree
	room    room
	runners runners
}

// CompileSetting checks value, which stands at path, and compiles it. The error is Errors and holds every fault found.
func CompileSetting(path string, value any, names Names) (*Setting, error) {
	return compileSetting(path, value, names, usual)
}

// CompileRecord is CompileSetting for what is sent to a sink. Its texts may be as long as a large event: up to 4 MiB each.
func CompileRecord(path string, value any, names Names) (*Setting, error) {
	return compileSetting(path, value, names, ofRecords)
}

func compileSetting(path string, value any, names Names, within room) (*Setting, error) {
	if depth(value) > maxDepth {
		return nil, Errors{{Field: path, Message: "is nested too deeply"}}
	}
	s, faults := settingScope(names)
	t := s.tree(value, path)
	if len(*faults) > 0 {
		return nil, *faults
	}
	return &Setting{tree: t, room: within}, nil
}

// Eval computes the setting; in holds what the names stand for, as JSON values. A text that is one expression keeps
// its value, and expressions that give nothing are left out of lists and mappings. All expressions together are held to
// the limits of one evaluation. The error is an *Error that shows nothing of in.
func (s *Setting) Eval(ctx context.Context, in map[string]any) (any, error) {
	r := s.runners.lend(ctx, in)
	defer s.runners.settle(r, in)
	r.meter.room = s.room
	v, _, err := s.tree.value(r)
	return v, err
}

// SettingText is a compiled setting whose expressions are fitted into their places by the caller, who knows how values
// are escaped there. It may be used by several goroutines at once.
type SettingText struct {
	template *template
	runners  runners
}

// Piece is a part of a SettingText: text as it is written, or an expression.
type Piece struct {
	Text       string
	Expression bool
}

// CompileSettingText is CompileSetting for one text.
func CompileSettingText(path, text string, names Names) (*SettingText, error) {
	s, faults := settingScope(names)
	t := s.template(text, path, asText)
	if len(*faults) > 0 {
		return nil, *faults
	}
	return &SettingText{template: t}, nil
}

// Pieces returns the parts of the text in their order.
func (t *SettingText) Pieces() []Piece {
	out := make([]Piece, len(t.template.parts))
	for i, p := range t.template.parts {
		out[i] = Piece{Text: p.literal, Expression: p.expression != nil}
	}
	return out
}

// Value computes the text as Setting.Eval does, but takes nothing away from it: what cannot be seen stays, for texts
// that are ids. present is false where an expression of the text gives nothing or the empty text.
func (t *SettingText) Value(ctx context.Context, in map[string]any) (v any, present bool, err error) {
	if t.template.sole == nil {
		present = true
		v, err = t.Fill(ctx, in, func(_ int, value string) (string, error) {
			present = present && value != ""
			return value, nil
		})
		return v, present, err
	}
	r := t.runners.lend(ctx, in)
	defer t.runners.settle(r, in)
	if v, err = t.template.sole.run(r); err != nil {
		return nil, false, err
	}
	if v, err = plain(&r.meter, v); err != nil {
		return nil, false, t.template.sole.fault(err)
	}
	return v, v != nil && v != "", nil
}

// Fill computes the text. fit is given the place of each expression in Pieces and the text of its value, from which
// nothing was taken away, and returns what to write there. The error is fit's own, or as with Setting.Eval.
func (t *SettingText) Fill(ctx context.Context, in map[string]any, fit func(piece int, value string) (string, error)) (string, error) {
	r := t.runners.lend(ctx, in)
	defer t.runners.settle(r, in)
	var b strings.Builder
	for i, p := range t.template.parts {
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
		if text, err = fit(i, text); err != nil {
			return "", err
		}
		if b.WriteString(text); b.Len() > r.meter.room.result {
			return "", p.expression.fault(r.meter.tooLarge())
		}
	}
	return b.String(), nil
}

// settingScope compiles for a document that has no text to point into.
func settingScope(names Names) (*scope, *Errors) {
	faults := &Errors{}
	return newScope(&Rule{}, names.types(), nil, faults), faults
}

// noName is a name no expression can have: take and give are for one name, a setting has several.
const noName = ""

func (p *runners) lend(ctx context.Context, in map[string]any) *runner {
	r := p.take(ctx, noName, nil)
	maps.Copy(r.env, in)
	return r
}

func (p *runners) settle(r *runner, in map[string]any) {
	for name := range in {
		delete(r.env, name)
	}
	p.give(r, noName)
}

// depth is how many lists and mappings stand in each other.
func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			deepest = max(deepest, depth(item))
		}
	case map[string]any:
		for _, item := range v {
			deepest = max(deepest, depth(item))
		}
	default:
		return 0
	}
	return deepest + 1
}
