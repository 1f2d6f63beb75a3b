package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// severities of syslog by those of events; what is not known is notice.
var severities = map[string]int{
	"emergency": 0, "alert": 1, "critical": 2, "high": 3, "error": 3, "medium": 4, "warning": 4, "low": 5, "notice": 5, "info": 6, "informational": 6, "debug": 7,
}

const notice = 5

// message is one record as RFC 5424 says: what tells it apart is structured data, the record itself is the text, as JSON.
// A text that is too long is cut.
func (c *Config) message(r *connectors.Record) ([]byte, error) {
	severity := notice
	if known, ok := severities[strings.ToLower(text(r.Event, "severity"))]; ok {
		severity = known
	}
	kind := text(r.Event, "kind")
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%d>1 %s %s %s - %s ", c.Facility*8+severity, r.At.UTC().Format("2006-01-02T15:04:05.000000Z"), c.Hostname, c.AppName, name(kind, 32))
	fmt.Fprintf(&b, "[drawbridge@%d", c.Enterprise)
	for _, param := range [][2]string{{"event_id", r.EventID}, {"source", r.Source}, {"case", r.Group}, {"kind", kind}} {
		if param[1] != "" {
			fmt.Fprintf(&b, ` %s="%s"`, param[0], escaped(param[1]))
		}
	}
	b.WriteString("] \ufeff") // the mark says that what follows is UTF-8
	if b.Len() >= c.MaxBytes {
		return nil, fmt.Errorf("the record has %d bytes besides its text, %d are the most", b.Len(), c.MaxBytes)
	}
	body, err := content(r)
	if err != nil {
		return nil, err
	}
	b.Write(cut(body, c.MaxBytes-b.Len()))
	return b.Bytes(), nil
}

// content is the rule's record, or the event.
func content(r *connectors.Record) ([]byte, error) {
	record := r.Data
	if record == nil {
		record = r.Event
	}
	with := make(map[string]any, len(record)+1)
	maps.Copy(with, record)
	with["event_id"] = r.EventID
	body, err := connectors.PlainJSON(with)
	if err != nil {
		return nil, errors.New("the record cannot be written as JSON")
	}
	return body, nil
}

func text(event map[string]any, key string) string {
	found, _ := event[key].(string)
	return found
}

// name is a text as it may stand in the header.
func name(given string, most int) string {
	out := strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return '_'
		}
		return r
	}, given)
	if out == "" {
		return "-"
	}
	return out[:min(len(out), most)]
}

// escaped is a text as the value of a parameter: the three characters that end something are escaped, and control
// characters are spaces.
func escaped(given string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(connectors.Clean(given, 500), "\ufffd") {
		if r == '"' || r == '\\' || r == ']' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// cut shortens a text to n bytes and no half character.
func cut(body []byte, n int) []byte {
	if len(body) <= n {
		return body
	}
	const mark = "…"
	n -= len(mark)
	if n < 0 {
		return nil
	}
	for n > 0 && !utf8.RuneStart(body[n]) {
		n--
	}
	return append(bytes.Clone(body[:n]), mark...)
}
