package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/mail/mailstandin"
)

// The desks whose people answer on our own page, by a link.

// linkPeople are who follows links, by the address they sign in with; stranger bears Kim's name.
var linkPeople = map[string]string{
	"kim": "kim@desk.example", "lee": "lee@desk.example", "max": "max@desk.example", "ana": "ana@desk.example",
	"alias": "ana@home.example", "second": "kim@home.example", "stranger": "kim@elsewhere.example",
}

// visitors are browsers of people, who sign in once.
type visitors struct {
	*postroom
	mu       sync.Mutex
	browsers map[string]*http.Client
}

// answer has somebody follow a link and answer there, where the page has a form for them.
func (v *visitors) answer(t testing.TB, who, link, outcome string) {
	t.Helper()
	b := v.as(t, who, link)
	form := b.get(link).form()
	if form == "" {
		return // they have answered, or nobody can any more
	}
	if got := b.post(link, url.Values{"form": {form}, "outcome": {outcome}}); got.status != http.StatusOK {
		t.Errorf("the answer of %s is answered %d:\n%s", who, got.status, got.text)
	}
}

func (v *visitors) as(t testing.TB, who, link string) *browser {
	t.Helper()
	v.mu.Lock() // the provider signs everybody in as whoever was named last
	defer v.mu.Unlock()
	b := (&postroom{check: v.check, t: t.(*testing.T), issuer: v.issuer}).browser()
	if client := v.browsers[who]; client != nil {
		b.Client = client
		return b
	}
	name := who
	if who == "stranger" {
		name = "Kim Okafor"
	}
	b.signIn(link, name, linkPeople[who])
	v.browsers[who] = b.Client
	return b
}

// byLinks is a desk whose people answer by links; link finds the one that asks somebody about a ticket.
func byLinks(p *postroom, d desk, link func(t testing.TB, who, ticket string) string) desk {
	v := &visitors{postroom: p, browsers: map[string]*http.Client{}}
	d.approved, d.denied = "approved", "denied"
	d.accounts = func(login string) string { return linkPeople[login] }
	d.move = func(t testing.TB, who, ticket, outcome string) { v.answer(t, who, link(t, who, ticket), outcome) }
	d.others = []string{"ana", "alias", "second", "stranger"}
	d.lacks = map[string]string{
		"shared":    "the address somebody signs in with is their account, and belongs to one person",
		"robot":     "only people sign in",
		"program":   "only people sign in",
		"bridge":    "only people sign in",
		"reopen":    "an answer cannot be taken back",
		"busy":      "there is no ticket that could be moved",
		"edit":      "what was sent is not read back",
		"describe":  "what was sent is not read back",
		"history":   "there is no ticket that could be changed",
		"note":      "nothing that is sent back is read",
		"field":     "there is no ticket that could be changed",
		"clone":     "a copy has the same link; see TestHostileVote for whom it is forwarded to",
		"mark":      "see TestHostileVote for links that were altered",
		"remove":    "what was sent is not read back",
		"merge":     "there is no ticket that could be changed",
		"elsewhere": "there is no ticket that could be changed",
		"rewrite":   "there is no ticket that could be changed",
		"group":     "the desk tells no groups of people",
		"unread":    "an answer is judged at once",
		"late":      "the page of what is decided has no form; see TestHostileVoteByWhoIsAsked for one that was kept",
		"notice":    "nothing is told at its door",
		"forge":     "nothing is told at its door",
	}
	return d
}

// calledBy is what the tickets are called that a link asks about: a connector names them by our key.
func calledBy(t testing.TB, connector, link string) string {
	t.Helper()
	token, _, _ := strings.Cut(pathOf(t, link)[len("/vote/"):], ".")
	text, err := base64.RawURLEncoding.DecodeString(token)
	must(t, err)
	key, _, _ := strings.Cut(string(text), "\x00")
	sum := sha256.Sum256([]byte(key))
	return connector + "-" + hex.EncodeToString(sum[:10])
}

// mailByLinks is the desk of docs/chat.md where everybody is mailed a link of their own.
func mailByLinks(t *testing.T, p *postroom) desk {
	t.Helper()
	server, err := mailstandin.New(mailstandin.Options{Plain: true})
	must(t, err)
	t.Cleanup(server.Close)
	invited := func(t testing.TB, ticket, address string) mailstandin.Mail {
		t.Helper()
		for _, m := range server.To(address) {
			if link := m.Link(); link != "" && calledBy(t, "mail", link) == ticket {
				return m
			}
		}
		t.Fatalf("%s was not asked about %s", address, ticket)
		return mailstandin.Mail{}
	}
	to := make([]string, 0, len(linkPeople))
	for _, address := range linkPeople {
		to = append(to, address)
	}
	return byLinks(p, desk{
		name: "mail", documents: chat(t, "Mail"),
		settings: strings.NewReplacer("host: smtp.example.com", fmt.Sprintf("host: %s\n  port: %d\n  tls: none", server.Host, server.Port),
			"  user: drawbridge@example.com\n  password: {env: DRAWBRIDGE_SECRET_MAIL_PASSWORD}\n", "", "kim@example.com, lee@example.com", strings.Join(to, ", ")),
		comments: func(t *testing.T, ticket string) string {
			first := invited(t, ticket, linkPeople["kim"]).Header.Get("Message-ID")
			var b strings.Builder
			for _, m := range server.To(linkPeople["kim"]) {
				if m.Header.Get("References") == first {
					fmt.Fprintln(&b, strings.Join(strings.Fields(m.Plain), " "))
				}
			}
			return b.String()
		},
	}, func(t testing.TB, who, ticket string) string { return invited(t, ticket, linkPeople[who]).Link() })
}

// teamsByLinks is the desk of docs/chat.md where a card in a channel has one button for everybody.
func teamsByLinks(t *testing.T, p *postroom) desk {
	t.Helper()
	channel := &teamsChannel{}
	return byLinks(p, desk{
		name: "teams", documents: chat(t, "Teams"), settings: channel.settings(t),
		comments: func(*testing.T, string) string { return strings.Join(channel.all(), "\n") }, // a channel has no threads
	}, func(t testing.TB, _, ticket string) string {
		t.Helper()
		for _, card := range channel.all() {
			if link := buttonOf(t, card); link != "" && calledBy(t, "teams", link) == ticket {
				return link
			}
		}
		t.Fatalf("no card asks about %s", ticket)
		return ""
	})
}

// teamsChannel is the workflow of a channel, and what it posted.
type teamsChannel struct {
	mu    sync.Mutex
	cards []string
}

func (c *teamsChannel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cards = append(c.cards, string(text))
	w.WriteHeader(http.StatusAccepted)
}

func (c *teamsChannel) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.cards...)
}

// settings make the connection of docs/chat.md one to this channel.
func (c *teamsChannel) settings(t *testing.T) *strings.Replacer {
	t.Helper()
	return strings.NewReplacer("{env: DRAWBRIDGE_SECRET_TEAMS_URL}", value(served(t, c)+"/invoke?sig=secret"))
}

// buttonOf is where the button of a card leads; empty where it has none.
func buttonOf(t testing.TB, card string) string {
	t.Helper()
	var message struct {
		Attachments []struct {
			Content struct{ Actions []struct{ URL string } }
		}
	}
	must(t, json.Unmarshal([]byte(card), &message))
	if actions := message.Attachments[0].Content.Actions; len(actions) > 0 {
		return actions[0].URL
	}
	return ""
}
