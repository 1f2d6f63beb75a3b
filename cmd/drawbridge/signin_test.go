package main

import (
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
)

// TestAnIdentityProviderIsSetUpWhole starts a server whose provider is away, and refuses settings of which one is missing.
func TestAnIdentityProviderIsSetUpWhole(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--oidc-client-id", "x"}, "--oidc-issuer is missing"},
		{[]string{"--oidc-issuer", "https://login.example", "--oidc-client-id", "x"}, "--base-url is missing"},
		{[]string{"--oidc-issuer", "http://login.example", "--base-url", "https://bridge.example"}, "--oidc-issuer must be https"},
	} {
		if r := p.run(append([]string{"serve", "--listen", "127.0.0.1:0"}, test.args...)...); r.code == 0 || !strings.Contains(r.err, test.want) {
			t.Errorf("%v: exit %d, %s, want %q", test.args, r.code, r.err, test.want)
		}
	}
	p.fine("migrate")
	for address, want := range map[string]string{
		"https://bridge.example/drawbridge": "holds more than scheme and host", "https://bridge.example?a=b": "holds more than scheme and host", "https://kim@bridge.example": "holds more than scheme and host",
		"javascript:x": "is not a URL", "bridge.example": "is not a URL", "ftp://bridge.example": "must be https", "https://": "is not a URL",
	} {
		if err := (peopleSettings{BaseURL: address}).baseFault(); err == nil || !strings.HasPrefix(err.Error(), "--base-url "+want) {
			t.Errorf("--base-url %s: %v, want %q", address, err, want)
		}
	}
	for _, address := range []string{"http://bridge.example:8480", "https://bridge.example/", ""} {
		must(t, peopleSettings{BaseURL: address}.baseFault())
	}
	for _, command := range []string{"serve", "doctor"} {
		if r := p.run(command, "--base-url", "javascript:x"); r.code == 0 || !strings.Contains(r.err, "--base-url is not a URL: it is http or https and a host, as in https://bridge.example.com") {
			t.Errorf("%s: exit %d, %s", command, r.code, r.err)
		}
	}
	p.write("drawbridge.yaml", "oidc-issuer: https://login.invalid\noidc-client-id: drawbridge\noidc-client-secret: file:secret-of-the-client\noidc-any-mail: true\nbase-url: https://bridge.example\n")
	s := p.serve("--config", "drawbridge.yaml")
	r, err := http.Get("http://" + s.address + "/auth/sign-in?to=/vote/x")
	must(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	must(t, err)
	if r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(text), "cannot be reached just now") || strings.Contains(s.log.String(), "secret-of-the-client") {
		t.Errorf("a provider that is away: %d\n%s", r.StatusCode, text)
	}
}

func TestAttemptsToSignInArePassing(t *testing.T) {
	t.Parallel()
	p := openPostroom(t)
	b := p.browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var got page
	for range 25 {
		got = b.get(p.urls.bridge + "/auth/sign-in?to=/vote/x&account=other")
	}
	if kept := got.header.Values("Set-Cookie"); !strings.Contains(kept[len(kept)-1], "; Max-Age=600;") {
		t.Errorf("the attempt is kept as %q", kept)
	}
	if where := got.header.Get("Location"); !strings.Contains(where, "&prompt=select_account&") {
		t.Errorf("another account is asked for at %s", where)
	}
	if where := b.get(p.urls.bridge + "/auth/sign-in").header.Get("Location"); strings.Contains(where, "prompt") {
		t.Errorf("somebody who signs in is sent to %s", where)
	}
	if kept := b.Jar.Cookies(got.url); len(kept) > 5 {
		t.Errorf("%d attempts go along with every request", len(kept))
	}
}

func TestDoctorTellsWhyNobodyCanAnswerByALink(t *testing.T) {
	t.Parallel()
	p := openPostroom(t)
	vendors := builtin.Vendors()
	open := func(change func(s *peopleSettings)) *gateway.Gateway {
		s := p.bridge.settings.peopleSettings
		change(&s)
		people, err := s.signIn(p.store, p.bridge.vault)
		must(t, err)
		g, err := gateway.New(t.Context(), gateway.Options{Store: p.store, Vault: p.bridge.vault, Log: slog.New(slog.DiscardHandler), Vendors: vendors, BaseURL: s.BaseURL, SignIn: people})
		must(t, err)
		return g
	}
	for want, change := range map[string]func(s *peopleSettings){
		"fine: people can sign in":                                                    func(*peopleSettings) {},
		"look: nobody can answer what it asks: its links only show":                   func(s *peopleSettings) { *s = peopleSettings{BaseURL: s.BaseURL} },
		"look: nobody can answer what it asks: it sends no links":                     func(s *peopleSettings) { *s = peopleSettings{} },
		"bad: nobody can sign in to answer what it asks: ask the identity provider: ": func(s *peopleSettings) { s.OIDCIssuer += "/elsewhere" },
	} {
		report, err := open(change).Doctor(t.Context(), "mail")
		must(t, err)
		var said []string
		for _, f := range report.Findings {
			said = append(said, string(f.Level)+": "+f.Text)
		}
		if !slices.ContainsFunc(said, func(one string) bool { return strings.HasPrefix(one, want) }) {
			t.Errorf("doctor says %q, want %q", said, want)
		}
	}
}
