package api

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
)

const (
	signInPath  = "/auth/sign-in"
	signOutPath = "/auth/sign-out"

	otherAccount = "other" // the query account=other
)

// sessionCookie names the cookie of a session. Where it can, the name itself has browsers keep it from other hosts.
func (s *server) sessionCookie() string {
	if s.SignIn.Secure() {
		return "__Host-drawbridge"
	}
	return "drawbridge"
}

// setCookie gives a browser what no script and no other site gets to see. It ends after its time, with the browser where
// that is zero, or at once where the value is empty.
func (s *server) setCookie(c echo.Context, name, value string, after time.Duration) {
	cookie := &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(after.Seconds()), HttpOnly: true, Secure: s.SignIn.Secure(), SameSite: http.SameSiteLaxMode}
	if value == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(cookie)
}

// beginSignIn sends a browser to the identity provider.
func (s *server) beginSignIn(c echo.Context) error {
	prompt := ""
	if c.QueryParam("account") == otherAccount {
		prompt = signin.OtherAccount
	}
	address, name, kept, err := s.SignIn.Begin(c.Request().Context(), c.QueryParam("to"), prompt)
	if err != nil {
		return s.refuseSignIn(c, http.StatusServiceUnavailable, err)
	}
	s.dropAttempts(c)
	s.setCookie(c, name, kept, signin.AttemptFor)
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusSeeOther, address)
}

// mostAttempts is in how many tabs at once somebody may be signing in: what is kept for each goes along with every request.
const mostAttempts = 5

// dropAttempts makes room for another attempt to sign in. Browsers send what they have kept longest first.
func (s *server) dropAttempts(c echo.Context) {
	kept := slices.DeleteFunc(c.Cookies(), func(one *http.Cookie) bool { return !signin.IsAttempt(one.Name) })
	for _, one := range kept[:max(0, len(kept)+1-mostAttempts)] {
		s.setCookie(c, one.Name, "", 0)
	}
}

// finishSignIn takes it back. Whoever was signed in with this browser before is not any more.
func (s *server) finishSignIn(c echo.Context) error {
	name, kept := signin.Attempt(c.QueryParam("state")), ""
	if cookie, err := c.Cookie(name); err == nil {
		kept = cookie.Value
	}
	s.setCookie(c, name, "", 0)
	ctx := c.Request().Context()
	token, to, err := s.SignIn.Finish(ctx, kept, c.QueryParams())
	if err != nil {
		return s.refuseSignIn(c, http.StatusForbidden, err)
	}
	if err := s.endSession(c); err != nil {
		return err
	}
	s.setCookie(c, s.sessionCookie(), token, 0)
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
	s.setCookie(c, s.sessionCookie(), "", 0)
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
