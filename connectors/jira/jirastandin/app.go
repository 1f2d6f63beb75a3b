package jirastandin

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// App is a program that gets access tokens: a service account by client credentials, or an app somebody consented to by
// a refresh token, which changes with each use.
type App struct {
	ID, Secret string
	Refresh    string        // the refresh token a person's consent gave; empty: there was no consent
	Account    string        // whom calls are made for; default acc-bridge
	Life       time.Duration // of an access token; default 1h
	Scopes     []string      // default AllScopes
}

// CloudID is what the gateway knows this Jira by: its calls go to /ex/jira/CloudID.
const CloudID = "11111111-2222-3333-4444-555555555555"

// AllScopes are the classic scopes there are.
func AllScopes() []string {
	return []string{
		"read:jira-user", "read:jira-work", "write:jira-work", "read:servicedesk-request", "write:servicedesk-request", "manage:jira-webhook",
	}
}

const (
	cloudTokens      = "/oauth/token"
	dataCenterTokens = "/rest/oauth2/latest/token"
	gatewayPath      = "/ex/jira/"
)

// app is the app at work.
type app struct {
	App
	refresh string
	tokens  map[string]grant
	hooks   []*dynamicHook
	lastID  int
}

// grant is what an access token is good for.
type grant struct {
	until   time.Time
	consent bool // a person consented; only such an app has webhooks
}

func newApp(o *App) *app {
	if o == nil {
		return nil
	}
	a := &app{App: *o, refresh: o.Refresh, tokens: map[string]grant{}}
	if a.Account == "" {
		a.Account = "acc-bridge"
	}
	if a.Life == 0 {
		a.Life = time.Hour
	}
	if a.Scopes == nil {
		a.Scopes = AllScopes()
	}
	return a
}

// SetScopes leaves the app, and scoped tokens, with these scopes and no others.
func (s *Server) SetScopes(scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.app != nil {
		s.app.Scopes = scopes
	}
	for _, a := range s.accounts {
		if a.Scopes != nil {
			a.Scopes = scopes
		}
	}
}

// Revoke ends all access tokens, and with consent also the refresh token.
func (s *Server) Revoke(consent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.app.tokens)
	if consent {
		s.app.refresh = ""
	}
}

// tokenPath is where access tokens are given out.
func (s *Server) tokenPath() string {
	if s.o.DataCenter {
		return dataCenterTokens
	}
	return cloudTokens
}

// giveToken serves the token endpoint. Cloud takes a form or JSON.
func (s *Server) giveToken(w http.ResponseWriter, r *http.Request) {
	asked := map[string]string{}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/json" && err == nil {
		err = json.Unmarshal(body, &asked)
	} else if form, bad := url.ParseQuery(string(body)); err == nil && bad == nil {
		for name := range form {
			asked[name] = form.Get(name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	same := func(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	refused := func(status int, code, text string) {
		out := s.succeeded(status, map[string]string{"error": code, "error_description": text})
		out.write(w)
	}
	switch a := s.app; {
	case err != nil || r.Method != http.MethodPost:
		refused(http.StatusBadRequest, "invalid_request", "The request cannot be read.")
	case a == nil || !same(asked["client_id"], a.ID) || !same(asked["client_secret"], a.Secret):
		refused(http.StatusUnauthorized, "access_denied", "Unauthorized")
	case asked["grant_type"] == "client_credentials":
		s.succeeded(http.StatusOK, s.issue(false)).write(w)
	case asked["grant_type"] == "refresh_token" && !same(asked["refresh_token"], a.refresh):
		refused(http.StatusForbidden, "unauthorized_client", "refresh_token is invalid")
	case asked["grant_type"] == "refresh_token":
		a.refresh = rand.Text()
		out := s.issue(true)
		out["refresh_token"] = a.refresh
		s.succeeded(http.StatusOK, out).write(w)
	default:
		refused(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant type.")
	}
}

func (s *Server) issue(consent bool) map[string]any {
	token := rand.Text()
	s.app.tokens[token] = grant{until: s.o.Now().Add(s.app.Life), consent: consent}
	return map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": int(s.app.Life / time.Second), "scope": strings.Join(s.app.Scopes, " "),
	}
}

// bearer finds whom an access token calls for, nil where it is not good.
func (s *Server) bearer(token string) (*account, grant) {
	if s.app == nil {
		return nil, grant{}
	}
	g, ok := s.app.tokens[token]
	if !ok || !s.o.Now().Before(g.until) {
		return nil, grant{}
	}
	return s.account(s.app.Account), g
}

// gateway is Atlassian's, before Jira: who calls through it needs a scope for each call.
type gateway struct{ consent bool }

// throughGateway tells whether a call came through the gateway, and returns it as Jira gets it.
func (s *Server) throughGateway(r *http.Request) (*http.Request, *gateway) {
	path, ok := strings.CutPrefix(r.URL.Path, gatewayPath+CloudID)
	if s.o.DataCenter || !ok {
		return r, nil
	}
	out := r.Clone(r.Context())
	out.URL.Path, out.URL.RawPath = path, strings.TrimPrefix(r.URL.RawPath, gatewayPath+CloudID)
	return out, &gateway{}
}

// signInByGateway finds out who calls by an access token or a scoped one, and whether it is good for this call.
func (c *call) signInByGateway(rt route) (reason string, err error) {
	var scopes []string
	if user, token, basic := c.req.BasicAuth(); basic {
		for _, a := range c.s.accounts {
			if a.Scopes != nil && a.Token == token && a.Mail == user && !a.Inactive {
				c.me, scopes = a, a.Scopes
			}
		}
	} else {
		token, _ := strings.CutPrefix(c.req.Header.Get("Authorization"), "Bearer ")
		var g grant
		if c.me, g = c.s.bearer(token); c.me != nil {
			scopes, c.gateway.consent = c.s.app.Scopes, g.consent
		}
	}
	if c.me == nil {
		return "", refuseAtGateway("Unauthorized")
	}
	c.view.zone = c.me.zone
	if !slices.Contains(scopes, rt.scope()) {
		return "", refuseAtGateway("Unauthorized; scope does not match")
	}
	return "OK", nil
}

func refuseAtGateway(text string) error {
	return &fault{status: http.StatusUnauthorized, text: fmt.Sprintf(`{"code":401,"message":%q}`, text)}
}

// scope is the classic scope a call needs.
func (rt route) scope() string {
	verb := "read:"
	if rt.writes {
		verb = "write:"
	}
	switch {
	case strings.HasPrefix(rt.op, "webhook"):
		return "manage:jira-webhook"
	case rt.pattern[2] == "servicedeskapi":
		return verb + "servicedesk-request"
	case slices.Contains([]string{"myself", "user", "members", "people", "groups"}, rt.op):
		return "read:jira-user"
	default:
		return verb + "jira-work"
	}
}
