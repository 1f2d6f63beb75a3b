// Package api is the HTTP edge: the front door for vendors under /in, the API under /api/v1, the console's page and
// what operations needs. Handlers read, ask the gateway and write; one error handler turns every error into
// problem+json. No type of the HTTP framework leaves this package.
package api

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/drawbridge-itsm/drawbridge/gateway"
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

	e.GET("/healthz", s.healthy)
	e.GET("/readyz", s.ready)

	v1 := e.Group("/api/v1", s.signedIn)
	v1.GET("/cases", s.cases)
	v1.GET("/cases/:id", s.oneCase)

	e.GET("/*", echo.WrapHandler(http.FileServerFS(o.Page)))
	return e
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
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// fail is the one place where errors become answers. Outsiders see a message, the log sees the cause.
func (s *server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := problem{Type: "about:blank", Status: http.StatusInternalServerError, Detail: "something went wrong here; please try again"}
	if refusal, ok := errors.AsType[*gateway.Refusal](err); ok {
		p.Status, p.Detail = refusal.Status, refusal.Text
	} else if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		p.Status, p.Detail = he.Code, ""
	} else if errors.Is(err, store.ErrNotFound) {
		p.Status, p.Detail = http.StatusNotFound, "there is no such thing"
	} else if c.Request().Context().Err() != nil {
		return // nobody is listening any more
	}
	p.Title = http.StatusText(p.Status)
	log := s.Log.With("route", c.Path(), "connection", c.Param("connection"), "status", p.Status, "peer", c.RealIP())
	if p.Status >= http.StatusInternalServerError {
		log.Error("request failed", "error", err)
	} else if refusal, ok := errors.AsType[*gateway.Refusal](err); ok {
		log.Warn("request refused", "reason", refusal.Text, "cause", refusal.Cause)
	}
	if p.Status == http.StatusUnauthorized {
		c.Response().Header().Set("WWW-Authenticate", `Basic realm="drawbridge", charset="UTF-8"`)
	}
	body, _ := json.Marshal(p)
	_ = c.Blob(p.Status, "application/problem+json", body)
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
