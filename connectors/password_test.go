package connectors_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestPasswordGrantAsksForATokenAndRenewsItWhenRefused(t *testing.T) {
	t.Parallel()
	var given atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			w.Header().Set("Content-Type", "application/json")
			if r.PostFormValue("grant_type") != "password" || r.PostFormValue("client_id") != "id" || r.PostFormValue("client_secret") != "s3cret" ||
				r.PostFormValue("username") != "bridge" || r.PostFormValue("password") != "pass-word" {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"error":"access_denied"}`)
				return
			}
			given.Add(1)
			_, _ = io.WriteString(w, `{"access_token":"`+strings.Repeat("t", int(given.Load()))+`","refresh_token":"r","token_type":"Bearer","expires_in":1799}`)
			return
		}
		if r.Header.Get("Authorization") != "Bearer tt" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "{}")
	})
	grant := connectors.PasswordGrant{
		TokenURL: s.URL + "/token", ID: "id", Secret: connectors.SecretValue("s3cret"), User: "bridge", Password: connectors.SecretValue("pass-word"),
	}
	if _, err := post(t, client(t).With(grant), s.URL); err != nil || given.Load() != 2 {
		t.Errorf("got %v after %d tokens, want none after 2", err, given.Load())
	}
	grant.Password = connectors.SecretValue("wrong-word")
	_, err := post(t, client(t).With(grant), s.URL)
	if e := asError(t, err); e.Kind != connectors.Unwell || e.Sent || strings.Contains(e.Error(), "wrong-word") {
		t.Errorf("a wrong password: %+v", e)
	}
}
