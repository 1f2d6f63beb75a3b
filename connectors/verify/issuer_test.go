package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

// issuing is an outside issuer: discovery, keys, and tokens signed with them. It shares no code with what verifies.
type issuing struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	keys  []map[string]any // published
	down  bool
	calls map[string]int
	name  string // what it calls itself; empty: its address
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newIssuing(t *testing.T) *issuing {
	t.Helper()
	i := &issuing{t: t, calls: map[string]int{}}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	i.publish("k1", &rsaKey().PublicKey)
	return i
}

func (i *issuing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls[r.URL.Path]++
	if i.down {
		http.Error(w, "secret-of-the-issuer", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	name := i.name
	if name == "" {
		name = i.URL
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": name, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	case "/keys":
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": i.keys})
	default:
		http.NotFound(w, r)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// publish adds a key to those that verify.
func (i *issuing) publish(id string, key crypto.PublicKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	jwk := map[string]any{"kid": id, "use": "sig"}
	switch key := key.(type) {
	case *rsa.PublicKey:
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			i.t.Error(err)
		}
		jwk["kty"], jwk["crv"], jwk["x"], jwk["y"] = "EC", "P-256", b64(point[1:33]), b64(point[33:])
	case ed25519.PublicKey:
		jwk["kty"], jwk["crv"], jwk["x"] = "OKP", "Ed25519", b64(key)
	}
	i.keys = append(i.keys, jwk)
}

func (i *issuing) withdraw() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = nil
}

func (i *issuing) set(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

func (i *issuing) called(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls[path]
}

// claimsOf are those of a good token, with some changed; nil takes one out.
func (i *issuing) claimsOf(change map[string]any) map[string]any {
	all := map[string]any{
		"iss": i.URL, "aud": "drawbridge", "sub": "epm", "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "azp": "client-7",
		"roles": []string{"reader", "sender"}, "scope": "events.write other",
	}
	for name, value := range change {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

// token signs claims with a key.
func token(t testing.TB, alg, kid string, key any, claims map[string]any) string {
	t.Helper()
	head, err := json.Marshal(map[string]any{"alg": alg, "kid": kid, "typ": "at+jwt"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed := b64(head) + "." + b64(body)
	digest := sha256.Sum256([]byte(signed))
	var signature []byte
	switch key := key.(type) {
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	case *ecdsa.PrivateKey:
		r, s, fault := ecdsa.Sign(rand.Reader, key, digest[:])
		signature, err = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), fault
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(signed))
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed))
		signature = mac.Sum(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(signature)
}

func (i *issuing) good(change map[string]any) string {
	return token(i.t, "RS256", "k1", rsaKey(), i.claimsOf(change))
}

// clocked is a clock that can be put on.
type clocked struct{ after atomic.Int64 }

func (c *clocked) now() time.Time         { return now.Add(time.Duration(c.after.Load())) }
func (c *clocked) put(d time.Duration)    { c.after.Store(int64(d)) }
func bearing(t string) connectors.Request { return request("{}", "Authorization", "Bearer "+t) }

// against returns a verifier of the issuer's tokens.
func (i *issuing) against(clock func() time.Time, change ...func(*connectors.IssuerCheck)) checker {
	i.t.Helper()
	client, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{"127.0.0.1"}}, &connectors.Vault{}, clock)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(client.Close)
	check := connectors.IssuerCheck{URL: i.URL, Audience: "drawbridge", Subject: "epm"}
	for _, f := range change {
		f(&check)
	}
	return newWith(i.t, connectors.Verification{Issuer: &check}, verify.Env{Vault: &connectors.Vault{}, Now: clock, Client: client})
}

func TestVerifyTokensOfAnIssuer(t *testing.T) {
	t.Parallel()
	i := newIssuing(t)
	v := i.against(at(now))
	seconds := func(d time.Duration) int64 { return now.Add(d).Unix() }
	tests := []struct {
		name   string
		change map[string]any
		want   string
	}{
		{"good", nil, ""},
		{"one of several audiences", map[string]any{"aud": []string{"other", "drawbridge"}}, ""},
		{"over for less than the skew", map[string]any{"exp": seconds(-50 * time.Second)}, ""},
		{"over", map[string]any{"exp": seconds(-70 * time.Second)}, "has expired"},
		{"without an end", map[string]any{"exp": nil}, "has no end"},
		{"valid in less than the skew", map[string]any{"nbf": seconds(50 * time.Second)}, ""},
		{"not valid yet", map[string]any{"nbf": seconds(70 * time.Second)}, "not valid yet"},
		{"valid from nonsense", map[string]any{"nbf": "soon"}, ""}, // told below
		{"another audience", map[string]any{"aud": "somebody"}, "another audience"},
		{"no audience", map[string]any{"aud": nil}, "another audience"},
		{"another subject", map[string]any{"sub": "apono"}, "another subject"},
		{"no subject", map[string]any{"sub": nil}, "another subject"},
		{"another issuer", map[string]any{"iss": "https://login.example.test"}, "another issuer"},
		{"almost the issuer", map[string]any{"iss": i.URL + "/"}, "another issuer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := v.Verify(bearing(i.good(tt.change)), "")
			if tt.name == "valid from nonsense" {
				if !errors.Is(err, connectors.ErrForged) {
					t.Errorf("got %v", err)
				}
				return
			}
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v, want it taken", err)
				}
				return
			}
			wantForged(t, err, tt.want, "apono", "somebody", "login.example")
		})
	}
}

