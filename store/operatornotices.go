package store

import (
	"context"
	"errors"
	"time"
)

// Notice is something an admin should look at. While it is open, the same kind and subject are the same notice.
type Notice struct {
	ID       string
	Kind     string
	Subject  string
	Text     string
	First    time.Time
	Last     time.Time
	Count    int64
	ClosedAt time.Time // zero: open
	ClosedBy string    // empty: what it told of ended by itself
}

const noticeColumns = `id, kind, subject, text, first_at, last_at, count, closed_at, closed_by`

func (n *Notice) fields() []any {
	return []any{&n.ID, &n.Kind, &n.Subject, &n.Text, (*stamp)(&n.First), (*stamp)(&n.Last), &n.Count, (*stamp)(&n.ClosedAt), &n.ClosedBy}
}

// RaiseNotice opens a notice, or counts it again when it is open. fresh tells that it was opened.
func (t *Tx) RaiseNotice(ctx context.Context, kind, subject, words string, at time.Time) (n Notice, fresh bool, err error) {
	n, err = one(ctx, t.Queries, (*Notice).fields, `INSERT INTO operator_notices (`+noticeColumns+`)
		VALUES ($1, $2, $3, $4, $5, $5, 1, 0, '')
		ON CONFLICT (kind, subject) WHERE closed_at = 0 DO UPDATE SET text = excluded.text, last_at = excluded.last_at,
			count = operator_notices.count + 1
		RETURNING `+noticeColumns, NewID(), text(kind), text(subject), text(words), millis(at))
	return n, n.Count == 1, wrap("raise notice", err)
}

// EndNotice closes the open notice of a kind and subject, and tells whether there was one.
func (t *Tx) EndNotice(ctx context.Context, kind, subject string, at time.Time) (bool, error) {
	n, err := t.exec(ctx, `UPDATE operator_notices SET closed_at = $1 WHERE kind = $2 AND subject = $3 AND closed_at = 0`,
		millis(at), text(kind), text(subject))
	return n > 0, wrap("end notice", err)
}

// CloseNotice closes a notice on somebody's word and answers what it was. ErrConflict when it is closed already.
func (t *Tx) CloseNotice(ctx context.Context, id, by string, at time.Time) (Notice, error) {
	n, err := one(ctx, t.Queries, (*Notice).fields, `UPDATE operator_notices SET closed_at = $1, closed_by = $2
		WHERE id = $3 AND closed_at = 0 RETURNING `+noticeColumns, millis(at), text(by), id)
	if !errors.Is(err, ErrNotFound) {
		return n, wrap("close notice", err)
	}
	if _, err := one(ctx, t.Queries, single[string], `SELECT id FROM operator_notices WHERE id = $1`, id); err != nil {
		return n, wrap("close notice", err)
	}
	return n, wrap("close notice", ErrConflict)
}

// Notices reads notices, the latest first: those that are open, or all.
func (q Queries) Notices(ctx context.Context, closedToo bool, limit int) ([]Notice, error) {
	var w where
	if !closedToo {
		w.terms = append(w.terms, `closed_at = 0`)
	}
	query, args := w.query(`SELECT `+noticeColumns+` FROM operator_notices`, `ORDER BY last_at DESC, id DESC`, limit)
	ns, err := all(ctx, q, (*Notice).fields, query, args...)
	return ns, wrap("read notices", err)
}
