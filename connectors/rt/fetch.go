package rt

import (
	"context"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Fetch reads a ticket with its whole history. Where the history cannot be read to its end, or does not lead to the
// status the ticket has, it fails: half of it is no evidence. A ticket that was merged into another is answered with
// that other one. The text a ticket was opened with is left out: nobody can change it.
func (c *connector) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	id, err := handle(ref)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	t, tag, err := c.ticket(ctx, id)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	id = string(t.ID)
	history, err := c.history(ctx, id, tag)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	own := slices.DeleteFunc(history, func(x transaction) bool { return string(x.Object) != id })
	if !leadsTo(t, own) {
		return connectors.Snapshot{}, connectors.Temporarily("read ticket: its history does not lead to the status it has")
	}
	files, err := c.files(ctx, id)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	creator := c.account(t.Creator)
	out := connectors.Snapshot{
		Ref: c.ref(id), Ours: creator.Ours, Status: t.Status, Summary: t.Subject, Priority: string(t.Priority), Fields: simple(t),
		Creator: creator, Created: t.Created.Time, Updated: t.LastUpdated.Time, History: c.steps(t, own),
	}
	for _, f := range files {
		out.Files = append(out.Files, c.file(f))
	}
	if field, ok := t.custom(c.conf.KeyField); ok && creator.Ours && !touched(own, string(field.ID)) {
		if texts := field.texts(); len(texts) == 1 && checkKey(texts[0]) == nil {
			out.Key = texts[0]
		}
	}
	return out, nil
}

// Types of transactions.
const (
	statusChange      = "Status"
	customFieldChange = "CustomField"
)

// history reads a ticket's transactions up to the one named by tag, which every ticket is answered with, or all of
// them where there is none. Where that transaction does not come, the account does not see everything.
func (c *connector) history(ctx context.Context, id, tag string) ([]transaction, error) {
	var out []transaction
	complete := tag == ""
	l := listing{fields: "Type,Field,OldValue,NewValue,Data,ObjectId,Creator,Created", people: true}
	err := all(ctx, c, "read history", "ticket/"+id+"/history", l, func(x transaction) bool {
		out = append(out, x)
		complete = complete || string(x.ID) == tag
		return tag == "" || string(x.ID) != tag
	})
	if err != nil {
		return nil, err
	}
	if !complete || len(out) == 0 {
		return nil, connectors.Temporarily("read history: Request Tracker sent only a part of it")
	}
	for _, x := range out {
		if x.ID == "" || x.Created.IsZero() {
			return nil, connectors.Temporarily("read history: an entry has no id or time")
		}
	}
	return out, nil
}

// leadsTo tells whether the last step of the status ends where the ticket is.
func leadsTo(t ticket, history []transaction) bool {
	for _, x := range slices.Backward(history) {
		if x.Type == statusChange {
			return string(x.New) == t.Status
		}
	}
	return true
}

// steps are the transactions that changed a field. What merged tickets brought along is no part of this one's history.
func (c *connector) steps(t ticket, history []transaction) []connectors.Step {
	names := map[string]string{}
	for _, f := range t.CustomFields {
		names[string(f.ID)] = f.Name
	}
	var out []connectors.Step
	for _, x := range history {
		field := string(x.Field)
		switch x.Type {
		case statusChange:
			field = "status"
		case customFieldChange:
			if name := names[field]; name != "" {
				field = name
			} else {
				field = "CF " + field
			}
		case "Comment", "Correspond", "Create", "EmailRecord", "CommentEmailRecord":
			continue
		}
		switch field {
		case "":
			continue
		case "Subject":
			field = "summary"
		case "Priority":
			field = "priority"
		}
		out = append(out, connectors.Step{
			ID: string(x.ID), At: x.Created.Time, By: c.account(x.Creator), Field: field, From: string(x.Old), To: string(x.New),
		})
	}
	return out
}
