package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// send starts the next batch of records where a sink can be handed one now: when as many wait as it takes at once, or
// the first has waited as long as it may. It tells how long to sleep until there can be one.
func (w *worker) send(ctx context.Context, conn *connection, version int64) (pause time.Duration, err error) {
	if !connectors.Can(conn.connector, connectors.Send) {
		return w.g.poll, nil
	}
	now := w.g.now()
	w.mu.Lock()
	width, wait := w.sends.turn(conn, now)
	more := w.sends.more
	w.mu.Unlock()
	if width = w.allowed(width); width == 0 {
		if wait > 0 {
			return min(wait, w.g.poll), nil
		}
		return w.g.poll, nil // woken when the batch under way has ended
	}
	_, linger := connectors.Batch(conn.connector)
	if !more { // behind a full batch there mostly is another: counting it first would take as long as claiming it
		n, first, err := w.g.store.WaitingSends(ctx, w.name, now, width)
		if err != nil || first.IsZero() {
			return w.g.poll, err
		}
		if n == 0 || n < width && first.Add(linger).After(now) {
			return min(first.Add(linger).Sub(now), w.g.poll), nil
		}
	}
	claimed, err := w.take(ctx, conn, version, width, func(tx *store.Tx, ctx context.Context, l store.Lease, now, until time.Time, limit int) ([]store.Delivery, error) {
		return tx.ClaimSends(ctx, l, now, until, limit, linger)
	})
	if err != nil {
		return w.g.poll, err
	}
	w.mu.Lock()
	w.sends.more = len(claimed) == width
	if len(claimed) > 0 {
		w.sends.begin()
	}
	w.mu.Unlock()
	if len(claimed) == 0 {
		if more {
			return 0, nil // look again, for when there can be one
		}
		return w.g.poll, nil
	}
	w.calls.Go(func() { w.sendBatch(context.WithoutCancel(ctx), conn, claimed) })
	return w.g.poll, nil
}

// sendBatch makes one call for all and records what came of each. While that is recorded the next batch is sent, but
// not before what a sink that failed as a whole has not taken is back in its place.
func (w *worker) sendBatch(ctx context.Context, conn *connection, ds []store.Delivery) {
	results, whole := w.callSink(ctx, conn, ds)
	if whole == nil {
		w.nextBatch()
	}
	stored := w.g.results.addAll(ctx, results)
	w.storing.Add(-1)
	failed, fenced := 0, 0
	var err error
	for _, o := range stored {
		if o.err != nil {
			failed, err = failed+1, o.err
		} else if o.result != nil {
			fenced++
		}
	}
	if failed > 0 {
		// The claims run out and the records are taken back: they may reach the sink a second time.
		w.log.Error("record attempts", "records", failed, "error", err)
	}
	if fenced > 0 {
		w.log.Warn("results dropped: another worker has the records", "records", fenced)
	}
	w.g.step("deliver.recorded")
	if whole != nil {
		w.nextBatch()
	}
	w.batchRecorded()
}

// nextBatch gives the place of a batch that is not under way any more to the next one.
func (w *worker) nextBatch() {
	w.mu.Lock()
	w.sends.underWay = false
	w.mu.Unlock()
	w.wake()
}

// batchRecorded gives its place among those to be recorded to another.
func (w *worker) batchRecorded() {
	w.mu.Lock()
	w.sends.open--
	w.mu.Unlock()
	w.wake()
}

// callSink sends one batch. whole is the error of the sink where it answered for no record by itself.
func (w *worker) callSink(ctx context.Context, conn *connection, ds []store.Delivery) (results []result, whole error) {
	started := w.g.now()
	var records []connectors.Record
	results = make([]result, len(ds))
	for i, d := range ds {
		r := &results[i]
		*r = result{worker: w, delivery: d, started: started}
		if r.err = json.Unmarshal(d.Action, &r.action); r.err != nil {
			r.err = connectors.Permanently("read stored action: %w", r.err)
		} else if len(r.action.Records) != 1 {
			r.err = connectors.Permanently("the action lacks the record it is to send")
		} else {
			records = append(records, r.action.Records[0])
		}
	}
	w.g.step("deliver.before_call")
	answers, whole := w.trySink(ctx, conn, records)
	w.g.step("deliver.after_call")
	ended, jitter := w.g.now(), jitter()
	for i := range results {
		r := &results[i]
		r.ended = ended
		r.action.Records, r.delivery.Action = nil, nil // need not be kept until the result is stored
		switch {
		case r.err != nil: // it was not sent
			r.next = conn.retry.afterRecord(r.delivery, r.err, ended, jitter)
		case whole != nil:
			r.err = whole
			r.next = conn.retry.afterBatch(r.delivery, whole, len(records), ended, jitter)
		default:
			r.done.Results, r.err = answers[:1], answers[0].Err
			answers = answers[1:]
			r.next = conn.retry.afterRecord(r.delivery, r.err, ended, jitter)
		}
	}
	w.mu.Lock()
	w.sends.learn(conn.retry, whole, ended, jitter)
	w.sends.blame(conn.retry, results, len(records), ended)
	w.mu.Unlock()
	w.storing.Add(1)
	n, err := overall(results)
	if health, changed := w.learn(conn, n, err, ended); changed {
		results[0].health = &health
	}
	w.logBatch(results, whole, ended.Sub(started))
	return results, whole
}

// trySink is the call itself.
func (w *worker) trySink(ctx context.Context, conn *connection, records []connectors.Record) (answers []connectors.Result, err error) {
	if len(records) == 0 {
		return nil, nil
	}
	defer func() {
		if r := recover(); r != nil {
			w.log.Error("connector panicked", "records", len(records), "panic", r, "stack", string(debug.Stack()))
			kind := connectors.Permanent
			if len(records) > 1 { // it may be due to one of them
				kind = connectors.Temporary
			}
			err = &connectors.Error{Kind: kind, Sent: true, Err: errors.New("the connector failed inside; see the log")}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	return connectors.SendAll(ctx, conn.connector, records)
}

// overall is what a batch says of its connection: that it works where any record was taken, unless the sink wants
// quiet or is unwell; else what the last record met.
func overall(results []result) (n next, err error) {
	taken := false
	for _, r := range results {
		taken = taken || r.err == nil
		if r.next.unwell && !n.unwell {
			err = r.err
		}
		n.unwell = n.unwell || r.next.unwell
		n.waitUntil = later(n.waitUntil, r.next.waitUntil)
		if !n.unwell {
			err = r.err
		}
	}
	if taken && !n.unwell {
		err = nil
	}
	return n, err
}

func (w *worker) logBatch(results []result, whole error, took time.Duration) {
	log := w.log.With("records", len(results), "ms", took.Milliseconds())
	if whole != nil {
		log.Warn("records were not sent", "error", whole, "state", results[0].next.state)
		return
	}
	taken := 0
	for _, r := range results {
		if r.err == nil {
			taken++
			continue
		}
		w.logAttempt(r.delivery, r.next, r.err, took)
	}
	log.Info("records sent", "taken", taken)
}
