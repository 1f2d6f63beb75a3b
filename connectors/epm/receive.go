package epm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Receive reads one webhook. EPM has no schema: the body is a template the customer typed, so variables are found by
// their documented names wherever they stand and in whatever case, or where settings.fields says. What is absent,
// empty or still %%Variable%% is left out of the event's data.
//
// A body is refused as *connectors.Malformed rather than understood by guessing: one without a RequestId, one in which
// an id stands twice or is no text, one that has two values for a variable (the same value twice is harmless, and the
// vendor's own example has that), and one that both asks and decides. Templates may be filled with a requester's text
// as it is, so any of these can be an attempt to slip keys in.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	if err := checkType(r.Header.Get("Content-Type")); err != nil {
		return connectors.Received{}, err
	}
	doc, err := parse(r.Body)
	if err != nil {
		return connectors.Received{}, err
	}
	v, err := c.fields.find(doc)
	if err != nil {
		return connectors.Received{}, err
	}
	kind, err := c.classify(v)
	if err != nil {
		return connectors.Received{}, err
	}
	event, err := v.event(kind)
	if err != nil {
		return connectors.Received{}, err
	}
	return connectors.Received{Events: []connectors.Event{event}}, nil
}

func malformed(format string, args ...any) error {
	return &connectors.Malformed{Reason: fmt.Sprintf(format, args...)}
}

// checkType refuses what is surely no JSON. The text is the customer's to choose, so a missing or plain one is fine.
func checkType(header string) error {
	kind, _, _ := strings.Cut(strings.ToLower(header), ";")
	kind = strings.TrimSpace(kind)
	if kind == "" || kind == "text/plain" || kind == "application/octet-stream" || strings.Contains(kind, "json") {
		return nil
	}
	return &connectors.WrongType{Advice: "the webhook's body has to be JSON: in EPM, under Configuration > Webhook Settings, set the webhook's Content Type to application/json and its template to a JSON object"}
}

// parse reads strict JSON, and what repair makes of the body where it is not.
func parse(body []byte) (document, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		return nil, malformed("the body is not UTF-8")
	}
	if !json.Valid(body) {
		mended, ok := repair(body)
		if !ok || !json.Valid(mended) {
			return nil, malformed("the body is no JSON, also after mending raw backslashes and control characters; look for quotes in inserted values")
		}
		body = mended
	}
	return readDocument(string(body))
}

// values are the variables found in one body, by their place in the field map; absent ones are empty.
type values struct {
	fields *fieldMap
	text   []string
}

func (v *values) has(i int) bool { return v.text[i] != "" }

// find assigns the nodes of doc to variables.
func (m *fieldMap) find(doc document) (*values, error) {
	v := &values{fields: m, text: make([]string, len(m.variables))}
	type source struct {
		set        bool
		node, rank int
	}
	sources := make([]source, len(m.variables))
	for i, n := range doc {
		p, ok := m.locate(doc, i)
		if !ok {
			continue
		}
		name, form := m.variables[p.variable].name, m.variables[p.variable].form
		if form == id && n.kind != '"' && n.kind != 'n' {
			return nil, malformed("%s is not a text", name)
		}
		if !n.scalar() {
			continue
		}
		if p.variable == vRequestID && n.kind == '"' && n.raw != n.text {
			return nil, malformed("%s is written with escapes", name)
		}
		value, held := n.value(form), v.text[p.variable]
		old := &sources[p.variable]
		switch {
		case !old.set, p.rank < old.rank && value != "", held == "" && value != "" && (p.rank > old.rank || form != id):
			*old = source{true, i, p.rank}
			v.text[p.variable] = value
		case p.rank == old.rank && form == id:
			return nil, malformed("%s stands twice, at %s and %s", name, doc.place(old.node), doc.place(i))
		case p.rank == old.rank && value != "" && value != held:
			return nil, malformed("%s has two values, at %s and %s; name the right one in settings.fields", name, doc.place(old.node), doc.place(i))
		}
	}
	for i, variable := range m.variables {
		if variable.form == id && !plainID(v.text[i], i == vRequestID) {
			return nil, malformed("%s has characters that no id has, or is too long", variable.name)
		}
	}
	if !v.has(vRequestID) {
		return nil, malformed(`RequestId is missing or was not filled in; the template needs "RequestId": "%%%%RequestId%%%%"`)
	}
	return v, nil
}

