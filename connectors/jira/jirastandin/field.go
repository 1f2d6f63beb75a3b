package jirastandin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Kinds of system fields, besides those operators can configure.
const (
	summaryKind     Kind = "summary"
	priorityKind    Kind = "priority"
	labelsKind      Kind = "labels"
	resolutionKind  Kind = "resolution"
	commentKind     Kind = "comment"
	requestTypeKind Kind = "vp-origin"
)

// field is a field on a screen.
type field struct {
	id, name string
	kind     Kind
	required bool
	options  []choice
}

// systemFields are on every create screen of a project.
func systemFields(p *project) []*field {
	out := []*field{
		{id: "summary", name: "Summary", kind: summaryKind, required: true},
		{id: "description", name: "Description", kind: TextArea},
		{id: "priority", name: "Priority", kind: priorityKind},
		{id: "labels", name: "Labels", kind: labelsKind},
		{id: "assignee", name: "Assignee", kind: UserPicker},
		{id: "reporter", name: "Reporter", kind: UserPicker},
		{id: "duedate", name: "Due date", kind: Date},
	}
	if p.desk != "" {
		out = append(out, &field{id: "customfield_10010", name: "Request Type", kind: requestTypeKind, options: p.requestTypes})
	}
	return out
}

func newField(from Field) *field {
	f := &field{id: from.ID, name: from.Name, kind: from.Kind, required: from.Required}
	number := strings.TrimPrefix(from.ID, "customfield_")
	for i, name := range from.Options {
		f.options = append(f.options, choice{number + strconv.Itoa(i+1), name})
	}
	return f
}

func (f *field) custom() bool { return strings.HasPrefix(f.id, "customfield_") }

// parse reads a field's value as written in a request. problem is what Jira says of a wrong one; nil is an empty
// value.
func (s *Server) parse(f *field, raw json.RawMessage, version int) (value any, problem string) {
	if string(raw) == "null" {
		return nil, ""
	}
	switch f.kind {
	case summaryKind:
		return parseSummary(raw)
	case TextArea:
		return parseRich(raw, version)
	case Text:
		text, problem := parseString(raw)
		if utf8.RuneCountInString(text) > 255 {
			return nil, "The entered text is too long. It exceeds the allowed limit of 255 characters."
		}
		return orNil(text), problem
	case Number:
		var n json.Number
		if raw[0] == '"' || json.Unmarshal(raw, &n) != nil {
			return nil, "Operation value must be a number"
		}
		return n, ""
	case Date:
		return parseTime(raw, time.DateOnly)
	case DateTime:
		return parseTime(raw, stampLayout, time.RFC3339)
	case labelsKind:
		return parseLabels(raw)
	case UserPicker:
		return s.parseUser(f, raw)
	case priorityKind:
		return parseChoice(f.name, raw, priorities)
	case resolutionKind:
		return parseChoice(f.name, raw, resolutions)
	case Select:
		return parseChoice(f.name, raw, f.options)
	case MultiSelect:
		return parseChoices(f, raw)
	case requestTypeKind:
		return parseRequestType(f, raw)
	default:
		return nil, cannotBeSet(f.id)
	}
}

func cannotBeSet(id string) string {
	return fmt.Sprintf("Field '%s' cannot be set. It is not on the appropriate screen, or unknown.", id)
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func parseString(raw json.RawMessage) (string, string) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return "", "Operation value must be a string"
	}
	return text, ""
}

func parseSummary(raw json.RawMessage) (any, string) {
	text, problem := parseString(raw)
	switch {
	case problem != "":
		return nil, problem
	case strings.TrimSpace(text) == "":
		return nil, "You must specify a summary of the issue."
	case strings.ContainsAny(text, "\r\n"):
		return nil, "The summary is invalid because it contains newline characters."
	case utf8.RuneCountInString(text) > 255:
		return nil, "Summary must be less than 255 characters."
	}
	return text, ""
}

