package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// start is when tests begin; times in them are start plus something.
var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

// in runs f in a transaction that must succeed.
func in(t testing.TB, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.InTx(t.Context(), f); err != nil {
		t.Fatalf("transaction: %v", err)
	}
}

// event is an arrival of the source epm.
func event(dedupe, requestID string) store.Arrival {
	return store.Arrival{
		Event: store.Event{Connection: "epm", Dedupe: dedupe, Kind: "access.requested", RequestID: requestID,
			ReceivedAt: start, Body: []byte(`{"id":"` + dedupe + `"}`), ContentType: "application/json",
			Normal: json.RawMessage(`{"kind":"access.requested"}`)},
		Case: store.Case{Subject: "7-Zip", Requester: `{"account":"CORP\\ana"}`, Severity: "low"},
	}
}

func accept(t testing.TB, s *store.Store, arrivals ...store.Arrival) []store.Receipt {
	t.Helper()
	var receipts []store.Receipt
	in(t, s, func(tx *store.Tx) (err error) {
		receipts, err = tx.Accept(t.Context(), arrivals)
		return err
	})
	return receipts
}

// openCase opens a case and answers its id.
func openCase(t testing.TB, s *store.Store, requestID string) string {
	t.Helper()
	return accept(t, s, event("open-"+requestID, requestID))[0].CaseID
}

func owe(t testing.TB, s *store.Store, d store.Delivery) store.Delivery {
	t.Helper()
	if d.Connection == "" {
		d.Connection = "jira"
	}
	if d.Kind == "" {
		d.Kind = "comment"
	}
	if d.CreatedAt.IsZero() {
		d.CreatedAt = start
	}
	in(t, s, func(tx *store.Tx) (err error) {
		d, err = tx.AddDelivery(t.Context(), d)
		return err
	})
	return d
}

func lease(t testing.TB, s *store.Store, name, holder string) store.Lease {
	t.Helper()
	l, ours, err := s.Acquire(t.Context(), name, holder, time.Hour)
	if err != nil || !ours {
		t.Fatalf("Acquire(%s, %s) = %v, %v, %v", name, holder, l, ours, err)
	}
	return l
}

func claim(t testing.TB, s *store.Store, l store.Lease, now time.Time, limit int) []store.Delivery {
	t.Helper()
	var ds []store.Delivery
	in(t, s, func(tx *store.Tx) (err error) {
		ds, err = tx.Claim(t.Context(), l, now, now.Add(time.Minute), limit)
		return err
	})
	return ds
}

func finish(t testing.TB, s *store.Store, d store.Delivery, state string) {
	t.Helper()
	in(t, s, func(tx *store.Tx) error { return tx.Finish(t.Context(), d, outcome(state)) })
}

func outcome(state string) store.Finish {
	f := store.Finish{State: state, UsedAttempt: true, At: at(time.Minute), Due: at(2 * time.Minute)}
	f.Attempt = store.Attempt{StartedAt: start, EndedAt: at(time.Minute), Outcome: store.AttemptDelivered, Status: 200}
	if state != store.Delivered {
		f.Attempt.Outcome, f.Attempt.Status, f.Error, f.Attempt.Error = store.AttemptTemporary, 503, "busy", "busy"
	}
	return f
}

func delivery(t testing.TB, s *store.Store, id string) store.Delivery {
	t.Helper()
	d, err := s.Delivery(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ids(ds []store.Delivery) []string {
	var ids []string
	for _, d := range ds {
		ids = append(ids, d.ID)
	}
	return ids
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s = %v, want %v", what, err, want)
	}
}

func TestInTxLeavesNothingBehindOnError(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		boom := errors.New("boom")
		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			if err := tx.SetSetting(t.Context(), "a", "1"); err != nil {
				return err
			}
			return boom
		})
		wantErr(t, "InTx", err, boom)
		_, err = s.Setting(t.Context(), "a")
		wantErr(t, "Setting", err, store.ErrNotFound)
	})
}

func TestInTxRollsBackWhenItsFunctionPanics(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		func() {
			defer func() { recover() }()
			s.InTx(t.Context(), func(tx *store.Tx) error {
				tx.SetSetting(t.Context(), "a", "1")
				panic("boom")
			})
		}()
		_, err := s.Setting(t.Context(), "a")
		wantErr(t, "Setting", err, store.ErrNotFound)
		in(t, s, func(tx *store.Tx) error { return tx.SetSetting(t.Context(), "a", "2") })
	})
}

