package connectors_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// jsonGrant calls a vendor whose token server answers by answer.
func jsonGrant(t *testing.T, answer http.HandlerFunc) error {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/tokens", answer)
	mux.HandleFunc("GET /thing", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t-1" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprint(w, "{}")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client := connectortest.Env(t).Client.With(connectors.JSONCredentials{
		TokenURL: server.URL + "/oauth/tokens", ID: "bridge", Secret: connectors.SecretValue(connectortest.Canary), Scopes: []string{"read", "write"}, Lifetime: time.Hour,
	})
	_, err := client.Do(t.Context(), connectors.Call{Name: "read thing", Method: http.MethodGet, URL: server.URL + "/thing"})
	return err
}

func TestJSONCredentialsAskInJSON(t *testing.T) {
	t.Parallel()
	var got map[string]any
	var kind string
	err := jsonGrant(t, func(w http.ResponseWriter, r *http.Request) {
		kind = r.Header.Get("Content-Type")
		_ = json.NewDecoder(r.Body).Decode(&got)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"t-1","token_type":"bearer","expires_in":3600}`)
	})
	want := map[string]any{
		"grant_type": "client_credentials", "client_id": "bridge", "client_secret": connectortest.Canary, "scope": "read write", "expires_in": 3600.0,
	}
	if d := cmp.Diff(want, got); err != nil || d != "" || kind != "application/json" {
		t.Errorf("%v, %s (-want +got):\n%s", err, kind, d)
	}
}

func TestJSONCredentialsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body string
		status     int
		kind       connectors.Kind
		words      string
	}{
		{"wrong secret", `{"error":"invalid_client","error_description":"` + connectortest.Canary + `"}`, 401, connectors.Unwell, "client id"},
		{"wrong request", connectortest.Canary, 400, connectors.Unwell, "client id"},
		{"no such page", connectortest.Canary, 404, connectors.Unwell, "no such thing"},
		{"down", "", 503, connectors.Temporary, "get access token"},
		{"too fast", "", 429, connectors.Throttled, "get access token"},
		{"no token", `{}`, 200, connectors.Temporary, "no access token"},
		{"no JSON", `token`, 200, connectors.Temporary, "no access token"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := jsonGrant(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
			})
			e := connectors.AsError(err)
			if err == nil || e.Kind != tc.kind || e.Sent || !strings.Contains(err.Error(), tc.words) || strings.Contains(fmt.Sprintf("%+v %#v", err, err), connectortest.Canary) {
				t.Errorf("got %s %v, want %s with %q", e.Kind, err, tc.kind, tc.words)
			}
		})
	}
}
