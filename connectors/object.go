package connectors

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors/jsonscan"
)

// What a tool's event can sensibly need, and more than a hostile body may use.
const (
	maxObjectDepth  = 64
	maxObjectValues = 1 << 16
)

// ReadObject reads a body that is one JSON object, for tools that write their JSON themselves and so never write what
// is refused here as *Malformed: a key that stands twice in one object, text that is not UTF-8, anything after the
// object, and nesting or numbers of values beyond reason. Values are string, bool, nil, json.Number, []any and
// map[string]any.
func ReadObject(body []byte) (map[string]any, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		return nil, &Malformed{Reason: "the body is not UTF-8"}
	}
	if !json.Valid(body) {
		return nil, &Malformed{Reason: "the body is no JSON"}
	}
	r := objectReader{Scanner: jsonscan.New(string(body))}
	if r.Kind() != '{' {
		return nil, &Malformed{Reason: "the body is no JSON object"}
	}
	v, fault := r.value(0)
	if fault != "" {
		return nil, &Malformed{Reason: fault}
	}
	return v.(map[string]any), nil
}

// AsStored returns what ReadObject gave in the form it has after it was stored and read again, without loss: a number
// is a float64, and the text it was written as where a float64 would be another number. Objects and lists are copied.
func AsStored(v any) any {
	switch v := v.(type) {
	case json.Number:
		return storedNumber(v.String())
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = AsStored(item)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, item := range v {
			object[key] = AsStored(item)
		}
		return object
	default:
		return v
	}
}

// storedNumber keeps whole numbers from 2^53 on, which ids are, from being rounded, and numbers beyond any float64 from
// making an event that cannot be read again.
func storedNumber(text string) any {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || (math.Abs(f) >= 1<<53 && !strings.ContainsAny(text, ".eE")) {
		return text
	}
	return f
}

// objectReader makes maps and lists of valid JSON.
type objectReader struct {
	jsonscan.Scanner
	values int
}

func (r *objectReader) value(depth int) (v any, fault string) {
	if r.values++; r.values > maxObjectValues {
		return nil, "the body has too many values"
	}
	if depth > maxObjectDepth {
		return nil, "the body is nested too deeply"
	}
	switch r.Kind() {
	case '{':
		return r.object(depth)
	case '[':
		return r.list(depth)
	case '"':
		text, _ := r.Text()
		return text, ""
	case 't', 'f':
		return r.Word() == "true", ""
	case 'n':
		r.Word()
		return nil, ""
	default:
		return json.Number(r.Word()), ""
	}
}

func (r *objectReader) object(depth int) (any, string) {
	object := map[string]any{}
	for r.Open(); r.More(); {
		key := r.Key()
		if _, twice := object[key]; twice {
			return nil, "the body has a key twice: " + Clean(key, 60)
		}
		v, fault := r.value(depth + 1)
		if fault != "" {
			return nil, fault
		}
		object[key] = v
	}
	return object, ""
}

func (r *objectReader) list(depth int) (any, string) {
	list := []any{}
	for r.Open(); r.More(); {
		v, fault := r.value(depth + 1)
		if fault != "" {
			return nil, fault
		}
		list = append(list, v)
	}
	return list, ""
}
