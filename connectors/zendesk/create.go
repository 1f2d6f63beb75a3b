package zendesk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Create opens a ticket for the group named by the project, with our key. Its text is a private comment. A second create
// with the same key answers with the first one's ticket for two hours, by Zendesk's own means; where the second says
// something else than the first it is refused, and the ticket of the first is looked for. Go's client, too, sends such a
// request again by itself where a connection that was used before turns out closed. What Zendesk leaves out is logged.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return connectors.Ref{}, connectors.Permanently("create ticket: %w", err)
	}
	if t.Summary == "" {
		return connectors.Ref{}, connectors.Permanently("create ticket: a summary is needed")
	}
	fields, err := body(t)
	if err != nil {
		return connectors.Ref{}, fmt.Errorf("create ticket: %w", err)
	}
	me, err := c.account(ctx)
	if err != nil {
		return connectors.Ref{}, err
	}
	fields["submitter_id"] = json.Number(me.ID) // else it is the requester, and the first comment theirs
	if t.Project != "" {
		group, err := c.groupID(ctx, t.Project)
		if err != nil {
			return connectors.Ref{}, fmt.Errorf("create ticket: %w", err)
		}
		fields["group_id"] = group
	}
	fields["external_id"] = key
	fields["tags"] = append([]string{mark}, tags(t.Labels)...)
	fields["comment"] = map[string]any{"html_body": rendered(t.Description, keyMark+key), "public": false}
	var answer struct{ Ticket ticket }
	_, err = c.call(ctx, connectors.Call{
		Name: "create ticket", Method: http.MethodPost, URL: "tickets", JSON: map[string]any{"ticket": fields},
		Header: http.Header{"Idempotency-Key": {mark + "-" + key}},
	}, &answer)
	if isOtherBody(err) {
		return c.earlier(ctx, key, err)
	}
	if err != nil {
		return connectors.Ref{}, err
	}
	made := answer.Ticket
	if !number.MatchString(string(made.ID)) {
		return connectors.Ref{}, connectors.InDoubt("create ticket: the answer names no ticket")
	}
	if made.External != key {
		return connectors.Ref{}, &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"create ticket: #%s was opened without our key as its external id; close the ticket by hand", made.ID)}
	}
	if lost := dropped(made, fields); len(lost) > 0 {
		c.log.WarnContext(ctx, "Zendesk left out fields of a new ticket", "ticket", string(made.ID), "fields", strings.Join(lost, ", "))
	}
	return c.ref(string(made.ID)), nil
}

// isOtherBody tells whether Zendesk refused a create because another was made with the same Idempotency-Key.
func isOtherBody(err error) bool {
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok || connectors.AsError(err).Status != http.StatusBadRequest {
		return false
	}
	var refusal struct {
		Error json.RawMessage `json:"error"`
	}
	return json.Unmarshal(answered.Body, &refusal) == nil && strings.Contains(string(refusal.Error), "IdempotentRequestError")
}

// earlier finds the ticket of a create that was made before with the same key.
func (c *connector) earlier(ctx context.Context, key string, cause error) (connectors.Ref, error) {
	found, err := c.Find(ctx, key)
	switch {
	case err != nil:
		return connectors.Ref{}, err
	case len(found) > 0:
		return found[0], nil
	default:
		return connectors.Ref{}, connectors.InDoubt("a ticket was made with this key and is not found yet: %w", cause)
	}
}

// Update changes the fields given. A ticket's first comment, which is its description, nobody can change; labels are
// added to those there are.
func (c *connector) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	if strings.TrimSpace(t.Description) != "" {
		return connectors.Permanently("update ticket: a description cannot be changed at Zendesk; add a comment")
	}
	fields, err := body(t)
	if err != nil {
		return fmt.Errorf("update ticket: %w", err)
	}
	if len(fields) > 0 {
		after, _, err := c.put(ctx, "update ticket", id, fields)
		if err != nil {
			return err
		}
		if lost := dropped(after, fields); len(lost) > 0 {
			return connectors.Permanently("update ticket: Zendesk left out %s", strings.Join(lost, ", "))
		}
	}
	if labels := tags(t.Labels); len(labels) > 0 {
		var answer struct{ Tags []string }
		call := connectors.Call{Name: "add tags", Method: http.MethodPut, URL: "tickets/" + id + "/tags", JSON: map[string]any{"tags": labels}}
		if _, err := c.call(ctx, call, &answer); err != nil {
			return err
		}
	}
	return nil
}
