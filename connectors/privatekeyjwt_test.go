package connectors_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// The token server sees a client that says who it is, to whom, and for how long, signed by its key.
func TestPrivateKeyJWTSignsAnAssertion(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	connectortest.Must(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	connectortest.Must(t, err)
	for name, key := range map[string]crypto.Signer{"RS256": rsaKey, "ES384": ecKey} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		connectortest.Must(t, err)
		var form url.Values
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/token" {
				return
			}
			connectortest.Must(t, r.ParseForm())
			form = r.PostForm
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"access_token":"a","token_type":"Bearer","expires_in":3600}`))
		}))
		t.Cleanup(server.Close)
		pemText := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		client := connectortest.Env(t).Client.With(connectors.PrivateKeyJWT{TokenURL: server.URL + "/token", ID: "0oa1", Key: connectors.SecretValue(pemText), KeyID: "k-1", Scopes: []string{"a.b"}})
		_, err = client.Do(t.Context(), connectors.Call{Name: "call", Method: http.MethodGet, URL: server.URL + "/x"})
		connectortest.Must(t, err)
		if form.Get("client_secret") != "" || form.Get("scope") != "a.b" || form.Get("grant_type") != "client_credentials" {
			t.Errorf("%s: got %v", name, form)
		}
		token, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(name)})
		connectortest.Must(t, err)
		var claims jwt.Claims
		connectortest.Must(t, token.Claims(key.Public(), &claims))
		connectortest.Must(t, claims.Validate(jwt.Expected{Issuer: "0oa1", Subject: "0oa1", AnyAudience: jwt.Audience{server.URL + "/token"}, Time: connectortest.Now}))
		if life := claims.Expiry.Time().Sub(connectortest.Now); token.Headers[0].KeyID != "k-1" || claims.ID == "" || life > 5*time.Minute {
			t.Errorf("%s: got %+v for %s", name, token.Headers[0], life)
		}
	}
}

func TestPrivateKeyJWTTellsWhatIsWrongWithTheKey(t *testing.T) {
	t.Parallel()
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	connectortest.Must(t, err)
	der, err := x509.MarshalECPrivateKey(p224)
	connectortest.Must(t, err)
	for text, want := range map[string]string{
		connectortest.Canary: "not PEM",
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte(connectortest.Canary)})): "no private key",
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})):                       "neither an RSA key",
	} {
		client := connectortest.Env(t).Client.With(connectors.PrivateKeyJWT{TokenURL: "https://127.0.0.1:1/token", ID: "x", Key: connectors.SecretValue(text)})
		_, err := client.Do(t.Context(), connectors.Call{Name: "call", Method: http.MethodGet, URL: "https://127.0.0.1:1/"})
		if e := connectors.AsError(err); err == nil || e.Kind != connectors.Unwell || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), connectortest.Canary) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
