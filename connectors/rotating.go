package connectors

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// RotatingToken is the OAuth 2.0 refresh token grant of token servers that answer with a new refresh token each time
// and take the old one no more; the request is JSON. Each new one is kept before the access token is used, and one trade
// is under way at a time on all replicas together. Access tokens are kept in memory and renewed as those of
// ClientCredentials.
type RotatingToken struct {
	TokenURL string
	ID       string
	Secret   Secret
	Token    Secret // the refresh token to begin with; another one in its place makes what is kept void
	Keep     Keeper // nil: nothing can be kept, and no call works
}

func (a RotatingToken) wrap(c *Client) http.RoundTripper {
	return &tokenTripper{client: c, grant: &rotation{RotatingToken: a}}
}

// rotation holds on to a refresh token that could not be stored: the one that is stored is void.
type rotation struct {
	RotatingToken

	mu      sync.Mutex
	unsaved *keptToken
}

const keptRefreshToken = "refresh_token"

// keptToken is what is kept of a connection's refresh token.
type keptToken struct {
	Begun string `json:"begun"` // a digest of the token it all began with
	Token string `json:"token"`
}

var errTokenRefused = errors.New("get access token: the token server refused the refresh token or the client; consent once more and set the refresh token that comes of it")

func (a *rotation) fetch(ctx context.Context, c *Client) (*accessToken, error) {
	if a.Keep == nil {
		return nil, &Error{Kind: Unwell, Err: errors.New("get access token: a refresh token that changes with each use cannot be kept here")}
	}
	secret, err := c.vault.Reveal(a.Secret)
	if err != nil {
		return nil, &Error{Kind: Unwell, Err: fmt.Errorf("client secret: %w", err)}
	}
	first, err := c.vault.Reveal(a.Token)
	if err != nil {
		return nil, &Error{Kind: Unwell, Err: fmt.Errorf("refresh token: %w", err)}
	}
	var token *accessToken
	err = a.Keep.Trade(ctx, keptRefreshToken, func(ctx context.Context, text string) (string, error) {
		now := a.latest(text, first)
		var next string
		token, next, err = a.trade(ctx, c, secret, now.Token)
		if err != nil {
			return "", err
		}
		if next != "" { // a server that keeps it does not send it again
			now.Token = next
		}
		a.hold(&now)
		kept, err := json.Marshal(now)
		return string(kept), err
	})
	if err == nil {
		a.hold(nil)
		return token, nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, e
	}
	return nil, &Error{Kind: Temporary, Err: fmt.Errorf("keep refresh token: %w", err)}
}

// latest is the refresh token that is good now: one not stored, the one that is kept, or the one to begin with.
func (a *rotation) latest(text, first string) keptToken {
	sum := sha256.Sum256([]byte(first))
	begun := hex.EncodeToString(sum[:])
	a.mu.Lock()
	unsaved := a.unsaved
	a.mu.Unlock()
	if unsaved != nil && unsaved.Begun == begun {
		return *unsaved
	}
	var kept keptToken
	if json.Unmarshal([]byte(text), &kept) == nil && kept.Begun == begun && kept.Token != "" {
		return kept
	}
	return keptToken{Begun: begun, Token: first}
}

func (a *rotation) hold(k *keptToken) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unsaved = k
}

// trade asks for an access token and returns the refresh token that comes with it.
func (a *rotation) trade(ctx context.Context, c *Client, secret, refresh string) (*accessToken, string, error) {
	body := map[string]string{"grant_type": "refresh_token", "client_id": a.ID, "client_secret": secret, "refresh_token": refresh}
	asked := c.now()
	answer, err := c.Do(ctx, Call{Name: "get access token", Method: http.MethodPost, URL: a.TokenURL, JSON: body})
	if err != nil {
		e := *AsError(err)
		e.Sent = false // nothing was sent to the vendor's own API
		switch e.Status {
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
			e.Kind, e.Err = Unwell, errTokenRefused
		default:
			if e.Kind == Permanent {
				e.Kind = Unwell
			}
			e.Err = errors.New(e.Err.Error()) // the text alone: what was answered may repeat what was sent
		}
		return nil, "", &e
	}
	var token struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Type    string `json:"token_type"`
		Expires int64  `json:"expires_in"`
	}
	if err := answer.DecodeJSON("get access token", &token); err != nil || token.Access == "" {
		return nil, "", &Error{Kind: Temporary, Err: errors.New("get access token: the answer holds no access token")}
	}
	life := time.Duration(min(max(token.Expires, 0), int64(24*time.Hour/time.Second))) * time.Second
	return &accessToken{Token: &oauth2.Token{AccessToken: token.Access, TokenType: token.Type}, until: renewAt(asked, life)}, token.Refresh, nil
}
