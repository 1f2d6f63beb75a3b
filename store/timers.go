package store

import (
	"context"
	"time"
)

// Kinds of timers.
const (
	TimerRemind   = "remind"   // the ticket reminds its approvers
	TimerDeputy   = "deputy"   // the deputies may decide from now on
	TimerSecond   = "second"   // a second desk gets a ticket
	TimerDeadline = "deadline" // the policy's safe default
)

// Timer is what is to happen to a case at a time, unless it is decided before.
type Timer struct {
	ID     string
	CaseID string
	LinkID string
	Kind   string
	Due    time.Time
}

func (t *Timer) fields() []any {
	return []any{&t.ID, &t.CaseID, &t.LinkID, &t.Kind, (*stamp)(&t.Due)}
}

// AddTimer sets a timer; the same one twice is one.
func (t *Tx) AddTimer(ctx context.Context, timer Timer) error {
	if timer.ID == "" {
		timer.ID = NewID()
	}
	_, err := t.exec(ctx, `INSERT INTO timers (id, case_id, link_id, kind, due, state) VALUES ($1, $2, $3, $4, $5, 'waiting')
		ON CONFLICT DO NOTHING`, timer.ID, timer.CaseID, timer.LinkID, timer.Kind, millis(timer.Due))
	return wrap("set timer", err)
}

// DueTimers reads timers whose time has come, the earliest first.
func (q Queries) DueTimers(ctx context.Context, now time.Time, limit int) ([]Timer, error) {
	ts, err := all(ctx, q, (*Timer).fields, `SELECT id, case_id, link_id, kind, due FROM timers
		WHERE state = 'waiting' AND due <= $1 ORDER BY due, id LIMIT $2`, millis(now), int64(limit))
	return ts, wrap("read timers", err)
}

// TimersOf reads the timers of a case that still wait.
func (q Queries) TimersOf(ctx context.Context, caseID string) ([]Timer, error) {
	ts, err := all(ctx, q, (*Timer).fields, `SELECT id, case_id, link_id, kind, due FROM timers
		WHERE case_id = $1 AND state = 'waiting' ORDER BY due, id`, caseID)
	return ts, wrap("read timers of case", err)
}

// EndTimer takes a timer that waits: done when its time has come, dropped when it is not needed any more. ErrConflict
// when it does not wait.
func (t *Tx) EndTimer(ctx context.Context, id, state string) error {
	return wrap("end timer", t.change(ctx, ErrConflict, `UPDATE timers SET state = $1 WHERE id = $2 AND state = 'waiting'`, state, id))
}

// ClearTimers takes away what is still to happen to a link, so that other timers can be set. What has happened stays,
// but for the deadline: another one may come.
func (t *Tx) ClearTimers(ctx context.Context, linkID string) error {
	_, err := t.exec(ctx, `DELETE FROM timers WHERE link_id = $1 AND (state = 'waiting' OR kind = 'deadline')`, linkID)
	return wrap("clear timers", err)
}

// DropTimers ends the timers of a case that was decided.
func (t *Tx) DropTimers(ctx context.Context, caseID string) error {
	_, err := t.exec(ctx, `UPDATE timers SET state = 'dropped' WHERE case_id = $1 AND state = 'waiting'`, caseID)
	return wrap("drop timers", err)
}
