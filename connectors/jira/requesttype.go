package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// requestType is what customers call a kind of request at a service desk. A ticket created with its field set is a request
// of that type, with the approvals its workflow asks for.
type requestType struct{ ID, Name string }

// isRequestType tells whether a field is the one for the request type, whatever its id.
func (s fieldSchema) isRequestType() bool { return strings.HasSuffix(s.Custom, ":vp-origin") }

// isRequest tells whether a ticket has a request type, in whatever field.
func (i issue) isRequest() bool {
	for _, raw := range i.Fields {
		var value struct {
			Type json.RawMessage `json:"requestType"`
		}
		if json.Unmarshal(raw, &value) == nil && len(value.Type) > 0 && string(value.Type) != "null" {
			return true
		}
	}
	return false
}

// requestTypes returns fields with request types that are given by name in place of their ids, which is what Jira takes.
func (c *connector) requestTypes(ctx context.Context, project string, fields map[string]any, meta map[string]fieldMeta) (map[string]any, error) {
	out := fields
	for id, value := range fields {
		name, ok := value.(string)
		if !ok || !meta[id].Schema.isRequestType() || issueID.MatchString(name) {
			continue
		}
		types, err := c.readRequestTypes(ctx, project)
		if err != nil {
			return nil, connectors.Unsent(err)
		}
		at := slices.IndexFunc(types, func(t requestType) bool { return strings.EqualFold(t.Name, name) })
		if at < 0 {
			return nil, connectors.Permanently("project %s has no request type %q; it has: %s",
				project, connectors.Clean(name, 100), connectors.Clean(strings.Join(namesOf(types), ", "), 400))
		}
		out = maps.Clone(out)
		out[id] = types[at].ID
	}
	return out, nil
}

func namesOf(types []requestType) []string {
	names := make([]string, 0, len(types))
	for _, t := range types {
		names = append(names, t.Name)
	}
	return names
}

func (c *connector) readRequestTypes(ctx context.Context, project string) ([]requestType, error) {
	at, err := segment(project)
	if err != nil {
		return nil, connectors.Permanently("%q is not a project key", connectors.Clean(project, 50))
	}
	var out []requestType
	for start, n := 0, 0; n < maxPages; n++ {
		var page struct {
			Values []requestType `json:"values"`
			Last   bool          `json:"isLastPage"`
		}
		path := fmt.Sprintf("%sservicedesk/%s/requesttype?start=%d&limit=100", deskAPI, at, start)
		if err := c.get(ctx, "read request types", path, &page); err != nil {
			return nil, err
		}
		out = append(out, page.Values...)
		start += len(page.Values)
		if page.Last || len(page.Values) == 0 {
			return out, nil
		}
	}
	return nil, endless("read request types")
}
