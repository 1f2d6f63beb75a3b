package redmine

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Create opens a ticket of the tracker named by the ticket's type, with our key. Labels have no counterpart here and are
// left out. What else Redmine leaves out is logged; where it left out our key, the create fails for good, for the ticket
// could not be found again.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return connectors.Ref{}, connectors.Permanently("create issue: %w", err)
	}
	if t.Project == "" || t.Type == "" || t.Summary == "" {
		return connectors.Ref{}, connectors.Permanently("create issue: project, type (the tracker) and summary are needed")
	}
	p, err := c.project(ctx, t.Project)
	if err != nil {
		return connectors.Ref{}, err
	}
	tracker, ok := find(p.Trackers, t.Type)
	if !ok {
		return connectors.Ref{}, connectors.Permanently("create issue: project %s has no tracker %q; it has: %s", t.Project, connectors.Clean(t.Type, 100), names(p.Trackers))
	}
	body, err := c.body(ctx, t, p.Fields)
	if err != nil {
		return connectors.Ref{}, fmt.Errorf("create issue: %w", err)
	}
	body["project_id"], body["tracker_id"] = p.ID, tracker.ID
	if c.conf.KeyField == "" {
		body["description"] = rendered(t.Description, mark+key)
	} else {
		f, ok := p.field(c.conf.KeyField)
		if !ok {
			return connectors.Ref{}, connectors.Permanently("create issue: project %s: %s", t.Project, c.missingKeyField())
		}
		custom, _ := body["custom_fields"].([]any)
		body["custom_fields"] = append(custom, map[string]any{"id": f.ID, "value": key})
		body["description"] = rendered(t.Description, "")
	}
	var answer struct{ Issue issue }
	call := connectors.Call{Name: "create issue", Method: http.MethodPost, URL: "issues.json", JSON: map[string]any{"issue": body}}
	if _, err := c.call(ctx, call, &answer); err != nil {
		return connectors.Ref{}, err
	}
	made := answer.Issue
	if made.ID <= 0 {
		return connectors.Ref{}, connectors.InDoubt("create issue: the answer names no issue")
	}
	if c.written(made) != key {
		return connectors.Ref{}, &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"create issue: #%d was opened without our key: the custom field %q must be there for tracker %s and not be read-only to the account; close the ticket by hand", made.ID, c.conf.KeyField, tracker.Name)}
	}
	if lost := dropped(made, body); len(lost) > 0 {
		c.log.WarnContext(ctx, "Redmine left out fields of a new ticket", "ticket", made.ID, "fields", strings.Join(lost, ", "))
	}
	return c.ref(made.ID), nil
}

// Update changes the fields given; project and tracker stay. Where the key is in the description it stays there, too.
func (c *connector) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	before, err := c.issue(ctx, id, "journals")
	if err != nil {
		return err
	}
	body, err := c.body(ctx, t, fieldsOf(before))
	if err != nil {
		return fmt.Errorf("update issue: %w", err)
	}
	if strings.TrimSpace(t.Description) != "" {
		tail := ""
		if key := c.key(before); c.conf.KeyField == "" && key != "" {
			tail = mark + key
		}
		body["description"] = rendered(t.Description, tail)
	}
	if len(body) == 0 {
		return nil
	}
	return c.change(ctx, "update issue", id, body)
}

func fieldsOf(i issue) []named {
	var out []named
	for _, f := range i.CustomFields {
		out = append(out, f.named)
	}
	return out
}

// change puts new values on a ticket and makes sure that it holds them.
func (c *connector) change(ctx context.Context, name, id string, body map[string]any) error {
	if err := c.put(ctx, name, id, body); err != nil {
		return err
	}
	after, err := c.issue(ctx, id, "")
	if err != nil {
		return connectors.Unconfirmed(err)
	}
	if lost := dropped(after, body); len(lost) > 0 {
		return connectors.Permanently("%s: Redmine left out %s: the account may not change it there, or the workflow keeps it from doing so", name, strings.Join(lost, ", "))
	}
	return nil
}
