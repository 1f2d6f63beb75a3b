package mapping

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// document is what expressions stand in. fault is one fault of it, offset runes into the value at path.
type document interface {
	fault(path string, offset int, message string) *Error
}

// expression is one compiled expression and where it stands in its document.
type expression struct {
	program  *vm.Program
	document document
	path     string   // of the value it stands in
	offset   int      // runes before it in that value
	reads    []string // parts of a ticket, see readsOf
}

// scope compiles the expressions that may name the same things. An expression is compiled twice: once against the
// types of the schema, which finds the author's mistakes, and once untyped and rewritten for the sandbox, which is
// what runs, because any field may be missing from an event whatever its type.
type scope struct {
	document document
	tables   map[string]*Table
	check    *conf.Config
	run      *conf.Config
	faults   *Errors
}

func newScope(d document, env types.Map, tables map[string]*Table, faults *Errors) *scope {
	return &scope{document: d, tables: tables, check: checkConfig(env), run: runConfig(), faults: faults}
}

// checkConfig knows the functions by their signatures, and no function that is not in our list.
func checkConfig(env types.Map) *conf.Config {
	c := conf.New(env)
	c.MaxNodes, c.Optimize = maxNodes, false
	for name := range c.Builtins {
		if f, ok := functionNamed[name]; !ok || f.types != nil {
			c.Disabled[name] = true
			delete(c.Builtins, name)
		}
	}
	for name, f := range functionNamed {
		if f.types == nil {
			continue
		}
		signatures := make([]reflect.Type, len(f.types))
		for i, t := range f.types {
			signatures[i] = reflect.TypeOf(t).Elem()
		}
		c.Functions[name] = &builtin.Function{Name: name, Types: signatures, Func: func(...any) (any, error) { return nil, nil }}
	}
	return c
}

// parse reads text and checks all that can be checked before types are known.
func (s *scope) parse(text, path string, offset int) (ast.Node, bool) {
	if len(text) > maxSource {
		s.add(path, offset, fmt.Sprintf("an expression is longer than %d KiB", maxSource>>10))
		return nil, false
	}
	if strings.TrimSpace(text) == "" {
		s.add(path, offset, "an expression is missing")
		return nil, false
	}
	tree, err := guard(func() (*parser.Tree, error) { return parser.ParseWithConfig(text, s.check) })
	if err != nil {
		s.addFault(path, offset, err)
		return nil, false
	}
	inspector := inspector{tables: s.tables}
	if at, err := inspector.inspect(tree.Node); err != nil {
		s.add(path, offset+at, err.Error())
		return nil, false
	}
	return tree.Node, true
}

// compile checks and compiles text, which stands offset runes into the value at path. It notes a fault and returns
// nil where it cannot. A condition must be true or false.
func (s *scope) compile(text, path string, offset int, condition bool) *expression {
	root, ok := s.parse(text, path, offset)
	if !ok {
		return nil
	}
	return s.compileTree(root, text, path, offset, condition)
}

func (s *scope) compileTree(root ast.Node, text, path string, offset int, condition bool) *expression {
	tree := &parser.Tree{Node: root, Source: file.NewSource(text)}
	result, err := guard(func() (reflect.Type, error) { return checker.Check(tree, s.check) })
	if err != nil {
		s.addFault(path, offset, err)
		return nil
	}
	if kind := result.Kind(); condition && kind != reflect.Bool && kind != reflect.Interface {
		s.add(path, offset, "the expression must be true or false")
		return nil
	}
	return s.assemble(text, path, offset)
}

// assemble compiles text, which was checked, for the sandbox.
func (s *scope) assemble(text, path string, offset int) *expression {
	var reads []string
	program, err := guard(func() (*vm.Program, error) {
		tree, err := parser.ParseWithConfig(text, s.check)
		if err != nil {
			return nil, err
		}
		reads = readsOf(tree.Node)
		tree.Node = newRewriter(s.tables).rewrite(tree.Node)
		if _, err := checker.Check(tree, s.run); err != nil {
			return nil, err
		}
		return compiler.Compile(tree, s.run)
	})
	if err != nil {
		s.addFault(path, offset, err)
		return nil
	}
	return &expression{program: program, document: s.document, path: path, offset: offset, reads: reads}
}

