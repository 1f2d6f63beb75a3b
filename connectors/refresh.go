package connectors

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"
)

// RefreshToken is the OAuth 2.0 grant of that name, with a refresh token that stays the same. Access tokens are kept in
// memory and renewed before they end, one renewal at a time; a 401 drops the token and the call is tried once more.
type RefreshToken struct {
	TokenURL string
	ID       string
	Secret   Secret
	Token    Secret // the refresh token
	Word     string // before the access token in the Authorization header; empty: Bearer
}

func (a RefreshToken) wrap(c *Client) http.RoundTripper {
	return &tokenTripper{client: c, grant: a}
}

func (a RefreshToken) fetch(ctx context.Context, c *Client) (*accessToken, error) {
	secret, err := c.vault.Reveal(a.Secret)
	if err != nil {
		return nil, &Error{Kind: Unwell, Err: fmt.Errorf("client secret: %w", err)}
	}
	refresh, err := c.vault.Reveal(a.Token)
	if err != nil {
		return nil, &Error{Kind: Unwell, Err: fmt.Errorf("refresh token: %w", err)}
	}
	config := oauth2.Config{ClientID: a.ID, ClientSecret: secret, Endpoint: oauth2.Endpoint{TokenURL: a.TokenURL, AuthStyle: oauth2.AuthStyleInParams}}
	asked := c.now()
	ctx = context.WithValue(ctx, oauth2.HTTPClient, c.HTTP())
	token, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		e := (&tokenTripper{client: c}).fault(err)
		if e.Kind == Unwell {
			e.Err = fmt.Errorf("%w (the refresh token may be wrong or revoked)", e.Err)
		}
		return nil, e
	}
	if a.Word != "" {
		token.TokenType = a.Word
	}
	return &accessToken{Token: token, until: renewAt(asked, lifetime(token))}, nil
}
