package store_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// replicas opens stores on one database whose clock the test moves.
func replicas(t *testing.T, engine string, n int) ([]*store.Store, func(time.Duration)) {
	t.Helper()
	var offset atomic.Int64
	dsn := storetest.DSN(t, engine)
	var stores []*store.Store
	for range n {
		stores = append(stores, storetest.Open(t, dsn, store.Options{Now: func() time.Time { return start },
			Offset: func() time.Duration { return time.Duration(offset.Load()) }}))
	}
	return stores, func(d time.Duration) { offset.Add(int64(d)) }
}

func acquire(t *testing.T, s *store.Store, holder string) (store.Lease, bool) {
	t.Helper()
	l, ours, err := s.Acquire(t.Context(), "jira", holder, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return l, ours
}

func TestLeaseIsHeldByOneUntilItsTimeIsUp(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s, pass := replicas(t, engine, 2)
		a, ours := acquire(t, s[0], "a")
		if !ours || a.Epoch != 1 || a.Holder != "a" {
			t.Fatalf("first = %+v, %v", a, ours)
		}
		if l, ours := acquire(t, s[1], "b"); ours || l.Holder != "a" || l.Epoch != 1 {
			t.Errorf("second = %+v, %v", l, ours)
		}
		pass(30 * time.Second)
		renewed, ours := acquire(t, s[0], "a")
		if !ours || renewed.Epoch != 1 || renewed.Until.Sub(a.Until) < 29*time.Second {
			t.Errorf("renewed = %+v, %v; was %+v", renewed, ours, a)
		}
		pass(2 * time.Minute)
		b, ours := acquire(t, s[1], "b")
		if !ours || b.Epoch != 2 {
			t.Errorf("taken over = %+v, %v", b, ours)
		}
		if l, ours := acquire(t, s[0], "a"); ours || l.Holder != "b" {
			t.Errorf("the first takes it back: %+v, %v", l, ours)
		}
		pass(2 * time.Minute)
		if l, ours := acquire(t, s[1], "b"); !ours || l.Epoch != 3 {
			t.Errorf("our own that had run out = %+v, %v; want a new epoch", l, ours)
		}
		got, err := s[0].LeaseOf(t.Context(), "jira")
		if err != nil || got.Holder != "b" || got.Epoch != 3 {
			t.Errorf("LeaseOf = %+v, %v", got, err)
		}
	})
}

func TestReleasedLeasePassesOnAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s, _ := replicas(t, engine, 2)
		a, _ := acquire(t, s[0], "a")
		if err := s[0].Release(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		b, ours := acquire(t, s[1], "b")
		if !ours || b.Epoch != 2 {
			t.Errorf("after release = %+v, %v", b, ours)
		}
		if err := s[0].Release(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if _, ours := acquire(t, s[0], "a"); ours {
			t.Error("releasing a lease that passed on took it from its new holder")
		}
		in(t, s[1], func(tx *store.Tx) error { return tx.HoldsLease(t.Context(), b) })
		wantErr(t, "HoldsLease", s[0].InTx(t.Context(), func(tx *store.Tx) error { return tx.HoldsLease(t.Context(), a) }),
			store.ErrConflict)
	})
}

func TestOneOfManyGetsTheLease(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s, _ := replicas(t, engine, 4)
		won := make(chan bool, len(s))
		for i := range s {
			go func() {
				_, ours, err := s[i].Acquire(t.Context(), "jira", string(rune('a'+i)), time.Minute)
				if err != nil {
					t.Error(err)
				}
				won <- ours
			}()
		}
		n := 0
		for range s {
			if <-won {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d got the lease", n)
		}
	})
}

func TestLeaseOfAHolderWhosePresenceEndedPassesOnAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		dsn := storetest.DSN(t, engine)
		dying, err := store.Open(t.Context(), dsn, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := dying.Presence(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		a, _ := acquire(t, dying, "a")
		b := storetest.Open(t, dsn, store.Options{})
		if engine == storetest.Postgres {
			if err := b.Presence(t.Context(), "b"); err != nil {
				t.Fatal(err)
			}
		}
		if _, ours := acquire(t, b, "b"); ours {
			t.Fatal("took the lease of a holder that is there")
		}
		if err := dying.Close(); err != nil {
			t.Fatal(err)
		}
		if engine == storetest.SQLite {
			if err := b.Presence(t.Context(), "b"); err != nil {
				t.Fatal(err)
			}
		}
		l, ours := acquire(t, b, "b")
		for !ours { // the server may take a moment to see the session end
			l, ours = acquire(t, b, "b")
		}
		if l.Epoch != a.Epoch+1 {
			t.Errorf("taken over = %+v", l)
		}
	})
}

func TestPresenceOfASecondProgramOnSQLiteIsRefused(t *testing.T) {
	t.Parallel()
	dsn := storetest.DSN(t, storetest.SQLite)
	first, second := storetest.Open(t, dsn, store.Options{}), storetest.Open(t, dsn, store.Options{})
	if err := first.Presence(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := second.Presence(t.Context(), "b"); err == nil {
		t.Error("a second program may serve")
	}
	if err := second.Migrate(t.Context()); err == nil {
		t.Error("a second program may migrate beside the first")
	}
	if err := first.Migrate(t.Context()); err != nil {
		t.Errorf("Migrate = %v", err)
	}
	in(t, second, func(tx *store.Tx) error { return tx.SetSetting(t.Context(), "a", "1") })
}

func TestPresenceComesBackAfterItsSessionWasCut(t *testing.T) {
	t.Parallel()
	storetest.Need(t)
	dsn := storetest.DSN(t, storetest.Postgres)
	s := storetest.Open(t, dsn, store.Options{})
	if err := s.Presence(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	const holds = `pg_locks WHERE locktype = 'advisory' AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	session := func() (pid int) {
		if err := s.DB().QueryRowContext(t.Context(), `SELECT COALESCE(MAX(pid), 0) FROM `+holds).Scan(&pid); err != nil {
			t.Fatal(err)
		}
		return pid
	}
	first := session()
	if _, err := s.DB().ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM `+holds); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for pid := session(); pid == 0 || pid == first; pid = session() {
		select {
		case <-ctx.Done():
			t.Fatal("the presence did not come back")
		case <-tick.C:
		}
	}
}
