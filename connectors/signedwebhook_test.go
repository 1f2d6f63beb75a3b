package connectors_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// The vector was made with another implementation.
func TestSignedWebhookSignsAsStandardWebhooksSays(t *testing.T) {
	t.Parallel()
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	t.Cleanup(server.Close)
	client := connectortest.EnvAt(t, connectortest.NewClock(time.Unix(1_700_000_000, 0))).Client.With(connectors.SignedWebhook{Secrets: []connectors.Secret{
		connectors.SecretValue("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), connectors.SecretValue("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
	}})
	call := connectors.Call{Name: "send", Method: http.MethodPost, URL: server.URL, Header: http.Header{"Webhook-Id": {"msg_1"}}, Body: []byte(`{"n":1,"t":"é"}`)}
	_, err := client.Do(t.Context(), call)
	connectortest.Must(t, err)
	first, second, _ := strings.Cut(got.Get("webhook-signature"), " ")
	if got.Get("webhook-timestamp") != "1700000000" || first != "v1,6+M8sVePZMK/c0enEgK1//2Rsi1dU6F/kchOqvgNCtI=" || !strings.HasPrefix(second, "v1,") {
		t.Errorf("got %v", got)
	}
	call.Header.Set("Webhook-Id", "msg.1")
	if _, err := client.Do(t.Context(), call); connectors.AsError(err).Kind != connectors.Unwell {
		t.Errorf("an id with a dot: got %v", err)
	}
}

func TestPlacedCredentialsTakeTheirPlaceLast(t *testing.T) {
	t.Parallel()
	const secret = `ca/na?ry"&é` + connectortest.Canary
	var path, query, header, body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read := make([]byte, 1000)
		n, _ := r.Body.Read(read)
		path, query, header, body = r.URL.Path, r.URL.Query().Get("k"), r.Header.Get("X-Key"), string(read[:n])
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(r.RequestURI + body))
	}))
	t.Cleanup(server.Close)
	client := connectortest.Env(t).Client.With(connectors.Placed{Secrets: map[string]connectors.Secret{"mark-1": connectors.SecretValue(secret), "mark-2": connectors.SecretValue("plain-key")}})
	_, err := client.Do(t.Context(), connectors.Call{
		Name: "send", Method: http.MethodPost, URL: server.URL + "/a/mark-1/b?k=mark-1", Header: http.Header{"X-Key": {"Key mark-2"}}, Body: []byte(`{"key":"mark-1"}`),
	})
	if path != "/a/"+secret+"/b" || query != secret || header != "Key plain-key" || body != `{"key":"ca/na?ry\"\u0026é`+connectortest.Canary+`"}` {
		t.Errorf("got %q, %q, %q, %q", path, query, header, body)
	}
	answered := connectors.AsError(err).Err.(*connectors.Answered)
	if text := string(answered.Body); strings.Contains(text, connectortest.Canary) || !strings.Contains(text, "[secret]") {
		t.Errorf("what is kept of the answer is %s", text)
	}
}

func TestReachMintsAndSendsNoCredential(t *testing.T) {
	t.Parallel()
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		if r.URL.Path == "/token" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"access_token":"a","token_type":"Bearer","expires_in":3600}`))
			return
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	client := connectortest.Env(t).Client.With(connectors.ClientCredentials{TokenURL: server.URL + "/token", ID: "x", Secret: connectors.SecretValue("y")})
	connectortest.Must(t, client.Reach(t.Context(), "reach", server.URL+"/some/path?x=1"))
	if got := strings.Join(seen, ", "); got != "POST /token , HEAD / " {
		t.Errorf("got %s", got)
	}
	if e := connectors.AsError(client.Reach(t.Context(), "reach", "http://127.0.0.1:1")); e.Kind != connectors.Unwell {
		t.Errorf("nobody there: got %v", e)
	}
}
