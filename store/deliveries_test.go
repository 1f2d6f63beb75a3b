package store_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestDeliveryIsKeptAsOwed(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		want := store.Delivery{CaseID: caseID, EventID: "ev", LinkID: "ln", Lane: "ln", Connection: "jira", Kind: "create",
			Mode: store.Live, State: store.Pending, Seq: 1, Ready: true, Holds: true, Due: at(time.Second),
			Action: json.RawMessage(`{"summary":"a"}`), Purpose: "ticket", DecisionID: "de", CreatedAt: start, UpdatedAt: start,
			Rule: "apps", RuleVersion: 7}
		got := owe(t, s, want)
		want.ID = got.ID
		same(t, "answered", got, want)
		same(t, "stored", delivery(t, s, got.ID), want)
		second := owe(t, s, store.Delivery{CaseID: caseID, Lane: "ln"})
		if second.Seq != 2 || second.Ready {
			t.Errorf("second = seq %d, ready %v", second.Seq, second.Ready)
		}
		ds, err := s.DeliveriesOfCase(t.Context(), caseID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "of case", ids(ds), []string{got.ID, second.ID})
		if due, ok, err := s.NextDue(t.Context(), "jira"); err != nil || !ok || !due.Equal(at(time.Second)) {
			t.Errorf("NextDue = %v, %v, %v", due, ok, err)
		}
		if _, ok, err := s.NextDue(t.Context(), "other"); err != nil || ok {
			t.Errorf("NextDue of an idle connection = %v, %v", ok, err)
		}
		err = s.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.AddDelivery(t.Context(), store.Delivery{CaseID: caseID, State: store.Delivered})
			return err
		})
		wantErr(t, "born delivered", err, store.ErrConflict)
		err = s.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.AddDelivery(t.Context(), store.Delivery{CaseID: "none"})
			return err
		})
		wantErr(t, "of no case", err, store.ErrNotFound)
	})
}

func TestReplanOnlyWhereNothingWasSent(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		unsent := owe(t, s, store.Delivery{CaseID: caseID, Lane: "a", State: store.Dead, Holds: true})
		replan := func(id string) error {
			return s.InTx(t.Context(), func(tx *store.Tx) error {
				return tx.Replan(t.Context(), id, json.RawMessage(`{"new":1}`), "apps", 8, at(time.Hour))
			})
		}
		if err := replan(unsent.ID); err != nil {
			t.Fatal(err)
		}
		if d := delivery(t, s, unsent.ID); string(d.Action) != `{"new":1}` || d.RuleVersion != 8 {
			t.Errorf("replanned = %+v", d)
		}
		sent := owe(t, s, store.Delivery{CaseID: caseID, Lane: "b"})
		l := lease(t, s, "jira", "me")
		claimed := claim(t, s, l, start, 10)
		wantErr(t, "running", replan(sent.ID), store.ErrConflict)
		f := outcome(store.Dead)
		f.InDoubt = true
		in(t, s, func(tx *store.Tx) error { return tx.Finish(t.Context(), claimed[0], f) })
		wantErr(t, "in doubt", replan(sent.ID), store.ErrConflict)
	})
}

