package redmine

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Transition brings a ticket to a status the workflow offers the account. Redmine answers the same whether it did so or
// not, so the ticket is read back. It has no way to change a ticket only where it is as it was read: of two who move it
// at the same moment the later wins, and both stand in the history.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	if m.Status == "" {
		return connectors.Permanently("transition: no status is given")
	}
	i, err := c.issue(ctx, id, "allowed_statuses")
	if err != nil {
		return err
	}
	if !i.Status.is(m.Status) {
		if err := c.move(ctx, id, i, m); err != nil {
			return err
		}
	}
	if m.Note == nil {
		return nil
	}
	return c.Comment(ctx, ref, *m.Note)
}

func (s status) is(nameOrID string) bool {
	return strings.EqualFold(s.Name, nameOrID) || strconv.FormatInt(s.ID, 10) == nameOrID
}

func (c *connector) move(ctx context.Context, id string, before issue, m connectors.Move) error {
	wanted := connectors.Clean(m.Status, 100)
	var to status
	var reachable []string
	for _, s := range before.Allowed {
		if s.is(m.Status) {
			to = s
		}
		reachable = append(reachable, s.Name)
	}
	if to.ID == 0 {
		return connectors.Permanently("transition: no way leads from %q to status %q for the account; reachable are: %s",
			connectors.Clean(before.Status.Name, 100), wanted, connectors.Clean(strings.Join(reachable, ", "), 400))
	}
	body, err := c.body(ctx, connectors.Ticket{Fields: m.Fields}, fieldsOf(before))
	if err != nil {
		return fmt.Errorf("transition to %q: %w", wanted, err)
	}
	body["status_id"] = to.ID
	if err := c.put(ctx, "transition", id, body); err != nil {
		return err
	}
	after, err := c.issue(ctx, id, "")
	if err != nil {
		return connectors.Unconfirmed(err)
	}
	switch {
	case after.Status.ID == before.Status.ID:
		return connectors.Permanently("transition to %q: the ticket stays %q; the workflow or the account's permissions keep it there", wanted, connectors.Clean(after.Status.Name, 100))
	case after.Status.ID != to.ID:
		fault := connectors.Temporarily("transition to %q: the ticket was moved to %q meanwhile", wanted, connectors.Clean(after.Status.Name, 100))
		fault.Sent = true
		return fault
	}
	if lost := dropped(after, body); len(lost) > 0 {
		return connectors.Permanently("transition to %q: Redmine left out %s", wanted, strings.Join(lost, ", "))
	}
	return nil
}
