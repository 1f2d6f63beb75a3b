package gateway

import (
	"context"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// A connection is unwell when its vendor refuses us as a whole, or failed too often in a row; what it is owed waits. A
// vendor that answers a harmless call may refuse all else, so an answer to that only puts the connection on trial: one
// delivery is tried by itself, and shows whether it is well again.

func (w *worker) unwell() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.health.State == healthUnwell
}

// shut tells whether nothing may be asked of the vendor but whether it works again.
func (w *worker) shut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.health.State == healthUnwell && !w.trial
}

// allowed is how many of so many calls may begin: on trial one, with nothing beside it.
func (w *worker) allowed(calls int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.trial:
		return calls
	case w.open.Load() > 0 || w.sends.open > 0:
		return 0
	default:
		return min(calls, 1)
	}
}

func (w *worker) quietFor(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.quiet.Sub(now)
}

// ping asks an unwell connection whether it works again, with growing pauses. An admin who publishes the connection
// anew has reset its health in the store, which counts at once.
func (w *worker) ping(ctx context.Context, conn *connection, now time.Time) error {
	if w.storing.Load() > 0 || !w.shut() {
		return nil // what stands in the store is older than what we know
	}
	stored, err := w.g.store.Healths(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	for _, h := range stored {
		if h.Connection == w.name {
			w.health = h
		}
	}
	h := w.health
	w.mu.Unlock()
	if h.State != healthUnwell || now.Before(h.NextPing) {
		return nil
	}
	pingCtx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	err = conn.connector.Ping(pingCtx)
	w.mu.Lock()
	if err == nil {
		w.trial, w.faults = true, 0
		w.mu.Unlock()
		return nil
	}
	h = w.stillUnwell(conn, err, now)
	w.mu.Unlock()
	return w.keepHealth(ctx, h)
}

// stillUnwell notes one more try in vain. The caller holds mu.
func (w *worker) stillUnwell(conn *connection, err error, now time.Time) store.Health {
	w.health.Pings++
	w.health.NextPing = now.Add(max(conn.retry.ping(w.health.Pings), connectors.AsError(err).RetryAfter))
	w.health.Reason = err.Error()
	w.log.Warn("connection is still unwell", "error", err, "next_try", w.health.NextPing)
	return w.health
}

// well notes that the connection works again. The caller holds mu.
func (w *worker) well(now time.Time) store.Health {
	w.trial = false
	w.health = store.Health{Connection: w.name, State: healthWell, Since: now}
	w.log.Info("connection works again")
	return w.health
}

// acquit ends a trial in which nothing can be tried: nobody waits for what the connection may still refuse.
func (w *worker) acquit(ctx context.Context, now time.Time) error {
	w.mu.Lock()
	if !w.trial || w.open.Load() > 0 || w.sends.open > 0 {
		w.mu.Unlock()
		return nil
	}
	h := w.well(now)
	w.mu.Unlock()
	return w.keepHealth(ctx, h)
}

func (w *worker) keepHealth(ctx context.Context, h store.Health) error {
	return w.g.store.InTx(ctx, func(tx *store.Tx) error { return tx.SetHealth(ctx, h) })
}

// learn takes from one try what it says of the connection, and returns the health to store if that changed.
func (w *worker) learn(conn *connection, n next, err error, now time.Time) (store.Health, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.quiet = later(w.quiet, n.waitUntil)
	if countsAgainst(err) {
		w.faults++
	} else {
		w.faults = 0
	}
	switch {
	case w.trial && err != nil && connectors.AsError(err).Kind == connectors.Unwell:
		w.trial = false
		return w.stillUnwell(conn, err, now), true
	case w.trial:
		return w.well(now), true
	case (!n.unwell && w.faults < breakAfter) || w.health.State == healthUnwell:
		return store.Health{}, false
	}
	w.health = store.Health{Connection: w.name, State: healthUnwell, Reason: err.Error(), Since: now,
		NextPing: now.Add(max(conn.retry.ping(0), connectors.AsError(err).RetryAfter))}
	w.log.Error("connection is unwell; its deliveries wait until it works again", "error", err)
	return w.health, true
}
