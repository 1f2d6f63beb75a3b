package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/gateway/signin/oidctest"
)

// voteScene is what an attack by way of a link acts on: kim was asked, lee too, and mallory is nobody here.
type voteScene struct {
	*postroom
	invitation
}

func (s *voteScene) as(link, name, mail string) *browser {
	b := s.browser()
	b.signIn(link, name, mail)
	return b
}

func (s *voteScene) kimsBrowser() *browser { return s.as(s.kim.Link(), "Kim", kimsMail) }

// cookie is what a browser keeps of its session.
func (b *browser) cookie() *http.Cookie {
	b.t.Helper()
	u, err := url.Parse(b.urls.bridge)
	must(b.t, err)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "drawbridge" {
			return c
		}
	}
	b.t.Fatal("the browser has no session")
	return nil
}

func yes(form string) url.Values { return url.Values{"form": {form}, "outcome": {"approved"}} }

// TestHostileVote tries to have a decision posted by way of a link that its addressee has not made. Afterwards the right
// person answers, and that is posted.
func TestHostileVote(t *testing.T) {
	t.Parallel()
	p := openPostroom(t)
	for n, attack := range []struct {
		name string
		do   func(s *voteScene)
	}{
		{"a mail scanner opens the link, by all means", func(s *voteScene) {
			for _, b := range []*browser{s.browser(), s.kimsBrowser()} {
				for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
					for _, query := range []string{"", "?outcome=approved&form=" + b.get(s.kim.Link()).form()} {
						if got := b.do(b.request(method, s.kim.Link()+query, "", "Sec-Purpose: prefetch", "Purpose: prefetch")); got.status != http.StatusOK {
							s.t.Errorf("%s is answered %d", method, got.status)
						}
					}
				}
				for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete} {
					if got := b.do(b.request(method, s.kim.Link(), "outcome=approved", "Content-Type: application/x-www-form-urlencoded")); got.status != http.StatusMethodNotAllowed {
						s.t.Errorf("%s is answered %d", method, got.status)
					}
				}
			}
		}},
		{"somebody who did not sign in posts", func(s *voteScene) {
			s.browser().post(s.kim.Link(), yes("")).says(s.t, http.StatusForbidden, "please sign in first")
		}},
		{"the mail was forwarded", func(s *voteScene) {
			for _, mail := range []string{leesMail, "mallory@corp.example", "kim@corp.example.evil.example"} {
				b := s.as(s.kim.Link(), "Kim", mail)
				shown := b.get(s.kim.Link())
				shown.says(s.t, http.StatusForbidden, "sent to somebody else")
				shown.says(s.t, http.StatusForbidden, "&account=other\">Sign in with another account")
				if shown.form() != "" || strings.Contains(shown.text, "Tool") {
					s.t.Errorf("the page shows %s", shown.text)
				}
				if mail == leesMail {
					b.post(s.kim.Link(), yes(b.get(s.lee.Link()).form())).says(s.t, http.StatusForbidden, "none that was shown to you")
				}
			}
		}},
		{"the form of another request", func(s *voteScene) {
			other := s.ask()
			b := s.kimsBrowser()
			b.post(s.kim.Link(), yes(b.get(other.kim.Link()).form())).says(s.t, http.StatusForbidden, "none that was shown to you")
			s.silent(other.id)
		}},
		{"an altered link", func(s *voteScene) {
			other := s.ask()
			b := s.kimsBrowser()
			link, token := s.kim.Link(), pathOf(s.t, s.kim.Link())[len("/vote/"):]
			mine, mark, _ := strings.Cut(token, ".")
			theirs, _, _ := strings.Cut(pathOf(s.t, other.kim.Link())[len("/vote/"):], ".")
			for _, forged := range []string{theirs + "." + mark, mine, mine + ".", "." + mark, token[:len(token)-1], token + "A", token + ".x", "x" + token, mine + "=." + mark, flipped(token, 3), flipped(token, len(mine)+3), flipped(token, len(token)-1)} {
				for _, got := range []page{b.get(strings.Replace(link, token, forged, 1)), b.post(strings.Replace(link, token, forged, 1), yes(b.get(link).form()))} {
					if got.status != http.StatusNotFound && got.status != http.StatusTooManyRequests {
						s.t.Errorf("%s is answered %d", forged, got.status)
					}
				}
			}
			s.silent(other.id)
		}},
		{"a form from elsewhere", func(s *voteScene) {
			b, other := s.kimsBrowser(), s.kimsBrowser()
			form := b.get(s.kim.Link()).form()
			for _, v := range []url.Values{yes(""), yes("x"), {"outcome": {"approved"}}, {"form": {form, form}, "outcome": {"approved"}}, yes(other.get(s.kim.Link()).form())} {
				b.post(s.kim.Link(), v).says(s.t, http.StatusForbidden, "none that was shown to you")
			}
			b.post(s.kim.Link(), yes(form), "Sec-Fetch-Site: cross-site").says(s.t, http.StatusForbidden, "none that was shown to you")
			b.post(s.kim.Link()+"?"+yes(form).Encode(), nil).says(s.t, http.StatusForbidden, "none that was shown to you")
			b.do(b.request(http.MethodPost, s.kim.Link(), `{"form":"`+form+`","outcome":"approved"}`, "Content-Type: application/json")).says(s.t, http.StatusForbidden, "")
			b.post(s.kim.Link(), url.Values{"form": {form}, "outcome": {"approved"}, "reason": {strings.Repeat("x", 40<<10)}}).says(s.t, http.StatusRequestEntityTooLarge, "")
		}},
		{"the session of somebody who signed out", func(s *voteScene) {
			b := s.kimsBrowser()
			shown, kept := b.get(s.kim.Link()), b.cookie()
			form := strings.Split(strings.SplitN(shown.text, `name="form" value="`, 2)[1], `"`)[0]
			b.do(b.request(http.MethodPost, b.urls.bridge+"/auth/sign-out", url.Values{"form": {"x"}}.Encode(), "Content-Type: application/x-www-form-urlencoded")).says(s.t, http.StatusForbidden, "")
			out := b.do(b.request(http.MethodPost, b.urls.bridge+"/auth/sign-out", url.Values{"form": {form}, "to": {pathOf(s.t, s.kim.Link())}}.Encode(), "Content-Type: application/x-www-form-urlencoded"))
			out.says(s.t, http.StatusOK, "Sign in to answer")
			thief := s.browser()
			r := thief.request(http.MethodPost, s.kim.Link(), yes(shown.form()).Encode(), "Content-Type: application/x-www-form-urlencoded")
			r.AddCookie(kept)
			thief.do(r).says(s.t, http.StatusForbidden, "please sign in first")
		}},
		{"a session nobody has", func(s *voteScene) {
			b := s.browser()
			for _, value := range []string{"", "x", strings.Repeat("A", 43)} {
				r := b.request(http.MethodGet, s.kim.Link(), "")
				r.AddCookie(&http.Cookie{Name: "drawbridge", Value: value})
				b.do(r).says(s.t, http.StatusOK, "Sign in to answer")
			}
		}},
		{"an address that is not verified", func(s *voteScene) {
			b := s.browser()
			b.issuer.SignInAs(map[string]any{"sub": "1", "name": "Kim", "email": kimsMail, "email_verified": false})
			b.get(b.urls.bridge+"/auth/sign-in?to="+pathOf(s.t, s.kim.Link())).says(s.t, http.StatusForbidden, "verified")
			b.get(s.kim.Link()).says(s.t, http.StatusOK, "Sign in to answer")
		}},
		{"kim is sent into mallory's session", func(s *voteScene) {
			// Mallory begins to sign in and has kim's browser follow the last step.
			s.issuer.SignInAs(oidctest.Mail("Mallory", "mallory@corp.example"))
			mallory, kim := s.browser(), s.browser()
			var last string
			mallory.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
				if r.URL.Path == "/auth/callback" {
					last = r.URL.String()
					return http.ErrUseLastResponse
				}
				return nil
			}
			mallory.get(s.urls.bridge + "/auth/sign-in?to=" + pathOf(s.t, s.kim.Link()))
			kim.get(last).says(s.t, http.StatusForbidden, "another browser")
			kim.get(s.kim.Link()).says(s.t, http.StatusOK, "Sign in to answer")
		}},
		{"the way back leads elsewhere", func(s *voteScene) {
			s.issuer.SignInAs(oidctest.Mail("Kim", kimsMail))
			for _, to := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "/vote/../../evil", "javascript:alert(1)"} {
				if got := s.browser().get(s.urls.bridge + "/auth/sign-in?to=" + url.QueryEscape(to)); got.url.String() != s.urls.bridge+"/" {
					s.t.Errorf("%s leads to %s", to, got.url)
				}
			}
		}},
		{"another name for this server", func(s *voteScene) {
			b := s.browser()
			s.issuer.SignInAs(oidctest.Mail("Kim", kimsMail))
			for _, path := range []string{pathOf(s.t, s.kim.Link()), "/auth/sign-in?to=" + pathOf(s.t, s.kim.Link())} {
				r := b.request(http.MethodGet, s.urls.bridge+path, "", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example")
				r.Host = "evil.example"
				b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				got := b.do(r)
				where, _ := url.QueryUnescape(got.header.Get("Location"))
				if strings.Contains(got.text+where, "evil.example") {
					s.t.Errorf("the answer names the other host: %s %s", where, got.text)
				}
			}
		}},
	} {
		t.Run(attack.name, func(t *testing.T) {
			s := &voteScene{postroom: &postroom{check: p.check, t: t, mail: p.mail, issuer: p.issuer, from: fmt.Sprintf("192.0.2.%d", n+1)}}
			s.invitation = s.ask()
			attack.do(s)
			s.silent(s.id)
			if view, err := s.caseOf(s.id); err != nil || len(view.Answers) != 0 {
				t.Errorf("the case has the answers %+v, %v", view.Answers, err)
			}
			s.from = "198.51.100.7" // an address that tried nothing
			s.kimsBrowser().answer(s.kim.Link(), "approved")
			s.told(s.id, "Approved")
			s.says(s.kim, "accepted by epm")
		})
	}
}

