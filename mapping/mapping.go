// Package mapping turns events into tickets by rules. A rule says: when an event of this source meets this condition,
// do that at that desk, with these texts; and later, read the decision off the ticket like this.
//
// A policy says who may decide, how many of them, when and for how long. Its terms (terms.go, deadline.go, hours.go,
// durations.go) may differ from event to event (layers.go); CompilePolicy returns a PolicyProgram (approval.go) that
// tells which terms hold and whom they admit.
//
// Rules, policies, tables and people are YAML documents (document.go, rule.go, policy.go, table.go, people.go).
// Compile checks a rule against what its source sends and its desk keeps (env.go) and returns a Program. Programs are
// pure: the same event and rule give the same Result for ever. They have no clock, no chance and no way out, and cannot
// run without end (sandbox.go, meter.go). What expressions can call is one table (functions.go); texts with ${...} in
// them are templates (template.go), and what an event puts into Markdown appears as it is (markdown.go).
//
// The package knows values and schemas. It knows no vendor and no database.
package mapping

import (
	"context"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
)

// Program is a compiled rule. It may be used by several goroutines at once.
type Program struct {
	rule     *Rule
	kinds    []string
	terms    []term
	draft    *draftPlan
	decision *decisionPlan
	settle   map[string]Move
	runners  runners
}

// Result is what a rule says of an event.
type Result struct {
	Matched bool   `json:"matched"`
	Terms   []Term `json:"terms"`           // of the condition, up to the first that is false
	Draft   *Draft `json:"draft,omitempty"` // what to do; nil without a match, or for a rule without an action
}

// Term is one part of a condition whose parts are joined by and.
type Term struct {
	Text string `json:"text"` // as written in the rule
	True bool   `json:"true"`
}

type term struct {
	text      string
	condition *expression
}

