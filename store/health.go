package store

import (
	"context"
	"time"
)

// States of a connection.
const (
	Well   = "well"
	Unwell = "unwell" // its deliveries wait
)

// Health is how a connection is doing, and when it is asked again.
type Health struct {
	Connection string
	State      string
	Reason     string
	Since      time.Time
	NextPing   time.Time
	Pings      int // without success, since it is unwell
}

func (h *Health) fields() []any {
	return []any{&h.Connection, &h.State, &h.Reason, (*stamp)(&h.Since), (*stamp)(&h.NextPing), &h.Pings}
}

// SetHealth writes how a connection is doing.
func (t *Tx) SetHealth(ctx context.Context, h Health) error {
	_, err := t.exec(ctx, `INSERT INTO health (connection, state, reason, since, next_ping, pings)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (connection) DO UPDATE SET state = excluded.state,
		reason = excluded.reason, since = excluded.since, next_ping = excluded.next_ping, pings = excluded.pings`,
		h.Connection, h.State, text(h.Reason), millis(h.Since), millis(h.NextPing), h.Pings)
	return wrap("write health", err)
}

// Healths reads how every connection is doing that was ever asked, by name.
func (q Queries) Healths(ctx context.Context) ([]Health, error) {
	hs, err := all(ctx, q, (*Health).fields, `SELECT connection, state, reason, since, next_ping, pings FROM health
		ORDER BY connection`)
	return hs, wrap("read health", err)
}
