package freshworks

import (
	"context"
	"errors"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Watch tells which of our tickets were updated since the cursor, looking back a little further each time because times
// count in seconds and a change may show late; so a change comes several times, with the same id once its second is
// over. Of the open tickets a few at a time are read one by one: those that are gone are told as changed, and so are
// those with news that do not touch a ticket's time.
func (d *Desk) Watch(ctx context.Context, since connectors.Cursor, open []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	// The clock is read first: what changes while we look is told the next time.
	now, err := d.Clock(ctx)
	if err != nil {
		return nil, since, err
	}
	if since == "" {
		return nil, connectors.Progress{At: now}.Cursor(), nil
	}
	from, err := connectors.ReadProgress(since)
	if err != nil {
		return nil, since, err
	}
	var out []connectors.Change
	for _, k := range d.Kinds {
		err := d.updated(ctx, k, from.At.Add(-d.Overlap), func(t Ticket) error {
			if d.Key(k, t) != "" {
				ref := d.Ref(k, t)
				out = append(out, connectors.Change{Ref: ref, ID: changeID(ref.ID, t.Updated.UTC(), now), At: t.Updated.UTC()})
			}
			return nil
		})
		if err != nil {
			return nil, since, err
		}
	}
	more, seen, err := d.lookAt(ctx, open, from.Seen, now)
	if err != nil {
		return nil, since, err
	}
	return append(out, more...), connectors.Progress{At: now, Seen: seen}.Cursor(), nil
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

// lookAt reads the next open tickets one by one, and tells up to which one it looked.
func (d *Desk) lookAt(ctx context.Context, open []connectors.Ref, after string, now time.Time) ([]connectors.Change, string, error) {
	var out []connectors.Change
	seen := ""
	for _, ref := range connectors.Round(open, after, d.Batch) {
		seen = ref.ID
		k, id, err := d.Handle(ref)
		if err != nil {
			continue
		}
		t, err := d.Read(ctx, k, id)
		if errors.Is(err, connectors.ErrNotFound) {
			out = append(out, connectors.Change{Ref: ref, ID: ref.ID + "@gone@" + now.Truncate(time.Hour).Format(time.RFC3339)}) // told again later, should the desk have erred
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if d.News == nil {
			continue
		}
		news, err := d.News(ctx, k, t)
		if err != nil {
			return nil, "", err
		}
		if news != "" {
			out = append(out, connectors.Change{Ref: d.Ref(k, t), ID: ref.ID + "@" + news})
		}
	}
	return out, seen, nil
}
