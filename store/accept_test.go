package store_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestAcceptStoresEventAndOpensCase(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		a := event("e1", "r1")
		a.Event.Tenant, a.Event.Test = "t1", true
		r := accept(t, s, a)[0]
		if r.Duplicate || r.EventID == "" || r.CaseID == "" {
			t.Fatalf("receipt = %+v", r)
		}
		got, err := s.Event(t.Context(), r.EventID)
		if err != nil {
			t.Fatal(err)
		}
		want := a.Event
		want.ID, want.CaseID, want.State = r.EventID, r.CaseID, store.EventAccepted
		same(t, "event", got, want)
		c, err := s.CaseByRequest(t.Context(), "epm", "t1", "r1")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "case", c, store.Case{ID: r.CaseID, Connection: "epm", Tenant: "t1", RequestID: "r1",
			Kind: "access.requested", State: store.CaseOpen, Requester: a.Case.Requester, Subject: "7-Zip", Severity: "low",
			OpenedAt: start, UpdatedAt: start, NextSeq: 1})
		entries, err := s.RecordOfCase(t.Context(), r.CaseID)
		if err != nil || len(entries) != 1 || entries[0].Kind != "event.accepted" || entries[0].Subject != r.EventID {
			t.Errorf("record = %+v, %v", entries, err)
		}
	})
}

func TestAcceptKeepsOneOfEachIdentity(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		before := accept(t, s, event("e1", "r1"))[0]
		other := event("e1", "r1")
		other.Event.Connection = "apono"
		nobody := event("", "")
		got := accept(t, s, event("e2", "r1"), event("e1", "r1"), event("e2", "r1"), other, nobody, nobody, event("e1", "r1"))
		for i, wantDuplicate := range []bool{false, true, true, false, false, false, true} {
			if got[i].Duplicate != wantDuplicate {
				t.Errorf("receipt %d = %+v, want duplicate %v", i, got[i], wantDuplicate)
			}
		}
		same(t, "repeated event", got[1], store.Receipt{EventID: before.EventID, CaseID: before.CaseID, Duplicate: true})
		same(t, "repeated in the group", got[2], store.Receipt{EventID: got[0].EventID, CaseID: got[0].CaseID, Duplicate: true})
		same(t, "repeated twice", got[6], got[1])
		if got[0].CaseID != before.CaseID || got[3].CaseID == before.CaseID || got[4].EventID == got[5].EventID {
			t.Errorf("receipts = %+v", got)
		}
		if got[4].CaseID != "" {
			t.Errorf("an event without RequestID has case %q", got[4].CaseID)
		}
	})
}

func TestAcceptKeepsTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		var group []store.Arrival
		for i := range 200 { // more than one statement takes
			group = append(group, event(fmt.Sprintf("e%d", 1000-i), fmt.Sprintf("r%d", i%3)))
		}
		receipts := accept(t, s, group...)
		var got []string
		in(t, s, func(tx *store.Tx) error {
			events, err := tx.ClaimUnplanned(t.Context(), nil, 1000)
			for _, e := range events {
				got = append(got, e.ID)
			}
			return err
		})
		var want []string
		for _, r := range receipts {
			want = append(want, r.EventID)
		}
		same(t, "unplanned", got, want)
	})
}

func TestAcceptSideBySideStoresEachOnce(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		var mu sync.Mutex
		fresh := make(map[string]int)
		cases := make(map[string]string)
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for n := range 5 {
					var group []store.Arrival
					for i := range 10 {
						k := (i*7 + w*3 + n) % 10
						group = append(group, event(fmt.Sprintf("e%d-%d", n, k), fmt.Sprintf("r%d", k)))
					}
					receipts := accept(t, s, group...)
					mu.Lock()
					for i, r := range receipts {
						if !r.Duplicate {
							fresh[group[i].Event.Dedupe]++
						}
						if c, ok := cases[group[i].Event.RequestID]; ok && c != r.CaseID {
							t.Errorf("%s has cases %s and %s", group[i].Event.RequestID, c, r.CaseID)
						}
						cases[group[i].Event.RequestID] = r.CaseID
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(fresh) != 50 {
			t.Errorf("%d events stored, want 50", len(fresh))
		}
		for k, n := range fresh {
			if n != 1 {
				t.Errorf("%s stored %d times", k, n)
			}
		}
	})
}

func TestAcceptKeepsBodyInQuarantine(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		q := store.Quarantined{Connection: "epm", Reason: "RequestId twice", Body: []byte{0, 0xff, '{'}, ContentType: "text/plain", ReceivedAt: start}
		got := accept(t, s, event("e1", "r1"), store.Arrival{Quarantine: &q}, event("e2", "r1"))
		if got[1].QuarantineID == "" || got[1].EventID != "" || got[0].EventID == "" || got[2].EventID == "" {
			t.Fatalf("receipts = %+v", got)
		}
		kept, err := s.Quarantine(t.Context(), got[1].QuarantineID)
		if err != nil {
			t.Fatal(err)
		}
		q.ID, q.State = got[1].QuarantineID, store.QuarantineWaiting
		same(t, "quarantine", kept, q)
		list, err := s.Quarantines(t.Context(), "epm", 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "list", list, []store.Quarantined{q})
		if none, err := s.Quarantines(t.Context(), "apono", 10); err != nil || len(none) != 0 {
			t.Errorf("another connection's = %v, %v", none, err)
		}

		in(t, s, func(tx *store.Tx) error {
			return tx.SettleQuarantine(t.Context(), q.ID, store.QuarantineReplayed, got[0].EventID)
		})
		err = s.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.SettleQuarantine(t.Context(), q.ID, store.QuarantineDiscarded, "")
		})
		wantErr(t, "settled twice", err, store.ErrConflict)
	})
}

func TestAcceptMarksCaseOfEditedEvent(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		plain := accept(t, s, event("e1", "r1"))[0]
		edited := event("e2", "r1")
		edited.Event.Edited = true
		accept(t, s, edited, event("e3", "r1"))
		c, err := s.Case(t.Context(), plain.CaseID)
		if err != nil || !c.EditedBody {
			t.Errorf("EditedBody = %v, %v", c.EditedBody, err)
		}
		later := event("e4", "r2")
		later.Event.Edited = true
		r := accept(t, s, event("e5", "r2"), later)
		if c, err := s.Case(t.Context(), r[0].CaseID); err != nil || !c.EditedBody {
			t.Errorf("opened in the same group: EditedBody = %v, %v", c.EditedBody, err)
		}
	})
}

func TestAcceptTakesTextNoDatabaseLikes(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		a, b := event("e\x001", "r\x001"), event("e\xff1", "r\xff1")
		a.Case.Subject, b.Case.Subject = "a\x00b", "a\xffb"
		got := accept(t, s, a, b, a)
		if got[0].Duplicate || got[1].Duplicate || !got[2].Duplicate || got[0].CaseID == got[1].CaseID {
			t.Errorf("receipts = %+v", got)
		}
		if c, err := s.CaseByRequest(t.Context(), "epm", "", "r\x001"); err != nil || c.ID != got[0].CaseID {
			t.Errorf("CaseByRequest = %v, %v", c.ID, err)
		}
	})
}
