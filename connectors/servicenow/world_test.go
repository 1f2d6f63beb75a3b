package servicenow

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
	"github.com/drawbridge-itsm/drawbridge/connectors/servicenow/servicenowstandin"
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

// tape records requests as they are written into golden files.
type tape struct {
	mu   sync.Mutex
	all  []string
	next http.Handler
}

func (p *tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	query := r.URL.Query()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL.Path)
	for _, name := range slices.Sorted(maps.Keys(query)) {
		fmt.Fprintf(&b, "  %s=%s\n", name, strings.Join(query[name], " | "))
	}
	for _, name := range []string{"Accept", "Content-Type"} {
		if value := r.Header.Get(name); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") == nil {
		body = pretty.Bytes()
	}
	if len(body) > 0 {
		fmt.Fprintf(&b, "%s\n", body)
	}
	p.mu.Lock()
	p.all = append(p.all, b.String())
	p.mu.Unlock()
	p.next.ServeHTTP(w, r)
}

// take returns what was recorded since the last take.
func (p *tape) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all
	p.all = nil
	return strings.Join(all, "\n")
}

// world is a connector in front of a stand-in.
type world struct {
	*connector
	desk *servicenowstandin.Server
	tape *tape
	time *clock
}

func newWorld(t testing.TB, o servicenowstandin.Options, change ...func(*Config)) *world {
	t.Helper()
	w := &world{time: &clock{now: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}}
	o.Now = w.time.Now
	w.desk = servicenowstandin.New(o)
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
		BaseURL: server.URL, User: "drawbridge", Auth: Auth{Basic: &BasicAuth{Password: connectors.SecretValue("secret")}},
		Tables: []string{"incident", "change_request", "sc_req_item", "sc_task"},
	}
	for _, f := range change {
		f(conf)
	}
	client, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{"127.0.0.1"}}, &connectors.Vault{}, at.Now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := conf.Open(connectors.Env{Name: "servicenow", Client: client, Log: slog.New(slog.DiscardHandler), Now: at.Now})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*connector)
}

func request() connectors.Ticket {
	return connectors.Ticket{
		Project: "incident", Summary: "Ana asks to run\nSetup Tool", Description: "**Reason:** I need it\n\n- `CORP\\ana` on PC-1", Priority: "High",
		Fields: map[string]any{"caller_id": "ana@corp.example", "assignment_group": "Approvers", "u_department": "Sales"},
	}
}

func (w *world) create(t testing.TB, key string) connectors.Ref {
	t.Helper()
	return w.createIn(t, key, "incident")
}

func (w *world) createIn(t testing.TB, key, table string) connectors.Ref {
	t.Helper()
	ticket := connectors.Ticket{Project: table, Summary: "Ana asks", Description: "for a tool"}
	ref, err := w.Create(t.Context(), key, ticket)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return ref
}

func (w *world) ticket(t testing.TB, ref connectors.Ref) servicenowstandin.Ticket {
	t.Helper()
	found, ok := w.desk.Ticket(ref.ID)
	if !ok {
		t.Fatalf("no ticket %s", ref.ID)
	}
	return found
}

func (w *world) fetch(t testing.TB, ref connectors.Ref) connectors.Snapshot {
	t.Helper()
	s, err := w.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatalf("fetch: %v", err)
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// permanent expects a failure for good that says all of words.
func permanent(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil || connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("got %v, want a permanent failure", err)
		return
	}
	for _, one := range words {
		if !strings.Contains(err.Error(), one) {
			t.Errorf("got %v, want %q in it", err, one)
		}
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
