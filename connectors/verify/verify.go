// Package verify proves where an inbound request comes from, before any connector sees it. There is this one verifier
// for every vendor; a vendor gives parameters only (connectors.Signer), a connection's document the secrets and what
// differs.
//
// merge.go puts the two together and names every fault, credentials.go checks what is sent as it is, signature.go
// what is computed over the request. A request is good or its error wraps connectors.ErrForged; nothing in between.
package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Verifier checks inbound requests of one connection. It may be used by many at once.
type Verifier struct {
	check connectors.Verification
	vault *connectors.Vault
	now   func() time.Time
}

// New returns the verifier for a connection whose document says given, over the vendor's defaults; Merge tells how.
func New(defaults, given connectors.Verification, vault *connectors.Vault, now func() time.Time) (*Verifier, error) {
	check, err := Merge(defaults, given)
	if err != nil {
		return nil, err
	}
	return &Verifier{check: check, vault: vault, now: now}, nil
}

// Ready tells which of the secrets cannot be read now. Verify takes such a secret as matching nothing.
func (v *Verifier) Ready() error {
	var faults []error
	for _, secret := range secretsOf(&v.check) {
		if _, err := v.vault.Reveal(secret); err != nil {
			faults = append(faults, fmt.Errorf("verification: %w", err))
		}
	}
	return errors.Join(faults...)
}

// Verify returns nil where r proves to come from the connection's vendor, else an error that wraps
// connectors.ErrForged and says what kind of thing was wrong, never with which value. r.URL is the URL as received;
// pathToken is the last part of the path where the connection's address has one more than its name.
//
// Secrets are revealed on every call, so a changed file counts at once. All of them are compared, in constant time,
// whichever matches.
func (v *Verifier) Verify(r connectors.Request, pathToken string) error {
	switch c := v.check; {
	case c.None:
		return nil
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
	default:
		return forged("the connection has no verification")
	}
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

// reveal returns the texts of the secrets that can be read and are not empty.
func (v *Verifier) reveal(secrets []connectors.Secret) []string {
	var texts []string
	for _, secret := range secrets {
		if text, err := v.vault.Reveal(secret); err == nil && text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// matches tells whether given is one of the secrets, taking the same time whichever it is.
func (v *Verifier) matches(given string, secrets []connectors.Secret) bool {
	found := 0
	for _, want := range v.reveal(secrets) {
		found |= same([]byte(given), []byte(want))
	}
	return found == 1
}

// same compares digests, so that the time taken tells nothing of where or in length the two differ.
func same(a, b []byte) int {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(x[:], y[:])
}
