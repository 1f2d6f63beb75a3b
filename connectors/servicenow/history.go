package servicenow

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// change is one row of sys_audit: one field of one record changed by one user.
type change struct {
	id, record, field, from, to, user string
	at                                time.Time
	order                             int64 // the record's count of changes; -1 where it is not told
}

// most is how many records are asked for at once.
const most = 100

// audit reads what was recorded of some records, oldest first.
func (c *connector) audit(ctx context.Context, ids []string, further ...condition) ([]change, error) {
	var out []change
	for part := range slices.Chunk(ids, most) {
		rows, err := c.all(ctx, listing{
			name: "read history", table: "sys_audit", where: append([]condition{in("documentkey", part)}, further...),
			fields: []string{sysID, "documentkey", "fieldname", "oldvalue", "newvalue", "user", "record_checkpoint", sysCreated},
		})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			one := change{
				id: row[sysID], record: row["documentkey"], field: row["fieldname"], from: row["oldvalue"], to: row["newvalue"], user: row["user"],
				at: row.at(sysCreated), order: row.count("record_checkpoint"),
			}
			if !slices.Contains(part, one.record) {
				continue
			}
			if one.at.IsZero() || one.field == "" {
				return nil, connectors.Temporarily("read history: an entry has no field or time")
			}
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b change) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order, b.order), cmp.Compare(a.id, b.id))
	})
	return out, nil
}

// leadsTo tells whether the steps of the state follow from each other and end where the ticket is.
func leadsTo(ticket record, changes []change) bool {
	var last *change
	for i, one := range changes {
		if one.record != ticket[sysID] || one.field != stateField {
			continue
		}
		if last != nil && last.to != one.from {
			return false
		}
		last = &changes[i]
	}
	return last == nil || last.to == ticket[stateField]
}

// stepNames are the fields that have a name of their own in a snapshot.
var stepNames = map[string]string{stateField: "status", summary: "summary"}

// steps are the changed fields of a ticket. Notes are none.
func steps(ticket record, changes []change, states, priorities []choice, who people) []connectors.Step {
	var out []connectors.Step
	for _, one := range changes {
		if one.record != ticket[sysID] || one.field == comments || one.field == workNotes {
			continue
		}
		step := connectors.Step{
			ID: one.id, At: one.at, By: who.account(one.user), Field: cmp.Or(stepNames[one.field], one.field), From: one.from, To: one.to,
		}
		switch one.field {
		case stateField:
			step.From, step.To = called(states, one.from), called(states, one.to)
		case priority:
			step.From, step.To = called(priorities, one.from), called(priorities, one.to)
		}
		out = append(out, step)
	}
	return out
}
