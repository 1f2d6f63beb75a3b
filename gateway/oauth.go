package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// TokenLife is how long an access token is good for.
const TokenLife = 10 * time.Minute

const (
	tokenPrefix  = "dbt_"
	tokenBytes   = 32
	tokenSeenFor = 5 * time.Second // that a token is good need not be looked up again; a revoked one is out after that
	mostSeen     = 10_000
	issueRate    = 20 // tokens a second a connection may ask for
	issueBurst   = 100
)

// TokenRequest is what a client asks our token endpoint (RFC 6749, sections 4.3 and 4.4). A secret or password may be
// there in several readings: clients differ in how they write it.
type TokenRequest struct {
	Way       string // client_credentials or password
	ClientID  string
	Secrets   []string // none: the client gave none
	User      string
	Passwords []string
	Peer      netip.Addr
}

// TokenAnswer is a token that was given out.
type TokenAnswer struct {
	Token   string `json:"access_token"`
	Type    string `json:"token_type"`
	Seconds int    `json:"expires_in"`
}

// TokenRefusal is an error of RFC 6749, section 5.2.
type TokenRefusal struct {
	Code  string // invalid_client, invalid_grant, ...
	Text  string // for the client
	Cause error  // for our log
}

func (r *TokenRefusal) Error() string { return r.Code + ": " + r.Text }
func (r *TokenRefusal) Unwrap() error { return r.Cause }

// Codes of RFC 6749.
const (
	InvalidRequest     = "invalid_request"
	InvalidClient      = "invalid_client"
	InvalidGrant       = "invalid_grant"
	UnauthorizedClient = "unauthorized_client"
	UnsupportedWay     = "unsupported_grant_type"
)

const wrongClient = "the client id or the client secret is wrong"

// Token gives out an access token for /in/{connection}. The error is a *TokenRefusal, a *Refusal where the client is to
// come back later, or an internal fault.
func (g *Gateway) Token(ctx context.Context, r TokenRequest) (TokenAnswer, error) {
	if r.Way != store.ByClientCredentials && r.Way != store.ByPassword {
		return TokenAnswer{}, &TokenRefusal{Code: UnsupportedWay, Text: "grant_type is client_credentials or password"}
	}
	c := g.catalogue().clients[r.ClientID]
	who := senderOf("", 0, r.Peer) // nobody's client
	if c != nil {
		who = senderOf(c.doc.Name, c.version, r.Peer)
	}
	what := shownOf(slices.Concat([]string{r.Way, r.User}, r.Secrets, []string{""}, r.Passwords)...)
	if wait := g.door.guard.wait(who, what, g.now()); wait > 0 {
		return TokenAnswer{}, guessedTooOften(wait)
	}
	used, err := g.authenticate(ctx, c, r)
	if refusal, ok := errors.AsType[*TokenRefusal](err); ok && (refusal.Code == InvalidClient || refusal.Code == InvalidGrant) {
		g.door.guard.wrong(who, g.now())
	}
	if err != nil {
		return TokenAnswer{}, err
	}
	now := g.now()
	g.door.guard.right(who, what, now)
	if c.doc.State == stateDisabled {
		return TokenAnswer{}, &TokenRefusal{Code: UnauthorizedClient, Text: "this connection is disabled"}
	}
	if wait := takeOne(c.issuing, now); wait > 0 {
		return TokenAnswer{}, &Refusal{Status: http.StatusTooManyRequests, Text: "a token lasts ten minutes; ask for fewer", RetryAfter: wait}
	}
	return g.issue(ctx, c, r, used, now)
}

// authenticate checks the client and, for the password grant, the user. It returns the mark of the credential that the
// token will be given for: the password's where there is one.
func (g *Gateway) authenticate(ctx context.Context, c *connection, r TokenRequest) (used string, err error) {
	stranger := func(why string) error {
		return &TokenRefusal{Code: InvalidClient, Text: wrongClient, Cause: errors.New(why)}
	}
	if c == nil {
		return "", stranger("no connection has this client id")
	}
	if !c.admits(r.Peer) {
		return "", stranger("the address may not send to " + c.doc.Name)
	}
	check := c.verifier.OAuth()
	secrets, err := g.clientSecrets(ctx, c)
	if err != nil {
		return "", err
	}
	// A client that has a secret has to show it, whatever it asks for; one that has only a user's password is public.
	if len(secrets) > 0 || r.Way == store.ByClientCredentials {
		mark, ok, err := c.verifier.Credential(ctx, r.Secrets, secrets)
		if err != nil {
			return "", fmt.Errorf("compare client secret: %w", err)
		}
		if !ok {
			return "", stranger("the secret of " + c.doc.Name + " is wrong, or it has none")
		}
		if used = mark; r.Way == store.ByClientCredentials {
			return used, nil
		}
	}
	if len(check.Passwords) == 0 {
		return "", &TokenRefusal{Code: UnauthorizedClient, Text: "this client has no user; use the client credentials grant"}
	}
	g.door.uses.note(c.doc.Name, used, g.now())
	mark, ok, err := c.verifier.Credential(ctx, r.Passwords, check.Passwords)
	if err != nil {
		return "", fmt.Errorf("compare password: %w", err)
	}
	if known := verify.SameText(r.User, check.User); !known || !ok {
		return "", &TokenRefusal{Code: InvalidGrant, Text: "the user or the password is wrong"}
	}
	return mark, nil
}

