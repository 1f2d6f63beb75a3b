package store

import (
	"context"
	"slices"
	"time"
)

// A lane is a sequence of a case's live deliveries that are carried out one after the other, by seq. In the way of
// those behind it is whatever is pending or running, and what is dead and holds. The first of these is the head; it
// is ready when it is pending and running when it is claimed, and the schema allows one such row a lane.
//
// Who appends to a lane, frees it or puts a dead row back locks the case first. So nobody appends behind a row that
// is just being finished and takes it for still in the way.

// inTheWay is the condition of a row that those behind it wait for. The first term repeats the condition of the index.
const inTheWay = `n.state IN ('pending', 'running', 'dead') AND (n.state <> 'dead' OR n.holds = 1) AND n.mode = 'live'`

// occupied tells whether a row appended to the lane has to wait.
func (t *Tx) occupied(ctx context.Context, caseID, lane string) (bool, error) {
	n, err := one(ctx, t.Queries, single[int64], `SELECT COUNT(*) FROM (
			SELECT 1 FROM deliveries AS n WHERE n.case_id = $1 AND n.lane = $2 AND `+inTheWay+` LIMIT 1
		) AS waiting`, caseID, lane)
	return n > 0, err
}

// lockCases bars others from changing the lanes of these cases.
func (t *Tx) lockCases(ctx context.Context, ids []string) error {
	if t.engine.forUpdate == "" {
		return nil
	}
	slices.Sort(ids)
	for part := range parts(slices.Compact(ids)) {
		_, err := t.exec(ctx, `SELECT id FROM cases WHERE id IN `+list(1, len(part))+` ORDER BY id`+t.engine.forUpdate,
			anys(part)...)
		if err != nil {
			return wrap("lock cases", err)
		}
	}
	return nil
}

// free makes the head ready in the lanes of these rows, where it is pending and nothing is ready or running, and wakes
// its connection. The head of a lane need not be what is running: a replayed row may have come before it meanwhile.
//
// Heads are read before they are written, since an UPDATE over a subquery of theirs makes PostgreSQL go through all that
// is pending.
func (t *Tx) free(ctx context.Context, ids []string) error {
	for part := range parts(ids) {
		heads, err := all(ctx, t.Queries, single[string], `SELECT COALESCE((
				SELECT n.id FROM deliveries AS n WHERE n.case_id = f.case_id AND n.lane = f.lane AND `+inTheWay+`
				ORDER BY n.seq LIMIT 1
			), '') FROM deliveries AS f WHERE f.id IN `+list(1, len(part))+` AND f.mode = 'live'`, anys(part)...)
		if err != nil {
			return wrap("read heads of lanes", err)
		}
		heads = slices.DeleteFunc(heads, func(id string) bool { return id == "" })
		if len(heads) == 0 {
			continue
		}
		connections, err := all(ctx, t.Queries, single[string], `UPDATE deliveries SET ready = 1
			WHERE id IN `+list(1, len(heads))+` AND ready = 0 AND state = 'pending'
				AND NOT EXISTS (SELECT 1 FROM deliveries AS r
					WHERE r.case_id = deliveries.case_id AND r.lane = deliveries.lane AND r.ready = 1)
			RETURNING connection`, anys(heads)...)
		if err != nil {
			return wrap("free lanes", err)
		}
		for _, c := range connections {
			t.Wake(WakeDeliver(c))
		}
	}
	return nil
}

// stepBack lets rows that are to be tried again go behind those of their lanes that come before them: a dead one, which
// they had passed, may have been replayed while they ran. Their cases are locked.
func (t *Tx) stepBack(ctx context.Context, ids []string) error {
	for part := range parts(ids) {
		back, err := all(ctx, t.Queries, single[string], `UPDATE deliveries SET ready = 0
			WHERE id IN `+list(1, len(part))+` AND ready = 1 AND state = 'pending' AND EXISTS (SELECT 1 FROM deliveries AS n
				WHERE n.case_id = deliveries.case_id AND n.lane = deliveries.lane AND n.seq < deliveries.seq AND `+inTheWay+`)
			RETURNING id`, anys(part)...)
		if err != nil {
			return wrap("step back in lanes", err)
		}
		if err := t.free(ctx, back); err != nil {
			return err
		}
	}
	return nil
}

// Undoubt forgets that the last attempt may have acted: somebody has looked.
func (t *Tx) Undoubt(ctx context.Context, id string) error {
	return wrap("end doubt of delivery", t.change(ctx, ErrNotFound, `UPDATE deliveries SET in_doubt = 0 WHERE id = $1`, id))
}

// Replay puts a dead delivery back to work, due now, in its place in the lane; ErrConflict when it is not dead.
// Attempts made before count no more.
func (t *Tx) Replay(ctx context.Context, id string, now time.Time) error {
	d, err := t.lockLane(ctx, id)
	if err != nil {
		return wrap("replay delivery", err)
	}
	err = t.change(ctx, ErrConflict, `UPDATE deliveries SET state = 'pending', due = $1, attempts = 0, updated_at = $1
		WHERE id = $2 AND state = 'dead'`, millis(now), id)
	if err != nil {
		return wrap("replay delivery", err)
	}
	if d.Mode != Live {
		return nil
	}
	if d.CaseID == "" {
		t.Wake(WakeDeliver(d.Connection))
		return wrap("replay delivery", t.change(ctx, ErrConflict, `UPDATE deliveries SET ready = 1 WHERE id = $1`, id))
	}
	// A row behind it may be ready by now, since a dead row that holds nothing was passed. It steps back, unless it is
	// running: then this one is next.
	_, err = t.exec(ctx, `UPDATE deliveries SET ready = 0 WHERE case_id = $1 AND lane = $2 AND ready = 1
		AND state = 'pending' AND `+notSending+` AND seq > $3`, d.CaseID, d.Lane, d.Seq)
	if err != nil {
		return wrap("replay delivery", err)
	}
	return wrap("replay delivery", t.free(ctx, []string{id}))
}

// Cancel takes a pending or dead delivery out of its lane for good; ErrConflict in any other state.
func (t *Tx) Cancel(ctx context.Context, id string, now time.Time) error {
	if _, err := t.lockLane(ctx, id); err != nil {
		return wrap("cancel delivery", err)
	}
	err := t.change(ctx, ErrConflict, `UPDATE deliveries SET state = 'canceled', ready = 0, updated_at = $1
		WHERE id = $2 AND `+atRest, millis(now), id)
	if err != nil {
		return wrap("cancel delivery", err)
	}
	return wrap("cancel delivery", t.free(ctx, []string{id}))
}

// lockLane reads a delivery with its case locked, and what of its lane may be claimed.
func (t *Tx) lockLane(ctx context.Context, id string) (Delivery, error) {
	d, err := t.Delivery(ctx, id)
	if err != nil {
		return d, err
	}
	if d.CaseID != "" {
		if err := t.lockCases(ctx, []string{d.CaseID}); err != nil {
			return d, err
		}
	}
	return d, t.lockSends(ctx, d)
}
