package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// plainSource sends events that tests store themselves.
type plainSource struct{}

func (plainSource) Open(connectors.Env) (connectors.Connector, error) { return plainSource{}, nil }
func (plainSource) Ping(context.Context) error                        { return nil }

// scriptedSink answers as a test says, and keeps what it was handed.
type scriptedSink struct {
	most   int
	linger time.Duration
	send   func(rs []connectors.Record) ([]connectors.Result, error) // nil: all are taken
	ping   func() error

	mu      sync.Mutex
	batches [][]string // reasons of the events, in the order they were handed over
}

func (s *scriptedSink) Open(connectors.Env) (connectors.Connector, error) { return s, nil }
func (s *scriptedSink) Batch() (int, time.Duration)                       { return s.most, s.linger }

func (s *scriptedSink) Ping(context.Context) error {
	if s.ping == nil {
		return nil
	}
	return s.ping()
}

func (s *scriptedSink) Send(_ context.Context, rs []connectors.Record) ([]connectors.Result, error) {
	var batch []string
	for _, r := range rs {
		batch = append(batch, reason(r))
	}
	s.mu.Lock()
	s.batches = append(s.batches, batch)
	s.mu.Unlock()
	if s.send == nil {
		return make([]connectors.Result, len(rs)), nil
	}
	return s.send(rs)
}

func reason(r connectors.Record) string { text, _ := r.Event["reason"].(string); return text }

// handed is what the sink was handed since it was last asked.
func (s *scriptedSink) handed() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	batches := s.batches
	s.batches = nil
	return batches
}

// sinkRig is a store with replicas whose worker of the sink is driven by hand, on a clock that is set by hand.
type sinkRig struct {
	t     *testing.T
	store *store.Store
	sink  *scriptedSink
	now   time.Time
	g     [2]*Gateway
	on    int // the replica that works
	w     *worker
}

const sinkDocuments = `kind: Connection
name: tool
connector: source
---
kind: Connection
name: sink
connector: sink
delivery: {attempts: %d, longest: 4s}
---
kind: Rule
name: log
on: tool
when: event.kind == "audit"
send: {at: sink}
`

func newSinkRig(t *testing.T, engine string, attempts int, sink *scriptedSink) *sinkRig {
	t.Helper()
	r := &sinkRig{t: t, store: storetest.New(t, engine), sink: sink, now: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)}
	documents, err := mapping.SplitDocuments(fmt.Appendf(nil, sinkDocuments, attempts))
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.g {
		r.g[i], err = New(t.Context(), Options{
			Store: r.store, Vault: &connectors.Vault{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return r.now }, Poll: time.Minute,
			Vendors: map[string]func() connectors.Config{
				"source": func() connectors.Config { return plainSource{} }, "sink": func() connectors.Config { return sink },
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.g[i].Apply(t.Context(), documents, "test", "to send"); err != nil {
			t.Fatal(err)
		}
		go r.g[i].results.run(t.Context(), 1)
	}
	r.w = newWorker(r.g[0], "sink")
	return r
}

// accept stores and plans events with the reasons given, each of the case named; "" for none.
func (r *sinkRig) accept(caze string, reasons ...string) {
	r.t.Helper()
	var arrivals []store.Arrival
	for _, text := range reasons {
		e := connectors.Event{Kind: connectors.Audit, RequestID: caze, Reason: text}
		arrivals = append(arrivals, store.Arrival{
			Event: store.Event{Connection: "tool", Kind: e.Kind, RequestID: caze, ReceivedAt: r.now, Normal: mustJSON(e)},
			Case:  store.Case{Connection: "tool", RequestID: caze, Kind: e.Kind, OpenedAt: r.now},
		})
	}
	err := r.store.InTx(r.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Accept(r.t.Context(), arrivals)
		return err
	})
	if err == nil {
		_, err = r.g[r.on].PlanAll(r.t.Context())
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// round lets the worker do what it can do now and waits until that is recorded. It gives how long the worker would sleep.
func (r *sinkRig) round() time.Duration {
	r.t.Helper()
	w, conn := r.w, r.hold()
	_, pause, err := w.round(r.t.Context(), conn, r.g[r.on].catalogue().version)
	if err != nil {
		r.t.Fatal(err)
	}
	w.calls.Wait()
	return pause
}

// hold takes or renews the lease of the sink.
func (r *sinkRig) hold() *connection {
	r.t.Helper()
	conn := r.g[r.on].catalogue().connections["sink"]
	if held, err := r.w.hold(r.t.Context(), conn); err != nil || !held {
		r.t.Errorf("hold = %v, %v", held, err)
	}
	return conn
}

// pass lets the other replica take over, as if this one had ended.
func (r *sinkRig) pass() {
	r.t.Helper()
	if err := r.store.Release(r.t.Context(), r.w.holding()); err != nil {
		r.t.Error(err)
	}
	r.on = 1 - r.on
	r.w = newWorker(r.g[r.on], "sink")
	r.hold()
}

// states are the reasons of the events whose records are in each state.
func (r *sinkRig) states() map[string][]string {
	r.t.Helper()
	rows, err := r.store.DB().QueryContext(r.t.Context(), `SELECT d.state, e.normal FROM deliveries AS d JOIN events AS e ON e.id = d.event_id ORDER BY d.id`)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	found := map[string][]string{}
	for rows.Next() {
		var state string
		var normal []byte
		if err := rows.Scan(&state, &normal); err != nil {
			r.t.Fatal(err)
		}
		v, err := value(store.Event{Normal: normal})
		if err != nil {
			r.t.Fatal(err)
		}
		found[state] = append(found[state], v["reason"].(string))
	}
	return found
}

// deliveries are those to the sink.
func (r *sinkRig) deliveries() []store.Delivery {
	r.t.Helper()
	rows, err := r.store.DB().QueryContext(r.t.Context(), `SELECT id FROM deliveries ORDER BY id`)
	if err != nil {
		r.t.Fatal(err)
	}
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			r.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	rows.Close()
	var ds []store.Delivery
	for _, id := range ids {
		d, err := r.store.Delivery(r.t.Context(), id)
		if err != nil {
			r.t.Fatal(err)
		}
		ds = append(ds, d)
	}
	return ds
}

func TestDocumentedSinkRuleCompiles(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/sinks.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("there is no example")
	}
	v := map[string]any{"kind": connectors.AccessRequested, "severity": "high", "requester": map[string]any{"account": "ana"}, "data": map[string]any{"a": 1}}
	d, err := compiled(t, string(block[1])).Draft(t.Context(), v)
	if err != nil || d.Kind != string(connectors.Send) || d.Record["message"] != `{"a":1}` || d.Record["who"] != "ana" {
		t.Errorf("it sends %+v, %v", d, err)
	}
}