func TestClaimTakesDueHeadsOldestFirst(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		a, b := openCase(t, s, "a"), openCase(t, s, "b")
		late := owe(t, s, store.Delivery{CaseID: a, Lane: "a", Due: at(2 * time.Second)})
		owe(t, s, store.Delivery{CaseID: a, Lane: "a", Due: start})
		early := owe(t, s, store.Delivery{CaseID: b, Lane: "b", Due: at(time.Second)})
		owe(t, s, store.Delivery{CaseID: b, Lane: "c", Due: at(time.Hour)})
		owe(t, s, store.Delivery{CaseID: b, Lane: "d", Connection: "other"})
		owe(t, s, store.Delivery{CaseID: b, Lane: "e", Mode: store.Shadow})
		owe(t, s, store.Delivery{CaseID: b, Lane: "f", State: store.Dead})
		loose := owe(t, s, store.Delivery{Lane: "x", Due: start})
		owe(t, s, store.Delivery{Lane: "x", Due: at(time.Hour)})
		l := lease(t, s, "jira", "me")
		same(t, "limited", ids(claim(t, s, l, at(time.Minute), 2)), []string{loose.ID, early.ID})
		got := claim(t, s, l, at(time.Minute), 10)
		same(t, "rest", ids(got), []string{late.ID})
		d := got[0]
		if d.State != store.Running || d.Attempts != 1 || d.Epoch != l.Epoch || !d.ClaimedUntil.Equal(at(2*time.Minute)) {
			t.Errorf("claimed = %+v", d)
		}
		same(t, "stored", delivery(t, s, d.ID), d)
	})
}

func TestClaimNeedsTheLease(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		owe(t, s, store.Delivery{})
		l := lease(t, s, "jira", "me")
		for name, wrong := range map[string]store.Lease{
			"older epoch":  {Name: "jira", Holder: "me", Epoch: l.Epoch - 1},
			"other holder": {Name: "jira", Holder: "you", Epoch: l.Epoch},
			"no lease":     {Name: "other", Holder: "me", Epoch: l.Epoch},
		} {
			if got := claim(t, s, wrong, start, 10); len(got) != 0 {
				t.Errorf("%s claimed %d", name, len(got))
			}
		}
		if got := claim(t, s, l, start, 10); len(got) != 1 {
			t.Errorf("the holder claimed %d, want 1", len(got))
		}
	})
}

func TestClaimSideBySideTakesEachOnce(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		in(t, s, func(tx *store.Tx) error {
			for range 200 {
				if _, err := tx.AddDelivery(t.Context(), store.Delivery{Connection: "jira", Kind: "comment", CreatedAt: start}); err != nil {
					return err
				}
			}
			return nil
		})
		l := lease(t, s, "jira", "me")
		var mu sync.Mutex
		seen := make(map[string]int)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					ds := claim(t, s, l, start, 9)
					if len(ds) == 0 {
						return
					}
					var done []store.Finished
					mu.Lock()
					for _, d := range ds {
						seen[d.ID]++
						done = append(done, store.Finished{Delivery: d, Finish: outcome(store.Delivered)})
					}
					mu.Unlock()
					in(t, s, func(tx *store.Tx) error {
						fenced, err := tx.FinishMany(t.Context(), done)
						if len(fenced) > 0 {
							t.Errorf("fenced %v", fenced)
						}
						return err
					})
				}
			})
		}
		wg.Wait()
		if len(seen) != 200 {
			t.Errorf("%d claimed, want 200", len(seen))
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s claimed %d times", id, n)
			}
		}
	})
}

