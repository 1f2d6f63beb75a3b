package mapping

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// bounded fails when one input takes far longer than any limit allows.
func bounded(t *testing.T, start time.Time) {
	t.Helper()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func seedFiles(f *testing.F, pattern string, add func(text []byte)) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatalf("list seeds: %v, %d found", err, len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		add(text)
	}
}

// FuzzDocument reads foreign bytes as every kind of document.
func FuzzDocument(f *testing.F) {
	seedFiles(f, "testdata/*/rule.yaml", func(text []byte) { f.Add(text) })
	seedFiles(f, "starter/*.yaml", func(text []byte) { f.Add(text) })
	seedFiles(f, "testdata/policies/*/policy.yaml", func(text []byte) { f.Add(text) })
	for _, text := range []string{"kind: &a [*a]", "kind: |\n\n  x", "--- >\n a\n--- |", "{a: {b: [c, 'd", "\ufeff%YAML 1.2\n---\na", "? a\n: b", "kind: \"\\u\"", "a: !!binary x"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		defer bounded(t, time.Now())
		documents, err := SplitDocuments(text)
		if err != nil {
			return
		}
		for _, d := range documents {
			_, headErr := ReadHeader(d)
			_, ruleErr := ParseRule(d)
			_, policyErr := ParsePolicy(d)
			_, tableErr := ParseTable(d)
			_, peopleErr := ParsePeople(d)
			for _, err := range []error{headErr, ruleErr, policyErr, tableErr, peopleErr} {
				var faults Errors
				if err != nil && (!errors.As(err, &faults) || len(faults) == 0) {
					t.Errorf("got %v, want Errors", err)
				}
			}
			if headErr != nil && ruleErr == nil {
				t.Errorf("a rule has a header that cannot be read: %v", headErr)
			}
		}
	})
}

// FuzzCompile compiles foreign text as a condition, a text and a decision.
func FuzzCompile(f *testing.F) {
	for _, fn := range Functions() {
		for _, e := range fn.Examples {
			f.Add(e.Expr)
		}
	}
	for _, text := range []string{
		`event.kind == "a" and (event.test or not event.test)`, `a ${event.reason} b`, `$${x} ${"}"}`, `let x = 1; x == 1 && true`, `1 < 2 < 3 and true | string() == "x" and true`,
		`[1, 2][0:1]?.a ?? {"a": #}`, `table("priority", event.kind) in table("trusted")`, `event.raw matches "(a{9}){9}"`, "`}` /* } */ // }", `all([1], {let a = #; any([2], # == a)})`, `if true { 1 } else { 2 }`, `$env`, `__meter`, `-+!not 1`, `b"x"`, `1..2`, `#index`, `.a.b`, `::a`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		defer bounded(t, time.Now())
		env := Env{Data: map[string][]Field{"a": {{Name: "x", Type: "text"}}}, Tables: exampleTables}
		r := &Rule{
			Name: "fuzz", On: "epm", When: text,
			Create:   &Create{At: "a", Project: text, Type: "b", Summary: text, Description: text, Labels: []string{text}, Fields: map[string]any{"f": text}},
			Decision: &Decision{Approved: text, Denied: text, Revoked: text, Duration: text, Reason: text, Policy: "p"},
		}
		_, err := Compile(r, env)
		var faults Errors
		if err != nil && !errors.As(err, &faults) {
			t.Errorf("got %v, want Errors", err)
		}
		alone, err := Compile(&Rule{Name: "fuzz", On: "epm", When: text}, Env{Tables: exampleTables})
		if err != nil {
			return
		}
		sameCondition(t, text, alone)
		if _, err := alone.Eval(t.Context(), map[string]any{"kind": "a", "raw": []any{"x", 1.0}}); err != nil {
			var one *Error
			if !errors.As(err, &one) {
				t.Errorf("got %v, want an *Error", err)
			}
		}
	})
}

// FuzzPolicy reads foreign bytes as a policy and asks it about foreign events.
func FuzzPolicy(f *testing.F) {
	seedFiles(f, "testdata/policies/*/policy.yaml", func(text []byte) {
		f.Add(text, []byte(`{"kind":"a","severity":"high","test":true,"data":{"ComputerGroup":"Servers"}}`))
		f.Add(text, []byte(`{"kind":"a","severity":"low","test":"x"}`))
	})
	f.Fuzz(func(t *testing.T, text, body []byte) {
		defer bounded(t, time.Now())
		p, err := ParsePolicy(text)
		var faults Errors
		if err != nil {
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Errorf("got %v, want Errors", err)
			}
			return
		}
		for i, terms := range p.Terms() {
			sensible(t, i, terms)
		}
		program, err := CompilePolicy(p, Env{Tables: exampleTables})
		if err != nil {
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Errorf("got %v, want Errors", err)
			}
			return
		}
		var event map[string]any
		if json.Unmarshal(body, &event) != nil {
			return
		}
		var one *Error
		terms, err := program.For(t.Context(), event)
		if err != nil {
			if !errors.As(err, &one) || !terms.Approvers.empty() {
				t.Errorf("got %+v, %v, want an *Error alone", terms, err)
			}
			return
		}
		again, err := program.For(t.Context(), event)
		if err != nil || again.Name != terms.Name {
			t.Errorf("got %s and then %s, %v", terms.Name, again.Name, err)
		}
		if ok, _ := terms.Approvers.Admit(t.Context(), Actor{Groups: terms.Approvers.Groups}, event, event); ok {
			t.Error("somebody we do not know is admitted")
		}
		actor := Actor{Person: "nobody named", Groups: []string{"no group named"}}
		if ok, err := terms.Approvers.Admit(t.Context(), actor, event, event); ok && terms.Approvers.When == "" || err != nil && !errors.As(err, &one) {
			t.Errorf("got %v, %v", ok, err)
		}
		terms.Hours.Open(time.Unix(int64(len(body))*1e6, 0))
	})
}

