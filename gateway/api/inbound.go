package api

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/netip"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// inbound is the front door for tools and desks alike: /in/{connection}, with the token as last part of the path for
// tools that can only be given a URL.
func (s *server) inbound(c echo.Context) error {
	name := c.Param("connection")
	limit, ok := s.Gateway.MaxBody(name)
	if !ok {
		limit = 1 << 20 // Accept says what is wrong with the name
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, limit))
	if err != nil {
		return unreadable(err, "the body is larger than this connection takes")
	}
	req := c.Request()
	peer, _ := netip.ParseAddr(c.RealIP())
	accepted, err := s.Gateway.Accept(req.Context(), name, c.Param("token"), connectors.Request{
		Method: req.Method, URL: req.URL, Header: req.Header, Body: body, Peer: peer,
		Certificate: certificate(req), Proxied: s.proxied(req),
	})
	if err != nil {
		return err
	}
	if r := accepted.Response; r != nil {
		for name, values := range r.Header {
			c.Response().Header()[name] = values
		}
		return c.Blob(r.Status, r.Header.Get("Content-Type"), r.Body)
	}
	return c.JSON(accepted.Status, accepted)
}

// certificate is the client's, where our own listener verified it.
func certificate(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0 {
		return nil
	}
	return r.TLS.VerifiedChains[0][0]
}

// proxied tells whether whoever is at the other end of the wire is a proxy we trust.
func (s *server) proxied(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	addr := peer.Addr().Unmap().WithZone("")
	return err == nil && slices.ContainsFunc(s.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}
