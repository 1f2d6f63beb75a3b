package api

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
)

//go:embed vote.html
var voteText string

var votePage = template.Must(template.New("vote").Funcs(template.FuncMap{"when": when}).Parse(voteText))

// when is a time for people to read.
func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// sheet is one page for somebody who follows a link. It holds no script, and what it says of a request was said by others:
// the template escapes it.
type sheet struct {
	Title   string
	Notices []string
	Path    string // of this page
	Ballot  *gateway.Ballot
	Tickets []gateway.TicketView

	Who         *signin.Person
	SignIn      string // where to sign in; empty: nobody needs to, or can
	SignOut     string
	SignOutForm string

	Vote        bool // it can be answered here and now
	Form        string
	Reason      string // as it was typed
	ReasonLabel string
}

// maxVote is more than an answer with the longest reason.
const maxVote = 32 << 10

// ballot shows what a link is about. Looking at it decides nothing, however often and by whom it is done.
func (s *server) ballot(c echo.Context) error {
	who, token, err := s.visitor(c)
	if err != nil {
		return err
	}
	b, err := s.Gateway.Ballot(c.Request().Context(), c.Param("token"), voter(who), peer(c))
	if err != nil {
		return s.refusePage(c, sheet{Who: who}, token, err)
	}
	return s.showBallot(c, sheet{Who: who, Ballot: &b}, token, 0)
}

// vote takes an answer: a form of our own page, sent by whoever the link was sent to.
func (s *server) vote(c echo.Context) error {
	who, token, err := s.visitor(c)
	if err != nil {
		return err
	}
	page := sheet{Who: who}
	b, err := s.Gateway.Ballot(c.Request().Context(), c.Param("token"), voter(who), peer(c))
	if err != nil {
		return s.refusePage(c, page, token, err)
	}
	page.Ballot = &b
	if who == nil {
		page.Notices = []string{"Your answer was not taken: please sign in first."}
		return s.showBallot(c, page, token, http.StatusForbidden)
	}
	form, err := s.form(c, token, c.Request().URL.Path)
	if err != nil {
		return s.refusePage(c, page, token, err)
	}
	choice := gateway.Choice{Outcome: connectors.Outcome(form.Get("outcome")), Reason: form.Get("reason"), Duration: form.Get("duration")}
	if choice.Outcome != connectors.Approved {
		choice.Duration = "" // the list of them is sent along
	}
	err = s.Gateway.Vote(c.Request().Context(), c.Param("token"), *voter(who), choice, peer(c))
	if refusal, ok := errors.AsType[*gateway.Refusal](err); ok {
		page.Notices, page.Reason = []string{refusal.Text}, choice.Reason
		return s.showBallot(c, page, token, refusal.Status)
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, c.Request().URL.Path) // loading the page again sends nothing again
}

// showBallot writes the page for a ballot as it stands. Status 0 leaves it to the ballot.
func (s *server) showBallot(c echo.Context, p sheet, token string, status int) error {
	b := p.Ballot
	p.Title, p.Tickets = "A request waits for your answer", b.Tickets
	mine := p.Who != nil && b.For(*voter(p.Who))
	found := http.StatusOK
	switch {
	case b.State == gateway.BallotDecided:
		p.Title = "This request was decided"
		p.Notices = append(p.Notices, decidedWords(b.Decision))
		found = http.StatusGone
	case b.State == gateway.BallotEnded:
		p.Title = "This request needs no answer any more"
		p.Notices = append(p.Notices, "It ended without a decision, or is no longer asked here.")
		found = http.StatusGone
	case b.State == gateway.BallotSpent:
		p.Title = "This link was used"
		if mine {
			p.Title = "Your answer was taken"
		}
		found = http.StatusGone
	case s.SignIn == nil:
		p.Title = "A request waits for an answer"
		p.Notices = append(p.Notices, "Nobody can answer here: Drawbridge has no identity provider set up. Please answer where the request stands.")
	case p.Who == nil:
		p.SignIn = signInTo(c)
	case !mine:
		p.Title = "This link was sent to somebody else"
		p.Notices = append(p.Notices, "You are signed in as "+p.Who.Mail+", and only the person it was sent to can answer by it. If that is you, sign in with that address.")
		p.SignIn = signInTo(c) + "&account=" + otherAccount
		p.Ballot, p.Tickets = nil, nil
		found = http.StatusForbidden
	default:
		p.Vote = true
	}
	if g := b.Given; g != nil && (mine || p.Who == nil) {
		p.Notices = append(p.Notices, givenWords(g))
	}
	if mine && b.Given != nil {
		found = http.StatusOK // it is their own answer they look at
	}
	if status == 0 {
		status = found
	}
	p.Form = signin.Form(token, c.Request().URL.Path)
	p.ReasonLabel = "Reason (optional)"
	if b.ReasonLabel != "" {
		p.ReasonLabel = b.ReasonLabel
	} else if b.ReasonNeeded {
		p.ReasonLabel = "Reason"
	}
	p.Notices = slices.Compact(p.Notices)
	return s.writePage(c, p, token, status)
}

