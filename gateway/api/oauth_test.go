package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/drawbridge-itsm/drawbridge/gateway/api"
)

// oauthTool takes tokens of our own. Its secrets hold what a form and a header change.
const oauthTool = `kind: Connection
name: oauth-tool
connector: tool
inbound:
  verify:
    oauth:
      client_secrets: [{value: "s3cret +%41:/ü"}]
      user: "ana & co"
      passwords: [{value: "passw0rd=&+"}]
`

const (
	oauthSecret   = "s3cret +%41:/ü"
	oauthUser     = "ana & co"
	oauthPassword = "passw0rd=&+"
)

// form posts to the token endpoint. Words of headers are "Header: value".
func (e edge) form(values url.Values, headers ...string) *http.Response {
	e.Helper()
	return e.do("POST", "/oauth/token", values.Encode(), append([]string{"Content-Type: application/x-www-form-urlencoded"}, headers...)...)
}

func basic(id, secret string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// TestOAuthClientsOfOthers gets tokens with golang.org/x/oauth2 and sends events with them.
func TestOAuthClientsOfOthers(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.publish(oauthTool)
	server := httptest.NewServer(e)
	defer server.Close()
	send := func(client *http.Client, id string) int {
		t.Helper()
		resp, err := client.Post(server.URL+"/in/oauth-tool", "application/json", strings.NewReader(id))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	for name, style := range map[string]oauth2.AuthStyle{"in the header": oauth2.AuthStyleInHeader, "in the body": oauth2.AuthStyleInParams, "as it finds out": oauth2.AuthStyleAutoDetect} {
		machine := clientcredentials.Config{ClientID: "oauth-tool", ClientSecret: oauthSecret, TokenURL: server.URL + "/oauth/token", AuthStyle: style, Scopes: []string{"any"}}
		if got := send(machine.Client(t.Context()), "r-"+name); got != http.StatusAccepted {
			t.Errorf("client credentials %s: got %d", name, got)
		}
		person := oauth2.Config{ClientID: "oauth-tool", ClientSecret: oauthSecret, Endpoint: oauth2.Endpoint{TokenURL: server.URL + "/oauth/token", AuthStyle: style}}
		token, err := person.PasswordCredentialsToken(t.Context(), oauthUser, oauthPassword)
		if err != nil || token.TokenType != "Bearer" || token.RefreshToken != "" || time.Until(token.Expiry) < 9*time.Minute || time.Until(token.Expiry) > 10*time.Minute {
			t.Fatalf("password %s: got %+v, %v", name, token, err)
		}
		if got := send(person.Client(t.Context(), token), "p-"+name); got != http.StatusAccepted {
			t.Errorf("password %s: got %d", name, got)
		}
	}
	wrong := clientcredentials.Config{ClientID: "oauth-tool", ClientSecret: "guess", TokenURL: server.URL + "/oauth/token"}
	_, err := wrong.Token(t.Context())
	refusal, ok := err.(*oauth2.RetrieveError)
	if !ok || refusal.ErrorCode != "invalid_client" || refusal.ErrorDescription == "" || refusal.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong secret: got %v", err)
	}
	if got := send(http.DefaultClient, "x"); got != http.StatusUnauthorized {
		t.Errorf("without a token: got %d", got)
	}
	for _, secret := range []string{"s3cret", "passw0rd", "dbt_", "guess"} {
		if strings.Contains(e.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, e.log)
		}
	}
}

// Some clients do not encode what they put into the header.
func TestBasicWithoutEncoding(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.publish(oauthTool)
	grant := url.Values{"grant_type": {"client_credentials"}}
	if r := e.form(grant, basic("oauth-tool", oauthSecret)); r.StatusCode != http.StatusOK {
		t.Errorf("as it is: got %d %s", r.StatusCode, text(t, r))
	}
	if r := e.form(grant, basic("oauth%2Dtool", url.QueryEscape(oauthSecret))); r.StatusCode != http.StatusOK {
		t.Errorf("encoded: got %d %s", r.StatusCode, text(t, r))
	}
	grant.Set("client_id", "oauth-tool")
	if r := e.form(grant, basic("oauth-tool", oauthSecret)); r.StatusCode != http.StatusOK {
		t.Errorf("with the id in the body as well: got %d %s", r.StatusCode, text(t, r))
	}
}

