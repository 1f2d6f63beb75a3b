package store

import (
	"context"
	"slices"
	"time"
)

// Records that go to a sink are claimed many at a time. A record under way stays as it is among the deliveries and has a
// row in sending, which says under which lease it was claimed: who takes that row away, and nobody else, writes what became
// of it. Read, such a record is running like any other delivery.
//
// A claim locks the records themselves, so that none is canceled or rendered anew meanwhile. Who does that locks them
// too, by a statement of its own: what is asked afterwards sees the claim.

// sendKind are records that go to a sink.
const sendKind = "send"

// notSending is the condition of a delivery that is not under way as a record.
const notSending = `NOT EXISTS (SELECT 1 FROM sending WHERE record_id = deliveries.id)`

// atRest is the condition of a delivery that somebody may change: it waits or was given up on, and is not under way.
const atRest = `state IN ('pending', 'dead') AND ` + notSending

// waitingSends are the records for a sink that can be claimed at some time, as an index has them.
const waitingSends = `connection = $1 AND ready = 1 AND state = 'pending' AND kind = 'send' AND ` + notSending

// ClaimSends does what Claim does, for records that go to a sink. Fewer than the limit it takes only where the first has
// been due for as long as linger.
func (t *Tx) ClaimSends(ctx context.Context, l Lease, now, until time.Time, limit int, linger time.Duration) ([]Delivery, error) {
	ds, err := all(ctx, t.Queries, (*Delivery).fields, `SELECT `+storedColumns+` FROM deliveries
		WHERE `+waitingSends+` AND due <= $2
			AND EXISTS (SELECT 1 FROM leases WHERE name = $1 AND holder = $3 AND epoch = $4`+t.engine.forShare+`)
		ORDER BY due, id LIMIT $5`+t.engine.skipLocked,
		l.Name, millis(now), l.Holder, l.Epoch, int64(limit))
	if err != nil {
		return nil, wrap("claim records", err)
	}
	if len(ds) == 0 || len(ds) < limit && ds[0].Due.Add(linger).After(now) {
		return nil, nil
	}
	for part := range parts(ds) {
		args := make([]any, 0, len(part)*3)
		for i := range part {
			d := &part[i]
			d.State, d.Attempts, d.Epoch, d.ClaimedUntil = Running, d.Attempts+1, l.Epoch, until
			args = append(args, d.ID, l.Name, l.Epoch)
		}
		_, err := t.exec(ctx, `INSERT INTO sending (record_id, sink, epoch) VALUES `+
			tuples(len(part), plain(3)...), args...)
		if err != nil {
			return nil, wrap("claim records", err)
		}
	}
	return ds, nil
}

// release takes away the claims these records were sent under, and answers the ids of those that still had them.
func (t *Tx) release(ctx context.Context, sent []Finished) (held []string, err error) {
	if len(sent) == 0 {
		return nil, nil
	}
	args := make([]any, 0, len(sent)*2)
	for _, f := range sent {
		args = append(args, f.Delivery.ID, f.Delivery.Epoch)
	}
	return all(ctx, t.Queries, single[string], `DELETE FROM sending WHERE (record_id, epoch) IN (VALUES `+
		tuples(len(sent), "CAST(? AS TEXT)", "CAST(? AS BIGINT)")+`) RETURNING record_id`, args...)
}

// takeBackSends puts records back in their place that a former holder of the sink's lease had under way.
func (t *Tx) takeBackSends(ctx context.Context, sink string, epoch int64, now time.Time) ([]Delivery, error) {
	ids, err := all(ctx, t.Queries, single[string], `DELETE FROM sending WHERE sink = $1 AND epoch < $2
		RETURNING record_id`, sink, epoch)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	var back []Delivery
	for part := range parts(ids) {
		ds, err := all(ctx, t.Queries, (*Delivery).fields, `UPDATE deliveries SET in_doubt = 1, may_sent = 1,
				attempts = attempts + 1, updated_at = $1
			WHERE id IN `+list(2, len(part))+` AND state = 'pending' RETURNING `+deliveryColumns, append([]any{millis(now)}, anys(part)...)...)
		if err != nil {
			return nil, err
		}
		back = append(back, ds...)
	}
	return back, nil
}

// lockSends bars a record, and what is under way in its lane, from being claimed until the transaction ends.
func (t *Tx) lockSends(ctx context.Context, d Delivery) error {
	if d.Kind != sendKind || t.engine.forUpdate == "" {
		return nil
	}
	_, err := t.exec(ctx, `SELECT id FROM deliveries WHERE id = $1 OR (case_id = $2 AND lane = $3 AND ready = 1)
		ORDER BY id`+t.engine.forUpdate, d.ID, nullable(d.CaseID), d.Lane)
	return wrap("lock records", err)
}

// WaitingSends counts the records that can be claimed for a sink, up to limit, and tells since when the first could be,
// or will be able to.
func (q Queries) WaitingSends(ctx context.Context, connection string, now time.Time, limit int) (n int, first time.Time, err error) {
	type waiting struct {
		n     int64
		first stamp
	}
	w, err := one(ctx, q, func(w *waiting) []any { return []any{&w.n, &w.first} }, `SELECT
			COUNT(CASE WHEN due <= $2 THEN 1 END), COALESCE(MIN(due), 0) FROM (
				SELECT due FROM deliveries WHERE `+waitingSends+` ORDER BY due, id LIMIT $3
			) AS next`, connection, millis(now), int64(limit))
	return int(w.n), time.Time(w.first), wrap("count waiting records", err)
}
