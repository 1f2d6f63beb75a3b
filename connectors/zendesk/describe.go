package zendesk

import (
	"context"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

type ticketField struct {
	ID       looseID `json:"id"`
	Type     string  `json:"type"`
	Title    string  `json:"title"`
	Active   bool    `json:"active"`
	Required bool    `json:"required"` // to solve a ticket
	Options  []struct {
		Value string `json:"value"`
	} `json:"custom_field_options"`
}

// system are the types of the fields every ticket has, which are not custom ones.
var system = map[string]bool{
	"subject": true, "description": true, "status": true, "custom_status": true, "tickettype": true, "priority": true, "basic_priority": true,
	"group": true, "assignee": true,
}

// Describe tells the fields of tickets and the statuses there are. A field that is required is so to solve a ticket.
func (c *connector) Describe(ctx context.Context, at connectors.Place) (connectors.Schema, error) {
	var fields []ticketField
	if err := list(ctx, c, "read ticket fields", "ticket_fields", "ticket_fields", func(f ticketField) { fields = append(fields, f) }); err != nil {
		return connectors.Schema{}, err
	}
	if _, err := body(connectors.Ticket{Type: at.Type}); err != nil {
		return connectors.Schema{}, err
	}
	if at.Project != "" {
		if _, err := c.groupID(ctx, at.Project); err != nil {
			return connectors.Schema{}, err
		}
	}
	all, err := c.customStatuses(ctx)
	if err != nil {
		return connectors.Schema{}, err
	}
	out := connectors.Schema{Statuses: all.names(), File: maxFile, Rate: "by the minute, as the plan says; 10 a minute for the incremental export", Fields: []connectors.Field{
		{ID: "subject", Type: "text", Required: true, Part: "summary", Max: maxSubject, Doc: "the summary"},
		{ID: "priority", Type: "text", Part: "priority", Allowed: priorities},
	}}
	for _, id := range standard {
		out.Fields = append(out.Fields, connectors.Field{ID: id, Type: standardKind(id)})
	}
	for _, f := range fields {
		if system[f.Type] || !f.Active || !number.MatchString(string(f.ID)) {
			continue
		}
		one := connectors.Field{ID: string(f.ID), Name: f.Title, Type: kind(f.Type), Required: f.Required, FormOnly: f.Required}
		if one.Type == "text" {
			one.Max = maxText
		}
		for _, o := range f.Options {
			one.Allowed = append(one.Allowed, o.Value)
		}
		if f.Required {
			one.Doc = "required to solve a ticket"
		}
		out.Fields = append(out.Fields, one)
	}
	return out, nil
}

func standardKind(id string) string {
	switch id {
	case "due_at":
		return "time"
	case "requester":
		return "object"
	default:
		return "number"
	}
}

// kind is a custom field's type in our words.
func kind(of string) string {
	switch of {
	case "text", "textarea", "tagger", "regexp", "partialcreditcard", "date":
		return "text"
	case "integer", "decimal":
		return "number"
	case "checkbox":
		return "bool"
	case "multiselect":
		return "list"
	default:
		return "any"
	}
}
