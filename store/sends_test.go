package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestRecordsForASinkAreClaimedInTheirOrderAndByThemselves(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		ticket := owe(t, s, store.Delivery{Kind: "create", Due: start})
		late := owe(t, s, store.Delivery{Kind: "send", Due: at(time.Minute)})
		var want []string
		for range 5 { // of the same moment
			want = append(want, owe(t, s, store.Delivery{Kind: "send", Due: start}).ID)
		}
		sends := func(now time.Time, limit int) (ds []store.Delivery) {
			t.Helper()
			in(t, s, func(tx *store.Tx) (err error) {
				ds, err = tx.ClaimSends(t.Context(), l, now, at(time.Hour), limit, 0)
				return err
			})
			return ds
		}
		waits := func(limit, wantN int, wantFirst time.Time) {
			t.Helper()
			n, first, err := s.WaitingSends(t.Context(), "jira", start, limit)
			if err != nil || n != wantN || !first.Equal(wantFirst) {
				t.Errorf("WaitingSends(%d) = %d, %s, %v; want %d, %s", limit, n, first, err, wantN, wantFirst)
			}
		}
		waits(10, 5, start)
		waits(3, 3, start)
		in(t, s, func(tx *store.Tx) error {
			early, err := tx.ClaimSends(t.Context(), l, start, at(time.Hour), 6, time.Second)
			same(t, "six, or none for a second", ids(early), []string(nil))
			return err
		})
		same(t, "the first three", ids(sends(start, 3)), want[:3])
		same(t, "the rest", ids(sends(start, 3)), want[3:])
		waits(10, 0, at(time.Minute))
		same(t, "the others", ids(claim(t, s, l, at(time.Hour), 10)), []string{ticket.ID})
		same(t, "the late one", ids(sends(at(time.Hour), 10)), []string{late.ID})
		waits(10, 0, time.Time{})
		if _, ok, err := s.NextDue(t.Context(), "jira"); err != nil || ok {
			t.Errorf("NextDue = %v, %v", ok, err)
		}
	})
}

// claimSends claims records as Claim does other deliveries.
func claimSends(t *testing.T, s *store.Store, l store.Lease, limit int) (ds []store.Delivery) {
	t.Helper()
	in(t, s, func(tx *store.Tx) (err error) {
		ds, err = tx.ClaimSends(t.Context(), l, start, at(time.Minute), limit, 0)
		return err
	})
	return ds
}

func TestRecordsTakenBackKeepTheirPlace(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		dead := lease(t, s, "jira", "dead")
		d := owe(t, s, store.Delivery{Kind: "send", Due: start})
		old := claimSends(t, s, dead, 1)
		if err := s.Release(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		l := lease(t, s, "jira", "alive")
		if got := claimSends(t, s, dead, 1); len(got) != 0 {
			t.Errorf("the dead holder claimed %d", len(got))
		}
		var back []store.Delivery
		in(t, s, func(tx *store.Tx) (err error) {
			back, err = tx.TakeBack(t.Context(), "jira", l.Epoch, at(time.Hour), 0)
			return err
		})
		same(t, "taken back", ids(back), []string{d.ID})
		if got := delivery(t, s, d.ID); got.State != store.Pending || !got.Due.Equal(start) || !got.MaySent || !got.InDoubt || got.Attempts != 1 {
			t.Errorf("taken back it is %+v", got)
		}
		err := s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Finish(t.Context(), old[0], outcome(store.Delivered)) })
		wantErr(t, "the dead holder finishes", err, store.ErrConflict)
		again := claimSends(t, s, l, 1)
		err = s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Finish(t.Context(), old[0], outcome(store.Delivered)) })
		wantErr(t, "the dead holder finishes under the new claim", err, store.ErrConflict)
		finish(t, s, again[0], store.Delivered)
		as, err := s.AttemptsOf(t.Context(), d.ID)
		if err != nil || len(as) != 2 || as[0].Outcome != store.AttemptLost || as[0].N != 1 || as[1].N != 2 {
			t.Errorf("attempts = %+v, %v", as, err)
		}
		if got := delivery(t, s, d.ID); got.State != store.Delivered || got.Attempts != 2 || got.Epoch != l.Epoch {
			t.Errorf("in the end it is %+v", got)
		}
	})
}

