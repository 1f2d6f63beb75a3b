package servicenow

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// evidence is what several calls told of one ticket.
type evidence struct {
	ticket    record
	changes   []change // of the ticket and of its approvals
	approvals []record
	files     []record
}

// Fetch reads a ticket with its whole history and its approvals. Where the history does not lead to the state the ticket
// has, it fails: half of it is no evidence.
func (c *connector) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	at, err := c.place(ref)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	e, err := c.evidence(ctx, at)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	states, err := c.choicesOf(ctx, at.table, stateField)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	priorities, err := c.choicesOf(ctx, at.table, priority)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	who, err := c.people(ctx, e.users())
	if err != nil {
		return connectors.Snapshot{}, err
	}
	t := e.ticket
	out := connectors.Snapshot{
		Ref: c.ref(at, t[number]), Ours: c.ours(t), Status: called(states, t[stateField]), Category: "active", Summary: t[summary],
		Priority: called(priorities, t[priority]), Description: t[description], Fields: map[string]any{}, Creator: who.account(t[sysCreatedBy]),
		Created: t.at(sysCreated), Updated: t.at(sysUpdated), History: steps(t, e.changes, states, priorities, who),
		Approvals: e.answers(who),
	}
	if t["active"] == "false" {
		out.Category = "inactive"
	}
	if key := keyIn(t); out.Ours && key != "" && c.original(e.changes, key) {
		out.Key = key
	}
	for field, value := range t {
		if value != "" && !slices.Contains([]string{summary, description, workNotes, comments}, field) {
			out.Fields[field] = value
		}
	}
	for _, f := range e.files {
		out.Files = append(out.Files, connectors.FileInfo{
			ID: f[sysID], Name: f["file_name"], Size: max(f.count("size_bytes"), 0), By: who.account(f[sysCreatedBy]), At: f.at(sysCreated),
		})
	}
	return out, nil
}

// evidence reads everything so that it fits. It takes several calls; a ticket moved in between is read once more.
func (c *connector) evidence(ctx context.Context, at place) (evidence, error) {
	for range 2 {
		e, err := c.read(ctx, at)
		if err != nil || leadsTo(e.ticket, e.changes) {
			return e, err
		}
	}
	return evidence{}, connectors.Temporarily("read ticket: its history does not lead to the state it has; is something changed without being audited?")
}

func (c *connector) read(ctx context.Context, at place) (e evidence, err error) {
	if e.ticket, err = c.get(ctx, at); err != nil {
		return e, err
	}
	if e.ticket.at(sysCreated).IsZero() || e.ticket[stateField] == "" {
		return e, connectors.Temporarily("read ticket: the answer has no state or no time; may the account see them?")
	}
	e.approvals, err = c.all(ctx, listing{
		name: "read approvals", table: approvalTable, where: []condition{is("sysapproval", at.id)},
		fields: []string{sysID, "sysapproval", stateField, "approver.user_name", sysCreated, sysUpdated, sysUpdatedBy, sysModCount},
	})
	if err != nil {
		return e, err
	}
	ids := []string{at.id}
	e.approvals = slices.DeleteFunc(e.approvals, func(r record) bool { return r["sysapproval"] != at.id })
	slices.SortFunc(e.approvals, func(a, b record) int {
		return cmp.Or(a.at(sysCreated).Compare(b.at(sysCreated)), cmp.Compare(a[sysID], b[sysID]))
	})
	for _, row := range e.approvals {
		ids = append(ids, row[sysID])
	}
	if e.changes, err = c.audit(ctx, ids); err != nil {
		return e, err
	}
	e.files, err = c.files(ctx, at)
	return e, err
}

// users are everybody who is named.
func (e evidence) users() []string {
	out := []string{e.ticket[sysCreatedBy]}
	for _, one := range e.changes {
		out = append(out, one.user)
	}
	for _, row := range e.approvals {
		out = append(out, row["approver.user_name"], row[sysUpdatedBy])
	}
	for _, row := range e.files {
		out = append(out, row[sysCreatedBy])
	}
	return out
}

const approvalTable = "sysapproval_approver"

// answers are the native approvals. What they come to as a whole is the ticket's own field, whatever rule of the instance
// rolls them up. Who answered is who changed the approver's row, which may be a delegate, an administrator or a script,
// and not who was asked.
func (e evidence) answers(who people) []connectors.Approval {
	var out []connectors.Approval
	for _, row := range e.approvals {
		one := connectors.Approval{ID: e.ticket[sysID], By: who.account(row["approver.user_name"]), Outcome: connectors.Pending, Final: outcome(e.ticket[approval])}
		switch row[stateField] {
		case "not requested", "not_required", "":
			continue // nobody was asked
		case "approved", "rejected":
			user, at := e.answered(row)
			one.Outcome, one.By, one.At = outcome(row[stateField]), who.account(user), at
		}
		out = append(out, one)
	}
	return out
}

// answered tells who set an approver's row to what it says, and when. Where that was not recorded the row itself names
// only who touched it last: that is who answered if it was touched once, and else nobody knows.
func (e evidence) answered(row record) (user string, at time.Time) {
	for _, step := range slices.Backward(e.changes) {
		if step.record == row[sysID] && step.field == stateField && step.to == row[stateField] {
			return step.user, step.at
		}
	}
	if n := row.count(sysModCount); n == 0 || n == 1 {
		return row[sysUpdatedBy], row.at(sysUpdated)
	}
	return "", row.at(sysUpdated)
}

func outcome(state string) connectors.Outcome {
	switch state {
	case "approved":
		return connectors.Approved
	case "rejected":
		return connectors.Denied
	default:
		return connectors.Pending
	}
}
