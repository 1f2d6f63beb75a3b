package preset

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// Config is what an operator writes for one connection: settings.NAME for each param of the preset, and besides:
//
//	address:     sends to this server in place of the vendor's, a relay for instance; scheme, host and port
//	record:      what is sent for an event for which the rule says no record, in place of the preset's own
//	validators:  what an answer has to hold besides, as [{path: $.data.status, values: [ok]}]
//	answers:     true takes answers of people from the vendor, signed, where the preset says how
type Config struct {
	preset  *Preset
	nodes   map[string]ast.Node
	secrets map[string]connectors.Secret

	address    string
	record     any
	validators []Validator
	answers    bool
	faults     []error
}

// Validator wants the value at a place in a JSON answer to be one of these.
type Validator struct {
	Path   string `yaml:"path"`
	Values []any  `yaml:"values"`
}

// New returns an empty configuration for a preset.
func New(p *Preset) *Config { return &Config{preset: p} }

// UnmarshalYAML keeps the values for Open, which says everything that is wrong with them. Secrets are read here: they
// are sealed where they stand.
func (c *Config) UnmarshalYAML(ctx context.Context, node ast.Node) error {
	m, ok := node.(*ast.MappingNode)
	if !ok {
		return errors.New("settings are a mapping of names to values")
	}
	c.nodes, c.secrets = map[string]ast.Node{}, map[string]connectors.Secret{}
	for _, pair := range m.Values {
		name := pair.Key.GetToken().Value
		if _, twice := c.nodes[name]; twice {
			return fmt.Errorf("settings.%s is there twice", name)
		}
		c.nodes[name] = pair.Value
		var err error
		switch {
		case name == "address":
			err = yaml.NodeToValue(pair.Value, &c.address)
		case name == "record":
			err = yaml.NodeToValue(pair.Value, &c.record)
		case name == "answers":
			err = yaml.NodeToValue(pair.Value, &c.answers)
		case name == "validators":
			err = yaml.NodeToValue(pair.Value, &c.validators, yaml.Strict())
		case c.preset.params[name].Type == "secret":
			var secret connectors.Secret
			err = secret.UnmarshalYAML(ctx, pair.Value)
			c.secrets[name] = secret
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) fault(name, format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf("settings.%s: %w", name, fmt.Errorf(format, args...)))
}

// values reads the params. Of a secret expressions see whether it is set.
func (c *Config) values() map[string]any {
	values := map[string]any{}
	for _, p := range c.preset.doc.Params {
		node, given := c.nodes[p.Name]
		if p.Type == "secret" {
			values[p.Name] = !c.secrets[p.Name].IsZero()
			if p.Required && !given {
				c.fault(p.Name, "is missing; write {env: DRAWBRIDGE_SECRET_NAME}, {file: NAME} or {value: ...}")
			}
			continue
		}
		raw := p.Default
		if given {
			raw = nil
			if err := yaml.NodeToValue(node, &raw); err != nil {
				c.fault(p.Name, "cannot be read")
				continue
			}
		}
		if raw == nil {
			if p.Required {
				c.fault(p.Name, "is missing%s", hint(p))
			}
			continue
		}
		value, err := p.value(raw)
		if err != nil {
			c.fault(p.Name, "%w", err)
		}
		values[p.Name] = value
	}
	for _, p := range c.preset.doc.Params {
		when := c.preset.wanted[p.Name]
		if there := c.nodes[p.Name] != nil; !there && when != nil && isTrue(context.Background(), when, map[string]any{"params": values}) {
			c.fault(p.Name, "is missing; it is required when %s%s", condition(p.RequiredWhen), hint(p))
		}
	}
	for _, name := range sortedKeys(c.nodes) {
		if _, known := c.preset.params[name]; !known && !slices.Contains(ofAll, name) {
			c.fault(name, "there is no such setting; there are %s", strings.Join(append(paramNames(c.preset.doc), ofAll...), ", "))
		}
	}
	return values
}

// ofAll are the settings every preset has.
var ofAll = []string{"address", "record", "validators", "answers"}

// condition is an expression over params in the words of a connection, whose settings they are.
func condition(text string) string {
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "${"); ok {
		text = strings.TrimSuffix(inner, "}")
	}
	return strings.ReplaceAll(text, "params.", "settings.")
}

func hint(p Param) string {
	if p.Help == "" {
		return ""
	}
	return ": " + p.Help
}

func paramNames(d Document) []string {
	names := make([]string, len(d.Params))
	for i, p := range d.Params {
		names[i] = p.Name
	}
	return names
}

