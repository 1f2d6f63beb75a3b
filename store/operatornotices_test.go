package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestANoticeIsOneWhileItIsOpen(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		raise := func(subject, words string, when time.Time) (n store.Notice, fresh bool) {
			in(t, s, func(tx *store.Tx) (err error) {
				n, fresh, err = tx.RaiseNotice(t.Context(), "shape", subject, words, when)
				return err
			})
			return n, fresh
		}
		first, fresh := raise("epm/x", "gone", start)
		if !fresh || first.Count != 1 || !first.First.Equal(start) {
			t.Errorf("first = %+v, %v", first, fresh)
		}
		again, fresh := raise("epm/x", "still gone", at(time.Hour))
		if fresh || again.ID != first.ID || again.Count != 2 || again.Text != "still gone" || !again.First.Equal(start) || !again.Last.Equal(at(time.Hour)) {
			t.Errorf("again = %+v, %v", again, fresh)
		}
		other, _ := raise("epm/y", "gone", at(2*time.Hour))
		open, err := s.Notices(t.Context(), false, 10)
		if err != nil || len(open) != 2 || open[0].ID != other.ID {
			t.Errorf("open = %+v, %v", open, err)
		}
		in(t, s, func(tx *store.Tx) error {
			ended, err := tx.EndNotice(t.Context(), "shape", "epm/x", at(3*time.Hour))
			if !ended {
				t.Error("the notice was not ended")
			}
			return err
		})
		in(t, s, func(tx *store.Tx) error {
			closed, err := tx.CloseNotice(t.Context(), other.ID, "ana", at(4*time.Hour))
			if closed.Subject != "epm/y" || closed.ClosedBy != "ana" {
				t.Errorf("closed = %+v", closed)
			}
			return err
		})
		closing := func(id string) error {
			return s.InTx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.CloseNotice(t.Context(), id, "ana", at(5*time.Hour))
				return err
			})
		}
		wantErr(t, "closed twice", closing(other.ID), store.ErrConflict)
		wantErr(t, "closed, never raised", closing("nothing"), store.ErrNotFound)
		if fresh, opened := raise("epm/x", "gone again", at(6*time.Hour)); !opened || fresh.ID == first.ID {
			t.Errorf("after its end it was %+v, %v", fresh, opened)
		}
		if all, err := s.Notices(t.Context(), true, 10); err != nil || len(all) != 3 {
			t.Errorf("all = %+v, %v", all, err)
		}
		if n, err := s.Prune(t.Context(), at(7*time.Hour), 10); err != nil || n != 2 {
			t.Errorf("pruned %d, %v, want the two that are closed", n, err)
		}
	})
}

func TestShapesAreLearnedUnderALock(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		_, err := s.Shape(t.Context(), "epm", "access.requested")
		wantErr(t, "shape", err, store.ErrNotFound)
		for _, fields := range []string{`{"a":1}`, `{"a":2}`} {
			in(t, s, func(tx *store.Tx) error {
				shape, err := tx.LockShape(t.Context(), "epm", "access.requested")
				if err != nil {
					return err
				}
				shape.Fields, shape.UpdatedAt = json.RawMessage(fields), start
				return tx.SetShape(t.Context(), shape)
			})
		}
		got, err := s.Shape(t.Context(), "epm", "access.requested")
		if err != nil || string(got.Fields) != `{"a":2}` || !got.UpdatedAt.Equal(start) {
			t.Errorf("got %+v, %v", got, err)
		}
		if n, err := s.CountShapes(t.Context(), "epm"); err != nil || n != 1 {
			t.Errorf("counted %d, %v", n, err)
		}
	})
}

func TestWorkloadCountsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "R1")
		first := owe(t, s, store.Delivery{CaseID: caseID, Lane: "a"})
		second := owe(t, s, store.Delivery{CaseID: caseID, Lane: "a"})
		dead := owe(t, s, store.Delivery{CaseID: caseID, Lane: "b", State: store.Dead})
		owe(t, s, store.Delivery{CaseID: caseID, Lane: "c", Connection: "other"})
		owe(t, s, store.Delivery{CaseID: caseID, Lane: "d", Mode: store.Shadow})
		in(t, s, func(tx *store.Tx) error {
			_, err := tx.Accept(t.Context(), []store.Arrival{{Quarantine: &store.Quarantined{Connection: "jira", Reason: "odd", ReceivedAt: start}}})
			return err
		})
		in(t, s, func(tx *store.Tx) error {
			unwanted, test := event("u-1", ""), event("u-2", "")
			for _, a := range []*store.Arrival{&unwanted, &test} {
				a.Event.Connection, a.Event.State = "jira", store.EventUnrouted
			}
			test.Event.Test = true
			_, err := tx.Accept(t.Context(), []store.Arrival{unwanted, test})
			return err
		})
		all, err := s.Workloads(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "workload", all["jira"], store.Workload{Connection: "jira", Pending: 2, Dead: 1, Quarantine: 1, Unrouted: 1})
		if all["other"].Pending != 1 {
			t.Errorf("other = %+v", all["other"])
		}
		queue, err := s.Queue(t.Context(), "jira", 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "queue", queue, []string{dead.ID, second.ID, first.ID})
	})
}

func TestUnfinishedCasesAreAConnectionsOwnAndThoseWithATicketThere(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		own, linked, closed := openCase(t, s, "R1"), openCase(t, s, "R2"), openCase(t, s, "R3")
		in(t, s, func(tx *store.Tx) error {
			if _, _, err := tx.AddLink(t.Context(), store.Link{CaseID: linked, Desk: "desk", Slot: "main", Key: "k"}); err != nil {
				return err
			}
			c, err := tx.LockCase(t.Context(), closed)
			if err != nil {
				return err
			}
			c.State = store.CaseClosed
			return tx.SaveCase(t.Context(), c)
		})
		c, err := s.Case(t.Context(), own)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.UnfinishedCases(t.Context(), c.Connection, 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "of the source", got, []string{own, linked})
		if got, err = s.UnfinishedCases(t.Context(), "desk", 10); err != nil {
			t.Fatal(err)
		}
		same(t, "of the desk", got, []string{linked})
		if v, err := s.SchemaVersion(t.Context()); err != nil || v < 20261120090700 {
			t.Errorf("schema version is %d, %v", v, err)
		}
	})
}

func TestADecisionOnATestHasAStateOfItsOwn(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "R1")
		in(t, s, func(tx *store.Tx) error {
			return tx.AddDecision(t.Context(), store.Decision{CaseID: caseID, Outcome: "approved", Origin: "desk", State: store.DecisionTest})
		})
		if d, err := s.DecisionOf(t.Context(), caseID); err != nil || d.State != store.DecisionTest {
			t.Errorf("got %+v, %v", d, err)
		}
	})
}
