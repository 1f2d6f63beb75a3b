package opsgenie

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	og "github.com/drawbridge-itsm/drawbridge/connectors/opsgenie/opsgeniestandin"
)

// world is a connector in front of a stand-in.
type world struct {
	*connector
	desk *og.Server
	tape *connectortest.Tape
	time *connectortest.Clock
}

func newWorld(t testing.TB, o og.Options, change ...func(*Config)) *world {
	t.Helper()
	w := &world{time: connectortest.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))}
	o.Now = w.time.Now
	w.desk = og.New(o)
	w.tape = &connectortest.Tape{Next: w.desk}
	server := httptest.NewServer(w.tape)
	t.Cleanup(server.Close)
	conf := settings()
	conf.BaseURL, conf.Answers = server.URL+"/v2", []string{"Approved", "Declined"}
	for _, f := range change {
		f(&conf)
	}
	c, err := conf.Open(connectortest.EnvAt(t, w.time))
	connectortest.Must(t, err)
	w.connector = c.(*connector)
	return w
}

func settings() Config {
	return Config{Host: "opsgenie-eu", Key: connectors.SecretValue(og.Key), Integration: og.Integration, Ask: time.Millisecond}
}

// request is a ticket as a rule would open it.
func request() connectors.Ticket {
	return connectors.Ticket{
		Project: "Access", Type: "alert", Summary: "Ana asks to run\nSetup Tool", Description: "**Reason:** I need <it>", Priority: "p2", Labels: []string{"epm", "a,b", "epm"},
		Fields: map[string]any{"entity": "PC-1", "department": "Sales", "seats": 3, "systems": []any{"mail", "payroll"}},
	}
}

func (w *world) create(t testing.TB, key string) connectors.Ref {
	t.Helper()
	ref, err := w.Create(t.Context(), key, request())
	connectortest.Must(t, err)
	return ref
}

func (w *world) fetch(t testing.TB, ref connectors.Ref) connectors.Snapshot {
	t.Helper()
	s, err := w.Fetch(t.Context(), ref)
	connectortest.Must(t, err)
	return s
}

func (w *world) find(t testing.TB, key string) []string {
	t.Helper()
	refs, err := w.Find(t.Context(), key)
	connectortest.Must(t, err)
	ids := []string{}
	for _, r := range refs {
		ids = append(ids, r.ID)
	}
	return ids
}
