package servicedeskplus

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
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
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	desk "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
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

// tape keeps the requests that pass, as golden files show them.
type tape struct {
	next http.Handler

	mu   sync.Mutex
	sent []taped
}

type taped struct {
	method, path, body string
	header             http.Header
}

func (t *tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	one := taped{method: r.Method, path: r.URL.Path, body: string(body), header: r.Header.Clone()}
	if query := r.URL.Query().Get("input_data"); query != "" {
		one.body = query
	} else if form, ok := strings.CutPrefix(one.body, "input_data="); ok {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("input_data="+form))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		one.body = req.FormValue("input_data")
	}
	if r.URL.Path != "/oauth/v2/token" {
		t.mu.Lock()
		t.sent = append(t.sent, one)
		t.mu.Unlock()
	}
	t.next.ServeHTTP(w, r)
}

// take returns what was sent since the last time, as text.
func (t *tape) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, one := range t.sent {
		b.WriteString(one.method + " " + one.path + "\n")
		for _, name := range []string{"Accept", "Content-Type"} {
			if value := one.header.Get(name); value != "" {
				b.WriteString(name + ": " + value + "\n")
			}
		}
		if one.body != "" {
			var pretty bytes.Buffer
			if json.Indent(&pretty, []byte(one.body), "", "  ") != nil {
				pretty.WriteString("(no JSON)")
			}
			b.WriteString("input_data: " + pretty.String() + "\n")
		}
		b.WriteString("\n")
	}
	t.sent = nil
	return b.String()
}

// world is a connector in front of a stand-in.
type world struct {
	*connector
	desk *desk.Server
	time *clock
	tape *tape
	url  string
	o    desk.Options
}

func newWorld(t *testing.T, o desk.Options, change ...func(*Config)) *world {
	t.Helper()
	w := &world{time: &clock{now: connectortest.Now}, o: credentials(o)}
	w.o.Now = w.time.Now
	w.desk = desk.New(w.o)
	w.tape = &tape{next: w.desk}
	server := httptest.NewServer(w.tape)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.connector = open(t, server.URL, w.o, change...)
	return w
}

// again is another connector for the same account.
func (w *world) again(t *testing.T, change ...func(*Config)) *connector {
	t.Helper()
	return open(t, w.url, w.o, change...)
}

func credentials(o desk.Options) desk.Options {
	o.ClientSecret, o.RefreshToken, o.AuthToken = connectortest.Canary, connectortest.Canary, connectortest.Canary
	return o
}

func config(url string, o desk.Options) *Config {
	conf := &Config{Edition: cloud, BaseURL: url + "/app/itdesk", Account: "Drawbridge@example.com", KeyField: "udf_char1"}
	secret := connectors.SecretValue(connectortest.Canary)
	if o.Edition == desk.OnPrem {
		conf.Edition, conf.BaseURL, conf.Auth.AuthToken, conf.KeyField = onprem, url, secret, "udf_sline_301"
	} else {
		conf.Auth.OAuth = &OAuth{ClientID: "1000.ABCDEF", ClientSecret: secret, RefreshToken: secret, AccountsURL: url}
	}
	return conf
}

func open(t *testing.T, url string, o desk.Options, change ...func(*Config)) *connector {
	t.Helper()
	conf := config(url, o)
	for _, f := range change {
		f(conf)
	}
	c, err := conf.Open(connectortest.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	return c.(*connector)
}

// bySubject keeps the key in the subject.
func bySubject(c *Config) { c.KeyField = "" }

// withHistory reads a history.
func withHistory(c *Config) { c.History = "history" }

// ticket is a ticket as a rule would open it.
func ticket() connectors.Ticket {
	return connectors.Ticket{
		Project: "IAM", Type: "Access request", Summary: "Ana asks to run Setup Tool", Description: "**Reason:** <b>work</b>", Priority: "High",
		Labels: []string{"left out"},
		Fields: map[string]any{"category": "Security", "requester": "ana@corp.example", "udf_char2": "Sales", "impact_details": strings.Repeat("ü", 300)},
	}
}

func create(t *testing.T, c *connector, key string) connectors.Ref {
	t.Helper()
	ref, err := c.Create(t.Context(), key, ticket())
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func fetch(t *testing.T, c *connector, ref connectors.Ref) connectors.Snapshot {
	t.Helper()
	s, err := c.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// permanent expects a permanent error that says all of the words.
func permanent(t *testing.T, err error, words ...string) {
	t.Helper()
	e, ok := errors.AsType[*connectors.Error](err)
	if !ok || e.Kind != connectors.Permanent {
		t.Errorf("got %v, want a permanent error", err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error %q does not say %q", err, word)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}
