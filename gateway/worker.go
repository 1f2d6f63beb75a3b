package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
)

const (
	leaseTTL    = 15 * time.Second
	breakAfter  = 5 // consecutive faults of a vendor after which the connection is paused
	longestPing = 5 * time.Minute
)

// worker does everything one connection owes while this replica holds its lease: deliver, re-read, watch. Rate,
// concurrency and faults are therefore local.
type worker struct {
	g    *Gateway
	name string
	log  *slog.Logger

	lease   store.Lease
	renewAt time.Time
	calls   sync.WaitGroup
	leasing sync.Mutex   // guards lease and renewAt; held while the lease is renewed
	running atomic.Int32 // calls
	open    atomic.Int32 // the same, and those still to be recorded
	storing atomic.Int32 // tries whose word on the connection's health may still be on its way to the store
	freed   chan struct{}

	mu     sync.Mutex // guards what follows; calls end concurrently
	faults int        // consecutive
	quiet  time.Time  // the vendor asked for quiet until then
	health store.Health
	trial  bool // it is unwell, and one delivery shows whether it still is
	sends  sending

	nextSubscribe time.Time
	subscribed    *connection // that nextSubscribe is of
	unsubscribed  bool        // it failed last time

	nextWatch time.Time
	lastPoll  time.Time
}

func newWorker(g *Gateway, name string) *worker {
	return &worker{g: g, name: name, log: g.log.With("connection", name), freed: make(chan struct{}, 1)}
}

