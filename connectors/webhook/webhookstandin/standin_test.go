package webhookstandin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestDecisionsAreChecked(t *testing.T) {
	t.Parallel()
	s := New(Options{Token: "t", APIKey: "k"})
	id := s.Ask(Request{Login: "ana"})
	post := func(path, token, key, kind, body string) int {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Api-Key", key)
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	const approve = `{"decision":"APPROVE","by":"Kim"}`
	path := "/requests/" + id + "/decision"
	for _, tt := range []struct {
		name, path, token, key, kind, body string
		want                               int
	}{
		{"another token", path, "x", "k", "application/json", approve, 401},
		{"another key", path, "t", "x", "application/json", approve, 401},
		{"no such request", "/requests/x/decision", "t", "k", "application/json", approve, 404},
		{"no JSON", path, "t", "k", "text/plain", approve, 400},
		{"an unknown member", path, "t", "k", "application/json", `{"decision":"APPROVE","by":"Kim","x":1}`, 400},
		{"an unknown word", path, "t", "k", "application/json", `{"decision":"yes","by":"Kim"}`, 400},
		{"nobody", path, "t", "k", "application/json", `{"decision":"APPROVE"}`, 400},
		{"the first", path, "t", "k", "application/json", approve, 200},
		{"the same again", path, "t", "k", "application/json", approve, 200},
		{"another", path, "t", "k", "application/json", `{"decision":"REJECT","by":"Max"}`, 409},
	} {
		if got := post(tt.path, tt.token, tt.key, tt.kind, tt.body); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	found, _ := s.Find(id)
	if found.State != Approved || found.By != "Kim" || len(s.Decisions()) != 6 {
		t.Errorf("got %+v after %d decisions", found, len(s.Decisions()))
	}
	s.FailNext(503)
	if got := []int{post(path, "t", "k", "application/json", approve), post(path, "t", "k", "application/json", approve)}; got[0] != 503 || got[1] != 200 {
		t.Errorf("asked to fail once: got %v", got)
	}
}

func TestAWebhookKeepsItsIdentity(t *testing.T) {
	t.Parallel()
	s := New(Options{HookURL: "http://127.0.0.1/in", HookSecret: "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"})
	id := s.Ask(Request{Login: "ana"})
	for range 2 {
		r, err := s.Webhook(t.Context(), Binary, Created, id)
		if err != nil || r.Header.Get("ce-id") != "request-created-req-1" || r.Header.Get("webhook-id") != "request-created-req-1" {
			t.Errorf("got %v, %v", r.Header, err)
		}
	}
	if _, err := s.Webhook(t.Context(), Plain, Created, id, id); err == nil {
		t.Error("one webhook told of two requests")
	}
	if _, err := s.Webhook(t.Context(), Plain, Created, "x"); err == nil {
		t.Error("a webhook told of no request")
	}
}
