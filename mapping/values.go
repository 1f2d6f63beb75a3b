package mapping

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Values in expressions are those of JSON: nothing (nil), true and false, numbers, text, lists and mappings. Lists may
// also be []int or []string where an expression made them. A value is never changed once it was made.

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// number returns v as a float64.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

// whole returns v as an int where it is a whole number.
func whole(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case float64:
		n := int(v)
		return n, float64(n) == v && math.Abs(v) < 1<<53
	}
	return 0, false
}

// items returns v as a list; nothing is the empty list.
func items(v any) ([]any, bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case []any:
		return v, true
	case []string:
		return widen(v), true
	case []int:
		return widen(v), true
	case []float64:
		return widen(v), true
	}
	return nil, false
}

func widen[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// length is the number of items of a list, -1 for anything else.
func length(v any) int {
	switch v := v.(type) {
	case nil:
		return 0
	case []any:
		return len(v)
	case []string:
		return len(v)
	case []int:
		return len(v)
	case []float64:
		return len(v)
	}
	return -1
}

// item returns item i of a list, counted from the end where i is negative; nothing outside of it.
func item(list any, i int) any {
	n := length(list)
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return nil
	}
	switch list := list.(type) {
	case []any:
		return list[i]
	case []string:
		return list[i]
	case []int:
		return list[i]
	case []float64:
		return list[i]
	}
	return nil
}

// fetch reads a part of a value. A part that is not there is nothing, and so is a part of nothing.
func fetch(from, part any) (any, error) {
	switch from := from.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if key, ok := part.(string); ok {
			return from[key], nil
		}
		return nil, fault("a field is read by a name that is not text")
	}
	if length(from) < 0 {
		return nil, faultf("a field of %s is read", kindOf(from))
	}
	i, ok := whole(part)
	if !ok {
		return nil, fault("an item of a list is read by something that is not a whole number")
	}
	return item(from, i), nil
}

// kindOf names the type of a value for faults.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case bool:
		return "true or false"
	case map[string]any:
		return "a mapping"
	case markup:
		return "Markdown"
	}
	if _, ok := number(v); ok {
		return "a number"
	}
	if length(v) >= 0 {
		return "a list"
	}
	return "a value that is not of JSON"
}

// truth reads a condition; nothing is false.
func truth(v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	}
	return false, faultf("a condition is %s, not true or false", kindOf(v))
}

// scalarText is the text of a value that is neither list nor mapping. Nothing is the empty text.
func scalarText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case markup:
		return v.text, nil
	}
	n, ok := number(v)
	if !ok {
		return "", faultf("%s is used as text", kindOf(v))
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return "", errNumber
	}
	return strconv.FormatFloat(n, 'f', -1, 64), nil
}

const errNumber = fault("gives a number that is not finite")

// textOf is the text of any value: lists are joined by commas, mappings and lists in lists are JSON.
func textOf(m *meter, v any) (string, error) {
	n := length(v)
	_, isMap := v.(map[string]any)
	if n < 0 && !isMap || v == nil {
		text, err := scalarText(v)
		if err == nil {
			err = m.text(len(text))
		}
		return text, err
	}
	if isMap {
		return jsonText(m, v)
	}
	var b strings.Builder
	for i := range n {
		one := item(v, i)
		_, isMap := one.(map[string]any)
		write := scalarText
		if isMap || length(one) > 0 {
			write = func(v any) (string, error) { return jsonText(m, v) }
		}
		text, err := write(one)
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteString(", ")
		}
		if err := m.spend(len(text) + 2); err != nil {
			return "", err
		}
		if b.WriteString(text); b.Len() > m.room.result {
			return "", m.tooLong()
		}
	}
	return b.String(), nil
}

func jsonText(m *meter, v any) (string, error) {
	v, err := plain(m, v)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", fault("gives a value that is not of JSON")
	}
	text := strings.TrimSuffix(b.String(), "\n")
	return text, m.text(len(text))
}

// plain returns a copy of v made of JSON values only, and refuses what is too large or not finite.
func plain(m *meter, v any) (any, error) {
	left := m.room.result
	return m.plain(v, &left)
}

func (m *meter) plain(v any, left *int) (any, error) {
	take := func(n int) error {
		if *left -= n; *left < 0 {
			return m.tooLarge()
		}
		return m.spend(n)
	}
	switch v := v.(type) {
	case nil, bool:
		return v, take(8)
	case string:
		return validText(v), take(len(v) + 2)
	case markup:
		return validText(v.text), take(len(v.text) + 2)
	case map[string]any:
		out := make(map[string]any, min(len(v), m.room.result/8))
		for _, key := range sortedKeys(v) {
			if err := take(len(key) + 8); err != nil {
				return nil, err
			}
			one, err := m.plain(v[key], left)
			if err != nil {
				return nil, err
			}
			out[validText(key)] = one
		}
		return out, nil
	case int:
		return v, take(8)
	}
	if n, ok := number(v); ok {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, errNumber
		}
		return n, take(8)
	}
	n := length(v)
	if n < 0 {
		return nil, fault("gives a value that is not of JSON")
	}
	if err := take(8 * n); err != nil {
		return nil, err
	}
	out := make([]any, n)
	for i := range n {
		one, err := m.plain(item(v, i), left)
		if err != nil {
			return nil, err
		}
		out[i] = one
	}
	return out, nil
}

func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "�")
}
