package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// signedIn lets through who bears the bootstrap token.
func (s *server) signedIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		token, ok := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
		given := sha256.Sum256([]byte(token))
		if !ok || subtle.ConstantTimeCompare(given[:], s.Token[:]) != 1 {
			return &gateway.Refusal{Status: http.StatusUnauthorized, Text: "sign in with the token printed at first start"}
		}
		c.Response().Header().Set("Cache-Control", "no-store")
		return next(c)
	}
}

const pageSize = 50

func (s *server) cases(c echo.Context) error {
	limit, err := strconv.Atoi(c.QueryParam("limit"))
	if err != nil || limit < 1 || limit > 200 {
		limit = pageSize
	}
	list, err := s.Gateway.Cases(c.Request().Context(), store.CaseFilter{
		State: c.QueryParam("state"), Connection: c.QueryParam("connection"), Text: c.QueryParam("text"), Before: c.QueryParam("before"), Limit: limit,
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, list)
}

func (s *server) oneCase(c echo.Context) error {
	view, err := s.Gateway.Case(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, view)
}
