package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// lane is a case with a lane of n deliveries.
func lane(t *testing.T, s *store.Store, requestID string, holds bool, n int) []store.Delivery {
	t.Helper()
	caseID := openCase(t, s, requestID)
	var ds []store.Delivery
	for range n {
		ds = append(ds, owe(t, s, store.Delivery{CaseID: caseID, Lane: "a", Holds: holds}))
	}
	return ds
}

func ready(t *testing.T, s *store.Store, ds []store.Delivery) []bool {
	t.Helper()
	var got []bool
	for _, d := range ds {
		got = append(got, delivery(t, s, d.ID).Ready)
	}
	return got
}

func replay(s *store.Store, t *testing.T, id string) error {
	return s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Replay(t.Context(), id, at(time.Hour)) })
}

func cancel(s *store.Store, t *testing.T, id string) error {
	return s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Cancel(t.Context(), id, at(time.Hour)) })
}

func TestNextOfTheLaneIsReadyWhenItsHeadEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		state string
		holds bool
		want  []bool
	}{
		{store.Delivered, true, []bool{false, true, false}},
		{store.Canceled, true, []bool{false, true, false}},
		{store.Dead, false, []bool{false, true, false}},
		{store.Dead, true, []bool{false, false, false}},
		{store.Pending, true, []bool{true, false, false}},
	}
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		for _, test := range tests {
			name := fmt.Sprintf("%s, holds %v", test.state, test.holds)
			ds := lane(t, s, name, test.holds, 3)
			finish(t, s, claim(t, s, l, start, 10)[0], test.state)
			same(t, name, ready(t, s, ds), test.want)
			for _, d := range ds {
				if err := cancel(s, t, d.ID); err != nil && !errors.Is(err, store.ErrConflict) {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestReplayAndCancelOfADeadHead(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		ds := lane(t, s, "r1", true, 2)
		finish(t, s, claim(t, s, l, start, 10)[0], store.Dead)
		third := owe(t, s, store.Delivery{CaseID: ds[0].CaseID, Lane: "a"})
		if third.Ready {
			t.Error("a delivery behind a dead one that holds is ready")
		}
		other := owe(t, s, store.Delivery{CaseID: ds[0].CaseID, Lane: "b"})
		if !other.Ready {
			t.Error("another lane of the case is held")
		}
		if err := replay(s, t, ds[0].ID); err != nil {
			t.Fatal(err)
		}
		d := delivery(t, s, ds[0].ID)
		if d.State != store.Pending || !d.Ready || !d.Due.Equal(at(time.Hour)) || d.Attempts != 0 {
			t.Errorf("replayed = %+v", d)
		}
		wantErr(t, "replayed twice", replay(s, t, ds[0].ID), store.ErrConflict)
		var claimed []store.Delivery
		for _, d := range claim(t, s, l, at(time.Hour), 10) {
			if d.ID == ds[0].ID {
				claimed = append(claimed, d)
			}
		}
		wantErr(t, "canceled while running", cancel(s, t, ds[0].ID), store.ErrConflict)
		wantErr(t, "replayed while running", replay(s, t, ds[0].ID), store.ErrConflict)
		finish(t, s, claimed[0], store.Dead)
		if err := cancel(s, t, ds[0].ID); err != nil {
			t.Fatal(err)
		}
		same(t, "after cancel", ready(t, s, ds), []bool{false, true})
		wantErr(t, "canceled twice", cancel(s, t, ds[0].ID), store.ErrConflict)
		wantErr(t, "none", cancel(s, t, "none"), store.ErrNotFound)
	})
}

func TestReplayOfADeadOneThatWasPassedTakesItsPlace(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		ds := lane(t, s, "r1", false, 3)
		finish(t, s, claim(t, s, l, start, 10)[0], store.Dead)
		same(t, "passed", ready(t, s, ds), []bool{false, true, false})
		if err := replay(s, t, ds[0].ID); err != nil {
			t.Fatal(err)
		}
		same(t, "replayed before the next was claimed", ready(t, s, ds), []bool{true, false, false})

		finish(t, s, claim(t, s, l, at(time.Hour), 10)[0], store.Dead)
		second := claim(t, s, l, at(time.Hour), 10)
		if err := replay(s, t, ds[0].ID); err != nil {
			t.Fatal(err)
		}
		same(t, "replayed while the next runs", ready(t, s, ds), []bool{false, true, false})
		finish(t, s, second[0], store.Delivered)
		same(t, "the next has ended", ready(t, s, ds), []bool{true, false, false})
	})
}