// locate tells which variable a node is. A pointer from the settings wins over the node's key.
func (m *fieldMap) locate(doc document, i int) (position, bool) {
	if len(m.byPointer) > 0 {
		if p, ok := m.byPointer[strings.ToLower(doc.pointer(i))]; ok {
			return p, true
		}
	}
	n := doc[i]
	if n.listed || n.parent < 0 {
		return position{}, false
	}
	variable, ok := m.byKey[fold(n.key)]
	return position{variable: variable}, ok
}

// value is the node's text, empty where the variable is absent. A name or path with a control character was pasted in
// raw: CORP\nina is a login, not two lines.
func (n node) value(form form) string {
	if n.kind == 'n' {
		return ""
	}
	text := n.text
	if form == line && strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		text = n.raw
	}
	bare := strings.TrimSpace(text)
	if bare == "" || unfilled(bare) {
		return ""
	}
	if form == plain || form == id {
		return text
	}
	return bare
}

// unfilled tells whether text is still the template's %%Variable%%.
func unfilled(text string) bool {
	inner, ok := strings.CutPrefix(text, "%%")
	if !ok {
		return false
	}
	inner, ok = strings.CutSuffix(inner, "%%")
	return ok && inner != "" && !strings.ContainsAny(inner, "% \t\r\n")
}

// plainID refuses what would make an id ambiguous or dangerous in a URL, a header or a log. The RequestId is stricter:
// it is only ever taken as it stands in the body.
func plainID(text string, strict bool) bool {
	if len(text) > 200 {
		return false
	}
	for _, r := range text {
		switch {
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			return false
		case strict && (r <= ' ' || r > '~' || strings.ContainsRune(`"\%/?#`, r)):
			return false
		}
	}
	return true
}

// classify tells the four events apart by what they carry; the documented EventType of an administrator's decision is
// that of the request, so the type alone says nothing about which of the two it is.
func (c *connector) classify(v *values) (events, error) {
	kind := strings.ToUpper(strings.TrimSpace(v.text[vEventType]))
	isDecision := v.has(vDecision) || v.has(vDecisionTime) || strings.Contains(kind, "DECISION")
	var admin, app, request string
	for i, variable := range v.fields.variables {
		if !v.has(i) {
			continue
		}
		switch {
		case variable.in&apps == 0:
			admin = variable.name
		case variable.in&admins == 0:
			app = variable.name
		}
		if variable.in&decided == 0 {
			request = variable.name
		}
	}
	if isDecision && request != "" && !c.config.MixedEvents {
		return 0, malformed("the body carries a decision and also %s, which belongs to a request; if your EPM sends such decisions, set settings.mixed_events", request)
	}
	var isAdmin bool
	switch {
	case strings.HasPrefix(kind, "JIT_ADMIN"):
		isAdmin = true
	case strings.HasPrefix(kind, "URM_"):
	case admin != "" && app == "":
		isAdmin = true
	case app != "" && admin == "":
	default:
		return 0, malformed(`neither EventType nor the other variables tell an application from administrator rights; the template needs "EventType": "%%%%EventType%%%%"`)
	}
	switch {
	case isAdmin && isDecision:
		return adminDecided, nil
	case isAdmin:
		return adminCreated, nil
	case isDecision:
		return appDecided, nil
	default:
		return appCreated, nil
	}
}

// event puts the variables into the words rules share.
func (v *values) event(of events) (connectors.Event, error) {
	e := connectors.Event{
		Type:      v.text[vEventType],
		Tenant:    v.text[vTenantID],
		RequestID: v.text[vRequestID],
		Reason:    v.text[vReason],
		Data:      v.data(),
	}
	e.Time, _ = parseTime(v.text[vTimestamp])
	switch of {
	case appCreated:
		e.Kind = connectors.AccessRequested
		e.Requester = connectors.Person{Account: v.text[vUser], Name: v.text[vUser]}
		e.Subject = v.product()
	case adminCreated:
		e.Kind = connectors.AdminRequested
		e.Requester = connectors.Person{Account: v.first(vUserName, vUserID), Name: v.first(vUserName, vUserID)}
		e.Subject = "administrator rights"
		if v.has(vComputerID) {
			e.Subject += " on " + v.text[vComputerID]
		}
	default:
		if err := v.told(&e, of); err != nil {
			return connectors.Event{}, err
		}
	}
	e.Dedupe = v.identity(e.Kind)
	return e, nil
}

