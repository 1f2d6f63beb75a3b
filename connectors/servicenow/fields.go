package servicenow

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
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// reserved tells whether a field is not a rule's to set: it has a place of its own in a ticket, or holds our key.
func reserved(field string) bool {
	return slices.Contains([]string{summary, description, priority, stateField, keyField, markField, workNotes, comments, approval, number}, field)
}

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,79}$`)

// lookedUp are the fields that point at a person or a group, which a rule names as people do.
var lookedUp = map[string]string{
	"assigned_to": "sys_user", "caller_id": "sys_user", "opened_by": "sys_user", "requested_by": "sys_user", "requested_for": "sys_user",
	"assignment_group": "sys_user_group",
}

// body is a ticket as ServiceNow takes it.
func (c *connector) body(ctx context.Context, table string, t connectors.Ticket) (map[string]string, error) {
	limit, err := c.limits(ctx, table)
	if err != nil {
		return nil, connectors.Unsent(err)
	}
	out, err := c.fields(ctx, t.Fields, limit)
	if err != nil {
		return nil, err
	}
	if t.Summary != "" {
		out[summary] = markdown.Line(t.Summary, limit(summary))
	}
	if strings.TrimSpace(t.Description) != "" {
		out[description] = markdown.Parse(t.Description).Text(limit(description))
	}
	if t.Priority != "" {
		known, err := c.choicesOf(ctx, table, priority)
		if err != nil {
			return nil, connectors.Unsent(err)
		}
		one, ok := chosen(known, t.Priority)
		if !ok {
			return nil, connectors.Permanently("there is no priority %q; there are: %s", connectors.Clean(t.Priority, 100), connectors.Clean(strings.Join(labels(known), ", "), 400))
		}
		out[priority] = one.value
	}
	return out, nil
}

// fields are a rule's fields as texts, people and groups as sys_ids.
func (c *connector) fields(ctx context.Context, given map[string]any, limit func(string) int) (map[string]string, error) {
	out := map[string]string{}
	var faults []error
	for _, id := range slices.Sorted(maps.Keys(given)) {
		name := connectors.Clean(id, 100)
		text, err := value(given[id])
		switch {
		case !fieldName.MatchString(id) || strings.HasPrefix(id, "sys_"):
			faults = append(faults, fmt.Errorf("%q is not the name of a field", name))
			continue
		case reserved(id):
			faults = append(faults, fmt.Errorf("field %s is not a rule's to set among fields", name))
			continue
		case err != nil:
			faults = append(faults, fmt.Errorf("field %s: %w", name, err))
			continue
		}
		if table := lookedUp[id]; table != "" && text != "" && !recordID.MatchString(text) {
			if text, err = c.lookUp(ctx, table, text); err != nil {
				return nil, fmt.Errorf("field %s: %w", name, connectors.Unsent(err))
			}
		}
		out[id] = cut(text, limit(id))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, connectors.Permanently("%w", err)
	}
	return out, nil
}

// lookUp finds the one person or group of that name.
func (c *connector) lookUp(ctx context.Context, table, text string) (string, error) {
	by := []string{"name"}
	if table == "sys_user" {
		by = []string{"user_name", "email"}
	}
	if strings.ContainsAny(text, "^\r\n") {
		return "", connectors.Permanently("there is none of that name")
	}
	for _, field := range by {
		rows, err := c.all(ctx, listing{name: "look up a reference", table: table, where: []condition{is(field, text)}, fields: []string{sysID, field}})
		if err != nil {
			return "", err
		}
		rows = slices.DeleteFunc(rows, func(row record) bool { return !strings.EqualFold(row[field], text) })
		switch len(rows) {
		case 0:
		case 1:
			return rows[0][sysID], nil
		default:
			return "", connectors.Permanently("%d records of %s are called %q", len(rows), table, connectors.Clean(text, 100))
		}
	}
	return "", connectors.Permanently("no record of %s is called %q, or the account may not see it", table, connectors.Clean(text, 100))
}

// value is a field's value as text.
func value(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(markdown.Clean(v)), nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case json.Number:
		return v.String(), nil
	case nil:
		return "", nil
	case []string:
		return strings.Join(v, ","), nil // a list of sys_ids
	case []any:
		var parts []string
		for _, one := range v {
			text, err := value(one)
			if err != nil {
				return "", err
			}
			parts = append(parts, text)
		}
		return strings.Join(parts, ","), nil
	default:
		return "", errors.New("it takes a text or a list of texts")
	}
}

// cut returns a text as a field keeps it; a limit of 0 is none.
func cut(text string, limit int) string {
	if limit <= 0 || utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:max(limit-1, 0)]) + "…"
}

// lost tells which fields a record does not hold as they were sent, and how. ServiceNow leaves out, without a word, what
// it does not know and what the account may not write, and cuts what is too long.
func lost(now record, sent map[string]string) []string {
	var out []string
	for _, field := range slices.Sorted(maps.Keys(sent)) {
		kept, there := now[field]
		wanted := normal(sent[field])
		switch kept = normal(kept); {
		case kept == wanted:
		case !there:
			out = append(out, field+" (there is no such field, or the account may not see it)")
		case kept != "" && strings.HasPrefix(wanted, kept):
			out = append(out, fmt.Sprintf("%s (cut to %d characters)", field, utf8.RuneCountInString(kept)))
		default:
			out = append(out, field+" (left out or changed)")
		}
	}
	return out
}

func normal(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) }
