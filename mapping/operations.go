package mapping

import (
	"regexp"
)

// operations are the hidden functions that take the place of the language's own operations.
var operations = map[string]func(m *meter, args []any) (any, error){
	"path":    readPath,
	"fetch":   func(_ *meter, args []any) (any, error) { return fetch(args[0], args[1]) },
	"slice":   cut,
	"add":     add,
	"equal":   func(m *meter, args []any) (any, error) { return equal(m, args[0], args[1]) },
	"in":      func(m *meter, args []any) (any, error) { return contains(m, args[0], args[1]) },
	"listed":  func(_ *meter, args []any) (any, error) { return args[1].(set).has(args[0]), nil },
	"lookup":  func(_ *meter, args []any) (any, error) { return args[0].(*Table).lookup(args[1]) },
	"matches": matches,
	"bool":    func(_ *meter, args []any) (any, error) { return truth(args[0]) },
	"list":    asList,
	"turn":    func(m *meter, _ []any) (any, error) { return nil, m.turn() },
}

func readPath(_ *meter, args []any) (any, error) {
	v := args[0]
	for _, key := range *args[1].(*[]string) {
		if fields, ok := v.(map[string]any); ok {
			v = fields[key]
			continue
		}
		var err error
		if v, err = fetch(v, key); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// add is the operator +: it adds numbers and joins texts.
func add(m *meter, args []any) (any, error) {
	if x, ok := args[0].(int); ok {
		if y, ok := args[1].(int); ok {
			return x + y, nil
		}
	}
	if x, ok := number(args[0]); ok {
		if y, ok := number(args[1]); ok {
			return x + y, nil
		}
	}
	s, err := texts(args)
	if err != nil {
		return nil, faultf("%s and %s are added", kindOf(args[0]), kindOf(args[1]))
	}
	if err := m.text(len(s[0]) + len(s[1])); err != nil {
		return nil, err
	}
	return s[0] + s[1], nil
}

// cut is value[from:to], counting the characters of a text.
func cut(m *meter, args []any) (any, error) {
	size := length(args[0])
	var runes []rune
	if s, ok := args[0].(string); ok {
		if err := m.spend(4 * len(s)); err != nil {
			return nil, err
		}
		runes = []rune(s)
		size = len(runes)
	}
	if size < 0 {
		return nil, faultf("a part of %s is cut out", kindOf(args[0]))
	}
	bound := func(v any, missing int) (int, error) {
		if v == nil {
			return missing, nil
		}
		n, ok := whole(v)
		if !ok {
			return 0, fault("a place in a text or list is not a whole number")
		}
		if n < 0 {
			n += size
		}
		return max(0, min(n, size)), nil
	}
	from, err := bound(args[1], 0)
	if err != nil {
		return nil, err
	}
	to, err := bound(args[2], size)
	if err != nil {
		return nil, err
	}
	from = min(from, to)
	switch v := args[0].(type) {
	case nil:
		return nil, nil
	case string:
		part := string(runes[from:to])
		return part, m.text(len(part))
	case []any:
		return v[from:to], nil
	}
	all, err := list(m, args, 0)
	if err != nil {
		return nil, err
	}
	return all[from:to], nil
}

func matches(m *meter, args []any) (any, error) {
	s, err := text(args, 0)
	if err != nil {
		return nil, err
	}
	if args[0] == nil {
		return false, nil
	}
	if len(s) > maxMatched {
		return nil, fault("matches is given a text longer than 64 KiB; cut it with truncate")
	}
	if err := m.spend(4 * len(s)); err != nil {
		return nil, err
	}
	return args[1].(*regexp.Regexp).MatchString(s), nil
}

// asList is what a loop goes over: nothing is an empty list.
func asList(m *meter, args []any) (any, error) {
	n := length(args[0])
	if n < 0 {
		return nil, faultf("a loop goes over %s, not a list", kindOf(args[0]))
	}
	if args[0] == nil {
		return []any{}, nil
	}
	return args[0], m.spend(n)
}
