package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

var errDown = &connectors.Error{Kind: connectors.Temporary, Status: 503, Err: errors.New("the sink is down")}

// TestRecordsReachTheSinkInOrder plays sinks that fail in every way at random, while replicas end amid batches: the
// records of a case reach the sink in their order, none is lost, and what it refuses is dead alone.
func TestRecordsReachTheSinkInOrder(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		seeds := 12
		if engine == storetest.Postgres {
			seeds = 4
		}
		for seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) { playSink(t, engine, uint64(seed)) })
		}
	})
}

func playSink(t *testing.T, engine string, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 7))
	calm := false
	var taken []string // by the sink, whatever it answered
	sink := &scriptedSink{most: 1 + dice.IntN(6)}
	r := newSinkRig(t, engine, 1000, sink)
	take := func(rs []connectors.Record) []connectors.Result {
		answers := make([]connectors.Result, len(rs))
		for i, one := range rs {
			switch text := reason(one); {
			case text[len(text)-1] == '!':
				answers[i].Err = connectors.Permanently("the sink never takes this")
			case !calm && dice.IntN(5) == 0:
				answers[i].Err = errDown
			default:
				taken = append(taken, text)
			}
		}
		return answers
	}
	sink.send = func(rs []connectors.Record) ([]connectors.Result, error) {
		roll := dice.IntN(12)
		if calm {
			return take(rs), nil
		}
		switch roll {
		case 0:
			return nil, errDown
		case 1:
			return nil, &connectors.Error{Kind: connectors.Throttled, RetryAfter: 3 * time.Second, Err: errors.New("slowly")}
		case 2:
			return nil, &connectors.Error{Kind: connectors.Unwell, Err: errors.New("who are you")}
		case 3: // its answer is lost
			take(rs)
			return nil, &connectors.Error{Kind: connectors.Temporary, Sent: true, Err: errors.New("it hung up")}
		case 4:
			if len(rs) > 1 {
				panic("the connector fails")
			}
			return take(rs), nil
		case 5: // the replica ends after the call
			answers := take(rs)
			r.pass()
			return answers, nil
		default:
			return take(rs), nil
		}
	}
	sink.ping = func() error {
		if !calm && dice.IntN(3) == 0 {
			return errDown
		}
		return nil
	}
	want := map[string][]string{}
	last := map[string]int{}
	for step := 0; ; step++ {
		if step < 40 {
			caze := fmt.Sprintf("c%d", dice.IntN(4))
			text := fmt.Sprintf("%s/%03d", caze, step)
			state := stateDelivered
			if dice.IntN(8) == 0 {
				text, state = text+"!", stateDead
			}
			r.accept(caze, text)
			want[state] = append(want[state], text)
		}
		calm = step > 80
		r.now = r.now.Add(time.Duration(dice.IntN(4000)) * time.Millisecond)
		r.round()
		if got := r.states(); step > 80 && len(got[statePending])+len(got[stateRunning]) == 0 {
			break
		}
		if step > 300 {
			t.Fatalf("seed %d: it never ends: %v", seed, r.states())
		}
	}
	got := r.states()
	for _, state := range []string{stateDelivered, stateDead} {
		slices.Sort(got[state])
		slices.Sort(want[state])
		if !slices.Equal(got[state], want[state]) {
			t.Errorf("seed %d: %s are %v, want %v", seed, state, got[state], want[state])
		}
	}
	for _, text := range want[stateDelivered] {
		if !slices.Contains(taken, text) {
			t.Errorf("seed %d: %s is lost", seed, text)
		}
	}
	for _, text := range taken {
		var step int
		fmt.Sscanf(text[3:6], "%d", &step)
		if step < last[text[:2]] {
			t.Errorf("seed %d: %s came after %d of its case: %v", seed, text, last[text[:2]], taken)
		}
		last[text[:2]] = step
	}
}

