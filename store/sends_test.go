package store_test

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestRecordsForASinkAreClaimedInTheirOrderAndByThemselves(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		ticket := owe(t, s, store.Delivery{Kind: "create", Due: start})
		late := owe(t, s, store.Delivery{Kind: "send", Due: at(time.Minute)})
		var want []string
		for range 5 { // of the same moment
			want = append(want, owe(t, s, store.Delivery{Kind: "send", Due: start}).ID)
		}
		sends := func(now time.Time, limit int) (ds []store.Delivery) {
			t.Helper()
			in(t, s, func(tx *store.Tx) (err error) {
				ds, err = tx.ClaimSends(t.Context(), l, now, at(time.Hour), limit)
				return err
			})
			return ds
		}
		waits := func(limit, wantN int, wantFirst time.Time) {
			t.Helper()
			n, first, err := s.WaitingSends(t.Context(), "jira", start, limit)
			if err != nil || n != wantN || !first.Equal(wantFirst) {
				t.Errorf("WaitingSends(%d) = %d, %s, %v; want %d, %s", limit, n, first, err, wantN, wantFirst)
			}
		}
		waits(10, 5, start)
		waits(3, 3, start)
		same(t, "the first three", ids(sends(start, 3)), want[:3])
		same(t, "the rest", ids(sends(start, 3)), want[3:])
		waits(10, 0, at(time.Minute))
		same(t, "the others", ids(claim(t, s, l, at(time.Hour), 10)), []string{ticket.ID})
		same(t, "the late one", ids(sends(at(time.Hour), 10)), []string{late.ID})
		waits(10, 0, time.Time{})
		if _, ok, err := s.NextDue(t.Context(), "jira"); err != nil || ok {
			t.Errorf("NextDue = %v, %v", ok, err)
		}
	})
}

func TestRecordsTakenBackKeepTheirPlace(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		l := lease(t, s, "jira", "me")
		d := owe(t, s, store.Delivery{Kind: "send", Due: start})
		in(t, s, func(tx *store.Tx) error {
			_, err := tx.ClaimSends(t.Context(), l, at(time.Second), at(time.Minute), 1)
			return err
		})
		in(t, s, func(tx *store.Tx) error {
			_, err := tx.TakeBack(t.Context(), "jira", l.Epoch+1, at(time.Hour), 0)
			return err
		})
		if got := delivery(t, s, d.ID); got.State != store.Pending || !got.Due.Equal(start) || !got.MaySent {
			t.Errorf("taken back it is %+v", got)
		}
	})
}
