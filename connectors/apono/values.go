package apono

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// values are the variables found in one body, by their place in the field map; absent ones are empty.
type values struct {
	fields   *fieldMap
	unescape bool
	text     []string
	whole    map[int]any // lists and objects carried whole
	sources  []found
}

// found is where a variable's value came from.
type found struct {
	set  bool
	at   string
	rank int
}

func (v *values) has(i int) bool { return v.text[i] != "" }

// any tells whether a documented variable has a place in the body, filled or not.
func (v *values) any() bool {
	return slices.ContainsFunc(v.sources[:len(documented)], func(s found) bool { return s.set })
}

// find assigns the nodes of doc to variables. It refuses a document in which an id stands twice or another variable has
// two values: templates may be filled with a requester's text as it is, so this can be an attempt to slip keys in. For the
// same reason, and as a webhook tells of one request, no further element of a list may hold an id of a request.
func (m *fieldMap) find(doc node, unescape bool) (*values, error) {
	v := &values{
		fields: m, unescape: unescape, whole: map[int]any{},
		text: make([]string, len(m.variables)), sources: make([]found, len(m.variables)),
	}
	if err := v.walk(doc, "", "", true); err != nil {
		return nil, err
	}
	for i, variable := range m.variables {
		if variable.form == id && !plainID(v.text[i], i == vID || i == vRequestID) {
			return nil, malformed("%s has characters that no id has, or is too long", variable.name)
		}
	}
	return v, nil
}

// walk visits the members of n. path is what their keys come to when folded and joined, pointer their JSON pointer;
// first is false inside the second and further elements of a list, of which only pointers reach. It goes no deeper than
// a variable can stand, so that long keys cost nothing.
func (v *values) walk(n node, path, pointer string, first bool) error {
	if len(pointer) > v.fields.longest {
		return nil
	}
	for i, kid := range n.kids {
		kidPath, kidPointer, kidFirst := path, "", first
		if n.kind == '[' {
			kidPointer = pointer + "/" + strconv.Itoa(i)
			kidFirst = first && i == 0
		} else {
			kidPath = join(path, fold(kid.key))
			kidPointer = pointer + "/" + escapePointer(kid.key)
		}
		// An element is not its list: only members of objects are variables, and what a pointer names.
		if p, ok := v.fields.locate(kidPath, kidPointer, kidFirst && n.kind == '{'); ok {
			if err := v.assign(p, kid, kidPointer); err != nil {
				return err
			}
		} else if i, named := v.fields.byPath[kidPath]; named && n.kind == '{' && namesRequest(i) && kid.value(v.unescape) != "" {
			return malformed("%s stands in a further element of a list, at %s; a webhook tells of one request", v.fields.variables[i].name, connectors.Clean(kidPointer, 120))
		}
		if err := v.walk(kid, kidPath, kidPointer, kidFirst); err != nil {
			return err
		}
	}
	return nil
}

// namesRequest tells whether a variable is an id of the request itself.
func namesRequest(variable int) bool {
	return variable == vID || variable == vRequestID || variable == vFriendlyID
}

