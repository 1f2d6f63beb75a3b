package freshservice

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

// What a ticket of one type is, by the words Freshservice has for it.
const (
	incident       = "Incident"
	serviceRequest = "Service Request"
	aChange        = "Change"
)

const (
	tagMark    = "drawbridge-" // before our key in a tag
	openTicket = 2             // the status tickets are opened in
	openChange = 1
	lowest     = 1 // the priority where a rule names none
)

// kindOf reads a rule's type: Incident, Change, or Service Request and the number of a catalog item.
func (c *connector) kindOf(text string) (what string, item int64, err error) {
	switch {
	case text == "", strings.EqualFold(text, incident):
		return incident, 0, nil
	case strings.EqualFold(text, aChange):
		if !c.conf.Changes {
			return "", 0, connectors.Permanently("the connection does not work with changes: set changes")
		}
		return aChange, 0, nil
	}
	if head, number, ok := cutLast(text); ok && strings.EqualFold(head, serviceRequest) {
		if id, err := strconv.ParseInt(number, 10, 64); err == nil && slices.Contains(c.conf.Items, id) {
			return serviceRequest, id, nil
		}
		return "", 0, connectors.Permanently("catalog item %q is not among the items of the connection", connectors.Clean(number, 100))
	}
	return "", 0, connectors.Permanently("there is no type %q; there are Incident, Service Request NUMBER of a catalog item, and Change", connectors.Clean(text, 100))
}

func cutLast(text string) (head, tail string, ok bool) {
	at := strings.LastIndexByte(text, ' ')
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+1:], true
}

// Create opens a ticket, a service request or a change with our key, and seals it. Should the seal fail, it is written
// when the ticket is read.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if err := freshworks.CheckKey(key); err != nil {
		return connectors.Ref{}, connectors.Permanently("create ticket: %w", err)
	}
	workspace, err := c.workspace(t.Project)
	if err != nil {
		return connectors.Ref{}, err
	}
	what, item, err := c.kindOf(t.Type)
	if err != nil {
		return connectors.Ref{}, err
	}
	if t.Summary == "" {
		return connectors.Ref{}, connectors.Permanently("create ticket: a summary is needed")
	}
	var made freshworks.Ticket
	k := tickets
	switch what {
	case aChange:
		k = changes
		made, err = c.createChange(ctx, key, workspace, t)
	case serviceRequest:
		made, err = c.placeRequest(ctx, key, item, t)
	default:
		made, err = c.createTicket(ctx, key, workspace, t)
	}
	if err != nil {
		return connectors.Ref{}, err
	}
	if c.key(k, made) != key {
		return connectors.Ref{}, &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"create ticket: %s was opened without our key; close it by hand", called(k, made))}
	}
	if err := c.desk.Seal(ctx, k, made.ID, key); err != nil {
		c.desk.Log.WarnContext(ctx, "a new ticket was not sealed; it will be when it is read", "ticket", made.ID, "error", err)
	}
	return c.desk.Ref(k, made), nil
}

func (c *connector) createTicket(ctx context.Context, key string, workspace int64, t connectors.Ticket) (freshworks.Ticket, error) {
	body, err := c.desk.Body(ctx, tickets, t, "")
	if err != nil {
		return freshworks.Ticket{}, fmt.Errorf("create ticket: %w", err)
	}
	c.fill(body, workspace)
	body["status"], body["type"] = openTicket, incident
	body["tags"] = freshworks.Tags([]string{tagMark + key}, ours(t.Labels))
	return c.desk.Write(ctx, connectors.Call{Name: "create ticket", Method: http.MethodPost, URL: "tickets", JSON: body}, "ticket")
}

func (c *connector) createChange(ctx context.Context, key string, workspace int64, t connectors.Ticket) (freshworks.Ticket, error) {
	body, err := c.desk.Body(ctx, changes, t, c.conf.ChangeKeyField)
	if err != nil {
		return freshworks.Ticket{}, fmt.Errorf("create change: %w", err)
	}
	c.fill(body, workspace)
	body["status"] = openChange
	custom, _ := body["custom_fields"].(map[string]any)
	if custom == nil {
		custom = map[string]any{}
	}
	custom[c.conf.ChangeKeyField] = key
	body["custom_fields"] = custom
	return c.desk.Write(ctx, connectors.Call{Name: "create change", Method: http.MethodPost, URL: "changes", JSON: body}, "change")
}

// fill adds what the desk demands and a rule left out.
func (c *connector) fill(body map[string]any, workspace int64) {
	asked := slices.ContainsFunc([]string{"requester_id", "email", "phone"}, func(id string) bool { return body[id] != nil })
	if !asked {
		body["requester_id"] = c.me
	}
	if body["priority"] == nil {
		body["priority"] = lowest
	}
	if body["description"] == nil {
		body["description"] = body["subject"]
	}
	if workspace != 0 {
		body["workspace_id"] = workspace
	}
}

