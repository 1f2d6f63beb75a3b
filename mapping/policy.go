package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// What a Policy says of a case whose requester is nobody we know.
const (
	Refuse = "refuse"
	Allow  = "allow"
)

// The limits of a policy.
const (
	maxQuorum = 20
	maxCases  = 100
	maxNames  = 1000
)

// Policy says who may decide, how many of them, when, for how long, and what happens when nobody does. Its own terms
// hold unless one of its cases does: the first whose condition an event meets replaces the keys it names.
type Policy struct {
	Name             string
	Approvers        Approvers // the policy's own; its cases may name others
	UnknownRequester string    // Refuse or Allow; the policy's own

	source *source
	terms  []Terms  // the policy's own, then each case's
	cases  []string // the condition of each case
}

// ParsePolicy reads a Policy document. The error is Errors and holds every fault but those of its expressions, which
// CompilePolicy finds. A policy that nobody could meet is a fault.
func ParsePolicy(text []byte) (*Policy, error) {
	s, body, err := begin(text, "Policy")
	if err != nil {
		return nil, err
	}
	if message := nameFault(s.name); message != "" {
		return nil, Errors{s.at("name", 0, message)}
	}
	var faults Errors
	s.checkKeys(body, "", policyKeys, &faults)
	p := &Policy{Name: s.name, source: s}
	own := layers{source: s, under: []string{""}, faults: &faults}
	p.terms = append(p.terms, own.terms(p.Name))
	for i := range own.count("cases", maxCases) {
		under := fmt.Sprintf("cases[%d].", i)
		if !isMapping(s.values[fmt.Sprintf("cases[%d]", i)]) {
			continue // found before
		}
		when, at, ok := own.text(under + "when")
		if !ok {
			own.add(under+"when", "a case says when it holds")
		} else if strings.TrimSpace(when) == "" {
			own.add(at, "a condition is missing")
		}
		p.cases = append(p.cases, when)
		both := layers{source: s, under: []string{under, ""}, faults: &faults}
		p.terms = append(p.terms, both.terms(fmt.Sprintf("%s/case %d", p.Name, i+1)))
	}
	if len(faults) > 0 {
		return nil, faults.inOrder()
	}
	p.Approvers, p.UnknownRequester = p.terms[0].Approvers, Refuse
	if p.terms[0].AllowUnknownRequester {
		p.UnknownRequester = Allow
	}
	return p, nil
}

// Terms returns the policy's own terms and then those of each case, merged. They are for looking at; only those that
// PolicyProgram.For returns can be asked who is admitted where they have conditions. The caller must not change them.
func (p *Policy) Terms() []Terms {
	if p.terms != nil {
		return slices.Clone(p.terms)
	}
	t := newTerms(p.Name)
	t.Approvers, t.AllowUnknownRequester = p.Approvers, p.UnknownRequester == Allow
	return []Terms{t}
}

func (p *Policy) fault(path string, offset int, message string) *Error {
	if p.source == nil {
		return &Error{Document: p.Name, Field: path, Message: message}
	}
	return p.source.at(path, offset, message)
}

// keys are those a mapping may have; what is nil is no mapping.
type keys map[string]keys

var (
	approverKeys = keys{"people": nil, "groups": nil, "when": nil}
	termKeys     = keys{
		"approvers": approverKeys, "quorum": nil, "deny": nil, "reason": nil,
		"hours":     {"zone": nil, "days": nil, "from": nil, "to": nil, "closed": nil},
		"durations": {"allowed": nil, "max": nil, "default": nil},
		"matters":   nil, "refused": {"status": nil},
		"deadline": {
			"after": nil, "remind": nil, "then": nil, "second": {"after": nil, "rule": nil},
			"deputy": {"after": nil, "people": nil, "groups": nil, "when": nil},
		},
		"revoke": approverKeys, "unknown_requester": nil,
	}
	policyKeys = with(termKeys, "kind", "name", "cases")
	caseKeys   = with(termKeys, "when")
)

func with(base keys, names ...string) keys {
	out := keys{}
	for name, below := range base {
		out[name] = below
	}
	for _, name := range names {
		out[name] = nil
	}
	return out
}

// checkKeys finds keys that are not known, mappings that are none, and values that are missing. Within a case null is
// a value: it takes away what the policy says.
func (s *source) checkKeys(node ast.Node, path string, known keys, faults *Errors) {
	inCase := strings.HasPrefix(path, "cases[")
	for _, pair := range pairs(node) {
		key := pair.Key.GetToken().Value
		at := join(path, key)
		below, ok := known[key]
		if !ok {
			*faults = append(*faults, s.atToken(at, pair.Key.GetToken(), "there is no key "+key+" here; there are "+strings.Join(sortedKeys(known), ", ")))
			continue
		}
		if null, ok := pair.Value.(*ast.NullNode); ok {
			if !inCase || !written(null) {
				*faults = append(*faults, s.atToken(at, pair.Key.GetToken(), key+" has no value"))
			}
			continue
		}
		list, isList := pair.Value.(*ast.SequenceNode)
		switch {
		case below != nil && !isMapping(pair.Value):
			*faults = append(*faults, s.at(at, 0, key+" is a mapping of "+strings.Join(sortedKeys(below), ", ")))
		case below != nil:
			s.checkKeys(pair.Value, at, below, faults)
		case at == "cases" && isList:
			for i, one := range list.Values {
				at := fmt.Sprintf("cases[%d]", i)
				if !isMapping(one) {
					*faults = append(*faults, s.at(at, 0, "a case is a mapping of when and the keys it replaces"))
					continue
				}
				s.checkKeys(one, at, caseKeys, faults)
			}
		}
	}
}

// written tells null from a value that was left out.
func written(null *ast.NullNode) bool { return null.Token.Type == token.NullType }

func pairs(node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func isMapping(node ast.Node) bool {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}
