package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

var (
	errEditDecides  = errors.New("an edited body may ask or report, but neither decide nor end anything; a decision that came in is replayed as it is")
	errEditIdentity = errors.New("an edit keeps the identity: RequestId and tenant must stand in the fields in which they came in, and nowhere else")
)

// editable tells whether an event may stem from an edited body: one that decides, grants or ends a request is never
// written by an operator.
func editable(e connectors.Event) bool {
	if e.Decision != nil || closes(e.Kind) {
		return false
	}
	switch e.Kind {
	case connectors.AccessApproved, connectors.AccessDenied, connectors.AccessGranted, connectors.AccessExpired, connectors.AccessFailed,
		connectors.AdminApproved, connectors.AdminDenied:
		return false
	}
	return true
}

// keeps tells whether an edited body names the request and the tenant of its event as the body it came from does. It
// looks at fields and not at text: an id that somebody typed into a reason is no identity.
func keeps(before, after []byte, e connectors.Event) bool {
	was, wasJSON := fieldsOf(before)
	is, isJSON := fieldsOf(after)
	if !wasJSON || !isJSON {
		// Where one of them is no JSON nobody knows what stands in what, so the names alone must be enough.
		was, is = pairs(before), pairs(after)
	}
	for _, f := range was {
		if named(f.name) && !slices.Contains(is, f) {
			return false
		}
	}
	for _, id := range []string{e.RequestID, e.Tenant} {
		if id != "" && !carries(was, is, id) {
			return false
		}
	}
	return true
}

// carries tells whether every field that holds an id in the edited body held it before, and nothing else: where a name
// had several values nobody knows which of them was meant.
func carries(was, is []field, id string) bool {
	found := false
	for _, f := range is {
		if f.value != id {
			continue
		}
		if !slices.Contains(was, f) {
			return false
		}
		found = true
		for _, other := range was {
			if other.name == f.name && other.place == f.place && other.value != id {
				return false
			}
		}
	}
	return found
}

// named tells a field that is an identity by its name, at any vendor.
func named(name string) bool {
	return name == "id" || strings.HasSuffix(name, "requestid") || strings.Contains(name, "tenant")
}

// field is a text or number in a body.
type field struct {
	name  string // in lower case, without what vendors separate words by
	place string // the way to it; "" where the body is no JSON
	value string
}

func fold(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// fieldsOf lists the fields of a body; ok is false where it is no JSON.
func fieldsOf(body []byte) (fields []field, ok bool) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !json.Valid(body) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	walk(d, "", "", &fields)
	return fields, true
}

// walk reads one value of a body that is valid. Decoding into a map would hide a name that stands twice.
func walk(d *json.Decoder, name, place string, fields *[]field) {
	token, _ := d.Token()
	switch token := token.(type) {
	case string:
		*fields = append(*fields, field{name, place, token})
	case json.Number:
		*fields = append(*fields, field{name, place, token.String()})
	case json.Delim:
		for i := 0; d.More(); i++ {
			key := strconv.Itoa(i)
			inner := name
			if token == '{' {
				text, _ := d.Token()
				key, _ = text.(string)
				inner = fold(key)
			}
			walk(d, inner, place+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(key), fields)
		}
		_, _ = d.Token() // the end of it
	}
}

// pair is a name and its value as JSON writes them, no longer than ids are.
var pair = regexp.MustCompile(`^"((?:[^"\\]|\\.){0,100})"\s*:\s*(?:"((?:[^"\\]|\\.){0,500})"|(-?[0-9][0-9.eE+-]*))`)

// pairs lists what looks like a field in a body that is no JSON, wherever it begins: what a stray quote hides from one
// reader another one sees.
func pairs(body []byte) (fields []field) {
	for i, c := range body {
		if c != '"' {
			continue
		}
		if m := pair.FindSubmatch(body[i:]); m != nil {
			fields = append(fields, field{name: fold(unquoted(m[1])), value: unquoted(m[2]) + string(m[3])})
		}
	}
	return fields
}

// unquoted is what stands between two quotes, as it is where JSON could not read it.
func unquoted(inner []byte) string {
	var text string
	if json.Unmarshal(slices.Concat([]byte{'"'}, inner, []byte{'"'}), &text) != nil {
		return string(inner)
	}
	return text
}
