package mapping

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

func TestAdmit(t *testing.T) {
	t.Parallel()
	kim := Actor{Person: "kim", Groups: []string{"all", "desk"}, Account: "acc-kim", Name: "Kim", Mail: "kim@corp.example"}
	event := map[string]any{"severity": "high", "requester": map[string]any{"mail": "ana@corp.example"}}
	ticket := map[string]any{"priority": "Low", "status": "Approved", "category": "done", "fields": map[string]any{"team": "red"}}
	for _, c := range []struct {
		name, approvers string
		actor           Actor
		want            bool
	}{
		{"by person", "{ people: [lee, kim] }", kim, true},
		{"by group", "{ groups: [desk] }", kim, true},
		{"by either", "{ people: [lee], groups: [desk] }", kim, true},
		{"by neither", "{ people: [lee], groups: [duty] }", kim, false},
		{"names are exact", "{ people: [Kim], groups: [DESK] }", kim, false},
		{"a group is no person", "{ people: [desk], groups: [kim] }", kim, false},
		{"person and condition", `{ people: [kim], when: actor.mail == "kim@corp.example" }`, kim, true},
		{"person without the condition", `{ people: [kim], when: actor.mail == "x" }`, kim, false},
		{"condition without the person", `{ people: [lee], when: "true" }`, kim, false},
		{"group and condition", `{ groups: [desk], when: event.severity == "high" }`, kim, true},
		{"condition alone", `{ when: '"desk" in actor.groups and actor.account == "acc-kim" and actor.name == "Kim"' }`, kim, true},
		{"condition alone that does not hold", `{ when: '"duty" in actor.groups' }`, kim, false},
		{"over all three", `{ when: actor.mail != event.requester.mail and ticket.priority != "Highest" and ticket.fields.team == "red" }`, kim, true},
		{"no groups", `{ when: len(actor.groups) == 0 }`, Actor{Person: "kim"}, true},
		{"nobody we know, by group", "{ groups: [desk] }", Actor{Groups: []string{"desk"}}, false},
		{"nobody we know, by condition", `{ when: "true" }`, Actor{Account: "acc-kim"}, false},
		{"the category is not seen", `{ when: '"category" in keys(ticket)' }`, kim, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := compilePolicyText(Env{}, "kind: Policy\nname: p\napprovers: "+c.approvers+"\n")
			if err != nil {
				t.Fatal(err)
			}
			terms, err := p.For(t.Context(), event)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := terms.Approvers.Admit(t.Context(), c.actor, event, ticket); got != c.want || err != nil {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestAdmitNobodyWhereNobodyIsNamed(t *testing.T) {
	t.Parallel()
	for _, a := range []Approvers{{}, {People: []string{""}, Groups: []string{""}}, {People: []string{"lee"}}} {
		if got, err := a.Admit(t.Context(), Actor{Person: "kim", Groups: []string{"desk"}}, nil, nil); got || err != nil {
			t.Errorf("%+v: got %v, %v", a, got, err)
		}
	}
	if got, err := (Approvers{People: []string{""}}).Admit(t.Context(), Actor{}, nil, nil); got || err != nil {
		t.Errorf("nobody at all: got %v, %v", got, err)
	}
}

func TestAdmitFailsClosed(t *testing.T) {
	t.Parallel()
	const text = "kind: Policy\nname: p\napprovers: { people: [kim], when: int(ticket.fields.n) > 1 }\n"
	kim := Actor{Person: "kim"}
	parsed, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parsed.Terms()[0].Approvers.Admit(t.Context(), kim, nil, nil); got || err == nil {
		t.Errorf("not compiled: got %v, %v", got, err)
	}
	p, err := CompilePolicy(parsed, Env{})
	if err != nil {
		t.Fatal(err)
	}
	terms, err := p.For(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := terms.Approvers.Admit(t.Context(), kim, nil, map[string]any{"fields": map[string]any{"n": "secret-4711"}})
	if got || err == nil || strings.Contains(err.Error(), "4711") || !strings.Contains(err.Error(), "p: approvers.when: line 3") {
		t.Errorf("a condition that fails: got %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := terms.Approvers.Admit(ctx, kim, nil, map[string]any{"fields": map[string]any{"n": 2.0}}); got || !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: got %v, %v", got, err)
	}
}

func TestDeputiesAndRevokersHaveConditionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := policyOf(t, `deadline: { after: 2h, deputy: { after: 1h, groups: [duty], when: actor.name != "Max" } }`, "revoke: { when: ticket.fields.team == actor.name }")
	terms, err := p.For(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ticket := map[string]any{"fields": map[string]any{"team": "Max"}}
	for name, want := range map[string][2]bool{"Ana": {true, false}, "Max": {false, true}} {
		actor := Actor{Person: "x", Groups: []string{"duty"}, Name: name}
		deputy, err := terms.Deadline.Deputy.Approvers.Admit(t.Context(), actor, nil, ticket)
		if err != nil {
			t.Fatal(err)
		}
		revoker, err := terms.Revoke.Admit(t.Context(), actor, nil, ticket)
		if err != nil || [2]bool{deputy, revoker} != want {
			t.Errorf("%s: got %v, %v, %v, want %v", name, deputy, revoker, err, want)
		}
	}
	if before := p.Policy().Terms()[0]; before.Deadline.Deputy.Approvers.when.expression != nil {
		t.Error("compiling changed the policy")
	}
}

func TestPoliciesTellWhetherGroupsMatter(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"": false, "revoke: { people: [lee] }": false, "revoke: { groups: [x] }": true, "quorum: 1": false,
		"cases: [{ when: event.test, approvers: { groups: [x] } }]":                             true,
		"deadline: { after: 2h, deputy: { after: 1h, groups: [x] } }":                           true,
		"deadline: { after: 2h, deputy: { after: 1h, when: '\"x\" in actor.groups' } }":         true,
		"cases: [{ when: event.test, approvers: { people: [lee] } }, { when: not event.test }]": false,
	} {
		if got := policyOf(t, line).UsesGroups(); got != want {
			t.Errorf("%s: got %v, want %v", line, got, want)
		}
	}
}

func TestConditionsSeeTablesAndKinds(t *testing.T) {
	t.Parallel()
	env := testEnv(t)
	p, err := compilePolicyText(env, `
kind: Policy
name: p
approvers: { people: [kim], when: 'event.data.Publisher in table("trusted-publishers")' }
cases:
  - when: event.kind == "admin.requested" and event.data.UserName == "ana"
`)
	if err != nil {
		t.Fatal(err)
	}
	for publisher, want := range map[string]bool{"ACME Ltd": true, "Other Ltd": false} {
		event := map[string]any{"kind": "access.requested", "data": map[string]any{"Publisher": publisher}}
		terms, err := p.For(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := terms.Approvers.Admit(t.Context(), Actor{Person: "kim"}, event, nil); got != want || err != nil {
			t.Errorf("%s: got %v, %v", publisher, got, err)
		}
	}
}

func TestPolicyProgramsAreUsedAtTheSameTime(t *testing.T) {
	t.Parallel()
	p, err := compilePolicyText(Env{}, "kind: Policy\nname: p\napprovers: { when: actor.person == event.subject }\ncases: [{ when: 'event.subject == \"b\"', quorum: 2 }]\n")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			event := map[string]any{"subject": name}
			for range 200 {
				terms, err := p.For(t.Context(), event)
				if err != nil || (terms.Quorum == 2) != (name == "b") {
					t.Errorf("%s: got %+v, %v", name, terms, err)
					return
				}
				if ok, err := terms.Approvers.Admit(t.Context(), Actor{Person: name}, event, nil); !ok || err != nil {
					t.Errorf("%s: got %v, %v", name, ok, err)
					return
				}
				if ok, err := terms.Approvers.Admit(t.Context(), Actor{Person: name + "x"}, event, nil); ok || err != nil {
					t.Errorf("%s: a stranger: got %v, %v", name, ok, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
