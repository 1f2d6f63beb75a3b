package mapping

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

func count(m *meter, args []any) (any, error) {
	switch v := args[0].(type) {
	case string:
		return utf8.RuneCountInString(v), m.spend(len(v))
	case map[string]any:
		return len(v), nil
	}
	n := length(args[0])
	if n < 0 {
		return nil, faultf("len of %s", kindOf(args[0]))
	}
	return n, nil
}

func firstItem(_ *meter, args []any) (any, error) { return item(args[0], 0), nil }
func lastItem(_ *meter, args []any) (any, error)  { return item(args[0], -1), nil }

func sortList(m *meter, args []any) (any, error) {
	in, err := list(m, args, 0)
	if err != nil {
		return nil, err
	}
	if err := m.spend(16 * len(in)); err != nil {
		return nil, err
	}
	out := slices.Clone(in)
	mixed := false
	slices.SortStableFunc(out, func(a, b any) int {
		if x, ok := a.(string); ok {
			if y, ok := b.(string); ok {
				return strings.Compare(x, y)
			}
		}
		x, ok := number(a)
		y, also := number(b)
		if !ok || !also {
			mixed = true
			return 0
		}
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	if mixed {
		return nil, fault("sort needs a list of texts or a list of numbers")
	}
	return out, nil
}

func reverseList(m *meter, args []any) (any, error) {
	in, err := list(m, args, 0)
	if err != nil {
		return nil, err
	}
	if err := m.spend(16 * len(in)); err != nil {
		return nil, err
	}
	out := slices.Clone(in)
	slices.Reverse(out)
	return out, nil
}

func uniqList(m *meter, args []any) (any, error) {
	in, err := list(m, args, 0)
	if err != nil {
		return nil, err
	}
	if err := m.spend(64 * len(in)); err != nil {
		return nil, err
	}
	seen := make(set, len(in))
	out := make([]any, 0, len(in))
	for _, v := range in {
		key := setKey(v)
		if key == (struct{}{}) {
			return nil, fault("uniq needs a list of texts or numbers")
		}
		if _, again := seen[key]; !again {
			seen[key] = struct{}{}
			out = append(out, v)
		}
	}
	return out, nil
}

func concatLists(m *meter, args []any) (any, error) {
	var out []any
	for i := range args {
		part, err := list(m, args, i)
		if err != nil {
			return nil, err
		}
		if err := m.spend(16 * len(part)); err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

func flattenList(m *meter, args []any) (any, error) {
	in, err := list(m, args, 0)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, v := range in {
		part := []any{v}
		if v != nil && length(v) >= 0 {
			part, _ = items(v)
		}
		if err := m.spend(16 * len(part)); err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

// keyed reads argument 0 as a mapping and returns its keys, sorted: the order of a Go map is not repeatable.
func keyed(m *meter, args []any) (map[string]any, []string, error) {
	switch v := args[0].(type) {
	case nil:
		return nil, nil, nil
	case map[string]any:
		if err := m.spend(32 * len(v)); err != nil {
			return nil, nil, err
		}
		return v, sortedKeys(v), nil
	}
	return nil, nil, faultf("%s is given where a mapping is expected", kindOf(args[0]))
}

func mapKeys(m *meter, args []any) (any, error) {
	_, keys, err := keyed(m, args)
	if err != nil {
		return nil, err
	}
	return widen(keys), nil
}

func mapValues(m *meter, args []any) (any, error) {
	v, keys, err := keyed(m, args)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(keys))
	for i, key := range keys {
		out[i] = v[key]
	}
	return out, nil
}

func toJSON(m *meter, args []any) (any, error) { return boxed(jsonText(m, args[0])) }

func fromJSON(m *meter, args []any) (any, error) {
	s, err := text(args, 0)
	if err != nil {
		return nil, err
	}
	// A value takes up to some thirty times the memory of its text.
	if err := m.spend(32 * len(s)); err != nil {
		return nil, err
	}
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return nil, fault("fromJSON is given a text that is not JSON")
	}
	return v, nil
}

func typeOf(_ *meter, args []any) (any, error) {
	switch args[0].(type) {
	case nil:
		return "nothing", nil
	case bool:
		return "bool", nil
	case string:
		return "text", nil
	case map[string]any:
		return "mapping", nil
	}
	if _, ok := number(args[0]); ok {
		return "number", nil
	}
	return "list", nil
}
