package pagerduty

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Create opens an incident on the service named by the project, with our key. Labels have no counterpart here and are
// left out. Where PagerDuty refuses it because an open incident has the key, that one is the answer where it is ours.
// Custom fields take a second call; where that fails the incident is there without them, which the attempt's error says,
// and the next attempt finds it as it is.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if err := connectors.KeyFault(key); err != nil {
		return connectors.Ref{}, connectors.Permanently("create incident: %w", err)
	}
	if t.Summary == "" || t.Project == "" {
		return connectors.Ref{}, connectors.Permanently("create incident: a summary, and a project, which names the service, are needed")
	}
	fields, custom, err := c.body(ctx, t)
	if err != nil {
		return connectors.Ref{}, fmt.Errorf("create incident: %w", err)
	}
	if fields["resolution"] != nil {
		return connectors.Ref{}, connectors.Permanently("create incident: a resolution is given when an incident is resolved")
	}
	service, err := c.service(ctx, t.Project)
	if err != nil {
		return connectors.Ref{}, fmt.Errorf("create incident: %w", err)
	}
	fields["type"], fields["incident_key"] = "incident", key
	fields["service"] = map[string]any{"id": service, "type": "service_reference"}
	if details := markdown.Parse(t.Description).Text(maxDetails); details != "" {
		fields["body"] = map[string]any{"type": "incident_body", "details": details}
	}
	var answer struct{ Incident incident }
	err = c.write(ctx, "create incident", http.MethodPost, "incidents", map[string]any{"incident": fields}, &answer)
	if err != nil && connectors.AsError(err).Status == http.StatusBadRequest {
		return c.earlier(ctx, key, err)
	}
	if err != nil {
		return connectors.Ref{}, err
	}
	made := answer.Incident
	if !idForm.MatchString(made.ID) {
		return connectors.Ref{}, connectors.InDoubt("create incident: the answer names no incident")
	}
	if made.Key != key {
		return connectors.Ref{}, &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"create incident: #%d was opened without our key; resolve it by hand", made.Number)}
	}
	if err := c.set(ctx, made.ID, custom); err != nil {
		fault := *connectors.AsError(connectors.Beside(err))
		fault.Sent, fault.Err = true, fmt.Errorf("create incident: #%d was opened, its custom fields were not set: %w", made.Number, fault.Err)
		return connectors.Ref{}, &fault
	}
	return made.ref(), nil
}

// exists is what PagerDuty says of a key that an open incident has, known from practice.
const exists = "already exists"

// earlier finds the incident that a create was refused for.
func (c *connector) earlier(ctx context.Context, key string, cause error) (connectors.Ref, error) {
	twice := strings.Contains(strings.ToLower(cause.Error()), exists)
	found, err := c.Find(ctx, key)
	switch {
	case err == nil && len(found) > 0:
		return found[0], nil
	case !twice:
		return connectors.Ref{}, cause
	case err != nil:
		fault := *connectors.AsError(err)
		fault.Sent = true
		return connectors.Ref{}, &fault
	default:
		return connectors.Ref{}, connectors.InDoubt("an open incident has this key, and none of ours is found yet: %w", cause)
	}
}

// Update changes the fields given. An incident's details nobody can change; labels are left out.
func (c *connector) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	if strings.TrimSpace(t.Description) != "" {
		return connectors.Permanently("update incident: its details cannot be changed at PagerDuty; add a comment")
	}
	fields, custom, err := c.body(ctx, t)
	if err != nil {
		return fmt.Errorf("update incident: %w", err)
	}
	return c.change(ctx, "update incident", id, fields, custom)
}

// change writes an incident's own fields and custom ones, where there are any.
func (c *connector) change(ctx context.Context, name, id string, fields map[string]any, custom []map[string]any) error {
	if len(fields) > 0 {
		if _, err := c.put(ctx, name, id, fields); err != nil {
			return err
		}
	}
	return c.set(ctx, id, custom)
}

// Transition brings an incident to triggered, acknowledged or resolved. The answer holds the incident as it is
// afterwards.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	to := strings.ToLower(m.Status)
	wanted := connectors.Clean(m.Status, 100)
	if to != triggered && to != acknowledged && to != resolved {
		return connectors.Permanently("transition: there is no status %q; there are: %s", wanted, strings.Join(statuses, ", "))
	}
	fields, custom, err := c.body(ctx, connectors.Ticket{Fields: m.Fields})
	if err != nil {
		return fmt.Errorf("transition to %q: %w", wanted, err)
	}
	if to != resolved && fields["resolution"] != nil {
		return connectors.Permanently("transition to %q: a resolution is given when an incident is resolved", wanted)
	}
	there, err := c.incident(ctx, id)
	if err != nil {
		return err
	}
	if there.mergedAway() {
		return connectors.Permanently("transition to %q: the incident was merged into another: %w", wanted, connectors.ErrNotFound)
	}
	if there.Status != to {
		if err := c.set(ctx, id, custom); err != nil { // a resolved incident may take no more
			return err
		}
		fields["status"] = to
		after, err := c.put(ctx, "transition", id, fields)
		if err != nil {
			return err
		}
		if after.Status != to {
			return connectors.InDoubt("transition to %q: the incident is %q", wanted, connectors.Clean(after.Status, 40))
		}
	}
	if m.Note == nil {
		return nil
	}
	return c.Comment(ctx, ref, *m.Note)
}