func TestTokenEndpointAnswersInTheWordsOfRFC6749(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.publish(oauthTool)
	good := func(change url.Values) url.Values {
		all := url.Values{"grant_type": {"client_credentials"}, "client_id": {"oauth-tool"}, "client_secret": {oauthSecret}}
		for name, values := range change {
			if all[name] = values; values == nil {
				delete(all, name)
			}
		}
		return all
	}
	bare := good(url.Values{"client_id": nil, "client_secret": nil})
	tests := []struct {
		name    string
		form    url.Values
		headers []string
		status  int
		code    string
	}{
		{"good, with more that nobody asked for", good(url.Values{"scope": {"a b"}, "resource": {"x"}}), nil, 200, ""},
		{"no grant", good(url.Values{"grant_type": nil}), nil, 400, "invalid_request"},
		{"an empty grant", good(url.Values{"grant_type": {""}}), nil, 400, "invalid_request"},
		{"another grant", good(url.Values{"grant_type": {"refresh_token"}}), nil, 400, "unsupported_grant_type"},
		{"two grants", good(url.Values{"grant_type": {"client_credentials", "password"}}), nil, 400, "invalid_request"},
		{"two secrets", good(url.Values{"client_secret": {oauthSecret, oauthSecret}}), nil, 400, "invalid_request"},
		{"no client", bare, nil, 401, "invalid_client"},
		{"no secret", good(url.Values{"client_secret": nil}), nil, 401, "invalid_client"},
		{"a wrong secret", good(url.Values{"client_secret": {"guess"}}), nil, 401, "invalid_client"},
		{"another client", good(url.Values{"client_id": {"stranger"}}), nil, 401, "invalid_client"},
		{"a connection that takes no tokens", good(url.Values{"client_id": {"tool"}}), nil, 401, "invalid_client"},
		{"a wrong password", good(url.Values{"grant_type": {"password"}, "username": {oauthUser}, "password": {"guess"}}), nil, 400, "invalid_grant"},
		{"no password", good(url.Values{"grant_type": {"password"}, "username": {oauthUser}}), nil, 400, "invalid_grant"},
		{"the secret in header and body", good(nil), []string{basic("oauth-tool", oauthSecret)}, 400, "invalid_request"},
		{"two client ids", good(url.Values{"client_secret": nil, "client_id": {"tool"}}), []string{basic("oauth-tool", oauthSecret)}, 400, "invalid_request"},
		{"a wrong secret in the header", bare, []string{basic("oauth-tool", "guess")}, 401, "invalid_client"},
		{"a bearer token in the header", bare, []string{"Authorization: Bearer x"}, 401, "invalid_client"},
		{"nonsense in the header", bare, []string{"Authorization: Basic !"}, 401, "invalid_client"},
		{"no colon in the header", bare, []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("oauth-tool"))}, 401, "invalid_client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := e.form(tt.form, tt.headers...)
			body := text(t, r)
			if r.StatusCode != tt.status || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Pragma") != "no-cache" {
				t.Errorf("got %d %v %s", r.StatusCode, r.Header, body)
			}
			var answer map[string]any
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatal(err)
			}
			if tt.code == "" {
				if token, _ := answer["access_token"].(string); !strings.HasPrefix(token, "dbt_") || answer["token_type"] != "Bearer" || answer["expires_in"] != 600.0 || len(answer) != 3 {
					t.Errorf("got %v", answer)
				}
				return
			}
			if answer["error"] != tt.code || answer["error_description"] == "" || len(answer) != 2 {
				t.Errorf("got %v, want %s", answer, tt.code)
			}
			if challenge := r.Header.Get("WWW-Authenticate"); (tt.status == 401) != strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("the challenge is %q", challenge)
			}
			for _, secret := range []string{"s3cret", "passw0rd", "guess", "stranger"} {
				if strings.Contains(body, secret) {
					t.Errorf("the answer repeats %q: %s", secret, body)
				}
			}
		})
	}
}

