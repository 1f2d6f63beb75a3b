package mail

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/mail/mailstandin"
)

const (
	user     = "bridge@example.com"
	password = "password-of-the-bridge"
	kim, lee = "kim@corp.example", "lee@corp.example"
	kimsLink = "https://bridge.example/vote/token-of-kim"
)

// world is a connector in front of a mail server.
type world struct {
	*testing.T
	*connector
	server *mailstandin.Server
}

func newWorld(t *testing.T, o mailstandin.Options, change ...func(*Config)) *world {
	t.Helper()
	server, err := mailstandin.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, server.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	conf := &Config{Host: server.Host, Port: server.Port, From: "drawbridge@example.com", FromName: "Drawbridge, Büro", User: o.User, Password: connectors.SecretValue(o.Password)}
	for _, f := range change {
		f(conf)
	}
	client, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{"127.0.0.1"}, CA: ca, Timeout: 10 * time.Second}, &connectors.Vault{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := conf.Open(connectors.Env{Client: client, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, c.(*connector), server}
}

var signedIn = mailstandin.Options{User: user, Password: password}

func ask() connectors.Ticket {
	return connectors.Ticket{
		Project: kim + ", " + lee, Type: "ask", Summary: "Ana asks to run\n<Setup> ärger\r\nBcc: eve@evil.example", Description: "**Reason:** <script>alert(1)</script> & [docs](https://corp.example/a?b=1&c=2)\n.\n.\nend",
		Priority: "High", Links: map[string]string{kim: kimsLink, lee: "https://bridge.example/vote/token-of-lee"},
	}
}

func (w *world) create() connectors.Ref {
	w.Helper()
	ref, err := w.Create(w.Context(), "k1", ask())
	if err != nil {
		w.Fatal(err)
	}
	return ref
}

func TestEverybodyGetsAMailWithALinkOfTheirOwn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options mailstandin.Options
		change  func(*Config)
	}{
		"STARTTLS":           {signedIn, func(*Config) {}},
		"TLS from the start": {mailstandin.Options{User: user, Password: password, Implicit: true}, func(c *Config) { c.TLS = "implicit" }},
		"this machine":       {mailstandin.Options{Plain: true}, func(c *Config) { c.TLS = "none" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.options, test.change)
			if err := w.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			ref := w.create()
			if again := w.create(); again != ref || ref.ID == "" || ref.Key == "" {
				t.Errorf("the mail is %+v, then %+v", ref, again)
			}
			mails := w.server.To(kim)
			if len(mails) != 1 || len(w.server.To(lee)) != 1 || len(w.server.Mails()) != 4 {
				t.Fatalf("%d mails to kim in a mail program, want 1; sent: %d, want 4", len(mails), len(w.server.Mails()))
			}
			m := mails[0]
			if m.Link() != kimsLink || strings.Contains(m.Text, "token-of-lee") || !strings.Contains(m.HTML, `<a href="`+kimsLink+`">`) {
				t.Errorf("the mail is\n%s", m.Plain)
			}
			if m.Subject() != "Ana asks to run <Setup> ärger Bcc: eve@evil.example" || m.Header.Get("Bcc") != "" || m.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("the header is %v", m.Header)
			}
			if strings.Contains(m.HTML, "<script") || strings.Contains(m.HTML, "<Setup>") || !strings.Contains(m.HTML, "&lt;script&gt;") || !strings.Contains(m.Plain, "\n.\n.\nend") {
				t.Errorf("the parts are\n%s\n%s", m.HTML, m.Plain)
			}
			if from, err := m.Header.AddressList("From"); err != nil || from[0].Name != "Drawbridge, Büro" || from[0].Address != "drawbridge@example.com" || m.From != "drawbridge@example.com" {
				t.Errorf("from %v, %v", from, err)
			}
		})
	}
}

func TestALinkByWhichNobodyCanAnswerSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signedIn)
	asked := ask()
	asked.LinksShow = true
	if _, err := w.Create(t.Context(), "k1", asked); err != nil {
		t.Fatal(err)
	}
	m := w.server.To(kim)[0]
	if m.Link() != kimsLink || !strings.Contains(m.HTML, `<a href="`+kimsLink+`">See where`) {
		t.Errorf("the link is missing:\n%s", m.HTML)
	}
	for _, part := range []string{m.Plain, m.HTML} {
		if !strings.Contains(part, "Nobody can answer by the link") || strings.Contains(part, "sign in") || strings.Contains(part, "Answer") {
			t.Errorf("the mail says\n%s", part)
		}
	}
}

