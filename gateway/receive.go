package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const (
	changeBatch  = 64
	changeLanes  = 4 // tickets of one desk that are re-read at once
	changePause  = 2 * time.Second
	goneAfter    = 2 // times that a desk says so again
	changePauses = 5 // after so many the watch, which never gives up, is left to find it
)

// noteChanges stores a desk's claims that tickets moved. The worker of the connection reads the tickets.
func (g *Gateway) noteChanges(ctx context.Context, connection string, changes []connectors.Change) error {
	err := g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := g.published(ctx, tx, connection); err != nil {
			return err
		}
		for _, c := range changes {
			if err := g.addChange(ctx, tx, connection, c, g.now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("commit changes: %w", err)
	}
	return nil
}

func (g *Gateway) addChange(ctx context.Context, tx *store.Tx, connection string, c connectors.Change, due time.Time) error {
	tx.Wake(wakeConnection(connection))
	return tx.AddChange(ctx, store.Change{Connection: connection, RefID: c.Ref.ID, RefKey: c.Ref.Key, Due: due})
}

// changes re-reads the tickets that are said to have moved, and returns how many.
func (w *worker) changes(ctx context.Context, conn *connection) (int, error) {
	if !conn.reads() {
		return 0, nil
	}
	due, err := w.g.store.DueChanges(ctx, w.name, w.g.now(), changeBatch)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	var wait sync.WaitGroup
	places := make(chan struct{}, changeLanes)
	for _, c := range due {
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			err := w.guarded(ctx, conn, c)
			if errors.Is(err, errPassedOn) {
				w.log.Warn("lease passed on while a ticket was read; who has it reads the ticket anew", "ticket", c.RefKey)
				return
			}
			if err != nil && ctx.Err() == nil {
				err = w.postpone(ctx, conn, c, err)
			}
			if err != nil && ctx.Err() == nil {
				w.log.Error("re-read ticket", "ticket", c.RefKey, "error", err)
			}
		})
	}
	wait.Wait()
	return len(due), nil
}

// reread fetches one ticket and acts on what it shows. The change is done with when that is committed; a fault of the
// desk keeps it for later.
func (w *worker) reread(ctx context.Context, conn *connection, c store.Change) error {
	lease := w.holding()
	callCtx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	link, err := w.g.store.LinkByRef(ctx, w.name, c.RefID)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if known && link.State != linkLinked && link.State != linkGone {
		return w.g.store.InTx(ctx, func(tx *store.Tx) error { return tx.DoneChange(ctx, c) })
	}
	if conn.asks() {
		return w.hear(ctx, lease, conn, link, known, c)
	}
	w.g.step("receive.before_fetch")
	snapshot, err := connectors.Fetch(callCtx, conn.connector, connectors.Ref{ID: c.RefID, Key: c.RefKey})
	if errors.Is(err, connectors.ErrNotFound) {
		return w.vanished(ctx, lease, c, link, known)
	}
	if err != nil {
		return err
	}
	switch {
	case !known:
		return w.stranger(ctx, lease, c, snapshot)
	case link.State == linkGone:
		return w.back(ctx, lease, c, link, snapshot)
	}
	return w.g.decide(ctx, lease, conn, link, snapshot, c, func(tx *store.Tx) error { return tx.DoneChange(ctx, c) })
}

// guarded re-reads a ticket; a connector that panics costs the reading, not the program.
func (w *worker) guarded(ctx context.Context, conn *connection, c store.Change) (err error) {
	defer func() {
		if r := recover(); r != nil {
			w.log.Error("connector panicked", "ticket", c.RefKey, "panic", r, "stack", string(debug.Stack()))
			err = errors.New("the connector failed inside; see the log")
		}
	}()
	return w.reread(ctx, conn, c)
}

// errPassedOn says that somebody else works for the connection by now.
var errPassedOn = errors.New("the lease has passed on")

