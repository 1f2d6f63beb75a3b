package pagerduty

import (
	"context"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Describe tells what an incident on a service has: its own fields and the account's custom ones. A place without a
// project tells the services there are.
func (c *connector) Describe(ctx context.Context, at connectors.Place) (connectors.Schema, error) {
	services, err := c.all(ctx, "services", "services")
	if err != nil {
		return connectors.Schema{}, err
	}
	if at.Project != "" {
		if _, err := c.service(ctx, at.Project); err != nil {
			return connectors.Schema{}, err
		}
	}
	priorities, err := c.all(ctx, "priorities", "priorities")
	if err != nil {
		return connectors.Schema{}, err
	}
	custom, err := c.customFields(ctx)
	if err != nil {
		return connectors.Schema{}, err
	}
	out := connectors.Schema{Statuses: statuses, Fields: []connectors.Field{
		{ID: "title", Type: "text", Required: true, Part: "summary"},
		{ID: "service", Type: "text", Allowed: names(services), Doc: "the project, which every incident has"},
		{ID: "priority", Type: "text", Part: "priority", Allowed: names(priorities)},
		{ID: "urgency", Type: "text", Allowed: []string{"high", "low"}},
		{ID: "escalation_policy", Type: "text", Doc: "its id"},
		{ID: "assignee", Type: "text", Doc: "a user's id; not beside an escalation policy"},
	}}
	for _, f := range custom {
		if word.MatchString(f.Name) {
			out.Fields = append(out.Fields, connectors.Field{ID: f.Name, Name: f.Display, Type: f.kind(), Allowed: f.allowed(), Doc: f.Doc})
		}
	}
	return out, nil
}

// kind is a custom field's type in our words.
func (f customField) kind() string {
	switch {
	case f.many():
		return "list"
	case f.Data == "boolean":
		return "bool"
	case f.Data == "integer", f.Data == "float":
		return "number"
	case f.Data == "datetime":
		return "time"
	default:
		return "text"
	}
}