func TestFinish(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		finish func(*store.Finish)
		want   func(*store.Delivery)
	}{
		{"delivered", func(f *store.Finish) { *f = outcome(store.Delivered) }, func(d *store.Delivery) {
			d.State, d.Ready, d.MaySent = store.Delivered, false, true
		}},
		{"later", func(*store.Finish) {}, func(d *store.Delivery) {
			d.Due, d.Error = at(2*time.Minute), "busy"
		}},
		{"attempt given back", func(f *store.Finish) { f.UsedAttempt = false }, func(d *store.Delivery) {
			d.Due, d.Error, d.Attempts = at(2*time.Minute), "busy", 0
		}},
		{"in doubt", func(f *store.Finish) { f.InDoubt = true }, func(d *store.Delivery) {
			d.Due, d.Error, d.InDoubt, d.MaySent = at(2*time.Minute), "busy", true, true
		}},
		{"dead", func(f *store.Finish) { f.State = store.Dead }, func(d *store.Delivery) {
			d.State, d.Ready, d.Error = store.Dead, false, "busy"
		}},
		{"canceled", func(f *store.Finish) { f.State = store.Canceled }, func(d *store.Delivery) {
			d.State, d.Ready, d.Error = store.Canceled, false, "busy"
		}},
	}
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		for _, test := range tests {
			owe(t, s, store.Delivery{CaseID: openCase(t, s, test.name), Lane: "a"})
			d := claim(t, s, l, start, 1)[0]
			f := outcome(store.Pending)
			test.finish(&f)
			in(t, s, func(tx *store.Tx) error { return tx.Finish(t.Context(), d, f) })
			want := d
			want.State, want.UpdatedAt = store.Pending, at(time.Minute)
			test.want(&want)
			same(t, test.name, delivery(t, s, d.ID), want)
			attempts, err := s.AttemptsOf(t.Context(), d.ID)
			if err != nil || len(attempts) != 1 {
				t.Fatalf("%s: attempts = %v, %v", test.name, attempts, err)
			}
			a := f.Attempt
			a.ID, a.DeliveryID, a.N = attempts[0].ID, d.ID, 1
			same(t, test.name+": attempt", attempts[0], a)
			err = s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Finish(t.Context(), d, f) })
			wantErr(t, test.name+": twice", err, store.ErrConflict)
		}
	})
}

func TestFinishManyLeavesAloneWhatWasTakenBack(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		for i := range 100 {
			owe(t, s, store.Delivery{CaseID: openCase(t, s, fmt.Sprint(i)), Lane: "a"})
		}
		l := lease(t, s, "jira", "me")
		var done []store.Finished
		var want []string
		for i, d := range claim(t, s, l, start, 100) {
			if i%10 == 0 {
				want = append(want, d.ID)
				d.Epoch--
			}
			done = append(done, store.Finished{Delivery: d, Finish: outcome(store.Delivered)})
		}
		in(t, s, func(tx *store.Tx) error {
			fenced, err := tx.FinishMany(t.Context(), done)
			same(t, "fenced", fenced, want)
			return err
		})
		for _, f := range done {
			d := delivery(t, s, f.Delivery.ID)
			if fenced := f.Delivery.Epoch != l.Epoch; fenced != (d.State == store.Running) {
				t.Errorf("fenced %v is %s", fenced, d.State)
			}
		}
		if as, err := s.AttemptsOf(t.Context(), want[0]); err != nil || len(as) != 0 {
			t.Errorf("a fenced delivery has attempts %v, %v", as, err)
		}
	})
}

