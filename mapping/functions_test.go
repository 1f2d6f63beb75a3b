package mapping

import (
	"context"
	"testing"

	"github.com/expr-lang/expr/types"
	"github.com/google/go-cmp/cmp"
)

// exampleTables are the tables the examples of functions read.
var exampleTables = map[string]*Table{
	"priority": {Name: "priority", Values: map[string]any{"high": "High", "low": "Low"}, Default: "Medium"},
	"trusted":  {Name: "trusted", List: []any{"ACME Ltd", "Example AG"}},
}

// evaluate compiles and runs one expression over input, whose keys are the names it may use.
func evaluate(t testing.TB, ctx context.Context, text string, input map[string]any) (any, error) {
	t.Helper()
	var faults Errors
	s := newScope(&Rule{Name: "test"}, types.Map{"event": types.Any, "ticket": types.Any}, exampleTables, &faults)
	e := s.compile(text, "when", 0, false)
	if len(faults) > 0 {
		return nil, faults
	}
	var pool runners
	event, _ := input["event"].(map[string]any)
	r := pool.take(ctx, "event", event)
	defer pool.give(r, "event")
	v, err := e.run(r)
	if err != nil {
		return nil, err
	}
	v, err = plain(&r.meter, v)
	if err != nil {
		return nil, e.fault(err)
	}
	return v, nil
}

func TestFunctionExamplesGiveWhatTheySay(t *testing.T) {
	t.Parallel()
	for _, f := range Functions() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			if f.Doc == "" || f.Signature == "" || len(f.Examples) == 0 {
				t.Fatalf("%s needs a signature, a line of documentation and an example", f.Name)
			}
			for _, e := range f.Examples {
				got, err := evaluate(t, t.Context(), e.Expr, e.Input)
				if err != nil {
					t.Fatalf("%s: %v", e.Expr, err)
				}
				if diff := cmp.Diff(e.Output, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", e.Expr, diff)
				}
			}
		})
	}
}

func TestFunctionsReadNothingAsEmpty(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expr string
		want any
	}{
		{`upper(event.data.Missing)`, ""},
		{`len(event.data.Missing)`, 0},
		{`event.data.a.b.c`, nil},
		{`event.data.Missing ?? "none"`, "none"},
		{`"a" + event.data.Missing`, "a"},
		{`event.data.Missing == "x"`, false},
		{`"x" in event.data.Missing`, false},
		{`event.data.Missing contains "x"`, false},
		{`event.data.Missing matches "x"`, false},
		{`not event.data.Missing`, true},
		{`event.data.Missing or true`, true},
		{`event.data.Missing ? 1 : 2`, 2},
		{`filter(event.data.Missing, true)`, []any{}},
		{`any(event.data.Missing, # == 1)`, false},
		{`event.data.Missing[0]`, nil},
		{`event.data.Missing[1:2]`, nil},
		{`event.data.list[9]`, nil},
		{`filter(event.data.list, .ok)`, []any{}},
	} {
		t.Run(c.expr, func(t *testing.T) {
			t.Parallel()
			got, err := evaluate(t, t.Context(), c.expr, map[string]any{"event": map[string]any{"data": map[string]any{"list": []any{map[string]any{}}}}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOperatorsKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	event := map[string]any{"n": 3.0, "s": "abc", "list": []any{"a", 1.0, nil}, "m": map[string]any{"k": "v"}, "flag": true}
	for _, c := range []struct {
		expr string
		want any
	}{
		{`event.n + 1`, 4.0},
		{`1 + 2`, 3},
		{`event.n == 3`, true},
		{`event.n in [1, 2, 3]`, true},
		{`event.n in 1..5`, true},
		{`1 in event.list`, true},
		{`nil in event.list`, true},
		{`"k" in event.m`, true},
		{`event.list == ["a", 1, nil]`, true},
		{`event.m == {"k": "v"}`, true},
		{`event.m != {"k": "w"}`, true},
		{`event.s[1:]`, "bc"},
		{`"Zoë!"[0:3]`, "Zoë"},
		{`event.list[-1]`, nil},
		{`event["s"]`, "abc"},
		{`event.m?.k`, "v"},
		{`1 < event.n < 5`, true},
		{`1 < event.n + 1 < 4`, false},
		{`event.s matches "^a.c$"`, true},
		{`event.s not matches "^b"`, true},
		{`event.s not in ["x"]`, true},
		{`let x = event.s; x + x`, "abcabc"},
		{`event.flag and event.n > 2 ? "yes" : "no"`, "yes"},
		{`event.s | upper() | truncate(2)`, "A…"},
		{`map(event.list, string(#))`, []any{"a", "1", ""}},
		{`any(event.list, {let v = #; any(event.list, # == v and # == 1)})`, true},
		{`sum([1, 2.5])`, 3.5},
		{`if event.flag { "a" } else { "b" }`, "a"},
	} {
		t.Run(c.expr, func(t *testing.T) {
			t.Parallel()
			got, err := evaluate(t, t.Context(), c.expr, map[string]any{"event": event})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
