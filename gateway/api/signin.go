package api

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
)

const (
	signInPath  = "/auth/sign-in"
	signOutPath = "/auth/sign-out"
)

// sessionCookie names the cookie of a session. Where it can, the name itself has browsers keep it from other hosts.
func (s *server) sessionCookie() string {
	if s.SignIn.Secure() {
		return "__Host-drawbridge"
	}
	return "drawbridge"
}

// setCookie gives a browser what no script and no other site gets to see. It ends with the browser, or at once where the
// value is empty.
func (s *server) setCookie(c echo.Context, name, value string) {
	cookie := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: s.SignIn.Secure(), SameSite: http.SameSiteLaxMode}
	if value == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(cookie)
}

// beginSignIn sends a browser to the identity provider.
func (s *server) beginSignIn(c echo.Context) error {
	address, name, kept, err := s.SignIn.Begin(c.Request().Context(), c.QueryParam("to"))
	if err != nil {
		return s.refuseSignIn(c, http.StatusServiceUnavailable, err)
	}
	s.setCookie(c, name, kept)
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusSeeOther, address)
}

// finishSignIn takes it back. Whoever was signed in with this browser before is not any more.
func (s *server) finishSignIn(c echo.Context) error {
	name, kept := signin.Attempt(c.QueryParam("state")), ""
	if cookie, err := c.Cookie(name); err == nil {
		kept = cookie.Value
	}
	s.setCookie(c, name, "")
	ctx := c.Request().Context()
	token, to, err := s.SignIn.Finish(ctx, kept, c.QueryParams())
	if err != nil {
		return s.refuseSignIn(c, http.StatusForbidden, err)
	}
	if err := s.endSession(c); err != nil {
		return err
	}
	s.setCookie(c, s.sessionCookie(), token)
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusSeeOther, to)
}

func (s *server) refuseSignIn(c echo.Context, status int, err error) error {
	refused, ok := errors.AsType[*signin.Refused](err)
	if !ok {
		return err
	}
	return s.refusePage(c, sheet{}, "", &gateway.Refusal{Status: status, Text: refused.Text, Cause: refused.Cause})
}

// signOut ends the session and goes back to the page it was asked on.
func (s *server) signOut(c echo.Context) error {
	who, token, err := s.visitor(c)
	if err != nil {
		return err
	}
	form, err := s.form(c, token, signOutPath)
	if err != nil {
		return s.refusePage(c, sheet{Who: who}, token, err)
	}
	if err := s.endSession(c); err != nil {
		return err
	}
	s.setCookie(c, s.sessionCookie(), "")
	return c.Redirect(http.StatusSeeOther, signin.Own(form.Get("to")))
}

// endSession ends the session the browser came with, if there is one.
func (s *server) endSession(c echo.Context) error {
	cookie, err := c.Cookie(s.sessionCookie())
	if err != nil {
		return nil
	}
	if err := s.SignIn.End(c.Request().Context(), cookie.Value); err != nil && !errors.Is(err, signin.ErrNobody) {
		return err
	}
	return nil
}
