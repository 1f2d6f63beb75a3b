package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Watch tells which incidents changed since the cursor, by the account's log, looking back a little further each time
// because times count in seconds and an entry may show late. Of the open incidents a few at a time are read one by one:
// those that are gone are told as changed, and so is what the log did not show.
func (c *connector) Watch(ctx context.Context, since connectors.Cursor, open []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	from, err := connectors.ReadProgress(since)
	if err != nil {
		return nil, since, err
	}
	// The clock is read first: what happens while we look is told the next time.
	_, _, header, err := page[entry](ctx, c, "read clock", "log_entries?is_overview=true&since="+stamp(c.now()), "log_entries", 0)
	if err != nil {
		return nil, since, err
	}
	now := c.clock(header)
	if since == "" {
		return nil, connectors.Progress{At: now}.Cursor(), nil
	}
	services, err := c.services(ctx)
	if err != nil {
		return nil, since, err
	}
	out, err := c.logged(ctx, from.At.Add(-c.conf.Overlap), func(i incident) bool {
		return len(services) == 0 || slices.Contains(services, i.Service.ID) || slices.ContainsFunc(open, func(r connectors.Ref) bool { return r.ID == i.ID })
	})
	if err != nil {
		return nil, since, err
	}
	more, seen, err := c.lookAt(ctx, open, from.Seen, now)
	if err != nil {
		return nil, since, err
	}
	return append(out, more...), connectors.Progress{At: now, Seen: seen}.Cursor(), nil
}

func stamp(at time.Time) string { return url.QueryEscape(at.UTC().Format(time.RFC3339)) }

// services are the ids of the services in the settings; none: all there are.
func (c *connector) services(ctx context.Context) ([]string, error) {
	var out []string
	for _, name := range c.conf.Services {
		id, err := c.service(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// logged tells the incidents with entries since a time that are watched. PagerDuty counts through ten thousand of a list, the latest first;
// behind them it is asked again for those before the last one seen.
func (c *connector) logged(ctx context.Context, since time.Time, watched func(incident) bool) ([]connectors.Change, error) {
	var out []connectors.Change
	seen := map[string]bool{}
	var until time.Time
	for offset := 0; ; offset += pageSize {
		path := "log_entries?include[]=incidents&since=" + stamp(since)
		if !until.IsZero() {
			path += "&until=" + stamp(until)
		}
		entries, more, _, err := page[entry](ctx, c, "read log", path, "log_entries", offset)
		if err != nil {
			return nil, err
		}
		fresh := false
		for _, e := range entries {
			if e.ID == "" || e.Created.IsZero() {
				return nil, connectors.Temporarily("read log: an entry has no id or time")
			}
			fresh = fresh || !seen[e.ID]
			if !seen[e.ID] && (changes[e.kind()] || !paging[e.kind()]) && e.Incident != nil && idForm.MatchString(e.Incident.ID) && watched(*e.Incident) {
				out = append(out, connectors.Change{Ref: e.Incident.ref(), ID: e.Incident.ID + "@" + e.ID, At: e.Created.UTC()})
			}
			seen[e.ID] = true
		}
		if !more {
			return out, nil
		}
		if offset+2*pageSize <= maxRecords {
			continue
		}
		last := entries[len(entries)-1].Created.UTC().Truncate(time.Second).Add(time.Second)
		if !fresh || last.Equal(until) {
			return nil, connectors.Temporarily("read log: more than %d entries within one second", maxRecords)
		}
		until, offset = last, -pageSize
	}
}

// paging are the kinds of entries that tell of nothing a snapshot has.
var paging = map[string]bool{
	"notify": true, "assign": true, "delegate": true, "escalate": true, "exhaust_escalation_path": true, "repeat_escalation_path": true,
	"reach_ack_limit": true, "reach_trigger_limit": true, "snooze": true,
}

// settle is how long after a change another may still come in the same second, clocks that differ a little included.
const settle = 5 * time.Second

// lookAt reads the next open incidents one by one, and tells up to which one it looked. Times count in seconds: while a
// second is not long over, more may have happened in it every time we look, so a change gets its last id once it is.
func (c *connector) lookAt(ctx context.Context, open []connectors.Ref, after string, now time.Time) ([]connectors.Change, string, error) {
	var out []connectors.Change
	seen := ""
	for _, ref := range connectors.Round(open, after, c.conf.Batch) {
		seen = ref.ID
		if !idForm.MatchString(ref.ID) {
			continue
		}
		i, err := c.incident(ctx, ref.ID)
		if errors.Is(err, connectors.ErrNotFound) {
			hour := now.Truncate(time.Hour).Format(time.RFC3339) // told again later, should PagerDuty have erred
			out = append(out, connectors.Change{Ref: ref, ID: ref.ID + "@gone@" + hour})
			continue
		}
		if err != nil {
			return nil, "", err
		}
		id := fmt.Sprintf("%s@%s", i.ID, i.Updated.UTC().Format(time.RFC3339))
		if now.Sub(i.Updated) < settle {
			id += "@" + now.UTC().Format(time.RFC3339Nano)
		}
		out = append(out, connectors.Change{Ref: i.ref(), ID: id, At: i.Updated.UTC()})
	}
	return out, seen, nil
}
