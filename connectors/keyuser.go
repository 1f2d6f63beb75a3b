package connectors

import "net/http"

// KeyUser is HTTP Basic authentication with a secret key as the user, for vendors that give out a key only and take any
// password with it.
type KeyUser struct{ Key Secret }

func (k KeyUser) wrap(c *Client) http.RoundTripper {
	return &signer{next: c.tripper, sign: func(r *http.Request) error {
		key, err := c.vault.Reveal(k.Key)
		if err != nil {
			return err
		}
		r.SetBasicAuth(key, "X")
		return nil
	}}
}
