package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestPruneDeletesWhatEndedInSmallSteps(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		var closed []string
		for i := range 3 {
			closed = append(closed, fullCase(t, s, fmt.Sprint("closed", i), store.CaseClosed))
		}
		open := fullCase(t, s, "open", store.CaseOpen)
		busy := fullCase(t, s, "busy", store.CaseClosed)
		owe(t, s, store.Delivery{CaseID: busy, Lane: "z"})
		recent := fullCase(t, s, "recent", store.CaseClosed)
		in(t, s, func(tx *store.Tx) error {
			c, err := tx.LockCase(t.Context(), recent)
			c.UpdatedAt = at(48 * time.Hour)
			if err != nil {
				return err
			}
			return tx.SaveCase(t.Context(), c)
		})
		child := event("child", "child")
		child.Case.ParentID = closed[0]
		childID := accept(t, s, child)[0].CaseID
		loose := accept(t, s, event("loose", ""))[0].EventID
		unplanned := accept(t, s, event("unplanned", ""))[0].EventID
		in(t, s, func(tx *store.Tx) error { return tx.PlannedEvent(t.Context(), loose, store.EventUnrouted, start) })

		steps := 0
		for {
			n, err := s.Prune(t.Context(), at(24*time.Hour), 2)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			if steps++; n > 2*6 || steps > 20 {
				t.Fatalf("step %d deleted %d", steps, n)
			}
		}
		if steps < 2 {
			t.Errorf("all in %d step", steps)
		}
		for _, id := range closed {
			_, err := s.Case(t.Context(), id)
			wantErr(t, "closed case", err, store.ErrNotFound)
		}
		for what, id := range map[string]string{"open": open, "busy": busy, "recent": recent, "child": childID} {
			if c, err := s.Case(t.Context(), id); err != nil || c.ParentID != "" {
				t.Errorf("%s case = %+v, %v", what, c, err)
			}
		}
		if es, err := s.EventsOfCase(t.Context(), open); err != nil || len(es) != 1 {
			t.Errorf("events of the open case = %v, %v", es, err)
		}
		_, err := s.Event(t.Context(), loose)
		wantErr(t, "event without case", err, store.ErrNotFound)
		if _, err := s.Event(t.Context(), unplanned); err != nil {
			t.Errorf("an event still to be planned: %v", err)
		}
		if r, err := s.RecordOfCase(t.Context(), closed[0]); err != nil || len(r) == 0 {
			t.Errorf("the record went with the case: %v, %v", r, err)
		}
		if r := accept(t, s, event("open-closed0", "closed0"))[0]; !r.Duplicate || r.CaseID != "" {
			t.Errorf("an event seen before its case was pruned = %+v", r)
		}

		forgotten := 0
		for {
			n, err := s.PruneDedupes(t.Context(), at(time.Millisecond), 4)
			if err != nil || n > 4 {
				t.Fatalf("PruneDedupes = %d, %v", n, err)
			}
			if forgotten += n; n == 0 {
				break
			}
		}
		if forgotten != 9 {
			t.Errorf("forgot %d identities, want 9", forgotten)
		}
		if r := accept(t, s, event("open-closed0", "closed0"))[0]; r.Duplicate {
			t.Errorf("an event whose identity was forgotten = %+v", r)
		}
	})
}

// fullCase is a case with a row of everything.
func fullCase(t *testing.T, s *store.Store, requestID, state string) string {
	t.Helper()
	id := openCase(t, s, requestID)
	d := owe(t, s, store.Delivery{CaseID: id, Lane: "a", Connection: requestID})
	finish(t, s, claim(t, s, lease(t, s, requestID, "me"), start, 1)[0], store.Delivered)
	in(t, s, func(tx *store.Tx) error {
		link, _, err := tx.AddLink(t.Context(), store.Link{CaseID: id, Desk: "jira", Slot: "main", CreatedAt: start})
		if err != nil {
			return err
		}
		if err := tx.AddDecision(t.Context(), store.Decision{CaseID: id, LinkID: link.ID, Outcome: "denied", Origin: "desk", DeliveryID: d.ID}); err != nil {
			return err
		}
		if _, err := tx.AddRefusal(t.Context(), store.Refusal{CaseID: id, LinkID: link.ID, Claim: "1", Code: "x"}); err != nil {
			return err
		}
		if err := tx.AddVote(t.Context(), store.Vote{CaseID: id, Outcome: "denied"}); err != nil {
			return err
		}
		if _, err := tx.SeeChange(t.Context(), "jira", requestID, start); err != nil {
			return err
		}
		c, err := tx.LockCase(t.Context(), id)
		if err != nil {
			return err
		}
		c.State = state
		return tx.SaveCase(t.Context(), c)
	})
	return id
}