func flipped(text string, at int) string {
	with := byte('A')
	if text[at] == with {
		with = 'B'
	}
	return text[:at] + string(with) + text[at+1:]
}

// TestHostileVoteByWhoIsAsked has those who were asked do what they may not.
func TestHostileVoteByWhoIsAsked(t *testing.T) {
	t.Parallel()
	p := openPostroom(t)
	p.edit(t, "Rule", "epm-app-requests", "project: kim@corp.example", "project: ana@corp.example, max@corp.example, kim@corp.example")
	t.Run("the requester answers", func(t *testing.T) {
		i := p.ask()
		link := i.links["ana@corp.example"]
		b := p.browser()
		b.signIn(link, "Ana", "ana@corp.example")
		b.answer(link, "approved")
		p.says(i.kim, "nobody decides their own request")
		p.silent(i.id)
		b.get(link).says(t, http.StatusOK, "It does not count")
		p.answers(i, leesMail, "denied", "Denied")
	})
	t.Run("somebody without the right answers", func(t *testing.T) {
		i := p.ask()
		link := i.links["max@corp.example"]
		b := p.browser()
		b.signIn(link, "Kim Okafor", "max@corp.example")
		b.answer(link, "approved")
		p.says(i.kim, "does not count")
		p.silent(i.id)
		p.answers(i, kimsMail, "approved", "Approved")
	})
	t.Run("the same form again, in two tabs, and another answer", func(t *testing.T) {
		p.policy(t, "approvers: {people: [kim, lee]}\nquorum: 2\n")
		defer p.policy(t, "approvers: {people: [kim, lee]}\n")
		i := p.ask()
		b := p.browser()
		b.signIn(i.kim.Link(), "Kim", kimsMail)
		form := b.get(i.kim.Link()).form() // of one tab and of the other
		var both sync.WaitGroup
		statuses := make(chan int, 2)
		noFollow := *b.Client
		noFollow.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for range 2 {
			both.Go(func() {
				statuses <- (&browser{p, &noFollow}).post(i.kim.Link(), yes(form)).status
			})
		}
		both.Wait()
		if a, b := <-statuses, <-statuses; a+b != http.StatusSeeOther+http.StatusConflict {
			t.Errorf("two tabs are answered %d and %d", a, b)
		}
		for _, outcome := range []string{"approved", "denied"} {
			b.post(i.kim.Link(), url.Values{"form": {form}, "outcome": {outcome}}).says(t, http.StatusConflict, "used already")
		}
		b = p.browser() // whoever signs in again
		b.signIn(i.kim.Link(), "Kim", strings.ToUpper(kimsMail)).says(t, http.StatusOK, "Your answer was taken")
		p.browser().get(i.kim.Link()).says(t, http.StatusGone, "This link was used")
		p.silent(i.id)
		if view, err := p.caseOf(i.id); err != nil || len(view.Answers) != 1 {
			t.Errorf("the case has the answers %+v, %v", view.Answers, err)
		}
		p.answers(i, leesMail, "approved", "Approved")
	})
	t.Run("the request was decided meanwhile", func(t *testing.T) {
		i := p.ask()
		b := p.browser()
		b.signIn(i.kim.Link(), "Kim", kimsMail)
		form := b.get(i.kim.Link()).form()
		p.answers(i, leesMail, "denied", "Denied")
		b.post(i.kim.Link(), yes(form)).says(t, http.StatusConflict, "was decided")
		b.get(i.kim.Link()).says(t, http.StatusGone, "It was denied by")
		must(t, p.settled())
		p.told(i.id, "Denied")
	})
}

