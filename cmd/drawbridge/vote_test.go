package main

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/mail/mailstandin"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin/oidctest"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const (
	kimsMail, leesMail = "kim@corp.example", "lee@corp.example"
	mailPassword       = "password-at-the-mail-server"
)

// postroom is a world in which people are asked by mail and sign in at an identity provider.
type postroom struct {
	*check
	t      *testing.T
	mail   *mailstandin.Server
	issuer *oidctest.Issuer
	from   string // where browsers come from, behind a proxy; empty: from here
}

func openPostroom(t *testing.T, change ...func(*worldOptions)) *postroom {
	t.Helper()
	server, err := mailstandin.New(mailstandin.Options{User: "drawbridge@example.com", Password: mailPassword})
	must(t, err)
	t.Cleanup(server.Close)
	p := openDoor(t, change...)
	p.mail = server
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, server.CA, 0o600))
	docs := chat(t, "Mail")
	docs[0] = strings.NewReplacer("host: smtp.example.com", fmt.Sprintf("host: %s\n  port: %d", server.Host, server.Port), "{env: DRAWBRIDGE_SECRET_MAIL_PASSWORD}", value(mailPassword)).Replace(docs[0]) +
		fmt.Sprintf("outbound: {allow_hosts: [127.0.0.1], ca: %q}\ndelivery: {first: 100ms}\n", ca)
	docs[1] = strings.NewReplacer("kim@example.com", kimsMail, "lee@example.com", leesMail).Replace(docs[1])
	p.apply(t, docs...)
	return p
}

// openDoor is a world in which people sign in at an identity provider, and nobody is asked yet.
func openDoor(t *testing.T, change ...func(*worldOptions)) *postroom {
	t.Helper()
	issuer := oidctest.New(t, "")
	c := start(t, storetest.SQLite, append([]func(*worldOptions){func(o *worldOptions) {
		o.Settings = serverSettings{peopleSettings: peopleSettings{OIDCIssuer: issuer.URL, OIDCClientID: oidctest.ClientID, OIDCClientSecret: oidctest.Secret}, TrustedProxy: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	}}, change...)...)
	issuer.Redirect = c.urls.bridge + signin.CallbackPath
	return &postroom{check: c, t: t, issuer: issuer}
}

// invitation is a request with what arrived for those who are asked.
type invitation struct {
	id       string
	kim, lee mailstandin.Mail
	links    map[string]string // by mail address
}

// ask makes a request and waits for the mails.
func (p *postroom) ask() (i invitation) {
	p.t.Helper()
	before := len(p.mail.Mails())
	i.id = p.epm.RequestApplication(anaAsksForATool)
	must(p.t, p.patiently(func() error {
		for _, m := range p.mail.Mails()[before:] {
			switch {
			case m.Link() == "":
			case m.To == kimsMail:
				i.kim = m
			case m.To == leesMail:
				i.lee = m
			}
		}
		if i.kim.Link() == "" || i.lee.Link() == "" {
			return fmt.Errorf("no mail yet")
		}
		view, err := p.caseOf(i.id)
		if err == nil && view.Tickets[0].ID == "" {
			err = fmt.Errorf("the request has no reference yet")
		}
		return err
	}))
	i.links = map[string]string{}
	for _, m := range p.mail.Mails()[before:] { // all of them, since the request has a reference
		if m.Link() != "" {
			i.links[m.To] = m.Link()
		}
	}
	return i
}

// says waits for a mail that follows an invitation.
func (p *postroom) says(first mailstandin.Mail, words string) {
	p.t.Helper()
	must(p.t, p.patiently(func() error {
		for _, m := range p.mail.To(first.To) {
			if m.Header.Get("References") == first.Header.Get("Message-ID") && strings.Contains(strings.Join(strings.Fields(m.Plain), " "), words) {
				return nil
			}
		}
		return fmt.Errorf("no mail to %s says %q", first.To, words)
	}))
}

func (p *postroom) told(id, decision string) {
	p.t.Helper()
	must(p.t, p.patiently(func() error {
		if told := p.epm.Decisions(id); len(told) != 1 || told[0].Decision != decision {
			return fmt.Errorf("EPM was told %+v, want %s once", told, decision)
		}
		return nil
	}))
}

// silent checks that nothing was told once nothing is left to do.
func (p *postroom) silent(id string) {
	p.t.Helper()
	must(p.t, p.settled())
	must(p.t, p.check.silent(id))
}

// browser is somebody's.
type browser struct {
	*postroom
	*http.Client
}

func (p *postroom) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(p.t, err)
	return &browser{p, &http.Client{Jar: jar, Timeout: time.Minute}}
}

