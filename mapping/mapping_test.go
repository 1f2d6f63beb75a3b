package mapping

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKindsAreReadOffTheCondition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		when string
		want []string
	}{
		{`event.kind == "a"`, []string{"a"}},
		{`"a" == event.kind`, []string{"a"}},
		{`event.kind == "a" and event.test`, []string{"a"}},
		{`event.test && (event.reason == "x" and event.kind in ["a", "b"])`, []string{"a", "b"}},
		{`event.kind in ["a", "b"] and event.kind in ["b", "c"]`, []string{"b"}},
		{`event.kind == "a" or event.kind in ["b", "a"]`, []string{"a", "b"}},
		{`event.kind == "a" or event.test`, nil},
		{`event.kind != "a"`, nil},
		{`not (event.kind == "a")`, nil},
		{`event.kind in [event.type]`, nil},
		{`event.kind startsWith "a"`, nil},
		{`event["kind"] == "a"`, []string{"a"}},
		{`event.test ? event.kind == "a" : true`, nil},
		{`true`, nil},
	} {
		t.Run(c.when, func(t *testing.T) {
			t.Parallel()
			p, err := Compile(&Rule{Name: "r", On: "epm", When: c.when}, Env{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, p.Kinds()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTermsAreTheTopLevelConjuncts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		when string
		want []Term
	}{
		{`true and 1 < 2 and "a" == "a"`, []Term{{"true", true}, {"1 < 2", true}, {`"a" == "a"`, true}}},
		{`true && false && true`, []Term{{"true", true}, {"false", false}}},
		{`(true and true) and true`, []Term{{"(true and true)", true}, {"true", true}}},
		{`true and (false or true)`, []Term{{"true", true}, {"(false or true)", true}}},
		{`true and false or true`, []Term{{"true and false or true", true}}},
		{`1 < 2 < 3`, []Term{{"1 < 2 < 3", true}}},
		{`1 < 2 < 3 and not false`, []Term{{"1 < 2 < 3", true}, {"not false", true}}},
		{`let x = true; x and true`, []Term{{"let x = true; x and true", true}}},
		{`true ? true and true : false`, []Term{{"true ? true and true : false", true}}},
		{`"and" == "and" and all([1], # > 0 and true)`, []Term{{`"and" == "and"`, true}, {"all([1], # > 0 and true)", true}}},
		{`true and "a" | upper() == "A"`, []Term{{"true", true}}},
		{"true // one and two\nand true", []Term{{"true // one and two", true}, {"true", true}}},
		{`true and event.test`, []Term{{"true", true}, {"event.test", false}}},
	} {
		t.Run(c.when, func(t *testing.T) {
			t.Parallel()
			p, err := Compile(&Rule{Name: "r", On: "epm", When: c.when}, Env{})
			if strings.Contains(c.when, "|") {
				if err == nil {
					t.Fatal("a pipe of truth into upper compiled")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Eval(t.Context(), map[string]any{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Terms); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if last := got.Terms[len(got.Terms)-1]; got.Matched != last.True {
				t.Errorf("matched is %v", got.Matched)
			}
		})
	}
}

func TestPipesKeepTheirMeaningInConditions(t *testing.T) {
	t.Parallel()
	// A pipe binds less than and: this is toJSON(true and false) == "false".
	p, err := Compile(&Rule{Name: "r", On: "epm", When: `(true and false | toJSON()) == "false" and true`}, Env{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Eval(t.Context(), nil)
	if err != nil || !got.Matched || len(got.Terms) != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	p, err = Compile(&Rule{Name: "r", On: "epm", When: `[1] | any(# == 1) and true | string() == "true" and true`}, Env{})
	if err == nil {
		got, err = p.Eval(t.Context(), nil)
		if err != nil || len(got.Terms) != 1 {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestCompileKnowsWhatTheSourceSends(t *testing.T) {
	t.Parallel()
	env := testEnv(t)
	for _, c := range []struct{ when, want string }{
		{`event.kind == "acess.requested"`, "the source sends no events of kind acess.requested; it sends access.requested, admin.requested"},
		{`event.kind == "admin.requested" and event.data.ProductName == "x"`, "unknown field ProductName"},
		{`event.kind == "access.requested" and event.data.ProductName == "x"`, ""},
		{`event.data.ProductName == "x" or event.data.UserName == "y"`, ""},
		{`event.kind == "test" and event.data.anything == 1`, ""},
		{`event.kind == "access.requested" and event.kind == "admin.requested"`, "no event can meet this condition"},
		{`event.kind`, "must be true or false"},
		{`event.data.Count == "x"`, "mismatched types"},
		{`upper(event.data.Count) == "x"`, "cannot use number"},
		{`event.raw.anything.at.all == 1`, ""},
		{`event.requester.name == "x" and event.decision.by.mail == "y"`, ""},
		{`ticket.status == "x"`, "unknown name ticket"},
		{`uper("x") == "y"`, "unknown function uper"},
	} {
		t.Run(c.when, func(t *testing.T) {
			t.Parallel()
			_, err := Compile(&Rule{Name: "r", On: "epm", When: c.when}, env)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestEvalErrorsAreNotMatches(t *testing.T) {
	t.Parallel()
	p, err := Compile(&Rule{Name: "r", On: "epm", When: `event.kind == "a" and int(event.data.n) > 1`}, Env{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Eval(t.Context(), map[string]any{"kind": "a", "data": map[string]any{"n": "many"}})
	var fault *Error
	if !errors.As(err, &fault) || fault.Document != "r" || fault.Field != "when" || got.Matched {
		t.Errorf("got %+v, %v", got, err)
	}
	if len(got.Terms) != 1 {
		t.Errorf("got %d terms before the error, want 1", len(got.Terms))
	}
}

func TestEvalLimitsResults(t *testing.T) {
	t.Parallel()
	p, err := compileText(Env{}, []byte("kind: Rule\nname: r\non: epm\nwhen: 'true'\ncreate:\n  at: a\n  project: b\n  type: c\n  summary: d\n  fields:\n    x: ${event.raw}\n    y: a${event.reason}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, event := range map[string]map[string]any{
		"a value": {"raw": []any{strings.Repeat("a", 70_000)}},
		"a text":  {"reason": strings.Repeat("a", 70_000)},
	} {
		if _, err := p.Eval(t.Context(), event); err == nil || !strings.Contains(err.Error(), "64 KiB") {
			t.Errorf("%s: got %v, want the limit", name, err)
		}
	}
}

func TestEvalDoesNotKeepOrChangeTheEvent(t *testing.T) {
	t.Parallel()
	p, err := compileText(Env{}, []byte("kind: Rule\nname: r\non: epm\nwhen: 'true'\ncreate: {at: a, project: b, type: c, summary: d, fields: {x: '${event.data}'}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	event := map[string]any{"data": map[string]any{"list": []any{"a"}}}
	got, err := p.Eval(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	got.Draft.Fields["x"].(map[string]any)["list"].([]any)[0] = "changed"
	if diff := cmp.Diff(map[string]any{"data": map[string]any{"list": []any{"a"}}}, event); diff != "" {
		t.Errorf("the event changed (-want +got):\n%s", diff)
	}
}

func TestProgramsAreUsedAtTheSameTime(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/create/rule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := compileText(testEnv(t), text)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, name := range []string{"Ana", "Lee", "Kim", "Max"} {
		wg.Go(func() {
			for range 200 {
				got, err := p.Eval(t.Context(), map[string]any{"kind": "access.requested", "requester": map[string]any{"name": name}})
				if err != nil || got.Draft.Summary != name+" asks to run an application" {
					t.Errorf("got %+v, %v", got, err)
					return
				}
				if v, err := p.Decide(t.Context(), map[string]any{"status": "Approved"}); err != nil || !v.Approved {
					t.Errorf("got %+v, %v", v, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
