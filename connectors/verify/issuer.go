package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

const (
	defaultSkew  = time.Minute
	longestSkew  = 10 * time.Minute
	keysFor      = 10 * time.Minute // then the issuer is asked again: a key it withdrew is not good for ever
	keysAtMost   = 24 * time.Hour   // while it does not answer
	askAgain     = 5 * time.Second  // after it did not answer
	keysApart    = time.Second      // whatever tokens make us look for keys
	longestToken = 16 << 10
)

// algorithms are those with a public key: a secret one could be found in what the issuer publishes.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

func issuerFaults(c *connectors.IssuerCheck, wrong func(format string, args ...any)) {
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		wrong("issuer.url is empty")
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "https" && u.Scheme != "http"):
		wrong("issuer.url is no https address")
	case u.Scheme == "http" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1":
		wrong("issuer.url is http; keys read over it could be anybody's")
	}
	if c.Audience == "" {
		wrong("issuer.audience is empty")
	}
	if c.Subject == "" && len(c.Claims) == 0 {
		wrong("issuer.subject is empty, and there are no claims; everybody with a token for this audience would do")
	}
	for name, text := range c.Claims {
		if name == "" || text == "" {
			wrong("issuer.claims holds an empty one")
		}
	}
	if c.Skew < 0 || c.Skew > longestSkew {
		wrong("issuer.skew is at most %s", longestSkew)
	}
}

// issuer verifies the tokens of an outside issuer. It finds its keys when they are first needed and keeps them.
type issuer struct {
	check  connectors.IssuerCheck
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	current *keys
	asking  bool // somebody renews current
	tried   time.Time
	fault   error
}

// keys are what the issuer signs with.
type keys struct {
	verifier *oidc.IDTokenVerifier
	source   *spaced
	since    time.Time
}

func newIssuer(c connectors.IssuerCheck, env Env) *issuer {
	c.Skew = cmp.Or(c.Skew, defaultSkew)
	return &issuer{check: c, now: env.Now, client: env.Client.HTTP()}
}

var errAsked = errors.New("the issuer is being asked for its keys")

