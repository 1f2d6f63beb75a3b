package jira

import (
	"context"
	"net/http"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Create opens a ticket with our labels and property. Cloud sets both in the one call. Data Center takes properties in
// a second one; where that fails the ticket stands all the same, is found by its label, and Fetch sets the property.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return connectors.Ref{}, connectors.Permanently("create issue: %w", err)
	}
	if t.Project == "" || t.Type == "" || t.Summary == "" {
		return connectors.Ref{}, connectors.Permanently("create issue: project, type and summary are needed")
	}
	if err := checkFields(t.Fields); err != nil {
		return connectors.Ref{}, err
	}
	meta, err := c.screenFields(ctx, connectors.Place{Project: t.Project, Type: t.Type}, t.Fields)
	if err != nil {
		return connectors.Ref{}, err
	}
	if t.Fields, err = c.requestTypes(ctx, t.Project, t.Fields, meta); err != nil {
		return connectors.Ref{}, err
	}
	body := map[string]any{"fields": c.newFields(key, t, meta)}
	if c.conf.Deployment == cloud {
		body["properties"] = []property{{Key: c.conf.KeyProperty, Value: owned{Key: key}}}
	}
	var made struct{ ID, Key string }
	if err := c.call(ctx, "create issue", http.MethodPost, c.api("issue"), body, &made); err != nil {
		return connectors.Ref{}, err
	}
	if !issueID.MatchString(made.ID) {
		return connectors.Ref{}, connectors.InDoubt("create issue: the answer names no issue")
	}
	ref := c.ref(made.ID, made.Key)
	if c.conf.Deployment == dataCenter {
		if err := c.setProperty(ctx, ref, key); err != nil {
			c.log.WarnContext(ctx, "ticket created without its property; it is set when the ticket is read", "ticket", ref.Key, "error", err)
		}
	}
	return ref, nil
}

func (c *connector) newFields(key string, t connectors.Ticket, meta map[string]fieldMeta) map[string]any {
	fields := c.ticketFields(t, meta)
	fields["project"] = called("key", t.Project)
	fields["issuetype"] = called("name", t.Type)
	fields["labels"] = append([]string{mark, keyLabel(key)}, labels(t.Labels)...)
	return fields
}

// setProperty leaves our key on a ticket.
func (c *connector) setProperty(ctx context.Context, ref connectors.Ref, key string) error {
	path, err := c.issue(ref, "/properties/"+c.conf.KeyProperty)
	if err != nil {
		return err
	}
	return c.call(ctx, "set issue property", http.MethodPut, path, owned{Key: key}, nil)
}

// Update changes the fields given. Labels are added to those a ticket has; project and type stay.
func (c *connector) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	path, err := c.issue(ref, "")
	if err != nil {
		return err
	}
	if err := checkFields(t.Fields); err != nil {
		return err
	}
	var meta map[string]fieldMeta
	if shaped(t.Fields) {
		at, err := c.place(ctx, ref)
		if err != nil {
			return err
		}
		if meta, err = c.screenFields(ctx, at, t.Fields); err != nil {
			return err
		}
		if t.Fields, err = c.requestTypes(ctx, at.Project, t.Fields, meta); err != nil {
			return err
		}
	}
	body := map[string]any{}
	if fields := c.ticketFields(t, meta); len(fields) > 0 {
		body["fields"] = fields
	}
	if added := additions(t.Labels); len(added) > 0 {
		body["update"] = map[string]any{"labels": added}
	}
	if len(body) == 0 {
		return nil
	}
	return c.call(ctx, "update issue", http.MethodPut, path, body, nil)
}

func additions(asked []string) []map[string]string {
	var out []map[string]string
	for _, label := range labels(asked) {
		out = append(out, map[string]string{"add": label})
	}
	return out
}
