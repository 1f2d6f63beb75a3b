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

func TestPlanning(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		paused := event("p1", "r9")
		paused.Event.Connection = "apono"
		r := accept(t, s, paused, event("e1", "r1"), event("e2", "r1"), event("e3", "r2"))
		in(t, s, func(tx *store.Tx) error {
			events, err := tx.ClaimUnplanned(t.Context(), []string{"apono", "other"}, 2)
			if err != nil {
				return err
			}
			same(t, "claimed", []string{events[0].ID, events[1].ID}, []string{r[1].EventID, r[2].EventID})
			c, err := tx.LockCase(t.Context(), r[1].CaseID)
			if err != nil || c.RequestID != "r1" {
				t.Errorf("LockCase = %+v, %v", c, err)
			}
			for i, want := range map[int]bool{1: false, 2: true} {
				if got, err := tx.HasEarlierUnplanned(t.Context(), c.ID, r[i].EventID); err != nil || got != want {
					t.Errorf("HasEarlierUnplanned(%d) = %v, %v", i, got, err)
				}
			}
			if err := tx.PlannedEvent(t.Context(), r[1].EventID, store.EventPlanned, at(time.Second)); err != nil {
				return err
			}
			if got, err := tx.HasEarlierUnplanned(t.Context(), c.ID, r[2].EventID); err != nil || got {
				t.Errorf("after the first is planned: %v, %v", got, err)
			}
			c.State, c.Subject, c.Severity, c.Requester, c.UpdatedAt = store.CaseDecided, "s", "high", "{}", at(time.Minute)
			return tx.SaveCase(t.Context(), c)
		})
		c, err := s.Case(t.Context(), r[1].CaseID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "saved case", c, store.Case{ID: c.ID, Connection: "epm", RequestID: "r1", Kind: "access.requested",
			State: store.CaseDecided, Requester: "{}", Subject: "s", Severity: "high", OpenedAt: start, UpdatedAt: at(time.Minute), NextSeq: 1})
		events, err := s.EventsOfCase(t.Context(), c.ID)
		if err != nil || len(events) != 2 || events[0].ID != r[1].EventID || !events[0].PlannedAt.Equal(at(time.Second)) ||
			events[0].State != store.EventPlanned || events[1].State != store.EventAccepted {
			t.Errorf("events = %+v, %v", events, err)
		}
		unplanned, err := s.Events(t.Context(), store.EventFilter{State: store.EventAccepted, Connection: "epm"})
		if err != nil || len(unplanned) != 2 || unplanned[0].ID != r[3].EventID {
			t.Errorf("Events = %+v, %v", unplanned, err)
		}
		err = s.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.PlannedEvent(t.Context(), "none", store.EventPlanned, start)
		})
		wantErr(t, "PlannedEvent of none", err, store.ErrNotFound)
		err = s.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.PlannedEvent(t.Context(), r[2].EventID, "lost", start)
		})
		if err == nil {
			t.Error("the schema accepts an unknown state")
		}
	})
}

func TestPlannersSideBySideShareTheEvents(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		var group []store.Arrival
		for i := range 100 {
			group = append(group, event(fmt.Sprint("e", i), ""))
		}
		accept(t, s, group...)
		var mu sync.Mutex
		seen := make(map[string]int)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					var got []store.Event
					in(t, s, func(tx *store.Tx) (err error) {
						if got, err = tx.ClaimUnplanned(t.Context(), nil, 7); err != nil {
							return err
						}
						for _, e := range got {
							if err := tx.PlannedEvent(t.Context(), e.ID, store.EventUnrouted, start); err != nil {
								return err
							}
						}
						return nil
					})
					if len(got) == 0 {
						return
					}
					mu.Lock()
					for _, e := range got {
						seen[e.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s planned %d times", id, n)
			}
		}
		if left, err := s.Events(t.Context(), store.EventFilter{State: store.EventAccepted}); err != nil || len(seen)+len(left) != 100 {
			t.Errorf("%d planned, %d left, %v", len(seen), len(left), err)
		}
	})
}

func TestNormalMayBeMissing(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		a := event("e1", "")
		a.Event.Normal, a.Event.Body = nil, nil
		e, err := s.Event(t.Context(), accept(t, s, a)[0].EventID)
		if err != nil || e.Normal != nil || len(e.Body) != 0 {
			t.Errorf("event = %+v, %v", e, err)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("Marshal = %v", err)
		}
	})
}
