// Package signin lets people sign in at their organisation's own identity provider, by OpenID Connect. It says who
// somebody is, by a mail address that the provider has verified, and nothing of what they may do.
//
//	Begin    a state, a nonce and a PKCE verifier, sealed in a cookie of this browser; the address to send it to
//	Finish   the same browser comes back: state, code, ID token, nonce and mail are checked; a session begins
//	Who      the person of a session; the store knows the session's hash only
//	End      the session is over
//
// The provider is asked for its keys and addresses when somebody first signs in, and again after it did not answer: that
// it is away keeps nobody from starting.
package signin

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// CallbackPath is where the provider sends people back to, below the base URL.
const CallbackPath = "/auth/callback"

const (
	sessionFor = 8 * time.Hour

	// AttemptFor is how long somebody may take to sign in.
	AttemptFor = 10 * time.Minute
)

// OtherAccount has the provider ask which account is meant, where it would go on with the one it remembers.
const OtherAccount = "select_account"

// Options are what a Provider is made of.
type Options struct {
	Issuer   string // its URL, as it stands in its tokens
	ClientID string
	Secret   connectors.Secret
	BaseURL  string // where people reach us
	AnyMail  bool   // believe a mail address of which the provider does not say that it was verified
	Store    *store.Store
	Vault    *connectors.Vault
	Now      func() time.Time // nil: the clock
}

// Provider is where people sign in.
type Provider struct {
	Options
	client *http.Client
	asked  discovery
}

// Person is somebody who signed in.
type Person struct {
	Mail string
	Name string
}

// Refused is why somebody was not signed in, in words for them.
type Refused struct {
	Text  string
	Cause error // for our log
}

func (r *Refused) Error() string { return r.Text }
func (r *Refused) Unwrap() error { return r.Cause }

// New checks the settings. It asks the provider nothing.
func New(o Options) (*Provider, error) {
	var faults []error
	fault := func(setting, text string) {
		if text != "" {
			faults = append(faults, fmt.Errorf("%s %s", setting, text))
		}
	}
	fault("--oidc-issuer", connectors.AddressFault(o.Issuer))
	if o.ClientID == "" {
		fault("--oidc-client-id", "is missing")
	}
	if o.BaseURL == "" {
		fault("--base-url", "is missing: the identity provider sends people back to it")
	} else {
		fault("--base-url", connectors.SiteFault(strings.TrimSuffix(o.BaseURL, "/")))
	}
	if len(o.Vault.Keys) == 0 {
		fault("--key-file", "is missing: what a browser keeps while somebody signs in is sealed with it")
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	host, _ := url.Parse(o.Issuer) // has been parsed above
	client, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{host.Hostname()}, MaxResponse: 1 << 20}, o.Vault, o.Now)
	if err != nil {
		return nil, fmt.Errorf("reach identity provider: %w", err)
	}
	return &Provider{Options: o, client: client.HTTP()}, nil
}

// Ping asks whether the provider is there. The error is for who runs the server.
func (p *Provider) Ping(ctx context.Context) error {
	_, err := p.known(ctx)
	if refused, ok := errors.AsType[*Refused](err); ok {
		return refused.Cause
	}
	return err
}

// Secure tells whether cookies are for https only.
func (p *Provider) Secure() bool { return strings.HasPrefix(p.BaseURL, "https:") }

// started is what this browser keeps while somebody signs in.
type started struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	To       string    `json:"to"`
	Until    time.Time `json:"until"`
}

// returns are the pages somebody may be brought back to: our own, by a path that no browser takes for anything else.
var returns = regexp.MustCompile(`^/vote/[A-Za-z0-9._-]{1,800}$`)

// Own is a path that somebody may be brought back to, or the first page where it is none of these.
func Own(path string) string {
	if returns.MatchString(path) {
		return path
	}
	return "/"
}

