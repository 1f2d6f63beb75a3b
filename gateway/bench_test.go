package gateway_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
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

// What is measured here is reported as ratios within one run, since machines differ; docs/performance.md says how to
// read them. Databases wait for the disk.

var benchEngines = []string{storetest.SQLite, storetest.Postgres}

const benchClients = 64

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

// BenchmarkDeliver tells how many deliveries a second reach a desk that takes everything at once: those that are owed
// already, and from events that are still to be planned.
func BenchmarkDeliver(b *testing.B) {
	const n = 10_000
	for _, engine := range benchEngines {
		b.Run(engine, func(b *testing.B) {
			var plan, deliver, both time.Duration
			rounds := 0
			for b.Loop() {
				r := newRig(b, durable(b, engine))
				r.accept(b, n)
				plan += r.planAll(b, n)
				deliver += r.deliverAll(b, n)
				r = newRig(b, durable(b, engine))
				r.accept(b, n)
				both += r.deliverAll(b, n)
				rounds++
			}
			rate := func(d time.Duration) float64 { return float64(n*rounds) / d.Seconds() }
			b.ReportMetric(rate(plan), "planned/s")
			b.ReportMetric(rate(deliver), "delivered/s")
			b.ReportMetric(rate(both), "planned-and-delivered/s")
		})
	}
}

// BenchmarkProcessorTime tells what processor time a thousand events need that arrive over HTTP, are planned and reach
// a desk that takes everything at once, the database's included. Neither the clients nor the desk count.
func BenchmarkProcessorTime(b *testing.B) {
	for _, engine := range benchEngines {
		b.Run(engine, func(b *testing.B) {
			r := newRig(b, durable(b, engine))
			defer r.run(b)()
			ourselves := os.Getpid()
			var own, database time.Duration
			sent := 0
			for b.Loop() {
				own -= storetest.ProcessTime(b, ourselves)
				database -= storetest.DatabaseTime(b, engine)
				want := r.desk.created.Load() + fromClient
				client := exec.Command(os.Args[0])
				client.Env = append(os.Environ(), asClient+"="+r.url)
				if out, err := client.CombinedOutput(); err != nil {
					b.Fatalf("send events: %v: %s", err, out)
				}
				own -= clientTime(client)
				r.delivered(b, want)
				own += storetest.ProcessTime(b, ourselves)
				database += storetest.DatabaseTime(b, engine)
				sent += fromClient
			}
			b.ReportMetric(own.Seconds()*1000/float64(sent), "own-s/1000")
			b.ReportMetric(database.Seconds()*1000/float64(sent), "database-s/1000")
			b.ReportMetric((own+database).Seconds()*1000/float64(sent), "s/1000")
		})
	}
}

// clientTime is what an ended child has used, which counts for its parent.
func clientTime(c *exec.Cmd) time.Duration {
	return c.ProcessState.UserTime() + c.ProcessState.SystemTime()
}

// planAll plans the n events that wait.
func (r *rig) planAll(b *testing.B, n int) time.Duration {
	b.Helper()
	start := time.Now()
	if planned, err := r.gateway.PlanAll(b.Context()); err != nil || planned != n {
		b.Fatalf("planned %d of %d: %v", planned, n, err)
	}
	return time.Since(start)
}

// deliverAll runs the gateway until n more deliveries are recorded as delivered.
func (r *rig) deliverAll(b *testing.B, n int64) time.Duration {
	b.Helper()
	want := r.desk.created.Load() + n
	start := time.Now()
	stop := r.run(b)
	defer stop()
	r.delivered(b, want)
	return time.Since(start)
}

// delivered waits until the desk has so many tickets and all of that is recorded.
func (r *rig) delivered(b *testing.B, want int64) {
	b.Helper()
	if err := until(b.Context(), "everything is delivered", func() (bool, error) {
		if r.desk.created.Load() < want {
			return false, nil
		}
		waiting, err := r.waiting(b.Context())
		return waiting == 0, err
	}); err != nil {
		b.Fatal(err)
	}
}

func (r *rig) waiting(ctx context.Context) (n int64, err error) {
	err = r.store.DB().QueryRowContext(ctx, `SELECT COUNT(*) FROM deliveries WHERE state IN ('pending', 'running')`).Scan(&n)
	return n, err
}