func TestTakeBackPutsWorkOfADeadHolderInDoubt(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		dsn := storetest.DSN(t, engine)
		var clock sync.Mutex
		offset := time.Duration(0)
		options := store.Options{Offset: func() time.Duration { clock.Lock(); defer clock.Unlock(); return offset }}
		s := storetest.Open(t, dsn, options)
		caseID := openCase(t, s, "r1")
		owe(t, s, store.Delivery{CaseID: caseID, Lane: "a"})
		next := owe(t, s, store.Delivery{CaseID: caseID, Lane: "a"})
		dead := lease(t, s, "jira", "dead")
		old := claim(t, s, dead, start, 10)[0]
		clock.Lock()
		offset = 2 * time.Hour
		clock.Unlock()
		l := lease(t, s, "jira", "alive")
		if l.Epoch <= dead.Epoch {
			t.Fatalf("epoch %d after %d", l.Epoch, dead.Epoch)
		}
		var back []store.Delivery
		in(t, s, func(tx *store.Tx) (err error) {
			back, err = tx.TakeBack(t.Context(), "jira", l.Epoch, at(time.Hour), 5*time.Minute)
			return err
		})
		want := old
		want.State, want.InDoubt, want.MaySent, want.Due, want.UpdatedAt = store.Pending, true, true, at(time.Hour), at(time.Hour)
		want.DoubtUntil = old.ClaimedUntil.Add(5 * time.Minute)
		same(t, "taken back", back, []store.Delivery{want})
		err := s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Finish(t.Context(), old, outcome(store.Delivered)) })
		wantErr(t, "the dead holder finishes", err, store.ErrConflict)
		if got := claim(t, s, dead, at(2*time.Hour), 10); len(got) != 0 {
			t.Errorf("the dead holder claimed %d", len(got))
		}
		if got := claim(t, s, l, at(time.Minute), 10); len(got) != 0 {
			t.Errorf("claimed %v before it is due, or out of order", ids(got))
		}
		got := claim(t, s, l, at(time.Hour), 10)
		same(t, "claimed", ids(got), []string{old.ID})
		if got[0].Attempts != 2 {
			t.Errorf("attempts = %d", got[0].Attempts)
		}
		err = s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Finish(t.Context(), old, outcome(store.Delivered)) })
		wantErr(t, "the dead holder finishes under the new claim", err, store.ErrConflict)
		finish(t, s, got[0], store.Delivered)
		if !delivery(t, s, next.ID).Ready {
			t.Error("the next of the lane is not ready")
		}
		attempts, err := s.AttemptsOf(t.Context(), old.ID)
		if err != nil || len(attempts) != 2 || attempts[0].Outcome != store.AttemptLost || attempts[0].N != 1 || attempts[1].N != 2 {
			t.Errorf("attempts = %+v, %v", attempts, err)
		}
		in(t, s, func(tx *store.Tx) error {
			back, err := tx.TakeBack(t.Context(), "jira", l.Epoch, at(time.Hour), 0)
			if len(back) != 0 {
				t.Errorf("took back its own: %v", ids(back))
			}
			return err
		})
	})
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		a := owe(t, s, store.Delivery{State: store.Dead, Error: "rule apps: field summary", CreatedAt: start})
		b := owe(t, s, store.Delivery{State: store.Dead, CreatedAt: at(time.Second)})
		c := owe(t, s, store.Delivery{State: store.Dead, CreatedAt: start, Connection: "other"})
		owe(t, s, store.Delivery{})
		got, err := s.DeadLetters(t.Context(), "jira", 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "of a connection", ids(got), []string{b.ID, a.ID})
		if got[1].Error != "rule apps: field summary" {
			t.Errorf("error = %q", got[1].Error)
		}
		if got, err = s.DeadLetters(t.Context(), "", 10); err != nil || len(got) != 3 || got[1].ID != c.ID {
			t.Errorf("of all = %v, %v", ids(got), err)
		}
	})
}

func TestSettledDeliveryNeedsNoFurtherAttempt(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		create := owe(t, s, store.Delivery{CaseID: caseID, Lane: "a", LinkID: "ln", Kind: "create", InDoubt: true})
		next := owe(t, s, store.Delivery{CaseID: caseID, Lane: "a", LinkID: "ln"})
		got, err := s.CreateOf(t.Context(), "ln")
		if err != nil || got.ID != create.ID {
			t.Errorf("CreateOf = %v, %v", got.ID, err)
		}
		settle := func(id string) error {
			return s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Settle(t.Context(), id, at(time.Hour)) })
		}
		if err := settle(create.ID); err != nil {
			t.Fatal(err)
		}
		if d := delivery(t, s, create.ID); d.State != store.Delivered || d.InDoubt || !d.MaySent {
			t.Errorf("settled = %+v", d)
		}
		if !delivery(t, s, next.ID).Ready {
			t.Error("the lane does not go on")
		}
		wantErr(t, "settled twice", settle(create.ID), store.ErrConflict)
		claim(t, s, lease(t, s, "jira", "me"), start, 1)
		wantErr(t, "settled while running", settle(next.ID), store.ErrConflict)
		_, err = s.CreateOf(t.Context(), "none")
		wantErr(t, "CreateOf of none", err, store.ErrNotFound)
	})
}
