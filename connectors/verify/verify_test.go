package verify_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
	"github.com/goccy/go-yaml"
)

var now = time.Date(2026, time.March, 2, 9, 30, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func secrets(values ...string) []connectors.Secret {
	var list []connectors.Secret
	for _, v := range values {
		list = append(list, connectors.SecretValue(v))
	}
	return list
}

// checker is a verifier of which only the outcome is looked at.
type checker struct{ *verify.Verifier }

func (c checker) Verify(r connectors.Request, pathToken string) error {
	_, err := c.Verifier.Verify(context.Background(), r, pathToken)
	return err
}

func mustNew(t testing.TB, given connectors.Verification, clock time.Time) checker {
	t.Helper()
	return newWith(t, given, verify.Env{Vault: &connectors.Vault{}, Now: at(clock)})
}

func newWith(t testing.TB, given connectors.Verification, env verify.Env) checker {
	t.Helper()
	v, err := verify.New(connectors.Verification{}, given, env)
	if err != nil {
		t.Fatalf("make verifier: %v", err)
	}
	return checker{v}
}

// request makes a request from pairs of header name and value.
func request(body string, pairs ...string) connectors.Request {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return connectors.Request{Method: "POST", URL: &url.URL{Path: "/in/x"}, Header: h, Body: []byte(body)}
}

func basicText(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

// wantForged checks that err is the refusal that says so, and that it repeats nothing it was given.
func wantForged(t *testing.T, err error, says string, never ...string) {
	t.Helper()
	if !errors.Is(err, connectors.ErrForged) {
		t.Fatalf("got %v, want ErrForged", err)
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("got %q, want it to say %q", err, says)
	}
	for _, value := range never {
		if strings.Contains(err.Error(), value) {
			t.Errorf("%q repeats %q", err, value)
		}
	}
}

func TestVerifyCredentials(t *testing.T) {
	t.Parallel()
	basic := connectors.Verification{Basic: &connectors.BasicCheck{User: "epm", Passwords: secrets("old-pass", "new-pass")}}
	bearer := connectors.Verification{Bearer: &connectors.BearerCheck{Tokens: secrets("old-token", "new-token")}}
	header := connectors.Verification{Header: &connectors.HeaderCheck{Name: "x-drawbridge-key", Values: secrets("old-key", "new-key")}}
	tests := []struct {
		name    string
		given   connectors.Verification
		headers []string
		want    string // part of the refusal; empty: good
	}{
		{"basic, first of a rotation", basic, []string{"Authorization", basicText("epm", "old-pass")}, ""},
		{"basic, second of a rotation", basic, []string{"Authorization", basicText("epm", "new-pass")}, ""},
		{"basic, other password", basic, []string{"Authorization", basicText("epm", "sesame")}, "the user or the password is wrong"},
		{"basic, other user", basic, []string{"Authorization", basicText("sesame", "old-pass")}, "the user or the password is wrong"},
		{"basic, no password", basic, []string{"Authorization", basicText("epm", "")}, "the user or the password is wrong"},
		{"basic, none", basic, nil, "header Authorization is missing"},
		{"basic, twice", basic, []string{"Authorization", basicText("epm", "old-pass"), "Authorization", basicText("epm", "old-pass")}, "more than once"},
		{"basic, not base64", basic, []string{"Authorization", "Basic sesame!"}, "no Basic credentials"},
		{"basic, a bearer token", basic, []string{"Authorization", "Bearer sesame"}, "no Basic credentials"},
		{"bearer, first of a rotation", bearer, []string{"Authorization", "Bearer old-token"}, ""},
		{"bearer, second of a rotation", bearer, []string{"Authorization", "bearer new-token"}, ""},
		{"bearer, other token", bearer, []string{"Authorization", "Bearer sesame"}, "the bearer token is wrong"},
		{"bearer, token with more behind", bearer, []string{"Authorization", "Bearer old-token sesame"}, "the bearer token is wrong"},
		{"bearer, empty", bearer, []string{"Authorization", "Bearer "}, "the bearer token is wrong"},
		{"bearer, no scheme", bearer, []string{"Authorization", "old-token"}, "no bearer token"},
		{"bearer, none", bearer, nil, "header Authorization is missing"},
		{"bearer, twice", bearer, []string{"Authorization", "Bearer old-token", "Authorization", "Bearer sesame"}, "more than once"},
		{"header, first of a rotation", header, []string{"X-Drawbridge-Key", "old-key"}, ""},
		{"header, second of a rotation", header, []string{"X-Drawbridge-Key", "new-key"}, ""},
		{"header, other value", header, []string{"X-Drawbridge-Key", "sesame"}, "the value of header X-Drawbridge-Key is wrong"},
		{"header, part of a value", header, []string{"X-Drawbridge-Key", "old-ke"}, "the value of header X-Drawbridge-Key is wrong"},
		{"header, none", header, nil, "header X-Drawbridge-Key is missing"},
		{"header, empty", header, []string{"X-Drawbridge-Key", ""}, "header X-Drawbridge-Key is missing"},
		{"header, twice", header, []string{"X-Drawbridge-Key", "old-key", "X-Drawbridge-Key", "old-key"}, "more than once"},
		{"none, anything", connectors.Verification{None: true}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := mustNew(t, tt.given, now).Verify(request("{}", tt.headers...), "")
			if tt.want == "" {
				if err != nil {
					t.Fatalf("got %v, want it taken", err)
				}
				return
			}
			wantForged(t, err, tt.want, "sesame", "old-pass", "old-token", "old-key")
		})
	}
}

func TestVerifyToken(t *testing.T) {
	t.Parallel()
	v := mustNew(t, connectors.Verification{Token: &connectors.TokenCheck{Tokens: secrets("tok-1", "tok-2")}}, now)
	tests := []struct {
		name, url, path, want string
	}{
		{"in the query", "https://h/in/epm?token=tok-1", "", ""},
		{"in the query, escaped", "https://h/in/epm?a=b&%74oken=tok%2D2", "", ""},
		{"in the path", "https://h/in/epm/tok-2", "tok-2", ""},
		{"other in the query", "https://h/in/epm?token=sesame", "", "the token is wrong"},
		{"other in the path", "https://h/in/epm/sesame", "sesame", "the token is wrong"},
		{"empty", "https://h/in/epm?token=", "", "the token is missing"},
		{"none", "https://h/in/epm", "", "the token is missing"},
		{"twice in the query", "https://h/in/epm?token=tok-1&token=tok-1", "", "more than once"},
		{"in both", "https://h/in/epm/tok-1?token=tok-1", "tok-1", "more than once"},
		{"a query that cannot be read", "https://h/in/epm?token=tok-1;x=%zz", "", "the query cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			err = v.Verify(connectors.Request{URL: u}, tt.path)
			if tt.want == "" {
				if err != nil {
					t.Fatalf("got %v, want it taken", err)
				}
				return
			}
			wantForged(t, err, tt.want, "sesame", "tok-1")
		})
	}
	wantForged(t, v.Verify(connectors.Request{}, ""), "the token is missing")
}

