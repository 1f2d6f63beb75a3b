package connectors

import (
	"maps"
	"net/http"
)

// Headers are fixed headers that hold credentials, for vendors that want their key outside of Authorization, like
// X-Api-Key. With may be called once more for another way beside it.
type Headers map[string]Secret

func (h Headers) wrap(c *Client) http.RoundTripper {
	return &signer{next: c.tripper, sign: func(r *http.Request) error {
		for name, secret := range h {
			value, err := c.vault.Reveal(secret)
			if err != nil {
				return err
			}
			r.Header.Set(name, value)
		}
		return nil
	}}
}

// besides returns the headers whose values a vendor's words must not repeat: those of c and ours.
func (h Headers) besides(c *Client) map[string]Secret {
	all := maps.Clone(c.headers)
	for name, secret := range h {
		all[http.CanonicalHeaderKey(name)] = secret
	}
	return all
}
