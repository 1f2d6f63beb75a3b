package mapping

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/expr-lang/expr/types"
)

// PolicyProgram is a compiled policy. It may be used by several goroutines at once.
type PolicyProgram struct {
	policy  *Policy
	terms   []Terms // the policy's own, then each case's, with their conditions compiled
	cases   []*expression
	runners *runners
}

// condition is an expression that is true or false, over several values.
type condition struct {
	path       string // where it stands in its document
	expression *expression
	runners    *runners
}

// Actor is somebody who did something at a desk.
type Actor struct {
	Person  string   // by the name in a People document, empty when it is nobody we know
	Groups  []string // as the desk reports them
	Account string   // at the desk
	Name    string
	Mail    string
}

// CompilePolicy checks every condition of p against env and returns its program. The error is Errors and holds every
// fault found.
func CompilePolicy(p *Policy, env Env) (*PolicyProgram, error) {
	var faults Errors
	program := &PolicyProgram{policy: p, runners: &runners{}}
	for i, when := range p.cases {
		path := fmt.Sprintf("cases[%d].when", i)
		if s, root, _, ok := env.narrowed(p, when, path, env.eventTypes, &faults); ok {
			program.cases = append(program.cases, s.compileTree(root, when, path, 0, true))
		}
	}
	c := policyCompiler{policy: p, env: env, runners: program.runners, done: map[string]*condition{}, faults: &faults}
	for i, t := range p.Terms() {
		program.terms = append(program.terms, c.terms(t))
		c.matters(i, t.Matters)
	}
	if len(faults) > 0 {
		return nil, faults.inOrder()
	}
	return program, nil
}

// policyCompiler compiles the conditions of terms, each once: terms share what they inherit.
type policyCompiler struct {
	policy  *Policy
	env     Env
	runners *runners
	done    map[string]*condition
	faults  *Errors
}

func (c *policyCompiler) terms(t Terms) Terms {
	t.Approvers = c.approvers(t.Approvers, "approvers.when")
	if t.Deadline != nil && t.Deadline.Deputy != nil {
		deadline, deputy := *t.Deadline, *t.Deadline.Deputy
		deputy.Approvers = c.approvers(deputy.Approvers, "deadline.deputy.when")
		deadline.Deputy = &deputy
		t.Deadline = &deadline
	}
	if t.Revoke != nil {
		revoke := c.approvers(*t.Revoke, "revoke.when")
		t.Revoke = &revoke
	}
	return t
}

// approvers compiles a condition. usual is where it stands in a policy that was not read from a text.
func (c *policyCompiler) approvers(a Approvers, usual string) Approvers {
	if a.When == "" {
		return a
	}
	path := usual
	if a.when != nil {
		path = a.when.path
	}
	compiled, done := c.done[path]
	if !done {
		compiled = &condition{path: path, runners: c.runners}
		if s, root, _, ok := c.env.narrowed(c.policy, a.When, path, c.env.approvalTypes, c.faults); ok {
			compiled.expression = s.compileTree(root, a.When, path, 0, true)
		}
		c.done[path] = compiled
	}
	a.when = compiled
	return a
}

// matters checks names of ticket fields where the desk's are known. Terms are those of case n, 0 for the policy's own.
func (c *policyCompiler) matters(n int, names []string) {
	path := "matters"
	if n > 0 {
		path = fmt.Sprintf("cases[%d].matters", n-1)
		if c.policy.source == nil || c.policy.source.values[path] == nil {
			return // inherited, and checked where it stands
		}
	}
	for i, name := range names {
		if name != "description" && !slices.Contains(ticketTexts, name) && !c.env.hasField(name) {
			*c.faults = append(*c.faults, c.policy.fault(fmt.Sprintf("%s[%d]", path, i), 0, "the desk has no field "+name))
		}
	}
}

// Policy returns the policy the program was compiled from.
func (p *PolicyProgram) Policy() *Policy { return p.policy }

// UsesGroups tells whether anybody's groups can make a difference to who is admitted.
func (p *PolicyProgram) UsesGroups() bool {
	uses := func(a Approvers) bool { return len(a.Groups) > 0 || a.When != "" }
	return slices.ContainsFunc(p.terms, func(t Terms) bool {
		return uses(t.Approvers) || t.Revoke != nil && uses(*t.Revoke) || t.Deadline != nil && t.Deadline.Deputy != nil && uses(t.Deadline.Deputy.Approvers)
	})
}

// For returns the terms that hold for an event in its JSON form. The error is an *Error that shows nothing of the
// event; an event that a condition fails on has no terms, and nobody may decide about it. The caller must not
// change what the terms hold.
func (p *PolicyProgram) For(ctx context.Context, event map[string]any) (Terms, error) {
	if len(p.cases) == 0 {
		return p.terms[0], nil
	}
	r := p.runners.take(ctx, "event", event)
	defer p.runners.give(r, "event")
	for i, when := range p.cases {
		holds, err := when.condition(r)
		if err != nil {
			return Terms{}, err
		}
		if holds {
			return p.terms[i+1], nil
		}
	}
	return p.terms[0], nil
}

// Admit tells whether somebody is among the approvers: named by person or group, and meeting the condition where there
// is one. Who is nobody we know is never among them. The error is an *Error that shows nothing of the values; nobody
// is admitted by a condition that fails, or that was not compiled.
func (a Approvers) Admit(ctx context.Context, actor Actor, event, ticket map[string]any) (bool, error) {
	named := slices.Contains(a.People, actor.Person) ||
		slices.ContainsFunc(actor.Groups, func(group string) bool { return slices.Contains(a.Groups, group) }) ||
		len(a.People)+len(a.Groups) == 0 && a.When != ""
	if actor.Person == "" || !named {
		return false, nil
	}
	if a.When == "" {
		return true, nil
	}
	if a.when == nil || a.when.expression == nil {
		return false, &Error{Field: "when", Message: "the condition was not compiled"}
	}
	values := map[string]any{"actor": actor.value(), "event": event, "ticket": withoutCategory(ticket)}
	r := a.when.runners.lend(ctx, values)
	defer a.when.runners.settle(r, values)
	return a.when.expression.condition(r)
}

func (a Actor) value() map[string]any {
	return map[string]any{"person": a.Person, "groups": widen(a.Groups), "account": a.Account, "name": a.Name, "mail": a.Mail}
}

// approvalTypes is what conditions of approvers may name.
func (e Env) approvalTypes(kinds []string) types.Map {
	out := types.Map{"actor": types.Map{
		"person": types.String, "groups": listType, "account": types.String, "name": types.String, "mail": types.String,
	}}
	maps.Copy(out, e.eventTypes(kinds))
	maps.Copy(out, e.ticketTypes())
	return out
}
