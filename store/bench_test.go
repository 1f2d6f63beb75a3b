package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// The PostgreSQL of these benchmarks does not wait for a disk: they compare the work, not the durability.

func engines(b *testing.B, run func(b *testing.B, s *store.Store)) {
	for _, engine := range []string{storetest.SQLite, storetest.Postgres} {
		b.Run(engine, func(b *testing.B) {
			if engine == storetest.Postgres {
				storetest.Need(b)
			}
			run(b, storetest.New(b, engine))
		})
	}
}

func perSecond(b *testing.B, each int, what string) {
	b.ReportMetric(float64(b.N*each)/b.Elapsed().Seconds(), what+"/s")
}

// arrivals are n events of 2 kB, each of a case of its own.
func arrivals(round, n int) []store.Arrival {
	body := []byte(strings.Repeat("x", 2000))
	group := make([]store.Arrival, n)
	for i := range group {
		group[i] = event(fmt.Sprintf("e%d-%d", round, i), fmt.Sprintf("r%d-%d", round, i))
		group[i].Event.Body = body
	}
	return group
}

// BenchmarkAccept tells what a group costs, against one event at a time and against the driver inserting the bodies
// alone.
func BenchmarkAccept(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("group of %d", n), func(b *testing.B) {
			engines(b, func(b *testing.B, s *store.Store) {
				for round := 0; b.Loop(); round++ {
					accept(b, s, arrivals(round, n)...)
				}
				perSecond(b, n, "events")
			})
		})
	}
	b.Run("raw group of 64", func(b *testing.B) {
		engines(b, func(b *testing.B, s *store.Store) {
			blob := "BLOB"
			if s.Engine() == storetest.Postgres {
				blob = "BYTEA"
			}
			ctx := b.Context()
			must(b, s, `CREATE TABLE raw (id TEXT PRIMARY KEY, body `+blob+`)`)
			for round := 0; b.Loop(); round++ {
				var args []any
				var values []string
				for i, a := range arrivals(round, 64) {
					values = append(values, fmt.Sprintf("($%d, $%d)", 2*i+1, 2*i+2))
					args = append(args, store.NewID(), a.Event.Body)
				}
				tx, err := s.DB().BeginTx(ctx, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := tx.ExecContext(ctx, `INSERT INTO raw (id, body) VALUES `+strings.Join(values, ", "), args...); err != nil {
					b.Fatal(err)
				}
				if err := tx.Commit(); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, 64, "events")
		})
	})
}

func must(b *testing.B, s *store.Store, query string) {
	b.Helper()
	if _, err := s.DB().ExecContext(context.Background(), query); err != nil {
		b.Fatal(err)
	}
}

// owed makes n cases with a lane each and puts a delivery in every lane.
func owed(b *testing.B, s *store.Store, round, n int, d store.Delivery) {
	b.Helper()
	receipts := accept(b, s, arrivals(round, n)...)
	in(b, s, func(tx *store.Tx) error {
		for _, r := range receipts {
			d.CaseID, d.Lane, d.Connection, d.Kind, d.CreatedAt = r.CaseID, "a", "jira", "create", start
			d.Action = []byte(`{"summary":"` + strings.Repeat("s", 500) + `"}`)
			if _, err := tx.AddDelivery(b.Context(), d); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkClaimFinish tells how many deliveries can be claimed and finished, a hundred at a time.
func BenchmarkClaimFinish(b *testing.B) {
	engines(b, func(b *testing.B, s *store.Store) {
		l := lease(b, s, "jira", "me")
		for round := 0; b.Loop(); round++ {
			b.StopTimer()
			owed(b, s, round, 100, store.Delivery{})
			b.StartTimer()
			workOff(b, s, l, 100)
		}
		perSecond(b, 100, "deliveries")
	})
}

func workOff(b *testing.B, s *store.Store, l store.Lease, n int) {
	b.Helper()
	ds := claim(b, s, l, start, n)
	if len(ds) != n {
		b.Fatalf("claimed %d, want %d", len(ds), n)
	}
	done := make([]store.Finished, len(ds))
	for i, d := range ds {
		done[i] = store.Finished{Delivery: d, Finish: outcome(store.Delivered)}
	}
	in(b, s, func(tx *store.Tx) error {
		_, err := tx.FinishMany(b.Context(), done)
		return err
	})
}

// BenchmarkClaimBehindDeadHeads claims one delivery where as many lanes as named are held by a dead head.
func BenchmarkClaimBehindDeadHeads(b *testing.B) {
	for _, dead := range []int{0, 20_000} {
		b.Run(fmt.Sprint(dead), func(b *testing.B) {
			engines(b, func(b *testing.B, s *store.Store) {
				for round := range dead / 1000 {
					owed(b, s, round, 1000, store.Delivery{State: store.Dead, Holds: true})
				}
				l := lease(b, s, "jira", "me")
				for b.Loop() {
					b.StopTimer()
					owe(b, s, store.Delivery{Kind: "comment"})
					b.StartTimer()
					if got := claim(b, s, l, at(time.Minute), 1); len(got) != 1 {
						b.Fatalf("claimed %d", len(got))
					}
				}
			})
		})
	}
}
