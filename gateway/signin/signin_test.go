package signin_test

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin/oidctest"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const base = "http://127.0.0.1:1"

func TestMain(m *testing.M) { storetest.Main(m) }

// door is a provider of ours with an issuer behind it.
type door struct {
	*testing.T
	*signin.Provider
	issuer *oidctest.Issuer
	late   time.Duration
}

func newDoor(t *testing.T, change ...func(*signin.Options)) *door {
	t.Helper()
	d := &door{T: t, issuer: oidctest.New(t, base+signin.CallbackPath)}
	o := signin.Options{
		Issuer: d.issuer.URL, ClientID: oidctest.ClientID, Secret: connectors.SecretValue(oidctest.Secret), BaseURL: base,
		Store: storetest.New(t, storetest.SQLite), Vault: vault(), Now: func() time.Time { return time.Now().Add(d.late) },
	}
	for _, f := range change {
		f(&o)
	}
	p, err := signin.New(o)
	if err != nil {
		t.Fatal(err)
	}
	d.Provider = p
	return d
}

func vault() *connectors.Vault {
	return &connectors.Vault{Keys: map[string][]byte{"k1": make([]byte, 32)}, Current: "k1", Getenv: os.Getenv}
}

// begin goes to the issuer and comes back: what the browser kept, and what the issuer sent along.
func (d *door) begin(to string) (kept string, back url.Values) {
	d.Helper()
	address, name, kept, err := d.Begin(d.Context(), to, "")
	if err != nil {
		d.Fatal(err)
	}
	back = follow(d.T, address)
	if name != signin.Attempt(back.Get("state")) {
		d.Errorf("the attempt is kept as %s, and comes back with state %s", name, back.Get("state"))
	}
	return kept, back
}

// follow goes to an issuer and gives what it sends back.
func follow(t *testing.T, address string) url.Values {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	location, err := r.Location()
	if err != nil {
		t.Fatalf("the issuer answers %s: %v", r.Status, err)
	}
	if !strings.HasPrefix(location.String(), base+signin.CallbackPath+"?") {
		t.Fatalf("the issuer sends the browser to %s", location.Host)
	}
	return location.Query()
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	if d.issuer.Asked() != 0 {
		t.Error("the issuer was asked before anybody came")
	}
	d.issuer.SignInAs(oidctest.Mail("Kim Okafor", "Kim@corp.example"))
	kept, back := d.begin("/vote/abc.def")
	token, to, err := d.Finish(t.Context(), kept, back)
	if err != nil || to != "/vote/abc.def" {
		t.Fatalf("finish: %q, %v", to, err)
	}
	who, err := d.Who(t.Context(), token)
	if err != nil || who != (signin.Person{Mail: "Kim@corp.example", Name: "Kim Okafor"}) {
		t.Errorf("who: %+v, %v", who, err)
	}
	if _, _, err := d.Finish(t.Context(), kept, back); err == nil {
		t.Error("a code was good twice")
	}
	if err := d.End(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Who(t.Context(), token); !errors.Is(err, signin.ErrNobody) {
		t.Errorf("after signing out: %v", err)
	}
	kept, back = d.begin("/")
	token, _, err = d.Finish(t.Context(), kept, back)
	if err != nil {
		t.Fatal(err)
	}
	d.late = 8*time.Hour + time.Second
	if _, err := d.Who(t.Context(), token); !errors.Is(err, signin.ErrNobody) {
		t.Errorf("after the session's time: %v", err)
	}
}

func TestHostileSignIn(t *testing.T) {
	t.Parallel()
	kim := oidctest.Mail("Kim", "kim@corp.example")
	with := func(name string, value any) func(*door) {
		return func(d *door) { d.issuer.Change(func(c map[string]any) { c[name] = value }) }
	}
	for _, test := range []struct {
		name   string
		before func(*door)
		after  func(d *door, kept *string, back url.Values)
		cause  string
	}{
		{"a browser that began nothing", nil, func(_ *door, kept *string, _ url.Values) { *kept = "" }, "does not know"},
		{"what was kept is forged", nil, func(_ *door, kept *string, _ url.Values) { *kept = "k1:AAAA" }, "does not know"},
		{"another browser's attempt", nil, func(d *door, kept *string, _ url.Values) { *kept, _ = d.begin("/") }, "state"},
		{"no state", nil, func(_ *door, _ *string, back url.Values) { back.Del("state") }, "state"},
		{"too late", nil, func(d *door, _ *string, _ url.Values) { d.late = 11 * time.Minute }, "too long"},
		{"another issuer's answer", nil, func(_ *door, _ *string, back url.Values) { back.Set("iss", "https://evil.example") }, "another identity provider"},
		{"another one's code", nil, func(d *door, _ *string, back url.Values) {
			_, other := d.begin("/")
			back.Set("code", other.Get("code"))
		}, "invalid_grant"},
		{"a code nobody gave", nil, func(_ *door, _ *string, back url.Values) { back.Set("code", "x") }, "invalid_grant"},
		{"the issuer lets nobody in", func(d *door) { d.issuer.SignInAs(nil) }, nil, "access_denied"},
		{"another nonce", with("nonce", "x"), nil, "nonce"},
		{"no nonce", with("nonce", nil), nil, "nonce"},
		{"a token for another client", with("aud", "another"), nil, "not as it should be"},
		{"a token of another issuer", with("iss", "https://evil.example"), nil, "not as it should be"},
		{"a token that ran out", with("exp", 1), nil, "not as it should be"},
		{"an address that is not verified", with("email_verified", false), nil, "email_verified"},
		{"an address of which nothing is said", with("email_verified", nil), nil, "email_verified"},
		{"an address that is verified in other words", with("email_verified", "yes"), nil, "email_verified"},
		{"an address with a line break", with("email", "kim@corp.example\r\nBcc: x"), nil, "plain address"},
		{"an address that looks like another", with("email", "\u212aim@corp.example"), nil, "plain address"},
		{"no address", with("email", nil), nil, ""},
		{"user info of somebody else", func(d *door) {
			d.issuer.Info(oidctest.Mail("Kim", "kim@corp.example"))
			d.issuer.Change(func(c map[string]any) { c["sub"] = "somebody-else" })
		}, nil, "somebody else"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			d.issuer.SignInAs(kim)
			if test.before != nil {
				test.before(d)
			}
			kept, back := d.begin("/vote/x")
			if test.after != nil {
				test.after(d, &kept, back)
			}
			token, _, err := d.Finish(t.Context(), kept, back)
			refused, ok := errors.AsType[*signin.Refused](err)
			if !ok || token != "" {
				t.Fatalf("got %q, %v", token, err)
			}
			if refused.Cause == nil || !strings.Contains(refused.Cause.Error(), test.cause) || strings.Contains(refused.Cause.Error(), "secret") {
				t.Errorf("the cause is %v, want %q", refused.Cause, test.cause)
			}
		})
	}
}