// told fills in what a decision event reports.
func (v *values) told(e *connectors.Event, of events) error {
	var word string
	told := &connectors.Told{By: connectors.Person{Account: v.text[vPerformedBy], Name: v.text[vPerformedBy]}}
	switch strings.ToLower(strings.TrimSpace(v.text[vDecision])) {
	case "approved":
		told.Outcome, word = connectors.Approved, "Approved"
		e.Kind = connectors.AccessApproved
		if of == adminDecided {
			e.Kind = connectors.AdminApproved
		}
	case "denied":
		told.Outcome, word = connectors.Denied, "Denied"
		e.Kind = connectors.AccessDenied
		if of == adminDecided {
			e.Kind = connectors.AdminDenied
		}
	default:
		return malformed("Decision is neither Approved nor Denied")
	}
	e.Data[documented[vDecision].name] = word
	told.At, _ = parseTime(v.text[vDecisionTime])
	if told.Outcome == connectors.Approved {
		told.Duration = v.granted(of)
	}
	e.Decision = told
	return nil
}

// granted is for how long access was given. The unit of an administrator's Duration is not documented, so the session's
// own start and end come first.
func (v *values) granted(of events) connectors.Duration {
	if of == adminDecided {
		start, fromOK := parseTime(v.text[vStartTime])
		end, toOK := parseTime(v.text[vEndTime])
		if fromOK && toOK && end.After(start) {
			return connectors.Duration{Length: end.Sub(start)}
		}
	}
	if strings.EqualFold(v.text[vDuration], once) {
		return connectors.Duration{Once: true}
	}
	n, err := strconv.ParseInt(v.text[vDuration], 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/int64(time.Second) {
		return connectors.Duration{}
	}
	return connectors.Duration{Length: time.Duration(n) * time.Second}
}

// identity is what makes two webhooks one event: EPM may send again, and gives its events no id.
func (v *values) identity(kind string) string {
	at := v.text[vDecisionTime]
	if t, ok := parseTime(at); ok {
		at = t.Format(time.RFC3339)
	}
	text, _ := json.Marshal([]string{v.text[vTenantID], v.text[vRequestID], kind, at})
	return string(text)
}

func (v *values) first(list ...int) string {
	for _, i := range list {
		if v.has(i) {
			return v.text[i]
		}
	}
	return ""
}

// product names what is asked for in one line.
func (v *values) product() string {
	name := v.text[vProductName]
	if name == "" && v.has(vFilePath) {
		path := strings.TrimRight(v.text[vFilePath], `/\`)
		name = path[strings.LastIndexAny(path, `/\`)+1:]
	}
	if name == "" {
		name = v.first(vComDisplayName, vStoreAppName, vServiceName, vBundleDescription, vProductDescription)
	}
	return connectors.Clean(name, 200)
}

// data holds every variable under its documented name: truth as a bool, numbers as numbers, times as RFC 3339 in UTC.
// A value that is not of its form stays the text it is, so that a rule that relies on the form fails in sight.
func (v *values) data() map[string]any {
	data := make(map[string]any, len(v.text))
	for i, variable := range v.fields.variables {
		if text := v.text[i]; text != "" {
			data[variable.name] = variable.form.convert(text)
		}
	}
	return data
}

func (f form) convert(text string) any {
	switch f {
	case truth:
		switch strings.ToLower(text) {
		case "true":
			return true
		case "false":
			return false
		}
	case instant:
		if t, ok := parseTime(text); ok {
			return t.Format(time.RFC3339Nano)
		}
	case seconds, length:
		if n, err := strconv.ParseInt(text, 10, 53); err == nil {
			return float64(n) // as JSON numbers are read back from the store
		}
	}
	return text
}

// parseTime reads the documented pattern, RFC 3339 and one form seen at clients. Times without a zone are UTC.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{"20060102T150405Z", time.RFC3339, time.DateTime} {
		t, err := time.Parse(layout, text)
		// JSON has no form for years beyond these, which an offset can lead to.
		if t = t.UTC(); err == nil && t.Year() >= 1 && t.Year() <= 9999 {
			return t, true
		}
	}
	return time.Time{}, false
}
