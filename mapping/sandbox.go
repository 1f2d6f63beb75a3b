package mapping

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
)

// The language's own limits leave four holes: loops cannot be stopped, texts grow without being counted, the parser's
// recursion has no end, and patterns may be made from an event. The source limit closes the third. inspector refuses
// what cannot be made safe, and rewriter replaces what can: every loop counts its turns, and every operation whose
// cost depends on values becomes one of the hidden functions below, which charge the meter.

const (
	hidden    = "__" // what names no author may use begin with
	meterName = hidden + "meter"
)

// rewriter makes a checked syntax tree safe to run.
type rewriter struct {
	tables map[string]*Table
	done   map[ast.Node]ast.Node
}

func newRewriter(tables map[string]*Table) *rewriter {
	return &rewriter{tables: tables, done: map[ast.Node]ast.Node{}}
}

// rewrite returns what replaces node. A node that stands in the tree twice is rewritten once.
func (w *rewriter) rewrite(node ast.Node) ast.Node {
	if out, ok := w.done[node]; ok {
		return out
	}
	out := w.replacement(node)
	w.done[node] = out
	return out
}

func (w *rewriter) replacement(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.MemberNode:
		return w.member(n)
	case *ast.CallNode:
		if n.Callee.(*ast.IdentifierNode).Value == "table" {
			return w.table(n)
		}
		for i := range n.Arguments {
			n.Arguments[i] = w.rewrite(n.Arguments[i])
		}
		n.Arguments = append([]ast.Node{&ast.IdentifierNode{Value: meterName}}, n.Arguments...)
		return n
	case *ast.BinaryNode:
		if n.Operator == "in" || n.Operator == "matches" {
			return w.search(n)
		}
	}
	for _, child := range children(node) {
		*child = w.rewrite(*child)
	}
	switch n := node.(type) {
	case *ast.ChainNode:
		return n.Node
	case *ast.SliceNode:
		return call(n, "slice", n.Node, orNil(n.From), orNil(n.To))
	case *ast.BinaryNode:
		return binary(n)
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			n.Node = boolean(n.Node)
		}
	case *ast.ConditionalNode:
		n.Cond = boolean(n.Cond)
	case *ast.BuiltinNode:
		loop(n)
	}
	return node
}

// member reads event.data.X in one step where the path is written out.
func (w *rewriter) member(n *ast.MemberNode) ast.Node {
	var path []string
	base := ast.Node(n)
	for {
		if chain, ok := base.(*ast.ChainNode); ok {
			base = chain.Node
			continue
		}
		m, ok := base.(*ast.MemberNode)
		if !ok {
			break
		}
		key, ok := m.Property.(*ast.StringNode)
		if !ok {
			break
		}
		path = append(path, key.Value)
		base = m.Node
	}
	if len(path) > 0 {
		slices.Reverse(path)
		return call(n, "path", w.rewrite(base), &ast.ConstantNode{Value: &path})
	}
	return call(n, "fetch", w.rewrite(n.Node), w.rewrite(n.Property))
}

func (w *rewriter) table(n *ast.CallNode) ast.Node {
	t := w.tables[n.Arguments[0].(*ast.StringNode).Value]
	if len(n.Arguments) == 1 {
		return at(n, &ast.ConstantNode{Value: t.List})
	}
	return call(n, "lookup", &ast.ConstantNode{Value: t}, w.rewrite(n.Arguments[1]))
}

// search rewrites in and matches, whose right sides may be made ready once.
func (w *rewriter) search(n *ast.BinaryNode) ast.Node {
	left := w.rewrite(n.Left)
	if n.Operator == "matches" {
		compiled, _ := pattern(n.Right) // it was checked before
		return call(n, "matches", left, &ast.ConstantNode{Value: compiled})
	}
	if list, ok := w.constant(n.Right); ok {
		return call(n, "listed", left, &ast.ConstantNode{Value: newSet(list)})
	}
	return call(n, "in", left, w.rewrite(n.Right))
}

