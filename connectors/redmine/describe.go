package redmine

import (
	"context"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Describe tells the fields of the tickets of one project and the statuses there are. What a custom field takes Redmine
// tells to administrators only, and which statuses a workflow offers on a ticket only.
func (c *connector) Describe(ctx context.Context, at connectors.Place) (connectors.Schema, error) {
	p, err := c.project(ctx, at.Project)
	if err != nil {
		return connectors.Schema{}, err
	}
	if _, ok := find(p.Trackers, at.Type); at.Type != "" && !ok {
		return connectors.Schema{}, connectors.Permanently("project %s has no tracker %q; it has: %s", at.Project, connectors.Clean(at.Type, 100), names(p.Trackers))
	}
	priorities, err := c.priorities(ctx)
	if err != nil {
		return connectors.Schema{}, err
	}
	statuses, err := c.statuses(ctx)
	if err != nil {
		return connectors.Schema{}, err
	}
	priority := connectors.Field{ID: "priority", Type: "text", Part: "priority"}
	for _, one := range priorities {
		priority.Allowed = append(priority.Allowed, one.Name)
	}
	out := connectors.Schema{Fields: []connectors.Field{
		{ID: "subject", Type: "text", Required: true, Part: "summary", Max: maxSubject, Doc: "the summary"}, priority,
	}}
	for _, id := range standard {
		out.Fields = append(out.Fields, connectors.Field{ID: id, Type: standardKind(id)})
	}
	for _, f := range p.Fields {
		if c.conf.KeyField == "" || f.Name != c.conf.KeyField {
			out.Fields = append(out.Fields, connectors.Field{ID: f.Name, Name: f.Name, Type: "any", Max: maxValue})
		}
	}
	for _, s := range statuses {
		out.Statuses = append(out.Statuses, s.Name)
	}
	return out, nil
}

func standardKind(id string) string {
	switch id {
	case "start_date", "due_date":
		return "time"
	case "is_private":
		return "bool"
	case "watcher_user_ids":
		return "list"
	default:
		return "number"
	}
}
