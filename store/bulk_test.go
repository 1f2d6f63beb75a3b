package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestDeliveriesAddedTogetherStandAsIfAddedOneByOne(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		r := rand.New(rand.NewPCG(1, 2))
		var together, single []string // twin cases: the one is filled in batches, the other by single rows
		for i := range 6 {
			together = append(together, openCase(t, s, fmt.Sprintf("t%d", i)))
			single = append(single, openCase(t, s, fmt.Sprintf("s%d", i)))
		}
		for range 8 {
			var batch []store.Delivery
			for range r.IntN(100) {
				i := r.IntN(len(together))
				d := store.Delivery{CaseID: together[i], Lane: fmt.Sprint("lane", r.IntN(2)), Connection: "jira", Kind: "comment", CreatedAt: start,
					Holds: r.IntN(2) == 0, Mode: []string{store.Live, store.Live, store.Live, store.Shadow}[r.IntN(4)],
					State: []string{store.Pending, store.Dead, store.Dead}[r.IntN(3)]}
				batch = append(batch, d)
				d.CaseID = single[i]
				owe(t, s, d)
			}
			batch = append(batch, store.Delivery{Connection: "jira", Kind: "comment", CreatedAt: start}) // of no case
			in(t, s, func(tx *store.Tx) error {
				added, err := tx.AddDeliveries(t.Context(), batch)
				if err == nil {
					last := added[len(added)-1]
					if last.Seq != 1 || !last.Ready || last.Lane != last.ID {
						t.Errorf("of no case: %+v", last)
					}
				}
				return err
			})
		}
		for i := range together {
			same(t, "case", shapeOf(t, s, together[i]), shapeOf(t, s, single[i]))
		}
	})
}

// shapeOf tells of each delivery of a case what its place in its lane is.
func shapeOf(t *testing.T, s *store.Store, caseID string) []string {
	t.Helper()
	ds, err := s.DeliveriesOfCase(t.Context(), caseID)
	if err != nil {
		t.Fatal(err)
	}
	var shape []string
	for _, d := range ds {
		shape = append(shape, fmt.Sprintf("%d %s %s %s holds %v ready %v", d.Seq, d.Lane, d.Mode, d.State, d.Holds, d.Ready))
	}
	return shape
}

func TestDeliveriesOfAnUnknownCaseAreNotAdded(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		add := func(ds ...store.Delivery) error {
			return s.InTx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.AddDeliveries(t.Context(), ds)
				return err
			})
		}
		wantErr(t, "unknown case", add(store.Delivery{CaseID: caseID}, store.Delivery{CaseID: "none"}), store.ErrNotFound)
		wantErr(t, "born delivered", add(store.Delivery{CaseID: caseID, State: store.Delivered}), store.ErrConflict)
		same(t, "left", shapeOf(t, s, caseID), []string(nil))
	})
}

func TestCasesAreReadTogether(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		var ids []string
		for i := range 70 {
			ids = append(ids, openCase(t, s, fmt.Sprintf("r%02d", i)))
		}
		links := []store.Link{{CaseID: ids[0], Desk: "jira", Opening: "e", ID: "b"}, {CaseID: ids[0], Desk: "snow", Opening: "e", ID: "a"}, {CaseID: ids[69], Desk: "jira", Opening: "e", ID: "c"}}
		in(t, s, func(tx *store.Tx) error {
			if err := tx.AddLinks(t.Context(), links); err != nil {
				return err
			}
			if err := tx.AddLinks(t.Context(), links[:1]); err != nil {
				t.Errorf("the same link again: %v", err)
			}
			return tx.AddDecision(t.Context(), store.Decision{ID: "d", CaseID: ids[1], Outcome: "denied", Origin: "desk"})
		})
		in(t, s, func(tx *store.Tx) error {
			cases, err := tx.LockCases(t.Context(), append(ids, ids[0], "none"))
			if err != nil || len(cases) != 70 || cases[ids[5]].RequestID != "r05" {
				t.Errorf("%d cases, %+v, %v", len(cases), cases[ids[5]], err)
			}
			byCase, err := tx.LinksOfCases(t.Context(), ids)
			if err != nil || len(byCase) != 2 || len(byCase[ids[0]]) != 2 || byCase[ids[0]][0].ID != "a" {
				t.Errorf("links %+v, %v", byCase, err)
			}
			decisions, err := tx.DecisionsOf(t.Context(), ids)
			if err != nil || len(decisions) != 1 || decisions[ids[1]].ID != "d" {
				t.Errorf("decisions %+v, %v", decisions, err)
			}
			return nil
		})
	})
}