// BenchmarkDeliverAfterHistory compares deliveries a second behind a long history with those on an empty database.
func BenchmarkDeliverAfterHistory(b *testing.B) {
	const n = 10_000
	past := 200_000
	if os.Getenv("DRAWBRIDGE_SOAK") != "" {
		past = 10_000_000
	}
	storetest.Need(b)
	var atFirst, later time.Duration
	rounds := 0
	for b.Loop() {
		for _, m := range []struct {
			past int
			took *time.Duration
		}{{0, &atFirst}, {past, &later}} {
			r := newRig(b, durable(b, storetest.Postgres))
			pastDeliveries(b, r.store.DB(), m.past)
			r.accept(b, n)
			r.planAll(b, n)
			*m.took += r.deliverAll(b, n)
		}
		rounds++
	}
	b.ReportMetric(float64(past), "rows-of-history")
	b.ReportMetric(float64(n*rounds)/later.Seconds(), "delivered/s")
	b.ReportMetric(atFirst.Seconds()/later.Seconds(), "of-empty")
}

// pastDeliveries fills a database with deliveries that ended long ago, with all that belongs to each.
func pastDeliveries(b *testing.B, db *sql.DB, n int) {
	b.Helper()
	const rows = ` FROM generate_series($1::bigint, $2::bigint) AS i`
	const step = 100_000
	for from := 1; from <= n; from += step {
		for _, text := range []string{
			`INSERT INTO cases SELECT '0-case-' || i, 'epm', 't-100', 'past-' || i, NULL, 'access.requested', 'closed', '{}', 'ACME Tool', '', i, i, 0, 2` + rows,
			`INSERT INTO links SELECT '0-link-' || i, '0-case-' || i, 'desk', '', 'past-' || i, 'past-' || i, 'SEC', '', 'requests', '', 1, 0, 'ITSEC', 'Access Request', 'past', 'linked', i, i` + rows,
			`INSERT INTO deliveries SELECT '0-dlv-' || i, '0-case-' || i, 'past', '0-link-' || i, '0-link-' || i, 'desk', 'create', 'live', 'delivered', 1, 0, 1, 0, 1, i, 1, 1, i, 0, '{}', 'ticket', '', '', i, i, 'requests', 1` + rows,
			`INSERT INTO attempts SELECT '0-att-' || i, '0-dlv-' || i, 1, i, i, 'delivered', 0, '', ''` + rows,
		} {
			if _, err := db.ExecContext(b.Context(), text, from, min(from+step-1, n)); err != nil {
				b.Fatal(err)
			}
		}
	}
	if _, err := db.ExecContext(b.Context(), `VACUUM ANALYZE`); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRules compares planning with a thousand rules on one source, of all the kinds it sends, with planning with
// one.
func BenchmarkRules(b *testing.B) {
	const n = 1000
	kinds := []string{"access.requested", "access.approved", "access.denied", "admin.requested", "admin.approved", "admin.denied"}
	many := []string{benchRule}
	for i := range 999 {
		many = append(many, fmt.Sprintf("kind: Rule\nname: rule-%03d\non: epm\nwhen: event.kind == %q and event.data.RequestId == \"none\"\ncreate: {at: desk, slot: s%d, project: P, type: T, summary: S}\n", i, kinds[i%len(kinds)], i))
	}
	one, thousand := newRig(b, durable(b, storetest.SQLite)), newRig(b, durable(b, storetest.SQLite), many...)
	var took [2]time.Duration
	for b.Loop() {
		for i, r := range []*rig{one, thousand} {
			r.accept(b, n)
			took[i] += r.planAll(b, n)
		}
	}
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "x-one-rule")
}

// BenchmarkNormalise compares reading an EPM event with json.Unmarshal of the same bytes.
func BenchmarkNormalise(b *testing.B) {
	r := newRig(b, storetest.DSN(b, storetest.SQLite))
	text := body("r-1")
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		for range 100 {
			if _, err := r.gateway.Receive(b.Context(), "epm", request(text)); err != nil {
				b.Fatal(err)
			}
		}
		between := time.Now()
		for range 100 {
			var v any
			if err := json.Unmarshal(text, &v); err != nil {
				b.Fatal(err)
			}
		}
		ours += between.Sub(start)
		theirs += time.Since(between)
	}
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "x-unmarshal")
}