func escapePointer(key string) string {
	if !strings.ContainsAny(key, "~/") {
		return key
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// join makes one path of keys; the payload's own data around everything is left out.
func join(path, key string) string {
	if path == "" {
		return strings.TrimPrefix(key, "data_")
	}
	if path == "data" {
		return key
	}
	return path + "_" + key
}

// locate tells which variable stands at a place. A pointer from the settings wins over the names.
func (m *fieldMap) locate(path, pointer string, named bool) (position, bool) {
	if len(m.byPointer) > 0 {
		if p, ok := m.byPointer[strings.ToLower(pointer)]; ok {
			return p, true
		}
	}
	if !named {
		return position{}, false
	}
	i, ok := m.byPath[path]
	return position{variable: i}, ok
}

// assign takes n as the value of a variable.
func (v *values) assign(p position, n node, at string) error {
	variable, old := v.fields.variables[p.variable], &v.sources[p.variable]
	composite := n.kind == '{' || n.kind == '['
	switch {
	case variable.form == id && n.kind != '"' && n.kind != 'n' && !wholeNumber(n):
		return malformed("%s is not a text", variable.name)
	case variable.form == list && n.kind != '[', variable.form != list && variable.form != anyhow && composite:
		return nil
	}
	value := ""
	if composite {
		whole, ok := n.plain(v.unescape)
		if !ok {
			return nil
		}
		if _, twice := v.whole[p.variable]; twice && old.rank == p.rank {
			return malformed("%s stands twice, at %s and %s", variable.name, connectors.Clean(old.at, 120), connectors.Clean(at, 120))
		}
		if !old.set || p.rank < old.rank {
			*old = found{true, at, p.rank}
			v.whole[p.variable] = whole
		}
		return nil
	}
	value = n.value(v.unescape)
	if variable.form != plain && variable.form != anyhow {
		value = strings.TrimSpace(value)
	}
	held := v.text[p.variable]
	switch {
	case !old.set, p.rank < old.rank && value != "", held == "" && value != "" && (p.rank > old.rank || variable.form != id):
		*old = found{true, at, p.rank}
		v.text[p.variable] = value
	case p.rank == old.rank && variable.form == id:
		return malformed("%s stands twice, at %s and %s", variable.name, connectors.Clean(old.at, 120), connectors.Clean(at, 120))
	case p.rank == old.rank && value != "" && value != held:
		return malformed("%s has two values, at %s and %s; name the right one in settings.fields", variable.name, connectors.Clean(old.at, 120), connectors.Clean(at, 120))
	}
	return nil
}

// wholeNumber tells whether n is a number that is an id as it is written: a template may leave the quotes away.
func wholeNumber(n node) bool {
	return n.kind == 0 && n.text != "" && strings.Trim(n.text, digits) == ""
}

// plainID refuses what would make an id ambiguous or dangerous in a URL, a header or a log. That of a request is
// stricter: calls are made with it.
func plainID(text string, strict bool) bool {
	if len(text) > 200 || strict && (text == "." || text == "..") {
		return false
	}
	for _, r := range text {
		switch {
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			return false
		case strict && (r <= ' ' || r > '~' || strings.ContainsRune(`"\%/?#{}<>&`, r)):
			return false
		}
	}
	return true
}

// data holds the variables of one family under their names: times as RFC 3339 in UTC, numbers as numbers where they are
// exact. A value that is not of its form stays the text it is, so that a rule that relies on the form fails in sight.
func (v *values) data(of family) map[string]any {
	filled := 0
	for _, s := range v.sources {
		if s.set {
			filled++
		}
	}
	data := make(map[string]any, filled)
	for i, variable := range v.fields.variables {
		if variable.in&of == 0 {
			continue
		}
		if whole, ok := v.whole[i]; ok {
			data[variable.name] = whole
		} else if text := v.text[i]; text != "" {
			data[variable.name] = variable.form.convert(text)
		}
	}
	return data
}

func (f form) convert(text string) any {
	switch f {
	case instant:
		if t, ok := parseTime(text); ok {
			return t.Format(time.RFC3339Nano)
		}
	case number:
		return exact(text)
	}
	return text
}

// lastSecond is the end of the year 9999, after which no time is meant.
const lastSecond = 253402300799

const digits = "0123456789"

// parseTime reads seconds since 1970 as decimal text, which a float would round, and RFC 3339. Further digits than
// nanoseconds are dropped.
func parseTime(text string) (time.Time, bool) {
	whole, fraction, dotted := strings.Cut(text, ".")
	if strings.Trim(whole, digits) != "" || strings.Trim(fraction, digits) != "" {
		t, err := time.Parse(time.RFC3339, text)
		// JSON has no form for years beyond these, which an offset can lead to.
		if t = t.UTC(); err != nil || t.Year() < 1 || t.Year() > 9999 {
			return time.Time{}, false
		}
		return t, true
	}
	if whole == "" || len(whole) > 12 || dotted && fraction == "" {
		return time.Time{}, false
	}
	seconds, _ := strconv.ParseInt(whole, 10, 64)
	if seconds <= 0 || seconds > lastSecond {
		return time.Time{}, false
	}
	nanos, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return time.Unix(seconds, nanos).UTC(), true
}
