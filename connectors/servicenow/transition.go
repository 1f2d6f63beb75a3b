package servicenow

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Transition brings a ticket to a state, closed and open ones alike, with the fields that state asks for. A state the
// instance does not allow may be left out without a word, so the answer is compared. There is no way to change a ticket
// only where it is as it was read: of two who move it at the same moment the later wins, and both stand in the history.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	at, err := c.place(ref)
	if err != nil {
		return err
	}
	if m.Status == "" {
		return connectors.Permanently("transition: no status is given")
	}
	states, err := c.choicesOf(ctx, at.table, stateField)
	if err != nil {
		return connectors.Unsent(err)
	}
	to, ok := chosen(states, m.Status)
	if !ok {
		return connectors.Permanently("transition: table %s has no state %q; it has: %s", at.table, connectors.Clean(m.Status, 100), connectors.Clean(strings.Join(labels(states), ", "), 400))
	}
	before, err := c.get(ctx, at, sysID, stateField)
	if err != nil {
		return err
	}
	if before[stateField] != to.value {
		if err := c.move(ctx, at, before[stateField], to, states, m.Fields); err != nil {
			return err
		}
	}
	if m.Note == nil {
		return nil
	}
	return c.Comment(ctx, ref, *m.Note)
}

func (c *connector) move(ctx context.Context, at place, from string, to choice, states []choice, given map[string]any) error {
	wanted := connectors.Clean(to.label, 100)
	limit, err := c.limits(ctx, at.table)
	if err != nil {
		return connectors.Unsent(err)
	}
	fields, err := c.fields(ctx, given, limit)
	if err != nil {
		return fmt.Errorf("transition to %q: %w", wanted, err)
	}
	body := maps.Clone(fields)
	body[stateField] = to.value
	after, err := c.patch(ctx, "transition", at, body)
	if err != nil {
		return err
	}
	switch after[stateField] {
	case to.value:
	case from:
		return connectors.Permanently("transition to %q: the ticket stays %q; the instance's rules or the account's roles keep it there", wanted, connectors.Clean(called(states, from), 100))
	default:
		fault := connectors.Temporarily("transition to %q: the ticket was moved to %q meanwhile", wanted, connectors.Clean(called(states, after[stateField]), 100))
		fault.Sent = true
		return fault
	}
	if gone := lost(after, fields); len(gone) > 0 {
		return connectors.Permanently("transition to %q: ServiceNow did not keep %s", wanted, strings.Join(gone, ", "))
	}
	return nil
}
