package zendesk

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
)

var update = flag.Bool("update", false, "rewrite golden files")

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// tape records requests, credentials left out.
type tape struct {
	mu   sync.Mutex
	all  []string
	next http.Handler
}

func (p *tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if name != "Authorization" && name != "Accept-Encoding" && name != "Content-Length" && name != "User-Agent" {
			fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.Header[name], ", "))
		}
	}
	if len(body) > 0 {
		var pretty bytes.Buffer
		if json.Indent(&pretty, body, "", "  ") == nil {
			body = pretty.Bytes()
		}
		fmt.Fprintf(&b, "\n%s\n", body)
	}
	p.mu.Lock()
	p.all = append(p.all, b.String())
	p.mu.Unlock()
	p.next.ServeHTTP(w, r)
}

// take returns what was recorded since the last take.
func (p *tape) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all
	p.all = nil
	return all
}

// world is a connector in front of a stand-in.
type world struct {
	*connector
	desk *zendeskstandin.Server
	tape *tape
	time *clock
}

func newWorld(t testing.TB, o zendeskstandin.Options, change ...func(*Config)) *world {
	t.Helper()
	w := &world{time: &clock{now: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}}
	o.Now = w.time.Now
	w.desk = zendeskstandin.New(o)
	w.tape = &tape{next: w.desk}
	w.connector = open(t, w.tape, w.time, change...)
	return w
}

// open builds a connector against a handler.
func open(t testing.TB, handler http.Handler, at *clock, change ...func(*Config)) *connector {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	conf := &Config{
		BaseURL: server.URL, Groups: []string{"Access"},
		Auth: Auth{OAuth: &OAuth{ClientID: "drawbridge", ClientSecret: connectors.SecretValue("secret")}},
	}
	for _, f := range change {
		f(conf)
	}
	client, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{"127.0.0.1"}}, &connectors.Vault{}, at.Now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := conf.Open(connectors.Env{Name: "zendesk", Client: client, Log: slog.New(slog.DiscardHandler), Now: at.Now})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*connector)
}

// request is a ticket as a rule would open it.
func request() connectors.Ticket {
	return connectors.Ticket{
		Project: "Access", Type: "task", Summary: "Ana asks to run\nSetup Tool", Description: "**Reason:** I need <it>\n\n- `CORP\\ana` on PC-1", Priority: "High",
		Labels: []string{"EPM", "two words", "epm"},
		Fields: map[string]any{"360002": "Sales", "360001": "pending", "requester": map[string]any{"name": "Ana Lopez", "email": "ana@corp.example"}},
	}
}

func (w *world) create(t testing.TB, key string) connectors.Ref {
	t.Helper()
	ref, err := w.Create(t.Context(), key, request())
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return ref
}

func (w *world) fetch(t testing.TB, ref connectors.Ref) connectors.Snapshot {
	t.Helper()
	s, err := w.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatalf("fetch: %v", err)
	}
	return s
}

func (w *world) look(t testing.TB, ref connectors.Ref) zendeskstandin.Ticket {
	t.Helper()
	found, ok := w.desk.Ticket(ref.ID)
	if !ok {
		t.Fatalf("no ticket %s", ref.ID)
	}
	return found
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func permanent(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil || connectors.AsError(err).Kind != connectors.Permanent || connectors.AsError(err).Sent {
		t.Errorf("got %v, want a permanent failure", err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %v, want %q in it", err, word)
		}
	}
}

func golden(t *testing.T, name string, got []string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	text := strings.Join(got, "\n---\n\n")
	if *update {
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if d := cmp.Diff(string(want), text); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}
