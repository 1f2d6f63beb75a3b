package zendesk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Limits. Zendesk documents that of comments and text fields, in characters or bytes; bytes are kept to.
const (
	maxText    = 65535
	maxSubject = 150
	maxTag     = 80
)

// priorities and types are the words Zendesk has for them.
var (
	priorities = []string{"urgent", "high", "normal", "low"}
	types      = []string{"question", "incident", "problem", "task"}
)

// standard are the fields of every ticket that a rule may set beside those with a place of their own. All others are
// custom fields, by number.
var standard = []string{
	"assignee_id", "brand_id", "due_at", "group_id", "organization_id", "problem_id", "requester", "requester_id", "ticket_form_id",
}

// body is the fields of a create or an update as Zendesk takes them, without project, text and labels.
func body(t connectors.Ticket) (map[string]any, error) {
	out := map[string]any{}
	var custom []any
	var faults []error
	if t.Summary != "" {
		out["subject"] = subject(t.Summary)
	}
	if t.Priority != "" {
		if out["priority"] = strings.ToLower(t.Priority); !slices.Contains(priorities, strings.ToLower(t.Priority)) {
			faults = append(faults, fmt.Errorf("there is no priority %q; there are: %s", connectors.Clean(t.Priority, 100), strings.Join(priorities, ", ")))
		}
	}
	if t.Type != "" {
		if out["type"] = strings.ToLower(t.Type); !slices.Contains(types, strings.ToLower(t.Type)) {
			faults = append(faults, fmt.Errorf("there is no type %q; there are: %s", connectors.Clean(t.Type, 100), strings.Join(types, ", ")))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.Fields)) {
		var err error
		switch {
		case id == "requester":
			out[id], err = requester(t.Fields[id])
		case slices.Contains(standard, id):
			out[id], err = scalar(t.Fields[id])
		case number.MatchString(id):
			var v any
			v, err = value(t.Fields[id])
			custom = append(custom, map[string]any{"id": json.Number(id), "value": v})
		default:
			err = errors.New("it is none; custom fields are given by number")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("field %s: %w", connectors.Clean(id, 100), err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, connectors.Permanently("%w", err)
	}
	if len(custom) > 0 {
		out["custom_fields"] = custom
	}
	return out, nil
}

// scalar is the value of a field that refers to something.
func scalar(v any) (any, error) {
	switch v := v.(type) {
	case nil, int, int64, json.Number:
		return v, nil
	case float64:
		return json.Number(strconv.FormatFloat(v, 'f', -1, 64)), nil
	case string:
		if number.MatchString(v) {
			return json.Number(v), nil
		}
		return markdown.Line(v, 200), nil
	default:
		return nil, errors.New("it takes a text or a number")
	}
}

var mail = regexp.MustCompile(`^[^\s@<>"]+@[^\s@<>"]+$`)

// requester is somebody by name and mail address, who becomes an end user where there is none.
func requester(v any) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it takes name and email")
	}
	name, _ := m["name"].(string)
	address, _ := m["email"].(string)
	if len(m) > 2 || !mail.MatchString(address) || len(address) > 250 {
		return nil, errors.New("it takes name and email, a mail address")
	}
	out := map[string]any{"email": address}
	if name = markdown.Line(name, 200); name != "" {
		out["name"] = name
	}
	return out, nil
}

// value is a custom field's value.
func value(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return cut(v), nil
	case nil, bool, int, int64, float64, json.Number:
		return v, nil
	case []string:
		out := []any{}
		for _, one := range v {
			out = append(out, cut(one))
		}
		return out, nil
	case []any:
		out := []any{}
		for _, one := range v {
			single, ok := one.(string)
			if !ok {
				return nil, errors.New("a list holds texts only")
			}
			out = append(out, cut(single))
		}
		return out, nil
	default:
		return nil, errors.New("it takes a text, a number, yes or no, or a list of texts")
	}
}

// cut returns a text as a field keeps it.
func cut(source string) string {
	source = strings.TrimSpace(markdown.Clean(source))
	if len(source) <= maxText {
		return source
	}
	const mark = "…"
	return strings.ToValidUTF8(source[:maxText-len(mark)], "") + mark
}