func (i *issuer) verify(ctx context.Context, h http.Header) error {
	token, err := bearerToken(h)
	if err != nil {
		return err
	}
	if len(token) > longestToken || strings.Count(token, ".") != 2 {
		return forged("the bearer token is no JWT")
	}
	keys, err := i.open(ctx)
	if err != nil {
		return err
	}
	read, err := keys.verifier.Verify(ctx, token)
	if err != nil {
		if fault := keys.source.failing(); fault != nil {
			return fmt.Errorf("read keys of issuer: %w", fault) // it may be signed with a key we could not see
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return forged("the token is not signed with a key of the issuer")
	}
	return i.claims(read)
}

// claims looks at what a token says whose signature is good.
func (i *issuer) claims(t *oidc.IDToken) error {
	var all map[string]any
	if err := t.Claims(&all); err != nil {
		return forged("the token's claims cannot be read")
	}
	now := i.now()
	switch {
	case t.Issuer != i.check.URL:
		return forged("the token is of another issuer")
	case !slices.Contains(t.Audience, i.check.Audience):
		return forged("the token is for another audience")
	case t.Expiry.IsZero():
		return forged("the token has no end")
	case now.After(t.Expiry.Add(i.check.Skew)):
		return forged("the token has expired")
	case i.check.Subject != "" && !SameText(t.Subject, i.check.Subject):
		return forged("the token is for another subject")
	}
	if before, there := all["nbf"]; there {
		seconds, ok := before.(float64)
		if !ok || now.Add(i.check.Skew).Before(time.Unix(int64(seconds), 0)) {
			return forged("the token is not valid yet")
		}
	}
	for name, want := range i.check.Claims {
		if !claims(name, all[name], want) {
			return forged("the token's claim %s is missing or another", name)
		}
	}
	return nil
}

// claims tells whether a claim says what is wanted: as a text, as one of a list, or as a word of a scope.
func claims(name string, has any, want string) bool {
	switch has := has.(type) {
	case string:
		return has == want || (name == "scope" || name == "scp") && slices.Contains(strings.Fields(has), want)
	case []any:
		return slices.Contains(has, any(want))
	default:
		return false
	}
}

// open returns the issuer's keys. The first that needs them asks; later one renews them while others go on with what
// there is, also when the issuer does not answer.
func (i *issuer) open(ctx context.Context) (*keys, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	if i.current != nil && now.Sub(i.current.since) < keysFor {
		return i.current, nil
	}
	usable := i.current != nil && now.Sub(i.current.since) < keysAtMost
	if i.fault != nil && now.Sub(i.tried) < askAgain || i.asking {
		if usable {
			return i.current, nil
		}
		return nil, cmp.Or(i.fault, errAsked)
	}
	i.tried = now
	if usable {
		i.asking = true
		i.mu.Unlock()
	}
	fresh, err := i.discover(context.WithoutCancel(ctx)) // for all who wait; the client has a deadline of its own
	if usable {
		i.mu.Lock()
		i.asking = false
	}
	if i.fault = err; err == nil {
		i.current = fresh
	} else if !usable {
		return nil, err
	}
	return i.current, nil
}

// discover reads where the issuer keeps its keys, and the keys. Its texts are left out of errors.
func (i *issuer) discover(ctx context.Context) (*keys, error) {
	ctx = oidc.ClientContext(ctx, i.client)
	provider, err := oidc.NewProvider(ctx, i.check.URL)
	if err != nil {
		return nil, fmt.Errorf("discover issuer: %w", plainly(err))
	}
	var found struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&found); err != nil || found.Keys == "" {
		return nil, errors.New("discover issuer: it names no keys")
	}
	if strings.HasPrefix(i.check.URL, "https://") && !strings.HasPrefix(found.Keys, "https://") {
		return nil, errors.New("discover issuer: its keys are not at an https address")
	}
	source := &spaced{next: i.client, now: i.now}
	if err := source.prime(ctx, found.Keys); err != nil {
		return nil, fmt.Errorf("read keys of issuer: %w", err)
	}
	set := oidc.NewRemoteKeySet(oidc.ClientContext(ctx, &http.Client{Transport: source}), found.Keys)
	// The signature is checked here, claims in our own words.
	verifier := oidc.NewVerifier(i.check.URL, set, &oidc.Config{
		SupportedSigningAlgs: algorithms, SkipClientIDCheck: true, SkipExpiryCheck: true, SkipIssuerCheck: true,
	})
	return &keys{verifier: verifier, source: source, since: i.now()}, nil
}

func plainly(err error) error {
	if mismatch, ok := errors.AsType[*oidc.IssuerMismatchError](err); ok {
		return fmt.Errorf("it calls itself %q; set issuer.url to that", connectors.Clean(mismatch.Discovered, 200))
	}
	if e, ok := errors.AsType[*connectors.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return connectors.FromExchange(e)
	}
	return errors.New("it answers no OpenID Connect discovery document")
}

// spaced keeps an answer for a moment, and for longer where a newer one cannot be had: whoever sends tokens with wrong
// signatures makes the key set ask for keys.
type spaced struct {
	next *http.Client
	now  func() time.Time

	mu    sync.Mutex
	at    time.Time
	body  []byte
	fault error
}

// prime reads the keys, so that a set begins with some.
func (s *spaced) prime(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("their address is not valid")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read(req)
}

// failing is why the last try to read the keys came to nothing; nil when it did not.
func (s *spaced) failing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// RoundTrip answers for the issuer.
func (s *spaced) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now().Sub(s.at) >= keysApart {
		_ = s.read(req) // what there was before is still good
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(s.body)),
	}, nil
}

func (s *spaced) read(req *http.Request) error {
	s.at = s.now()
	resp, err := s.next.Do(req.Clone(req.Context()))
	if err != nil {
		s.fault = connectors.FromExchange(err)
		return s.fault
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		s.fault = connectors.FromExchange(err)
	case resp.StatusCode != http.StatusOK:
		s.fault = fmt.Errorf("it answers HTTP %d", resp.StatusCode)
	default:
		s.body, s.fault = body, nil
	}
	return s.fault
}
