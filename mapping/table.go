package mapping

import (
	"fmt"
	"math"
)

// Table is a list of values, or values by key. Rules read it with table(). Values are text, numbers, true or false.
type Table struct {
	Name    string         `yaml:"name"`
	Values  map[string]any `yaml:"values"`
	List    []any          `yaml:"list"`
	Default any            `yaml:"default"` // of a table with values: what a key that is not listed means
}

// ParseTable reads a Table document. It has either values or a list.
func ParseTable(text []byte) (*Table, error) {
	var d struct {
		Kind  string `yaml:"kind"`
		Table `yaml:",inline"`
	}
	s, err := decode(text, "Table", &d)
	if err != nil {
		return nil, err
	}
	t := &d.Table
	var faults Errors
	scalar := func(path string, v any) any {
		v, ok := tableValue(v)
		if !ok {
			faults = append(faults, s.at(path, 0, "a table holds text, numbers, true and false"))
		}
		return v
	}
	_, hasValues := s.values["values"]
	_, hasList := s.values["list"]
	if hasValues == hasList {
		faults = append(faults, s.at("", 0, "a table has either values or a list"))
	}
	for _, key := range sortedKeys(t.Values) {
		t.Values[key] = scalar("values."+key, t.Values[key])
	}
	for i := range t.List {
		t.List[i] = scalar(fmt.Sprintf("list[%d]", i), t.List[i])
	}
	if t.Default != nil {
		if hasList {
			faults = append(faults, s.at("default", 0, "default is only for tables with values"))
		}
		t.Default = scalar("default", t.Default)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return t, nil
}

// tableValue brings a value to the types expressions use.
func tableValue(v any) (any, bool) {
	switch v := v.(type) {
	case string, bool:
		return v, true
	case nil:
		return nil, false
	}
	n, ok := number(v)
	return n, ok && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// lookup returns the value of a key. No value and no default is an error, which does not show the key.
func (t *Table) lookup(key any) (any, error) {
	text, err := scalarText(key)
	if err != nil {
		return nil, err
	}
	if v, ok := t.Values[text]; ok {
		return v, nil
	}
	if t.Default != nil {
		return t.Default, nil
	}
	return nil, faultf("table %s has neither this key nor a default", t.Name)
}
