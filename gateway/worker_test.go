package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// endsSoon is a context that has ended when it is asked for the second time.
type endsSoon struct {
	context.Context
	asked atomic.Int32
}

func (c *endsSoon) Err() error {
	if c.asked.Add(1) == 1 {
		return nil
	}
	return context.Canceled
}

func (c *endsSoon) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func TestLeaseThatCannotBeTakenOverIsGivenBack(t *testing.T) {
	t.Parallel()
	s := storetest.New(t, storetest.SQLite)
	g, err := New(t.Context(), Options{Store: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(g, "jira")
	if held, err := w.hold(&endsSoon{Context: t.Context()}, &connection{}); held || !errors.Is(err, context.Canceled) {
		t.Errorf("hold = %v, %v", held, err)
	}
	if l, err := s.LeaseOf(t.Context(), "jira"); err != nil || l.Epoch != 1 || l.Until.After(time.Unix(0, 0)) {
		t.Errorf("the lease is %+v, %v; want it taken once and released", l, err)
	}
	if l := w.holding(); l != (store.Lease{}) {
		t.Errorf("the worker still holds %+v", l)
	}
	if held, err := w.hold(t.Context(), &connection{}); !held || err != nil {
		t.Errorf("afterwards: hold = %v, %v", held, err)
	}
}

func TestWhatWasReadUnderALostLeaseDecidesNothing(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		g, err := New(t.Context(), Options{Store: s, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		mine, _, err := s.Acquire(t.Context(), "jira", "a", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		runs := 0
		run := func() error {
			return g.fenced(t.Context(), mine, func(*store.Tx) error { runs++; return nil })
		}
		if err := run(); err != nil || runs != 1 {
			t.Errorf("while it is held: %v, %d runs", err, runs)
		}
		if err := s.Release(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		if _, ours, err := s.Acquire(t.Context(), "jira", "b", time.Hour); err != nil || !ours {
			t.Fatalf("the other: %v, %v", ours, err)
		}
		if err := run(); !errors.Is(err, errPassedOn) || runs != 1 {
			t.Errorf("after it passed on: %v, %d runs", err, runs)
		}
	})
}
