package servicenow

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Create opens a ticket in the table named by the ticket's project, with our key. Types and labels have no counterpart
// here and are left out. What else the instance leaves out or cuts is logged; where our key is not kept, or another
// account than ours made the ticket, the create fails for good, for the ticket could not be found again.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return connectors.Ref{}, connectors.Permanently("create ticket: %w", err)
	}
	table := t.Project
	if !slices.Contains(c.conf.Tables, table) {
		return connectors.Ref{}, fmt.Errorf("create ticket: %w", c.unknownTable(table))
	}
	if t.Summary == "" {
		return connectors.Ref{}, connectors.Permanently("create ticket: the summary is empty")
	}
	body, err := c.body(ctx, table, t)
	if err != nil {
		return connectors.Ref{}, fmt.Errorf("create ticket: %w", err)
	}
	body[keyField], body[markField] = mark+key, markName
	var made record
	call := connectors.Call{Name: "create ticket", Method: http.MethodPost, URL: tableAPI + table + "?" + asked().Encode(), JSON: body}
	if _, err := c.call(ctx, call, &made); err != nil {
		return connectors.Ref{}, err
	}
	if !recordID.MatchString(made[sysID]) {
		return connectors.Ref{}, connectors.InDoubt("create ticket: the answer names no record")
	}
	by := connectors.Clean(made[number], 40)
	switch {
	case made[keyField] != mark+key:
		return connectors.Ref{}, &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"create ticket: %s was opened without our key: the account must be able to write %s of %s; close the ticket by hand", by, keyField, table)}
	case !c.ours(made):
		return connectors.Ref{}, &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"create ticket: %s was opened by %q and not by user %q, whose credentials were expected; close the ticket by hand",
			by, connectors.Clean(made[sysCreatedBy], 100), c.conf.User)}
	}
	if gone := lost(made, body); len(gone) > 0 {
		c.log.WarnContext(ctx, "ServiceNow did not keep fields of a new ticket as they were sent", "ticket", made[number], "fields", strings.Join(gone, ", "))
	}
	return c.ref(place{table, made[sysID]}, made[number]), nil
}

// Update changes the fields given; the table stays.
func (c *connector) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	at, err := c.place(ref)
	if err != nil {
		return err
	}
	body, err := c.body(ctx, at.table, t)
	if err != nil {
		return fmt.Errorf("update ticket: %w", err)
	}
	if len(body) == 0 {
		return nil
	}
	now, err := c.patch(ctx, "update ticket", at, body)
	if err != nil {
		return err
	}
	if gone := lost(now, body); len(gone) > 0 {
		return connectors.Permanently("update ticket: ServiceNow did not keep %s", strings.Join(gone, ", "))
	}
	return nil
}

// ours tells whether the account we work with made a record.
func (c *connector) ours(r record) bool { return strings.EqualFold(r[sysCreatedBy], c.conf.User) }
