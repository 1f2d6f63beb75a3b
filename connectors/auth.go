package connectors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Auth is how a connection proves itself to its vendor. Connectors pick one by their settings; they never see a
// token.
type Auth interface {
	wrap(c *Client) http.RoundTripper
}

// Basic is HTTP Basic authentication. Some vendors take a key as the user and want no password.
type Basic struct {
	User     string
	Password Secret
}

func (b Basic) wrap(c *Client) http.RoundTripper {
	return &signer{next: c.tripper, sign: func(r *http.Request) error {
		if b.Password.IsZero() {
			r.SetBasicAuth(b.User, "")
			return nil
		}
		password, err := c.vault.Reveal(b.Password)
		if err != nil {
			return err
		}
		r.SetBasicAuth(b.User, password)
		return nil
	}}
}

// Bearer is a fixed token in the Authorization header.
type Bearer struct{ Token Secret }

func (b Bearer) wrap(c *Client) http.RoundTripper {
	return &signer{next: c.tripper, sign: func(r *http.Request) error {
		token, err := c.vault.Reveal(b.Token)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}}
}

// Scheme is a fixed token in the Authorization header after a word of the vendor's own, "APIKey TOKEN", and under a name
// where the vendor wants one, "Token token=TOKEN".
type Scheme struct {
	Word  string
	Name  string
	Token Secret
}

func (s Scheme) wrap(c *Client) http.RoundTripper {
	return &signer{next: c.tripper, sign: func(r *http.Request) error {
		token, err := c.vault.Reveal(s.Token)
		if err != nil {
			return err
		}
		if s.Name != "" {
			token = s.Name + "=" + token
		}
		r.Header.Set("Authorization", s.Word+" "+token)
		return nil
	}}
}

type signer struct {
	next http.RoundTripper
	sign func(*http.Request) error
}

func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	if err := s.sign(out); err != nil {
		closeBody(req)
		return nil, &Error{Kind: Unwell, Err: fmt.Errorf("credentials: %w", err)}
	}
	return s.next.RoundTrip(out)
}

// ClientCredentials is the OAuth 2.0 grant of that name. Tokens are kept in memory and renewed before they end; a
// 401 drops the token and the call is tried once more.
type ClientCredentials struct {
	TokenURL string
	ID       string
	Secret   Secret
	Scopes   []string
}

func (a ClientCredentials) wrap(c *Client) http.RoundTripper {
	return &tokenTripper{client: c, auth: a}
}

// grant is a way of its own to get access tokens.
type grant interface {
	fetch(ctx context.Context, c *Client) (*accessToken, error)
}

type tokenTripper struct {
	client *Client
	auth   ClientCredentials
	owner  *PasswordGrant // whose password is sent along; nil: the client asks for itself
	grant  grant          // in place of auth; nil: there is none

	mu     sync.Mutex
	token  *accessToken
	flight *flight // the renewal under way
}

type accessToken struct {
	*oauth2.Token
	until time.Time // renewed from then on; zero: only when refused
}

// flight is one request for a token, shared by all calls that wait for it.
type flight struct {
	done  chan struct{}
	token *accessToken
	err   error
}