func TestVerifyClaimsOfAnIssuer(t *testing.T) {
	t.Parallel()
	i := newIssuing(t)
	for name, test := range map[string]struct {
		claims map[string]string
		good   bool
	}{
		"a text":              {map[string]string{"azp": "client-7"}, true},
		"another text":        {map[string]string{"azp": "client-8"}, false},
		"one of a list":       {map[string]string{"roles": "sender"}, true},
		"none of a list":      {map[string]string{"roles": "admin"}, false},
		"a scope":             {map[string]string{"scope": "events.write"}, true},
		"a part of a scope":   {map[string]string{"scope": "events"}, false},
		"all":                 {map[string]string{"azp": "client-7", "roles": "reader"}, true},
		"all but one":         {map[string]string{"azp": "client-7", "roles": "admin"}, false},
		"one that is missing": {map[string]string{"tid": "t"}, false},
		"one that is no text": {map[string]string{"iat": fmt.Sprint(now.Unix())}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := i.against(at(now), func(c *connectors.IssuerCheck) { c.Subject, c.Claims = "", test.claims }).Verify(bearing(i.good(nil)), "")
			if (err == nil) != test.good || (err != nil && !errors.Is(err, connectors.ErrForged)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestVerifySignaturesOfAnIssuer(t *testing.T) {
	t.Parallel()
	i := newIssuing(t)
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i.publish("k2", &elliptical.PublicKey)
	i.publish("k3", public)
	v := i.against(at(now))
	good := i.good(nil)
	parts := strings.Split(good, ".")
	none := b64([]byte(`{"alg":"none","kid":"k1"}`))
	other := strings.Split(i.good(map[string]any{"sub": "apono"}), ".")
	for name, test := range map[string]struct {
		token string
		good  bool
	}{
		"RSA":                                   {good, true},
		"ECDSA":                                 {token(t, "ES256", "k2", elliptical, i.claimsOf(nil)), true},
		"Ed25519":                               {token(t, "EdDSA", "k3", edwards, i.claimsOf(nil)), true},
		"without a key id":                      {token(t, "RS256", "", rsaKey(), i.claimsOf(nil)), true},
		"signed by a stranger":                  {token(t, "RS256", "k1", stranger, i.claimsOf(nil)), false},
		"a key nobody published":                {token(t, "RS256", "k9", stranger, i.claimsOf(nil)), false},
		"with the public key as a secret":       {token(t, "HS256", "k1", rsaKey().N.Bytes(), i.claimsOf(nil)), false},
		"none":                                  {none + "." + parts[1] + ".", false},
		"none, with the signature of another":   {none + "." + parts[1] + "." + parts[2], false},
		"other claims under the same signature": {parts[0] + "." + other[1] + "." + parts[2], false},
		"no signature":                          {parts[0] + "." + parts[1] + ".", false},
		"two parts":                             {parts[0] + "." + parts[1], false},
		"encrypted":                             {good + ".x.y", false},
		"nonsense":                              {"a.b.c", false},
		"a token of ours":                       {"dbt_0123456789", false},
		"empty":                                 {"", false},
		"an ocean":                              {parts[0] + "." + strings.Repeat("A", 32<<10) + "." + parts[2], false},
	} {
		t.Run(name, func(t *testing.T) {
			err := v.Verify(bearing(test.token), "")
			if (err == nil) != test.good || (err != nil && !errors.Is(err, connectors.ErrForged)) {
				t.Errorf("got %v", err)
			}
		})
	}
	wantForged(t, v.Verify(request("{}"), ""), "header Authorization is missing")
}

func TestKeysOfAnIssuerAreKept(t *testing.T) {
	t.Parallel()
	i := newIssuing(t)
	clock := &clocked{}
	v := i.against(clock.now)
	for range 20 {
		if err := v.Verify(bearing(i.good(nil)), ""); err != nil {
			t.Fatal(err)
		}
	}
	if found, keys := i.called("/.well-known/openid-configuration"), i.called("/keys"); found != 1 || keys > 2 {
		t.Errorf("asked %d and %d times for twenty tokens", found, keys)
	}
	// Tokens of strangers do not make us ask again and again.
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	asked := i.called("/keys")
	for n := range 50 {
		wantForged(t, v.Verify(bearing(token(t, "RS256", fmt.Sprint("x", n), stranger, i.claimsOf(nil))), ""), "not signed")
	}
	if n := i.called("/keys") - asked; n > 1 {
		t.Errorf("asked %d times for fifty tokens of strangers", n)
	}
	// A new key is found, an old one that was withdrawn is forgotten after a while.
	next, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i.withdraw()
	i.publish("k2", &next.PublicKey)
	clock.put(2 * time.Second)
	if err := v.Verify(bearing(token(t, "RS256", "k2", next, i.claimsOf(nil))), ""); err != nil {
		t.Errorf("a token signed with the next key: %v", err)
	}
	clock.put(11 * time.Minute)
	late := map[string]any{"exp": now.Add(time.Hour).Unix()}
	if err := v.Verify(bearing(token(t, "RS256", "k2", next, i.claimsOf(late))), ""); err != nil {
		t.Errorf("eleven minutes later: %v", err)
	}
	wantForged(t, v.Verify(bearing(i.good(late)), ""), "not signed")
}

func TestAnIssuerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	i := newIssuing(t)
	i.set(true)
	clock := &clocked{}
	v := i.against(clock.now)
	late := map[string]any{"exp": now.Add(100 * time.Hour).Unix()}
	unknown := func(err error, when string) {
		t.Helper()
		if err == nil || errors.Is(err, connectors.ErrForged) || strings.Contains(err.Error(), "secret-of") {
			t.Errorf("%s: got %v, want that it cannot be told", when, err)
		}
	}
	for range 5 {
		unknown(v.Verify(bearing(i.good(late)), ""), "down from the start")
	}
	if n := i.called("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("asked %d times within five seconds", n)
	}
	if err := v.Reach(t.Context()); err == nil {
		t.Error("Reach is content with an issuer that does not answer")
	}
	i.set(false)
	clock.put(6 * time.Second)
	if err := v.Verify(bearing(i.good(late)), ""); err != nil {
		t.Fatalf("back again: %v", err)
	}
	if err := v.Reach(t.Context()); err != nil {
		t.Errorf("reach: %v", err)
	}
	// What is known goes on being good, for a day.
	i.set(true)
	for _, after := range []time.Duration{20 * time.Minute, 23 * time.Hour} {
		clock.put(after)
		if err := v.Verify(bearing(i.good(late)), ""); err != nil {
			t.Errorf("down for %s: %v", after, err)
		}
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	unknown(v.Verify(bearing(token(t, "RS256", "k7", stranger, i.claimsOf(late))), ""), "with a key that may be new")
	clock.put(25 * time.Hour)
	unknown(v.Verify(bearing(i.good(late)), ""), "down for more than a day")
}

func TestAnIssuerThatIsAnother(t *testing.T) {
	t.Parallel()
	i := newIssuing(t)
	i.name = "https://login.example.test"
	err := i.against(at(now)).Verify(bearing(i.good(nil)), "")
	if err == nil || errors.Is(err, connectors.ErrForged) || !strings.Contains(err.Error(), `it calls itself "https://login.example.test"; set issuer.url to that`) {
		t.Errorf("got %v", err)
	}
	i.name = ""
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>secret page") }))
	defer page.Close()
	err = i.against(at(now), func(c *connectors.IssuerCheck) { c.URL = page.URL }).Verify(bearing(i.good(nil)), "")
	if err == nil || errors.Is(err, connectors.ErrForged) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a page in place of a document: got %v", err)
	}
}

func TestManyAskAnIssuerAtOnce(t *testing.T) {
	t.Parallel()
	i := newIssuing(t)
	v := i.against(at(now))
	good := i.good(nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := v.Verify(bearing(good), ""); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := i.called("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("discovered %d times", n)
	}
}

func TestAnIssuerNeedsSomebodyToAsk(t *testing.T) {
	t.Parallel()
	_, err := verify.New(connectors.Verification{}, connectors.Verification{Issuer: &connectors.IssuerCheck{URL: "https://login.example.test", Audience: "a", Subject: "s"}}, verify.Env{Now: at(now)})
	if err == nil || !strings.Contains(err.Error(), "nobody can ask") {
		t.Errorf("got %v", err)
	}
}
