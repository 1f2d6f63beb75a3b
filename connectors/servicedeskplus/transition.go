package servicedeskplus

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// closing are the fields of the close call.
var closing = []string{"closure_code", "closure_comments", "requester_ack_comments", "requester_ack_resolution"}

// Transition brings a request to a status, by the close call to those the settings name as closed. The desk has no way
// to change a request only where it is as it was read: of two who move it at the same moment the later wins.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	at, err := path(ref)
	if err != nil {
		return err
	}
	if m.Status == "" {
		return connectors.Permanently("transition: no status is given")
	}
	r, err := c.request(ctx, at)
	if err != nil {
		return err
	}
	if !strings.EqualFold(r.Status.name(), m.Status) {
		if err := c.move(ctx, at, m); err != nil {
			return err
		}
	}
	if m.Note == nil {
		return nil
	}
	return c.Comment(ctx, ref, *m.Note)
}

func (c *connector) move(ctx context.Context, at string, m connectors.Move) error {
	wanted := connectors.Clean(m.Status, 100)
	closure, rest, err := split(m.Fields)
	if err != nil {
		return fmt.Errorf("transition to %q: %w", wanted, err)
	}
	body, err := c.body(connectors.Ticket{Fields: rest})
	if err != nil {
		return fmt.Errorf("transition to %q: %w", wanted, err)
	}
	name, call := "transition", at
	if contains(c.conf.Closed, m.Status) {
		if len(body) > 0 {
			if _, err := c.call(ctx, "set fields before closing", http.MethodPut, at, input{"request": body}, nil); err != nil {
				return err
			}
		}
		name, call, body = "close request", at+"/close", map[string]any{"closure_info": closure}
	} else {
		if len(closure) > 0 {
			return connectors.Permanently("transition to %q: closure fields go with closing only", wanted)
		}
		body["status"] = map[string]any{"name": markdown.Line(m.Status, maxShort)}
	}
	var answer struct{ Request request }
	if _, err := c.call(ctx, name, http.MethodPut, call, input{"request": body}, &answer); err != nil {
		return err
	}
	after := answer.Request
	if after.Status.name() == "" {
		if after, err = c.request(ctx, at); err != nil {
			return connectors.Unconfirmed(err)
		}
	}
	if !strings.EqualFold(after.Status.name(), m.Status) {
		return keptNot("transition to %q: the request is %q", wanted, connectors.Clean(after.Status.name(), 100))
	}
	return nil
}

// split takes the fields of the close call apart from the others.
func split(fields map[string]any) (closure, rest map[string]any, err error) {
	closure, rest = map[string]any{}, map[string]any{}
	for id, v := range fields {
		if !slices.Contains(closing, id) {
			rest[id] = v
			continue
		}
		switch v := v.(type) {
		case string:
			closure[id] = markdown.Line(v, maxShort)
			if id == "closure_code" {
				closure[id] = map[string]any{"name": closure[id]}
			}
		case map[string]any:
			closure[id] = plain(v)
		case bool:
			closure[id] = v
		default:
			return nil, nil, connectors.Permanently("field %s takes a text, true or false, or an object", id)
		}
	}
	return closure, rest, nil
}
