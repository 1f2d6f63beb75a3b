package mapping

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the wanted files in testdata")

// testEnv is what the rules in testdata are checked against.
func testEnv(t testing.TB) Env {
	t.Helper()
	env := Env{
		Data: map[string][]Field{
			"access.requested": {
				{Name: "ProductName", Type: "text"}, {Name: "Publisher", Type: "text"}, {Name: "ComputerGroup", Type: "text"},
				{Name: "CmdArgs", Type: "text"}, {Name: "FilePathObjectId", Type: "text"}, {Name: "Tags", Type: "list"},
				{Name: "Count", Type: "number"}, {Name: "Nested", Type: "object"}, {Name: "Missing", Type: "any"},
				{Name: "Cell", Type: "text"}, {Name: "Path", Type: "text"}, {Name: "Code", Type: "text"}, {Name: "Link", Type: "text"},
			},
			"admin.requested": {{Name: "UserName", Type: "text"}, {Name: "Tags", Type: "list"}},
		},
		Ticket: []Field{{Name: "customfield_10050", Type: "text"}, {Name: "resolution_note", Type: "text"}},
		Tables: map[string]*Table{},
	}
	text, err := os.ReadFile("testdata/tables.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documents, err := SplitDocuments(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents {
		table, err := ParseTable(d)
		if err != nil {
			t.Fatal(err)
		}
		env.Tables[table.Name] = table
	}
	return env
}

func compileText(env Env, text []byte) (*Program, error) {
	r, err := ParseRule(text)
	if err != nil {
		return nil, err
	}
	return Compile(r, env)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	rules, err := filepath.Glob("testdata/*/rule.yaml")
	if err != nil || len(rules) == 0 {
		t.Fatalf("list cases: %v, %d found", err, len(rules))
	}
	for _, rule := range rules {
		folder := filepath.Dir(rule)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(rule)
			if err != nil {
				t.Fatal(err)
			}
			result, err := evalCase(t, testEnv(t), text, filepath.Join(folder, "event.json"))
			if err != nil {
				compareFile(t, filepath.Join(folder, "want.err"), explain(err))
				return
			}
			var out strings.Builder
			e := json.NewEncoder(&out)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			if err := e.Encode(result); err != nil {
				t.Fatal(err)
			}
			compareFile(t, filepath.Join(folder, "want.json"), out.String())
		})
	}
}

func evalCase(t *testing.T, env Env, rule []byte, eventFile string) (Result, error) {
	t.Helper()
	p, err := compileText(env, rule)
	if err != nil {
		return Result{}, err
	}
	text, err := os.ReadFile(eventFile)
	if err != nil {
		t.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	result, err := p.Eval(t.Context(), event)
	if err == nil {
		again, err := p.Eval(t.Context(), event)
		if diff := cmp.Diff(result, again); err != nil || diff != "" {
			t.Errorf("a second evaluation differs: %v %s", err, diff)
		}
	}
	return result, err
}

// explain writes faults as an operator sees them.
func explain(err error) string {
	var faults Errors
	var one *Error
	if !errors.As(err, &faults) && errors.As(err, &one) {
		faults = Errors{one}
	}
	var b strings.Builder
	for _, f := range faults {
		b.WriteString(f.Error() + "\n" + f.Snippet + "\n\n")
	}
	return b.String()
}

func compareFile(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is missing; got:\n%s", file, got)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
