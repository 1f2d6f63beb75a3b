// Package verify proves where an inbound request comes from, before any connector sees it. There is this one verifier
// for every vendor; a vendor gives parameters only (connectors.Signer), a connection's document the secrets and what
// differs.
//
// merge.go puts the two together and names every fault. credentials.go checks what is sent as it is, signature.go what
// is computed over the request, oauth.go tokens of our own and who may ask for one, issuer.go tokens of others,
// certificate.go client certificates; hash.go compares with what is known by a slow hash.
package verify

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Env is what verification may use of its surroundings. What a connection's scheme does not need may be missing.
type Env struct {
	Vault  *connectors.Vault
	Now    func() time.Time
	Client *connectors.Client // asks outside issuers for their keys
	Hashes *Hashes            // shared by connections, so that slow hashes are computed one after the other
	Tokens Tokens
}

// Tokens tells whether an access token of our own is good for a client. The error wraps connectors.ErrForged where it is
// not, and does not where that cannot be told now.
type Tokens func(ctx context.Context, clientID, token string) error

// Verifier checks inbound requests of one connection. It may be used by many at once.
type Verifier struct {
	check  connectors.Verification
	env    Env
	issuer *issuer
}

// New returns the verifier for a connection whose document says given, over the vendor's defaults; Merge tells how.
func New(defaults, given connectors.Verification, env Env) (*Verifier, error) {
	check, err := Merge(defaults, given)
	if err != nil {
		return nil, err
	}
	if env.Hashes == nil {
		env.Hashes = NewHashes(env.Now)
	}
	v := &Verifier{check: check, env: env}
	if check.Issuer != nil {
		if env.Client == nil {
			return nil, errors.New("verification: nobody can ask the issuer for its keys here")
		}
		v.issuer = newIssuer(*check.Issuer, env)
	}
	return v, nil
}

// Ready tells which of the secrets cannot be read now. Verify takes such a secret as matching nothing.
func (v *Verifier) Ready() error {
	var faults []error
	for _, secret := range referencesOf(&v.check) {
		if _, err := v.env.Vault.Reveal(secret); err != nil {
			faults = append(faults, fmt.Errorf("verification: %w", err))
		}
	}
	return errors.Join(faults...)
}

// Reach asks an outside issuer for its keys, where tokens are checked with them.
func (v *Verifier) Reach(ctx context.Context) error {
	if v.issuer == nil {
		return nil
	}
	_, err := v.issuer.open(ctx)
	return err
}

// Anybody tells whether everybody is let in.
func (v *Verifier) Anybody() bool { return v.check.None }

// Signed tells whether what is let in bears a signature of its body: it says what it says in the sender's name.
func (v *Verifier) Signed() bool { return v.check.HMAC != nil || v.check.StandardWebhooks != nil }

// Credential is one of the secrets of a connection, as far as it may be shown.
type Credential struct {
	Mark  string // what Verify calls it
	For   string // where in the scheme it stands: passwords, client_secrets
	Where string // where it is kept, in words
}

// Credentials lists the secrets of the document, in its order.
func (v *Verifier) Credentials() []Credential {
	var list []Credential
	path, secrets := secretsOf(&v.check)
	for _, s := range secrets {
		list = append(list, Credential{s.Mark(), path, s.Where()})
	}
	if c := v.check.OAuth; c != nil {
		for _, h := range c.ClientSecrets {
			list = append(list, Credential{h.Mark(), "client_secrets", h.Where()})
		}
		for _, h := range c.Passwords {
			list = append(list, Credential{h.Mark(), "passwords", h.Where()})
		}
	}
	return list
}

// Verify returns no error where r proves to come from the connection's vendor. An error that wraps
// connectors.ErrForged means that it does not, and says what kind of thing was wrong, never with which value; any
// other means that it could not be told, and the sender should try again. r.URL is the URL as received; pathToken is
// the last part of the path where the connection's address has one more than its name.
//
// used is the mark of the secret that was good, where the scheme has several. Secrets are revealed on every call, so a
// changed file counts at once. All of them are compared, in constant time, whichever matches.
func (v *Verifier) Verify(ctx context.Context, r connectors.Request, pathToken string) (used string, err error) {
	switch c := v.check; {
	case c.None:
		return "", nil
	case c.Basic != nil:
		return v.basic(c.Basic, r.Header)
	case c.Bearer != nil:
		return v.bearer(c.Bearer, r.Header)
	case c.Header != nil:
		return v.header(c.Header, r.Header)
	case c.Token != nil:
		return v.token(c.Token, r.URL, pathToken)
	case c.HMAC != nil:
		return v.hmac(c.HMAC, r)
	case c.StandardWebhooks != nil:
		return v.standardWebhooks(c.StandardWebhooks, r)
	case c.JWT != nil:
		return v.jwt(c.JWT, r.Header)
	case c.OAuth != nil:
		return "", v.oauth(ctx, c.OAuth, r.Header)
	case c.Certificate != nil:
		return "", v.certificate(c.Certificate, r)
	case c.Issuer != nil:
		return "", v.issuer.verify(ctx, r.Header)
	default:
		return "", forged("the connection has no verification")
	}
}

// Challenge is the scheme a refused sender is asked for in WWW-Authenticate; empty where there is none for it.
func (v *Verifier) Challenge() string {
	switch c := v.check; {
	case c.Basic != nil:
		return `Basic realm="drawbridge", charset="UTF-8"`
	case c.OAuth != nil, c.Issuer != nil, c.JWT != nil:
		return `Bearer realm="drawbridge", error="invalid_token"`
	default:
		return `Bearer realm="drawbridge"`
	}
}

// Strip returns a verified request without what carried its credentials, so that nothing behind can keep or show them.
// path is the connection's address, which the token may have been a part of. r is left as it was.
func (v *Verifier) Strip(r connectors.Request, path string) connectors.Request {
	r.Header = maps.Clone(r.Header)
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie"} {
		delete(r.Header, name)
	}
	if c := v.check.Header; c != nil {
		delete(r.Header, http.CanonicalHeaderKey(c.Name))
	}
	if r.URL = Redact(r.URL); r.URL != nil {
		r.URL.Path, r.URL.RawPath = path, ""
	}
	return r
}

func forged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", connectors.ErrForged, fmt.Sprintf(format, args...))
}

// only returns the one value of a header. A second one is refused: two readers could each take another for the real
// one.
func only(h http.Header, name string) (string, error) {
	values := h.Values(name)
	switch {
	case len(values) > 1:
		return "", forged("header %s is there more than once", http.CanonicalHeaderKey(name))
	case len(values) == 0 || values[0] == "":
		return "", forged("header %s is missing", http.CanonicalHeaderKey(name))
	default:
		return values[0], nil
	}
}

// matches tells whether given is one of the secrets, and which, taking the same time whichever it is. A secret that
// cannot be read matches nothing.
func (v *Verifier) matches(given string, secrets []connectors.Secret) (used string, ok bool) {
	return v.pick(secrets, func(secret string) int { return same([]byte(given), []byte(secret)) })
}

// pick returns the mark of the secret that is good. All are looked at.
func (v *Verifier) pick(secrets []connectors.Secret, good func(secret string) int) (used string, ok bool) {
	for _, secret := range secrets {
		text, err := v.env.Vault.Reveal(secret)
		if err == nil && text != "" && good(text) == 1 {
			used, ok = secret.Mark(), true
		}
	}
	return used, ok
}

// same compares digests, so that the time taken tells nothing of where or in length the two differ.
func same(a, b []byte) int {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(x[:], y[:])
}