func TestBornDeadHoldsItsLane(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		caseID := openCase(t, s, "r1")
		first := owe(t, s, store.Delivery{CaseID: caseID, Lane: "a"})
		dead := owe(t, s, store.Delivery{CaseID: caseID, Lane: "a", State: store.Dead, Holds: true})
		shadow := owe(t, s, store.Delivery{CaseID: caseID, Lane: "a", Mode: store.Shadow})
		last := owe(t, s, store.Delivery{CaseID: caseID, Lane: "a"})
		all := []store.Delivery{first, dead, shadow, last}
		finish(t, s, claim(t, s, l, start, 10)[0], store.Delivered)
		same(t, "behind it", ready(t, s, all), []bool{false, false, false, false})
		if err := replay(s, t, dead.ID); err != nil {
			t.Fatal(err)
		}
		same(t, "replayed", ready(t, s, all), []bool{false, true, false, false})
		finish(t, s, claim(t, s, l, at(time.Hour), 10)[0], store.Delivered)
		same(t, "delivered", ready(t, s, all), []bool{false, false, false, true})
	})
}

func TestCancelOfOneInTheMiddleMovesNothing(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		ds := lane(t, s, "r1", true, 3)
		if err := cancel(s, t, ds[1].ID); err != nil {
			t.Fatal(err)
		}
		same(t, "middle", ready(t, s, ds), []bool{true, false, false})
		if err := cancel(s, t, ds[0].ID); err != nil {
			t.Fatal(err)
		}
		same(t, "head", ready(t, s, ds), []bool{false, false, true})
	})
}

// TestNoLaneGetsStuckOrOutOfOrder lets planners, workers and an operator loose on a few lanes, and watches that each
// lane is worked by seq, one at a time, and that nothing is left waiting behind nothing.
func TestNoLaneGetsStuckOrOutOfOrder(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		var cases []string
		for i := range 3 {
			cases = append(cases, openCase(t, s, fmt.Sprint("r", i)))
		}
		w := &watch{running: make(map[string]int64), replayed: make(map[string]bool), last: make(map[string]int64)}
		var wg sync.WaitGroup
		for p := range 2 {
			wg.Go(func() { w.plan(t, s, cases, rand.New(rand.NewPCG(1, uint64(p)))) })
		}
		stop := make(chan struct{})
		var workers sync.WaitGroup
		for p := range 3 {
			workers.Go(func() { w.work(t, s, l, stop, rand.New(rand.NewPCG(2, uint64(p)))) })
		}
		workers.Go(func() { w.operate(t, s, stop, rand.New(rand.NewPCG(3, 0))) })
		wg.Wait()
		close(stop)
		workers.Wait()
		w.drain(t, s, l)
		for _, c := range cases {
			ds, err := s.DeliveriesOfCase(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for i, d := range ds {
				if d.Seq != int64(i+1) {
					t.Errorf("seq %d at place %d", d.Seq, i)
				}
				if d.State == store.Pending || d.State == store.Running {
					t.Errorf("left %s: seq %d of lane %s, ready %v", d.State, d.Seq, d.Lane, d.Ready)
				}
			}
		}
	})
}

// watch knows what runs in each lane.
type watch struct {
	mu       sync.Mutex
	running  map[string]int64 // lane: seq
	last     map[string]int64 // lane: highest seq begun
	replayed map[string]bool  // deliveries put back, which may come after later ones
	dead     []string
	pending  []string
}

func (w *watch) plan(t *testing.T, s *store.Store, cases []string, r *rand.Rand) {
	for range 60 {
		d := store.Delivery{CaseID: cases[r.IntN(len(cases))], Lane: string(rune('a' + r.IntN(2))), Connection: "jira",
			Kind: "comment", Holds: r.IntN(2) == 0, CreatedAt: start}
		if r.IntN(8) == 0 {
			d.State = store.Dead
		}
		d = owe(t, s, d)
		w.mu.Lock()
		if d.State == store.Dead {
			w.dead = append(w.dead, d.ID)
		} else {
			w.pending = append(w.pending, d.ID)
		}
		w.mu.Unlock()
	}
}