// ours leaves out labels that look like our key.
func ours(labels []string) []string {
	return slices.DeleteFunc(slices.Clone(labels), func(label string) bool {
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(label)), tagMark)
	})
}

// placeRequest places a service request. Its item's fields take the rule's fields and our key, by which it is found
// until the tags and texts of the second call are there.
func (c *connector) placeRequest(ctx context.Context, key string, item int64, t connectors.Ticket) (freshworks.Ticket, error) {
	custom, order := map[string]any{}, map[string]any{"quantity": 1}
	for _, id := range slices.Sorted(maps.Keys(t.Fields)) {
		switch id {
		case "email", "requested_for":
			order[id] = freshworks.Clean(t.Fields[id], freshworks.MaxText)
		case c.conf.ItemKeyField:
			return freshworks.Ticket{}, connectors.Permanently("place request: field %s holds our key and is not a rule's to set", id)
		default:
			custom[id] = freshworks.Clean(t.Fields[id], freshworks.MaxText)
		}
	}
	if order["email"] == nil {
		me, _, err := c.agent(ctx, c.conf.Account)
		if err != nil {
			return freshworks.Ticket{}, err
		}
		order["email"] = me.Email
	}
	custom[c.conf.ItemKeyField] = key
	order["custom_fields"] = custom
	placed, err := c.desk.Write(ctx, connectors.Call{
		Name: "place request", Method: http.MethodPost, URL: fmt.Sprintf("service_catalog/items/%d/place_request", item), JSON: order,
	}, "service_request")
	if err != nil {
		return freshworks.Ticket{}, err
	}
	t.Fields = nil
	body, err := c.desk.Body(ctx, tickets, t, "")
	if err != nil {
		return freshworks.Ticket{}, fmt.Errorf("place request: %w", err)
	}
	body["tags"] = freshworks.Tags([]string{tagMark + key}, append(ours(t.Labels), placed.Tags...))
	made, err := c.desk.Put(ctx, "describe request", tickets, placed.ID, body)
	if err != nil {
		e := *connectors.AsError(err)
		e.Sent = true // the request is there
		return freshworks.Ticket{}, &e
	}
	return made, nil
}

// key is our key as it stands on a ticket: in its one tag of ours, or in a change's custom field.
func (c *connector) key(k freshworks.Kind, t freshworks.Ticket) string {
	if k.Prefix == changes.Prefix {
		key, _ := t.CustomFields[c.conf.ChangeKeyField].(string)
		if freshworks.CheckKey(key) != nil {
			return ""
		}
		return key
	}
	keys := tagged(t)
	if len(keys) != 1 || freshworks.CheckKey(keys[0]) != nil {
		return ""
	}
	return keys[0]
}

func tagged(t freshworks.Ticket) []string {
	var out []string
	for _, tag := range t.Tags {
		if key, ok := strings.CutPrefix(tag, tagMark); ok {
			out = append(out, key)
		}
	}
	return out
}

// search asks the index for the tag with our key, in each workspace. A key has no character the query would read.
func (c *connector) search(ctx context.Context, key string) ([]freshworks.Ticket, error) {
	var out []freshworks.Ticket
	for _, more := range c.listings(tickets) {
		query, err := url.ParseQuery(more)
		if err != nil {
			return nil, connectors.Permanently("find ticket: %w", err)
		}
		query.Del("order_type")
		query.Set("query", `"tag:'`+tagMark+key+`'"`)
		found, err := c.desk.Found(ctx, "tickets/filter", "tickets", query, 40)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// itemKey is our key in the field of a service request's item, for requests that have no tag of ours yet.
func (c *connector) itemKey(ctx context.Context, k freshworks.Kind, t freshworks.Ticket) (string, error) {
	if k.Prefix != "" || t.Type != serviceRequest || len(tagged(t)) > 0 {
		return "", nil
	}
	var items []struct {
		Fields map[string]any `json:"custom_fields"`
	}
	if err := c.desk.Get(ctx, "read requested items", fmt.Sprintf("tickets/%d/requested_items", t.ID), "requested_items", &items); err != nil {
		if errors.Is(err, connectors.ErrNotFound) {
			return "", nil // gone while we looked
		}
		return "", err
	}
	if len(items) != 1 {
		return "", nil // we place requests for one item
	}
	key, _ := items[0].Fields[c.conf.ItemKeyField].(string)
	if freshworks.CheckKey(key) != nil {
		return "", nil
	}
	return key, nil
}

// mend adds the tag a service request of ours lacks because the call after it was placed was lost.
func (c *connector) mend(ctx context.Context, k freshworks.Kind, t freshworks.Ticket, key string) error {
	if k.Prefix != "" || t.Type != serviceRequest || len(tagged(t)) > 0 {
		return nil
	}
	after, err := c.desk.Put(ctx, "tag ticket", tickets, t.ID, map[string]any{"tags": freshworks.Tags([]string{tagMark + key}, t.Tags)})
	if err == nil && c.key(tickets, after) != key {
		err = connectors.Permanently("tag ticket: Freshservice did not keep the tag with our key")
	}
	return err
}
