package servicenow

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// progress is what a Watch cursor holds.
type progress struct {
	At   time.Time `json:"at"`             // everything updated before was told, by the instance's clock
	Seen string    `json:"seen,omitempty"` // the open ticket that was looked for last
}

// Watch tells which of our tickets, or of their approvals, were updated since the cursor, looking back a little further
// each time because a change is stamped before it is committed; so a change comes several times, with the same id. Of the
// open tickets a hundred at a time are looked for, too: those that do not come are deleted, moved to another table or
// hidden from us, and told as changed.
func (c *connector) Watch(ctx context.Context, cursor connectors.Cursor, open []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	// The clock is read first: what changes while we search is told the next time.
	now, err := c.clock(ctx)
	if err != nil {
		return nil, cursor, err
	}
	if cursor == "" {
		return nil, progress{At: now}.cursor(), nil
	}
	var from progress
	if err := json.Unmarshal([]byte(cursor), &from); err != nil || from.At.IsZero() {
		return nil, cursor, connectors.Permanently("watch: the cursor is not one of ours")
	}
	start := from.At.Add(-c.conf.Overlap)
	var out []connectors.Change
	for _, table := range c.conf.Tables {
		changes, err := c.updated(ctx, table, start, now)
		if err != nil {
			return nil, cursor, err
		}
		out = append(out, changes...)
	}
	changes, err := c.answered(ctx, start, now)
	if err != nil {
		return nil, cursor, err
	}
	gone, seen, err := c.gone(ctx, open, from.Seen)
	if err != nil {
		return nil, cursor, err
	}
	return slices.Concat(out, changes, gone), progress{At: now, Seen: seen}.cursor(), nil
}

// updated finds the tickets of one table that were updated.
func (c *connector) updated(ctx context.Context, table string, start, now time.Time) ([]connectors.Change, error) {
	rows, err := c.all(ctx, listing{
		name: "search updated tickets", table: table, where: []condition{is(sysCreatedBy, c.conf.User), since(sysUpdated, start)},
		fields: []string{sysID, number, sysCreatedBy, sysUpdated, sysModCount},
	})
	if err != nil {
		return nil, err
	}
	var out []connectors.Change
	for _, row := range rows {
		at := row.at(sysUpdated)
		if at.IsZero() {
			return nil, connectors.Temporarily("search updated tickets: a row has no time")
		}
		if here := (place{table, row[sysID]}); c.ours(row) && !at.Before(start) {
			out = append(out, connectors.Change{Ref: c.ref(here, row[number]), ID: changeID(here.String(), row, now), At: at})
		}
	}
	return out, nil
}

// answered finds the tickets with an approval that was updated: the ticket itself may stay as it is for a while.
func (c *connector) answered(ctx context.Context, start, now time.Time) ([]connectors.Change, error) {
	const ticket = "sysapproval."
	rows, err := c.all(ctx, listing{
		name: "search updated approvals", table: approvalTable, where: []condition{is(ticket+sysCreatedBy, c.conf.User), since(sysUpdated, start)},
		fields: []string{sysID, "sysapproval", ticket + "sys_class_name", ticket + number, ticket + sysCreatedBy, sysUpdated, sysModCount},
	})
	if err != nil {
		return nil, err
	}
	var out []connectors.Change
	for _, row := range rows {
		at := row.at(sysUpdated)
		if at.IsZero() {
			return nil, connectors.Temporarily("search updated approvals: a row has no time")
		}
		here := place{row[ticket+"sys_class_name"], row["sysapproval"]}
		if row[ticket+sysCreatedBy] != "" && c.ours(record{sysCreatedBy: row[ticket+sysCreatedBy]}) && !at.Before(start) &&
			slices.Contains(c.conf.Tables, here.table) && recordID.MatchString(here.id) {
			out = append(out, connectors.Change{Ref: c.ref(here, row[ticket+number]), ID: changeID(here.String()+"/"+row[sysID], row, now), At: at})
		}
	}
	return out, nil
}

// settle is how long after a change another may still come in the same second, clocks that differ a little included.
const settle = 5 * time.Second

// changeID is the same for what is the same change. A record counts its changes; where it does not tell, times count in
// seconds, and a change gets its last id once its second is long over.
func changeID(of string, row record, now time.Time) string {
	at := row.at(sysUpdated)
	text := of + "@" + at.Format(time.RFC3339)
	if n := row.count(sysModCount); n >= 0 {
		return text + "@" + strconv.FormatInt(n, 10)
	}
	if now.Sub(at) < settle {
		text += "@" + now.UTC().Format(time.RFC3339Nano)
	}
	return text
}

func (p progress) cursor() connectors.Cursor {
	text, _ := json.Marshal(p) // a time and a text always encode
	return connectors.Cursor(text)
}

// gone tells which of the next hundred open tickets no longer come, and up to which one was looked.
func (c *connector) gone(ctx context.Context, open []connectors.Ref, after string) ([]connectors.Change, string, error) {
	next := c.round(open, after)
	if len(next) == 0 {
		return nil, "", nil
	}
	byTable := map[string][]string{}
	for _, at := range next {
		byTable[at.table] = append(byTable[at.table], at.id)
	}
	hour := c.now().UTC().Truncate(time.Hour).Format(time.RFC3339) // told again later, should the search have erred
	var out []connectors.Change
	for _, table := range c.conf.Tables {
		if len(byTable[table]) == 0 {
			continue
		}
		rows, err := c.all(ctx, listing{name: "look for open tickets", table: table, where: []condition{in(sysID, byTable[table])}, fields: []string{sysID}})
		if err != nil {
			return nil, "", err
		}
		for _, id := range byTable[table] {
			if !slices.ContainsFunc(rows, func(r record) bool { return r[sysID] == id }) {
				at := place{table, id}
				out = append(out, connectors.Change{Ref: c.ref(at, ""), ID: at.String() + "@gone@" + hour})
			}
		}
	}
	return out, next[len(next)-1].String(), nil
}

// round is the hundred places that follow the one given, from the start again behind the last.
func (c *connector) round(open []connectors.Ref, after string) []place {
	var ids []string
	for _, ref := range open {
		if _, err := c.place(ref); err == nil {
			ids = append(ids, ref.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > most {
		at, found := slices.BinarySearch(ids, after)
		if found {
			at++
		}
		if at >= len(ids) {
			at = 0
		}
		ids = ids[at:min(at+most, len(ids))]
	}
	out := make([]place, 0, len(ids))
	for _, id := range ids {
		at, _ := c.place(connectors.Ref{ID: id}) // looked at above
		out = append(out, at)
	}
	return out
}
