package pagerduty

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

const (
	maxTitle   = 1024  // characters; Events take no more, the interface names no bound
	maxDetails = 20000 // characters
	maxValue   = 200   // characters of a custom field
)

// fieldsAge is how long the account's fields, services and priorities are trusted.
const fieldsAge = 5 * time.Minute

// plainType is what rules call an incident of no type of its own.
const plainType = "incident"

// body is what a rule gives for an incident, as PagerDuty takes it: the incident's own fields, and the custom ones.
func (c *connector) body(ctx context.Context, t connectors.Ticket) (own map[string]any, custom []map[string]any, err error) {
	own = map[string]any{}
	if t.Summary != "" {
		own["title"] = markdown.Line(t.Summary, maxTitle)
	}
	if t.Type != "" && t.Type != plainType {
		own["incident_type"] = map[string]any{"name": markdown.Line(t.Type, 100)}
	}
	if t.Priority != "" {
		id, err := c.byName(ctx, "priority", "priorities", "priorities", t.Priority)
		if err != nil {
			return nil, nil, err
		}
		own["priority"] = map[string]any{"id": id, "type": "priority_reference"}
	}
	var faults []error
	for _, id := range slices.Sorted(maps.Keys(t.Fields)) {
		given, shown := t.Fields[id], connectors.Clean(id, 60)
		text, isText := given.(string)
		switch id {
		case "urgency":
			if text != "high" && text != "low" {
				faults = append(faults, errors.New("urgency is high or low"))
			}
			own["urgency"] = text
		case "escalation_policy":
			if !isText || !idForm.MatchString(text) {
				faults = append(faults, errors.New("escalation_policy is the id of one"))
			}
			own["escalation_policy"] = map[string]any{"id": text, "type": "escalation_policy_reference"}
		case "assignee":
			if !isText || !idForm.MatchString(text) {
				faults = append(faults, errors.New("assignee is the id of a user"))
			}
			own["assignments"] = []any{map[string]any{"assignee": map[string]any{"id": text, "type": "user_reference"}}}
		case "resolution":
			own["resolution"] = markdown.Lines(fmt.Sprint(given), c.conf.NoteLimit)
		case connectors.AnswerField, connectors.AnswerReason, "service", "incident_type", "title", "status", "type":
			faults = append(faults, fmt.Errorf("field %s is not set as a field", shown))
		default:
			value, err := c.custom(ctx, id, given)
			if err != nil {
				if connectors.AsError(err).Kind != connectors.Permanent {
					return nil, nil, err
				}
				faults = append(faults, err)
				continue
			}
			custom = append(custom, map[string]any{"name": id, "value": value})
		}
	}
	if own["escalation_policy"] != nil && own["assignments"] != nil {
		faults = append(faults, errors.New("escalation_policy and assignee exclude each other"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, nil, connectors.Permanently("%w", err)
	}
	return own, custom, nil
}

// custom is a value as a custom field takes it.
func (c *connector) custom(ctx context.Context, id string, given any) (any, error) {
	all, err := c.customFields(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(f customField) bool { return f.Name == id })
	if at < 0 {
		return nil, connectors.Permanently("there is no custom field %q", connectors.Clean(id, 60))
	}
	f := all[at]
	if given == nil {
		return nil, nil
	}
	parts, several := given.([]any)
	if list, ok := given.([]string); ok {
		several = true
		for _, one := range list {
			parts = append(parts, one)
		}
	}
	if !f.many() {
		if several {
			return nil, connectors.Permanently("custom field %s takes one value", f.Name)
		}
		return f.take(given)
	}
	if !several {
		parts = []any{given}
	}
	out := []any{}
	for _, one := range parts {
		value, err := f.take(one)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	return out, nil
}

// take is one value of a field in the form its data has.
func (f customField) take(given any) (any, error) {
	shown, err := markdown.Value(given, maxValue, strconv.FormatBool)
	text, single := shown.(string)
	if err != nil || !single {
		return nil, connectors.Permanently("custom field %s takes texts, numbers and truth values", f.Name)
	}
	var out any = text
	switch f.Data {
	case "boolean":
		out, err = strconv.ParseBool(text)
	case "integer":
		out, err = strconv.ParseInt(text, 10, 64)
	case "float":
		out, err = strconv.ParseFloat(text, 64)
	}
	if err != nil {
		return nil, connectors.Permanently("custom field %s takes a value of type %s", f.Name, f.Data)
	}
	if allowed := f.allowed(); f.fixed() && !slices.Contains(allowed, text) {
		return nil, connectors.Permanently("custom field %s takes one of: %s", f.Name, connectors.Clean(strings.Join(allowed, ", "), 300))
	}
	return out, nil
}

// customFields are the account's custom fields of incidents, trusted for a while.
func (c *connector) customFields(ctx context.Context) ([]customField, error) {
	if c.conf.NoCustomFields {
		return nil, nil
	}
	c.mu.Lock()
	have, at := c.fields, c.readAt
	c.mu.Unlock()
	if !at.IsZero() && c.now().Sub(at) < fieldsAge {
		return have, nil
	}
	var answer struct{ Fields []customField }
	if _, err := c.read(ctx, "read custom fields", "incidents/custom_fields?include[]=field_options", &answer); err != nil {
		return nil, err
	}
	if answer.Fields == nil {
		return nil, connectors.Temporarily("read custom fields: the answer is no list")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fields, c.readAt = answer.Fields, c.now()
	return answer.Fields, nil
}

// set writes custom fields.
func (c *connector) set(ctx context.Context, id string, values []map[string]any) error {
	if len(values) == 0 {
		return nil
	}
	var answer struct {
		Fields json.RawMessage `json:"custom_fields"`
	}
	err := c.write(ctx, "set custom fields", http.MethodPut, "incidents/"+id+"/custom_fields/values", map[string]any{"custom_fields": values}, &answer)
	if err == nil && len(answer.Fields) == 0 {
		err = connectors.InDoubt("set custom fields: the answer does not hold them")
	}
	return err
}

// known is a list of the account, trusted for a while.
type known struct {
	all []named
	at  time.Time
}

// all reads a list of what has names.
func (c *connector) all(ctx context.Context, path, member string) ([]named, error) {
	c.mu.Lock()
	have, ok := c.lists[path]
	c.mu.Unlock()
	if ok && c.now().Sub(have.at) < fieldsAge {
		return have.all, nil
	}
	fresh := known{at: c.now()}
	err := list(ctx, c, "read "+member, path, member, func(n named) error {
		if !idForm.MatchString(n.ID) {
			return connectors.Temporarily("read %s: an entry has no id", member)
		}
		fresh.all = append(fresh.all, n)
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lists == nil {
		c.lists = map[string]known{}
	}
	c.lists[path] = fresh
	return fresh.all, nil
}

// byName finds something by its name or id.
func (c *connector) byName(ctx context.Context, what, path, member, name string) (string, error) {
	all, err := c.all(ctx, path, member)
	if err != nil {
		return "", err
	}
	for _, same := range []func(n named) bool{
		func(n named) bool { return strings.EqualFold(n.Name, name) },
		func(n named) bool { return n.ID == name },
	} {
		if at := slices.IndexFunc(all, same); at >= 0 {
			return all[at].ID, nil
		}
	}
	return "", connectors.Permanently("there is no %s %q; there are: %s", what, connectors.Clean(name, 100), connectors.Clean(strings.Join(names(all), ", "), 400))
}

func names(all []named) []string {
	var out []string
	for _, n := range all {
		out = append(out, n.Name)
	}
	return out
}

func (c *connector) service(ctx context.Context, name string) (string, error) {
	return c.byName(ctx, "service", "services", "services", name)
}