// Begin returns where to send a browser that wants to come back to a page of ours, and what it has to keep until then,
// under a name of its own for each attempt. The prompt is OtherAccount, or empty.
func (p *Provider) Begin(ctx context.Context, to, prompt string) (address, name, kept string, err error) {
	known, err := p.known(ctx)
	if err != nil {
		return "", "", "", err
	}
	s := started{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), To: Own(to), Until: p.Now().Add(AttemptFor)}
	text, err := json.Marshal(s)
	if err != nil {
		return "", "", "", fmt.Errorf("begin to sign in: %w", err)
	}
	if kept, err = p.Vault.Seal(string(text)); err != nil {
		return "", "", "", fmt.Errorf("begin to sign in: %w", err)
	}
	config, err := p.config(known)
	if err != nil {
		return "", "", "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(s.Nonce), oauth2.S256ChallengeOption(s.Verifier)}
	if prompt != "" {
		options = append(options, oauth2.SetAuthURLParam("prompt", prompt))
	}
	return config.AuthCodeURL(s.State, options...), Attempt(s.State), kept, nil
}

// Attempt names what a browser keeps for one attempt to sign in, by the state it comes back with.
func Attempt(state string) string { return attempt + hashOf(state)[:12] }

const attempt = "drawbridge-signin-"

// IsAttempt tells whether a browser keeps something by this name for an attempt to sign in.
func IsAttempt(name string) bool { return strings.HasPrefix(name, attempt) }

// config is this client at the provider. A public client has no secret.
func (p *Provider) config(known *oidc.Provider) (*oauth2.Config, error) {
	c := &oauth2.Config{ClientID: p.ClientID, Endpoint: known.Endpoint(), RedirectURL: p.BaseURL + CallbackPath, Scopes: []string{oidc.ScopeOpenID, "email", "profile"}}
	if p.Secret.IsZero() {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		return c, nil
	}
	var err error
	if c.ClientSecret, err = p.Vault.Reveal(p.Secret); err != nil {
		return nil, fmt.Errorf("client secret of the identity provider: %w", err)
	}
	return c, nil
}

// again is what is said of every attempt that cannot be told from a forged one.
func again(cause string) error {
	return &Refused{Text: "Signing in did not work: it took too long, or was begun in another browser. Please follow your link again.", Cause: errors.New(cause)}
}

// Finish takes a browser back that the provider sent, with what it kept. It returns the token of a session, which only
// the browser keeps, and the page to go on to.
func (p *Provider) Finish(ctx context.Context, kept string, q url.Values) (token, to string, err error) {
	var s started
	text, err := p.Vault.Open(kept)
	if err != nil || json.Unmarshal([]byte(text), &s) != nil || s.State == "" {
		return "", "", again("the browser does not know of it")
	}
	switch {
	case !same(s.State, q.Get("state")):
		return "", "", again("the state is another")
	case !p.Now().Before(s.Until):
		return "", "", again("it took too long")
	case q.Get("error") != "":
		return "", "", &Refused{Text: "Your identity provider did not let you in.", Cause: fmt.Errorf("the identity provider says %s", connectors.Clean(q.Get("error"), 100))}
	case q.Has("iss") && q.Get("iss") != p.Issuer:
		return "", "", again("another identity provider answered")
	}
	who, err := p.redeem(ctx, q.Get("code"), s)
	if err != nil {
		return "", "", err
	}
	token = random()
	now := p.Now()
	err = p.Store.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.AddSession(ctx, store.Session{Hash: hashOf(token), Person: who.Mail, Name: who.Name, CreatedAt: now, ExpiresAt: now.Add(sessionFor)}); err != nil {
			return err
		}
		return tx.Record(ctx, store.Entry{At: now, Kind: "session.begun", Subject: who.Mail, Content: map[string]any{"name": who.Name, "issuer": p.Issuer}})
	})
	if err != nil {
		return "", "", fmt.Errorf("begin session: %w", err)
	}
	return token, s.To, nil
}

