package connectors

import (
	"fmt"
	"net/http"
	"net/url"
)

// PasswordGrant is the OAuth 2.0 grant by an account's own password, for vendors where an admin allows no better. Tokens
// are kept and renewed as those of ClientCredentials, always with the password.
type PasswordGrant struct {
	TokenURL string
	ID       string
	Secret   Secret
	User     string
	Password Secret
	Scopes   []string
}

func (a PasswordGrant) wrap(c *Client) http.RoundTripper {
	client := ClientCredentials{TokenURL: a.TokenURL, ID: a.ID, Secret: a.Secret, Scopes: a.Scopes}
	return &tokenTripper{client: c, auth: client, owner: &a}
}

// params are what the request for a token holds besides the client's own id and secret.
func (a PasswordGrant) params(vault *Vault) (url.Values, error) {
	password, err := vault.Reveal(a.Password)
	if err != nil {
		return nil, &Error{Kind: Unwell, Err: fmt.Errorf("password: %w", err)}
	}
	return url.Values{"grant_type": {"password"}, "username": {a.User}, "password": {password}}, nil
}
