package gateway

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

var errRefusesUs = &connectors.Error{Kind: connectors.Unwell, Status: 403, Err: errors.New("not you")}

// A vendor whose harmless call works may refuse all else.
func TestRefusedSinkIsTriedLessAndLess(t *testing.T) {
	t.Parallel()
	sink := &scriptedSink{most: 100, send: func([]connectors.Record) ([]connectors.Result, error) { return nil, errRefusesUs }}
	r := newSinkRig(t, storetest.SQLite, 2, sink)
	var all []string
	for i := range 50 {
		all = append(all, fmt.Sprint(i))
	}
	r.accept("", all...)
	for begun := r.now; r.now.Before(begun.Add(2 * time.Hour)); {
		r.now = r.now.Add(max(r.round(), 100*time.Millisecond))
	}
	handed := sink.handed()
	if n := len(handed); n < 20 || n > 45 { // a longest pause of five minutes
		t.Errorf("in two hours the sink was called %d times", n)
	}
	for i, batch := range handed {
		if i > 0 && len(batch) != 1 {
			t.Errorf("call %d bore %d records", i, len(batch))
		}
	}
	var attempts int
	if err := r.store.DB().QueryRow(`SELECT COUNT(*) FROM attempts`).Scan(&attempts); err != nil || attempts != len(all)+len(handed)-1 {
		t.Errorf("%d attempts are kept, %v; want one for each record of a call", attempts, err)
	}
	if got := len(r.states()[statePending]); got != len(all) || !r.w.unwell() {
		t.Errorf("%d records wait and the connection is unwell: %v; want all of them", got, r.w.unwell())
	}
	sink.send = nil
	for range 400 {
		r.now = r.now.Add(max(r.round(), time.Second))
	}
	if got := len(r.states()[stateDelivered]); got != len(all) || r.w.unwell() {
		t.Errorf("%d records were sent, and the connection is unwell: %v", got, r.w.unwell())
	}
}

// A sink may refuse us for what is in one record, as a filter on the way to it does.
func TestRecordForWhichASinkRefusesUsStopsNoOther(t *testing.T) {
	t.Parallel()
	for _, at := range []int{0, 3, 9} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			sink := &scriptedSink{most: 4, send: func(rs []connectors.Record) ([]connectors.Result, error) {
				if slices.ContainsFunc(rs, func(r connectors.Record) bool { return reason(r) == "poison" }) {
					return nil, errRefusesUs
				}
				return make([]connectors.Result, len(rs)), nil
			}}
			r := newSinkRig(t, storetest.SQLite, 12, sink)
			names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}
			r.accept("", slices.Insert(slices.Clone(names), at, "poison")...)
			for i := range 200 {
				r.now = r.now.Add(max(r.round(), time.Second))
				if i > 100 && i%20 == 0 {
					more := fmt.Sprint("later ", i)
					names = append(names, more)
					r.accept("", more)
				}
			}
			got := r.states()
			slices.Sort(got[stateDelivered])
			slices.Sort(names)
			if !slices.Equal(got[stateDelivered], names) || !slices.Equal(got[stateDead], []string{"poison"}) {
				t.Errorf("the records are %v", got)
			}
			if r.w.unwell() {
				t.Error("the connection is unwell")
			}
		})
	}
}

// One refusal of all does not cost a record that was refused with the others.
func TestNoRecordIsGivenUpOnForARefusalOfAll(t *testing.T) {
	t.Parallel()
	sink := &scriptedSink{most: 4}
	r := newSinkRig(t, storetest.SQLite, 2, sink)
	for i := range 200 {
		sink.send = nil
		if i/20%2 == 0 {
			sink.send = func([]connectors.Record) ([]connectors.Result, error) { return nil, errRefusesUs }
		}
		if i < 150 {
			r.accept("", fmt.Sprint(i))
		}
		r.now = r.now.Add(max(r.round(), 10*time.Second))
	}
	for range 100 {
		r.now = r.now.Add(max(r.round(), time.Minute))
	}
	if got := r.states(); len(got[stateDelivered]) != 150 {
		t.Errorf("the records are %v", got)
	}
}