// wedge parts the signs that begin a placeholder. Zendesk replaces placeholders like {{ticket.requester.email}} in what
// agents write; those in an event's text must not be.
const wedge = "\u200b"

var placeholder = strings.NewReplacer("{{", "{"+wedge+"{"+wedge, "{%", "{"+wedge+"%")

func unplaced(source string) string { return placeholder.Replace(source) }

// subject is a summary as Zendesk keeps it.
func subject(source string) string {
	source = markdown.Line(source, maxSubject)
	for limit := maxSubject; ; limit-- {
		if line := unplaced(markdown.Line(source, limit)); utf8.RuneCountInString(line) <= maxSubject {
			return line
		}
	}
}

// rendered is a text as HTML. tail, where set, is a last line that must stay.
func rendered(source, tail string) string {
	d := markdown.Parse(source)
	if tail != "" {
		tail = "<p>" + tail + "</p>"
	}
	for limit := maxText - len(tail); ; limit = limit * 9 / 10 {
		if shown := unplaced(d.HTML(limit)); len(shown)+len(tail) <= maxText || limit < 100 {
			return shown + tail
		}
	}
}

// mark is the tag on every ticket of ours.
const mark = "drawbridge"

// tags are labels as Zendesk keeps them: in lower case, without spaces and signs that part tags.
func tags(labels []string) []string {
	out := []string{}
	for _, label := range labels {
		tag := strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-/.:", r) {
				return unicode.ToLower(r)
			}
			return '_'
		}, markdown.Line(label, 200))
		if runes := []rune(tag); len(runes) > maxTag {
			tag = string(runes[:maxTag])
		}
		if tag != "" && tag != merged && !slices.Contains(out, tag) {
			out = append(out, tag)
		}
	}
	return out
}

// groupID finds a group by name, or takes its number.
func (c *connector) groupID(ctx context.Context, name string) (json.Number, error) {
	if number.MatchString(name) {
		return json.Number(name), nil
	}
	all, err := c.groups(ctx)
	if err != nil {
		return "", err
	}
	for _, g := range all {
		if strings.EqualFold(g.Name, name) && number.MatchString(string(g.ID)) {
			return json.Number(g.ID), nil
		}
	}
	var names []string
	for _, g := range all {
		names = append(names, g.Name)
	}
	return "", connectors.Permanently("there is no group %q; there are: %s", connectors.Clean(name, 100), connectors.Clean(strings.Join(names, ", "), 400))
}

func (c *connector) groups(ctx context.Context) ([]named, error) {
	var all []named
	err := list(ctx, c, "read groups", "groups", "groups", func(g named) { all = append(all, g) })
	return all, err
}

// dropped tells which of the fields sent a ticket does not hold afterwards.
func dropped(t ticket, sent map[string]any) []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(sent)) {
		switch id {
		case "custom_fields":
			for _, one := range sent[id].([]any) {
				asked := one.(map[string]any)
				name := fmt.Sprint(asked["id"])
				if raw, ok := t.custom(name); !ok || !holds(raw, asked["value"]) {
					out = append(out, "custom field "+name)
				}
			}
		case "subject", "priority", "type", "group_id", "assignee_id", "brand_id", "organization_id", "problem_id", "requester_id", "ticket_form_id":
			if !holds(t.raw[id], sent[id]) {
				out = append(out, id)
			}
		}
	}
	return out
}

// holds compares a value as Zendesk tells it with one as it was sent.
func holds(raw json.RawMessage, asked any) bool {
	var v any
	_ = json.Unmarshal(raw, &v) // a missing field is nothing
	return slices.Equal(parts(v), parts(asked))
}

func parts(v any) []string {
	var out []string
	switch v := v.(type) {
	case nil:
	case []any:
		for _, one := range v {
			out = append(out, parts(one)...)
		}
	case float64:
		out = []string{strconv.FormatFloat(v, 'f', -1, 64)}
	default:
		if text := strings.TrimSpace(strings.ReplaceAll(fmt.Sprint(v), "\r\n", "\n")); text != "" {
			out = []string{text}
		}
	}
	slices.Sort(out)
	return out
}