var hostText = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// value reads a value of the param.
func (p Param) value(raw any) (any, error) {
	text, scalar := connectors.ScalarText(raw)
	switch p.Type {
	case "enum":
		if value, known := p.Enum[text]; scalar && known {
			return value, nil
		}
		return nil, fmt.Errorf("is one of %s", strings.Join(sortedKeys(p.Enum), ", "))
	case "bool":
		if value, ok := raw.(bool); ok {
			return value, nil
		}
		return nil, errors.New("is true or false")
	case "int":
		if n, err := strconv.Atoi(text); err == nil && scalar {
			return n, nil
		}
		return nil, errors.New("is a whole number")
	}
	if !scalar || text == "" || strings.ContainsFunc(text, control) {
		return nil, errors.New("is a text on one line")
	}
	if p.Type == "host" && !hostText.MatchString(text) {
		return nil, errors.New("is the name of a host, without scheme, port and path")
	}
	if p.Type == "url" {
		if fault := connectors.AddressFault(text); fault != "" {
			return nil, errors.New(fault)
		}
		text = strings.TrimRight(text, "/")
	}
	if matcher, err := p.matcher(); err == nil && matcher != nil && !matcher.MatchString(text) {
		return nil, fmt.Errorf("does not look as it should (%s)%s", p.Pattern, hint(p))
	}
	return text, nil
}

func (p Param) matcher() (*regexp.Regexp, error) {
	if p.Pattern == "" {
		return nil, nil
	}
	return regexp.Compile(p.Pattern)
}

// Open checks the settings, reporting every fault with its name, and builds the connector. It calls nobody.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	s, err := c.sink(env)
	if err != nil {
		return nil, err
	}
	return s.shaped(), nil
}

func (c *Config) sink(env connectors.Env) (*sink, error) {
	c.faults = nil
	s := &sink{preset: c.preset, env: env, item: c.preset.item, params: c.values()}
	if r := c.preset.doc.Rate; r != nil {
		s.pace = &pace{limit: r.Limit, per: c.preset.per}
	}
	if c.address != "" {
		if fault := connectors.SiteFault(strings.TrimRight(c.address, "/")); fault != "" {
			c.fault("address", "%s", fault)
		}
		s.address, _ = url.Parse(strings.TrimRight(c.address, "/"))
	}
	if s.hears = c.answers; c.answers && c.preset.inbound == nil {
		c.fault("answers", "this preset does not say how answers are signed and read")
	}
	for i, v := range c.validators {
		at, err := parsePath(v.Path)
		if err != nil {
			c.fault(fmt.Sprintf("validators[%d].path", i), "%w", err)
		}
		if len(v.Values) == 0 {
			c.fault(fmt.Sprintf("validators[%d].values", i), "is missing")
		}
		s.validators = append(s.validators, validator{v, at})
	}
	if c.record != nil {
		c.item(s)
	}
	if len(c.faults) == 0 {
		c.open(s)
	}
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return s, nil
}

// item puts the operator's record in place of the preset's.
func (c *Config) item(s *sink) {
	if _, ok := c.record.(map[string]any); !ok {
		c.fault("record", "is a mapping")
		return
	}
	_, names := expressionNames(&c.preset.doc)
	compiled, err := mapping.CompileRecord("record", c.record, names)
	var found mapping.Errors
	if errors.As(err, &found) {
		for _, one := range found {
			c.fault(one.Field, "%s", one.Message)
		}
		return
	}
	s.item = compiled
}

// Example is the least an operator writes, and in comments what there is besides.
func (c *Config) Example() string {
	var least, besides strings.Builder
	proof, _ := New(c.preset).pick(&sink{params: New(c.preset).values()})
	for _, p := range c.preset.doc.Params {
		line := p.Name + ": " + c.preset.example(p)
		if p.Help != "" {
			line += " # " + p.Help
		}
		if p.Required || p.Name == proof.Secret {
			fmt.Fprintln(&least, line)
		} else {
			fmt.Fprintln(&besides, "# "+line)
		}
	}
	return least.String() + besides.String()
}

// example is a value of a param as it is written.
func (p *Preset) example(one Param) string {
	switch {
	case one.Type == "secret":
		return fmt.Sprintf("{env: DRAWBRIDGE_SECRET_%s_%s}", constant(p.doc.Preset), constant(one.Name))
	case one.Default != nil:
		return fmt.Sprint(one.Default)
	case one.Type == "enum":
		return sortedKeys(one.Enum)[0]
	case one.Example == "":
		return "..."
	default:
		return one.Example
	}
}

func constant(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