func (t *tokenTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, used, err := t.try(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || (hasBody(req) && req.GetBody == nil) {
		return resp, err
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	resp.Body.Close()
	t.drop(used)
	resp, _, err = t.try(req)
	return resp, err
}

func (t *tokenTripper) try(req *http.Request) (*http.Response, *accessToken, error) {
	token, err := t.current(req.Context())
	if err != nil {
		closeBody(req)
		return nil, nil, err
	}
	out := req.Clone(req.Context())
	if hasBody(req) && req.GetBody != nil {
		closeBody(req)
		if out.Body, err = req.GetBody(); err != nil {
			return nil, nil, &Error{Kind: Temporary, Err: fmt.Errorf("read request again: %w", err)}
		}
	}
	token.SetAuthHeader(out)
	resp, err := t.client.tripper.RoundTrip(out)
	return resp, token, err
}

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

// current returns a token that is valid for a while, asking for one where needed. One request is under way at a time;
// those who wait share its outcome, unless it was only stopped by the call it ran in.
func (t *tokenTripper) current(ctx context.Context) (*accessToken, error) {
	for {
		t.mu.Lock()
		if t.token != nil && (t.token.until.IsZero() || t.client.now().Before(t.token.until)) {
			defer t.mu.Unlock()
			return t.token, nil
		}
		f := t.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			t.flight = f
			t.mu.Unlock()
			t.renew(ctx, f)
			return f.token, f.err
		}
		t.mu.Unlock()
		select {
		case <-f.done:
			if f.err == nil || !isStopped(f.err) {
				return f.token, f.err
			}
		case <-ctx.Done():
			return nil, &Error{Kind: Temporary, Err: fmt.Errorf("get access token: %w", plain(ctx.Err(), true))}
		}
	}
}

func isStopped(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (t *tokenTripper) renew(ctx context.Context, f *flight) {
	f.token, f.err = t.fetch(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.err == nil {
		t.token = f.token
	}
	t.flight = nil
	close(f.done)
}

func (t *tokenTripper) fetch(ctx context.Context) (*accessToken, error) {
	if t.grant != nil {
		return t.grant.fetch(ctx, t.client)
	}
	secret, err := t.client.vault.Reveal(t.auth.Secret)
	if err != nil {
		return nil, &Error{Kind: Unwell, Err: fmt.Errorf("client secret: %w", err)}
	}
	config := clientcredentials.Config{ClientID: t.auth.ID, ClientSecret: secret, TokenURL: t.auth.TokenURL, Scopes: t.auth.Scopes, AuthStyle: oauth2.AuthStyleInParams}
	if t.owner != nil {
		if config.EndpointParams, err = t.owner.params(t.client.vault); err != nil {
			return nil, err
		}
	}
	asked := t.client.now()
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client.HTTP()))
	if err != nil {
		return nil, t.fault(err)
	}
	return &accessToken{Token: token, until: renewAt(asked, lifetime(token))}, nil
}

// lifetime is how long a token is good for, 0 where the token server does not say.
func lifetime(token *oauth2.Token) time.Duration {
	if token.Expiry.IsZero() {
		return 0
	}
	return max(time.Until(token.Expiry), time.Second)
}

// renewAt leaves a minute, or a quarter of a short life, for the call the token is used in.
func renewAt(asked time.Time, life time.Duration) time.Time {
	if life == 0 {
		return time.Time{}
	}
	return asked.Add(life - min(time.Minute, life/4))
}

func (t *tokenTripper) drop(used *accessToken) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == used {
		t.token = nil
	}
}

// fault says what a refused or failed token request means: nothing was sent to the vendor's own API. The token
// server's text is left out, it may repeat what it was sent.
func (t *tokenTripper) fault(err error) *Error {
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok && r.Response != nil {
		e := t.client.Classify("get access token", r.Response, nil, refusal(r))
		e.Sent = false
		if e.Kind == Permanent {
			e.Kind = Unwell
		}
		return e
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return &Error{Kind: e.Kind, Status: e.Status, RetryAfter: e.RetryAfter, Err: fmt.Errorf("get access token: %w", e.Err)}
	}
	return &Error{Kind: Temporary, Err: errors.New("get access token: the answer holds no access token")}
}

// refusal words a refusal by the codes of RFC 6749 section 5.2, the only part of it that cannot hold anything else. Some
// servers refuse with 200 and a code of their own.
func refusal(r *oauth2.RetrieveError) string {
	switch r.ErrorCode {
	case "invalid_client", "unauthorized_client", "invalid_grant", "invalid_scope", "invalid_request", "unsupported_grant_type":
		return "the token server refused: " + r.ErrorCode
	}
	switch r.Response.StatusCode {
	case http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return "the token server refused the client id or secret"
	}
	return ""
}
