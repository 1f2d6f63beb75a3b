package freshdesk

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk/freshdeskstandin"
)

// world is a connector in front of a stand-in.
type world struct {
	*connector
	site *freshdeskstandin.Server
	tape *connectortest.Tape
	time *connectortest.Clock
}

func newWorld(t testing.TB, o freshdeskstandin.Options, change ...func(*Config)) *world {
	t.Helper()
	w := &world{time: connectortest.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))}
	o.Now = w.time.Now
	w.site = freshdeskstandin.New(o)
	w.tape = &connectortest.Tape{Next: w.site}
	server := httptest.NewServer(w.tape)
	t.Cleanup(server.Close)
	conf := &Config{BaseURL: server.URL, Key: connectors.SecretValue(freshdeskstandin.Key)}
	conf.Answers = []string{"Approved", "Declined"}
	for _, f := range change {
		f(conf)
	}
	c, err := conf.Open(connectortest.EnvAt(t, w.time))
	if err != nil {
		t.Fatal(err)
	}
	w.connector = c.(*connector)
	return w
}

func request() connectors.Ticket {
	return connectors.Ticket{
		Type: "Question", Summary: "Ana asks to run\nSetup Tool", Description: "**Reason:** <b>I need it</b>", Priority: "High", Labels: []string{"epm"},
		Fields: map[string]any{"cf_risk": "high", "cf_details": "line one\nline two", "group_id": 5},
	}
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
