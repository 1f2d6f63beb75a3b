package pagerduty

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	pd "github.com/drawbridge-itsm/drawbridge/connectors/pagerduty/pagerdutystandin"
)

// world is a connector in front of a stand-in.
type world struct {
	*connector
	desk *pd.Server
	tape *connectortest.Tape
	time *connectortest.Clock
}

func newWorld(t testing.TB, o pd.Options, change ...func(*Config)) *world {
	t.Helper()
	w := &world{time: connectortest.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))}
	o.Now = w.time.Now
	w.desk = pd.New(o)
	w.tape = &connectortest.Tape{Next: conform(t, w.desk), Headers: []string{"From"}}
	server := httptest.NewServer(w.tape)
	t.Cleanup(server.Close)
	conf := settings()
	conf.BaseURL, conf.Answers = server.URL, []string{"Approved", "Declined"}
	for _, f := range change {
		f(&conf)
	}
	c, err := conf.Open(connectortest.EnvAt(t, w.time))
	connectortest.Must(t, err)
	w.connector = c.(*connector)
	return w
}

func settings() Config {
	return Config{Key: connectors.SecretValue("secret"), From: pd.BridgeMail, Services: []string{"Access requests"}}
}

// request is a ticket as a rule would open it.
func request() connectors.Ticket {
	return connectors.Ticket{
		Project: "Access requests", Type: "incident", Summary: "Ana asks to run\nSetup Tool", Description: "**Reason:** I need <it>", Priority: "P2", Labels: []string{"epm"},
		Fields: map[string]any{"urgency": "low", "department": "Sales", "systems": []any{"mail"}, "seats": 3, "escalation_policy": "PPOLICY"},
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
