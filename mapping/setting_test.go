package mapping

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var settingNames = Names{
	"body": {Type: "any"},
	"decision": {Fields: map[string]Shape{
		"outcome": {Type: "text"},
		"by":      {Fields: map[string]Shape{"name": {Type: "text"}}},
		"seconds": {Type: "number"},
	}},
}

func settingValues() map[string]any {
	return map[string]any{
		"body":     map[string]any{"id": "e-1", "n": 3.0, "list": []any{"a", "b"}, "big": strings.Repeat("x", 1<<20), "long": numbers(200_000)},
		"decision": map[string]any{"outcome": "approved", "by": map[string]any{"name": `Kim "K"`}},
	}
}

func TestSettingsAreComputed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		value, want any
	}{
		{"one expression keeps its value", "${body.list}", []any{"a", "b"}},
		{"text", "${body.id} by ${decision.by.name}", `e-1 by Kim "K"`},
		{"a constant", "plain", "plain"},
		{"an escaped expression", "$${body.id}", "${body.id}"},
		{"nothing at the top", "${body.missing}", nil},
		{"nothing in a mapping is left out", map[string]any{"a": "${body.missing}", "b": "${body.n}", "c": nil}, map[string]any{"b": 3.0, "c": nil}},
		{"constants of all types", []any{true, uint64(2), "x"}, []any{true, 2.0, "x"}},
		{"nested", map[string]any{"o": []any{map[string]any{"k": "${decision.outcome}"}}}, map[string]any{"o": []any{map[string]any{"k": "approved"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := CompileSetting("settings.x", tt.value, settingNames)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a runner that was used before sees nothing of its last evaluation
				got, err := s.Eval(t.Context(), settingValues())
				if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			}
		})
	}
}

func TestSettingsReportEveryFaultWithItsPlace(t *testing.T) {
	t.Parallel()
	_, err := CompileSetting("decision.body", map[string]any{
		"a": "${decision.outcom}", "b": []any{"${nobody}", `${table("x")}`}, "c": "${now()}", "d": "${", "e": "${decision.by.name + 1}",
	}, settingNames)
	var faults Errors
	if !errors.As(err, &faults) || len(faults) != 6 {
		t.Fatalf("got %v, want six faults", err)
	}
	for i, want := range []string{"decision.body.a: ", "decision.body.b[0]: ", "decision.body.b[1]: there is no table x", "decision.body.c: ", "decision.body.d: ", "decision.body.e: "} {
		if !strings.HasPrefix(faults[i].Error(), want) {
			t.Errorf("fault %d: %v, want it at %s", i, faults[i], want)
		}
	}
}

func TestSettingsAreNotNestedWithoutEnd(t *testing.T) {
	t.Parallel()
	value := any("x")
	for range 100 {
		value = []any{value}
	}
	if _, err := CompileSetting("x", value, settingNames); err == nil || !strings.Contains(err.Error(), "nested too deeply") {
		t.Errorf("got %v", err)
	}
}

func TestSettingsAreHeldToTheLimits(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"${body.big}", "${body.big + body.big}", "a ${body.big}",
		"${count(body.long, {let a = #; none(body.long, # == a + 0.5)})}",
	} {
		s, err := CompileSetting("x", text, settingNames)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Eval(t.Context(), settingValues()); err == nil {
			t.Errorf("%s: got %.20v, want an error", text, got)
		} else if strings.Contains(err.Error(), "xxx") {
			t.Errorf("%s: the error shows a value", text)
		}
		if strings.HasPrefix(text, "a ") {
			continue
		}
		filled, err := CompileSettingText("x", text, settingNames)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := filled.Fill(t.Context(), settingValues(), asItIs); err == nil {
			t.Errorf("%s: filled in without an error", text)
		}
	}
}

func TestExpressionsOfOneSettingShareTheirLimit(t *testing.T) {
	t.Parallel()
	const costly = `${len(toJSON(body.long[:2000])) + count(body.long[:60000], # > 3)}`
	one, err := CompileSetting("x", costly, settingNames)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Eval(t.Context(), settingValues()); err != nil {
		t.Fatalf("one: %v", err)
	}
	list := make([]any, 100)
	for i := range list {
		list[i] = costly
	}
	many, err := CompileSetting("x", list, settingNames)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := many.Eval(t.Context(), settingValues()); err == nil {
		t.Error("a hundred: got no error")
	}
}

func asItIs(_ int, value string) (string, error) { return value, nil }

func TestSettingTextIsFilledInPlaces(t *testing.T) {
	t.Parallel()
	s, err := CompileSettingText("url", "https://host/${body.id}?by=${decision.by.name}", settingNames)
	if err != nil {
		t.Fatal(err)
	}
	want := []Piece{{Text: "https://host/"}, {Expression: true}, {Text: "?by="}, {Expression: true}}
	if diff := cmp.Diff(want, s.Pieces()); diff != "" {
		t.Fatalf("pieces (-want +got):\n%s", diff)
	}
	got, err := s.Fill(t.Context(), settingValues(), func(piece int, value string) (string, error) {
		return map[int]string{1: "<", 3: "["}[piece] + value + ">", nil
	})
	if want := `https://host/<e-1>?by=[Kim "K">`; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	refused := errors.New("refused")
	if _, err := s.Fill(t.Context(), settingValues(), func(int, string) (string, error) { return "", refused }); !errors.Is(err, refused) {
		t.Errorf("got %v, want what the caller refused with", err)
	}
}

func TestSettingsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := CompileSetting("x", "${body.id}", settingNames)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Eval(ctx, settingValues()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func TestSettingsAreUsedByManyAtOnce(t *testing.T) {
	t.Parallel()
	s, err := CompileSetting("x", "${body.id}", settingNames)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, id := range []string{"a", "b", "c", "d"} {
		group.Go(func() {
			for range 50 {
				if got, err := s.Eval(t.Context(), map[string]any{"body": map[string]any{"id": id}}); err != nil || got != id {
					t.Errorf("got %v, %v; want %s", got, err, id)
				}
			}
		})
	}
	group.Wait()
}

func TestSettingTextKeepsWhatCannotBeSeen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text    string
		want    any
		present bool
	}{
		{"${body.hidden}", "a\x00\u202eb", true},
		{"x-${body.hidden}", "x-a\x00\u202eb", true},
		{"${body.n}", 3.0, true},
		{"${body.list}", []any{"a", "b"}, true},
		{"${body.missing}", nil, false},
		{"${body.empty}", "", false},
		{"${body.id}:${body.missing}", "e-1:", false},
		{"${body.id}:${body.n}", "e-1:3", true},
		{"constant", "constant", true},
	} {
		s, err := CompileSettingText("x", tt.text, settingNames)
		if err != nil {
			t.Fatal(err)
		}
		got, present, err := s.Value(t.Context(), map[string]any{"body": map[string]any{
			"hidden": "a\x00\u202eb", "n": 3.0, "id": "e-1", "empty": "", "list": []any{"a", "b"},
		}})
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" || present != tt.present {
			t.Errorf("%s: got %q, %v, %v; want %q, %v", tt.text, got, present, err, tt.want, tt.present)
		}
	}
}
