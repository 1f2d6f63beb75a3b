package freshworks

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// hit is a ticket that carries a key.
type hit struct {
	kind   Kind
	ticket Ticket
}

// Find returns the tickets with our key that are ours, oldest first. The search has an index that lags, so the list of
// tickets that changed lately is read as well. Of tickets without a seal the oldest counts where none has one: its seal
// was lost on the way, and clones come later. Where one has a seal, older ones that say the same are twins, whose create
// was thought to have failed.
func (d *Desk) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	hits, err := d.find(ctx, key)
	if err != nil {
		return nil, err
	}
	refs := []connectors.Ref{}
	for _, h := range hits {
		refs = append(refs, d.Ref(h.kind, h.ticket))
	}
	return refs, nil
}

func (d *Desk) find(ctx context.Context, key string) ([]hit, error) {
	if err := CheckKey(key); err != nil {
		return nil, connectors.Permanently("find ticket: %w", err)
	}
	me, err := d.Me(ctx)
	if err != nil {
		return nil, err
	}
	now, err := d.Clock(ctx)
	if err != nil {
		return nil, err
	}
	found, err := d.Search(ctx, key)
	if err != nil {
		return nil, err
	}
	var hits []hit
	for _, t := range found {
		hits = append(hits, hit{kind: d.Kinds[0], ticket: t})
	}
	for _, k := range d.Kinds {
		err := d.updated(ctx, k, now.Add(-d.Recent), func(t Ticket) error {
			hits = append(hits, hit{kind: k, ticket: t})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return cmp.Or(a.ticket.Created.Compare(b.ticket.Created), cmp.Compare(a.kind.Prefix, b.kind.Prefix), cmp.Compare(a.ticket.ID, b.ticket.ID))
	})
	hits = slices.CompactFunc(hits, func(a, b hit) bool { return a.ticket.ID == b.ticket.ID && a.kind.Prefix == b.kind.Prefix })
	return d.own(ctx, key, me, hits)
}

// own leaves the tickets that carry a key and are ours.
func (d *Desk) own(ctx context.Context, key string, me int64, hits []hit) ([]hit, error) {
	var bare, good []hit
	for _, h := range hits {
		if h.ticket.Deleted || h.ticket.Spam {
			continue
		}
		has, err := d.key(ctx, h.kind, h.ticket)
		if err != nil {
			return nil, err
		}
		if has != key {
			continue
		}
		notes, err := d.notes(ctx, h.kind, h.ticket.ID)
		if err != nil {
			return nil, err
		}
		switch by, fault := sealed(h.kind, h.ticket.ID, me, notes); {
		case by == key:
			good = append(good, h)
		case by == "" && !fault:
			bare = append(bare, h)
		}
	}
	switch {
	case len(bare) == 0:
		return good, nil
	case len(good) == 0:
		return bare[:1], nil
	default:
		bare = slices.DeleteFunc(bare, func(h hit) bool { return !h.before(good[0]) || !h.like(good[0]) })
		return append(bare, good...), nil
	}
}

// before tells whether a ticket was opened before another.
func (h hit) before(other hit) bool {
	return cmp.Or(h.ticket.Created.Compare(other.ticket.Created), cmp.Compare(h.ticket.ID, other.ticket.ID)) < 0
}

// like tells whether two tickets may come from the same create: they say the same, or are requests, whose texts come
// with a second call.
func (h hit) like(other hit) bool {
	a, b := h.ticket, other.ticket
	return h.kind.Prefix == other.kind.Prefix && a.RequesterID == b.RequesterID && a.Type == b.Type &&
		(a.Subject == b.Subject && a.Description == b.Description || a.Type == "Service Request")
}

// key is our key on a ticket, looked for where it takes a call, too.
func (d *Desk) key(ctx context.Context, k Kind, t Ticket) (string, error) {
	if key := d.Key(k, t); key != "" || d.Slow == nil {
		return key, nil
	}
	return d.Slow(ctx, k, t)
}

// updated reads the tickets that were updated since a time, in the order they were opened: an update in the middle of
// the pages changes nothing about it.
func (d *Desk) updated(ctx context.Context, k Kind, since time.Time, take func(Ticket) error) error {
	for _, more := range d.Listings(k) {
		query, err := url.ParseQuery(more)
		if err != nil {
			return connectors.Permanently("list tickets: %w", err)
		}
		query.Set("updated_since", since.UTC().Format(time.RFC3339))
		err = all(ctx, d, listing{name: "list tickets", path: k.Path, wrapper: k.Many, query: query}, func(t Ticket) error {
			if err := t.whole("list tickets"); err != nil {
				return err
			}
			return take(t)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