// answers has the right person answer, which is posted.
func (p *postroom) answers(i invitation, mail, outcome, decision string) {
	p.t.Helper()
	link := i.kim.Link()
	if mail == leesMail {
		link = i.lee.Link()
	}
	b := p.browser()
	b.signIn(link, "Somebody", mail)
	b.answer(link, outcome)
	p.told(i.id, decision)
}

func TestHostileVoteAfterTheTime(t *testing.T) {
	t.Parallel()
	var clock virtual
	p := openPostroom(t, withClock(&clock))
	p.policy(t, "approvers: {people: [kim, lee]}\ndeadline: {after: 4h, remind: [1h], then: deny}\n")
	i := p.ask()
	b := p.browser()
	b.signIn(i.kim.Link(), "Kim", kimsMail).says(t, http.StatusOK, "<dt>Until</dt>")
	form := b.get(i.kim.Link()).form()
	clock.forward(time.Hour)
	p.says(i.kim, "still waits for a decision")
	clock.forward(3 * time.Hour)
	p.told(i.id, "Denied")
	b.post(i.kim.Link(), yes(form)).says(t, http.StatusConflict, "was decided")
	p.browser().get(i.kim.Link()).says(t, http.StatusGone, "It was denied")
	must(t, p.settled())
	p.told(i.id, "Denied")
}