// sensible checks what holds of all terms that were read.
func sensible(t *testing.T, i int, terms Terms) {
	t.Helper()
	if terms.Approvers.empty() || terms.Quorum < 1 || terms.Quorum > maxQuorum || terms.Revoke != nil && terms.Revoke.empty() {
		t.Errorf("terms %d cannot be met: %+v", i, terms)
	}
	if d := terms.Deadline; d != nil {
		if d.After <= 0 || !slices.IsSorted(d.Remind) || len(d.Remind) > 0 && d.Remind[len(d.Remind)-1] >= d.After ||
			d.Deputy != nil && (d.Deputy.After <= 0 || d.Deputy.After >= d.After || d.Deputy.Approvers.empty()) ||
			d.Second != nil && (d.Second.After <= 0 || d.Second.After >= d.After || d.Second.Rule == "") {
			t.Errorf("terms %d have the deadline %+v", i, d)
		}
	}
	for _, length := range []time.Duration{0, time.Second, time.Hour, 240 * time.Hour} {
		g, err := terms.Durations.Grant(length == 0, length)
		if d := terms.Durations; d != nil && err == nil && d.Max > 0 && g.Length > d.Max {
			t.Errorf("terms %d grant %s", i, g)
		}
	}
	if h := terms.Hours; h != nil && (h.location == nil || h.From == h.To || h.From < 0 || h.To > dayMinutes) {
		t.Errorf("terms %d have the hours %+v", i, h)
	}
}

// sameCondition checks that the terms of a condition, joined by and, are the condition.
func sameCondition(t *testing.T, text string, p *Program) {
	t.Helper()
	parse := func(text string) (ast.Node, string) {
		tree, err := parser.ParseWithConfig(text, checkConfig(Env{}.eventTypes(nil)))
		if err != nil {
			t.Fatalf("parse %q again: %v", text, err)
		}
		return tree.Node, tree.Node.String()
	}
	var parts []string
	for _, term := range p.terms {
		parts = append(parts, "("+term.text+"\n)")
	}
	_, want := parse(text)
	if _, got := parse(strings.Join(parts, " and ")); strings.ReplaceAll(got, "&&", "and") != strings.ReplaceAll(want, "&&", "and") {
		t.Errorf("the terms %q make %s of %s", parts, got, want)
	}
}

// FuzzEval evaluates foreign expressions over foreign events.
func FuzzEval(f *testing.F) {
	for _, fn := range Functions() {
		for _, e := range fn.Examples {
			f.Add(e.Expr, []byte(`{"kind":"a","data":{"b":1,"a":[2,{"c":"x"}]}}`))
		}
	}
	seedFiles(f, "testdata/*/event.json", func(text []byte) {
		f.Add(`[event.data, code(event.reason), event.data.Tags[1:], keys(event) == values(event)]`, text)
		f.Add(`map(event.data.Tags, {split(#, " ")}) | flatten() | join("-")`, text)
	})
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		defer bounded(t, time.Now())
		var event map[string]any
		if json.Unmarshal(body, &event) != nil {
			return
		}
		r := &Rule{
			Name: "fuzz", On: "epm", When: "true",
			Create: &Create{At: "a", Project: "b", Type: "c", Summary: "s ${" + text + "}", Description: "${" + text + "} ${event.reason}", Fields: map[string]any{"f": "${" + text + "}"}},
		}
		p, err := Compile(r, Env{Tables: exampleTables})
		if err != nil {
			return
		}
		got, err := p.Eval(t.Context(), event)
		if err != nil {
			var one *Error
			if !errors.As(err, &one) {
				t.Errorf("got %v, want an *Error", err)
			}
			return
		}
		written, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("the result is not JSON: %v", err)
		}
		if len(written) > 16*usual.result {
			t.Errorf("the result has %d bytes", len(written))
		}
		again, err := p.Eval(t.Context(), event)
		if err != nil {
			t.Fatalf("a second evaluation fails: %v", err)
		}
		if second, err := json.Marshal(again); err != nil || string(second) != string(written) {
			t.Errorf("a second evaluation differs: %v", err)
		}
	})
}
