package freshworks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Limits; the vendor publishes none of them.
const (
	maxSubject = 255
	MaxText    = 60000 // of a description, and of a field whose form is not known
	maxLine    = 255
	maxTag     = 32
)

// priorities are what 1 to 4 are called.
var priorities = []string{"Low", "Medium", "High", "Urgent"}

// own are fields with a place of their own in a ticket, or none of a rule's to set.
var own = []string{"id", "subject", "description", "priority", "status", "tags", "workspace_id", "type", "attachments", "custom_fields"}

// FieldsOf are the fields of a kind's form, trusted for a while.
func (d *Desk) FieldsOf(ctx context.Context, k Kind) ([]Field, error) {
	d.mu.Lock()
	have, ok := d.fields[k.Path]
	d.mu.Unlock()
	if ok && d.Now().Sub(have.at) < fieldsAge {
		return have.fields, nil
	}
	var all []Field
	if err := d.Get(ctx, "read fields", k.Fields, k.AllFields, &all); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, connectors.Temporarily("read fields: the answer has none")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fields == nil {
		d.fields = map[string]known{}
	}
	d.fields[k.Path] = known{fields: all, at: d.Now()}
	return all, nil
}

// choices are the values of one field.
func (d *Desk) choices(ctx context.Context, k Kind, name string) ([]Choice, error) {
	all, err := d.FieldsOf(ctx, k)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if f.Name == name {
			return f.Choices(), nil
		}
	}
	return nil, nil
}

// statusName is what a status is called, its number where the form does not list it.
func (d *Desk) statusName(ctx context.Context, k Kind, n int) (string, error) {
	choices, err := d.choices(ctx, k, "status")
	for _, c := range choices {
		if c.Number == n {
			return c.Name, nil
		}
	}
	return strconv.Itoa(n), err
}

// statusNumber finds a status by name or number.
func (d *Desk) statusNumber(ctx context.Context, k Kind, name string) (int, error) {
	choices, err := d.choices(ctx, k, "status")
	if err != nil {
		return 0, err
	}
	var names []string
	for _, c := range choices {
		if strings.EqualFold(c.Name, name) || strconv.Itoa(c.Number) == name {
			return c.Number, nil
		}
		names = append(names, c.Name)
	}
	return 0, connectors.Permanently("there is no status %q; there are: %s", connectors.Clean(name, 100), connectors.Clean(strings.Join(names, ", "), 400))
}

// PriorityNumber finds a priority by name or number.
func PriorityNumber(name string) (int, error) {
	for i, one := range priorities {
		if strings.EqualFold(one, name) || strconv.Itoa(i+1) == name {
			return i + 1, nil
		}
	}
	return 0, connectors.Permanently("there is no priority %q; there are: %s", connectors.Clean(name, 100), strings.Join(priorities, ", "))
}

