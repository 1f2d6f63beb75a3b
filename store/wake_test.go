package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// woken waits for a wake-up that must come.
func woken(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Errorf("%s: nobody woke us", what)
	}
}

func asleep(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
		t.Errorf("%s: woken", what)
	default:
	}
}

func TestWakeUpsComeAfterTheCommit(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		a, b, other := s.Wait("plan"), s.Wait("plan"), s.Wait("documents")
		boom := errors.New("boom")
		err := s.InTx(t.Context(), func(tx *store.Tx) error { tx.Wake("plan"); return boom })
		wantErr(t, "InTx", err, boom)
		asleep(t, "rolled back", a)
		in(t, s, func(tx *store.Tx) error {
			tx.Wake("plan")
			asleep(t, "before the commit", a)
			return nil
		})
		woken(t, "first", a)
		woken(t, "second", b)
		asleep(t, "another name", other)
		asleep(t, "the next time", s.Wait("plan"))
	})
}

func TestWritesWakeWhoWorksOnThem(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		plan := s.Wait(store.WakePlan)
		caseID := openCase(t, s, "r1")
		woken(t, "an accepted event", plan)

		jira, other := s.Wait(store.WakeDeliver("jira")), s.Wait(store.WakeDeliver("other"))
		owe(t, s, store.Delivery{CaseID: caseID, Lane: "a"})
		owe(t, s, store.Delivery{CaseID: caseID, Lane: "a", Connection: "other"})
		woken(t, "a head of a lane", jira)
		asleep(t, "one that has to wait", other)
		finish(t, s, claim(t, s, lease(t, s, "jira", "me"), start, 1)[0], store.Delivered)
		woken(t, "the next of the lane", other)

		documents := s.Wait(store.WakeDocuments)
		put(t, s, store.Document{Kind: "Rule", Name: "apps", Text: "x", At: start})
		woken(t, "a document", documents)
		documents = s.Wait(store.WakeDocuments)
		if err := people(s, t, "document"); err != nil {
			t.Fatal(err)
		}
		woken(t, "people", documents)
	})
}

func TestWakeUpsReachOtherReplicas(t *testing.T) {
	t.Parallel()
	storetest.Need(t)
	dsn := storetest.DSN(t, storetest.Postgres)
	near, far := storetest.Open(t, dsn, store.Options{}), storetest.Open(t, dsn, store.Options{})
	far.Listen(t.Context())
	for _, name := range []string{"plan", "deliver:jira", "plan"} {
		c := far.Wait(name)
		for done := false; !done; { // until its session listens
			in(t, near, func(tx *store.Tx) error { tx.Wake(name); return nil })
			select {
			case <-c:
				done = true
			case <-time.After(20 * time.Millisecond):
			case <-t.Context().Done():
				t.Fatal("nobody woke us")
			}
		}
	}
}

func TestListenGoesOnAfterItsSessionWasCut(t *testing.T) {
	t.Parallel()
	storetest.Need(t)
	dsn := storetest.DSN(t, storetest.Postgres)
	near, far := storetest.Open(t, dsn, store.Options{}), storetest.Open(t, dsn, store.Options{})
	far.Listen(t.Context())
	for cut := range 2 {
		c := far.Wait("plan")
		for done := false; !done; {
			in(t, near, func(tx *store.Tx) error { tx.Wake("plan"); return nil })
			select {
			case <-c:
				done = true
			case <-time.After(20 * time.Millisecond):
			case <-t.Context().Done():
				t.Fatal("nobody woke us")
			}
		}
		if cut == 0 {
			if _, err := near.DB().ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND query LIKE 'LISTEN%'`); err != nil {
				t.Fatal(err)
			}
		}
	}
}
