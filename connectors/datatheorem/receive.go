package datatheorem

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Receive reads one webhook: an envelope of event (type, data, version), time and host. The connectivity check posts an
// event that is a text, and is taken as a test without a case. Data is carried whole, except that what is null is left
// out, members declared as text are text, and line breaks that were escaped twice are line breaks.
//
// A body is refused as *connectors.Malformed when it is no such envelope or a finding has no usable id. An event that
// is only unknown is accepted as such.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	if err := checkType(r.Header.Get("Content-Type")); err != nil {
		return connectors.Received{}, err
	}
	body, err := connectors.ReadObject(r.Body)
	if err != nil {
		return connectors.Received{}, err
	}
	var e connectors.Event
	switch event := body["event"].(type) {
	case string:
		e = connectivityCheck(event, r.Time)
	case map[string]any:
		e, err = c.event(event, body["time"], r.Time)
	case nil:
		err = malformed("event is missing")
	default:
		err = malformed("event is neither an object nor a text")
	}
	if err != nil {
		return connectors.Received{}, err
	}
	return connectors.Received{Events: []connectors.Event{e}}, nil
}

func malformed(format string, args ...any) error {
	return &connectors.Malformed{Reason: fmt.Sprintf(format, args...)}
}

// checkType refuses what is surely no JSON. What type Data Theorem sends is not documented, and its connectivity check
// is a curl command, which says form-urlencoded where it is told nothing.
func checkType(header string) error {
	kind, _, _ := strings.Cut(strings.ToLower(header), ";")
	kind = strings.TrimSpace(kind)
	if slices.Contains([]string{"", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded"}, kind) || strings.Contains(kind, "json") {
		return nil
	}
	return &connectors.WrongType{Advice: "the body has to be JSON as Data Theorem's webhooks send it, with the content type application/json"}
}

// connectivityCheck is each time an event of its own, so that a person who repeats it sees it arrive.
func connectivityCheck(said string, at time.Time) connectors.Event {
	at = at.UTC().Truncate(time.Second)
	return connectors.Event{
		Dedupe: identity("connectivity check", said, at.Format(time.RFC3339)), Kind: connectors.Test, Test: true,
		Subject: connectors.Clean(said, 200), Data: map[string]any{"event": said},
	}
}

func (c *connector) event(event map[string]any, stamp any, arrived time.Time) (connectors.Event, error) {
	kind, ok := event["type"].(string)
	switch {
	case event["type"] == nil:
		return connectors.Event{}, malformed("event.type is missing")
	case !ok:
		return connectors.Event{}, malformed("event.type is not a text")
	case !plain(kind):
		return connectors.Event{}, malformed("event.type is empty, too long or has characters that no type has")
	}
	raw, ok := event["data"].(map[string]any)
	if !ok && event["data"] != nil {
		return connectors.Event{}, malformed("event.data is not an object")
	}
	about, found := c.classify(kind, raw)
	id, err := c.requestID(about, found, raw)
	if err != nil {
		return connectors.Event{}, err
	}
	if id == "" && found != connectors.Audit && found != unknown {
		id = "dt-" + digest([]any{kind, stamp, raw})[:32] // a case by itself, so that a rule can open a ticket
	}
	if version, _ := event["version"].(json.Number); version != "1" {
		c.log.Warn("event of another version than the documented one", "type", connectors.Clean(kind, 100))
	}
	e := connectors.Event{Kind: found, Type: kind, RequestID: id, Data: carried(raw)}
	if version, ok := event["version"].(json.Number); ok {
		e.Data[fieldVersion] = connectors.AsStored(version)
	}
	e.Time = epoch(stamp)
	c.describe(&e, about, raw)
	at := strings.TrimSpace(text(stamp))
	if at == "" {
		c.log.Warn("event without a time: sent again it counts as another event", "type", connectors.Clean(kind, 100))
		at = "arrived " + arrived.UTC().Format(time.RFC3339Nano)
	}
	e.Dedupe = c.identity(e, about, at, raw)
	return e, nil
}

// requestID is what the case is known by. A finding without one would get a ticket with each event, so it is refused;
// what users do in the portal belongs to no case.
func (c *connector) requestID(about subject, kind string, data map[string]any) (string, error) {
	names := []string{"uuid"}
	switch about {
	case aboutMobileFinding:
		names = c.config.Mobile.ID
	case aboutNote:
		names = c.config.Mobile.NoteOf
	case aboutOther:
		if kind == connectors.Audit {
			return "", nil
		}
	}
	id := first(data, names)
	if id == "" && (about == aboutViolation || about == aboutMobileFinding) {
		return "", malformed("event.data has no %s, by which the finding is known", strings.Join(names, " or "))
	}
	if id != "" && !plain(id) {
		return "", malformed("event.data: the id has characters that no id has, or is too long")
	}
	return id, nil
}

// plain refuses what would make an id ambiguous or dangerous in a URL, a header or a log.
func plain(id string) bool {
	return id != "" && len(id) <= 200 && !strings.ContainsFunc(id, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"\%/?#`, r)
	}) && strings.Trim(id, ".") != ""
}

