package mapping

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// Reading is a part of a ticket that an expression of a document looks at.
type Reading struct {
	At   string // where the expression stands, such as decision.duration
	Part string // such as ticket.status or ticket.fields.impact; ticket.fields, or ticket, where it may be any
}

// Readings lists what the rule's decision looks at.
func (p *Program) Readings() []Reading {
	if p.decision == nil {
		return nil
	}
	var out []Reading
	for _, e := range []*expression{p.decision.approved, p.decision.denied, p.decision.revoked, p.decision.duration, p.decision.reason} {
		out = e.readings(out)
	}
	return out
}

// Readings lists what the conditions of approvers, deputies and those who may take access back look at.
func (p *PolicyProgram) Readings() []Reading {
	var out []Reading
	add := func(a Approvers) {
		if a.when != nil {
			out = a.when.expression.readings(out)
		}
	}
	for _, t := range p.terms {
		add(t.Approvers)
		if t.Deadline != nil && t.Deadline.Deputy != nil {
			add(t.Deadline.Deputy.Approvers)
		}
		if t.Revoke != nil {
			add(*t.Revoke)
		}
	}
	return out
}

// readings adds what the expression looks at to those there are; terms share their conditions.
func (e *expression) readings(there []Reading) []Reading {
	if e == nil {
		return there
	}
	for _, part := range e.reads {
		if one := (Reading{e.path, part}); !slices.Contains(there, one) {
			there = append(there, one)
		}
	}
	return there
}

// readsOf lists the parts of a ticket that an expression names, each once.
func readsOf(node ast.Node) (parts []string) {
	if path := partOf(node); path != nil {
		return []string{strings.Join(path[:min(len(path), 3)], ".")}
	}
	for _, child := range children(node) {
		parts = append(parts, readsOf(*child)...)
	}
	slices.Sort(parts)
	return slices.Compact(parts)
}

// partOf is the way from the ticket to what a node is, nil where it is nothing of a ticket or the way is not written out.
func partOf(node ast.Node) []string {
	switch n := unchained(node).(type) {
	case *ast.IdentifierNode:
		if n.Value == "ticket" {
			return []string{n.Value}
		}
	case *ast.MemberNode:
		name, ok := n.Property.(*ast.StringNode)
		if way := partOf(n.Node); ok && way != nil {
			return append(way, name.Value)
		}
	}
	return nil
}