// decode reads a verification block as a document would hold it.
func decode(t *testing.T, text string) connectors.Verification {
	t.Helper()
	var v connectors.Verification
	if err := yaml.UnmarshalWithOptions([]byte(text), &v, yaml.Strict()); err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
	return v
}

func TestVerifyTakesNoSecretThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vault := &connectors.Vault{Dir: dir, Getenv: func(string) string { return "" }}
	blocks := map[string]string{
		"basic":    "basic: {user: epm, passwords: [SECRET]}",
		"bearer":   "bearer: {tokens: [SECRET]}",
		"header":   "header: {name: X-Key, values: [SECRET]}",
		"token":    "token: {tokens: [SECRET]}",
		"hmac":     "hmac: {header: X-Signature, secrets: [SECRET]}",
		"standard": "standard_webhooks: {secrets: [SECRET]}",
	}
	refs := []string{"{env: DRAWBRIDGE_SECRET_UNSET}", "{file: missing}", "{file: empty}", `{sealed: "k:AAAA"}`}
	for name, block := range blocks {
		for _, ref := range refs {
			t.Run(name+" "+ref, func(t *testing.T) {
				t.Parallel()
				v := newWith(t, decode(t, strings.ReplaceAll(block, "SECRET", ref)), verify.Env{Vault: vault, Now: at(now)})
				// What an empty secret would let in.
				r := request("{}",
					"X-Key", " ", "X-Signature", hexMAC(t, "", "{}"),
					"webhook-id", "a", "webhook-timestamp", unix(now), "webhook-signature", "v1,"+base64MAC(t, "", "a."+unix(now)+".{}"))
				if name == "basic" {
					r.Header.Set("Authorization", basicText("epm", ""))
				}
				if name == "bearer" {
					r.Header.Set("Authorization", "Bearer ")
				}
				r.URL.RawQuery = "token="
				if err := v.Verify(r, ""); !errors.Is(err, connectors.ErrForged) {
					t.Errorf("got %v, want ErrForged", err)
				}
				if err := v.Ready(); err == nil {
					t.Error("Ready is content with a secret that cannot be read")
				}
			})
		}
	}
}

func TestVerifyReadsAChangedFileAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v := newWith(t, decode(t, "bearer: {tokens: [{file: token}]}"), verify.Env{Vault: &connectors.Vault{Dir: dir}, Now: at(now)})
	write("first\n")
	if err := v.Verify(request("", "Authorization", "Bearer first"), ""); err != nil {
		t.Errorf("first token: %v", err)
	}
	write("second")
	wantForged(t, v.Verify(request("", "Authorization", "Bearer first"), ""), "the bearer token is wrong")
	if err := v.Verify(request("", "Authorization", "Bearer second"), ""); err != nil {
		t.Errorf("second token: %v", err)
	}
	if err := v.Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
}

// What Strip leaves is all that connectors, and what they keep, can see.
func TestStripTakesTheCredentials(t *testing.T) {
	t.Parallel()
	schemes := map[string]connectors.Verification{
		"none":   {None: true},
		"bearer": {Bearer: &connectors.BearerCheck{Tokens: secrets("s3cret")}},
		"header": {Header: &connectors.HeaderCheck{Name: "x-key", Values: secrets("s3cret")}},
		"token":  {Token: &connectors.TokenCheck{Tokens: secrets("s3cret")}},
		"hmac":   {HMAC: &connectors.HMACCheck{Header: "X-Key", Secrets: secrets("s3cret")}},
	}
	for name, given := range schemes {
		r := request("{}", "Authorization", "Bearer s3cret", "Proxy-Authorization", "s3cret", "Cookie", "a=s3cret", "X-Key", "s3cret", "Content-Type", "application/json")
		r.URL = &url.URL{Path: "/in/epm/s3cret", RawPath: "/in/epm/s3cret", RawQuery: "token=s3cret&webhook=audit", User: url.User("s3cret")}
		got := mustNew(t, given, now).Strip(r, "/in/epm")
		shown := got.URL.String() + got.URL.RawPath
		for header, values := range got.Header {
			if name != "header" && header == "X-Key" {
				continue // of no meaning to the other schemes
			}
			shown += header + strings.Join(values, "")
		}
		if strings.Contains(shown, "s3cret") || got.URL.Query().Get("webhook") != "audit" || got.Header.Get("Content-Type") == "" {
			t.Errorf("%s: left is %s", name, shown)
		}
		if r.Header.Get("Authorization") == "" || r.URL.Path != "/in/epm/s3cret" {
			t.Errorf("%s: the request given was changed", name)
		}
	}
}

func TestVerifyOwnTokens(t *testing.T) {
	t.Parallel()
	gone := errors.New("the database is gone")
	v := newWith(t, connectors.Verification{OAuth: &connectors.OAuthCheck{ClientID: "epm"}}, verify.Env{Vault: &connectors.Vault{}, Now: at(now),
		Tokens: func(_ context.Context, clientID, token string) error {
			switch {
			case token == "no-answer":
				return gone
			case clientID == "epm" && token == "good":
				return nil
			}
			return connectors.ErrForged
		}})
	if err := v.Verify(request("", "Authorization", "Bearer good"), ""); err != nil {
		t.Errorf("a good token: %v", err)
	}
	for _, header := range []string{"Bearer bad", "Basic good", "good", "Bearer"} {
		if err := v.Verify(request("", "Authorization", header), ""); !errors.Is(err, connectors.ErrForged) {
			t.Errorf("%s: got %v", header, err)
		}
	}
	if err := v.Verify(request("", "Authorization", "Bearer no-answer"), ""); !errors.Is(err, gone) || errors.Is(err, connectors.ErrForged) {
		t.Errorf("a token that cannot be looked up: got %v", err)
	}
	if v.Challenge() != `Bearer realm="drawbridge", error="invalid_token"` {
		t.Errorf("the challenge is %s", v.Challenge())
	}
	wantForged(t, mustNew(t, connectors.Verification{OAuth: &connectors.OAuthCheck{ClientID: "epm"}}, now).Verify(request("", "Authorization", "Bearer good"), ""), "not known here")
}