func TestTokenEndpointRefusesOtherRequests(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.publish(oauthTool)
	formType := "Content-Type: application/x-www-form-urlencoded"
	good := url.Values{"grant_type": {"client_credentials"}, "client_id": {"oauth-tool"}, "client_secret": {oauthSecret}}.Encode()
	for name, test := range map[string]struct{ path, body, kind string }{
		"JSON":                     {"/oauth/token", `{"grant_type":"client_credentials"}`, "Content-Type: application/json"},
		"no content type":          {"/oauth/token", good, "X: y"},
		"a form that cannot be":    {"/oauth/token", "grant_type=%zz", formType},
		"semicolons":               {"/oauth/token", "grant_type=password;client_id=oauth-tool", formType},
		"empty":                    {"/oauth/token", "", formType},
		"credentials in the query": {"/oauth/token?client_secret=" + url.QueryEscape(oauthSecret), good, formType},
	} {
		r := e.do("POST", test.path, test.body, test.kind)
		var answer struct{ Error string }
		if err := json.Unmarshal([]byte(text(t, r)), &answer); err != nil || r.StatusCode != 400 || answer.Error != "invalid_request" {
			t.Errorf("%s: got %d %+v", name, r.StatusCode, answer)
		}
	}
	if detail := e.problem(e.do("POST", "/oauth/token", strings.Repeat("a", 20<<10), formType), http.StatusRequestEntityTooLarge); !strings.Contains(detail, "larger") {
		t.Errorf("got %q", detail)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		r := e.do(method, "/oauth/token", "")
		e.problem(r, http.StatusMethodNotAllowed)
		if r.Header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow is %q", method, r.Header.Get("Allow"))
		}
	}
	// Guessing is answered with a time to come back.
	var last *http.Response
	for range 50 {
		last = e.form(url.Values{"grant_type": {"client_credentials"}, "client_id": {"oauth-tool"}, "client_secret": {"guess"}})
	}
	e.problem(last, http.StatusTooManyRequests)
	if seconds, err := strconv.Atoi(last.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 10 {
		t.Errorf("Retry-After is %q", last.Header.Get("Retry-After"))
	}
}

func TestRateAndGuessesAreAnsweredWith429(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.publish("kind: Connection\nname: slow\nconnector: tool\ninbound: {verify: {none: true}, rate: {per_second: 0.1, burst: 1}}\n",
		"kind: Connection\nname: guarded\nconnector: tool\ninbound: {verify: {bearer: {tokens: [{value: s3cret-1}]}}}\n")
	if r := e.do("POST", "/in/slow", "r-1"); r.StatusCode != http.StatusAccepted {
		t.Fatalf("got %d", r.StatusCode)
	}
	r := e.do("POST", "/in/slow", "r-2")
	e.problem(r, http.StatusTooManyRequests)
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || seconds < 9 || seconds > 10 {
		t.Errorf("Retry-After is %q", r.Header.Get("Retry-After"))
	}
	for range 20 {
		r = e.do("POST", "/in/guarded", "x", "Authorization: Bearer guess")
		e.problem(r, http.StatusUnauthorized)
	}
	if challenge := r.Header.Get("WWW-Authenticate"); challenge != `Bearer realm="drawbridge"` {
		t.Errorf("the challenge is %q", challenge)
	}
	r = e.do("POST", "/in/guarded", "x", "Authorization: Bearer s3cret-1")
	e.problem(r, http.StatusTooManyRequests)
	if r.Header.Get("Retry-After") == "" {
		t.Error("nobody says when to come back")
	}
}

func TestSecretsByAPI(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.publish("kind: Connection\nname: fresh\nconnector: tool\ninbound: {verify: {oauth: {}}}\n")
	for method, path := range map[string]string{"GET": "credentials", "POST": "secrets", "DELETE": "tokens"} {
		e.problem(e.do(method, "/api/v1/connections/fresh/"+path, ""), http.StatusUnauthorized)
		e.problem(e.do(method, "/api/v1/connections/nobody/"+path, "", signedIn), http.StatusNotFound)
	}
	make := func() (id, secret, mark string) {
		t.Helper()
		r := e.do("POST", "/api/v1/connections/fresh/secrets", `{"why":"set up"}`, signedIn)
		var made struct {
			ID     string `json:"client_id"`
			Secret string `json:"client_secret"`
			Mark   string
		}
		if err := json.NewDecoder(r.Body).Decode(&made); err != nil || r.StatusCode != http.StatusCreated || r.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("got %d %v", r.StatusCode, err)
		}
		return made.ID, made.Secret, made.Mark
	}
	id, secret, mark := make()
	ask := func(secret string) *http.Response {
		return e.form(url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}})
	}
	if r := ask(secret); id != "fresh" || r.StatusCode != http.StatusOK {
		t.Fatalf("got %d for %s", r.StatusCode, id)
	}
	_, next, _ := make()
	e.problem(e.do("POST", "/api/v1/connections/fresh/secrets", "", signedIn), http.StatusConflict)
	list := text(t, e.do("GET", "/api/v1/connections/fresh/credentials", "", signedIn))
	if strings.Count(list, `"mark"`) != 2 || strings.Count(list, `"last_used"`) != 1 || strings.Contains(list, secret) {
		t.Errorf("the list is %s", list)
	}
	if body := text(t, e.do("DELETE", "/api/v1/connections/fresh/secrets/"+mark, `{"revoke":true}`, signedIn)); body != "{\"revoked\":1}\n" {
		t.Errorf("dropped: %s", body)
	}
	e.problem(e.do("DELETE", "/api/v1/connections/fresh/secrets/"+mark, "", signedIn), http.StatusNotFound)
	e.problem(e.do("DELETE", "/api/v1/connections/fresh/secrets/"+mark, `{"surprise":1}`, signedIn), http.StatusBadRequest)
	if old, fresh := ask(secret).StatusCode, ask(next).StatusCode; old != 401 || fresh != 200 {
		t.Errorf("the old secret is answered %d, the next %d", old, fresh)
	}
	if body := text(t, e.do("DELETE", "/api/v1/connections/fresh/tokens", "", signedIn)); body != "{\"revoked\":1}\n" {
		t.Errorf("revoked: %s", body)
	}
	for _, hidden := range []string{secret, next} {
		if strings.Contains(e.log.String(), hidden) {
			t.Error("the log holds a secret")
		}
	}
}