// run works until ctx ends or the connection is gone. Calls under way are finished; what they claimed is recorded. The
// lease is kept alive beside the work, however long a slow vendor makes it take.
func (w *worker) run(ctx context.Context) {
	alive, stop := context.WithCancel(context.WithoutCancel(ctx))
	var heart sync.WaitGroup
	heart.Go(func() { w.beat(alive) })
	defer func() {
		w.calls.Wait()
		stop()
		heart.Wait()
		w.release()
	}()
	for ctx.Err() == nil {
		woken := w.g.store.Wait(wakeConnection(w.name))
		c := w.g.catalogue()
		conn := c.connections[w.name]
		if conn == nil {
			return
		}
		pause := w.g.poll
		held, err := false, error(nil)
		if conn.fault == nil { // a faulty one knows nothing of its desk, not even how long its search lags
			held, err = w.hold(ctx, conn)
		}
		switch {
		case err != nil:
			w.fail(ctx, "hold lease", err)
		case held && conn.doc.State == stateActive:
			var busy bool
			busy, pause, err = w.round(ctx, conn, c.version)
			if errors.Is(err, errOutdated) {
				if err = w.g.reload(ctx); err == nil {
					continue
				}
			}
			if err != nil {
				w.fail(ctx, "work connection", err)
			} else if busy {
				continue
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-woken:
		case <-w.freed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// beat renews the lease while it is held.
func (w *worker) beat(ctx context.Context) {
	tick := time.NewTicker(leaseTTL / 5)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if w.holding().Epoch == 0 {
			continue
		}
		if conn := w.g.catalogue().connections[w.name]; conn != nil && conn.fault == nil {
			if _, err := w.hold(ctx, conn); err != nil {
				w.fail(ctx, "renew lease", err)
			}
		}
	}
}

func (w *worker) fail(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.log.Error(what, "error", err)
	}
}

// hold takes or renews the lease. On a lease that is new to us it first takes back what its last holder left running.
func (w *worker) hold(ctx context.Context, conn *connection) (bool, error) {
	w.leasing.Lock()
	defer w.leasing.Unlock()
	now := time.Now() // a lease lives by the database's clock, which no test sets forward
	if w.lease.Epoch != 0 && now.Before(w.renewAt) {
		return true, nil
	}
	lease, ok, err := w.g.acquire(ctx, w.name)
	if err != nil {
		return false, err
	}
	if !ok {
		w.lease = store.Lease{}
		return false, nil
	}
	if lease.Epoch != w.lease.Epoch {
		if err := w.takeOver(ctx, conn, lease); err != nil {
			w.giveBack(lease)
			w.lease = store.Lease{}
			return false, err
		}
	}
	w.lease, w.renewAt = lease, now.Add(leaseTTL/3)
	return true, nil
}

// holding is the lease as last renewed; its epoch is 0 while another replica has it.
func (w *worker) holding() store.Lease {
	w.leasing.Lock()
	defer w.leasing.Unlock()
	return w.lease
}

// acquire takes or renews a lease. It is not interrupted half-way: a lease taken without our knowing would not be given
// back.
func (g *Gateway) acquire(ctx context.Context, name string) (store.Lease, bool, error) {
	if ctx.Err() != nil {
		return store.Lease{}, false, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return g.store.Acquire(ctx, name, g.holder, leaseTTL)
}

// takeOver puts back what a former holder was doing. A create it may have sent is in doubt until its claim has ended
// and the desk's search has had time to show it.
func (w *worker) takeOver(ctx context.Context, conn *connection, lease store.Lease) error {
	now := w.g.now()
	health := store.Health{Connection: w.name, State: healthWell, Since: now}
	err := w.g.store.InTx(ctx, func(tx *store.Tx) error {
		back, err := tx.TakeBack(ctx, w.name, lease.Epoch, now, conn.retry.IndexLag)
		if err != nil {
			return err
		}
		for _, d := range back {
			w.log.Warn("delivery taken back from a worker that ended", "delivery", d.ID, "action", d.Kind, "in_doubt", d.InDoubt)
			if err := tx.Record(ctx, store.Entry{At: now, CaseID: d.CaseID, Kind: "delivery.taken_back", Subject: w.name,
				Content: map[string]any{"delivery": d.ID, "action": d.Kind, "in_doubt": d.InDoubt}}); err != nil {
				return err
			}
		}
		all, err := tx.Healths(ctx)
		if err != nil {
			return err
		}
		for _, h := range all {
			if h.Connection == w.name {
				health = h
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("take back deliveries: %w", err)
	}
	w.mu.Lock()
	w.health, w.trial = health, false
	w.mu.Unlock()
	return nil
}

func (w *worker) release() {
	if lease := w.holding(); lease.Epoch != 0 {
		w.giveBack(lease)
	}
}

func (w *worker) giveBack(lease store.Lease) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := w.g.store.Release(ctx, lease); err != nil {
		w.log.Error("release lease", "error", err)
	}
}

// round does what can be done now. busy asks for another round at once; pause is how long to sleep otherwise.
func (w *worker) round(ctx context.Context, conn *connection, version int64) (busy bool, pause time.Duration, err error) {
	now := w.g.now()
	if w.unwell() {
		if err := w.ping(ctx, conn, now); err != nil {
			return false, w.g.poll, err
		}
		if w.shut() {
			return false, w.g.poll, nil
		}
	}
	if wait := w.quietFor(now); wait > 0 {
		return false, min(wait, w.g.poll), nil
	}
	reread, err := w.changes(ctx, conn)
	if err != nil {
		return false, w.g.poll, err
	}
	if err := w.watch(ctx, conn, now); err != nil {
		return false, w.g.poll, err
	}
	if err := w.poll(ctx, conn, now); err != nil {
		return false, w.g.poll, err
	}
	if err := w.subscribe(ctx, conn, now); err != nil {
		return false, w.g.poll, err
	}
	next, err := w.send(ctx, conn, version)
	if err != nil {
		return false, w.g.poll, err
	}
	claimed, err := w.claim(ctx, conn, version)
	if err != nil {
		return false, w.g.poll, err
	}
	if claimed > 0 || reread > 0 {
		return w.free(conn) > 0, w.g.poll, nil
	}
	if err := w.acquit(ctx, now); err != nil {
		return false, w.g.poll, err
	}
	due, waiting, err := w.g.store.NextDue(ctx, w.name)
	if err != nil {
		return false, w.g.poll, err
	}
	pause = w.g.poll
	if waiting && w.free(conn) > 0 {
		pause = min(due.Sub(w.g.now()), pause)
	}
	return false, max(min(pause, next), time.Millisecond), nil
}

// unrecorded is how many times as many deliveries as may be called at once may be under way, calls that have ended and
// are still to be recorded included: what the end of the process leaves in doubt stays bounded.
const unrecorded = 3

func (w *worker) free(conn *connection) int {
	places := conn.doc.Delivery.Concurrency
	return w.allowed(min(places-int(w.running.Load()), unrecorded*places-int(w.open.Load())))
}

// claim takes as many lane heads as there are free places and starts them.
func (w *worker) claim(ctx context.Context, conn *connection, version int64) (int, error) {
	free := w.free(conn)
	if free <= 0 {
		return 0, nil
	}
	claimed, err := w.take(ctx, conn, version, free, (*store.Tx).Claim)
	if err != nil {
		return 0, err
	}
	for _, d := range claimed {
		w.running.Add(1)
		w.open.Add(1)
		w.calls.Go(func() {
			w.deliver(context.WithoutCancel(ctx), conn, d)
			if left := w.open.Add(-1); int(left) >= (unrecorded-1)*conn.doc.Delivery.Concurrency {
				w.wake() // what was to be recorded kept places empty
			}
		})
	}
	return len(claimed), nil
}

// take claims up to limit deliveries in the way given.
func (w *worker) take(ctx context.Context, conn *connection, version int64, limit int,
	claim func(tx *store.Tx, ctx context.Context, l store.Lease, now, until time.Time, limit int) ([]store.Delivery, error)) (claimed []store.Delivery, err error) {
	now := w.g.now()
	lease := w.holding() // not inside: who renews it waits for the database with the lease locked
	err = w.g.store.InTx(ctx, func(tx *store.Tx) (err error) {
		claimed, err = claim(tx, ctx, lease, now, now.Add(conn.claimTTL()), limit)
		if err != nil || len(claimed) == 0 {
			return err
		}
		// What was owed after the connection was published anew goes out by the new settings.
		if published, err := tx.CatalogueVersion(ctx); err != nil {
			return err
		} else if published != version {
			return errOutdated
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	return claimed, nil
}

// leave gives the place of a call that has ended to the next one.
func (w *worker) leave() {
	w.running.Add(-1)
	w.wake()
}

func (w *worker) wake() {
	select {
	case w.freed <- struct{}{}:
	default:
	}
}

// claimTTL is longer than any delivery may take: a create's fate is settled before its claim ends.
func (c *connection) claimTTL() time.Duration { return 2 * c.doc.Delivery.Timeout }