// fenced runs f in a transaction, unless the lease has passed on: a ticket as it was read long ago decides nothing.
func (g *Gateway) fenced(ctx context.Context, lease store.Lease, f func(*store.Tx) error) error {
	return g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.HoldsLease(ctx, lease); errors.Is(err, store.ErrConflict) {
			return errPassedOn
		} else if err != nil {
			return err
		}
		return f(tx)
	})
}

// postpone keeps a change for later. A connection-wide fault is learned like one of a delivery.
func (w *worker) postpone(ctx context.Context, conn *connection, c store.Change, cause error) error {
	now := w.g.now()
	e := connectors.AsError(cause)
	n := next{unwell: e.Kind == connectors.Unwell}
	if e.Kind == connectors.Throttled {
		n.waitUntil = now.Add(max(e.RetryAfter, time.Second))
	}
	var health store.Health
	changed := false
	if _, other := errors.AsType[elsewhere](cause); !other {
		health, changed = w.learn(conn, n, cause, now)
	}
	return w.g.store.InTx(ctx, func(tx *store.Tx) error {
		if changed {
			if err := tx.SetHealth(ctx, health); err != nil {
				return err
			}
		}
		w.log.Warn("ticket could not be read; it will be read later", "ticket", c.RefKey, "error", cause)
		if c.Tries >= changePauses && e.Kind == connectors.Permanent && !conn.asks() { // what people answered is told by nobody again
			return tx.DoneChange(ctx, c)
		}
		return tx.PostponeChange(ctx, c, later(now, n.waitUntil).Add(changePause<<min(c.Tries, 6)))
	})
}

// vanished handles a ticket that is gone from the desk or hidden from our account, once the desk has said so several
// times: one stray answer ends nothing.
func (w *worker) vanished(ctx context.Context, lease store.Lease, c store.Change, link store.Link, known bool) error {
	now := w.g.now()
	return w.g.fenced(ctx, lease, func(tx *store.Tx) error {
		if !known || link.State == linkGone {
			return tx.DoneChange(ctx, c)
		}
		if c.Tries < goneAfter {
			return tx.PostponeChange(ctx, c, now.Add(changePause<<c.Tries))
		}
		if err := tx.SetLinkState(ctx, link.ID, linkGone); err != nil {
			return err
		}
		if err := tx.Record(ctx, store.Entry{At: now, CaseID: link.CaseID, Kind: "ticket.gone", Subject: w.name,
			Content: map[string]any{"ticket": link.RefKey, "note": "the desk no longer shows this ticket to our account; nothing can be decided on it until it does"}}); err != nil {
			return err
		}
		return tx.DoneChange(ctx, c)
	})
}

// back handles a ticket that was gone and is shown again: what was done to it counts again, as far as it is still ours.
func (w *worker) back(ctx context.Context, lease store.Lease, c store.Change, link store.Link, s connectors.Snapshot) error {
	now := w.g.now()
	return w.g.fenced(ctx, lease, func(tx *store.Tx) error {
		if !s.Ours || s.Key != link.Key {
			return tx.DoneChange(ctx, c)
		}
		if err := tx.SetLinkState(ctx, link.ID, linkLinked); err != nil {
			return err
		}
		if err := tx.Record(ctx, store.Entry{At: now, CaseID: link.CaseID, Kind: "ticket.back", Subject: w.name, Content: map[string]any{"ticket": link.RefKey}}); err != nil {
			return err
		}
		return tx.PostponeChange(ctx, c, now)
	})
}

// stranger handles a ticket no link points at: one whose create answer was lost, a second one for the same link, a
// clone, or somebody else's.
func (w *worker) stranger(ctx context.Context, lease store.Lease, c store.Change, s connectors.Snapshot) error {
	return w.g.fenced(ctx, lease, func(tx *store.Tx) error {
		link, err := tx.LinkByKey(ctx, s.Key)
		if s.Key == "" || errors.Is(err, store.ErrNotFound) || (err == nil && !s.Ours) {
			return tx.DoneChange(ctx, c)
		}
		if err != nil {
			return err
		}
		if link.Desk != w.name {
			return tx.DoneChange(ctx, c) // another connection's ticket: it reads it itself
		}
		if link.RefID == s.Ref.ID {
			// Linked while we were reading: read again, as the case's own ticket.
			return tx.PostponeChange(ctx, c, w.g.now())
		}
		if link.RefID != "" {
			if err := w.g.closeTwin(ctx, tx, link, s.Ref); err != nil {
				return err
			}
			return tx.DoneChange(ctx, c)
		}
		return w.adopt(ctx, tx, c, link, s)
	})
}

