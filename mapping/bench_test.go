package mapping

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

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

// each is the time of one run.
func each(b *testing.B) float64 { return b.Elapsed().Seconds() / float64(b.N) }

func BenchmarkWhen(b *testing.B) {
	event := benchEvent(b)
	var base float64
	b.Run("bare", func(b *testing.B) {
		p, env := bare(b, benchWhen), map[string]any{"event": event}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := expr.Run(p, env); err != nil {
				b.Fatal(err)
			}
		}
		base = each(b)
	})
	b.Run("rule", func(b *testing.B) {
		p := benchRule(b, "")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Eval(b.Context(), event); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(each(b)/base, "x-bare")
	})
}

func BenchmarkTicketOfTenFields(b *testing.B) {
	event := benchEvent(b)
	var base float64
	b.Run("bare", func(b *testing.B) {
		env := map[string]any{"event": event}
		var programs []*vm.Program
		for _, text := range append([]string{benchWhen}, benchTexts...) {
			programs = append(programs, bare(b, text))
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, p := range programs {
				if _, err := expr.Run(p, env); err != nil {
					b.Fatal(err)
				}
			}
		}
		base = each(b)
	})
	b.Run("rule", func(b *testing.B) {
		action := "create:\n  at: jira\n  project: A\n  type: B\n  summary: C\n  fields:\n"
		for i, text := range benchTexts {
			action += fmt.Sprintf("    f%d: '${%s}'\n", i, strings.ReplaceAll(text, "'", "''"))
		}
		p := benchRule(b, action)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Eval(b.Context(), event); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(each(b)/base, "x-bare")
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
