package jira

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func newClock() *connectortest.Clock {
	return connectortest.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))
}

// sent is one request as it arrived.
type sent struct {
	Call string `json:"call"`
	Body any    `json:"body,omitempty"`
}

// tape records requests.
type tape struct {
	mu   sync.Mutex
	all  []sent
	next http.Handler
}

func (p *tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	one := sent{Call: r.Method + " " + r.URL.String()}
	if len(body) > 0 && json.Unmarshal(body, &one.Body) != nil {
		one.Body = "not JSON"
	}
	p.mu.Lock()
	p.all = append(p.all, one)
	p.mu.Unlock()
	p.next.ServeHTTP(w, r)
}

// take returns what was recorded since the last take.
func (p *tape) take() []sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all
	p.all = nil
	return all
}

// world is a connector in front of a stand-in.
type world struct {
	*connector
	jira *jirastandin.Server
	tape *tape
	time *connectortest.Clock
}

type worldOptions struct {
	jira   jirastandin.Options
	change func(*Config)
}

func newWorld(t testing.TB, o worldOptions) *world {
	t.Helper()
	w := &world{time: newClock()}
	o.jira.Now = w.time.Now
	w.jira = jirastandin.New(o.jira)
	var handler http.Handler = w.jira
	if !o.jira.DataCenter {
		handler = conform(t, handler)
	}
	w.tape = &tape{next: handler}
	w.connector = open(t, w.tape, w.time, func(c *Config) {
		if o.jira.DataCenter {
			c.Deployment = dataCenter
			c.Auth.Basic.User = "bridge"
		}
		if o.change != nil {
			o.change(c)
		}
	})
	return w
}

// open builds a connector against a handler.
func open(t testing.TB, handler http.Handler, at *connectortest.Clock, change func(*Config)) *connector {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	conf := &Config{
		BaseURL: server.URL,
		SiteURL: "https://jira.example.org",
		Auth:    Auth{Basic: &BasicAuth{User: "bridge@example.test", Token: connectors.SecretValue("token")}},
	}
	if change != nil {
		change(conf)
	}
	env := connectortest.EnvAt(t, at)
	env.Keep = &memory{texts: map[string]string{}}
	c, err := conf.Open(env)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := c.(*subscriber); ok {
		return s.connector
	}
	return c.(*connector)
}

// memory keeps texts as the gateway does.
type memory struct {
	mu    sync.Mutex
	texts map[string]string
}

func (m *memory) Trade(ctx context.Context, name string, f func(context.Context, string) (string, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next, err := f(ctx, m.texts[name])
	if err == nil {
		m.texts[name] = next
	}
	return err
}

// answers is a Jira that gives fixed answers by method and path.
type answers map[string]string

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, ok := a[r.Method+" "+r.URL.Path]
	if !ok {
		http.Error(w, `{"errorMessages":["no such thing"]}`, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, text)
}

func request() connectors.Ticket {
	return connectors.Ticket{
		Project:     "ITSEC",
		Type:        "Access Request",
		Summary:     "Ana asks to run\nSetup Tool",
		Description: "**Reason:** I need {it}\n\n- `CORP\\ana` on PC-1",
		Priority:    "High",
		Labels:      []string{"epm", "two words", "drawbridge-other", "epm"},
		Fields: map[string]any{
			"customfield_10042": "Sales", "customfield_10060": "line *one*\nline two", "customfield_10070": "High", "customfield_10080": "acc-kim",
		},
	}
}

// kim is what Kim's account is called.
func (w *world) kim() string {
	if w.conf.Deployment == dataCenter {
		return "kim"
	}
	return "acc-kim"
}

// create opens a ticket that has everything.
func (w *world) create(t testing.TB, key string) connectors.Ref {
	t.Helper()
	ticket := request()
	ticket.Fields["customfield_10080"] = w.kim()
	ref, err := w.Create(t.Context(), key, ticket)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return ref
}

func (w *world) issue(t testing.TB, ref connectors.Ref) jirastandin.Issue {
	t.Helper()
	i, ok := w.jira.Issue(ref.ID)
	if !ok {
		t.Fatalf("no issue %s", ref.ID)
	}
	return i
}