// page is what a browser shows.
type page struct {
	status int
	url    *url.URL
	text   string // with markup
	header http.Header
}

func (b *browser) do(r *http.Request) page {
	b.t.Helper()
	resp, err := b.Do(r)
	must(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b.t, err)
	return page{resp.StatusCode, resp.Request.URL, string(text), resp.Header}
}

func (b *browser) request(method, address, body string, headers ...string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.ctx, method, address, strings.NewReader(body))
	must(b.t, err)
	if b.from != "" {
		r.Header.Set("X-Forwarded-For", b.from)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return r
}

func (b *browser) get(address string, headers ...string) page {
	b.t.Helper()
	return b.do(b.request(http.MethodGet, address, "", headers...))
}

// signIn follows a link and signs in there as somebody.
func (b *browser) signIn(link, name, mail string) page {
	b.t.Helper()
	b.issuer.SignInAs(oidctest.Mail(name, mail))
	return b.get(b.urls.bridge + "/auth/sign-in?to=" + url.QueryEscape(pathOf(b.t, link)))
}

func pathOf(t testing.TB, link string) string {
	u, err := url.Parse(link)
	must(t, err)
	return u.Path
}

// form is what the page's form to answer carries; empty where there is none.
func (p page) form() string {
	_, vote, _ := strings.Cut(p.text, `<form class="vote"`)
	m := regexp.MustCompile(`name="form" value="([0-9a-f]+)"`).FindStringSubmatch(vote)
	if m == nil {
		return ""
	}
	return m[1]
}

func (p page) says(t testing.TB, status int, words string) {
	t.Helper()
	if p.status != status || !strings.Contains(html.UnescapeString(p.text), words) {
		t.Errorf("got %d, want %d and %q:\n%s", p.status, status, words, p.text)
	}
}

// post sends an answer.
func (b *browser) post(link string, v url.Values, headers ...string) page {
	b.t.Helper()
	return b.do(b.request(http.MethodPost, link, v.Encode(), append([]string{"Content-Type: application/x-www-form-urlencoded"}, headers...)...))
}

// answer opens a link, which must show a form, and answers.
func (b *browser) answer(link, outcome string, more ...string) page {
	b.t.Helper()
	form := b.get(link).form()
	if form == "" {
		b.t.Fatal("the page shows no form")
	}
	v := url.Values{"form": {form}, "outcome": {outcome}}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return b.post(link, v)
}

// TestMailDecidesByALink goes the whole way: event, mail, link, sign-in, answer, decision, further mail.
func TestMailDecidesByALink(t *testing.T) {
	t.Parallel()
	p := openPostroom(t)
	i := p.ask()
	b := p.browser()
	first := b.get(i.kim.Link())
	first.says(t, http.StatusOK, "Sign in to answer")
	first.says(t, http.StatusOK, "never whoever asks")
	if first.form() != "" || !strings.Contains(first.header.Get("Content-Security-Policy"), "default-src 'none'") || first.header.Get("Cache-Control") != "no-store" || first.header.Get("Referrer-Policy") != "no-referrer" || strings.Contains(first.text, "<script") {
		t.Errorf("the page before signing in: %v\n%s", first.header, first.text)
	}
	shown := b.signIn(i.kim.Link(), "Kim Okafor", "Kim@Corp.example")
	if shown.url.String() != i.kim.Link() {
		t.Errorf("after signing in the browser is at %s", shown.url)
	}
	shown.says(t, http.StatusOK, "Kim Okafor (Kim@Corp.example)")
	b.answer(i.kim.Link(), "approved", "reason", "the scanner is <ours>").says(t, http.StatusOK, "Kim Okafor (Kim@Corp.example) answered by this link")
	p.told(i.id, "Approved")
	p.says(i.kim, "accepted by epm")
	p.says(i.lee, "accepted by epm")
	b.get(i.kim.Link()).says(t, http.StatusOK, "This request was decided")
	p.browser().get(i.lee.Link()).says(t, http.StatusGone, "It was approved by")
	view, err := p.caseOf(i.id)
	must(t, err)
	if view.Decision.Reason != "the scanner is <ours>" || view.Decision.By != "kim" || len(view.Answers) != 1 || view.Answers[0].By.Mail != "Kim@Corp.example" {
		t.Errorf("the case says %+v and %+v", view.Decision, view.Answers)
	}

	i = p.ask()
	b = p.browser()
	b.signIn(i.lee.Link(), "Kim Okafor", leesMail) // a name that Lee gave themselves
	b.answer(i.lee.Link(), "denied")
	p.told(i.id, "Denied")
	const whose = "Kim Okafor (lee)"
	if told := p.epm.Decisions(i.id); told[0].By != whose {
		t.Errorf("EPM was told that %q decided, want %q", told[0].By, whose)
	}
	p.says(i.kim, "Denied by "+whose)
	p.nowhere(i)
}

