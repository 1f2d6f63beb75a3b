package rt

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// progress is what a Watch cursor holds.
type progress struct {
	At   time.Time `json:"at"`             // everything updated before was told, by Request Tracker's clock
	Seen string    `json:"seen,omitempty"` // the open ticket that was looked for last
}

// Watch tells which of our tickets were updated since the cursor, in whatever queue they are now, looking back a little
// further each time because times count in seconds and a change is told only when it is committed; so a change comes
// several times, with the same id once its second is over. Of the open tickets a hundred at a time are looked for, too:
// those that do not come are deleted, merged or hidden from us, and told as changed.
func (c *connector) Watch(ctx context.Context, since connectors.Cursor, open []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	if since == "" {
		at, err := c.clock(ctx)
		if err != nil {
			return nil, "", err
		}
		return nil, progress{At: at}.cursor(), nil
	}
	var from progress
	if err := json.Unmarshal([]byte(since), &from); err != nil || from.At.IsZero() {
		return nil, since, connectors.Permanently("watch: the cursor is not one of ours")
	}
	// The clock is read first: what changes while we search is told the next time.
	next, err := c.clock(ctx)
	if err != nil {
		return nil, since, err
	}
	start := from.At.Add(-c.conf.Overlap)
	out, err := c.updated(ctx, start, next)
	if err != nil {
		return nil, since, err
	}
	gone, seen, err := c.gone(ctx, open, from.Seen)
	if err != nil {
		return nil, since, err
	}
	return append(out, gone...), progress{At: next, Seen: seen}.cursor(), nil
}

// margin is how much more the search is asked for. Request Tracker reads times in the account's own zone whatever zone
// they name, so the search is told how long ago; in the nights clocks are changed it is wrong by that change.
const margin = 2 * time.Hour

// updated finds our tickets that were updated since start.
func (c *connector) updated(ctx context.Context, start, now time.Time) ([]connectors.Change, error) {
	query := "Creator = '__CurrentUser__'"
	if ago := longAgo(now.Sub(start) + margin); ago != "" {
		query += " AND LastUpdated >= '" + ago + "'"
	}
	var out []connectors.Change
	var fault error
	err := all(ctx, c, "search updated tickets", "tickets", listing{fields: "LastUpdated", query: query}, func(t ticket) bool {
		if !ticketID.MatchString(string(t.ID)) || t.LastUpdated.IsZero() {
			fault = connectors.Temporarily("search updated tickets: a hit has no id or time")
			return false
		}
		if at := t.LastUpdated.Time; !at.Before(start) {
			out = append(out, connectors.Change{Ref: c.ref(string(t.ID)), ID: changeID(string(t.ID), at, now), At: at})
		}
		return true
	})
	if err == nil {
		err = fault
	}
	return out, err
}

// longAgo is a time in the words of a search, or nothing where it is beyond them: numbers of four digits would be taken
// for years.
func longAgo(d time.Duration) string {
	const most = 999
	hours := int(max(d, 0)/time.Hour) + 1
	days := hours/24 + 1
	switch {
	case hours <= most:
		return fmt.Sprintf("%d hours ago", hours)
	case days <= most:
		return fmt.Sprintf("%d days ago", days)
	default:
		return ""
	}
}

// settle is how long after a change another may still come in the same second, clocks that differ a little included.
const settle = 5 * time.Second

// changeID is the same for what is the same change. Times count in seconds: while a second is not long over, more may
// have happened in it every time we look, so a change gets its last id once it is.
func changeID(id string, at, now time.Time) string {
	text := id + "@" + at.UTC().Format(time.RFC3339)
	if now.Sub(at) < settle {
		text += "@" + now.UTC().Format(time.RFC3339Nano)
	}
	return text
}

func (p progress) cursor() connectors.Cursor {
	text, _ := json.Marshal(p) // a time and a text always encode
	return connectors.Cursor(text)
}

// clock is the time at Request Tracker, ours where it does not tell. Its clock is the one that changes are stamped by.
func (c *connector) clock(ctx context.Context) (time.Time, error) {
	header, err := c.call(ctx, connectors.Call{Name: "read clock", Method: http.MethodGet, URL: "rt"}, &struct{}{})
	if err != nil {
		return time.Time{}, connectors.Unsent(err)
	}
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		return at.UTC(), nil
	}
	return c.now().UTC(), nil
}

// gone tells which of the next hundred open tickets no longer come, and up to which one was looked.
func (c *connector) gone(ctx context.Context, open []connectors.Ref, after string) ([]connectors.Change, string, error) {
	ids := round(open, after)
	if len(ids) == 0 {
		return nil, "", nil
	}
	terms := make([]string, len(ids))
	for i, id := range ids {
		terms[i] = "id = " + id
	}
	found, err := c.tickets(ctx, "look for open tickets", "("+strings.Join(terms, " OR ")+")", listing{fields: "Status", order: "ASC", size: pageSize, page: 1})
	if err != nil {
		return nil, "", err
	}
	missing := slices.Clone(ids)
	for _, t := range found.Items {
		missing = slices.DeleteFunc(missing, func(id string) bool { return id == string(t.ID) })
	}
	hour := c.now().UTC().Truncate(time.Hour).Format(time.RFC3339) // told again later, should the search have erred
	var out []connectors.Change
	for _, id := range missing {
		out = append(out, connectors.Change{Ref: c.ref(id), ID: id + "@gone@" + hour})
	}
	return out, ids[len(ids)-1], nil
}

// round is the hundred ids that follow the one given, from the start again behind the last.
func round(open []connectors.Ref, after string) []string {
	var ids []string
	for _, ref := range open {
		if ticketID.MatchString(ref.ID) {
			ids = append(ids, ref.ID)
		}
	}
	slices.SortFunc(ids, byNumber)
	ids = slices.Compact(ids)
	if len(ids) <= pageSize {
		return ids
	}
	at, _ := slices.BinarySearchFunc(ids, after, byNumber)
	if at < len(ids) && ids[at] == after {
		at++
	}
	if at >= len(ids) {
		at = 0
	}
	return ids[at:min(at+pageSize, len(ids))]
}

func byNumber(a, b string) int {
	x, _ := strconv.ParseInt(a, 10, 64)
	y, _ := strconv.ParseInt(b, 10, 64)
	return cmp.Compare(x, y)
}