// constant returns the items of a list that is written out or is a table.
func (w *rewriter) constant(node ast.Node) ([]any, bool) {
	switch n := node.(type) {
	case *ast.CallNode:
		if callee := n.Callee.(*ast.IdentifierNode); callee.Value == "table" && len(n.Arguments) == 1 {
			return w.tables[n.Arguments[0].(*ast.StringNode).Value].List, true
		}
	case *ast.ArrayNode:
		out := make([]any, len(n.Nodes))
		for i, item := range n.Nodes {
			value, ok := scalar(item)
			if !ok {
				return nil, false
			}
			out[i] = value
		}
		return out, true
	}
	return nil, false
}

// scalar returns the value of a literal.
func scalar(node ast.Node) (any, bool) {
	switch n := node.(type) {
	case *ast.NilNode:
		return nil, true
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.BoolNode:
		return n.Value, true
	}
	return nil, false
}

func binary(n *ast.BinaryNode) ast.Node {
	_, left := scalar(n.Left)
	_, right := scalar(n.Right)
	switch n.Operator {
	case "and", "&&", "or", "||":
		n.Left, n.Right = boolean(n.Left), boolean(n.Right)
	case "+":
		return call(n, "add", n.Left, n.Right)
	case "==":
		if !left && !right {
			return call(n, "equal", n.Left, n.Right)
		}
	case "!=":
		if !left && !right {
			return at(n, &ast.UnaryNode{Operator: "not", Node: call(n, "equal", n.Left, n.Right)})
		}
	}
	return n
}

// boolean makes nothing count as false where a condition stands.
func boolean(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.BoolNode:
		return node
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return node
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "==", "!=", "<", "<=", ">", ">=", "and", "&&", "or", "||", "contains", "startsWith", "endsWith":
			return node
		}
	case *ast.CallNode:
		switch n.Callee.(*ast.IdentifierNode).Value {
		case hidden + "bool", hidden + "equal", hidden + "in", hidden + "listed", hidden + "matches":
			return node
		}
	}
	return call(node, "bool", node)
}

// loop makes each turn of a loop count, and nothing an empty list.
func loop(n *ast.BuiltinNode) {
	n.Arguments[0] = call(n.Arguments[0], "list", n.Arguments[0])
	for _, argument := range n.Arguments[1:] {
		body, ok := argument.(*ast.PredicateNode)
		if !ok {
			continue
		}
		switch n.Name {
		case "all", "any", "one", "none", "filter", "find", "count":
			body.Node = boolean(body.Node)
		}
		body.Node = at(body.Node, &ast.SequenceNode{Nodes: []ast.Node{call(body.Node, "turn"), body.Node}})
	}
}

// call makes a call of a hidden function that stands where node stood.
func call(node ast.Node, name string, arguments ...ast.Node) ast.Node {
	callee := at(node, &ast.IdentifierNode{Value: hidden + name})
	arguments = append([]ast.Node{at(node, &ast.IdentifierNode{Value: meterName})}, arguments...)
	return at(node, &ast.CallNode{Callee: callee, Arguments: arguments})
}

func at(node, replacement ast.Node) ast.Node {
	replacement.SetLocation(node.Location())
	return replacement
}

func orNil(node ast.Node) ast.Node {
	if node == nil {
		return &ast.NilNode{}
	}
	return node
}

// runConfig compiles rewritten trees: nothing is typed, and every function takes the meter first.
func runConfig() *conf.Config {
	c := conf.New(map[string]any{})
	c.Strict, c.MaxNodes, c.Optimize = false, 0, false
	add := func(name string, run func(*meter, []any) (any, error)) {
		c.Functions[name] = &builtin.Function{Name: name, Func: func(args ...any) (any, error) {
			m, ok := args[0].(*meter)
			if !ok {
				return nil, fmt.Errorf("call %s without a meter", name)
			}
			return run(m, args[1:])
		}}
	}
	for name, f := range functionNamed {
		if f.run != nil {
			add(name, f.run)
		}
	}
	for name, run := range operations {
		add(hidden+name, run)
	}
	return c
}
