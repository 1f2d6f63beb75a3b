// Package api is the HTTP edge: the front door for vendors under /in, the API under /api/v1, the console's page and
// what operations needs. Handlers read, ask the gateway and write; one error handler turns every error into
// problem+json. No type of the HTTP framework leaves this package.
package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Options are what the edge is made of.
type Options struct {
	Gateway *gateway.Gateway
	Store   *store.Store
	Page    fs.FS    // the console's files
	Token   [32]byte // SHA-256 of the bootstrap token
	Log     *slog.Logger
	Proxies []netip.Prefix // whose X-Forwarded-For is believed; none: the peer's address counts
	Version string

	SignIn *signin.Provider // where people sign in who answer by a link; nil: nobody can
}

type server struct {
	Options
}

// New returns the handler of everything Drawbridge serves.
func New(o Options) http.Handler {
	s := &server{o}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	e.IPExtractor = echo.ExtractIPDirect()
	if len(o.Proxies) > 0 {
		trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
		for _, p := range o.Proxies {
			_, network, _ := net.ParseCIDR(p.String())
			trust = append(trust, echo.TrustIPRange(network))
		}
		e.IPExtractor = echo.ExtractIPFromXFFHeader(trust...)
	}
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{LogErrorFunc: func(_ echo.Context, err error, stack []byte) error {
		s.Log.Error("handler panicked", "error", err, "stack", string(stack))
		return err
	}}))
	e.Use(securityHeaders)

	e.Any("/in/:connection", s.inbound)
	e.Any("/in/:connection/:token", s.inbound)
	e.Any("/oauth/token", s.token)

	read := []string{http.MethodGet, http.MethodHead}
	e.Match(read, "/healthz", s.healthy)
	e.Match(read, "/readyz", s.ready)

	// Not as a group: its own catch-all would answer a wrong method with 404.
	e.Match(read, "/api/v1/cases", s.cases, s.signedIn)
	e.Match(read, "/api/v1/cases/:id", s.oneCase, s.signedIn)
	e.Match(read, "/api/v1/connections", s.connections, s.signedIn)
	e.Match(read, "/api/v1/connections/:connection", s.oneConnection, s.signedIn)
	e.DELETE("/api/v1/connections/:connection", s.deleteConnection, s.signedIn)
	e.Match(read, "/api/v1/connections/:connection/sample", s.samples, s.signedIn)
	e.POST("/api/v1/connections/:connection/sample", s.sendSample, s.signedIn)
	e.POST("/api/v1/connections/:connection/test", s.testConnection, s.signedIn)
	e.POST("/api/v1/connections/:connection/state", s.setState, s.signedIn)
	e.POST("/api/v1/connections/:connection/clear-queue", s.clearQueue, s.signedIn)
	e.Match(read, "/api/v1/connections/:connection/credentials", s.credentials, s.signedIn)
	e.POST("/api/v1/connections/:connection/secrets", s.makeSecret, s.signedIn)
	e.DELETE("/api/v1/connections/:connection/secrets/:mark", s.dropSecret, s.signedIn)
	e.DELETE("/api/v1/connections/:connection/tokens", s.revokeTokens, s.signedIn)
	e.Match(read, "/api/v1/notices", s.notices, s.signedIn)
	e.POST("/api/v1/notices/:id/close", s.closeNotice, s.signedIn)

	e.Match(read, gateway.VotePath+":token", s.ballot)
	e.POST(gateway.VotePath+":token", s.vote)
	if s.SignIn != nil {
		e.GET(signInPath, s.beginSignIn)
		e.GET(signin.CallbackPath, s.finishSignIn)
		e.POST(signOutPath, s.signOut)
	}

	e.Match(read, everythingElse, s.page)
	return e
}

const everythingElse = "/*"

// file finds a file of the console for a request's path.
func (s *server) file(c echo.Context) (name string, ok bool) {
	name = cmp.Or(strings.TrimPrefix(c.Request().URL.Path, "/"), "index.html")
	info, err := fs.Stat(s.Page, name)
	return name, err == nil && !info.IsDir()
}

// page serves the console. It is looked up first, so that what is not there is answered as everywhere.
func (s *server) page(c echo.Context) error {
	name, ok := s.file(c)
	if !ok {
		return echo.ErrNotFound
	}
	c.Response().Header().Set("Cache-Control", "no-cache") // an upgrade shows at once
	http.ServeFileFS(c.Response(), c.Request(), s.Page, name)
	return nil
}

func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		return next(c)
	}
}

// problem is an RFC 9457 error. It never holds a secret, a stack or what was sent.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"` // of a fault of ours: stands in the log as well
}

// fail is the one place where errors become answers. Outsiders see a message, the log sees the cause.
func (s *server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if r, ok := errors.AsType[*gateway.TokenRefusal](err); ok {
		s.refuseToken(c, r)
		return
	}
	p := problem{Type: "about:blank", Status: http.StatusInternalServerError, Detail: "something went wrong here; please try again"}
	refusal, refused := errors.AsType[*gateway.Refusal](err)
	if refused {
		p.Status, p.Detail = refusal.Status, refusal.Text
	} else if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		p.Status = he.Code
		if _, ok := s.file(c); p.Status == http.StatusMethodNotAllowed && c.Path() == everythingElse && !ok {
			p.Status = http.StatusNotFound // for any method
			c.Response().Header().Del("Allow")
		}
		p.Detail = details[p.Status]
	} else if errors.Is(err, store.ErrNotFound) {
		p.Status, p.Detail = http.StatusNotFound, "there is no such thing"
	} else if c.Request().Context().Err() != nil {
		return // nobody is listening any more
	}
	p.Title = http.StatusText(p.Status)
	log := s.Log.With("route", c.Path(), "connection", c.Param("connection"), "status", p.Status, "peer", c.RealIP())
	if refused && refusal.Cause != nil {
		log = log.With("cause", refusal.Cause)
	}
	if p.Status >= http.StatusInternalServerError {
		p.Instance = "urn:uuid:" + store.NewID()
		log.Error("request failed", "error", err, "instance", p.Instance)
	} else if refused {
		log.Warn("request refused", "reason", refusal.Text)
	}
	if p.Status == http.StatusUnauthorized && c.Response().Header().Get("WWW-Authenticate") == "" {
		challenge := `Basic realm="drawbridge", charset="UTF-8"`
		if refused {
			challenge = cmp.Or(refusal.Challenge, challenge)
		}
		c.Response().Header().Set("WWW-Authenticate", challenge)
	}
	if refused && refusal.Allow != "" {
		c.Response().Header().Set("Allow", refusal.Allow)
	}
	if refused && refusal.RetryAfter > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	}
	body, _ := json.Marshal(p)
	_ = c.Blob(p.Status, "application/problem+json", body)
}

// details say what a bare status does not.
var details = map[int]string{
	http.StatusNotFound:         "there is nothing at this address",
	http.StatusMethodNotAllowed: "this address does not take this method; the Allow header has those it takes",
}

func (s *server) healthy(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok", "version": s.Version})
}

func (s *server) ready(c echo.Context) error {
	if _, err := s.Store.CatalogueVersion(c.Request().Context()); err != nil {
		return &gateway.Refusal{Status: http.StatusServiceUnavailable, Text: "the database does not answer", Cause: err}
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ready"})
}