// nowhere looks for the tokens of links in everything that is kept.
func (p *postroom) nowhere(i invitation) {
	p.t.Helper()
	view, err := p.caseOf(i.id)
	must(p.t, err)
	for _, m := range []mailstandin.Mail{i.kim, i.lee} {
		token := m.Link()[strings.LastIndex(m.Link(), "/")+1:]
		if text := fmt.Sprintf("%+v", view) + mustText(p.t, view); strings.Contains(text, token) {
			p.t.Error("the case holds a link's token")
		}
	}
}

func TestADurationAndAReasonAreGivenOnThePage(t *testing.T) {
	t.Parallel()
	p := openPostroom(t)
	p.policy(t, "approvers: {people: [kim]}\ndurations: {max: 2h, default: 1h}\nreason: required\n")
	p.edit(t, "Rule", "epm-app-requests", "  type: ask", "  type: ask\n  fields: { durations: [1h, 8h], reason: Why }")
	i := p.ask()
	b := p.browser()
	b.signIn(i.kim.Link(), "Kim", kimsMail).says(t, http.StatusOK, "<option>8h</option>")
	b.answer(i.kim.Link(), "approved", "duration", "8h").says(t, http.StatusBadRequest, "Please give a reason")
	b.answer(i.kim.Link(), "approved", "duration", "80h", "reason", "x").says(t, http.StatusBadRequest, "one of the durations")
	b.answer(i.kim.Link(), "approved", "reason", "x").says(t, http.StatusBadRequest, "for how long")
	b.answer(i.kim.Link(), "perhaps", "reason", "x").says(t, http.StatusBadRequest, "approve or to deny")
	b.answer(i.kim.Link(), "approved", "reason", strings.Repeat("x", 2001), "duration", "1h").says(t, http.StatusBadRequest, "at most")
	p.silent(i.id)
	b.answer(i.kim.Link(), "approved", "duration", "8h", "reason", "the scanner\r\nis ours\x00\x1b[31m \u202e")
	p.told(i.id, "Approved")
	if view, err := p.caseOf(i.id); err != nil || view.Decision.Reason != "the scanner\nis ours[31m" {
		t.Errorf("the reason is %q, %v", view.Decision.Reason, err)
	}
	if told := p.epm.Decisions(i.id); told[0].Duration != "7200" {
		t.Errorf("EPM was told %q seconds, want 7200", told[0].Duration)
	}
}

func TestWithoutAnIdentityProviderALinkOnlyShowsTheTickets(t *testing.T) {
	t.Parallel()
	p := openPostroom(t, func(o *worldOptions) { o.Settings = serverSettings{} })
	inJira := strings.NewReplacer("name: epm-app-requests", "name: in-jira", "at: mail", "at: jira", "project: kim@corp.example, lee@corp.example", "project: ITSEC", "type: ask", "type: Access Request",
		"  policy: endpoint-approvers", "  approved: ticket.status == \"Approved\"\n  denied: ticket.status == \"Declined\"\n  policy: endpoint-approvers").Replace(p.published(t, "Rule", "epm-app-requests"))
	p.apply(t, inJira)
	id := p.epm.RequestApplication(anaAsksForATool)
	var link, text string
	must(t, p.patiently(func() error {
		for _, m := range p.mail.To(kimsMail) {
			link, text = m.Link(), m.Plain
		}
		view, err := p.caseOf(id)
		if err != nil || link == "" || len(view.Tickets) != 2 || view.Tickets[0].ID == "" || view.Tickets[1].ID == "" {
			return fmt.Errorf("not all tickets are there: %v", err)
		}
		return nil
	}))
	if !strings.Contains(text, "Nobody can answer by the link") || strings.Contains(text, "sign in") {
		t.Errorf("the mail says\n%s", text)
	}
	b := p.browser()
	b.get(link).says(t, http.StatusOK, "has no identity provider set up")
	b.get(link).says(t, http.StatusOK, p.urls.jira+"/browse/ITSEC-")
	b.post(link, url.Values{"outcome": {"approved"}, "form": {signin.Form("", pathOf(t, link))}}).says(t, http.StatusForbidden, "sign in")
	b.get(p.urls.bridge+"/auth/sign-in").says(t, http.StatusNotFound, "")
	p.silent(id)
}

func mustText(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return string(text)
}
