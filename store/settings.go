package store

import (
	"context"
	"time"
)

// Setting reads a value the program keeps for itself; ErrNotFound when it was never set.
func (q Queries) Setting(ctx context.Context, name string) (string, error) {
	v, err := one(ctx, q, single[string], `SELECT value FROM settings WHERE name = $1`, name)
	return v, wrap("read setting", err)
}

// SetSetting writes a value.
func (t *Tx) SetSetting(ctx context.Context, name, value string) error {
	_, err := t.exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, text(value))
	return wrap("write setting", err)
}

// AddSettingOnce writes a value unless there is one, and answers the one that stays: whoever comes first decides for
// all replicas.
func (t *Tx) AddSettingOnce(ctx context.Context, name, value string) (string, error) {
	_, err := t.exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, text(value))
	if err != nil {
		return "", wrap("write setting", err)
	}
	return t.Setting(ctx, name)
}

// Session is somebody signed in to the console. The store knows the hash of its token only.
type Session struct {
	Hash      string
	Person    string
	Name      string
	Role      string
	CreatedAt time.Time
	ExpiresAt time.Time
}

func (s *Session) fields() []any {
	return []any{&s.Hash, &s.Person, &s.Name, &s.Role, (*stamp)(&s.CreatedAt), (*stamp)(&s.ExpiresAt)}
}

// AddSession stores a session.
func (t *Tx) AddSession(ctx context.Context, s Session) error {
	_, err := t.exec(ctx, `INSERT INTO sessions (hash, person, name, role, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6)`, s.Hash, text(s.Person), text(s.Name), s.Role, millis(s.CreatedAt), millis(s.ExpiresAt))
	return wrap("add session", err)
}

// Session reads a session that has not expired by now.
func (q Queries) Session(ctx context.Context, hash string, now time.Time) (Session, error) {
	s, err := one(ctx, q, (*Session).fields, `SELECT hash, person, name, role, created_at, expires_at FROM sessions
		WHERE hash = $1 AND expires_at > $2`, hash, millis(now))
	return s, wrap("read session", err)
}

// EndSession removes a session, if it is there.
func (t *Tx) EndSession(ctx context.Context, hash string) error {
	_, err := t.exec(ctx, `DELETE FROM sessions WHERE hash = $1`, hash)
	return wrap("end session", err)
}
