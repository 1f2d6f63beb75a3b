package servicenow

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/servicenow/servicenowstandin"
)

// world is a connector in front of a stand-in.
type world struct {
	*connector
	desk *servicenowstandin.Server
	tape *connectortest.Tape
	time *connectortest.Clock
}

func newWorld(t testing.TB, o servicenowstandin.Options, change ...func(*Config)) *world {
	t.Helper()
	w := &world{time: connectortest.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))}
	o.Now = w.time.Now
	w.desk = servicenowstandin.New(o)
	w.tape = &connectortest.Tape{Next: w.desk}
	w.connector = open(t, w.tape, w.time, change...)
	return w
}

// open builds a connector against a handler.
func open(t testing.TB, handler http.Handler, at *connectortest.Clock, change ...func(*Config)) *connector {
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
	c, err := conf.Open(connectortest.EnvAt(t, at))
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
