package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Lease says that one holder alone works on what it is named after, a connection for instance, until a time. Epoch
// grows each time the lease passes on; work claimed under an older epoch is fenced off.
type Lease struct {
	Name   string
	Holder string
	Epoch  int64
	Until  time.Time
}

// Acquire takes the lease, or renews it when it is ours; false when somebody else has it, and then the lease is
// theirs. Times are the database's. A lease whose time is up, also our own, is taken under a new epoch; so is one
// whose holder kept a Presence that has ended.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (Lease, bool, error) {
	var lease Lease
	var ours bool
	err := s.InTx(ctx, func(t *Tx) error {
		var err error
		lease, ours, err = t.acquire(ctx, name, holder, ttl)
		return err
	})
	return lease, ours, wrap("acquire lease", err)
}

func (t *Tx) acquire(ctx context.Context, name, holder string, ttl time.Duration) (Lease, bool, error) {
	_, err := t.exec(ctx, `INSERT INTO leases (name, holder, epoch, until, present) VALUES ($1, '', 0, 0, 0)
		ON CONFLICT DO NOTHING`, name)
	if err != nil {
		return Lease{}, false, err
	}
	var present bool
	l, err := one(ctx, t.Queries, func(l *Lease) []any {
		return []any{&l.Name, &l.Holder, &l.Epoch, (*stamp)(&l.Until), &present}
	}, `SELECT name, holder, epoch, until, present FROM leases WHERE name = $1`+t.engine.forUpdate, name)
	if err != nil {
		return Lease{}, false, err
	}
	// After the lock: others may have made us wait for it.
	now, err := t.store.now(ctx, t.Queries)
	if err != nil {
		return Lease{}, false, err
	}
	expired := !l.Until.After(now)
	if l.Holder != holder && !expired {
		if !present {
			return l, false, nil
		}
		if gone, err := t.gone(ctx, holder, l.Holder); err != nil || !gone {
			return l, false, err
		}
	}
	if l.Holder != holder || expired {
		l.Epoch++
	}
	l.Holder, l.Until = holder, now.Add(ttl)
	_, err = t.exec(ctx, `UPDATE leases SET holder = $1, epoch = $2, until = $3, present = $4 WHERE name = $5`,
		l.Holder, l.Epoch, millis(l.Until), bit(t.store.present.is(holder)), name)
	return l, true, err
}

// Release gives the lease up, so that others need not wait for its time to be up. A lease that has passed on already
// is left alone.
func (s *Store) Release(ctx context.Context, l Lease) error {
	return wrap("release lease", s.InTx(ctx, func(t *Tx) error {
		_, err := t.exec(ctx, `UPDATE leases SET until = 0 WHERE name = $1 AND holder = $2 AND epoch = $3`,
			l.Name, l.Holder, l.Epoch)
		return err
	}))
}

// LeaseOf reads who has a lease, also one whose time is up.
func (q Queries) LeaseOf(ctx context.Context, name string) (Lease, error) {
	l, err := one(ctx, q, func(l *Lease) []any { return []any{&l.Name, &l.Holder, &l.Epoch, (*stamp)(&l.Until)} },
		`SELECT name, holder, epoch, until FROM leases WHERE name = $1`, name)
	return l, wrap("read lease", err)
}

// HoldsLease bars the lease from passing on until the transaction ends; ErrConflict when it has passed on already.
func (t *Tx) HoldsLease(ctx context.Context, l Lease) error {
	_, err := one(ctx, t.Queries, single[int64], `SELECT epoch FROM leases WHERE name = $1 AND holder = $2 AND epoch = $3`+
		t.engine.forShare, l.Name, l.Holder, l.Epoch)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("check lease: %w: it has passed on", ErrConflict)
	}
	return wrap("check lease", err)
}