// Body is a ticket as the desk takes it, without labels. keyField, where set, holds our key and is not a rule's to set.
func (d *Desk) Body(ctx context.Context, k Kind, t connectors.Ticket, keyField string) (map[string]any, error) {
	out, custom := map[string]any{}, map[string]any{}
	if t.Summary != "" {
		out["subject"] = markdown.Line(t.Summary, maxSubject)
	}
	if strings.TrimSpace(t.Description) != "" {
		out["description"] = markdown.Parse(t.Description).HTML(MaxText)
	}
	if t.Priority != "" {
		n, err := PriorityNumber(t.Priority)
		if err != nil {
			return nil, err
		}
		out["priority"] = n
	}
	var faults []error
	for _, id := range slices.Sorted(maps.Keys(t.Fields)) {
		shown := connectors.Clean(id, 100)
		switch {
		case slices.Contains(own, id) || id == connectors.AnswerField || id == connectors.AnswerReason || keyField != "" && id == keyField:
			faults = append(faults, fmt.Errorf("field %s is not set as a field", shown))
		case slices.Contains(k.Standard, id):
			out[id] = Clean(t.Fields[id], MaxText)
		default:
			f, err := d.customField(ctx, k, id)
			if err != nil {
				return nil, err
			}
			if f == nil {
				faults = append(faults, fmt.Errorf("there is no custom field %q, or the account may not see it", shown))
				continue
			}
			custom[id] = Clean(t.Fields[id], f.limit())
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

func (d *Desk) customField(ctx context.Context, k Kind, id string) (*Field, error) {
	all, err := d.FieldsOf(ctx, k)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if f.Name == id && f.custom() {
			return &f, nil
		}
	}
	return nil, nil
}

// limit is how much of a text the field keeps.
func (f Field) limit() int {
	if strings.Contains(f.kind(), "paragraph") {
		return MaxText
	}
	return maxLine
}

// Clean is a value with its texts cut to a limit and without what no desk should show.
func Clean(v any, limit int) any {
	switch v := v.(type) {
	case string:
		return cut(v, limit)
	case []string:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, cut(one, limit))
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, Clean(one, limit))
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for id, one := range v {
			out[id] = Clean(one, limit)
		}
		return out
	default:
		return v
	}
}

func cut(text string, limit int) string {
	if limit <= maxLine {
		return markdown.Line(text, limit)
	}
	return markdown.Lines(text, limit)
}

// Tags are labels as tags, added to those that are there. An update replaces all tags, so all are always sent.
func Tags(there, labels []string) []string {
	out := slices.Clone(there)
	if out == nil {
		out = []string{}
	}
	for _, label := range labels {
		tag := markdown.Line(strings.ReplaceAll(label, ",", " "), maxTag)
		if tag != "" && !slices.ContainsFunc(out, func(one string) bool { return strings.EqualFold(one, tag) }) {
			out = append(out, tag)
		}
	}
	return out
}

// Schema tells what a kind's form has.
func (d *Desk) Schema(ctx context.Context, k Kind, keyField string) (connectors.Schema, error) {
	all, err := d.FieldsOf(ctx, k)
	if err != nil {
		return connectors.Schema{}, err
	}
	out := connectors.Schema{Rate: "by the minute, as the plan says", Fields: []connectors.Field{
		{ID: "subject", Type: "text", Required: true, Part: "summary", Max: maxSubject, Doc: "the summary"},
		{ID: "description", Type: "text", Part: "description", Max: MaxText}, {ID: "priority", Type: "text", Part: "priority", Allowed: priorities},
	}}
	for _, id := range k.Standard {
		out.Fields = append(out.Fields, connectors.Field{ID: id, Type: standardKind(id)})
	}
	for _, f := range all {
		if f.Name == "status" {
			for _, c := range f.Choices() {
				out.Statuses = append(out.Statuses, c.Name)
			}
		}
		if !f.custom() || f.Name == keyField {
			continue
		}
		one := connectors.Field{ID: f.Name, Name: f.Label, Type: fieldKind(f.kind()), Required: f.Required}
		if one.Type == "text" {
			one.Max = f.limit()
		}
		for _, c := range f.Choices() {
			one.Allowed = append(one.Allowed, c.Name)
		}
		out.Fields = append(out.Fields, one)
	}
	return out, nil
}

func standardKind(id string) string {
	switch {
	case strings.HasSuffix(id, "_ids") || strings.HasSuffix(id, "_emails"):
		return "list"
	case strings.HasSuffix(id, "_id"), id == "impact", id == "urgency", id == "risk", id == "change_type", id == "source":
		return "number"
	case strings.HasSuffix(id, "_by"), strings.HasSuffix(id, "_date"):
		return "time"
	default:
		return "text"
	}
}

func fieldKind(kind string) string {
	switch kind {
	case "number", "decimal":
		return "number"
	case "checkbox":
		return "bool"
	case "date":
		return "time"
	case "text", "paragraph", "dropdown":
		return "text"
	default:
		return "any"
	}
}
