package freshservice

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
)

var rewrite = flag.Bool("update", false, "rewrite golden files")

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

// tape writes down requests, without their credentials.
type tape struct {
	next http.Handler

	mu  sync.Mutex
	all strings.Builder
}

func (p *tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.mu.Lock()
	fmt.Fprintf(&p.all, "%s %s\n", r.Method, r.URL)
	for _, name := range []string{"Accept", "Content-Type"} {
		if value := r.Header.Get(name); value != "" {
			fmt.Fprintf(&p.all, "%s: %s\n", name, value)
		}
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") == nil {
		body = pretty.Bytes()
	}
	fmt.Fprintf(&p.all, "\n%s\n\n", bytes.ReplaceAll(body, []byte("\r"), nil))
	p.mu.Unlock()
	p.next.ServeHTTP(w, r)
}

// take returns what was written down since the last take.
func (p *tape) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.all.String()
	p.all.Reset()
	return text
}

// world is a connector in front of a stand-in.
type world struct {
	*connector
	site *freshservicestandin.Server
	tape *tape
	time *clock
}

func newWorld(t testing.TB, o freshservicestandin.Options, change ...func(*Config)) *world {
	t.Helper()
	w := &world{time: &clock{now: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}}
	o.Now = w.time.Now
	w.site = freshservicestandin.New(o)
	w.tape = &tape{next: w.site}
	server := httptest.NewServer(w.tape)
	t.Cleanup(server.Close)
	conf := &Config{BaseURL: server.URL, Key: connectors.SecretValue(freshservicestandin.Key), Account: fmt.Sprint(freshservicestandin.Bridge), Items: []int64{12}, Changes: true}
	conf.Answers = []string{"Approved", "Declined"}
	for _, f := range change {
		f(conf)
	}
	client, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{"127.0.0.1"}}, &connectors.Vault{}, w.time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c, err := conf.Open(connectors.Env{Name: "freshservice", Client: client, Log: slog.New(slog.DiscardHandler), Now: w.time.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.connector = c.(*connector)
	return w
}

func request() connectors.Ticket {
	return connectors.Ticket{
		Type: "Incident", Summary: "Ana asks to run\nSetup Tool", Description: "**Reason:** <b>I need it</b>", Priority: "High", Labels: []string{"epm", "drawbridge-other"},
		Fields: map[string]any{"risk_level": "high", "details": "line one\nline two", "impact": 2},
	}
}

func serviceOrder() connectors.Ticket {
	return connectors.Ticket{Type: "Service Request 12", Summary: "Ana asks to run Setup Tool", Description: "Please", Fields: map[string]any{"tool": "Setup Tool"}}
}

func changeOrder() connectors.Ticket {
	return connectors.Ticket{Type: "Change", Summary: "Open the port", Description: "Please", Fields: map[string]any{"risk": 2}}
}

func (w *world) create(t testing.TB, key string, ticket connectors.Ticket) connectors.Ref {
	t.Helper()
	ref, err := w.Create(t.Context(), key, ticket)
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

func (w *world) find(t testing.TB, key string) []string {
	t.Helper()
	refs, err := w.Find(t.Context(), key)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	ids := []string{}
	for _, ref := range refs {
		ids = append(ids, ref.ID)
	}
	return ids
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	if *rewrite {
		must(t, os.MkdirAll(filepath.Dir(path), 0o750))
		must(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}
