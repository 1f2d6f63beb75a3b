package store_test

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestAskableCases(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		ctx := t.Context()
		ticket := func(id, state string) {
			t.Helper()
			in(t, s, func(tx *store.Tx) error {
				_, _, err := tx.AddLink(ctx, store.Link{CaseID: id, Desk: "jira", Key: id, State: state})
				return err
			})
		}
		decide := func(id, outcome string, at time.Time) {
			t.Helper()
			in(t, s, func(tx *store.Tx) error {
				c, err := tx.LockCase(ctx, id)
				if err != nil {
					return err
				}
				c.State = store.CaseClosed
				if err := tx.SaveCase(ctx, c); err != nil {
					return err
				}
				return tx.AddDecision(ctx, store.Decision{CaseID: id, Outcome: outcome, Origin: "desk", State: store.DecisionKept, At: at, RecordedAt: at})
			})
		}
		open, gone := openCase(t, s, "open"), openCase(t, s, "ticket gone")
		openCase(t, s, "without a ticket")
		approved, late, denied, done := openCase(t, s, "approved"), openCase(t, s, "approved long ago"), openCase(t, s, "denied"), openCase(t, s, "done")
		for _, id := range []string{open, approved, late, denied, done} {
			ticket(id, "linked")
		}
		ticket(gone, "gone")
		decide(approved, "approved", start)
		decide(late, "approved", start.Add(-48*time.Hour))
		decide(denied, "denied", start)
		decide(done, "approved", start)
		second := event("second", "open")
		second.Event.Kind = "access.granted"
		latest := accept(t, s, second)[0].EventID
		end := event("end", "done")
		end.Event.Kind = "change.made"
		accept(t, s, end)

		ids := func(found []store.Askable) (list []string) {
			for _, a := range found {
				list = append(list, a.Case.ID)
			}
			return list
		}
		ask := func(after string, since time.Time, limit int) []store.Askable {
			t.Helper()
			found, err := s.Askable(ctx, "epm", after, since, "change.made", limit)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		same(t, "open cases", ids(ask("", time.Time{}, 10)), []string{open})
		all := ask("", start.Add(-time.Hour), 10)
		same(t, "with those approved of late", ids(all), []string{open, approved})
		if all[0].Latest != latest || all[0].Decision != nil || string(all[0].Opening) != `{"kind":"access.requested"}` || all[0].Test {
			t.Errorf("of the open case: %+v", all[0])
		}
		if d := all[1].Decision; d == nil || d.Outcome != "approved" || d.State != store.DecisionKept {
			t.Errorf("of the approved case: %+v", all[1])
		}
		same(t, "the first page", ids(ask("", start.Add(-time.Hour), 1)), []string{open})
		same(t, "the second page", ids(ask(open, start.Add(-time.Hour), 1)), []string{approved})
		same(t, "the end", ids(ask(approved, start.Add(-time.Hour), 1)), []string(nil))
		if found, err := s.Askable(ctx, "apono", "", start.Add(-time.Hour), "change.made", 10); err != nil || len(found) != 0 {
			t.Errorf("of another connection: %+v, %v", found, err)
		}
	})
}