func TestWhereSomebodyIsBroughtBackTo(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "https://evil.example/", "//evil.example", "/\\evil.example", "/vote/", "/vote//evil.example", "/vote/../x", "/vote/a?b=c", "/vote/a\r\nX: y", "javascript:alert(1)", "/vote/a#b", "/vote/%2e%2e", "/auth/sign-out", "vote/x"} {
		if got := signin.Own(path); got != "/" {
			t.Errorf("%q leads to %q", path, got)
		}
	}
	if got := signin.Own("/vote/bG5r.x_Y-z"); got != "/vote/bG5r.x_Y-z" {
		t.Errorf("a vote leads to %q", got)
	}
}

func TestAddressFromUserInfoAndOneThatIsOnlyClaimed(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.issuer.Info(map[string]any{"sub": "1", "email": "kim@corp.example", "email_verified": "true"})
	kept, back := d.begin("/")
	if _, _, err := d.Finish(t.Context(), kept, back); err != nil {
		t.Errorf("user info: %v", err)
	}
	d = newDoor(t, func(o *signin.Options) { o.AnyMail = true })
	d.issuer.SignInAs(map[string]any{"sub": "1", "email": "kim@corp.example"})
	kept, back = d.begin("/")
	if _, _, err := d.Finish(t.Context(), kept, back); err != nil {
		t.Errorf("any mail: %v", err)
	}
}

func TestAnIssuerThatIsAwayIsAskedAgain(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.issuer.Down(true)
	for range 3 {
		if _, _, _, err := d.Begin(t.Context(), "/", ""); err == nil {
			t.Fatal("signed in at nobody's")
		}
	}
	if d.issuer.Asked() != 1 {
		t.Errorf("the issuer was asked %d times in one moment", d.issuer.Asked())
	}
	d.issuer.Down(false)
	d.late += 6 * time.Second
	if _, _, _, err := d.Begin(t.Context(), "/", ""); err != nil {
		t.Fatal(err)
	}
	d.issuer.Down(true)
	d.late += 11 * time.Minute
	if _, _, _, err := d.Begin(t.Context(), "/", ""); err != nil {
		t.Errorf("one that was known: %v", err)
	}
}

func TestSettingsAtFault(t *testing.T) {
	t.Parallel()
	_, err := signin.New(signin.Options{Issuer: "http://issuer.example", Vault: &connectors.Vault{}})
	for _, want := range []string{"--oidc-issuer must be https", "--oidc-client-id", "--base-url", "--key-file"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

func TestFormsAreOfOneSessionAndPage(t *testing.T) {
	t.Parallel()
	form := signin.Form("session", "/vote/x")
	for _, test := range []struct {
		token, page, given string
		want               bool
	}{{"session", "/vote/x", form, true}, {"other", "/vote/x", form, false}, {"session", "/vote/y", form, false}, {"session", "/vote/x", "", false}, {"", "/vote/x", signin.Form("", "/vote/x"), false}} {
		if got := signin.IsForm(test.token, test.page, test.given); got != test.want {
			t.Errorf("%+v: got %t", test, got)
		}
	}
}
