package connectors_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// refreshing returns an API that takes the latest token of its token server only.
func refreshing(t *testing.T, answer string) (c *connectors.Client, url string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/token" {
			if r.Header.Get("Authorization") != fmt.Sprintf("Zoho-oauthtoken tok-%d", asked.Load()) {
				w.WriteHeader(http.StatusUnauthorized)
			}
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		if string(body) != "client_id=id&client_secret=hunter2&grant_type=refresh_token&refresh_token=hunter3" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = fmt.Fprintf(w, answer, asked.Add(1))
	})
	c = client(t).With(connectors.RefreshToken{
		TokenURL: s.URL + "/token", ID: "id", Secret: connectors.SecretValue("hunter2"), Token: connectors.SecretValue("hunter3"), Word: "Zoho-oauthtoken",
	})
	return c, s.URL, asked
}

func TestRefreshTokenIsTradedOnceForManyCalls(t *testing.T) {
	t.Parallel()
	c, url, asked := refreshing(t, `{"access_token":"tok-%d","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}`)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := post(t, c, url); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if asked.Load() != 1 {
		t.Errorf("the token server was asked %d times, want once", asked.Load())
	}
}

func TestRefreshTokenIsTradedAnewAfter401(t *testing.T) {
	t.Parallel()
	c, url, asked := refreshing(t, `{"access_token":"tok-%d","expires_in":3600}`)
	if _, err := post(t, c, url); err != nil {
		t.Fatal(err)
	}
	asked.Store(7) // what was given before counts no longer
	if _, err := post(t, c, url); err != nil || asked.Load() != 8 {
		t.Errorf("got %v and token %d, want token 8", err, asked.Load())
	}
}

func TestRefreshTokenRefused(t *testing.T) {
	t.Parallel()
	c, url, _ := refreshing(t, `{"error":"invalid_code","n":%d}`)
	_, err := post(t, c, url)
	if e := asError(t, err); e.Kind != connectors.Unwell || e.Sent || !strings.Contains(err.Error(), "the refresh token may be wrong or revoked") {
		t.Errorf("got %+v", e)
	}
	if strings.Contains(fmt.Sprintf("%+v", err), "hunter") {
		t.Errorf("%q holds a credential", err)
	}
	for name, auth := range map[string]connectors.RefreshToken{
		"no client secret": {TokenURL: url, Token: connectors.SecretValue("x")},
		"no refresh token": {TokenURL: url, Secret: connectors.SecretValue("x")},
	} {
		if _, err := post(t, client(t).With(auth), url); asError(t, err).Kind != connectors.Unwell {
			t.Errorf("%s: %v", name, err)
		}
	}
}
