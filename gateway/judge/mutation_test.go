package judge

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestSoakMutation changes the judgement in one place at a time and demands that some test of this package notices: a
// condition turned around, a bound moved by one, an outcome or a code exchanged, a statement left out. DRAWBRIDGE_SOAK
// runs it; it takes some minutes.
func TestSoakMutation(t *testing.T) {
	if os.Getenv("DRAWBRIDGE_SOAK") == "" {
		t.Skip("skipped: soak: set DRAWBRIDGE_SOAK")
	}
	var known sync.Map
	for _, file := range []string{"judge.go", "claims.go", "who.go", "evidence.go"} {
		t.Run(file, func(t *testing.T) { tryAll(t, mutations(t, file), &known) })
	}
	for name := range equivalent {
		if _, there := known.Load(name); !there && !filtered() {
			t.Errorf("there is no mutant %q", name)
		}
	}
}

// filtered tells whether only some of the files were asked for.
func filtered() bool { return strings.Contains(flag.Lookup("test.run").Value.String(), "/") }

func tryAll(t *testing.T, mutants []mutant, known *sync.Map) {
	dir := t.TempDir()
	var mu sync.Mutex
	var wait sync.WaitGroup
	counts := map[string]int{}
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, m := range mutants {
		known.Store(m.name, true)
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			result := m.try(t, filepath.Join(dir, fmt.Sprint(i)))
			mu.Lock()
			defer mu.Unlock()
			reason, same := equivalent[m.name]
			switch {
			case result == "survives" && same:
				result = "changes nothing"
				t.Logf("%s changes nothing: %s", m, reason)
			case result == "survives":
				t.Errorf("no test notices %s", m)
			case same:
				t.Errorf("a test notices %s, which should change nothing", m)
			}
			counts[result]++
		})
	}
	wait.Wait()
	t.Logf("%d mutants: %v", len(mutants), counts)
}

// equivalent are mutants that no test can tell from the original, with the reason.
var equivalent = map[string]string{
	"editedAround: < → <=": "nothing stands before the first step of a history",
}

// mutant is one change to one file.
type mutant struct {
	name     string // function, the text and what it becomes; numbered where that comes several times
	file     string
	line     int
	from, to int // offsets of the text that is replaced
	text     string
}

func (m mutant) String() string { return fmt.Sprintf("%s:%d %s", m.file, m.line, m.name) }

// try runs the tests of the package with the mutant in place of its file.
func (m mutant) try(t *testing.T, dir string) string {
	source, err := os.ReadFile(m.file)
	if err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Error(err)
	}
	changed := filepath.Join(dir, m.file)
	text := slices.Concat(source[:m.from], []byte(m.text), source[m.to:])
	original, err := filepath.Abs(m.file)
	if err != nil {
		t.Error(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Error(err)
	}
	for name, content := range map[string][]byte{changed: text, filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Error(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-vet=off", "-timeout=60s", "-overlay="+filepath.Join(dir, "overlay.json"), ".")
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "DRAWBRIDGE_SOAK=") }), "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return "survives"
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return "does not compile"
	default:
		return "noticed"
	}
}

// mutations lists the mutants of a file.
func mutations(t *testing.T, file string) []mutant {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{set: set, source: source, file: file, seen: map[string]int{}}
	for _, decl := range tree.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
			c.function = f.Name.Name
			ast.Inspect(f.Body, func(n ast.Node) bool { c.visit(n); return true })
		}
	}
	return c.mutants
}

type collector struct {
	set      *token.FileSet
	source   []byte
	file     string
	function string
	seen     map[string]int
	mutants  []mutant
}

var (
	swapped = map[token.Token]string{
		token.LAND: "||", token.LOR: "&&", token.EQL: "!=", token.NEQ: "==", token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">",
		token.ADD: "-", token.SUB: "+",
	}
	others = map[string]string{
		"Approved": "Denied", "Denied": "Approved", "Revoked": "Approved", "Wait": "Refused", "Counted": "Wait", "Refused": "Wait",
		"true": "false", "false": "true", "max": "min", "min": "max",
	}
	codes = []string{
		"NotOurs", "MarkChanged", "ContentChanged", "ConditionFailed", "NoMover", "OwnAccount", "Automation", "UnknownMover", "UnknownRequester", "SelfApproval",
		"SaidOtherwise", "NotAnApprover", "OutOfHours", "Late", "NoReason", "DurationRefused", "AlreadyDecided", "Ended", "NothingGranted", "NotRevocable",
	}
)

func (c *collector) visit(n ast.Node) {
	switch n := n.(type) {
	case *ast.IfStmt:
		c.negate(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			c.add(n.Cond.Pos(), n.Cond.End(), "false")
		}
	case *ast.CaseClause:
		for _, e := range n.List {
			if _, constant := e.(*ast.SelectorExpr); !constant {
				c.negate(e)
			}
		}
	case *ast.BinaryExpr:
		if to, ok := swapped[n.Op]; ok {
			c.add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), to)
		}
		if n.Op == token.LAND || n.Op == token.LOR {
			c.add(n.Pos(), n.End(), c.text(n.X))
			c.add(n.Pos(), n.End(), c.text(n.Y))
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			c.add(n.Pos(), n.End(), c.text(n.X))
		}
	case *ast.Ident:
		if to, ok := others[n.Name]; ok {
			c.add(n.Pos(), n.End(), to)
		} else if slices.Contains(codes, n.Name) {
			c.add(n.Pos(), n.End(), `Code("mutant")`)
		}
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && x.Name == "connectors" && (n.Sel.Name == "Approved" || n.Sel.Name == "Denied") {
			c.add(n.Pos(), n.End(), "connectors.Pending")
		}
	case *ast.BranchStmt:
		c.add(n.Pos(), n.End(), "_ = 0")
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			c.add(n.Pos(), n.End(), "_ = 0")
		}
	case *ast.ExprStmt:
		c.add(n.Pos(), n.End(), "_ = 0")
	}
}

func (c *collector) negate(e ast.Expr) { c.add(e.Pos(), e.End(), "!("+c.text(e)+")") }

func (c *collector) text(n ast.Node) string {
	return string(c.source[c.offset(n.Pos()):c.offset(n.End())])
}

func (c *collector) offset(p token.Pos) int { return c.set.Position(p).Offset }

func (c *collector) add(from, to token.Pos, text string) {
	m := mutant{file: c.file, line: c.set.Position(from).Line, from: c.offset(from), to: c.offset(to), text: text}
	before := strings.Join(strings.Fields(string(c.source[m.from:m.to])), " ")
	m.name = fmt.Sprintf("%s: %s → %s", c.function, before, strings.Join(strings.Fields(text), " "))
	if c.seen[m.name]++; c.seen[m.name] > 1 {
		m.name += fmt.Sprintf(" (%d)", c.seen[m.name])
	}
	c.mutants = append(c.mutants, m)
}
