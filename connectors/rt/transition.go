package rt

import (
	"context"
	"maps"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Transition brings a ticket to a status, unless somebody changes it at the same time: that comes out as a failure to
// be tried again, when the ticket is looked at anew. Request Tracker answers 200 also where its lifecycle, a right or
// an open dependency stands in the way, so the ticket is read back.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	if m.Status == "" {
		return connectors.Permanently("transition: no status is given")
	}
	t, tag, err := c.ticket(ctx, id)
	if err != nil {
		return err
	}
	if !strings.EqualFold(t.Status, m.Status) {
		if err := c.move(ctx, t, tag, m); err != nil {
			return err
		}
	}
	if m.Note == nil {
		return nil
	}
	return c.Comment(ctx, ref, *m.Note)
}

func (c *connector) move(ctx context.Context, before ticket, tag string, m connectors.Move) error {
	wanted := connectors.Clean(m.Status, 100)
	body, custom, err := c.body(connectors.Ticket{Fields: m.Fields}, func(name string) bool { _, ok := before.custom(name); return ok })
	if err != nil {
		return connectors.Permanently("transition to %q: %w", wanted, err)
	}
	asked := map[string]any{}
	maps.Copy(asked, body)
	maps.Copy(asked, custom)
	body["Status"] = m.Status
	if len(custom) > 0 {
		body["CustomFields"] = custom
	}
	id := string(before.ID)
	said, err := c.change(ctx, "transition", id, tag, body)
	if err != nil {
		return err
	}
	after, _, err := c.ticket(ctx, id)
	if err != nil {
		return connectors.Unconfirmed(err)
	}
	if strings.EqualFold(after.Status, m.Status) {
		return refusedFields("transition", before, after, asked, said)
	}
	if after.Status != before.Status {
		return connectors.InDoubt("transition to %q: the ticket was moved to %q meanwhile", wanted, connectors.Clean(after.Status, 100))
	}
	return connectors.Permanently("transition to %q: the ticket stays %q; Request Tracker says: %s", wanted, connectors.Clean(after.Status, 100),
		connectors.Clean(strings.Join(said, "; "), 400))
}