// carried returns data as rules see it.
func carried(raw map[string]any) map[string]any {
	data := make(map[string]any, len(raw))
	for name, value := range raw {
		switch {
		case value == nil:
		case slices.Contains(prose, name):
			data[name] = unescape(text(value))
		case texts[name]:
			data[name] = text(value)
		default:
			data[name] = connectors.AsStored(value)
		}
	}
	return data
}

// describe fills in the words rules share.
func (c *connector) describe(e *connectors.Event, about subject, raw map[string]any) {
	data := func(name string) string { return text(e.Data[name]) }
	if page := first(raw, []string{"portal_url"}); strings.HasPrefix(page, "https://") || strings.HasPrefix(page, "http://") {
		e.URL = page
	}
	switch {
	case about == aboutViolation:
		asset, _ := e.Data["affected_asset"].(map[string]any)
		e.Subject = joined(cmp.Or(text(asset["name"]), text(asset["url"])), sentence(data("description")))
		e.Reason = data("exception_explanation")
	case about == aboutOther && e.Kind == connectors.Audit:
		e.Requester = connectors.Person{Account: data("user_login_email"), Name: data("user_login_email"), Mail: data("user_login_email")}
		e.Subject = connectors.Clean(strings.TrimSpace(words(e.Type)+" "+data("user_login_email")), 200)
	default:
		e.Subject = joined(first(raw, []string{"title", "name", "url"}), sentence(data("description")))
	}
	if e.Subject == "" {
		e.Subject = connectors.Clean(words(e.Type), 200)
	}
	if e.Kind != connectors.Audit {
		e.Severity = c.severityOf(first(raw, []string{"relevance", "severity", "priority"}))
	}
}

func (c *connector) severityOf(word string) string {
	if known, ok := c.severity[upper(word)]; ok {
		return known
	}
	return connectors.Clean(strings.ToLower(word), 60)
}

// identity is what makes two webhooks one event, as Data Theorem gives none: the same finding in the same state at the
// same second. A finding that opens again does so at another time; of events without one nobody can tell, so each counts.
func (c *connector) identity(e connectors.Event, about subject, at string, raw map[string]any) string {
	status := text(raw["policy_violation_status"])
	if about == aboutMobileFinding {
		status = first(raw, c.config.Mobile.Status)
	}
	content := ""
	if e.RequestID == "" || e.Time.IsZero() || about == aboutNote {
		content = digest(raw)
	}
	return identity(e.Type, e.RequestID, status, at, content)
}

func identity(parts ...string) string {
	list, _ := json.Marshal(parts) // texts always encode
	if len(list) > 500 {
		return digest(parts)
	}
	return string(list)
}

// digest is the same for the same content, whatever the order of its members.
func digest(v any) string {
	canonical, _ := json.Marshal(v) // what was read as JSON can be written as JSON; maps are written in order of their keys
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// epoch reads seconds since 1970, the documented form of the envelope's time; zero where it is anything else.
func epoch(stamp any) time.Time {
	number, ok := stamp.(json.Number)
	if !ok {
		return time.Time{}
	}
	seconds, err := number.Float64()
	if err != nil || seconds < 1 || seconds >= 253402300800 { // from the year 10000 on JSON knows no time
		return time.Time{}
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e6)*1e3).UTC()
}

// text returns a value as text: a number as it was written, an object or a list as JSON.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(v) // it was read as JSON
		return strings.TrimSpace(b.String())
	}
}

// first returns the first of the named members that is a text or a number and not empty.
func first(data map[string]any, names []string) string {
	for _, name := range names {
		switch v := data[name].(type) {
		case string:
			if strings.TrimSpace(v) != "" {
				return strings.TrimSpace(v)
			}
		case json.Number:
			return v.String()
		}
	}
	return ""
}

// unescape turns the literal \n that Data Theorem sends in prose into line breaks. Prose that has real ones was escaped
// once, as it should be, and a \n in it is meant.
func unescape(prose string) string {
	if strings.Contains(prose, "\n") {
		return prose
	}
	return strings.NewReplacer(`\r\n`, "\n", `\n`, "\n").Replace(prose)
}

// sentence returns the first sentence of prose.
func sentence(prose string) string {
	prose, _, _ = strings.Cut(strings.TrimSpace(prose), "\n")
	prose = strings.TrimSpace(prose)
	if before, _, more := strings.Cut(prose, ". "); more {
		return before
	}
	return strings.TrimSuffix(prose, ".")
}

func joined(name, what string) string {
	if name != "" && what != "" {
		name += ": "
	}
	return connectors.Clean(name+what, 200)
}

// words reads a type aloud: MOBILE_SECURE__USER_LOGIN_FAILED is "user login failed".
func words(kind string) string {
	_, what, ok := strings.Cut(kind, "__")
	if !ok {
		what = kind
	}
	return strings.ToLower(strings.ReplaceAll(what, "_", " "))
}