func TestLinksAndTheirTickets(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		in(t, s, func(tx *store.Tx) error {
			return tx.AddLinks(t.Context(), []store.Link{{ID: "l1", CaseID: caseID, Desk: "jira"}, {ID: "l2", CaseID: caseID, Desk: "snow"}})
		})
		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.AddLinks(t.Context(), []store.Link{{ID: "l3", CaseID: caseID, Desk: "zen"}, {ID: "l4", Key: "l1", CaseID: caseID, Desk: "other"}})
		})
		wantErr(t, "a key that is another link's", err, store.ErrConflict)
		set := func(refs ...store.LinkRef) error {
			return s.InTx(t.Context(), func(tx *store.Tx) error { return tx.SetLinkRefs(t.Context(), refs) })
		}
		ref := func(link, id string) store.LinkRef {
			return store.LinkRef{LinkID: link, Ref: store.Ref{ID: id, Key: "K" + id, URL: "u"}, At: start}
		}
		if err := set(ref("l1", "1"), ref("l2", "2")); err != nil {
			t.Fatal(err)
		}
		again := ref("l2", "2")
		again.At = start.Add(time.Hour)
		if err := set(ref("l1", "1"), again); err != nil {
			t.Errorf("the same ticket again: %v", err)
		}
		wantErr(t, "another ticket", set(ref("l2", "2"), ref("l1", "9")), store.ErrConflict)
		wantErr(t, "unknown link", set(ref("none", "9")), store.ErrConflict)
		l, err := s.Link(t.Context(), "l2")
		if err != nil || l.RefID != "2" || l.RefKey != "K2" || l.RefURL != "u" || l.State != store.LinkLinked || !l.LinkedAt.Equal(start) {
			t.Errorf("link %+v, %v", l, err)
		}
	})
}

func TestChangesToldOfTogether(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		in(t, s, func(tx *store.Tx) error {
			return tx.AddChange(t.Context(), store.Change{Connection: "jira", RefID: "2", Due: at(-1)})
		})
		first, err := s.ChangeOf(t.Context(), "jira", "2")
		if err != nil {
			t.Fatal(err)
		}
		in(t, s, func(tx *store.Tx) error {
			return tx.AddChanges(t.Context(), []store.Change{
				{Connection: "jira", RefID: "2", RefKey: "K2", Due: start}, {Connection: "jira", RefID: "1", RefKey: "K1", Due: at(1e9)},
				{Connection: "jira", RefID: "1", RefKey: "K1", Due: start}, {Connection: "snow", RefID: "1", Due: start},
			})
		})
		due, err := s.DueChanges(t.Context(), "jira", start, 10)
		if err != nil || len(due) != 2 {
			t.Fatalf("due are %+v, %v", due, err)
		}
		slices.SortFunc(due, func(a, b store.Change) int { return strings.Compare(a.RefID, b.RefID) })
		if due[0].RefID != "1" || due[1].RefID != "2" || due[1].Told == first.Told || due[0].Told == due[1].Told {
			t.Errorf("due are %+v", due)
		}
	})
}

func TestEventsWithAnEarlierOneElsewhere(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		r := accept(t, s, event("a1", "a"), event("b1", "b"), event("a2", "a"), event("a3", "a"), event("b2", "b"))
		earlier := func(events ...int) (early []int) {
			var ids []string
			for _, i := range events {
				ids = append(ids, r[i].EventID)
			}
			in(t, s, func(tx *store.Tx) error {
				found, err := tx.WithEarlierUnplanned(t.Context(), ids)
				for _, i := range events {
					if found[r[i].EventID] {
						early = append(early, i)
					}
				}
				return err
			})
			return early
		}
		same(t, "all", earlier(0, 1, 2, 3, 4), []int(nil))
		same(t, "without the first of a", earlier(1, 2, 3, 4), []int{2, 3})
		same(t, "without the second of a", earlier(0, 1, 3, 4), []int{3})
		in(t, s, func(tx *store.Tx) error {
			return tx.PlannedEvents(t.Context(), []string{r[0].EventID, r[1].EventID}, store.EventPlanned, at(1e9))
		})
		same(t, "after the first are planned", earlier(2, 4), []int(nil))
		e, err := s.Event(t.Context(), r[0].EventID)
		if err != nil || e.State != store.EventPlanned || !e.PlannedAt.Equal(at(1e9)) {
			t.Errorf("event %+v, %v", e, err)
		}
		err = s.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.PlannedEvents(t.Context(), []string{r[2].EventID, "none"}, store.EventPlanned, start)
		})
		wantErr(t, "unknown event", err, store.ErrNotFound)
	})
}
