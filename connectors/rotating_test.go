package connectors_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// memory keeps texts as a database would.
type memory struct {
	mu    sync.Mutex
	texts map[string]string
	fault error // of storing
}

func (m *memory) Trade(ctx context.Context, name string, f func(context.Context, string) (string, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next, err := f(ctx, m.texts[name])
	if err != nil {
		return err
	}
	if m.fault != nil {
		return m.fault
	}
	m.texts[name] = next
	return nil
}

// rotatingServer takes each refresh token once. first-0 is the one to begin with; calls want the latest access token.
func rotatingServer(t *testing.T) (url string, count *atomic.Int32) {
	t.Helper()
	count = &atomic.Int32{}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/token" {
			if r.Header.Get("Authorization") != fmt.Sprintf("Bearer access-%d", count.Load()) {
				w.WriteHeader(http.StatusUnauthorized)
			}
			return
		}
		var body map[string]string
		w.Header().Set("Content-Type", "application/json")
		refresh := fmt.Sprintf("first-%d", count.Load())
		if json.NewDecoder(r.Body).Decode(&body) != nil || body["grant_type"] != "refresh_token" || body["client_id"] != "id" ||
			body["client_secret"] != "hunter2" || body["refresh_token"] != refresh {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `{"error":"unauthorized_client","error_description":"refresh_token %s is invalid"}`, body["refresh_token"])
			return
		}
		n := count.Add(1)
		_, _ = fmt.Fprintf(w, `{"access_token":"access-%d","refresh_token":"first-%d","expires_in":3600,"token_type":"Bearer"}`, n, n)
	})
	return s.URL, count
}

func rotating(t *testing.T, url, first string, keep connectors.Keeper) *connectors.Client {
	t.Helper()
	return client(t).With(connectors.RotatingToken{
		TokenURL: url + "/token", ID: "id", Secret: connectors.SecretValue("hunter2"), Token: connectors.SecretValue(first), Keep: keep,
	})
}

func TestRotatingTokenIsTradedOnceAndKept(t *testing.T) {
	t.Parallel()
	url, count := rotatingServer(t)
	keep := &memory{texts: map[string]string{}}
	c := rotating(t, url, "first-0", keep)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := post(t, c, url); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if count.Load() != 1 || !strings.Contains(keep.texts["refresh_token"], "first-1") {
		t.Fatalf("traded %d times, kept %v", count.Load(), keep.texts)
	}
	// After a restart, and on another replica, the kept one is what counts.
	if _, err := post(t, rotating(t, url, "first-0", keep), url); err != nil || count.Load() != 2 {
		t.Errorf("after a restart: %v, traded %d times", err, count.Load())
	}
	if _, err := post(t, c, url); err != nil || count.Load() != 3 {
		t.Errorf("the first replica, its access token void: %v, traded %d times", err, count.Load())
	}
}

func TestRotatingTokenThatCouldNotBeStoredIsNotLost(t *testing.T) {
	t.Parallel()
	url, count := rotatingServer(t)
	keep := &memory{texts: map[string]string{}, fault: errors.New("the disk is full")}
	c := rotating(t, url, "first-0", keep)
	_, err := post(t, c, url)
	if e := asError(t, err); e.Kind != connectors.Temporary || e.Sent || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatalf("got %+v", e)
	}
	keep.fault = nil
	if _, err := post(t, c, url); err != nil || count.Load() != 2 || !strings.Contains(keep.texts["refresh_token"], "first-2") {
		t.Errorf("got %v, traded %d times, kept %v", err, count.Load(), keep.texts)
	}
}

func TestRotatingTokenBeginsAnewWithAnotherFirstOne(t *testing.T) {
	t.Parallel()
	url, count := rotatingServer(t)
	keep := &memory{texts: map[string]string{}}
	if _, err := post(t, rotating(t, url, "first-0", keep), url); err != nil {
		t.Fatal(err)
	}
	count.Store(7) // consent was given once more: first-7
	_, err := post(t, rotating(t, url, "first-0", keep), url)
	e := asError(t, err)
	if e.Kind != connectors.Unwell || e.Sent || !strings.Contains(err.Error(), "consent once more") {
		t.Errorf("got %+v", e)
	}
	if text := fmt.Sprintf("%+v", err); strings.Contains(text, "hunter") || strings.Contains(text, "first-") {
		t.Errorf("%q holds a credential", text)
	}
	if _, err := post(t, rotating(t, url, "first-7", keep), url); err != nil {
		t.Errorf("with the new one: %v", err)
	}
}

func TestRotatingTokenNeedsSomewhereToBeKept(t *testing.T) {
	t.Parallel()
	url, count := rotatingServer(t)
	_, err := post(t, rotating(t, url, "first-0", nil), url)
	if e := asError(t, err); e.Kind != connectors.Unwell || count.Load() != 0 {
		t.Errorf("got %+v, traded %d times", e, count.Load())
	}
}
