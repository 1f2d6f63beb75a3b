package mapping

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

const benchWhen = `event.kind == "access.requested" and event.data.ComputerGroup == "IT" and event.data.Publisher not in ["ACME Ltd", "Example AG"]`

var benchTexts = []string{
	`event.requester.name + " asks to run " + (event.data.ProductName ?? "an application")`, `event.reason`, `event.data.CmdArgs`,
	`event.severity == "high" ? "High" : "Medium"`, `upper(event.data.ComputerGroup)`, `event.data.Count`, `event.data.Publisher`,
	`len(event.data.Tags)`, `event.url ?? ""`, `event.request_id`,
}

func benchEvent(b *testing.B) map[string]any {
	b.Helper()
	text, err := os.ReadFile("testdata/create/event.json")
	if err != nil {
		b.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal(text, &event); err != nil {
		b.Fatal(err)
	}
	return event
}

func benchRule(b *testing.B, action string) *Program {
	b.Helper()
	p, err := compileText(Env{}, []byte("kind: Rule\nname: bench\non: epm\nwhen: '"+benchWhen+"'\n"+action))
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// bare compiles without any of this package's limits, which is what its cost is compared with.
func bare(b *testing.B, text string) *vm.Program {
	b.Helper()
	p, err := expr.Compile(text, expr.Env(map[string]any{"event": map[string]any{}}))
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// beside measures rule and bare, and how much longer rule takes: the median of short turns, so that a slow moment of the
// machine meets both.
func beside(b *testing.B, bare, rule func() error) {
	for _, one := range []struct {
		name string
		run  func() error
	}{{"bare", bare}, {"rule", rule}} {
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := one.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("ratio", func(b *testing.B) {
		turn := func(run func() error) float64 {
			start := time.Now()
			for range 100 {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
			return time.Since(start).Seconds()
		}
		var ratios []float64
		for b.Loop() {
			ratios = append(ratios, turn(rule)/turn(bare))
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "x-bare")
	})
}

func BenchmarkWhen(b *testing.B) {
	event := benchEvent(b)
	when, env := bare(b, benchWhen), map[string]any{"event": event}
	p := benchRule(b, "")
	beside(b, func() error {
		_, err := expr.Run(when, env)
		return err
	}, func() error {
		_, err := p.Eval(b.Context(), event)
		return err
	})
}

func BenchmarkTicketOfTenFields(b *testing.B) {
	event := benchEvent(b)
	env := map[string]any{"event": event}
	var programs []*vm.Program
	for _, text := range append([]string{benchWhen}, benchTexts...) {
		programs = append(programs, bare(b, text))
	}
	action := "create:\n  at: jira\n  project: A\n  type: B\n  summary: C\n  fields:\n"
	for i, text := range benchTexts {
		action += fmt.Sprintf("    f%d: '${%s}'\n", i, strings.ReplaceAll(text, "'", "''"))
	}
	p := benchRule(b, action)
	beside(b, func() error {
		for _, program := range programs {
			if _, err := expr.Run(program, env); err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		_, err := p.Eval(b.Context(), event)
		return err
	})
}

func BenchmarkCompile(b *testing.B) {
	text, err := os.ReadFile("testdata/create/rule.yaml")
	if err != nil {
		b.Fatal(err)
	}
	env := testEnv(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := compileText(env, text); err != nil {
			b.Fatal(err)
		}
	}
}