func parseTime(raw json.RawMessage, layouts ...string) (any, string) {
	text, problem := parseString(raw)
	if problem != "" {
		return nil, problem
	}
	for _, layout := range layouts {
		if _, err := time.Parse(layout, text); err == nil {
			return text, ""
		}
	}
	return nil, fmt.Sprintf("Error parsing date string: %s", text)
}

func parseLabels(raw json.RawMessage) (any, string) {
	var labels []string
	if json.Unmarshal(raw, &labels) != nil {
		return nil, "Operation value must be an array of strings"
	}
	var out []string
	for _, label := range labels {
		if problem := wrongLabel(label); problem != "" {
			return nil, problem
		}
		if !slices.Contains(out, label) {
			out = append(out, label)
		}
	}
	slices.Sort(out)
	if len(out) == 0 {
		return nil, ""
	}
	return out, ""
}

func wrongLabel(label string) string {
	switch {
	case label == "":
		return "The label must not be empty."
	case strings.ContainsFunc(label, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }):
		return fmt.Sprintf("The label '%s' contains spaces which is invalid.", label)
	case utf8.RuneCountInString(label) > 255:
		return "The label is too long. It exceeds the allowed limit of 255 characters."
	}
	return ""
}

// pick names one of a set: {"id": ...}, {"name": ...} or {"value": ...}.
type pick struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (p pick) from(set []choice) (choice, bool) {
	for _, c := range set {
		if (p.ID != "" && p.ID == c.id) || (p.ID == "" && p.Name+p.Value == c.name) {
			return c, true
		}
	}
	return choice{}, false
}

func parseChoice(name string, raw json.RawMessage, set []choice) (any, string) {
	var p pick
	if json.Unmarshal(raw, &p) != nil || p == (pick{}) {
		return nil, fmt.Sprintf("Specify a valid 'id' or 'name' for %s", name)
	}
	c, ok := p.from(set)
	if !ok {
		return nil, fmt.Sprintf("Specify a valid 'id' or 'name' for %s", name)
	}
	return c, ""
}

func parseChoices(f *field, raw json.RawMessage) (any, string) {
	var picks []json.RawMessage
	if json.Unmarshal(raw, &picks) != nil {
		return nil, "Operation value must be an array"
	}
	var out []choice
	for _, raw := range picks {
		c, problem := parseChoice(f.name, raw, f.options)
		if problem != "" {
			return nil, problem
		}
		out = append(out, c.(choice))
	}
	if len(out) == 0 {
		return nil, ""
	}
	return out, ""
}

// parseRequestType takes the request type's id, as the platform interface does.
func parseRequestType(f *field, raw json.RawMessage) (any, string) {
	id, problem := parseString(raw)
	if problem != "" {
		return nil, problem
	}
	c, ok := pick{ID: id}.from(f.options)
	if !ok {
		return nil, "Request Type could not be found for this issue type."
	}
	return c, ""
}

func (s *Server) parseUser(f *field, raw json.RawMessage) (any, string) {
	var who struct {
		AccountID string `json:"accountId"`
		Name      string `json:"name"`
	}
	if json.Unmarshal(raw, &who) != nil {
		return nil, fmt.Sprintf("Specify a valid value for %s", f.id)
	}
	name := who.AccountID
	if s.o.DataCenter {
		name = who.Name
	}
	a := s.named(name)
	if a == nil || a.Inactive {
		return nil, fmt.Sprintf("User '%s' does not exist.", name)
	}
	return a, ""
}

// words returns how a history names a value: its id, where it has one, and its text.
func words(value any) (id, text string) {
	switch v := value.(type) {
	case string:
		return "", v
	case json.Number:
		return "", v.String()
	case richText:
		return "", v.text
	case []string:
		return "", strings.Join(v, " ")
	case choice:
		return v.id, v.name
	case []choice:
		var ids, names []string
		for _, c := range v {
			ids, names = append(ids, c.id), append(names, c.name)
		}
		return strings.Join(ids, ","), strings.Join(names, ",")
	case *account:
		return v.ID, v.Name
	default:
		return "", ""
	}
}
