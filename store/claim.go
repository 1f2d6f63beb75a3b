package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Finish is how an attempt at a delivery ended.
type Finish struct {
	State       string    // Delivered, Pending, Dead or Canceled
	Due         time.Time // when Pending
	InDoubt     bool      // the vendor may have acted without our knowing
	DoubtUntil  time.Time // when InDoubt
	Error       string
	UsedAttempt bool // false gives the attempt back: it was not this delivery's fault
	At          time.Time
	Attempt     Attempt // ID, DeliveryID and N are filled in
}

// Finished is a delivery as claimed and how its attempt ended.
type Finished struct {
	Delivery Delivery
	Finish   Finish
}

// Claim takes due heads of lanes but records for a sink, the longest due first and by id within a moment, for the
// connection the lease is named after. They are running, under the lease's epoch and until the time given. A lease that
// has passed to another holder claims nothing.
func (t *Tx) Claim(ctx context.Context, l Lease, now, until time.Time, limit int) ([]Delivery, error) {
	ds, err := all(ctx, t.Queries, (*Delivery).fields, `WITH due AS MATERIALIZED (
			SELECT id FROM deliveries WHERE connection = $1 AND ready = 1 AND state = 'pending' AND kind <> 'send' AND due <= $2
			ORDER BY due, id LIMIT $3`+t.engine.skipLocked+`
		)
		UPDATE deliveries SET state = 'running', attempts = attempts + 1, epoch = $4, claimed_until = $5, updated_at = $2
		WHERE id IN (SELECT id FROM due)
			AND EXISTS (SELECT 1 FROM leases WHERE name = $1 AND holder = $6 AND epoch = $4`+t.engine.forShare+`)
		RETURNING `+deliveryColumns,
		l.Name, millis(now), int64(limit), l.Epoch, millis(until), l.Holder)
	slices.SortFunc(ds, func(a, b Delivery) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
	})
	return ds, wrap("claim deliveries", err)
}

// Finish writes how an attempt ended and frees the lane where the delivery leaves it. ErrConflict when the delivery
// is no longer running under the epoch it was claimed with: somebody took it back, and nothing is written.
func (t *Tx) Finish(ctx context.Context, d Delivery, f Finish) error {
	fenced, err := t.FinishMany(ctx, []Finished{{d, f}})
	if err == nil && len(fenced) > 0 {
		err = fmt.Errorf("finish delivery: %w: it was taken back", ErrConflict)
	}
	return err
}

// FinishMany finishes deliveries that ended at about the same time, at the price of one. It answers the ids of those
// taken back meanwhile; nothing is written for them. It locks the cases of all, so it comes first in its transaction.
func (t *Tx) FinishMany(ctx context.Context, done []Finished) (fenced []string, err error) {
	var cases []string
	for _, f := range done {
		if f.Delivery.CaseID != "" {
			cases = append(cases, f.Delivery.CaseID)
		}
	}
	if err := t.lockCases(ctx, cases); err != nil {
		return nil, err
	}
	tickets, records := make([]Finished, 0, len(done)), []Finished(nil)
	for _, f := range done {
		if f.Delivery.Kind == sendKind {
			records = append(records, f)
		} else {
			tickets = append(tickets, f)
		}
	}
	for part := range slices.Chunk(tickets, batch) {
		kept, err := t.write(ctx, part, `state = 'running' AND epoch = f.column2`)
		if err != nil {
			return nil, wrap("finish deliveries", err)
		}
		if fenced, err = t.finished(ctx, part, kept, fenced); err != nil {
			return nil, err
		}
	}
	for part := range parts(records) {
		held, err := t.release(ctx, part)
		if err == nil && len(held) > 0 {
			held, err = t.write(ctx, of(held, part), `state = 'pending'`)
		}
		if err != nil {
			return nil, wrap("finish records", err)
		}
		if fenced, err = t.finished(ctx, part, held, fenced); err != nil {
			return nil, err
		}
	}
	return fenced, nil
}

// of are those with one of the ids.
func of(ids []string, done []Finished) []Finished {
	known := make(map[string]bool, len(ids))
	for _, id := range ids {
		known[id] = true
	}
	return slices.DeleteFunc(slices.Clone(done), func(f Finished) bool { return !known[f.Delivery.ID] })
}

// write writes how attempts ended, at deliveries that meet a condition, and answers the ids of these.
func (t *Tx) write(ctx context.Context, done []Finished, which string) ([]string, error) {
	args := make([]any, 0, len(done)*10)
	for _, f := range done {
		attempts := f.Delivery.Attempts
		if !f.Finish.UsedAttempt {
			attempts--
		}
		mayHaveActed := f.Finish.InDoubt || f.Finish.State == Delivered
		args = append(args, f.Delivery.ID, f.Delivery.Epoch, f.Finish.State, millis(f.Finish.Due), bit(f.Finish.InDoubt),
			bit(mayHaveActed), text(f.Finish.Error), attempts, millis(f.Finish.At), millis(f.Finish.DoubtUntil))
	}
	const number = "CAST(? AS BIGINT)"
	const words = "CAST(? AS TEXT)"
	return all(ctx, t.Queries, single[string], `UPDATE deliveries SET
			state = f.column3,
			ready = CASE WHEN f.column3 = 'pending' THEN 1 ELSE 0 END,
			due = CASE WHEN f.column3 = 'pending' THEN f.column4 ELSE due END,
			in_doubt = f.column5,
			may_sent = CASE WHEN f.column6 = 1 THEN 1 ELSE may_sent END,
			error = f.column7,
			attempts = f.column8,
			epoch = f.column2,
			updated_at = f.column9,
			doubt_until = f.column10
		FROM (VALUES `+tuples(len(done), words, number, words, number, number, number, words, number, number, number)+`) AS f
		WHERE id = f.column1 AND `+which+`
		RETURNING id`, args...)
}