func (s *scope) add(path string, offset int, message string) {
	*s.faults = append(*s.faults, s.document.fault(path, offset, message))
}

// addFault notes what the language's own parser or checker found. Its words are about the rule alone.
func (s *scope) addFault(path string, offset int, err error) {
	var f *file.Error
	if !errors.As(err, &f) {
		s.add(path, offset, "the expression cannot be compiled")
		return
	}
	s.add(path, offset+f.From, inOurWords(f.Message))
}

var words = strings.NewReplacer("map[string]interface {}", "mapping", "[]interface {}", "list", "interface {}", "value",
	"mapping.markup", "Markdown", "float64", "number", "string", "text", "(type int)", "(type number)", "compilation failed: ", "",
	"unexpected token EOF", "the expression ends too soon", "cannot use int ", "cannot use number ")

func inOurWords(message string) string { return strings.TrimSpace(words.Replace(message)) }

// guard turns a panic of the language's compiler into an error. What reaches it was written by an author.
func guard[T any](do func() (T, error)) (out T, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the compiler failed")
		}
	}()
	return do()
}

// runner is what one evaluation needs; runners are reused.
type runner struct {
	vm    vm.VM
	env   map[string]any
	meter meter
}

func newRunner() *runner {
	r := &runner{env: make(map[string]any, 2)}
	r.vm.MemoryBudget = maxMemory
	r.env[meterName] = &r.meter
	return r
}

// runners hands out runners to evaluations at the same time.
type runners struct{ pool sync.Pool }

func (p *runners) take(ctx context.Context, name string, value map[string]any) *runner {
	r, ok := p.pool.Get().(*runner)
	if !ok {
		r = newRunner()
	}
	r.meter.start(ctx)
	r.env[name] = value
	return r
}

// give takes a runner back, without what it saw.
func (p *runners) give(r *runner, name string) {
	r.env[name] = nil
	r.meter.ctx = nil
	clear(r.vm.Stack[:cap(r.vm.Stack)])
	clear(r.vm.Variables)
	p.pool.Put(r)
}

// run evaluates the expression.
func (e *expression) run(r *runner) (any, error) {
	if err := r.meter.turn(); err != nil {
		return nil, e.fault(err)
	}
	v, err := r.vm.Run(e.program, r.env)
	if err != nil {
		return nil, e.fault(err)
	}
	return v, nil
}

// condition evaluates an expression that is true or false.
func (e *expression) condition(r *runner) (bool, error) {
	v, err := e.run(r)
	if err != nil {
		return false, err
	}
	is, err := truth(v)
	if err != nil {
		return false, e.fault(err)
	}
	return is, nil
}

// fault says where and why an evaluation failed, without any value it met: only words known to hold none pass.
func (e *expression) fault(err error) error {
	at, message := 0, "cannot be computed from these values"
	var f *file.Error
	located := errors.As(err, &f)
	if located {
		at = f.From
	}
	var ours fault
	switch {
	case errors.As(err, &ours):
		message = string(ours)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		out := e.document.fault(e.path, e.offset+at, "the evaluation was stopped")
		out.cause = stopped(err)
		return out
	case located && f.Message == "memory budget exceeded":
		message = string(errMemory)
	case located && strings.HasPrefix(f.Message, "runtime error: integer divide by zero"):
		message = "a number is divided by zero"
	case located && (strings.HasPrefix(f.Message, "invalid operation: ") || strings.HasPrefix(f.Message, "interface conversion: ")) && utf8.RuneCountInString(f.Message) < 200:
		message = "values of these types cannot be used so"
	}
	return e.document.fault(e.path, e.offset+at, message)
}

// stopped returns the context's own error, without what the language wrapped round it.
func stopped(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	return context.DeadlineExceeded
}
