package preset

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/drawbridge-itsm/drawbridge/mapping"
)

//go:embed preset.schema.json
var schemaText []byte

// Schema is the JSON Schema of preset files, for editors.
func Schema() []byte { return bytes.Clone(schemaText) }

const maxFile = 256 << 10

// Fault is one thing wrong with a preset file.
type Fault struct {
	File    string
	Line    int    // 0: of no one place
	Field   string // request.url, params[0].name
	Message string
}

func (f Fault) Error() string {
	place := f.File
	if f.Line > 0 {
		place += ":" + strconv.Itoa(f.Line)
	}
	if f.Field != "" {
		place += ": " + f.Field
	}
	return place + ": " + f.Message
}

// source is a preset file as it is being read: where its fields stand, and what was found wrong so far.
type source struct {
	file    string
	lines   map[string]int // by field
	secrets []string       // params that are secrets
	faults  []Fault
}

func (s *source) add(field, format string, args ...any) {
	line := 0
	for near := field; near != "" && line == 0; near = above(near) {
		line = s.lines[near]
	}
	s.faults = append(s.faults, Fault{s.file, line, field, fmt.Sprintf(format, args...)})
}

func above(field string) string { return field[:max(0, strings.LastIndexAny(field, ".["))] }

// compile notes the faults of expressions, which name their field.
func (s *source) compile(err error) {
	var found mapping.Errors
	if errors.As(err, &found) {
		for _, one := range found {
			s.add(one.Field, "%s", one.Message)
		}
	}
}

// err returns everything found wrong, by line.
func (s *source) err() error {
	slices.SortStableFunc(s.faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	list := make([]error, len(s.faults))
	for i, f := range s.faults {
		list[i] = f
	}
	return errors.Join(list...)
}

// Parse reads one preset file. The error joins a Fault for everything that is wrong with it.
func Parse(file string, text []byte) (*Preset, error) {
	s := &source{file: file, lines: map[string]int{}}
	d, ok := s.read(text)
	if !ok {
		return nil, s.err()
	}
	p := s.preset(d)
	if len(s.faults) == 0 {
		s.rehearse(p)
	}
	if len(s.faults) > 0 {
		return nil, s.err()
	}
	return p, nil
}

func (s *source) read(text []byte) (*Document, bool) {
	if len(text) > maxFile {
		s.add("", "is longer than %d KiB", maxFile>>10)
		return nil, false
	}
	body, err := parseYAML(text)
	if err != nil {
		s.yaml(err)
		return nil, false
	}
	s.index(body, "")
	var value any
	if err := yaml.NodeToValue(body, &value); err != nil {
		s.yaml(err)
		return nil, false
	}
	schema, err := compiledSchema()
	if err != nil {
		s.add("", "%s", err)
		return nil, false
	}
	if err := schema.Validate(value); err != nil {
		s.schema(err)
		return nil, false
	}
	d := &Document{}
	if err := yaml.NewDecoder(bytes.NewReader(nil), yaml.Strict()).DecodeFromNode(body, d); err != nil {
		s.yaml(err)
		return nil, false
	}
	return d, true
}

// parseYAML takes a panic of the library for a fault of the text.
func parseYAML(text []byte) (body ast.Node, err error) {
	defer func() {
		if recover() != nil {
			body, err = nil, errors.New("is not valid YAML")
		}
	}()
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if body != nil {
			return nil, errors.New("holds more than one document")
		}
		body = d.Body
	}
	if _, ok := body.(*ast.MappingNode); !ok {
		return nil, errors.New("is no mapping of keys to values")
	}
	return body, nil
}

func (s *source) yaml(err error) {
	fault, ok := errors.AsType[yaml.Error](err)
	if !ok {
		s.add("", "%s", err)
		return
	}
	s.faults = append(s.faults, Fault{File: s.file, Line: fault.GetToken().Position.Line, Message: fault.GetMessage()})
}

func (s *source) index(node ast.Node, field string) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			at := strings.TrimPrefix(field+"."+pair.Key.GetToken().Value, ".")
			s.lines[at] = pair.Key.GetToken().Position.Line
			s.index(pair.Value, at)
		}
	case *ast.SequenceNode:
		for i, item := range n.Values {
			at := field + "[" + strconv.Itoa(i) + "]"
			s.lines[at] = item.GetToken().Position.Line
			s.index(item, at)
		}
	}
}

// compiledSchema is the same for every file, and compiling it takes longer than reading one.
var compiledSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	var doc any
	if err := json.Unmarshal(schemaText, &doc); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("preset.schema.json", doc); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	return c.Compile("preset.schema.json")
})

// schema notes what breaks the schema, at the innermost places.
func (s *source) schema(err error) {
	broken, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		s.add("", "%s", err)
		return
	}
	if len(broken.Causes) > 0 {
		for _, cause := range broken.Causes {
			s.schema(cause)
		}
		return
	}
	var field string
	for _, key := range broken.InstanceLocation {
		if _, err := strconv.Atoi(key); err == nil {
			field += "[" + key + "]"
		} else {
			field = strings.TrimPrefix(field+"."+key, ".")
		}
	}
	switch k := broken.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			s.add(strings.TrimPrefix(field+"."+name, "."), "there is no such field")
		}
	case *kind.Required:
		s.add(field, "lacks %s", strings.Join(k.Missing, ", "))
	default:
		s.add(field, "%s", k.LocalizedString(message.NewPrinter(language.English)))
	}
}

// Read reads every *.yaml of a folder, and refuses those that nearly are.
func Read(files fs.FS) (map[string]*Preset, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	all, faults := map[string]*Preset{}, []error(nil)
	for _, entry := range entries {
		name := entry.Name()
		if misspelt := strings.ToLower(path.Ext(name)); path.Ext(name) != ".yaml" {
			if misspelt == ".yml" || misspelt == ".yaml" {
				faults = append(faults, Fault{File: name, Message: "is not read: the files of presets end in .yaml"})
			}
			continue
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		p, err := Parse(name, text)
		switch {
		case err != nil:
			faults = append(faults, err)
		case p.doc.Preset+".yaml" != path.Base(name):
			faults = append(faults, Fault{File: name, Line: 1, Field: "preset", Message: "the file of this preset is named " + p.doc.Preset + ".yaml"})
		default:
			all[p.doc.Preset] = p
		}
	}
	return all, errors.Join(faults...)
}
