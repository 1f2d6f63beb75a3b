package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Change is a ticket that is said to have moved and is still to be read again. A ticket has one, however often it is
// told of.
type Change struct {
	Connection string
	RefID      string
	RefKey     string
	Due        time.Time
	Tries      int   // how often reading it was put off
	Told       int64 // tells the last claim from all others, also from those of a change that was done with before
}

func (c *Change) fields() []any {
	return []any{&c.Connection, &c.RefID, &c.RefKey, (*stamp)(&c.Due), &c.Tries, &c.Told}
}

// AddChange notes that a ticket is said to have moved. One that waits already is due at the earlier time.
func (t *Tx) AddChange(ctx context.Context, c Change) error {
	_, err := t.exec(ctx, `INSERT INTO changes (connection, ref_id, ref_key, due, tries, told) VALUES ($1, $2, $3, $4, 0, $5)`+onTold,
		c.Connection, text(c.RefID), text(c.RefKey), millis(c.Due), told())
	return wrap("note change", err)
}

// onTold is what a claim does to a change that waits already.
const onTold = ` ON CONFLICT (connection, ref_id) DO UPDATE SET told = excluded.told, tries = 0,
	due = CASE WHEN excluded.due < changes.due THEN excluded.due ELSE changes.due END`

// told is drawn at random: counting would begin anew with each change, and a reading that was overtaken take a later
// claim for its own.
func told() int64 { return rand.Int64() }

// DueChanges reads the tickets of a connection to be read again, those due longest first.
func (q Queries) DueChanges(ctx context.Context, connection string, now time.Time, limit int) ([]Change, error) {
	cs, err := all(ctx, q, (*Change).fields, `SELECT connection, ref_id, ref_key, due, tries, told FROM changes
		WHERE connection = $1 AND due <= $2 ORDER BY due LIMIT $3`, connection, millis(now), int64(limit))
	return cs, wrap("read changes", err)
}

// ChangeOf reads the change of a ticket that is still to be read again.
func (q Queries) ChangeOf(ctx context.Context, connection, refID string) (Change, error) {
	c, err := one(ctx, q, (*Change).fields, `SELECT connection, ref_id, ref_key, due, tries, told FROM changes
		WHERE connection = $1 AND ref_id = $2`, connection, text(refID))
	return c, wrap("read change", err)
}

// DoneChange forgets a change that was acted on, unless the ticket was told of again since it was read.
func (t *Tx) DoneChange(ctx context.Context, c Change) error {
	_, err := t.exec(ctx, `DELETE FROM changes WHERE connection = $1 AND ref_id = $2 AND told = $3`, c.Connection,
		text(c.RefID), c.Told)
	return wrap("finish change", err)
}

// PostponeChange puts the reading of a ticket off, unless it was told of again.
func (t *Tx) PostponeChange(ctx context.Context, c Change, due time.Time) error {
	_, err := t.exec(ctx, `UPDATE changes SET due = $1, tries = tries + 1 WHERE connection = $2 AND ref_id = $3 AND told = $4`,
		millis(due), c.Connection, text(c.RefID), c.Told)
	return wrap("put change off", err)
}

// SeeChange remembers the id of a notice; false when it was seen before.
func (t *Tx) SeeChange(ctx context.Context, connection, id string, at time.Time) (bool, error) {
	n, err := t.exec(ctx, `INSERT INTO notices (connection, id, seen_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		connection, text(id), millis(at))
	return n > 0, wrap("remember change", err)
}

// Cursor reads how far a connection has been watched; empty when it never was.
func (q Queries) Cursor(ctx context.Context, connection, name string) (string, error) {
	v, err := one(ctx, q, single[string], `SELECT value FROM cursors WHERE connection = $1 AND name = $2`, connection, name)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return v, wrap("read cursor", err)
}

// SetCursor writes how far a connection has been watched.
func (t *Tx) SetCursor(ctx context.Context, connection, name, value string) error {
	_, err := t.exec(ctx, `INSERT INTO cursors (connection, name, value) VALUES ($1, $2, $3)
		ON CONFLICT (connection, name) DO UPDATE SET value = excluded.value`, connection, name, text(value))
	return wrap("write cursor", err)
}