// Compile checks r against env and returns its program. The error is Errors and holds every fault found.
func Compile(r *Rule, env Env) (*Program, error) {
	faults := r.check()
	p := &Program{rule: r}
	p.compileWhen(r, env, &faults)
	s := newScope(r, env.eventTypes(p.kinds), env.Tables, &faults)
	p.draft = s.draft(r)
	if r.Decision != nil {
		p.decision = newScope(r, env.ticketTypes(), env.Tables, &faults).decision(r.Decision)
		if field := p.Granted(); field != "" && !env.hasField(field) {
			faults = append(faults, r.fault("decision.granted", 0, "the desk has no field "+field))
		}
	}
	if r.Settle != nil {
		p.settle = settleMoves(r.Settle)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return p, nil
}

// compileWhen compiles the condition. The kinds it admits decide which fields event.data has, in it and in the texts.
func (p *Program) compileWhen(r *Rule, env Env, faults *Errors) {
	if strings.TrimSpace(r.When) == "" {
		return // found missing before
	}
	s, root, kinds, ok := env.narrowed(r, r.When, "when", env.eventTypes, faults)
	p.kinds = kinds
	if !ok {
		return
	}
	conjunction := false
	if b, ok := root.(*ast.BinaryNode); ok {
		conjunction = b.Operator == "and" || b.Operator == "&&"
	}
	if s.compileTree(root, r.When, "when", 0, true) == nil {
		return
	}
	terms := []segment{{text: r.When}}
	if conjunction {
		terms = conjuncts(r.When)
	}
	for _, one := range terms {
		text := strings.TrimSpace(one.text)
		p.terms = append(p.terms, term{text, s.assemble(one.text, "when", one.offset)})
	}
}

// conjuncts cuts a condition at the ands that join its parts. The cut is the parser's own only because the condition
// is a conjunction as a whole: a pipe, the one operator that binds less, forbids it.
func conjuncts(text string) []segment {
	whole := []segment{{text: text}}
	tokens, err := lexer.Lex(file.NewSource(text))
	if err != nil {
		return whole
	}
	runes := []rune(text)
	var out []segment
	depth, start := 0, 0
	for _, t := range tokens {
		switch {
		case t.Kind == lexer.Bracket && strings.Contains("([{", t.Value):
			depth++
		case t.Kind == lexer.Bracket:
			depth--
		case depth == 0 && t.Is(lexer.Operator, "|"):
			return whole
		case depth == 0 && (t.Is(lexer.Operator, "and") || t.Is(lexer.Operator, "&&")):
			out = append(out, segment{text: string(runes[start:t.From]), offset: start})
			start = t.To
		}
	}
	return append(out, segment{text: string(runes[start:]), offset: start})
}

// kindsOf returns the event kinds a condition admits, nil for any.
func kindsOf(node ast.Node) []string {
	n, ok := node.(*ast.BinaryNode)
	if !ok {
		return nil
	}
	switch n.Operator {
	case "and", "&&":
		left, right := kindsOf(n.Left), kindsOf(n.Right)
		if left == nil || right == nil {
			return append(left, right...)
		}
		return slices.DeleteFunc(left, func(kind string) bool { return !slices.Contains(right, kind) })
	case "or", "||":
		left, right := kindsOf(n.Left), kindsOf(n.Right)
		if left == nil || right == nil {
			return nil
		}
		return append(left, slices.DeleteFunc(right, func(kind string) bool { return slices.Contains(left, kind) })...)
	case "==":
		if kind, ok := n.Right.(*ast.StringNode); ok && isEventKind(n.Left) {
			return []string{kind.Value}
		}
		if kind, ok := n.Left.(*ast.StringNode); ok && isEventKind(n.Right) {
			return []string{kind.Value}
		}
	case "in":
		list, ok := n.Right.(*ast.ArrayNode)
		if !ok || !isEventKind(n.Left) {
			return nil
		}
		kinds := make([]string, 0, len(list.Nodes))
		for _, item := range list.Nodes {
			kind, ok := item.(*ast.StringNode)
			if !ok {
				return nil
			}
			kinds = append(kinds, kind.Value)
		}
		return kinds
	}
	return nil
}

func isEventKind(node ast.Node) bool {
	member, ok := node.(*ast.MemberNode)
	if !ok {
		return false
	}
	event, ok := member.Node.(*ast.IdentifierNode)
	field, also := member.Property.(*ast.StringNode)
	return ok && also && event.Value == "event" && field.Value == "kind"
}

func runeIndex(text, part string) int {
	return len([]rune(text[:max(0, strings.Index(text, part))]))
}

// Rule returns the rule the program was compiled from.
func (p *Program) Rule() *Rule { return p.rule }

// Kinds returns the event kinds the rule can match, nil for any.
func (p *Program) Kinds() []string { return p.kinds }

// Eval applies the rule to an event in its JSON form. The error is an *Error that names the field and shows nothing of
// the event; an event that a rule fails on is never just no match.
func (p *Program) Eval(ctx context.Context, event map[string]any) (Result, error) {
	r := p.runners.take(ctx, "event", event)
	defer p.runners.give(r, "event")
	result := Result{Matched: true, Terms: make([]Term, 0, len(p.terms))}
	for _, t := range p.terms {
		is, err := t.condition.condition(r)
		if err != nil {
			return Result{Terms: result.Terms}, err
		}
		result.Terms = append(result.Terms, Term{t.text, is})
		if !is {
			result.Matched = false
			return result, nil
		}
	}
	if p.draft == nil {
		return result, nil
	}
	draft, err := p.draft.fill(r)
	if err != nil {
		return result, err
	}
	result.Draft = draft
	return result, nil
}

// Draft fills in the rule's action for an event whether or not its condition holds; nil for a rule without an action.
func (p *Program) Draft(ctx context.Context, event map[string]any) (*Draft, error) {
	if p.draft == nil {
		return nil, nil
	}
	r := p.runners.take(ctx, "event", event)
	defer p.runners.give(r, "event")
	return p.draft.fill(r)
}
