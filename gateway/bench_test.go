package gateway_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// What is measured here is reported as ratios within one run, since machines differ; docs/performance.md says how to
// read them. Databases wait for the disk.

var benchEngines = []string{storetest.SQLite, storetest.Postgres}

const benchClients = 64

// BenchmarkDeliver tells how many deliveries a second reach a desk that takes everything at once: those that are owed
// already, and from events that are still to be planned. The processor time of each tells what an idle machine could do.
func BenchmarkDeliver(b *testing.B) {
	const n = 10_000
	for _, engine := range benchEngines {
		b.Run(engine, func(b *testing.B) {
			var plan, deliver, both, used time.Duration
			rounds := 0
			for b.Loop() {
				r := newRig(b, durable(b, engine))
				r.accept(b, n)
				plan += r.planAll(b, n)
				used -= processorTime(b, engine)
				deliver += r.deliverAll(b, n)
				used += processorTime(b, engine)
				r = newRig(b, durable(b, engine))
				r.accept(b, n)
				both += r.deliverAll(b, n)
				rounds++
			}
			rate := func(d time.Duration) float64 { return float64(n*rounds) / d.Seconds() }
			b.ReportMetric(rate(plan), "planned/s")
			b.ReportMetric(rate(deliver), "delivered/s")
			b.ReportMetric(rate(both), "planned-and-delivered/s")
			b.ReportMetric(used.Seconds()*1000/float64(n*rounds), "cpu-ms/delivery")
		})
	}
}

// processorTime is what this process and the database have used.
func processorTime(b *testing.B, engine string) time.Duration {
	b.Helper()
	return storetest.ProcessTime(b, os.Getpid()) + storetest.DatabaseTime(b, engine)
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

// planned waits until everything that was accepted is planned.
func (r *rig) planned(b *testing.B) {
	b.Helper()
	if err := until(b.Context(), "everything is planned", func() (bool, error) {
		var n int64
		err := r.store.DB().QueryRowContext(b.Context(), `SELECT COUNT(*) FROM events WHERE state = 'accepted'`).Scan(&n)
		return n == 0, err
	}); err != nil {
		b.Fatal(err)
	}
}

func (r *rig) waiting(ctx context.Context) (n int64, err error) {
	err = r.store.DB().QueryRowContext(ctx, `SELECT COUNT(*) FROM deliveries WHERE state IN ('pending', 'running')`).Scan(&n)
	return n, err
}

// BenchmarkDeliverAfterHistory compares deliveries a second behind a long history with those on an empty database. The
// two take turns.
func BenchmarkDeliverAfterHistory(b *testing.B) {
	const n = 4_000
	past := 200_000
	if os.Getenv("DRAWBRIDGE_SOAK") != "" {
		past = 10_000_000
	}
	rigs := [2]*rig{newRig(b, durable(b, storetest.Postgres)), newRig(b, durable(b, storetest.Postgres))}
	pastDeliveries(b, rigs[1].store.DB(), past)
	for _, r := range rigs {
		defer r.run(b)()
	}
	var took, used [2]time.Duration
	rounds := 0
	for b.Loop() {
		for range 4 {
			for i, r := range rigs {
				r.desk.gate.Lock() // nothing is delivered before all is planned
				want := r.desk.created.Load() + n
				r.accept(b, n)
				r.planned(b)
				used[i] -= processorTime(b, storetest.Postgres)
				start := time.Now()
				r.desk.gate.Unlock()
				r.delivered(b, want)
				took[i] += time.Since(start)
				used[i] += processorTime(b, storetest.Postgres)
			}
			rounds++
		}
	}
	b.ReportMetric(float64(past), "rows-of-history")
	b.ReportMetric(float64(n*rounds)/took[1].Seconds(), "delivered/s")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "of-empty")
	b.ReportMetric(used[0].Seconds()/used[1].Seconds(), "of-empty-by-cpu")
}

// pastDeliveries fills a database with deliveries that ended long ago, with all that belongs to each.
func pastDeliveries(b *testing.B, db *sql.DB, n int) {
	b.Helper()
	const rows = ` FROM generate_series($1::bigint, $2::bigint) AS i`
	const step = 100_000
	for from := 1; from <= n; from += step {
		for _, text := range []string{
			`INSERT INTO cases (id, connection, tenant, request_id, kind, state, requester, subject, severity, opened_at, updated_at, edited_body, next_seq)
				SELECT '0-case-' || i, 'epm', 't-100', 'past-' || i, 'access.requested', 'closed', '{}', 'ACME Tool', '', i, i, 0, 2` + rows,
			`INSERT INTO links (id, case_id, desk, slot, key, ref_id, ref_key, ref_url, rule, policy, rule_version, policy_version, project, type, baseline, opening, state, created_at, linked_at)
				SELECT '0-link-' || i, '0-case-' || i, 'desk', '', 'past-' || i, 'past-' || i, 'SEC', '', 'requests', '', 1, 0, 'ITSEC', 'Access Request', '', 'past', 'linked', i, i` + rows,
			`INSERT INTO deliveries (id, case_id, event_id, link_id, lane, connection, kind, mode, state, seq, ready, holds, in_doubt, may_sent, due, attempts, epoch, claimed_until, doubt_until, action, purpose, decision_id, error, created_at, updated_at, rule, rule_version)
				SELECT '0-dlv-' || i, '0-case-' || i, 'past', '0-link-' || i, '0-link-' || i, 'desk', 'create', 'live', 'delivered', 1, 0, 1, 0, 1, i, 1, 1, i, 0, '{}', 'ticket', '', '', i, i, 'requests', 1` + rows,
			`INSERT INTO attempts (id, delivery_id, n, started_at, ended_at, outcome, status, error, detail)
				SELECT '0-att-' || i, '0-dlv-' || i, 1, i, i, 'delivered', 0, '', ''` + rows,
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
	const n = 256
	kinds := []string{"access.requested", "access.approved", "access.denied", "admin.requested", "admin.approved", "admin.denied"}
	many := []string{benchRule}
	for i := range 999 {
		many = append(many, fmt.Sprintf("kind: Rule\nname: rule-%03d\non: epm\nwhen: event.kind == %q and event.data.RequestId == \"none\"\ncreate: {at: desk, slot: s%d, project: P, type: T, summary: S}\n", i, kinds[i%len(kinds)], i))
	}
	one, thousand := newRig(b, durable(b, storetest.SQLite)), newRig(b, durable(b, storetest.SQLite), many...)
	var took [2]time.Duration
	for b.Loop() {
		for range 5 {
			for i, r := range []*rig{one, thousand} {
				r.accept(b, n)
				took[i] += r.planAll(b, n)
			}
		}
	}
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "x-one-rule")
}