func TestVerifyTellsWhichSecretWasUsed(t *testing.T) {
	t.Parallel()
	vault := &connectors.Vault{Getenv: func(name string) string { return strings.ToLower(name) }}
	first, second := "drawbridge_secret_first", "drawbridge_secret_second"
	two := "[{env: DRAWBRIDGE_SECRET_FIRST}, {env: DRAWBRIDGE_SECRET_SECOND}]"
	tests := map[string]struct {
		block string
		sign  func(secret string) connectors.Request
	}{
		"basic":  {"basic: {user: epm, passwords: " + two + "}", func(s string) connectors.Request { return request("", "Authorization", basicText("epm", s)) }},
		"bearer": {"bearer: {tokens: " + two + "}", func(s string) connectors.Request { return request("", "Authorization", "Bearer "+s) }},
		"header": {"header: {name: X-Key, values: " + two + "}", func(s string) connectors.Request { return request("", "X-Key", s) }},
		"token": {"token: {tokens: " + two + "}", func(s string) connectors.Request {
			return connectors.Request{URL: &url.URL{RawQuery: "token=" + s}}
		}},
		"hmac": {"hmac: {header: X-Sig, secrets: " + two + "}", func(s string) connectors.Request { return request("b", "X-Sig", hexMAC(t, s, "b")) }},
	}
	for name, test := range tests {
		v := newWith(t, decode(t, test.block), verify.Env{Vault: vault, Now: at(now)})
		known := v.Credentials()
		if len(known) != 2 || known[0].Mark == known[1].Mark || known[0].Where != "environment variable DRAWBRIDGE_SECRET_FIRST" {
			t.Fatalf("%s: credentials are %+v", name, known)
		}
		for i, secret := range []string{first, second} {
			if used, err := v.Verifier.Verify(t.Context(), test.sign(secret), ""); err != nil || used != known[i].Mark {
				t.Errorf("%s, secret %d: got %q, %v; want %s", name, i+1, used, err, known[i].Mark)
			}
		}
		if used, err := v.Verifier.Verify(t.Context(), test.sign("guess"), ""); err == nil || used != "" {
			t.Errorf("%s, a guess: got %q, %v", name, used, err)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, url, want string
	}{
		{"no query", "https://h/in/epm", "https://h/in/epm"},
		{"the token alone", "https://h/in/epm?token=s3cret", "https://h/in/epm"},
		{"the token among others", "https://h/in/epm?b=%20x&token=s3cret&a=1", "https://h/in/epm?b=%20x&a=1"},
		{"escaped", "https://h/in/epm?%74oken=s3cret&a", "https://h/in/epm?a"},
		{"in capitals", "https://h/in/epm?TOKEN=s3cret", "https://h/in/epm"},
		{"twice", "https://h/in/epm?token=s3cret&token=s3cret&x=y", "https://h/in/epm?x=y"},
		{"behind a semicolon", "https://h/in/epm?a=1;token=s3cret&b=2", "https://h/in/epm?b=2"},
		{"a key that cannot be read", "https://h/in/epm?%zztoken=s3cret&b=2", "https://h/in/epm?b=2"},
		{"user information", "https://u:s3cret@h/in/epm?b=2", "https://h/in/epm?b=2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if got := verify.Redact(u).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if u.String() != tt.url {
				t.Errorf("the URL given was changed to %s", u)
			}
		})
	}
	if verify.Redact(nil) != nil {
		t.Error("no URL became one")
	}
}
