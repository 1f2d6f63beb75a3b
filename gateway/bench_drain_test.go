package gateway_test

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const (
	drainSink = "kind: Connection\nname: sink\nconnector: takes-all\n"
	drainRule = `kind: Rule
name: records
on: epm
when: event.kind == "access.requested" and event.data.Publisher not in ["ACME Trusted", "Example AG"]
send:
  at: sink
  record:
    message: "${event.requester.name} asks to run ${event.data.ProductName ?? 'an application'}"
    reason: ${event.reason}
    publisher: ${event.data.Publisher}
    severity: ${event.severity}
`
)

// BenchmarkDrain compares how fast a sink that takes everything at once is handed 100,000 records that are stored, with
// how fast tickets are opened at a desk that does the same. The desk's turns are before and after the sink's. What
// accepting and planning have recorded is sealed before: the record of what is drained is as old as its queue.
func BenchmarkDrain(b *testing.B) {
	const n, records = 10_000, 100_000
	var deliver, drain, used, usedByDesk time.Duration
	rounds := 0
	for b.Loop() {
		sink := newRig(b, durable(b, storetest.Postgres), drainSink, drainRule)
		sink.accept(b, records)
		sink.planAll(b, records)
		sink.sealAll(b)
		for turn := range 2 {
			tickets := newRig(b, durable(b, storetest.Postgres))
			tickets.accept(b, n)
			tickets.planAll(b, n)
			tickets.sealAll(b)
			usedByDesk -= processorTime(b, storetest.Postgres)
			deliver += tickets.deliverAll(b, n)
			usedByDesk += processorTime(b, storetest.Postgres)
			if turn == 0 {
				used -= processorTime(b, storetest.Postgres)
				drain += sink.drain(b, records)
				used += processorTime(b, storetest.Postgres)
			}
		}
		if got := sink.sink.taken.Load(); got != records {
			b.Fatalf("the sink was handed %d records, want %d", got, records)
		}
		rounds++
	}
	delivered, drained := float64(2*n*rounds)/deliver.Seconds(), float64(records*rounds)/drain.Seconds()
	b.ReportMetric(delivered, "delivered/s")
	b.ReportMetric(drained, "records/s")
	b.ReportMetric(drained/delivered, "x-deliveries")
	perRecord, perDelivery := used.Seconds()/float64(records*rounds), usedByDesk.Seconds()/float64(2*n*rounds)
	b.ReportMetric(perRecord*1000, "cpu-ms/record")
	b.ReportMetric(perDelivery/perRecord, "x-deliveries-by-cpu")
}

// sealAll seals what is recorded.
func (r *rig) sealAll(b *testing.B) {
	b.Helper()
	sealer := audit.Sealer{Store: r.store, Vault: r.vault, Holder: "bench"}
	for {
		n, err := sealer.Round(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	if err := sealer.Release(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// drain runs the gateway until the sink has so many records and all of that is recorded.
func (r *rig) drain(b *testing.B, records int64) time.Duration {
	b.Helper()
	start := time.Now()
	stop := r.run(b)
	defer stop()
	if err := until(b.Context(), "everything is sent", func() (bool, error) {
		if r.sink.taken.Load() < records { // counting a long queue is work of its own
			return false, nil
		}
		time.Sleep(10 * time.Millisecond)
		waiting, err := r.waiting(b.Context())
		return waiting == 0, err
	}); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
