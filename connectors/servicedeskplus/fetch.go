package servicedeskplus

import (
	"context"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Fetch reads a request, what its approvers answered and, where the settings name a call for it, its history. The
// request is read first: an approval that comes to its end meanwhile shows as pending, and never the other way round.
func (c *connector) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	at, err := path(ref)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	r, err := c.request(ctx, at)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	approvals, err := c.approvals(ctx, at, r)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	history, err := c.history(ctx, at, r)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	creator := c.account(r.CreatedBy)
	out := connectors.Snapshot{
		Ref: c.ref(string(r.ID), string(r.Display)), Ours: creator.Ours, Status: r.Status.name(), Category: "open", Summary: c.summary(r.Subject),
		Priority: r.Priority.name(), Description: r.Description, Fields: c.simple(r), Creator: creator, Created: r.Created.Time, Updated: r.Updated.Time,
		History: history, Approvals: approvals,
	}
	if contains(c.conf.Closed, out.Status) {
		out.Category = "closed"
	}
	if out.Ours && !c.rewritten(history) {
		out.Key = c.written(r)
	}
	for _, a := range r.Attachments {
		out.Files = append(out.Files, connectors.FileInfo{ID: string(a.ID), Name: a.Name, Size: int64(a.Size), By: c.account(a.By), At: a.At.Time})
	}
	return out, nil
}

// rewritten tells whether the field that holds our key was ever changed.
func (c *connector) rewritten(history []connectors.Step) bool {
	for _, step := range history {
		if c.conf.KeyField != "" && step.Field == c.conf.KeyField {
			return true
		}
	}
	return false
}
