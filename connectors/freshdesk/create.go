package freshdesk

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

// Create opens a ticket with our key and seals it. Should the seal fail, it is written when the ticket is read.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if err := freshworks.CheckKey(key); err != nil {
		return connectors.Ref{}, connectors.Permanently("create ticket: %w", err)
	}
	if err := place(t.Project); err != nil {
		return connectors.Ref{}, err
	}
	if t.Summary == "" {
		return connectors.Ref{}, connectors.Permanently("create ticket: a summary is needed")
	}
	body, err := c.desk.Body(ctx, tickets, t, c.conf.KeyField)
	if err != nil {
		return connectors.Ref{}, fmt.Errorf("create ticket: %w", err)
	}
	if err := c.fill(ctx, body, t); err != nil {
		return connectors.Ref{}, err
	}
	custom, _ := body["custom_fields"].(map[string]any)
	if custom == nil {
		custom = map[string]any{}
	}
	custom[c.conf.KeyField] = key
	body["custom_fields"], body["status"] = custom, openStatus
	made, err := c.desk.Write(ctx, connectors.Call{Name: "create ticket", Method: http.MethodPost, URL: "tickets", JSON: body}, "")
	if err != nil {
		return connectors.Ref{}, err
	}
	if c.key(tickets, made) != key {
		return connectors.Ref{}, &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"create ticket: #%d was opened without our key in %s; close it by hand", made.ID, c.conf.KeyField)}
	}
	if err := c.desk.Seal(ctx, tickets, made.ID, key); err != nil {
		c.desk.Log.WarnContext(ctx, "a new ticket was not sealed; it will be when it is read", "ticket", made.ID, "error", err)
	}
	return c.desk.Ref(tickets, made), nil
}

// place refuses a rule's project other than tickets, the only place there is.
func place(project string) error {
	if project == "" || project == tickets.Path {
		return nil
	}
	return connectors.Permanently("Freshdesk has no projects: say tickets, and set group_id or product_id as fields")
}

// fill adds what the desk demands and a rule left out.
func (c *connector) fill(ctx context.Context, body map[string]any, t connectors.Ticket) error {
	if !slices.ContainsFunc([]string{"requester_id", "email", "phone"}, func(id string) bool { return body[id] != nil }) {
		me, err := c.account(ctx)
		if err != nil {
			return err
		}
		body["email"] = me.Contact.Email
	}
	if body["priority"] == nil {
		body["priority"] = lowest
	}
	if body["description"] == nil {
		body["description"] = body["subject"]
	}
	if t.Type != "" {
		body["type"] = t.Type
	}
	if len(t.Labels) > 0 {
		body["tags"] = freshworks.Tags(nil, t.Labels)
	}
	return nil
}

// key is our key as it stands on a ticket.
func (c *connector) key(_ freshworks.Kind, t freshworks.Ticket) string {
	key, _ := t.CustomFields[c.conf.KeyField].(string)
	if freshworks.CheckKey(key) != nil {
		return ""
	}
	return key
}

// search asks the index for our key. A key has no character the query would read.
func (c *connector) search(ctx context.Context, key string) ([]freshworks.Ticket, error) {
	query := url.Values{"query": {`"` + c.conf.KeyField + `:'` + key + `'"`}}
	return c.desk.Found(ctx, "search/tickets", "results", query, 10) // the vendor gives ten pages
}