// adopt settles a create whose answer was lost by the ticket itself. While a try is still under way its own answer is
// awaited.
func (w *worker) adopt(ctx context.Context, tx *store.Tx, c store.Change, link store.Link, s connectors.Snapshot) error {
	now := w.g.now()
	d, err := tx.CreateOf(ctx, link.ID)
	if errors.Is(err, store.ErrNotFound) {
		return tx.DoneChange(ctx, c)
	}
	if err != nil {
		return err
	}
	switch d.State {
	case stateRunning:
		return tx.PostponeChange(ctx, c, now.Add(time.Second))
	case stateCanceled:
		if err := w.g.closeTwin(ctx, tx, link, s.Ref); err != nil {
			return err
		}
		return tx.DoneChange(ctx, c)
	}
	if err := w.g.settleCreate(ctx, tx, d, s.Ref, now); err != nil {
		return err
	}
	return tx.DoneChange(ctx, c)
}

// settleCreate ends a create whose answer was lost: its desk told of the ticket.
func (g *Gateway) settleCreate(ctx context.Context, tx *store.Tx, d store.Delivery, ref connectors.Ref, now time.Time) error {
	if err := tx.Settle(ctx, d.ID, now); err != nil {
		return err
	}
	if err := tx.Record(ctx, store.Entry{At: now, CaseID: d.CaseID, Kind: "delivery.settled", Subject: d.Connection,
		Content: map[string]any{"delivery": d.ID, "action": d.Kind, "ticket": ref, "note": "the desk itself told of the ticket whose answer was lost"}}); err != nil {
		return err
	}
	return g.linked(ctx, tx, d, connectors.Done{Ref: ref, Found: true}, now)
}

const (
	watchCursor = "watch"
	watchOpen   = 10_000 // open tickets a connector is told of; it asks for as many of them in a round as it sees fit
)

// watch asks the desk what changed since the cursor, so that a lost webhook repairs itself. The cursor is stored in
// the transaction that stores what was found.
func (w *worker) watch(ctx context.Context, conn *connection, now time.Time) error {
	watcher, ok := connectors.AsWatcher(conn.connector)
	if !ok || conn.doc.Watch.Every < 0 || now.Before(w.nextWatch) {
		return nil
	}
	w.nextWatch = now.Add(conn.doc.Watch.Every)
	cursor, err := w.g.store.Cursor(ctx, w.name, watchCursor)
	if err != nil {
		return err
	}
	refs, err := w.g.store.OpenRefs(ctx, w.name, watchOpen)
	if err != nil {
		return err
	}
	open := make([]connectors.Ref, len(refs))
	for i, r := range refs {
		open[i] = connectors.Ref{ID: r.ID, Key: r.Key}
	}
	callCtx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	found, next, err := watcher.Watch(callCtx, connectors.Cursor(cursor), open)
	if err != nil {
		return w.askFailed(ctx, conn, "watch desk", err, now)
	}
	return w.g.store.InTx(ctx, func(tx *store.Tx) error {
		if cursor == "" {
			// Watching begins before the first ticket is opened. Where it did not, what happened so far is not known.
			for _, ref := range open {
				if err := w.g.addChange(ctx, tx, w.name, connectors.Change{Ref: ref}, now); err != nil {
					return err
				}
			}
		}
		for _, c := range found {
			fresh, err := tx.SeeChange(ctx, w.name, c.ID, now)
			if err != nil {
				return err
			}
			if !fresh {
				continue
			}
			if err := w.g.addChange(ctx, tx, w.name, c, now); err != nil {
				return err
			}
		}
		return tx.SetCursor(ctx, w.name, watchCursor, string(next))
	})
}