// clientSecrets are those of the document and those made by the program.
func (g *Gateway) clientSecrets(ctx context.Context, c *connection) ([]connectors.Hashed, error) {
	made, err := g.store.ClientSecrets(ctx, c.doc.Name)
	if err != nil {
		return nil, err
	}
	all := append([]connectors.Hashed(nil), c.verifier.OAuth().ClientSecrets...)
	for _, m := range made {
		all = append(all, connectors.HashedSHA256(m.SHA256))
	}
	return all, nil
}

func (g *Gateway) issue(ctx context.Context, c *connection, r TokenRequest, used string, now time.Time) (TokenAnswer, error) {
	text := randomText(tokenPrefix)
	token := store.Token{
		Hash: hashOf(text), Connection: c.doc.Name, ClientID: r.ClientID, Way: r.Way, Credential: used,
		IssuedAt: now, ExpiresAt: now.Add(TokenLife),
	}
	err := g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := g.published(ctx, tx, c.doc.Name); err != nil {
			return err
		}
		if err := tx.AddToken(ctx, token); err != nil {
			return err
		}
		if used != "" {
			use := store.CredentialUse{Connection: c.doc.Name, Mark: used, First: now, Last: now}
			if err := tx.NoteCredentialUses(ctx, []store.CredentialUse{use}); err != nil {
				return err
			}
		}
		return tx.Record(ctx, store.Entry{At: now, Kind: "token.issued", Subject: c.doc.Name, Content: map[string]any{
			"client_id": r.ClientID, "way": r.Way, "credential": used, "peer": peerText(r.Peer), "expires_at": token.ExpiresAt.UTC(),
		}})
	})
	if errors.Is(err, errGone) {
		return TokenAnswer{}, &TokenRefusal{Code: InvalidClient, Text: wrongClient, Cause: errors.New(c.doc.Name + " was deleted")}
	}
	if err != nil {
		return TokenAnswer{}, fmt.Errorf("issue token: %w", err)
	}
	return TokenAnswer{Token: text, Type: "Bearer", Seconds: int(TokenLife.Seconds())}, nil
}

func peerText(peer netip.Addr) string {
	if !peer.IsValid() {
		return ""
	}
	return peer.String()
}

// randomText is a credential nobody can guess, of characters that no form and no header changes.
func randomText(prefix string) string {
	random := make([]byte, tokenBytes)
	_, _ = rand.Read(random) // never fails since Go 1.24
	return prefix + base64.RawURLEncoding.EncodeToString(random)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// tokens tells good tokens from others. A good one is remembered for a moment; what is no token of ours is told by its
// looks.
type tokens struct {
	store *store.Store
	now   func() time.Time

	mu   sync.Mutex
	seen map[string]seenToken // by hash
}

type seenToken struct {
	connection, clientID string
	until                time.Time
}

func newTokens(s *store.Store, now func() time.Time) *tokens {
	return &tokens{store: s, now: now, seen: map[string]seenToken{}}
}

// check tells whether a token was given to the client of a connection and is still good; see verify.Tokens.
func (t *tokens) check(ctx context.Context, connection, clientID, token string) error {
	if !strings.HasPrefix(token, tokenPrefix) || len(token) != len(tokenPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return fmt.Errorf("%w: the bearer token is none of ours", connectors.ErrForged)
	}
	hash, now := hashOf(token), t.now()
	known, ok := t.remembered(hash)
	if !ok || !now.Before(known.until) {
		stored, err := t.store.Token(ctx, hash)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("%w: the access token is unknown", connectors.ErrForged)
		case err != nil:
			return err
		case !stored.RevokedAt.IsZero():
			return fmt.Errorf("%w: the access token was revoked", connectors.ErrForged)
		case !now.Before(stored.ExpiresAt):
			return fmt.Errorf("%w: the access token has expired", connectors.ErrForged)
		}
		known = seenToken{stored.Connection, stored.ClientID, now.Add(tokenSeenFor)}
		if stored.ExpiresAt.Before(known.until) {
			known.until = stored.ExpiresAt
		}
		t.remember(hash, known, now)
	}
	if known.connection != connection || known.clientID != clientID {
		return fmt.Errorf("%w: the access token is for another connection", connectors.ErrForged)
	}
	return nil
}

func (t *tokens) remembered(hash string) (seenToken, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.seen[hash]
	return known, ok
}

func (t *tokens) remember(hash string, known seenToken, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.seen) >= mostSeen {
		for old, s := range t.seen {
			if !now.Before(s.until) || len(t.seen) >= mostSeen {
				delete(t.seen, old)
			}
		}
	}
	t.seen[hash] = known
}

// forget makes the next use of each token look it up again.
func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.seen)
}
