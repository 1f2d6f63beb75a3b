package mapping

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// inspector checks a syntax tree before its types are known.
type inspector struct {
	tables  map[string]*Table
	loops   int
	seen    map[ast.Node]bool
	callees map[ast.Node]bool
}

// inspect returns the first fault below node and where it stands, in runes.
func (i *inspector) inspect(node ast.Node) (at int, err error) {
	if i.seen[node] {
		return 0, nil // the parts of a chain of comparisons stand in the tree twice
	}
	if i.seen == nil {
		i.seen, i.callees = map[ast.Node]bool{}, map[ast.Node]bool{}
	}
	i.seen[node] = true
	if err := i.one(node); err != nil {
		return node.Location().From, err
	}
	if loop, ok := node.(*ast.PredicateNode); ok {
		i.loops++
		defer func() { i.loops-- }()
		if i.loops > maxLoops {
			return loop.Location().From, faultf("loops stand more than %d deep in each other", maxLoops)
		}
	}
	for _, child := range children(node) {
		if at, err := i.inspect(*child); err != nil {
			return at, err
		}
	}
	return 0, nil
}

func (i *inspector) one(node ast.Node) error {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" || strings.HasPrefix(n.Value, hidden) {
			return faultf("unknown name %s", n.Value)
		}
		if _, ok := functionNamed[n.Value]; ok && !i.callees[node] {
			return faultf("%s is a function and must be called", n.Value)
		}
	case *ast.VariableDeclaratorNode:
		if strings.HasPrefix(n.Name, hidden) {
			return faultf("a name must not begin with %s", hidden)
		}
		if _, ok := functionNamed[n.Name]; ok {
			return faultf("%s is a function and cannot be a name", n.Name)
		}
	case *ast.CallNode:
		return i.call(n)
	case *ast.BuiltinNode:
		if f, ok := functionNamed[n.Name]; !ok || f.types != nil {
			return faultf("unknown name %s", n.Name)
		}
	case *ast.MemberNode:
		ticket, ok := unchained(n.Node).(*ast.IdentifierNode)
		part, also := n.Property.(*ast.StringNode)
		if ok && also && ticket.Value == "ticket" && part.Value == category {
			return fault(noCategory)
		}
	case *ast.BytesNode:
		return fault("bytes are not used in rules; write a text")
	case *ast.BinaryNode:
		if n.Operator == "matches" {
			_, err := pattern(n.Right)
			return err
		}
	}
	return nil
}

func unchained(node ast.Node) ast.Node {
	if chain, ok := node.(*ast.ChainNode); ok {
		return chain.Node
	}
	return node
}

func (i *inspector) call(n *ast.CallNode) error {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return fault("only functions can be called")
	}
	i.callees[callee] = true
	if _, ok := functionNamed[callee.Value]; !ok {
		return faultf("unknown function %s", callee.Value)
	}
	if callee.Value != "table" || len(n.Arguments) == 0 {
		return nil
	}
	name, ok := n.Arguments[0].(*ast.StringNode)
	if !ok {
		return fault("the name of a table must be written out")
	}
	t := i.tables[name.Value]
	switch {
	case t == nil:
		return faultf("there is no table %s", name.Value)
	case len(n.Arguments) == 1 && t.Values != nil:
		return faultf("table %s has values, so it needs a key: table(%q, key)", name.Value, name.Value)
	case len(n.Arguments) == 2 && t.Values == nil:
		return faultf("table %s is a list and has no keys", name.Value)
	}
	return nil
}

// pattern compiles the right side of matches, which must be written out and cheap.
func pattern(node ast.Node) (*regexp.Regexp, error) {
	text, ok := node.(*ast.StringNode)
	if !ok {
		return nil, fault("the pattern of matches must be written out")
	}
	parsed, err := syntax.Parse(text.Value, syntax.Perl)
	if err != nil {
		return nil, faultf("the pattern is not valid: %s", err)
	}
	if steps, err := syntax.Compile(parsed.Simplify()); err != nil || len(steps.Inst) > maxPattern {
		return nil, fault("the pattern repeats too much")
	}
	return regexp.Compile(text.Value)
}

// children returns the parts of a node.
func children(node ast.Node) []*ast.Node {
	switch n := node.(type) {
	case *ast.UnaryNode:
		return []*ast.Node{&n.Node}
	case *ast.BinaryNode:
		return []*ast.Node{&n.Left, &n.Right}
	case *ast.ChainNode:
		return []*ast.Node{&n.Node}
	case *ast.MemberNode:
		return []*ast.Node{&n.Node, &n.Property}
	case *ast.SliceNode:
		return slices.DeleteFunc([]*ast.Node{&n.Node, &n.From, &n.To}, func(child *ast.Node) bool { return *child == nil })
	case *ast.CallNode:
		return append([]*ast.Node{&n.Callee}, pointers(n.Arguments)...)
	case *ast.BuiltinNode:
		return pointers(n.Arguments)
	case *ast.PredicateNode:
		return []*ast.Node{&n.Node}
	case *ast.VariableDeclaratorNode:
		return []*ast.Node{&n.Value, &n.Expr}
	case *ast.SequenceNode:
		return pointers(n.Nodes)
	case *ast.ConditionalNode:
		return []*ast.Node{&n.Cond, &n.Exp1, &n.Exp2}
	case *ast.ArrayNode:
		return pointers(n.Nodes)
	case *ast.MapNode:
		return pointers(n.Pairs)
	case *ast.PairNode:
		return []*ast.Node{&n.Key, &n.Value}
	}
	return nil
}

func pointers(nodes []ast.Node) []*ast.Node {
	out := make([]*ast.Node, len(nodes))
	for i := range nodes {
		out[i] = &nodes[i]
	}
	return out
}