func TestWhatFollowsIsInTheThread(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signedIn)
	ref, asked := w.create(), ask()
	note := connectors.Note{Key: "n1", Body: "**Approved** by <Kim>", Asked: &asked}
	for range 2 {
		if err := w.Comment(t.Context(), ref, note); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Transition(t.Context(), ref, connectors.Move{Status: "Approved", Asked: &asked}); err != nil {
		t.Fatal(err)
	}
	mails := w.server.To(kim)
	if len(mails) != 2 {
		t.Fatalf("%d mails, want 2: a status is not mailed, and a repeated comment is the same mail", len(mails))
	}
	first := mails[0].Header.Get("Message-ID")
	if m := mails[1]; m.Header.Get("References") != first || m.Header.Get("In-Reply-To") != first || m.Header.Get("Message-ID") == first || !strings.HasPrefix(m.Subject(), "Re: Ana asks") || !strings.Contains(m.HTML, "&lt;Kim&gt;") || m.Link() != "" {
		t.Errorf("the second mail is\n%s", m.Text)
	}
	if err := w.Transition(t.Context(), ref, connectors.Move{Status: "Closed", Asked: &asked, Note: &connectors.Note{Key: "n2", Body: "closed"}}); err != nil || len(w.server.To(kim)) != 3 {
		t.Errorf("a status with a note: %v, %d mails", err, len(w.server.To(kim)))
	}
	if err := w.Comment(t.Context(), ref, connectors.Note{Body: "x"}); connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("without what was asked: %v", err)
	}
}

func TestLongForeignSubjectsAreFolded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signedIn)
	ticket := ask()
	ticket.Summary = strings.Repeat("要求", 200)
	if _, err := w.Create(t.Context(), "k1", ticket); err != nil {
		t.Fatal(err)
	}
	if got := w.server.To(kim)[0].Subject(); got != strings.Repeat("要求", 74)+"要…" {
		t.Errorf("the subject is %q", got)
	}
	ticket.Summary = "=?utf-8?q?=41dmin?= asks"
	if _, err := w.Create(t.Context(), "k2", ticket); err != nil {
		t.Fatal(err)
	}
	if got := w.server.To(kim)[1].Subject(); strings.Contains(got, "Admin") {
		t.Errorf("a subject that was not encoded is read as %q", got)
	}
}

func TestFaultsAreClassified(t *testing.T) {
	t.Parallel()
	const repeats = "token-of-kim"
	for _, test := range []struct {
		part string
		code int
		kind connectors.Kind
	}{
		{"auth", 454, connectors.Temporary}, {"auth", 535, connectors.Unwell},
		{"mail", 451, connectors.Temporary}, {"mail", 530, connectors.Unwell}, {"mail", 550, connectors.Permanent},
		{"rcpt", 450, connectors.Temporary}, {"rcpt", 550, connectors.Permanent},
		{"data", 452, connectors.Temporary}, {"data", 554, connectors.Permanent},
	} {
		w := newWorld(t, signedIn)
		w.server.FailNext(test.part, test.code, "no "+repeats)
		ticket := ask()
		ticket.Project = kim
		_, err := w.Create(t.Context(), "k1", ticket)
		e := connectors.AsError(err)
		if e == nil || e.Kind != test.kind || e.Sent {
			t.Errorf("%s %d: %v, kind %v, sent %t", test.part, test.code, err, e.Kind, e.Sent)
			continue
		}
		if text := err.Error(); strings.Contains(text, password) || test.part == "data" && strings.Contains(text, repeats) {
			t.Errorf("%s %d: the error shows too much: %s", test.part, test.code, text)
		}
	}
}

func TestALostAnswerIsInDoubtAndTheMailIsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signedIn)
	if !connectors.CreatesOnce(w.connector) {
		t.Error("a create may not be repeated")
	}
	w.server.CutNext()
	_, err := w.Create(t.Context(), "k1", ask())
	if e := connectors.AsError(err); e == nil || e.Kind != connectors.Temporary || !e.Sent {
		t.Fatalf("a lost answer: %v", err)
	}
	w.create()
	if len(w.server.To(kim)) != 1 || len(w.server.Mails()) != 3 {
		t.Errorf("%d mails shown, %d sent", len(w.server.To(kim)), len(w.server.Mails()))
	}
}