// TestHostileVoteIsSlowedDown guesses links until nobody looks at them any more, and fails to sign in again and again. All
// that keeps nobody at the same address from their own links.
func TestHostileVoteIsSlowedDown(t *testing.T) {
	t.Parallel()
	p := openPostroom(t)
	i := p.ask()
	p.from = "203.0.113.9"
	kim, b := p.browser(), p.browser()
	kim.signIn(i.kim.Link(), "Kim", kimsMail)
	guessed := p.urls.bridge + "/vote/bG5r.AAAA"
	var got page
	for range 25 {
		if got = b.get(guessed); got.status != http.StatusNotFound {
			break
		}
	}
	got.says(t, http.StatusTooManyRequests, "came from your address")
	if got.header.Get("Retry-After") == "" {
		t.Error("nobody says when to come back")
	}
	b.from = "198.51.100.7"
	b.get(guessed).says(t, http.StatusNotFound, "no request behind this link")
	p.issuer.SignInAs(nil)
	for range 25 {
		p.browser().get(p.urls.bridge+"/auth/sign-in?to="+pathOf(t, i.kim.Link())).says(t, http.StatusForbidden, "")
		p.browser().get(p.urls.bridge+"/auth/callback?state=x&code=x").says(t, http.StatusForbidden, "")
	}
	kim.get(guessed).says(t, http.StatusNotFound, "no request behind this link")
	p.browser().get(i.lee.Link()).says(t, http.StatusOK, "Sign in to answer")
	p.browser().signIn(i.lee.Link(), "Lee", leesMail).says(t, http.StatusOK, "Approve")
	kim.answer(i.kim.Link(), "approved").says(t, http.StatusOK, "answered by this link")
	p.told(i.id, "Approved")
}

// TestALinkIsWrittenNowhere looks for the secrets of a whole loop in the database and in the log.
func TestALinkIsWrittenNowhere(t *testing.T) {
	t.Parallel()
	var log watched
	var database string
	p := openPostroom(t, func(o *worldOptions) {
		database, o.Log = o.Database, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	p.mail.FailNext("data", 451, "later")
	p.mail.CutNext()
	i := p.ask()
	b := p.browser()
	b.signIn(i.kim.Link(), "Kim", kimsMail)
	session := b.cookie().Value
	b.answer(i.kim.Link(), "approved")
	p.told(i.id, "Approved")
	p.says(i.kim, "accepted by epm")
	must(t, p.settled())
	file, _, _ := strings.Cut(strings.TrimPrefix(database, "sqlite:"), "?")
	kept := []byte(log.String())
	for _, name := range []string{file, file + "-wal"} {
		text, err := os.ReadFile(name)
		must(t, err)
		kept = append(kept, text...)
	}
	if !bytes.Contains(kept, []byte(i.id)) {
		t.Fatal("this is not where the request is kept")
	}
	for what, secret := range map[string]string{"kim's link": i.kim.Link(), "lee's link": i.lee.Link(), "the session": session, "the client secret": oidctest.Secret, "the mail password": mailPassword} {
		if strings.Contains(secret, "/vote/") {
			_, secret, _ = strings.Cut(secret, ".") // the mark behind the name
			secret = secret[strings.LastIndex(secret, ".")+1:]
		}
		if len(secret) < 16 || bytes.Contains(kept, []byte(secret)) {
			t.Errorf("%s is kept", what)
		}
	}
}
