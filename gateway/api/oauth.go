package api

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-itsm/drawbridge/gateway"
)

// maxTokenRequest is more than any grant has to say.
const maxTokenRequest = 16 << 10

// token is our token endpoint: POST /oauth/token, as RFC 6749 has it, for the client credentials and the password grant.
// What is wrong with a request is answered in the words of its section 5.2; everything else as everywhere.
func (s *server) token(c echo.Context) error {
	if c.Request().Method != http.MethodPost {
		c.Response().Header().Set("Allow", http.MethodPost)
		return echo.ErrMethodNotAllowed
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Pragma", "no-cache")
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxTokenRequest))
	if err != nil {
		return unreadable(err, "the body is larger than a token request is")
	}
	asked, err := tokenRequest(c.Request(), string(body))
	if err != nil {
		return err
	}
	asked.Peer, _ = netip.ParseAddr(c.RealIP())
	answer, err := s.Gateway.Token(c.Request().Context(), asked)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

func unreadable(err error, tooLarge string) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &gateway.Refusal{Status: http.StatusRequestEntityTooLarge, Text: tooLarge}
	}
	return &gateway.Refusal{Status: http.StatusBadRequest, Text: "the body could not be read to its end", Cause: err}
}

// ofTokenRequest are the parameters that count. Others are ignored, as RFC 6749 wants; so is scope: there is one thing a
// token can do.
var ofTokenRequest = []string{"grant_type", "client_id", "client_secret", "username", "password"}

// tokenRequest reads a request in either way of client authentication: HTTP Basic, or in the body.
func tokenRequest(r *http.Request, body string) (gateway.TokenRequest, error) {
	var asked gateway.TokenRequest
	wrong := func(text string) error { return &gateway.TokenRefusal{Code: gateway.InvalidRequest, Text: text} }
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != echo.MIMEApplicationForm {
		return asked, wrong("the body has to be application/x-www-form-urlencoded")
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return asked, wrong("the body cannot be read as a form")
	}
	for _, name := range ofTokenRequest {
		if len(form[name]) > 1 {
			return asked, wrong(name + " is there more than once")
		}
		if r.URL.Query().Has(name) {
			return asked, wrong("parameters belong into the body, not into the URL")
		}
	}
	asked.Way, asked.ClientID, asked.User = form.Get("grant_type"), form.Get("client_id"), form.Get("username")
	asked.Secrets, asked.Passwords = given(form.Get("client_secret")), given(form.Get("password"))
	if r.Header.Get("Authorization") != "" {
		id, secrets, ok := basicClient(r.Header)
		switch {
		case !ok:
			return asked, &gateway.TokenRefusal{Code: gateway.InvalidClient, Text: "header Authorization holds no Basic credentials"}
		case form.Has("client_secret"):
			return asked, wrong("the client secret is there twice, in the header and in the body")
		case asked.ClientID != "" && asked.ClientID != id:
			return asked, wrong("the client id in the header is another than that in the body")
		}
		asked.ClientID, asked.Secrets = id, secrets
	}
	switch {
	case asked.Way == "":
		return asked, wrong("grant_type is missing")
	case asked.ClientID == "":
		return asked, &gateway.TokenRefusal{Code: gateway.InvalidClient, Text: "client_id is missing"}
	}
	return asked, nil
}

func given(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// basicClient reads the client from the Authorization header. RFC 6749 has both parts form-encoded before they are put
// there; some clients leave that out, and a secret can be read either way.
func basicClient(h http.Header) (id string, secrets []string, ok bool) {
	if len(h.Values("Authorization")) != 1 {
		return "", nil, false
	}
	scheme, text, _ := strings.Cut(h.Get("Authorization"), " ")
	pair, err := base64.StdEncoding.DecodeString(text)
	if !strings.EqualFold(scheme, "Basic") || err != nil {
		return "", nil, false
	}
	id, secret, ok := strings.Cut(string(pair), ":")
	if plain, err := url.QueryUnescape(id); err == nil {
		id = plain
	}
	secrets = given(secret)
	if plain, err := url.QueryUnescape(secret); err == nil && plain != "" && !slices.Contains(secrets, plain) {
		secrets = append(secrets, plain)
	}
	return id, secrets, ok
}

// refuseToken writes an error of RFC 6749.
func (s *server) refuseToken(c echo.Context, r *gateway.TokenRefusal) {
	status := http.StatusBadRequest
	if r.Code == gateway.InvalidClient {
		status = http.StatusUnauthorized
		c.Response().Header().Set("WWW-Authenticate", `Basic realm="drawbridge", charset="UTF-8"`)
	}
	log := s.Log.With("route", c.Path(), "status", status, "peer", c.RealIP(), "code", r.Code)
	if r.Cause != nil {
		log = log.With("cause", r.Cause)
	}
	log.Warn("request refused", "reason", r.Text)
	_ = c.JSON(status, map[string]string{"error": r.Code, "error_description": r.Text})
}

// credentials lists what a connection's sender may prove itself with; none of it is shown.
func (s *server) credentials(c echo.Context) error {
	list, err := s.Gateway.Credentials(c.Request().Context(), c.Param("connection"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"credentials": list})
}

func (s *server) makeSecret(c echo.Context) error {
	var q struct {
		Why string `json:"why"`
	}
	if err := question(c, &q); err != nil {
		return err
	}
	made, err := s.Gateway.MakeSecret(c.Request().Context(), c.Param("connection"), byAPI, q.Why)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, made)
}

func (s *server) dropSecret(c echo.Context) error {
	var q struct {
		Revoke bool   `json:"revoke"`
		Why    string `json:"why"`
	}
	if err := question(c, &q); err != nil {
		return err
	}
	revoked, err := s.Gateway.DropSecret(c.Request().Context(), c.Param("connection"), c.Param("mark"), q.Revoke, byAPI, q.Why)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]int{"revoked": revoked})
}

func (s *server) revokeTokens(c echo.Context) error {
	var q struct {
		Why string `json:"why"`
	}
	if err := question(c, &q); err != nil {
		return err
	}
	revoked, err := s.Gateway.RevokeTokens(c.Request().Context(), c.Param("connection"), byAPI, q.Why)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]int{"revoked": revoked})
}
