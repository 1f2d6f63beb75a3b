package redmine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// standard are the fields of every ticket that a rule may set beside those with a place of their own, by the names of
// Redmine's interface. All others are custom fields, by name.
var standard = []string{
	"assigned_to_id", "category_id", "fixed_version_id", "parent_issue_id", "start_date", "due_date", "done_ratio", "estimated_hours",
	"is_private", "watcher_user_ids",
}

// body is the fields of a create or an update as Redmine takes them, without the description. custom are the custom
// fields there are.
func (c *connector) body(ctx context.Context, t connectors.Ticket, custom []named) (map[string]any, error) {
	out := map[string]any{}
	var values []any
	var faults []error
	if t.Summary != "" {
		out["subject"] = markdown.Line(t.Summary, maxSubject)
	}
	for _, id := range slices.Sorted(maps.Keys(t.Fields)) {
		if slices.Contains(standard, id) {
			out[id] = t.Fields[id]
			continue
		}
		if c.conf.KeyField != "" && strings.EqualFold(id, c.conf.KeyField) {
			faults = append(faults, fmt.Errorf("field %s holds our key and is not a rule's to set", c.conf.KeyField))
			continue
		}
		f, ok := find(custom, id)
		value, err := value(t.Fields[id])
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("there is no custom field %q there, or the account may not see it", connectors.Clean(id, 100)))
		case err != nil:
			faults = append(faults, fmt.Errorf("field %s: %w", connectors.Clean(id, 100), err))
		default:
			values = append(values, map[string]any{"id": f.ID, "value": value})
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, connectors.Permanently("%w", err)
	}
	if len(values) > 0 {
		out["custom_fields"] = values
	}
	if t.Priority != "" {
		id, err := c.priority(ctx, t.Priority)
		if err != nil {
			return nil, err
		}
		out["priority_id"] = id
	}
	return out, nil
}

// priority finds a priority by name.
func (c *connector) priority(ctx context.Context, name string) (int64, error) {
	all, err := c.priorities(ctx)
	if err != nil {
		return 0, err
	}
	if p, ok := find(all, name); ok {
		return p.ID, nil
	}
	return 0, connectors.Permanently("there is no priority %q; there are: %s", connectors.Clean(name, 100), names(all))
}

func (c *connector) priorities(ctx context.Context) ([]named, error) {
	var answer struct {
		All []named `json:"issue_priorities"`
	}
	err := c.get(ctx, "read priorities", "enumerations/issue_priorities.json", &answer)
	return answer.All, connectors.Unsent(err)
}

func names(all []named) string {
	var out []string
	for _, one := range all {
		out = append(out, one.Name)
	}
	return connectors.Clean(strings.Join(out, ", "), 400)
}

// value is a custom field's value as text, or as a list of texts.
func value(v any) (any, error) { return markdown.Value(v, maxValue, digit) }

// digit is how a checkbox is written.
func digit(on bool) string { return map[bool]string{true: "1", false: "0"}[on] }

// simple is a ticket's fields in the form rules compare with: custom fields by name, people and choices by their names.
func simple(i issue) map[string]any {
	out := map[string]any{"project": i.Project.Name, "tracker": i.Tracker.Name}
	for _, id := range []string{"assigned_to", "category", "fixed_version", "parent", "start_date", "due_date", "done_ratio", "estimated_hours", "is_private"} {
		raw, ok := i.raw[id]
		if !ok || string(raw) == "null" {
			continue
		}
		var ref named
		if raw[0] == '{' && json.Unmarshal(raw, &ref) == nil {
			out[id] = ref.Name
			continue
		}
		var plain any
		if json.Unmarshal(raw, &plain) == nil {
			out[id] = plain
		}
	}
	for _, f := range i.CustomFields {
		var plain any
		if json.Unmarshal(f.Value, &plain) == nil && plain != nil {
			out[f.Name] = plain
		}
	}
	return out
}

// dropped tells which of the fields sent a ticket read back does not hold. Redmine leaves out, without a word, what the
// account may not change, what the workflow keeps from it, and what it does not know.
func dropped(i issue, sent map[string]any) []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(sent)) {
		switch id {
		case "custom_fields":
			for _, one := range sent[id].([]any) {
				asked := one.(map[string]any)
				f := slices.IndexFunc(i.CustomFields, func(f customField) bool { return f.ID == asked["id"] })
				if f < 0 {
					out = append(out, fmt.Sprintf("custom field %v", asked["id"]))
				} else if !holds(i.CustomFields[f].Value, asked["value"]) {
					out = append(out, i.CustomFields[f].Name)
				}
			}
		case "watcher_user_ids", "notes", "private_notes", "uploads", "description":
		default:
			name := strings.TrimSuffix(id, "_id")
			if name == "parent_issue" {
				name = "parent"
			}
			if !holds(i.raw[name], sent[id]) {
				out = append(out, id)
			}
		}
	}
	return out
}

// holds compares a value as Redmine tells it with one as it was sent: a thing is told with its number.
func holds(raw json.RawMessage, asked any) bool {
	var plain any
	_ = json.Unmarshal(raw, &plain) // a missing field is nothing
	if ref, ok := plain.(map[string]any); ok {
		plain = ref["id"]
	}
	return slices.Equal(listed(plain), listed(asked))
}

func listed(v any) []string {
	var out []string
	switch v := v.(type) {
	case nil:
	case []string:
		out = slices.Clone(v)
	case []any:
		for _, one := range v {
			out = append(out, listed(one)...)
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
