package webhook

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// values are what was found in one body, by the names of their paths. Faults name the path and nothing of the value.
type values map[string]any

// text returns a text; numbers, true and false are written out. What is absent, null or blank is the empty text.
func (v values) text(name string) (string, error) {
	text, ok := connectors.ScalarText(v[name])
	if !ok {
		return "", malformed("%s is a list or an object, not a text", name)
	}
	if strings.TrimSpace(text) == "" {
		return "", nil
	}
	return text, nil
}

// line returns a text on one line, cut at n characters.
func (v values) line(name string, n int) (string, error) {
	text, err := v.text(name)
	return connectors.Clean(text, n), err
}

// id returns a text that says which thing this is: it is taken as it stands, so it must be plain.
func (v values) id(name string, longest int) (string, error) {
	switch found := v[name].(type) {
	case nil:
		return "", nil
	case string:
		return plainID(name, found, longest)
	case float64:
		if found == math.Trunc(found) {
			return strconv.FormatFloat(found, 'f', -1, 64), nil
		}
	}
	return "", malformed("%s is neither a text nor a whole number", name)
}

// plainID refuses what would make an id ambiguous: what does not show, white space at its ends, and the mark of a
// character that was lost.
func plainID(name, text string, longest int) (string, error) {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
	switch {
	case len(text) > longest:
		return "", malformed("%s is longer than %d bytes", name, longest)
	case strings.ContainsFunc(text, hidden), strings.TrimSpace(text) != text:
		return "", malformed("%s has characters that no id has", name)
	}
	return text, nil
}

// person returns who is found at the three paths below name.
func (v values) person(name string) (connectors.Person, error) {
	var p connectors.Person
	var err error
	if p.Account, err = v.id(name+".account", idBytes); err != nil {
		return p, err
	}
	if p.Mail, err = v.id(name+".mail", idBytes); err != nil {
		return p, err
	}
	p.Name, err = v.line(name+".name", 200)
	return p, err
}

// instant returns a time, zero where there is none.
func (v values) instant(name string, format timeFormat) (time.Time, error) {
	if v[name] == nil || v[name] == "" {
		return time.Time{}, nil
	}
	at, ok := format.parse(v[name])
	if !ok {
		return at, malformed("%s is no time as settings.time_format says: %s", name, format)
	}
	return at, nil
}

// address returns a link for a browser.
func (v values) address(name string) (string, error) {
	text, err := v.text(name)
	if err != nil || text == "" {
		return "", err
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return "", malformed("%s is no http or https address", name)
	}
	return text, nil
}

// timeFormat is how a sender writes times.
type timeFormat string

const (
	rfc3339   timeFormat = "rfc3339"
	unix      timeFormat = "unix"
	unixMilli timeFormat = "unix_ms"
)

var timeFormats = []timeFormat{rfc3339, unix, unixMilli}

func (f timeFormat) known() bool { return slices.Contains(timeFormats, f) }

// parse reads a time. Times that RFC 3339 cannot write again are none.
func (f timeFormat) parse(v any) (time.Time, bool) {
	if f == rfc3339 {
		text, ok := v.(string)
		at, err := time.Parse(time.RFC3339, strings.ToUpper(text))
		return at.UTC(), ok && err == nil && writable(at)
	}
	text, ok := connectors.ScalarText(v)
	n, err := strconv.ParseFloat(text, 64)
	if f == unix {
		n *= 1000
	}
	if !ok || err != nil || math.Abs(n) > 1e15 {
		return time.Time{}, false
	}
	at := time.UnixMilli(int64(math.Round(n))).UTC()
	return at, writable(at)
}

func writable(at time.Time) bool { y := at.UTC().Year(); return y >= 1 && y <= 9999 }
