package zendesk

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Transition brings a ticket to a status, by the name agents see. Zendesk is asked to refuse it where the ticket was
// changed since it was read, and answers with the ticket as it is afterwards: a trigger may have moved it on. A closed
// ticket is closed for good.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	if m.Status == "" {
		return connectors.Permanently("transition: no status is given")
	}
	t, err := c.ticket(ctx, id)
	if err != nil {
		return err
	}
	all, err := c.customStatuses(ctx)
	if err != nil {
		return err
	}
	to, ok := all.find(m.Status)
	if !ok {
		return connectors.Permanently("transition: there is no status %q; there are: %s", connectors.Clean(m.Status, 100), connectors.Clean(strings.Join(all.labels(), ", "), 400))
	}
	if !to.holds(t) {
		if err := c.move(ctx, id, t, to, all, m.Fields); err != nil {
			return err
		}
	}
	if m.Note == nil {
		return nil
	}
	return c.Comment(ctx, ref, *m.Note)
}

// holds tells whether a ticket has the status.
func (s status) holds(t ticket) bool {
	if t.Status == closed || s.ID == "" {
		return t.Status == s.Category
	}
	return t.CustomStatus == s.ID
}

func (c *connector) move(ctx context.Context, id string, before ticket, to status, all statuses, fields map[string]any) error {
	wanted := connectors.Clean(to.Label, 100)
	if before.Status == closed {
		return connectors.Permanently("transition to %q: the ticket is closed, and Zendesk opens no closed ticket again", wanted)
	}
	change, err := body(connectors.Ticket{Fields: fields})
	if err != nil {
		return fmt.Errorf("transition to %q: %w", wanted, err)
	}
	change["safe_update"], change["updated_stamp"] = true, before.Updated.UTC().Format(time.RFC3339)
	if to.ID != "" {
		change["custom_status_id"] = json.Number(to.ID)
	} else {
		change["status"] = to.Category
	}
	after, _, err := c.put(ctx, "transition", id, change)
	if err != nil {
		return err
	}
	if !to.holds(after) {
		now := connectors.Clean(all.name(after.standing()), 100)
		if after.standing() == before.standing() {
			return connectors.Permanently("transition to %q: the ticket stays %q; a trigger or the account's permissions keep it there", wanted, now)
		}
		return connectors.InDoubt("transition to %q: the ticket was moved on to %q", wanted, now)
	}
	if lost := dropped(after, change); len(lost) > 0 {
		return connectors.Permanently("transition to %q: Zendesk left out %s", wanted, strings.Join(lost, ", "))
	}
	return nil
}
