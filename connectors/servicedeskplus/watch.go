package servicedeskplus

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// progress is what a Watch cursor holds.
type progress struct {
	At   time.Time `json:"at"`             // everything updated before was told, by the desk's clock
	Seen string    `json:"seen,omitempty"` // the open request that was looked for last
}

// Watch tells which of our requests were updated since the cursor, looking back a little further each time because a
// change is told only when it is committed; so a change comes several times, with the same id once it is a few seconds
// old. Of the open requests a hundred at a time are asked for by id, too, because an approval may leave the time of the
// last update as it was; those that do not come are deleted or hidden from us, and told as changed.
func (c *connector) Watch(ctx context.Context, since connectors.Cursor, open []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	if since == "" {
		p, err := c.list(ctx, listing{name: "read clock", fields: []string{"id"}, sort: "last_updated_time", rows: 1})
		if err != nil {
			return nil, "", err
		}
		return nil, progress{At: c.clock(p.header)}.cursor(), nil
	}
	var from progress
	if err := json.Unmarshal([]byte(since), &from); err != nil || from.At.IsZero() {
		return nil, since, connectors.Permanently("watch: the cursor is not one of ours")
	}
	out, next, err := c.updated(ctx, from.At.Add(-c.conf.Overlap))
	if err != nil {
		return nil, since, err
	}
	others, seen, err := c.look(ctx, open, from.Seen, next)
	if err != nil {
		return nil, since, err
	}
	return append(out, others...), progress{At: next, Seen: seen}.cursor(), nil
}

var watchFields = []string{"id", "display_id", "created_by", "approval_status", "last_updated_time"}

// notBefore is the comparison of times as the desk spells it.
func (c *connector) notBefore() string {
	if c.conf.SearchWords == "long" {
		return "greater or equal"
	}
	return "gte"
}

// updated finds our requests that were updated since start, and tells the time of the first answer. Pages go on from the
// time of the last row, not from its place: requests move to the end of the list while it is read.
func (c *connector) updated(ctx context.Context, start time.Time) ([]connectors.Change, time.Time, error) {
	var out []connectors.Change
	var now time.Time
	told := map[string]bool{}
	from, index := start, 1
	for range maxPages {
		p, err := c.list(ctx, listing{
			name: "search updated requests", fields: watchFields, sort: "last_updated_time", start: index, rows: pageSize,
			criteria: []criterion{{Field: "last_updated_time", Condition: c.notBefore(), Value: millis(from)}},
		})
		if err != nil {
			return nil, time.Time{}, err
		}
		if now.IsZero() {
			now = c.clock(p.header) // what changes from here on is told the next time
		}
		last, sorted := from, true
		for _, r := range p.Requests {
			if r.Updated.IsZero() {
				return nil, time.Time{}, connectors.Temporarily("search updated requests: a hit has no time")
			}
			sorted = sorted && !r.Updated.Before(last)
			last = r.Updated.Time
			if r.Updated.Before(start) || (r.CreatedBy != nil && !r.CreatedBy.is(c.conf.Account)) {
				continue
			}
			if change := c.changed(r, now); !told[change.ID] {
				told[change.ID] = true
				out = append(out, change)
			}
		}
		if !p.Info.More || len(p.Requests) == 0 {
			return out, now, nil
		}
		if sorted && last.After(from) {
			from, index = last, 1
		} else {
			index += len(p.Requests)
		}
	}
	return nil, time.Time{}, connectors.Temporarily("search updated requests: the list does not end")
}

// changed is a request as a change. What was decided is part of its id.
func (c *connector) changed(r request, now time.Time) connectors.Change {
	text := string(r.ID) + "@" + millis(r.Updated.Time)
	if name := r.Approval.name(); name != "" {
		text += "@" + connectors.Clean(name, 40)
	}
	if now.Sub(r.Updated.Time) < settle {
		text += "@@" + millis(now)
	}
	return connectors.Change{Ref: c.ref(string(r.ID), string(r.Display)), ID: text, At: r.Updated.Time}
}

// settle is how long after a change another may still come at the same time, clocks that differ a little included.
const settle = 5 * time.Second

func millis(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }

func (p progress) cursor() connectors.Cursor {
	text, _ := json.Marshal(p) // a time and a text always encode
	return connectors.Cursor(text)
}

// clock is the time at the desk, ours where it does not tell.
func (c *connector) clock(header http.Header) time.Time {
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		return at.UTC()
	}
	return c.now().UTC()
}

// look asks for the next hundred open requests, and tells up to which one was looked.
func (c *connector) look(ctx context.Context, open []connectors.Ref, after string, now time.Time) ([]connectors.Change, string, error) {
	ids := round(open, after)
	if len(ids) == 0 {
		return nil, "", nil
	}
	values := make([]any, len(ids))
	for i, id := range ids {
		values[i] = id
	}
	missing := slices.Clone(ids)
	var out []connectors.Change
	p, err := c.list(ctx, listing{
		name: "look for open requests", fields: watchFields, sort: "created_time", rows: pageSize,
		criteria: []criterion{{Field: "id", Condition: "is", Values: values}},
	})
	if err != nil {
		return nil, "", err
	}
	for _, r := range p.Requests {
		if i := slices.Index(missing, string(r.ID)); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
			out = append(out, c.changed(r, now))
		}
	}
	hour := now.Truncate(time.Hour).Format(time.RFC3339) // told again later, should the search have erred
	for _, id := range missing {
		out = append(out, connectors.Change{Ref: c.ref(id, ""), ID: id + "@gone@" + hour})
	}
	return out, ids[len(ids)-1], nil
}

// round is the hundred ids that follow the one given, from the start again behind the last.
func round(open []connectors.Ref, after string) []string {
	var ids []string
	for _, ref := range open {
		if requestID.MatchString(ref.ID) {
			ids = append(ids, ref.ID)
		}
	}
	ids = sortedIDs(ids)
	if len(ids) <= pageSize {
		return ids
	}
	at, found := slices.BinarySearchFunc(ids, after, byNumber)
	if found {
		at++
	}
	if at >= len(ids) {
		at = 0
	}
	return ids[at:min(at+pageSize, len(ids))]
}
