package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/jsonscan"
)

// maxDepth is how deep values may stand in each other; no sender needs half of it.
const maxDepth = 64

func malformed(format string, args ...any) error {
	return &connectors.Malformed{Reason: fmt.Sprintf(format, args...)}
}

// object reads a body that has to be a JSON object.
func object(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, malformed("the body is empty")
	}
	v, err := parse(body)
	if err != nil {
		return nil, err
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, malformed("the body is not a JSON object")
	}
	return fields, nil
}

// parse reads one JSON value. A key that stands twice in an object is refused wherever it is: readers differ on which
// of the two counts, and senders that fill templates with people's text can be made to write a second RequestId.
func parse(body []byte) (any, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		return nil, malformed("the body is not UTF-8")
	}
	if !json.Valid(body) {
		return nil, malformed("the body is not JSON")
	}
	r := reader{jsonscan.New(string(body))}
	return r.value(nil)
}

// reader makes maps and lists of valid JSON.
type reader struct{ jsonscan.Scanner }

func (r *reader) value(at pointer) (any, error) {
	switch kind := r.Kind(); kind {
	case '{', '[':
		if len(at) == maxDepth {
			return nil, malformed("the body is nested too deeply")
		}
		if kind == '{' {
			return r.object(at)
		}
		return r.list(at)
	case '"':
		text, _ := r.Text()
		return text, nil
	case 't', 'f':
		return r.Word() == "true", nil
	case 'n':
		r.Word()
		return nil, nil
	default:
		return number(r.Word())
	}
}

func (r *reader) object(at pointer) (any, error) {
	out := map[string]any{}
	for r.Open(); r.More(); {
		key := r.Key()
		below := append(at, key)
		if _, twice := out[key]; twice {
			return nil, malformed("a key stands twice: %s", connectors.Clean(below.String(), 120))
		}
		v, err := r.value(below)
		if err != nil {
			return nil, err
		}
		out[key] = v
	}
	return out, nil
}

func (r *reader) list(at pointer) (any, error) {
	out := []any{}
	below := append(at, "") // only its length counts
	for r.Open(); r.More(); {
		v, err := r.value(below)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// largestWhole is the first whole number from which on a float64 may stand for several.
const largestWhole = 1 << 53

// exactDigits is how many digits a float64 keeps of any number.
const exactDigits = 15

// smallestExact is the smallest float64 that keeps exactDigits.
const smallestExact = 0x1p-1022

// number is a float64. A whole number that is too large to be exact, or was made whole by rounding, and a number that is
// too small to be exact stay the text they are, so that two ids never become one. Zero has no sign.
func number(text string) (any, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, malformed("a number is too large")
	}
	if math.Abs(f) < smallestExact {
		if digits(text) > 0 {
			return text, nil
		}
		return 0.0, nil
	}
	plain := !strings.ContainsAny(text, ".eE")
	if plain && math.Abs(f) >= largestWhole || !plain && f == math.Trunc(f) && digits(text) > exactDigits {
		return text, nil
	}
	return f, nil
}

// digits counts the digits of a number that make it this one: neither the zeros around it nor its exponent.
func digits(text string) int {
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	return len(strings.Trim(strings.Replace(strings.TrimPrefix(mantissa, "-"), ".", "", 1), "0"))
}
