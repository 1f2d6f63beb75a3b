package store

import (
	"context"
	"fmt"
	"time"
)

// Ways to get a token.
const (
	ByClientCredentials = "client_credentials"
	ByPassword          = "password"
)

// Token is an access token that was given out. The store knows its hash only.
type Token struct {
	Hash       string
	Connection string
	ClientID   string
	Way        string
	Credential string // the mark of the secret or password it was given for
	IssuedAt   time.Time
	ExpiresAt  time.Time
	RevokedAt  time.Time // zero: it was not
}

const tokenColumns = `hash, connection, client_id, way, credential, issued_at, expires_at, revoked_at`

func (o *Token) fields() []any {
	return []any{&o.Hash, &o.Connection, &o.ClientID, &o.Way, &o.Credential,
		(*stamp)(&o.IssuedAt), (*stamp)(&o.ExpiresAt), (*stamp)(&o.RevokedAt)}
}

// AddToken stores a token.
func (t *Tx) AddToken(ctx context.Context, o Token) error {
	_, err := t.exec(ctx, `INSERT INTO oauth_tokens (`+tokenColumns+`) VALUES `+tuples(1, plain(8)...),
		o.Hash, o.Connection, o.ClientID, o.Way, o.Credential, millis(o.IssuedAt), millis(o.ExpiresAt), millis(o.RevokedAt))
	return wrap("add token", err)
}

// Token reads a token by its hash, also one that has expired or was revoked.
func (q Queries) Token(ctx context.Context, hash string) (Token, error) {
	o, err := one(ctx, q, (*Token).fields, `SELECT `+tokenColumns+` FROM oauth_tokens WHERE hash = $1`, hash)
	return o, wrap("read token", err)
}

// RevokeTokens ends the tokens of a connection that are good at a time, or only those given for one credential, and
// answers how many there were.
func (t *Tx) RevokeTokens(ctx context.Context, connection, credential string, at time.Time) (int, error) {
	query := `UPDATE oauth_tokens SET revoked_at = $1 WHERE connection = $2 AND revoked_at = 0 AND expires_at > $1`
	args := []any{millis(at), connection}
	if credential != "" {
		query, args = query+` AND credential = $3`, append(args, credential)
	}
	n, err := t.exec(ctx, query, args...)
	return int(n), wrap("revoke tokens", err)
}

// PruneTokens deletes one small step of the tokens that expired before a time, and answers how many; 0 is the end.
func (s *Store) PruneTokens(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.prune(ctx, "prune tokens", before, limit,
		`DELETE FROM oauth_tokens WHERE hash IN (SELECT hash FROM oauth_tokens WHERE expires_at < $1 LIMIT $2)`)
}

// ClientSecret is a secret the program made for a connection. The store knows its hash only.
type ClientSecret struct {
	Connection string
	Mark       string // tells it from others of the connection
	SHA256     string
	CreatedAt  time.Time
}

func (c *ClientSecret) fields() []any {
	return []any{&c.Connection, &c.Mark, &c.SHA256, (*stamp)(&c.CreatedAt)}
}

// AddClientSecret stores a secret, unless the connection has as many as it may; that is ErrConflict.
func (t *Tx) AddClientSecret(ctx context.Context, c ClientSecret, most int) error {
	if err := t.lockCatalogue(ctx); err != nil {
		return err
	}
	have, err := t.ClientSecrets(ctx, c.Connection)
	if err != nil {
		return err
	}
	if len(have) >= most {
		return fmt.Errorf("add client secret: %w: there are %d already", ErrConflict, len(have))
	}
	_, err = t.exec(ctx, `INSERT INTO client_secrets (connection, mark, sha256, created_at) VALUES ($1, $2, $3, $4)`,
		c.Connection, c.Mark, c.SHA256, millis(c.CreatedAt))
	return wrap("add client secret", err)
}

// DropClientSecret removes a secret; ErrNotFound when there is none of that mark.
func (t *Tx) DropClientSecret(ctx context.Context, connection, mark string) error {
	err := t.change(ctx, ErrNotFound, `DELETE FROM client_secrets WHERE connection = $1 AND mark = $2`, connection, mark)
	return wrap("drop client secret", err)
}

// DropClientSecrets removes all secrets of a connection and forgets when its credentials were used.
func (t *Tx) DropClientSecrets(ctx context.Context, connection string) error {
	for _, table := range []string{"client_secrets", "credential_uses"} {
		if _, err := t.exec(ctx, `DELETE FROM `+table+` WHERE connection = $1`, connection); err != nil {
			return wrap("drop client secrets", err)
		}
	}
	return nil
}

// ClientSecrets reads the secrets of a connection, the oldest first.
func (q Queries) ClientSecrets(ctx context.Context, connection string) ([]ClientSecret, error) {
	cs, err := all(ctx, q, (*ClientSecret).fields, `SELECT connection, mark, sha256, created_at FROM client_secrets
		WHERE connection = $1 ORDER BY created_at, mark`, connection)
	return cs, wrap("read client secrets", err)
}

// CredentialUse says when a credential of a connection was good for the first and the last time.
type CredentialUse struct {
	Connection string
	Mark       string
	First      time.Time
	Last       time.Time
}

func (u *CredentialUse) fields() []any {
	return []any{&u.Connection, &u.Mark, (*stamp)(&u.First), (*stamp)(&u.Last)}
}

// NoteCredentialUses remembers uses. What is known already is widened: replicas may tell in any order. Uses are given in
// the order of connection and mark, so that replicas do not deadlock.
func (t *Tx) NoteCredentialUses(ctx context.Context, uses []CredentialUse) error {
	for _, u := range uses {
		_, err := t.exec(ctx, `INSERT INTO credential_uses (connection, mark, first_at, last_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (connection, mark) DO UPDATE SET
				first_at = CASE WHEN excluded.first_at < credential_uses.first_at THEN excluded.first_at ELSE credential_uses.first_at END,
				last_at = CASE WHEN excluded.last_at > credential_uses.last_at THEN excluded.last_at ELSE credential_uses.last_at END`,
			u.Connection, u.Mark, millis(u.First), millis(u.Last))
		if err != nil {
			return wrap("note use of credential", err)
		}
	}
	return nil
}

// CredentialUses reads the uses of a connection's credentials, also of those it no longer has.
func (q Queries) CredentialUses(ctx context.Context, connection string) ([]CredentialUse, error) {
	us, err := all(ctx, q, (*CredentialUse).fields, `SELECT connection, mark, first_at, last_at FROM credential_uses
		WHERE connection = $1 ORDER BY mark`, connection)
	return us, wrap("read uses of credentials", err)
}