// finished notes the attempts at the deliveries that were kept and frees the lanes of those that leave theirs. It answers
// the others behind those given.
func (t *Tx) finished(ctx context.Context, done []Finished, kept, fenced []string) ([]string, error) {
	var attempts []Attempt
	var left, stay []string
	for _, f := range done {
		if !slices.Contains(kept, f.Delivery.ID) {
			fenced = append(fenced, f.Delivery.ID)
			continue
		}
		a := f.Finish.Attempt
		a.DeliveryID, a.N = f.Delivery.ID, f.Delivery.Attempts
		attempts = append(attempts, a)
		switch {
		case f.Delivery.CaseID == "":
		case f.Finish.State == Pending:
			stay = append(stay, f.Delivery.ID)
		default:
			left = append(left, f.Delivery.ID)
		}
	}
	if err := t.addAttempts(ctx, attempts); err != nil {
		return nil, err
	}
	if err := t.stepBack(ctx, stay); err != nil {
		return nil, err
	}
	return fenced, t.free(ctx, left)
}

// TakeBack puts back to work what an earlier holder of the connection's lease left running. It may have acted, so
// these deliveries are in doubt, until lag after the end of their claim. They are due now, but records for a sink keep
// their place; a lost attempt is recorded for each.
func (t *Tx) TakeBack(ctx context.Context, connection string, epoch int64, now time.Time, lag time.Duration) ([]Delivery, error) {
	cases, err := all(ctx, t.Queries, single[string], `SELECT case_id FROM deliveries
			WHERE connection = $1 AND state = 'running' AND epoch < $2 AND case_id IS NOT NULL
		UNION SELECT d.case_id FROM sending AS s JOIN deliveries AS d ON d.id = s.record_id
			WHERE s.sink = $1 AND s.epoch < $2 AND d.case_id IS NOT NULL`, connection, epoch)
	if err == nil {
		err = t.lockCases(ctx, cases)
	}
	if err != nil {
		return nil, wrap("take deliveries back", err)
	}
	ds, err := all(ctx, t.Queries, (*Delivery).fields, `UPDATE deliveries SET state = 'pending', in_doubt = 1, may_sent = 1,
			due = $1, updated_at = $1, doubt_until = claimed_until + $2
		WHERE connection = $3 AND state = 'running' AND epoch < $4
		RETURNING `+deliveryColumns, millis(now), lag.Milliseconds(), connection, epoch)
	if err == nil {
		var records []Delivery
		records, err = t.takeBackSends(ctx, connection, epoch, now)
		ds = append(ds, records...)
	}
	if err != nil {
		return nil, wrap("take deliveries back", err)
	}
	slices.SortFunc(ds, func(a, b Delivery) int { return cmp.Compare(a.ID, b.ID) })
	var lost []Attempt
	var stay []string
	for _, d := range ds {
		if d.CaseID != "" {
			stay = append(stay, d.ID)
		}
		lost = append(lost, Attempt{DeliveryID: d.ID, N: d.Attempts, EndedAt: now, Outcome: AttemptLost,
			Error: "its holder ended before it wrote how this attempt went"})
	}
	if len(ds) > 0 {
		t.Wake(WakeDeliver(connection))
	}
	if err := t.stepBack(ctx, stay); err != nil {
		return nil, err
	}
	return ds, t.addAttempts(ctx, lost)
}

// Outcomes of an attempt.
const (
	AttemptDelivered = "delivered"
	AttemptTemporary = "temporary"
	AttemptThrottled = "throttled"
	AttemptPermanent = "permanent"
	AttemptUnwell    = "unwell" // the connection's fault, not the delivery's
	AttemptLost      = "lost"   // nobody knows
)

// Attempt is one try at a delivery.
type Attempt struct {
	ID         string
	DeliveryID string
	N          int // 1 is the first since the delivery was planned or replayed
	StartedAt  time.Time
	EndedAt    time.Time
	Outcome    string
	Status     int // of the vendor's HTTP answer, where there was one
	Error      string
	Detail     json.RawMessage
}

const attemptColumns = `id, delivery_id, n, started_at, ended_at, outcome, status, error, detail`

func (a *Attempt) fields() []any {
	return []any{&a.ID, &a.DeliveryID, &a.N, (*stamp)(&a.StartedAt), (*stamp)(&a.EndedAt), &a.Outcome, &a.Status, &a.Error,
		(*document)(&a.Detail)}
}

func (t *Tx) addAttempts(ctx context.Context, attempts []Attempt) error {
	for part := range parts(attempts) {
		args := make([]any, 0, len(part)*9)
		for _, a := range part {
			if a.ID == "" {
				a.ID = NewID()
			}
			args = append(args, a.ID, a.DeliveryID, a.N, millis(a.StartedAt), millis(a.EndedAt), a.Outcome, a.Status,
				text(a.Error), text(string(a.Detail)))
		}
		_, err := t.exec(ctx, `INSERT INTO attempts (`+attemptColumns+`) VALUES `+tuples(len(part), plain(9)...), args...)
		if err != nil {
			return wrap("record attempts", err)
		}
	}
	return nil
}

// AttemptsOf reads the attempts at a delivery in their order.
func (q Queries) AttemptsOf(ctx context.Context, deliveryID string) ([]Attempt, error) {
	as, err := all(ctx, q, (*Attempt).fields, `SELECT `+attemptColumns+` FROM attempts WHERE delivery_id = $1
		ORDER BY id`, deliveryID)
	return as, wrap("read attempts", err)
}
