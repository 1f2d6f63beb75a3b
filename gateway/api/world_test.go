package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/gateway/api"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const token = "db_of-the-test"

// toolConfig is a vendor that does what the request's X-Do header says.
type toolConfig struct{}

func (toolConfig) Open(connectors.Env) (connectors.Connector, error) { return tool{}, nil }

type tool struct{}

func (tool) Ping(context.Context) error { return nil }

func (tool) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	switch r.Header.Get("X-Do") {
	case "panic":
		panic("the body held secret-in-the-body")
	case "fail":
		return connectors.Received{}, errors.New("broken by secret-in-the-body")
	case "forged":
		return connectors.Received{}, connectors.ErrForged
	case "malformed":
		return connectors.Received{}, &connectors.Malformed{Reason: "it makes no sense"}
	case "peer":
		return connectors.Received{Reply: func(connectors.CaseState) connectors.Response {
			return connectors.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain"}, "X-Tool": {"yes"}}, Body: []byte(r.Peer.String())}
		}}, nil
	}
	id := string(r.Body)
	return connectors.Received{Events: []connectors.Event{{
		Kind: connectors.AccessRequested, Dedupe: id, RequestID: id, Subject: "<b>" + id + "</b>", Requester: connectors.Person{Name: "Ana " + id, Account: `CORP\ana`},
	}}}, nil
}

// edge is the handler under test on a gateway that accepts and plans.
type edge struct {
	testing.TB
	http.Handler
	gateway *gateway.Gateway
	store   *store.Store
	log     *logged
}

// publish applies documents.
func (e edge) publish(docs ...string) {
	e.Helper()
	var texts [][]byte
	for _, d := range docs {
		texts = append(texts, []byte(d))
	}
	if _, err := e.gateway.Apply(e.Context(), texts, "test", ""); err != nil {
		e.Fatal(err)
	}
}

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newEdge(t testing.TB, change ...func(*api.Options)) edge {
	t.Helper()
	log := &logged{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	db := storetest.New(t, storetest.SQLite)
	g, err := gateway.New(t.Context(), gateway.Options{
		Store: db, Log: logger, Vault: &connectors.Vault{Keys: map[string][]byte{"k1": make([]byte, 32)}, Current: "k1"}, Vendors: map[string]func() connectors.Config{"tool": func() connectors.Config { return toolConfig{} }},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Apply(t.Context(), [][]byte{[]byte("kind: Connection\nname: tool\nconnector: tool\ninbound: {verify: {none: true}, max_body: 1000}\n")}, "test", ""); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	o := api.Options{
		Gateway: g, Store: db, Log: logger, Token: sha256.Sum256([]byte(token)), Version: "1.2.3",
		Page: fstest.MapFS{"index.html": {Data: []byte("<!doctype html>the page")}, "app.js": {Data: []byte("code")}, "deep/file.txt": {Data: []byte("x")}},
	}
	for _, f := range change {
		f(&o)
	}
	return edge{t, api.New(o), g, db, log}
}

// do sends one request. Words of change are "Header: value".
func (e edge) do(method, path, body string, headers ...string) *http.Response {
	e.Helper()
	r := httptest.NewRequestWithContext(e.Context(), method, path, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w.Result()
}

const signedIn = "Authorization: Bearer " + token

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// problem checks that an answer is a whole RFC 9457 problem and returns its detail.
func (e edge) problem(r *http.Response, status int) string {
	e.Helper()
	body := text(e, r)
	var p struct {
		Type, Title, Detail, Instance string
		Status                        int
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		e.Fatalf("the body %q is no JSON: %v", body, err)
	}
	if r.StatusCode != status || p.Status != status || p.Title != http.StatusText(status) || p.Type != "about:blank" || r.Header.Get("Content-Type") != "application/problem+json" {
		e.Errorf("got %d %s %s, want the problem %d", r.StatusCode, r.Header.Get("Content-Type"), body, status)
	}
	if (status >= 500) != strings.HasPrefix(p.Instance, "urn:uuid:") {
		e.Errorf("the instance is %q at %d", p.Instance, status)
	}
	for _, hidden := range []string{"secret-in-the-body", "goroutine", ".go:", token} {
		if strings.Contains(body, hidden) {
			e.Errorf("the answer shows %q: %s", hidden, body)
		}
	}
	return p.Detail
}