func TestAccessTokensAreUsedAndAskedForAnewWhenRefused(t *testing.T) {
	t.Parallel()
	asked := 0
	token := func() string { return "access-" + string(rune('a'+asked)) }
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"` + token() + `","token_type":"Bearer","expires_in":3600}`))
	}))
	defer tokens.Close()
	good := token
	w := newWorld(t, mailstandin.Options{User: user, Token: func() string { return good() }}, func(c *Config) {
		c.OAuth = &OAuth{TokenURL: tokens.URL, ClientID: "id", ClientSecret: connectors.SecretValue("client-secret")}
	})
	w.create()
	w.create()
	if asked != 1 {
		t.Errorf("asked for %d tokens, want 1", asked)
	}
	good = func() string { return "access-c" }
	err := w.Ping(t.Context())
	if e := connectors.AsError(err); e == nil || e.Kind != connectors.Unwell || strings.Contains(e.Error(), "access-") {
		t.Fatalf("a revoked token: %v", err)
	}
	if err := w.Ping(t.Context()); err != nil {
		t.Errorf("with a new token: %v", err)
	}
}

func TestNothingIsSentWithoutEncryption(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mailstandin.Options{Plain: true}, func(c *Config) { c.User, c.Password = "", connectors.Secret{} })
	_, err := w.Create(t.Context(), "k1", ask())
	if e := connectors.AsError(err); e == nil || e.Kind != connectors.Unwell || !strings.Contains(e.Error(), "STARTTLS") || len(w.server.Mails()) > 0 {
		t.Errorf("got %v", err)
	}
	strange := newWorld(t, signedIn)
	strange.conf.Host, strange.client = "localhost", newWorld(t, signedIn).client // another certificate
	if err := strange.Ping(t.Context()); connectors.AsError(err).Kind != connectors.Unwell {
		t.Errorf("an unknown certificate: %v", err)
	}
}

func TestAStoppedCallReturns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signedIn)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Ping(ctx); err == nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTicketsAtFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signedIn)
	for _, change := range []func(*connectors.Ticket){
		func(t *connectors.Ticket) { t.Project = "" },
		func(t *connectors.Ticket) { t.Project = "kim@corp.example\r\nBcc: eve@evil.example" },
		func(t *connectors.Ticket) { t.Project = "Kim <kim@corp.example>" },
		func(t *connectors.Ticket) { t.Project = "\u212aim@corp.example" },
		func(t *connectors.Ticket) { t.Project = kim + ",," },
		func(t *connectors.Ticket) { t.Project = "kim@corp.example> SIZE=1" },
		func(t *connectors.Ticket) { t.Type = "Task" },
		func(t *connectors.Ticket) { t.Links = nil },
		func(t *connectors.Ticket) { t.Fields = map[string]any{"cc": "x"} },
	} {
		ticket := ask()
		change(&ticket)
		if _, err := w.Create(t.Context(), "k1", ticket); connectors.AsError(err) == nil || connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("%+v: %v", ticket, err)
		}
	}
	if len(w.server.Mails()) > 0 {
		t.Error("something was mailed")
	}
	notice := ask()
	notice.Type, notice.Links = "notice", nil
	if to := w.Addressees(notice); to == nil || len(to) > 0 {
		t.Errorf("a notice has links for %v", to)
	}
	if _, err := w.Create(t.Context(), "k1", notice); err != nil || len(w.server.To(kim)) != 1 {
		t.Errorf("a notice: %v", err)
	}
}

func TestSettingsAtFault(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		conf Config
		want string
	}{
		{Config{From: "a@b.example"}, "host"},
		{Config{Host: "https://x", From: "a@b.example"}, "host"},
		{Config{Host: "x.example", From: "A <a@b.example>"}, "from"},
		{Config{Host: "x.example", From: "a@b.example\r\nX: y"}, "from"},
		{Config{Host: "x.example", From: "a@b.example", TLS: "none"}, "tls"},
		{Config{Host: "x.example", From: "a@b.example", TLS: "maybe"}, "tls"},
		{Config{Host: "x.example", From: "a@b.example", User: "u"}, "password"},
		{Config{Host: "x.example", From: "a@b.example", Password: connectors.SecretValue("x")}, "user"},
		{Config{Host: "x.example", From: "a@b.example", User: "u", OAuth: &OAuth{TokenURL: "http://x.example"}}, "oauth.token_url"},
	} {
		if err := test.conf.withDefaults().faults(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test.conf, err)
		}
	}
}