// TestSinkThatFailsAsAWholeKeepsEveryRecordInItsPlace also has a record that the sink can never bear and does not name.
func TestSinkThatFailsAsAWholeKeepsEveryRecordInItsPlace(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		sink := &scriptedSink{most: 8}
		var taken []string
		sink.send = func(rs []connectors.Record) ([]connectors.Result, error) {
			var some []string
			for _, one := range rs {
				some = append(some, reason(one))
			}
			if slices.Contains(some, "05!") {
				return nil, errDown
			}
			taken = append(taken, some...)
			return make([]connectors.Result, len(rs)), nil
		}
		r := newSinkRig(t, engine, 3, sink)
		var want []string
		for i := range 20 {
			text := fmt.Sprintf("%02d", i)
			if i == 5 {
				text += "!"
			} else {
				want = append(want, text)
			}
			r.accept("", text)
			r.now = r.now.Add(time.Second)
		}
		for range 60 {
			r.now = r.now.Add(10 * time.Second)
			r.round()
		}
		if !slices.Equal(taken, want) {
			t.Errorf("taken are %v, want %v", taken, want)
		}
		if got := r.states(); !slices.Equal(got[stateDead], []string{"05!"}) || len(got[stateDelivered]) != 19 {
			t.Errorf("the records are %v", got)
		}
	})
}

func TestBatchWaitsUntilItIsFullOrItsFirstRecordHasWaited(t *testing.T) {
	t.Parallel()
	sink := &scriptedSink{most: 3, linger: 10 * time.Second}
	r := newSinkRig(t, storetest.SQLite, 3, sink)
	wants := func(what string, want ...[]string) {
		t.Helper()
		if got := sink.handed(); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: the sink was handed %v, want %v", what, got, want)
		}
	}
	r.accept("", "1", "2")
	r.now = r.now.Add(4 * time.Second)
	if pause := r.round(); pause != 6*time.Second {
		t.Errorf("the worker sleeps for %s, want 6s", pause)
	}
	wants("too early")
	r.now = r.now.Add(6 * time.Second)
	r.round()
	wants("after the time", []string{"1", "2"})
	r.accept("", "3", "4", "5", "6")
	r.round()
	wants("full", []string{"3", "4", "5"})
	r.round()
	wants("the rest waits again")
	r.now = r.now.Add(10 * time.Second)
	r.round()
	wants("the rest", []string{"6"})
}

func TestRecordsOfOneCaseGoOneAfterTheOther(t *testing.T) {
	t.Parallel()
	sink := &scriptedSink{most: 10}
	r := newSinkRig(t, storetest.SQLite, 3, sink)
	r.accept("a", "a1", "a2")
	r.accept("b", "b1")
	r.round()
	r.round()
	r.round()
	if got, want := sink.handed(), [][]string{{"a1", "b1"}, {"a2"}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the sink was handed %v, want %v", got, want)
	}
}

func TestSinkPausesAsItAsks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    *connectors.Error
		unwell bool
		after  time.Duration // it is tried again
	}{
		{"throttled", &connectors.Error{Kind: connectors.Throttled, RetryAfter: 40 * time.Second, Err: errors.New("slowly")}, false, 40 * time.Second},
		{"down", &connectors.Error{Kind: connectors.Temporary, RetryAfter: 30 * time.Second, Err: errors.New("down")}, false, 30 * time.Second},
		{"unwell", &connectors.Error{Kind: connectors.Unwell, Err: errors.New("who are you")}, true, 2 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sink := &scriptedSink{most: 10, send: func([]connectors.Record) ([]connectors.Result, error) { return nil, test.err }}
			r := newSinkRig(t, storetest.SQLite, 2, sink)
			r.accept("", "1", "2")
			for range 3 { // together, and each by itself
				r.round()
			}
			if r.w.unwell() != test.unwell {
				t.Errorf("the connection is unwell: %v", r.w.unwell())
			}
			r.now = r.now.Add(test.after - time.Millisecond)
			if sink.handed(); !test.unwell {
				if r.round(); len(sink.handed()) != 0 {
					t.Error("it was tried again too early")
				}
			}
			sink.send = nil
			r.now = r.now.Add(2 * time.Millisecond)
			r.round()
			r.round()
			if got := r.states(); !slices.Equal(got[stateDelivered], []string{"1", "2"}) {
				t.Errorf("the records are %v", got)
			}
		})
	}
}

