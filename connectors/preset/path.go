package preset

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// jsonPath is a place in a JSON value: $.data.items[0].name.
type jsonPath []any // of string and int

func parsePath(text string) (jsonPath, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok || rest == "" {
		return nil, fmt.Errorf("%q is no path like $.data.status", text)
	}
	var p jsonPath
	for rest != "" {
		key, after, found := "", "", false
		switch rest[0] {
		case '.':
			rest = rest[1:]
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			key, after, found = rest[:end], rest[end:], end > 0
			if found {
				p = append(p, key)
			}
		case '[':
			if key, after, found = strings.Cut(rest[1:], "]"); found {
				n, err := strconv.Atoi(key)
				found = err == nil && n >= 0
				p = append(p, n)
			}
		}
		if !found {
			return nil, fmt.Errorf("%q is no path like $.data.status", text)
		}
		rest = after
	}
	return p, nil
}

// find returns the value at p; found is false where there is none.
func (p jsonPath) find(v any) (value any, found bool) {
	for _, key := range p {
		switch key := key.(type) {
		case string:
			object, ok := v.(map[string]any)
			if v, found = object[key]; !ok || !found {
				return nil, false
			}
		case int:
			list, ok := v.([]any)
			if !ok || key >= len(list) {
				return nil, false
			}
			v = list[key]
		}
	}
	return v, true
}

// put returns v with a value at p. Objects on the way are copied, or made where there are none; ok is false where
// something else is in the way.
func (p jsonPath) put(v, value any) (out any, ok bool) {
	if len(p) == 0 {
		return value, true
	}
	switch key := p[0].(type) {
	case string:
		object, isObject := v.(map[string]any)
		if !isObject && v != nil {
			return v, false
		}
		copied := make(map[string]any, len(object)+1)
		maps.Copy(copied, object)
		if copied[key], ok = p[1:].put(object[key], value); !ok {
			return v, false
		}
		return copied, true
	case int:
		list, isList := v.([]any)
		if !isList || key >= len(list) {
			return v, false
		}
		copied := slices.Clone(list)
		if copied[key], ok = p[1:].put(list[key], value); !ok {
			return v, false
		}
		return copied, true
	}
	return v, false
}
