package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// States of a body in quarantine.
const (
	QuarantineWaiting   = "waiting"
	QuarantineReplayed  = "replayed"
	QuarantineDiscarded = "discarded"
)

// Quarantined is a body that came from who it should, but was not understood.
type Quarantined struct {
	ID          string
	Connection  string
	Reason      string
	Body        []byte
	ContentType string
	ReceivedAt  time.Time
	State       string
	EventID     string // what it became when replayed
}

const quarantineColumns = `id, connection, reason, body, content_type, received_at, state, event_id`

func (q *Quarantined) fields() []any {
	return []any{&q.ID, &q.Connection, &q.Reason, &q.Body, &q.ContentType, (*stamp)(&q.ReceivedAt), &q.State, &q.EventID}
}

func (q *Quarantined) entry() Entry {
	digest := sha256.Sum256(q.Body)
	return Entry{At: q.ReceivedAt, Kind: "event.quarantined", Subject: q.ID, Content: map[string]any{
		"connection": q.Connection, "reason": q.Reason, "body_sha256": hex.EncodeToString(digest[:]),
	}}
}

func (t *Tx) quarantine(ctx context.Context, q Quarantined) (Quarantined, error) {
	if q.ID == "" {
		q.ID = NewID()
	}
	q.State = QuarantineWaiting
	_, err := t.exec(ctx, `INSERT INTO quarantine (`+quarantineColumns+`) VALUES `+tuples(1, plain(8)...),
		q.ID, text(q.Connection), text(q.Reason), bytesOf(q.Body), text(q.ContentType), millis(q.ReceivedAt), q.State, q.EventID)
	return q, wrap("keep body in quarantine", err)
}

// SettleQuarantine says what became of a body. ErrConflict when it is no longer waiting.
func (t *Tx) SettleQuarantine(ctx context.Context, id, state, eventID string) error {
	err := t.change(ctx, ErrConflict, `UPDATE quarantine SET state = $1, event_id = $2 WHERE id = $3 AND state = 'waiting'`,
		state, eventID, id)
	return wrap("settle quarantine", err)
}

// Quarantine reads one body.
func (q Queries) Quarantine(ctx context.Context, id string) (Quarantined, error) {
	v, err := one(ctx, q, (*Quarantined).fields, `SELECT `+quarantineColumns+` FROM quarantine WHERE id = $1`, id)
	return v, wrap("read quarantine", err)
}

// Quarantines reads what is kept, the newest first; of one connection, or of all when it is empty.
func (q Queries) Quarantines(ctx context.Context, connection string, limit int) ([]Quarantined, error) {
	var w where
	w.equal("connection", connection)
	query, args := w.query(`SELECT `+quarantineColumns+` FROM quarantine`, `ORDER BY id DESC`, limit)
	vs, err := all(ctx, q, (*Quarantined).fields, query, args...)
	return vs, wrap("read quarantine", err)
}