func TestBatchThatIsRefusedAsAWholeIsDead(t *testing.T) {
	t.Parallel()
	sink := &scriptedSink{most: 10, send: func([]connectors.Record) ([]connectors.Result, error) {
		return nil, connectors.Permanently("there is no such index")
	}}
	r := newSinkRig(t, storetest.SQLite, 2, sink)
	r.accept("a", "1")
	r.accept("", "2")
	r.round()
	if got := r.states(); !slices.Equal(got[stateDead], []string{"1", "2"}) {
		t.Fatalf("the records are %v", got)
	}
	dead, err := r.store.DeadLetters(t.Context(), "sink", 0)
	if err != nil {
		t.Fatal(err)
	}
	sink.send = nil
	for _, d := range dead {
		if _, err := r.g[0].Replay(t.Context(), d.ID, "kim", "the index is there now"); err != nil {
			t.Error(err)
		}
	}
	r.round()
	if got := r.states(); !slices.Equal(got[stateDelivered], []string{"1", "2"}) {
		t.Errorf("after the replay the records are %v", got)
	}
}

func TestReplicaThatEndsAmidABatchSendsItAgain(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		sink := &scriptedSink{most: 2}
		r := newSinkRig(t, engine, 3, sink)
		sink.send = func(rs []connectors.Record) ([]connectors.Result, error) {
			sink.send = nil
			r.pass()
			return make([]connectors.Result, len(rs)), nil
		}
		r.accept("", "1", "2", "3")
		r.round()
		r.now = r.now.Add(time.Minute)
		r.round()
		r.round()
		if got, want := sink.handed(), [][]string{{"1", "2"}, {"1", "2"}, {"3"}}; !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("the sink was handed %v, want %v", got, want)
		}
		for _, d := range r.deliveries() {
			attempts, err := r.store.AttemptsOf(t.Context(), d.ID)
			if err != nil {
				t.Fatal(err)
			}
			var outcomes []string
			for _, a := range attempts {
				outcomes = append(outcomes, a.Outcome)
			}
			want := []string{store.AttemptLost, store.AttemptDelivered}
			if d.Attempts == 1 {
				want = want[1:]
			}
			if !slices.Equal(outcomes, want) || !d.MaySent || d.State != stateDelivered {
				t.Errorf("delivery %+v has the attempts %v, want %v", d, outcomes, want)
			}
		}
	})
}

func TestDeadRecordIsEditedAndRenderedAnew(t *testing.T) {
	t.Parallel()
	sink := &scriptedSink{most: 1, send: func([]connectors.Record) ([]connectors.Result, error) {
		return nil, connectors.Permanently("no")
	}}
	r := newSinkRig(t, storetest.SQLite, 2, sink)
	r.accept("a", "1", "2")
	r.round()
	r.round()
	ds := r.deliveries()
	if len(ds) != 2 || ds[0].State != stateDead || ds[1].State != stateDead {
		t.Fatalf("the deliveries are %+v", ds)
	}
	content, err := r.g[0].Show(t.Context(), ds[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Replace(content, []byte(ds[0].EventID), []byte("another"), 1)
	if _, err := r.g[0].ReplayEdited(t.Context(), ds[0].ID, other, "kim", "why"); err == nil {
		t.Error("a record was edited into that of another event")
	}
	if _, err := r.g[0].ReplayEdited(t.Context(), ds[0].ID, bytes.Replace(content, []byte(`"reason": "1"`), []byte(`"reason": "one"`), 1), "kim", "why"); err != nil {
		t.Error(err)
	}
	if err := r.g[0].Replan(t.Context(), ds[1].ID, "kim", "why"); err != nil {
		t.Error(err)
	}
	sink.send = nil
	sink.handed()
	r.round()
	r.round()
	if got, want := sink.handed(), [][]string{{"one"}, {"2"}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the sink was handed %v, want %v", got, want)
	}
}