// signInTo is where to sign in, to come back to this page.
func signInTo(c echo.Context) string {
	return signInPath + "?to=" + url.QueryEscape(c.Request().URL.Path)
}

func decidedWords(d *gateway.DecisionView) string {
	if d == nil {
		return "Somebody has decided it."
	}
	words := map[string]string{string(connectors.Approved): "It was approved", string(connectors.Denied): "It was denied"}[d.Outcome]
	if words == "" {
		words = "It was decided"
	}
	if d.ByName != "" {
		words += " by " + d.ByName
	}
	return words + "."
}

func givenWords(g *gateway.AnswerView) string {
	who := g.By.Mail // it has been proved; the name has not
	if g.By.Name != who {
		who = g.By.Name + " (" + who + ")"
	}
	words := fmt.Sprintf("%s answered by this link on %s: %s.", who, when(g.At), g.Outcome)
	switch {
	case g.Refused != "":
		words += " It does not count: " + g.Refused + "."
	case !g.Judged:
		words += " It is being held against the policy; what comes of it is told where you were asked."
	}
	return words
}

// refusePage writes why there is nothing to show; what is no refusal goes the way of every error.
func (s *server) refusePage(c echo.Context, p sheet, token string, err error) error {
	refusal, ok := errors.AsType[*gateway.Refusal](err)
	if !ok {
		return err
	}
	p.Ballot, p.Title, p.Notices = nil, "This did not work", []string{refusal.Text}
	if refusal.RetryAfter > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	}
	s.Log.Warn("page refused", "route", c.Path(), "status", refusal.Status, "peer", c.RealIP(), "reason", refusal.Text, "cause", refusal.Cause)
	return s.writePage(c, p, token, refusal.Status)
}

// writePage writes a page that runs nothing, is kept nowhere, and tells no other site where it was come from: its address
// is a secret.
func (s *server) writePage(c echo.Context, p sheet, token string, status int) error {
	p.Path = c.Request().URL.Path
	if p.Who != nil {
		p.SignOut, p.SignOutForm = signOutPath, signin.Form(token, signOutPath)
	}
	var text bytes.Buffer
	if err := votePage.Execute(&text, p); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	return c.HTMLBlob(status, text.Bytes())
}

// form reads a form that one of our own pages sent in this session.
func (s *server) form(c echo.Context, token, page string) (url.Values, error) {
	r := c.Request()
	r.Body = http.MaxBytesReader(c.Response(), r.Body, maxVote)
	if err := r.ParseForm(); err != nil {
		return nil, unreadable(err, "This is more than an answer has to say.")
	}
	from := r.Header.Get("Sec-Fetch-Site")
	if from != "" && from != "same-origin" || len(r.PostForm["form"]) != 1 || !signin.IsForm(token, page, r.PostForm.Get("form")) {
		return nil, &gateway.Refusal{Status: http.StatusForbidden, Text: "This form is none that was shown to you. Please follow your link again, and answer there."}
	}
	return r.PostForm, nil
}

// visitor is who looks at a page, and the token of their session; nil where nobody signed in.
func (s *server) visitor(c echo.Context) (*signin.Person, string, error) {
	if s.SignIn == nil {
		return nil, "", nil
	}
	cookie, err := c.Cookie(s.sessionCookie())
	if err != nil {
		return nil, "", nil
	}
	who, err := s.SignIn.Who(c.Request().Context(), cookie.Value)
	if errors.Is(err, signin.ErrNobody) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return &who, cookie.Value, nil
}

func voter(who *signin.Person) *gateway.Voter {
	if who == nil {
		return nil
	}
	return &gateway.Voter{Mail: who.Mail, Name: who.Name}
}

func peer(c echo.Context) netip.Addr {
	addr, _ := netip.ParseAddr(c.RealIP())
	return addr
}
