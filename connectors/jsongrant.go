package connectors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// JSONCredentials is the OAuth 2.0 client credentials grant for token servers that document a request in JSON in place
// of a form. Tokens are kept and renewed as those of ClientCredentials.
type JSONCredentials struct {
	TokenURL string
	ID       string
	Secret   Secret
	Scopes   []string
	Lifetime time.Duration // how long a token is asked for
}

func (a JSONCredentials) wrap(c *Client) http.RoundTripper {
	return &tokenTripper{client: c, grant: a}
}

func (a JSONCredentials) fetch(ctx context.Context, c *Client) (*accessToken, error) {
	secret, err := c.vault.Reveal(a.Secret)
	if err != nil {
		return nil, &Error{Kind: Unwell, Err: fmt.Errorf("client secret: %w", err)}
	}
	body := map[string]any{
		"grant_type": "client_credentials", "client_id": a.ID, "client_secret": secret, "scope": strings.Join(a.Scopes, " "),
		"expires_in": int(a.Lifetime / time.Second),
	}
	asked := c.now()
	answer, err := c.Do(ctx, Call{Name: "get access token", Method: http.MethodPost, URL: a.TokenURL, JSON: body})
	if err != nil {
		return nil, tokenRefusal(err)
	}
	var token struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int64  `json:"expires_in"`
	}
	if err := answer.DecodeJSON("get access token", &token); err != nil || token.Access == "" {
		return nil, &Error{Kind: Temporary, Err: errors.New("get access token: the answer holds no access token")}
	}
	life := time.Duration(min(max(token.Expires, 0), int64(24*time.Hour/time.Second))) * time.Second
	return &accessToken{Token: &oauth2.Token{AccessToken: token.Access, TokenType: token.Type}, until: renewAt(asked, life)}, nil
}

// tokenRefusal says what a failed token request means: nothing was sent to the vendor's own API. The token server's
// words are left out, they may repeat what it was sent.
func tokenRefusal(err error) *Error {
	e := *AsError(err)
	e.Sent = false
	if e.Kind == Permanent {
		e.Kind = Unwell
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		e.Err = errors.New("get access token: the token server refused the client id, the client secret or the scopes")
	default:
		// The text alone: what was answered stays behind, and so does that a page was not found.
		e.Err = errors.New(e.Err.Error())
	}
	return &e
}
