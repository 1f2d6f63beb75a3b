package connectortest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// signer puts credentials on requests as the vendor would. It shares no code with the verifier it stands against.
type signer struct {
	scheme connectors.Verification
	vault  *connectors.Vault
	at     time.Time
}

// sign returns a copy of r with credentials.
func (s signer) sign(r connectors.Request) (connectors.Request, error) {
	r = clone(r)
	r.Time = s.at
	switch c := s.scheme; {
	case c.Basic != nil:
		password, err := s.first(c.Basic.Passwords)
		pair := base64.StdEncoding.EncodeToString([]byte(c.Basic.User + ":" + password))
		r.Header.Set("Authorization", "Basic "+pair)
		return r, err
	case c.Bearer != nil:
		token, err := s.first(c.Bearer.Tokens)
		r.Header.Set("Authorization", "Bearer "+token)
		return r, err
	case c.Header != nil:
		value, err := s.first(c.Header.Values)
		r.Header.Set(c.Header.Name, value)
		return r, err
	case c.Token != nil:
		token, err := s.first(c.Token.Tokens)
		r.URL.RawQuery = url.Values{"token": {token}}.Encode()
		return r, err
	case c.HMAC != nil:
		return r, s.hmac(c.HMAC, r)
	case c.StandardWebhooks != nil:
		return r, s.standardWebhooks(c.StandardWebhooks, r)
	}
	return r, nil
}

func (s signer) hmac(c *connectors.HMACCheck, r connectors.Request) error {
	key, err := s.first(c.Secrets)
	if err != nil {
		return err
	}
	digest := map[string]func() hash.Hash{"": sha256.New, "sha256": sha256.New, "sha512": sha512.New, "sha1": sha1.New}[c.Algorithm]
	mac := hmac.New(digest, []byte(key))
	if c.Timestamp != "" {
		stamp := strconv.FormatInt(s.at.Unix(), 10)
		r.Header.Set(c.Timestamp, stamp)
		fmt.Fprint(mac, c.Lead, stamp, c.Separator)
	}
	mac.Write(r.Body)
	text := hex.EncodeToString(mac.Sum(nil))
	if c.Encoding == "base64" {
		text = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	r.Header.Set(c.Header, c.Prefix+text)
	return nil
}

func (s signer) standardWebhooks(c *connectors.StandardWebhooks, r connectors.Request) error {
	secret, err := s.first(c.Secrets)
	if err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	const id = "msg_suite"
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", id, s.at.Unix(), r.Body)
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(s.at.Unix(), 10))
	r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

func (s signer) first(secrets []connectors.Secret) (string, error) {
	return s.vault.Reveal(secrets[0])
}

// signs tells whether the credentials depend on the body, and ages whether on the time.
func (s signer) signs() bool { return s.scheme.HMAC != nil || s.scheme.StandardWebhooks != nil }

func (s signer) ages() bool {
	return s.scheme.StandardWebhooks != nil || (s.scheme.HMAC != nil && s.scheme.HMAC.Timestamp != "")
}

// window is how far the time may be off.
func (s signer) window() time.Duration {
	window := 5 * time.Minute
	if s.scheme.HMAC != nil && s.scheme.HMAC.Window != 0 {
		window = s.scheme.HMAC.Window
	}
	if s.scheme.StandardWebhooks != nil && s.scheme.StandardWebhooks.Window != 0 {
		window = s.scheme.StandardWebhooks.Window
	}
	return window
}

// headers are those that carry credentials or what they are computed from.
func (s signer) headers() []string {
	switch c := s.scheme; {
	case c.Basic != nil, c.Bearer != nil:
		return []string{"Authorization"}
	case c.Header != nil:
		return []string{c.Header.Name}
	case c.HMAC != nil && c.HMAC.Timestamp != "":
		return []string{c.HMAC.Header, c.HMAC.Timestamp}
	case c.HMAC != nil:
		return []string{c.HMAC.Header}
	case c.StandardWebhooks != nil:
		return []string{"webhook-id", "webhook-timestamp", "webhook-signature"}
	default:
		return nil
	}
}

// clone copies what a check changes.
func clone(r connectors.Request) connectors.Request {
	header := http.Header{}
	for name, values := range r.Header {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	u := url.URL{Path: "/in/under-test"}
	if r.URL != nil {
		u = *r.URL
	}
	r.Header, r.URL, r.Body = header, &u, bytes.Clone(r.Body)
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	return r
}