func (w *watch) work(t *testing.T, s *store.Store, l store.Lease, stop chan struct{}, r *rand.Rand) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		ds := claim(t, s, l, at(24*time.Hour), 1+r.IntN(4))
		w.begin(t, ds)
		var done []store.Finished
		for _, d := range ds {
			done = append(done, store.Finished{Delivery: d,
				Finish: outcome([]string{store.Delivered, store.Delivered, store.Pending, store.Dead}[r.IntN(4)])})
		}
		w.end(done)
		in(t, s, func(tx *store.Tx) error {
			fenced, err := tx.FinishMany(t.Context(), done)
			if len(fenced) > 0 {
				t.Errorf("fenced %v", fenced)
			}
			return err
		})
	}
}

func (w *watch) begin(t *testing.T, ds []store.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range ds {
		lane := d.CaseID + d.Lane
		if seq, busy := w.running[lane]; busy {
			t.Errorf("seq %d and %d of a lane run together", seq, d.Seq)
		}
		w.running[lane] = d.Seq
		if d.Seq < w.last[lane] && !w.replayed[d.ID] {
			t.Errorf("seq %d begun after %d", d.Seq, w.last[lane])
		}
		w.last[lane] = max(w.last[lane], d.Seq)
	}
}

func (w *watch) end(done []store.Finished) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range done {
		delete(w.running, f.Delivery.CaseID+f.Delivery.Lane)
		if f.Finish.State == store.Dead {
			w.dead = append(w.dead, f.Delivery.ID)
		}
	}
}

func (w *watch) operate(t *testing.T, s *store.Store, stop chan struct{}, r *rand.Rand) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		w.mu.Lock()
		from, act := &w.dead, replay
		switch r.IntN(4) {
		case 0:
			act = cancel
		case 1:
			from, act = &w.pending, cancel
		}
		var id string
		if len(*from) > 0 {
			i := r.IntN(len(*from))
			id = (*from)[i]
			w.replayed[id] = true
		}
		w.mu.Unlock()
		if id == "" {
			continue
		}
		if err := act(s, t, id); err != nil && !errors.Is(err, store.ErrConflict) {
			t.Error(err)
		}
	}
}

// drain works off what is left and lets go of what is dead and holds.
func (w *watch) drain(t *testing.T, s *store.Store, l store.Lease) {
	for {
		ds := claim(t, s, l, at(24*time.Hour), 100)
		for _, d := range ds {
			finish(t, s, d, store.Delivered)
		}
		dead, err := s.DeadLetters(t.Context(), "jira", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dead {
			if err := cancel(s, t, d.ID); err != nil {
				t.Fatal(err)
			}
		}
		if len(ds) == 0 && len(dead) == 0 {
			return
		}
	}
}

func TestLaneWithAReplayedHeadWaitsForWhatRuns(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		ds := lane(t, s, "r1", false, 4)
		finish(t, s, claim(t, s, l, start, 10)[0], store.Dead)
		second := claim(t, s, l, start, 10)
		if err := replay(s, t, ds[0].ID); err != nil {
			t.Fatal(err)
		}
		if err := cancel(s, t, ds[2].ID); err != nil {
			t.Fatal(err)
		}
		in(t, s, func(tx *store.Tx) error { return tx.Settle(t.Context(), ds[3].ID, at(time.Hour)) })
		same(t, "while the second runs", ready(t, s, ds), []bool{false, true, false, false})
		finish(t, s, second[0], store.Delivered)
		same(t, "after it", ready(t, s, ds), []bool{true, false, false, false})
	})
}

func TestLaneWithAReplayedHeadGoesOnWithItAfterAFailure(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		for name, end := range map[string]func(l store.Lease, d store.Delivery){
			"it is to be tried again": func(_ store.Lease, d store.Delivery) { finish(t, s, d, store.Pending) },
			"it is taken back": func(l store.Lease, _ store.Delivery) {
				in(t, s, func(tx *store.Tx) error {
					_, err := tx.TakeBack(t.Context(), "jira", l.Epoch+1, start, 0)
					return err
				})
			},
		} {
			l := lease(t, s, "jira", "me")
			ds := lane(t, s, name, false, 3)
			finish(t, s, claim(t, s, l, start, 10)[0], store.Dead)
			second := claim(t, s, l, start, 10)
			if err := replay(s, t, ds[0].ID); err != nil {
				t.Fatal(err)
			}
			end(l, second[0])
			same(t, name, ready(t, s, ds), []bool{true, false, false})
			for _, d := range ds {
				if err := cancel(s, t, d.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
