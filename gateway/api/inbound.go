package api

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway"
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
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return &gateway.Refusal{Status: http.StatusRequestEntityTooLarge, Text: "the body is larger than this connection takes"}
		}
		return &gateway.Refusal{Status: http.StatusBadRequest, Text: "the body could not be read to its end", Cause: err}
	}
	req := c.Request()
	peer, _ := netip.ParseAddr(c.RealIP())
	accepted, err := s.Gateway.Accept(req.Context(), name, c.Param("token"), connectors.Request{
		Method: req.Method, URL: req.URL, Header: req.Header, Body: body, Peer: peer, Time: time.Now(),
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
