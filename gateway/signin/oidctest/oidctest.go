// Package oidctest is an identity provider for tests: OpenID Connect with the authorization code flow, PKCE, and user
// info. Whoever comes is somebody at once; there is no password to type.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The client that the provider knows.
const (
	ClientID = "drawbridge"
	Secret   = "secret-of-the-client"
)

// Issuer is the provider.
type Issuer struct {
	URL string
	// Redirect is the one address people may be sent back to.
	Redirect string

	testing.TB
	key *ecdsa.PrivateKey

	mu     sync.Mutex
	claims map[string]any // of whoever comes next
	info   map[string]any // what user info says besides the subject
	change func(claims map[string]any)
	codes  map[string]grant
	down   bool
	asked  int
}

// grant is what a code stands for, once.
type grant struct {
	challenge, nonce, redirect string
	claims                     map[string]any
}

// New starts a provider. Whoever comes first is nobody: see SignInAs.
func New(t testing.TB, redirect string) *Issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{TB: t, Redirect: redirect, key: key, codes: map[string]grant{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.configuration)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /userinfo", i.userInfo)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

// SignInAs makes everybody who comes from now on somebody with these claims.
func (i *Issuer) SignInAs(claims map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.claims, i.info = claims, nil
}

// Mail are the claims of somebody with a verified mail address.
func Mail(name, mail string) map[string]any {
	return map[string]any{"sub": "sub-" + mail, "name": name, "email": mail, "email_verified": true}
}

// Info makes user info say more, and the ID token less: only the subject.
func (i *Issuer) Info(claims map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.claims, i.info = map[string]any{"sub": claims["sub"]}, claims
}

// Change lets a test spoil ID tokens from now on.
func (i *Issuer) Change(f func(claims map[string]any)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.change = f
}

// Down makes the provider answer nothing but 503.
func (i *Issuer) Down(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Asked counts how often the provider was asked for what it says of itself.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

func (i *Issuer) configuration(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	if i.down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	reply(w, map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"userinfo_endpoint": i.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"ES256"}, "code_challenge_methods_supported": []string{"S256"},
	})
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
}

func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("redirect_uri") != i.Redirect || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" ||
		q.Get("state") == "" || q.Get("nonce") == "" || !strings.Contains(" "+q.Get("scope")+" ", " openid ") {
		i.Errorf("the provider is asked %s", r.URL.RawQuery)
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	back := url.Values{"state": {q.Get("state")}, "iss": {i.URL}}
	if i.claims == nil {
		back.Set("error", "access_denied")
	} else {
		code := rand.Text()
		i.codes[code] = grant{q.Get("code_challenge"), q.Get("nonce"), q.Get("redirect_uri"), i.claims}
		back.Set("code", code)
	}
	http.Redirect(w, r, i.Redirect+"?"+back.Encode(), http.StatusFound)
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	code := r.PostFormValue("code")
	g, known := i.codes[code]
	delete(i.codes, code)
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if id != ClientID || secret != Secret || !known || g.redirect != r.PostFormValue("redirect_uri") || g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"secret-in-the-answer"}`))
		return
	}
	claims := maps.Clone(g.claims)
	now := time.Now()
	maps.Copy(claims, map[string]any{"iss": i.URL, "aud": ClientID, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "nonce": g.nonce})
	if i.change != nil {
		i.change(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: "k1"}}, nil)
	if err != nil {
		i.Error(err)
		return
	}
	payload, _ := json.Marshal(claims)
	signed, err := signer.Sign(payload)
	if err != nil {
		i.Error(err)
		return
	}
	text, _ := signed.CompactSerialize()
	reply(w, map[string]any{"access_token": "access-" + code, "token_type": "Bearer", "expires_in": 60, "id_token": text})
}

func (i *Issuer) userInfo(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer access-") || i.info == nil {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	reply(w, i.info)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
