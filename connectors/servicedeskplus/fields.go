package servicedeskplus

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Limits. Those of the short texts are the desk's own; none is named for texts and additional fields, and ours keep a
// form bounded.
const (
	maxShort = 250
	maxText  = 50000
	maxValue = 10000
)

// Fields a rule may set beside those with a place of their own, by what they hold.
var (
	lookups = []string{
		"category", "group", "impact", "item", "level", "mode", "priority", "request_type", "service_category", "site", "status", "subcategory",
		"template", "urgency",
	}
	people     = []string{"editor", "on_behalf_of", "requester", "technician"}
	shortTexts = []string{"impact_details", "status_change_comments", "update_reason"}
	kept       = []string{"subject", "description", "udf_fields", "id", "display_id", "approval_status", "created_by", "completed_by_denial", "is_service_request"}
)

// body is the fields of a create or an update as the desk takes them, without subject and description.
func (c *connector) body(t connectors.Ticket) (map[string]any, error) {
	out := map[string]any{}
	additional := map[string]any{}
	var faults []error
	if t.Priority != "" {
		out["priority"] = map[string]any{"name": markdown.Line(t.Priority, maxShort)}
	}
	for _, id := range slices.Sorted(maps.Keys(t.Fields)) {
		v, err := t.Fields[id], error(nil)
		switch {
		case c.conf.KeyField != "" && id == c.conf.KeyField:
			err = errors.New("it holds our key and is not a rule's to set")
		case slices.Contains(kept, id) || !plainName.MatchString(id) || strings.Contains(id, "."):
			err = errors.New("it cannot be set as a field")
		case fieldName.MatchString(id):
			additional[id], err = plainValue(v)
		case slices.Contains(lookups, id):
			out[id], err = reference(v, "name")
		case slices.Contains(people, id):
			out[id], err = reference(v, "email_id")
		case slices.Contains(shortTexts, id):
			text, ok := v.(string)
			if !ok {
				err = errors.New("it takes a text")
			}
			out[id] = markdown.Line(text, maxShort)
		default:
			out[id] = plain(v) // in the desk's own shape; what it does not know it refuses
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("field %s: %w", connectors.Clean(id, 100), err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, connectors.Permanently("%w", err)
	}
	if len(additional) > 0 {
		out["udf_fields"] = additional
	}
	return out, nil
}

// reference points at something by name, or at somebody by mail address. An object is taken in its shape.
func reference(v any, by string) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return plain(v), nil
	case string:
		if by == "email_id" && !strings.Contains(v, "@") {
			by = "name"
			if requestID.MatchString(v) {
				by = "id"
			}
		}
		return map[string]any{by: markdown.Line(v, maxShort)}, nil
	default:
		return nil, errors.New("it takes a name, or an object with a name or an id")
	}
}

// plainValue is the value of an additional field.
func plainValue(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return markdown.Lines(v, maxValue), nil
	case []string:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, markdown.Lines(one, maxValue))
		}
		return out, nil
	case []any:
		out := make([]any, 0, len(v))
		for _, one := range v {
			inner, err := plainValue(one)
			if err != nil {
				return nil, err
			}
			out = append(out, inner)
		}
		return out, nil
	case map[string]any:
		return plain(v), nil
	case nil, bool, float64, int, int64, json.Number:
		return v, nil
	default:
		return nil, errors.New("it takes a text, a number or a list of them")
	}
}

// markup is what would begin or end an element. Ampersands stay, so that names keep theirs.
var markup = strings.NewReplacer("<", "&lt;", ">", "&gt;")

// plain is a value in the desk's own shape with its texts cut and without markup: the desk shows some of them as HTML,
// such as a resolution's content, and does not say which.
func plain(v any) any {
	switch v := v.(type) {
	case string:
		return markup.Replace(markdown.Lines(v, maxValue))
	case []string:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, plain(one))
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, plain(one))
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for id, one := range v {
			out[id] = plain(one)
		}
		return out
	default:
		return v
	}
}

// simple are a request's fields as expressions see them: things and people by name, times as the desk writes them,
// additional fields beside the others.
func (c *connector) simple(r request) map[string]any {
	out := map[string]any{}
	put := func(id string, raw json.RawMessage) {
		if v := simpleValue(raw); v != nil {
			out[id] = v
		}
	}
	for id, raw := range r.raw {
		if !slices.Contains([]string{"subject", "description", "attachments", "udf_fields"}, id) {
			put(id, raw)
		}
	}
	for id, raw := range r.additional() {
		if _, taken := r.raw[id]; id != c.conf.KeyField && !taken {
			put(id, raw)
		}
	}
	return out
}

func simpleValue(raw json.RawMessage) any {
	v, err := connectors.ReadObject([]byte(`{"v":` + string(raw) + `}`))
	if err != nil {
		return nil
	}
	return shown(v["v"])
}

// shown takes a thing for its name, somebody for their mail address, a time for its milliseconds.
func shown(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, id := range []string{"email_id", "name", "value", "id"} {
			if inner := v[id]; inner != nil {
				return connectors.AsStored(inner)
			}
		}
	case []any:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, shown(one))
		}
		return out
	}
	return connectors.AsStored(v)
}
