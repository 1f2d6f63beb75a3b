package opsgenie

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Watch tells which of our alerts were updated since the cursor, the latest first, looking back a little further each time
// because the list may lag. Of the open alerts a few at a time are looked at one by one: those that are gone are told as
// changed, and so are those with a new entry in their log.
func (c *connector) Watch(ctx context.Context, since connectors.Cursor, opened []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	from, err := connectors.ReadProgress(since)
	if err != nil {
		return nil, since, err
	}
	var out []connectors.Change
	var now time.Time
	for offset := 0; ; offset += pageSize {
		page := []alert{}
		_, header, err := c.read(ctx, "list alerts", fmt.Sprintf("alerts?sort=updatedAt&order=desc&limit=%d&offset=%d", pageSize, offset), &page)
		if err != nil {
			return nil, since, err
		}
		if offset == 0 { // what happens while we look is told the next time
			now = c.clock(header)
		}
		if since == "" {
			return nil, connectors.Progress{At: now}.Cursor(), nil
		}
		older := false
		for _, a := range page {
			older = older || a.Updated.Before(from.At.Add(-c.conf.Overlap))
			if !older && c.ours(a) && idForm.MatchString(a.ID) {
				out = append(out, connectors.Change{Ref: a.ref(), ID: a.ID + "@" + a.Updated.UTC().Format(time.RFC3339Nano), At: a.Updated.UTC()})
			}
		}
		if older || len(page) < pageSize {
			break
		}
		if offset > maxPages*pageSize {
			return nil, since, connectors.Temporarily("list alerts: more than %d changed since", maxPages*pageSize)
		}
	}
	more, seen, err := c.lookAt(ctx, opened, from.Seen, now)
	if err != nil {
		return nil, since, err
	}
	return append(out, more...), connectors.Progress{At: now, Seen: seen}.Cursor(), nil
}

// lookAt looks at the next open alerts one by one, and tells up to which one.
func (c *connector) lookAt(ctx context.Context, opened []connectors.Ref, after string, now time.Time) ([]connectors.Change, string, error) {
	var out []connectors.Change
	seen := ""
	for _, ref := range connectors.Round(opened, after, c.conf.Batch) {
		seen = ref.ID
		if !idForm.MatchString(ref.ID) {
			continue
		}
		latest := []line{}
		_, _, err := c.read(ctx, "look at log", "alerts/"+ref.ID+"/logs?identifierType=id&order=desc&limit=1", &latest)
		if errors.Is(err, connectors.ErrNotFound) {
			hour := now.Truncate(time.Hour).Format(time.RFC3339) // told again later, should the vendor have erred
			out = append(out, connectors.Change{Ref: ref, ID: ref.ID + "@gone@" + hour})
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if len(latest) > 0 {
			out = append(out, connectors.Change{Ref: ref, ID: ref.ID + "@log@" + connectors.Clean(latest[0].Offset, 80), At: latest[0].At.UTC()})
		}
	}
	return out, seen, nil
}