// clientCertificate makes a certificate, signed by another or by itself, ready for use.
func clientCertificate(t *testing.T, name string, signer *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: signer == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	parent, by := template, any(key)
	if signer != nil {
		parent, by = signer.Leaf, signer.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	authority := clientCertificate(t, "authority", nil)
	tool, other := clientCertificate(t, "tool", &authority), clientCertificate(t, "other", &authority)
	sum := sha256.Sum256(tool.Certificate[0])
	e := newEdge(t, func(o *api.Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	e.publish("kind: Connection\nname: mutual\nconnector: tool\ninbound: {verify: {certificate: {subjects: [CN=tool]}}}\n",
		"kind: Connection\nname: behind\nconnector: tool\ninbound: {verify: {certificate: {fingerprints: ['"+hex.EncodeToString(sum[:])+"'], header: Client-Cert}}}\n")
	server := httptest.NewUnstartedServer(e)
	pool := x509.NewCertPool()
	pool.AddCert(authority.Leaf)
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	server.StartTLS()
	defer server.Close()
	send := func(certificates ...tls.Certificate) int {
		t.Helper()
		client := server.Client()
		transport := client.Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = certificates
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Post(server.URL+"/in/mutual", "application/json", strings.NewReader("r-1"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	if got := send(tool); got != http.StatusAccepted {
		t.Errorf("the tool: got %d", got)
	}
	for name, certificates := range map[string][]tls.Certificate{"another": {other}, "nobody": nil} {
		if got := send(certificates...); got != http.StatusUnauthorized {
			t.Errorf("%s: got %d", name, got)
		}
	}
	// Behind a proxy its header counts, and from nobody else.
	passed := "Client-Cert: :" + base64.StdEncoding.EncodeToString(tool.Certificate[0]) + ":"
	if r := e.do("POST", "/in/behind", "r-2", passed); r.StatusCode != http.StatusAccepted { // httptest's peer is 192.0.2.1
		t.Errorf("from the proxy: got %d", r.StatusCode)
	}
	stranger := httptest.NewRequestWithContext(t.Context(), "POST", "/in/behind", strings.NewReader("r-3"))
	stranger.RemoteAddr = "198.51.100.7:1234"
	stranger.Header.Set("Client-Cert", strings.TrimPrefix(passed, "Client-Cert: "))
	stranger.Header.Set("X-Forwarded-For", "192.0.2.1")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, stranger)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("from a stranger: got %d", w.Code)
	}
}

// FuzzToken sends whatever there is to the token endpoint: it answers in one of the documented ways and repeats nothing.
func FuzzToken(f *testing.F) {
	e := newEdge(f)
	e.publish(oauthTool)
	good := url.Values{"grant_type": {"password"}, "client_id": {"oauth-tool"}, "client_secret": {"x"}, "username": {"u"}, "password": {"p"}}
	f.Add(good.Encode(), "", "application/x-www-form-urlencoded", "")
	f.Add("grant_type=client_credentials", "Basic b2F1dGgtdG9vbDp4", "application/x-www-form-urlencoded; charset=utf-8", "client_secret=x")
	f.Add("grant_type=client_credentials&grant_type=a;b", "Basic %zz", "text/plain", "a=%zz")
	f.Add("%", "bearer x", "", ";")
	f.Fuzz(func(t *testing.T, body, authorization, kind, query string) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/oauth/token", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header["Authorization"], r.Header["Content-Type"] = []string{authorization}, []string{kind}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		answer := map[string]any{}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%d: the answer is no JSON: %v", w.Code, err)
		}
		switch w.Code {
		case 400, 401:
			if code, _ := answer["error"].(string); code == "" || len(answer) != 2 {
				t.Errorf("got %v", answer)
			}
		case 413, 429:
			if answer["title"] == "" {
				t.Errorf("got %v", answer)
			}
		default:
			t.Errorf("got %d %v", w.Code, answer)
		}
	})
}
