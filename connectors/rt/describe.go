package rt

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Describe tells the fields of the tickets of one queue. The interface does not list the statuses of a lifecycle, so
// those are what the settings name.
func (c *connector) Describe(ctx context.Context, at connectors.Place) (connectors.Schema, error) {
	q, err := c.queue(ctx, at.Project)
	if err != nil {
		return connectors.Schema{}, err
	}
	out := connectors.Schema{Statuses: slices.Clone(c.conf.Statuses), Fields: []connectors.Field{
		{ID: "Subject", Type: "text", Required: true, Part: "summary", Max: maxSubject, Doc: "the summary; what is no ASCII counts more than once"},
		{ID: "Priority", Type: "text", Part: "priority", Doc: "a number, or a name where the queue has names for them"},
	}}
	for _, id := range core {
		out.Fields = append(out.Fields, connectors.Field{ID: id, Type: coreKind(id)})
	}
	for _, f := range q.CustomFields {
		if strings.EqualFold(f.Name, c.conf.KeyField) {
			continue
		}
		field, err := c.describeField(ctx, f)
		if err != nil {
			return connectors.Schema{}, err
		}
		out.Fields = append(out.Fields, field)
	}
	return out, nil
}

func coreKind(id string) string {
	switch id {
	case "Requestor", "Cc", "AdminCc":
		return "list"
	case "Due", "Starts", "Started", "Told":
		return "time"
	case "TimeEstimated", "TimeLeft", "TimeWorked", "InitialPriority", "FinalPriority":
		return "number"
	default:
		return "text"
	}
}

func (c *connector) describeField(ctx context.Context, f customField) (connectors.Field, error) {
	var d struct {
		Description string          `json:"Description"`
		Type        string          `json:"Type"`
		Kind        string          `json:"type"` // another thing than Type
		Pattern     string          `json:"Pattern"`
		MaxValues   looseID         `json:"MaxValues"`
		Values      json.RawMessage `json:"Values"`
	}
	if !ticketID.MatchString(string(f.ID)) {
		return connectors.Field{}, connectors.Temporarily("read queue: a custom field has no id")
	}
	err := c.get(ctx, "read custom field", "customfield/"+string(f.ID), &d)
	if err != nil && connectors.AsError(err).Status == http.StatusForbidden {
		// A right on the queue shows the field on tickets, but not what it takes.
		return connectors.Field{ID: f.Name, Name: f.Name, Type: "any"}, nil
	}
	if err != nil {
		return connectors.Field{}, connectors.Unsent(err)
	}
	out := connectors.Field{ID: f.Name, Name: f.Name, Doc: d.Description, Type: "text", Required: strings.Contains(d.Pattern, "(?#Mandatory)")}
	switch {
	case d.MaxValues != "1":
		out.Type = "list"
	case d.Type == "Date", d.Type == "DateTime":
		out.Type = "time"
	case d.Type == "Image", d.Type == "Binary":
		out.Type = "object"
	}
	if out.Type == "text" {
		out.Max = maxValue
	}
	out.Allowed = allowed(d.Values)
	return out, nil
}

// allowed are the values of a field one selects from: names, or objects with names since 5.0.1.
func allowed(raw json.RawMessage) []string {
	var names []string
	if json.Unmarshal(raw, &names) == nil {
		return names
	}
	var values []struct {
		Name string `json:"name"`
	}
	names = nil
	if json.Unmarshal(raw, &values) == nil {
		for _, v := range values {
			names = append(names, v.Name)
		}
	}
	return names
}
