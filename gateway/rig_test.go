package gateway_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/epm"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/gateway/api"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// asClient makes the test binary send events to an address: what clients use must not count as ours.
const asClient = "DRAWBRIDGE_BENCH_CLIENT"

func TestMain(m *testing.M) {
	if url := os.Getenv(asClient); url != "" {
		if err := sendFrom(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	storetest.Main(m)
}

const fromClient = 5000

// sendFrom sends events from a process of their own.
func sendFrom(url string) error {
	r := &rig{url: url, client: newClient()}
	var senders sync.WaitGroup
	var failed atomic.Pointer[error]
	for range benchClients {
		senders.Go(func() {
			for n := r.sent.Add(1); n <= fromClient && failed.Load() == nil; n = r.sent.Add(1) {
				if err := r.send(fmt.Sprintf("c-%d-%d", os.Getpid(), n)); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	senders.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
}

// The benchmarks' source is EPM as it is; their desk is in this process and takes everything at once.
const (
	benchSource = `kind: Connection
name: epm
connector: epm
tenant: t-100
settings: {base_url: "https://epm.example", client_id: bench, client_secret: {value: secret}}
inbound:
  verify: {basic: {user: epm, passwords: [{value: secret}]}}
`
	benchDesk = `kind: Connection
name: desk
connector: instant
delivery: {concurrency: 64}
`
	benchRule = `kind: Rule
name: requests
on: epm
when: event.kind == "access.requested" and event.data.Publisher not in ["ACME Trusted", "Example AG"]
create:
  at: desk
  project: ITSEC
  type: Access Request
  summary: "${event.requester.name} asks to run ${event.data.ProductName ?? 'an application'}"
  description: |
    **Reason:** ${event.reason}

    Publisher ${event.data.Publisher}, file ${event.data.FilePathObjectId}
  priority: "${event.severity == 'high' ? 'High' : 'Medium'}"
  fields:
    customfield_1: "${event.data.ComputerGroup}"
    customfield_2: "${event.data.CmdArgs}"
    customfield_3: "${event.data.Sha256Hash}"
`
)

// instant is a desk that takes every ticket at once.
type instant struct {
	created atomic.Int64
	gate    sync.RWMutex              // locked: calls wait
	called  func(t connectors.Ticket) // nil: nobody listens
	always  string                    // the id every ticket gets; empty: one of its own
}

func (d *instant) Open(connectors.Env) (connectors.Connector, error) { return d, nil }
func (d *instant) Ping(context.Context) error                        { return nil }

func (d *instant) Create(_ context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	d.gate.RLock()
	defer d.gate.RUnlock()
	if d.called != nil {
		d.called(t)
	}
	n := d.created.Add(1)
	return connectors.Ref{ID: cmp.Or(d.always, key), Key: fmt.Sprintf("SEC-%d", n)}, nil
}

func (d *instant) Find(context.Context, string) ([]connectors.Ref, error) { return nil, nil }

// takesAll is a sink that takes every batch at once.
type takesAll struct {
	taken atomic.Int64
	gate  sync.RWMutex // locked: calls wait
}

func (s *takesAll) Open(connectors.Env) (connectors.Connector, error) { return s, nil }
func (s *takesAll) Ping(context.Context) error                        { return nil }
func (s *takesAll) Batch() (int, time.Duration)                       { return 1000, 0 }

func (s *takesAll) Send(_ context.Context, rs []connectors.Record) ([]connectors.Result, error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	s.taken.Add(int64(len(rs)))
	return make([]connectors.Result, len(rs)), nil
}

// deskAndSink is both at once, as a chat is that asks some and tells others.
type deskAndSink struct {
	*instant
	*takesAll
}

func (d deskAndSink) Open(connectors.Env) (connectors.Connector, error) { return d, nil }
func (d deskAndSink) Ping(context.Context) error                        { return nil }

// rig is a gateway on a database of its own, with its HTTP edge.
type rig struct {
	store   *store.Store
	vault   *connectors.Vault
	gateway *gateway.Gateway
	desk    *instant
	sink    *takesAll
	url     string
	client  *http.Client
	sent    atomic.Int64
}

// durable gives the address of a database that waits for the disk.
func durable(b *testing.B, engine string) string {
	b.Helper()
	if engine == storetest.Postgres {
		return storetest.Durable(b)
	}
	return storetest.DSN(b, engine)
}

func newRig(b testing.TB, dsn string, documents ...string) *rig {
	b.Helper()
	r := &rig{desk: &instant{}, sink: &takesAll{}, store: storetest.Open(b, dsn, store.Options{}),
		vault: &connectors.Vault{Keys: map[string][]byte{"bench": bytes.Repeat([]byte("k"), 32)}, Current: "bench", Getenv: os.Getenv}}
	vendors := map[string]func() connectors.Config{"epm": epm.New, "instant": func() connectors.Config { return r.desk }, "takes-all": func() connectors.Config { return r.sink },
		"both": func() connectors.Config { return deskAndSink{r.desk, r.sink} }}
	log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	r.gateway, err = gateway.New(b.Context(), gateway.Options{
		Store: r.store, Vault: r.vault, Vendors: vendors, Log: log,
	})
	if err != nil {
		b.Fatal(err)
	}
	if len(documents) == 0 {
		documents = []string{benchRule}
	}
	var texts [][]byte
	for _, d := range append([]string{benchSource, benchDesk}, documents...) {
		texts = append(texts, []byte(d))
	}
	if _, err := r.gateway.Apply(b.Context(), texts, "bench", "to measure"); err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(api.New(api.Options{Gateway: r.gateway, Store: r.store, Page: fstest.MapFS{}, Token: sha256.Sum256(nil), Log: log}))
	b.Cleanup(server.Close)
	r.url, r.client = server.URL, newClient()
	return r
}

// during runs f beside the benchmark's next steps; what it returns stops f and waits for its end.
func during(b testing.TB, f func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { f(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

func (r *rig) run(b testing.TB) (stop func()) {
	return during(b, func(ctx context.Context) {
		if err := r.gateway.Run(ctx); err != nil {
			b.Error(err)
		}
	})
}

// body is an EPM event of 2 kB, as the vendor's own template lays it out, of a request of its own.
func body(id string) []byte {
	return []byte(strings.Replace(benchBody, "REQUEST", id, 1))
}

var benchBody = func() string {
	text, err := os.ReadFile(filepath.Join("..", "connectors", "epm", "testdata", "receive", "app_created_vendor_template", "body.json"))
	if err != nil {
		panic(err)
	}
	asked := strings.Repeat("The installer of the new scanner needs it. ", 5)
	return strings.NewReplacer("6f0c1c1e-0d0a-4b58-9c55-2b1f7f7d1a01", "REQUEST", "install driver", asked).Replace(strings.TrimSpace(string(text)))
}()

// send posts one event and wants it accepted.
func (r *rig) send(id string) error {
	req, err := http.NewRequest(http.MethodPost, r.url+"/in/epm", bytes.NewReader(body(id)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth("epm", "secret")
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("answered %d: %s", resp.StatusCode, text)
	}
	return err
}

// flood lets clients send one event after the other for a time, and gives the rate.
func (r *rig) flood(b *testing.B, clients int, length time.Duration) float64 {
	b.Helper()
	var senders sync.WaitGroup
	var failed atomic.Pointer[error]
	start := time.Now()
	before := r.sent.Load()
	for range clients {
		senders.Go(func() {
			for time.Since(start) < length && failed.Load() == nil {
				if err := r.send(fmt.Sprintf("r-%d", r.sent.Add(1))); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	senders.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	return float64(r.sent.Load()-before) / time.Since(start).Seconds()
}

// accept stores n events without the edge.
func (r *rig) accept(b *testing.B, n int) {
	b.Helper()
	for left := n; left > 0; {
		size := min(left, 256)
		var arrivals []store.Arrival
		for range size {
			arrivals = append(arrivals, r.arrival(b, fmt.Sprintf("r-%d", r.sent.Add(1))))
		}
		err := r.store.InTx(b.Context(), func(tx *store.Tx) error {
			_, err := tx.Accept(b.Context(), arrivals)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		left -= size
	}
}

// arrival is what the gateway stores of an event.
func (r *rig) arrival(b *testing.B, id string) store.Arrival {
	b.Helper()
	arrivals, err := r.gateway.Arrivals(b.Context(), "epm", request(body(id)))
	if err != nil {
		b.Fatal(err)
	}
	return arrivals[0]
}

func request(body []byte) connectors.Request {
	return connectors.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: body, Time: time.Now()}
}

// quantile gives the value below which the share q of the samples lies.
func quantile(samples []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// until polls for something this process is not told of.
func until(ctx context.Context, what string, f func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	for {
		if ok, err := f(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("it never came to pass: " + what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
