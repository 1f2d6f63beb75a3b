package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// BenchmarkDurableAccept compares what is accepted a second with what can be: C = 1/(1/H + 1/S), where H is the same
// endpoint without a store and S the driver alone, inserting the same rows in groups.
func BenchmarkDurableAccept(b *testing.B) {
	for _, engine := range benchEngines {
		b.Run(engine, func(b *testing.B) {
			bare := newRig(b, storetest.DSN(b, storetest.SQLite))
			bare.gateway.WithoutStore()
			stopBare := during(b, bare.gateway.OnlyAccept)
			bare.flood(b, benchClients, time.Second)
			raw := storetest.Open(b, durable(b, engine), store.Options{})
			r := newRig(b, durable(b, engine))
			defer during(b, r.gateway.OnlyAccept)()
			r.flood(b, benchClients, time.Second)
			var h, s, accepted float64
			rounds := 0
			for b.Loop() {
				// In short turns, so that a slow moment of the machine meets all three.
				for range 20 {
					h += bare.flood(b, benchClients, 300*time.Millisecond)
					s += insertRaw(b, raw, r, 300*time.Millisecond)
					accepted += r.flood(b, benchClients, 300*time.Millisecond)
					rounds++
				}
			}
			stopBare()
			h, s, accepted = h/float64(rounds), s/float64(rounds), accepted/float64(rounds)
			b.ReportMetric(h, "H/s")
			b.ReportMetric(s, "S/s")
			b.ReportMetric(accepted, "accepted/s")
			b.ReportMetric(accepted*(1/h+1/s), "of-C")
		})
	}
}

// insertRaw inserts for a time what the store keeps of an accepted event, by groups of as many as there are clients, and
// gives the rate of events.
func insertRaw(b *testing.B, s *store.Store, r *rig, length time.Duration) float64 {
	b.Helper()
	tables := []struct {
		into   string
		values func(id, caseID string, a store.Arrival) []any
	}{
		{"dedupes (connection, dedupe, event_id, seen_at)", func(id, _ string, a store.Arrival) []any {
			return []any{"epm", id + a.Event.Dedupe, id, a.Event.ReceivedAt.UnixMilli()}
		}},
		{"cases (id, connection, tenant, request_id, kind, state, requester, subject, severity, opened_at, updated_at, edited_body)", func(id, caseID string, a store.Arrival) []any {
			at := a.Event.ReceivedAt.UnixMilli()
			return []any{caseID, "epm", "t-100", id, a.Event.Kind, "open", a.Case.Requester, a.Case.Subject, a.Case.Severity, at, at, 0}
		}},
		{"events (id, connection, dedupe, kind, tenant, request_id, case_id, received_at, body, content_type, normal, state, planned_at, test, edited)", func(id, caseID string, a store.Arrival) []any {
			return []any{id, "epm", id + a.Event.Dedupe, a.Event.Kind, "t-100", id, caseID, a.Event.ReceivedAt.UnixMilli(), a.Event.Body, "application/json", string(a.Event.Normal), "accepted", 0, 0, 0}
		}},
		{"records (id, at, case_id, kind, subject, salt, content, digest)", func(id, caseID string, a store.Arrival) []any {
			return []any{store.NewID(), a.Event.ReceivedAt.UnixMilli(), caseID, "event.accepted", id, make([]byte, 16),
				`{"body_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","connection":"epm","dedupe":"` + id + `","edited":false,"kind":"access.requested","request_id":"` + id + `","test":false}`, make([]byte, 32)}
		}},
	}
	a := r.arrival(b, "raw")
	statements := make([]string, len(tables))
	for i, t := range tables {
		statements[i] = insert(s.Engine(), t.into, benchClients)
	}
	group := func() error {
		args := make([][]any, len(tables))
		for range benchClients {
			id, caseID := store.NewID(), store.NewID()
			for i, t := range tables {
				args[i] = append(args[i], t.values(id, caseID, a)...)
			}
		}
		tx, err := s.DB().BeginTx(b.Context(), nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for i, text := range statements {
			if _, err := tx.ExecContext(b.Context(), text, args[i]...); err != nil {
				return err
			}
		}
		return tx.Commit()
	}
	start, n := time.Now(), 0
	for ; time.Since(start) < length; n += benchClients {
		if err := group(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

func insert(engine, into string, rows int) string {
	mark := "$"
	if engine == storetest.SQLite {
		mark = "?"
	}
	columns := strings.Count(into, ",") + 1
	var b strings.Builder
	b.WriteString("INSERT INTO " + into + " VALUES ")
	for row := range rows {
		b.WriteString(strings.Repeat(",", min(row, 1)) + "(")
		for column := range columns {
			b.WriteString(strings.Repeat(",", min(column, 1)) + mark)
			if engine == storetest.Postgres {
				b.WriteString(strconv.Itoa(row*columns + column + 1))
			}
		}
		b.WriteString(")")
	}
	return b.String()
}

// BenchmarkLatency tells how long a sender waits for the answer at 50 events a second, above one wait for the disk, and
// how long it takes from sending an event to the start of the call at the desk while nothing else is going on.
func BenchmarkLatency(b *testing.B) {
	for _, engine := range benchEngines {
		b.Run("accept/"+engine, func(b *testing.B) {
			r := newRig(b, durable(b, engine))
			defer r.run(b)()
			var mu sync.Mutex
			var took []time.Duration
			for b.Loop() {
				var senders sync.WaitGroup
				tick := time.NewTicker(20 * time.Millisecond)
				for range 250 {
					<-tick.C
					senders.Go(func() {
						start := time.Now()
						if err := r.send(fmt.Sprintf("r-%d", r.sent.Add(1))); err != nil {
							b.Error(err)
						}
						mu.Lock()
						took = append(took, time.Since(start))
						mu.Unlock()
					})
				}
				senders.Wait()
				tick.Stop()
			}
			disk := fsync(b)
			b.ReportMetric(milliseconds(disk), "fsync-ms")
			b.ReportMetric(milliseconds(quantile(took, 0.5)-disk), "p50-ms")
			b.ReportMetric(milliseconds(quantile(took, 0.99)-disk), "p99-ms")
		})
	}
	for _, engine := range benchEngines {
		b.Run("call/"+engine, func(b *testing.B) {
			r := newRig(b, durable(b, engine))
			called := make(chan time.Time, 1)
			r.desk.called = func(connectors.Ticket) { called <- time.Now() }
			defer r.run(b)()
			var took []time.Duration
			one := func() {
				time.Sleep(20*time.Millisecond + rand.N(20*time.Millisecond)) // nothing else is going on then
				start := time.Now()
				if err := r.send(fmt.Sprintf("r-%d", r.sent.Add(1))); err != nil {
					b.Fatal(err)
				}
				took = append(took, (<-called).Sub(start))
			}
			for range 10 {
				one()
			}
			took = nil
			for b.Loop() {
				for range 200 {
					one()
				}
			}
			b.ReportMetric(milliseconds(quantile(took, 0.5)), "p50-ms")
			b.ReportMetric(milliseconds(quantile(took, 0.99)), "p99-ms")
		})
	}
}

// fsync gives the median time of one wait for the disk.
func fsync(b *testing.B) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 8192)
	var took []time.Duration
	for range 200 {
		start := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	return quantile(took, 0.5)
}
