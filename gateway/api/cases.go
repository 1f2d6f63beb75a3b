package api

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
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
		scheme, token, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
		given := sha256.Sum256([]byte(token))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(given[:], s.Token[:]) != 1 {
			// Not Basic: a browser would ask for a password in a window of its own.
			c.Response().Header().Set("WWW-Authenticate", `Bearer realm="drawbridge"`)
			return &gateway.Refusal{Status: http.StatusUnauthorized, Text: "sign in with the token printed at first start"}
		}
		c.Response().Header().Set("Cache-Control", "no-store")
		return next(c)
	}
}

const (
	pageSize    = 50
	longestPage = 200
)

func (s *server) cases(c echo.Context) error {
	limit, err := strconv.Atoi(cmp.Or(c.QueryParam("limit"), strconv.Itoa(pageSize)))
	if err != nil || limit < 1 || limit > longestPage {
		return &gateway.Refusal{Status: http.StatusBadRequest, Text: fmt.Sprintf("limit is a number from 1 to %d", longestPage)}
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
