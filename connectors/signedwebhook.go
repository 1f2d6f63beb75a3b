package connectors

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// SignedWebhook signs every call as standardwebhooks.com says (v1), by each secret, so that a receiver can change over
// from one to the next. The call itself says which message it is, in the header Webhook-Id; the time is that of the try.
type SignedWebhook struct {
	Secrets []Secret // whsec_... or base64
}

func (s SignedWebhook) wrap(c *Client) http.RoundTripper {
	return &signer{next: c.tripper, sign: func(r *http.Request) error {
		id := r.Header.Get("Webhook-Id")
		if id == "" || strings.Contains(id, ".") {
			return errors.New("the message has no id, or one with a dot")
		}
		body, err := bodyOf(r)
		if err != nil {
			return err
		}
		stamp := strconv.FormatInt(c.now().Unix(), 10)
		var list []string
		for _, secret := range s.Secrets {
			text, err := c.vault.Reveal(secret)
			if err != nil {
				return err
			}
			key := WebhookKey(text)
			if len(key) == 0 {
				return errors.New("the secret is no key of Standard Webhooks: whsec_ and base64")
			}
			mac := hmac.New(sha256.New, key)
			fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
			list = append(list, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		}
		r.Header.Set("Webhook-Timestamp", stamp)
		r.Header.Set("Webhook-Signature", strings.Join(list, " "))
		return nil
	}}
}

// bodyOf reads the body of a request that can be read again.
func bodyOf(r *http.Request) ([]byte, error) {
	if !hasBody(r) || r.GetBody == nil {
		return nil, nil
	}
	reader, err := r.GetBody()
	if err != nil {
		return nil, fmt.Errorf("read request again: %w", err)
	}
	defer reader.Close()
	return io.ReadAll(reader)
}

// WebhookKey returns the key behind the text of a Standard Webhooks secret, nil where it is none.
func WebhookKey(secret string) []byte {
	text := strings.TrimRight(strings.TrimPrefix(secret, "whsec_"), "=")
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return key
}
