package zendesk

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
)

// world is a connector in front of a stand-in.
type world struct {
	*connector
	desk *zendeskstandin.Server
	tape *connectortest.Tape
	time *connectortest.Clock
}

func newWorld(t testing.TB, o zendeskstandin.Options, change ...func(*Config)) *world {
	t.Helper()
	w := &world{time: connectortest.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))}
	o.Now = w.time.Now
	w.desk = zendeskstandin.New(o)
	w.tape = &connectortest.Tape{Next: w.desk, TokenPath: "/oauth/tokens", Headers: []string{"Idempotency-Key"}}
	w.connector = open(t, w.tape, w.time, change...)
	return w
}

// open builds a connector against a handler.
func open(t testing.TB, handler http.Handler, at *connectortest.Clock, change ...func(*Config)) *connector {
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
	c, err := conf.Open(connectortest.EnvAt(t, at))
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
