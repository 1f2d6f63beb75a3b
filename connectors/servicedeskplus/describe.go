package servicedeskplus

import (
	"context"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Describe tells the fields a rule may set and the statuses and priorities there are. What a template demands besides the
// subject the desk tells only when it refuses a request.
func (c *connector) Describe(ctx context.Context, _ connectors.Place) (connectors.Schema, error) {
	statuses, err := c.names(ctx, "statuses")
	if err != nil {
		return connectors.Schema{}, err
	}
	priorities, err := c.names(ctx, "priorities")
	if err != nil {
		return connectors.Schema{}, err
	}
	out := connectors.Schema{Statuses: statuses, Open: true, Rate: "not published; the desk says when a limit is met", Fields: []connectors.Field{
		{ID: "subject", Type: "text", Required: true, Part: "summary", Max: maxShort, Doc: "the summary"},
		{ID: "priority", Type: "text", Part: "priority", Allowed: priorities},
	}}
	for _, id := range lookups {
		if !slices.Contains([]string{"priority", "status", "group", "template"}, id) {
			out.Fields = append(out.Fields, connectors.Field{ID: id, Type: "text", Doc: "by name"})
		}
	}
	for _, id := range people {
		out.Fields = append(out.Fields, connectors.Field{ID: id, Type: "text", Doc: "by mail address or id"})
	}
	for _, id := range shortTexts {
		out.Fields = append(out.Fields, connectors.Field{ID: id, Type: "text", Max: maxShort})
	}
	return out, nil
}

// names are the names of one kind of thing there is.
func (c *connector) names(ctx context.Context, kind string) ([]string, error) {
	all, err := parts[named](ctx, c, "read "+kind, kind, kind)
	if err != nil {
		return nil, connectors.Unsent(err)
	}
	out := []string{}
	for _, one := range all {
		if one.Name != "" {
			out = append(out, one.Name)
		}
	}
	return out, nil
}