func TestInTxRunsAgainAfterDeadlock(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		a, b := openCase(t, s, "a"), openCase(t, s, "b")
		var both sync.WaitGroup
		both.Add(2)
		lockBoth := func(first, second string) error {
			arrive := sync.OnceFunc(both.Done)
			return s.InTx(t.Context(), func(tx *store.Tx) error {
				if _, err := tx.LockCase(t.Context(), first); err != nil {
					return err
				}
				if engine == storetest.Postgres { // on SQLite the second waits to begin
					arrive()
					both.Wait()
				}
				_, err := tx.LockCase(t.Context(), second)
				return err
			})
		}
		errs := make(chan error, 2)
		go func() { errs <- lockBoth(a, b) }()
		go func() { errs <- lockBoth(b, a) }()
		for range 2 {
			if err := <-errs; err != nil {
				t.Errorf("InTx = %v", err)
			}
		}
	})
}

func TestInTxEndsWithItsContext(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		ctx, cancel := context.WithCancel(t.Context())
		err := s.InTx(ctx, func(tx *store.Tx) error {
			cancel()
			return tx.SetSetting(ctx, "a", "1")
		})
		wantErr(t, "InTx", err, context.Canceled)
		in(t, s, func(tx *store.Tx) error { return tx.SetSetting(t.Context(), "a", "2") })
	})
}

func TestReadsInTransactionSeeItsWrites(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		in(t, s, func(tx *store.Tx) error {
			if err := tx.SetSetting(t.Context(), "a", "1"); err != nil {
				return err
			}
			inside, err := tx.Setting(t.Context(), "a")
			if err != nil || inside != "1" {
				t.Errorf("inside: %q, %v", inside, err)
			}
			_, err = s.Setting(t.Context(), "a")
			wantErr(t, "outside", err, store.ErrNotFound)
			return nil
		})
	})
}

func TestReadingAtOnceSeesNothingThatIsCommittedMeanwhile(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		set := func(value string) {
			in(t, s, func(tx *store.Tx) error { return tx.SetSetting(t.Context(), "a", value) })
		}
		set("1")
		for range 2 {
			if err := s.AtOnce(t.Context(), func(q store.Queries) error {
				first, err := q.Setting(t.Context(), "a")
				if err != nil {
					return err
				}
				set(first + "1")
				if second, err := q.Setting(t.Context(), "a"); err != nil || second != first {
					t.Errorf("read %q, then %q, %v", first, second, err)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if now, err := s.Setting(t.Context(), "a"); err != nil || now != "111" {
			t.Errorf("afterwards: %q, %v", now, err)
		}
	})
}

func TestNowIsTheClockPlusOffset(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		offset := time.Duration(0)
		s := storetest.Open(t, storetest.DSN(t, engine), store.Options{
			Now: func() time.Time { return start }, Offset: func() time.Duration { return offset },
		})
		before, err := s.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if engine == storetest.SQLite && !before.Equal(start) {
			t.Errorf("Now = %v, want %v", before, start)
		}
		offset = 24 * time.Hour
		after, err := s.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := after.Sub(before); d < offset || d > offset+time.Minute {
			t.Errorf("an offset of %v moved the clock by %v", offset, d)
		}
	})
}

func TestOpenRefusesAnAddressWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "mysql://u:hunter2@h/d", "sqlite:", "postgres://u:hunter2@h:notaport/d"} {
		t.Run(dsn, func(t *testing.T) {
			t.Parallel()
			_, err := store.Open(t.Context(), dsn, store.Options{})
			if err == nil {
				t.Fatal("Open accepted it")
			}
			if msg := fmt.Sprint(err); len(dsn) > 10 && containsAny(msg, "hunter2", dsn) {
				t.Errorf("the error repeats the address: %s", msg)
			}
		})
	}
}

func TestSQLitePathMayHoldAnyCharacter(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + t.TempDir() + "/a b#c?d%e&f.db"
	s := storetest.Open(t, dsn, store.Options{})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	in(t, s, func(tx *store.Tx) error { return tx.SetSetting(t.Context(), "a", "1") })
	again := storetest.Open(t, dsn, store.Options{})
	if v, err := again.Setting(t.Context(), "a"); err != nil || v != "1" {
		t.Errorf("Setting = %q, %v", v, err)
	}
}

func TestSQLiteIsDurableAndChecksReferences(t *testing.T) {
	t.Parallel()
	s := storetest.New(t, storetest.SQLite)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		var got string
		if err := s.DB().QueryRowContext(t.Context(), `PRAGMA `+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", pragma, got, err, want)
		}
	}
}

func TestNewIDSortsByTime(t *testing.T) {
	t.Parallel()
	last := store.NewID()
	for range 1000 {
		id := store.NewID()
		if id <= last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