// Claimed is running, to all who ask, until the attempt is recorded.
func TestRecordUnderWayIsLeftAlone(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		caseID := openCase(t, s, "r1")
		first := owe(t, s, store.Delivery{CaseID: caseID, Lane: "send/jira/r1", Kind: "send", Due: start})
		next := owe(t, s, store.Delivery{CaseID: caseID, Lane: "send/jira/r1", Kind: "send", Due: start})
		loose := owe(t, s, store.Delivery{Kind: "send", Due: start})
		under := claimSends(t, s, l, 10)
		same(t, "claimed", ids(under), []string{first.ID, loose.ID})
		if got := claimSends(t, s, l, 10); len(got) != 0 {
			t.Errorf("claimed %v twice, or out of order", ids(got))
		}
		for _, d := range under {
			if d.State != store.Running || d.Attempts != 1 || d.Epoch != l.Epoch {
				t.Errorf("claimed as %+v", d)
			}
			if got := delivery(t, s, d.ID); got.State != store.Running {
				t.Errorf("it is %s", got.State)
			}
			for what, change := range map[string]func(*store.Tx) error{
				"cancel": func(tx *store.Tx) error { return tx.Cancel(t.Context(), d.ID, start) },
				"settle": func(tx *store.Tx) error { return tx.Settle(t.Context(), d.ID, start) },
				"replay": func(tx *store.Tx) error { return tx.Replay(t.Context(), d.ID, start) },
				"replan": func(tx *store.Tx) error { return tx.Replan(t.Context(), d.ID, json.RawMessage(`{}`), "r", 1, start) },
			} {
				wantErr(t, what, s.InTx(t.Context(), change), store.ErrConflict)
			}
		}
		if all, err := s.Workloads(t.Context()); err != nil || all["jira"].Running != 2 || all["jira"].Pending != 1 {
			t.Errorf("workload = %+v, %v", all["jira"], err)
		}
		queued, err := s.Queue(t.Context(), "jira", 10)
		if err != nil {
			t.Error(err)
		}
		same(t, "queue", queued, []string{next.ID})

		finish(t, s, under[0], store.Dead) // holds nothing
		if !delivery(t, s, next.ID).Ready {
			t.Fatal("the next of the lane is not ready")
		}
		under = append(claimSends(t, s, l, 10), under[1:]...)
		same(t, "under way", ids(under), []string{next.ID, loose.ID})
		in(t, s, func(tx *store.Tx) error { return tx.Replay(t.Context(), first.ID, start) })
		if got := claimSends(t, s, l, 10); len(got) != 0 {
			t.Errorf("%v overtakes what is under way in its lane", ids(got))
		}
		finish(t, s, under[0], store.Pending) // later
		finish(t, s, under[1], store.Delivered)
		same(t, "the one put back to work goes before what it had been passed by", ids(claimSends(t, s, l, 10)), []string{first.ID})
	})
}

// Who is to be canceled is not claimed, and who was claimed is not canceled, however the two meet.
func TestCancelAndClaimOfARecordMeet(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		for range 20 {
			d := owe(t, s, store.Delivery{Kind: "send", Due: start})
			canceled := make(chan error, 1)
			go func() {
				canceled <- s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Cancel(t.Context(), d.ID, start) })
			}()
			claimed := claimSends(t, s, l, 1)
			if err := <-canceled; (err == nil) == (len(claimed) == 1) {
				t.Fatalf("claimed %v, cancel: %v", ids(claimed), err)
			}
			if len(claimed) == 1 {
				finish(t, s, claimed[0], store.Delivered)
			}
		}
	})
}
