package store

import (
	"context"
	"errors"
	"time"
)

// Kept reads what a connection has to remember, sealed as it was given; empty when there is nothing.
func (q Queries) Kept(ctx context.Context, connection, name string) (string, error) {
	v, err := one(ctx, q, single[string], `SELECT sealed FROM kept WHERE connection = $1 AND name = $2`, connection, name)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return v, wrap("read what is kept", err)
}

// Keep writes what a connection has to remember.
func (t *Tx) Keep(ctx context.Context, connection, name, sealed string, at time.Time) error {
	_, err := t.exec(ctx, `INSERT INTO kept (connection, name, sealed, updated_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (connection, name) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at`,
		connection, name, sealed, millis(at))
	return wrap("keep", err)
}

// DropKept forgets everything a connection had to remember.
func (t *Tx) DropKept(ctx context.Context, connection string) error {
	_, err := t.exec(ctx, `DELETE FROM kept WHERE connection = $1`, connection)
	return wrap("drop what is kept", err)
}
