package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// asProgram makes the test binary behave as the program itself, so that tests can start and kill it.
const asProgram = "DRAWBRIDGE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	storetest.Main(m)
}

// start opens a world on a database of its own, runs its bridge until the test ends, and gives the means to act and
// look.
func start(t *testing.T, engine string, change ...func(*worldOptions)) *check {
	t.Helper()
	o := worldOptions{Database: storetest.DSN(t, engine), Log: testLog(t)}
	for _, f := range change {
		f(&o)
	}
	w, err := newWorld(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := w.start(ctx)
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("bridge: %v", err)
		}
		w.close()
	})
	return &check{world: w, out: io.Discard, ctx: ctx}
}

func testLog(t *testing.T) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return slog.New(slog.DiscardHandler)
}

// apply publishes documents.
func (c *check) apply(t *testing.T, texts ...string) {
	t.Helper()
	docs := make([][]byte, len(texts))
	for i, text := range texts {
		docs[i] = []byte(text)
	}
	if _, err := c.bridge.gateway.Apply(c.ctx, docs, "test", "for a test"); err != nil {
		t.Fatal(err)
	}
}

// published is the text of a document as it stands.
func (c *check) published(t *testing.T, kind, name string) string {
	t.Helper()
	d, err := c.store.Document(c.ctx, kind, name, 0)
	if err != nil {
		t.Fatal(err)
	}
	return d.Text
}

// edit publishes a document with some of its text replaced.
func (c *check) edit(t *testing.T, kind, name, old, with string) {
	t.Helper()
	text := c.published(t, kind, name)
	if !strings.Contains(text, old) {
		t.Fatalf("%s/%s has no %q", kind, name, old)
	}
	c.apply(t, strings.Replace(text, old, with, 1))
}

// must stops the test at an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// served listens for a handler until the test ends, and gives its address.
func served(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}