// redeem turns a code into who came with it.
func (p *Provider) redeem(ctx context.Context, code string, s started) (Person, error) {
	refuse := func(text string, cause error) (Person, error) { return Person{}, &Refused{Text: text, Cause: cause} }
	known, err := p.known(ctx)
	if err != nil {
		return Person{}, err
	}
	config, err := p.config(known)
	if err != nil {
		return Person{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(s.Verifier))
	if err != nil {
		return refuse("Your identity provider did not confirm that you signed in. Please follow your link again.", withoutBody("redeem code", err))
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := known.Verifier(&oidc.Config{ClientID: p.ClientID, Now: p.Now}).Verify(ctx, raw)
	if err != nil {
		return refuse("Your identity provider's answer cannot be trusted.", withoutBody("verify ID token", err))
	}
	if !same(s.Nonce, id.Nonce) {
		return refuse("Your identity provider's answer cannot be trusted.", errors.New("the nonce of the ID token is another"))
	}
	var c claims
	if err := id.Claims(&c); err != nil {
		return refuse("Your identity provider's answer cannot be read.", errors.New("the claims of the ID token cannot be read"))
	}
	if c.Mail == "" && known.UserInfoEndpoint() != "" {
		info, err := known.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
		if err != nil || info.Subject != id.Subject || info.Claims(&c) != nil {
			return refuse("Your identity provider does not say what your mail address is.", withoutBody("read user info", err))
		}
	}
	switch {
	case c.Mail == "":
		return refuse("Your identity provider does not say what your mail address is.", errors.New("no claim email"))
	case !bool(c.Verified) && !p.AnyMail:
		return refuse("Your identity provider does not say that your mail address is verified, so it proves nothing here.", errors.New("email_verified is not true"))
	case strings.ContainsFunc(c.Mail, unfit) || len(c.Mail) > 254:
		return refuse("Your mail address cannot be used here.", errors.New("the claim email is no plain address"))
	}
	return Person{Mail: c.Mail, Name: connectors.Clean(cmp.Or(c.Name, c.Mail), 200)}, nil
}

// unfit are characters that no address of ours holds; those outside ASCII may look like others.
func unfit(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`,;<>()"\`, r) }

// claims are what is read of who somebody is. Some providers write the truth as text.
type claims struct {
	Mail     string `json:"email"`
	Verified truth  `json:"email_verified"`
	Name     string `json:"name"`
}

type truth bool

func (t *truth) UnmarshalJSON(text []byte) error {
	*t = string(text) == "true" || string(text) == `"true"`
	return nil
}

// withoutBody keeps of an error what holds nothing of what was sent or answered.
func withoutBody(doing string, err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.Response != nil {
		return fmt.Errorf("%s: HTTP %d %s", doing, e.Response.StatusCode, connectors.Clean(e.ErrorCode, 100))
	}
	if e, ok := errors.AsType[*connectors.Error](err); ok {
		return fmt.Errorf("%s: %w", doing, e)
	}
	if err == nil {
		return fmt.Errorf("%s: the answer is somebody else's, or no answer", doing)
	}
	return fmt.Errorf("%s: the answer is not as it should be", doing)
}

// ErrNobody is what Who returns for a session that is unknown or over.
var ErrNobody = errors.New("nobody is signed in")

// Who is whose session a token is of.
func (p *Provider) Who(ctx context.Context, token string) (Person, error) {
	if token == "" {
		return Person{}, ErrNobody
	}
	s, err := p.Store.Session(ctx, hashOf(token), p.Now())
	if errors.Is(err, store.ErrNotFound) {
		return Person{}, ErrNobody
	}
	return Person{Mail: s.Person, Name: s.Name}, err
}

// End ends a session.
func (p *Provider) End(ctx context.Context, token string) error {
	who, err := p.Who(ctx, token)
	if err != nil {
		return err
	}
	return p.Store.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.EndSession(ctx, hashOf(token)); err != nil {
			return err
		}
		return tx.Record(ctx, store.Entry{At: p.Now(), Kind: "session.ended", Subject: who.Mail, Content: map[string]any{}})
	})
}

// Form is what a form on a page must carry so that it was this session's own page that was sent.
func Form(token, page string) string { return hashOf("form\x00" + token + "\x00" + page) }

// IsForm tells whether a form carries what it must.
func IsForm(token, page, given string) bool { return token != "" && same(Form(token, page), given) }

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func random() string {
	bytes := make([]byte, 32)
	_, _ = rand.Read(bytes) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(bytes)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
