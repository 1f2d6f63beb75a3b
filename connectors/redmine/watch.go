package redmine

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// progress is what a Watch cursor holds.
type progress struct {
	At   time.Time `json:"at"`             // everything updated before was told, by Redmine's clock
	Seen int64     `json:"seen,omitempty"` // the open ticket that was looked for last
}

// Watch tells which of our tickets were updated since the cursor, in whatever project they are now, looking back a
// little further each time because times count in seconds and a change is told only when it is committed; so a change
// comes several times, with the same id once its second is over. Of the open tickets a hundred at a time are looked
// for, too: those that do not come are deleted or hidden from us, and told as changed.
func (c *connector) Watch(ctx context.Context, since connectors.Cursor, open []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	// The clock is read first: what changes while we search is told the next time.
	_, now, err := c.signIn(ctx)
	if err != nil {
		return nil, since, err
	}
	if since == "" {
		return nil, progress{At: now}.cursor(), nil
	}
	var from progress
	if err := json.Unmarshal([]byte(since), &from); err != nil || from.At.IsZero() {
		return nil, since, connectors.Permanently("watch: the cursor is not one of ours")
	}
	query := ours()
	query.Set("updated_on", ">="+from.At.Add(-c.conf.Overlap).UTC().Format(time.RFC3339))
	var out []connectors.Change
	err = c.all(ctx, "search updated issues", query, func(i issue) {
		at := i.Updated.UTC()
		out = append(out, connectors.Change{Ref: c.ref(i.ID), ID: changeID(strconv.FormatInt(i.ID, 10), at, now), At: at})
	})
	if err != nil {
		return nil, since, err
	}
	gone, seen, err := c.gone(ctx, open, from.Seen)
	if err != nil {
		return nil, since, err
	}
	return append(out, gone...), progress{At: now, Seen: seen}.cursor(), nil
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
	text, _ := json.Marshal(p) // a time and a number always encode
	return connectors.Cursor(text)
}

// gone tells which of the next hundred open tickets no longer come, and up to which one was looked.
func (c *connector) gone(ctx context.Context, open []connectors.Ref, after int64) ([]connectors.Change, int64, error) {
	ids := round(open, after)
	if len(ids) == 0 {
		return nil, 0, nil
	}
	texts := make([]string, len(ids))
	for n, id := range ids {
		texts[n] = strconv.FormatInt(id, 10)
	}
	query := ours()
	query.Del("author_id")
	query.Set("issue_id", strings.Join(texts, ","))
	missing := slices.Clone(ids)
	err := c.all(ctx, "look for open issues", query, func(i issue) {
		missing = slices.DeleteFunc(missing, func(id int64) bool { return id == i.ID })
	})
	if err != nil {
		return nil, 0, err
	}
	hour := c.now().UTC().Truncate(time.Hour).Format(time.RFC3339) // told again later, should the search have erred
	var out []connectors.Change
	for _, id := range missing {
		out = append(out, connectors.Change{Ref: c.ref(id), ID: strconv.FormatInt(id, 10) + "@gone@" + hour})
	}
	return out, ids[len(ids)-1], nil
}

// round is the hundred ids that follow the one given, from the start again behind the last.
func round(open []connectors.Ref, after int64) []int64 {
	var ids []int64
	for _, ref := range open {
		if issueID.MatchString(ref.ID) {
			id, _ := strconv.ParseInt(ref.ID, 10, 64) // eighteen digits fit
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) <= pageSize {
		return ids
	}
	at, found := slices.BinarySearch(ids, after)
	if found {
		at++
	}
	if at >= len(ids) {
		at = 0
	}
	return ids[at:min(at+pageSize, len(ids))]
}
