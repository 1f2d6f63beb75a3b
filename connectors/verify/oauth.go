package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// clientID is what comes through both ways of naming a client as it is, whether or not the client encodes it.
var clientID = regexp.MustCompile(`^[A-Za-z0-9._~@/-]{1,128}$`)

func oauthFaults(c *connectors.OAuthCheck, wrong func(format string, args ...any)) {
	if !clientID.MatchString(c.ClientID) {
		wrong("oauth.client_id is up to 128 letters, digits and any of ._~@/-")
	}
	if (c.User == "") != (len(c.Passwords) == 0) {
		wrong("oauth.user and oauth.passwords go together")
	}
	for path, list := range map[string][]connectors.Hashed{"client_secrets": c.ClientSecrets, "passwords": c.Passwords} {
		if len(list) > 2 {
			wrong("oauth.%s holds %d; two are enough for a rotation", path, len(list))
		}
		for i, h := range list {
			if h.IsZero() {
				wrong("oauth.%s[%d] is empty", path, i)
			}
			if text := h.Argon2id(); text != "" {
				if _, err := parseHash(text); err != nil {
					wrong("oauth.%s[%d]: %w", path, i, err)
				}
			}
		}
	}
}

// oauth wants a token of our own, given to this client.
func (v *Verifier) oauth(ctx context.Context, c *connectors.OAuthCheck, h http.Header) error {
	token, err := bearerToken(h)
	if err != nil {
		return err
	}
	if v.env.Tokens == nil {
		return forged("access tokens are not known here")
	}
	return v.env.Tokens(ctx, c.ClientID, token)
}

// OAuth returns what the connection says about clients of our token endpoint, nil where its scheme is another.
func (v *Verifier) OAuth() *connectors.OAuthCheck { return v.check.OAuth }

// SameText compares texts in a time that tells nothing of where they differ.
func SameText(a, b string) bool { return same([]byte(a), []byte(b)) == 1 }

// Credential tells which of the credentials one of the given texts is: a client may have written it in several ways. What
// is quickly compared is compared first, all of it; a slow hash is computed only where nothing else is good.
func (v *Verifier) Credential(ctx context.Context, given []string, among []connectors.Hashed) (used string, ok bool, err error) {
	for _, text := range given {
		sum := sha256.Sum256([]byte(text))
		digits := hex.EncodeToString(sum[:])
		for _, h := range among {
			switch want := h.Secret(); {
			case h.SHA256() != "":
				if same([]byte(digits), []byte(h.SHA256())) == 1 {
					used, ok = h.Mark(), true
				}
			case !want.IsZero():
				if _, good := v.matches(text, []connectors.Secret{want}); good {
					used, ok = h.Mark(), true
				}
			}
		}
	}
	if ok {
		return used, true, nil
	}
	for _, text := range given {
		for _, h := range among {
			hash := h.Argon2id()
			if hash == "" {
				continue
			}
			if good, err := v.env.Hashes.Match(ctx, text, hash); err != nil || good {
				return h.Mark(), good, err
			}
		}
	}
	return "", false, nil
}
