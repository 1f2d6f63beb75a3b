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

func TestCasesAreFound(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		var want []string
		for i, subject := range []string{"Wireshark 4", "100% CPU_tool", `C:\Temp`} {
			a := event(fmt.Sprint("e", i), fmt.Sprint("Req-", i))
			a.Case.Subject = subject
			want = append(want, accept(t, s, a)[0].CaseID)
		}
		in(t, s, func(tx *store.Tx) error {
			c, err := tx.LockCase(t.Context(), want[2])
			c.State = store.CaseClosed
			if err != nil {
				return err
			}
			return tx.SaveCase(t.Context(), c)
		})
		tests := []struct {
			name   string
			filter store.CaseFilter
			want   []string
		}{
			{"all, newest first", store.CaseFilter{}, []string{want[2], want[1], want[0]}},
			{"state", store.CaseFilter{State: store.CaseOpen}, []string{want[1], want[0]}},
			{"other connection", store.CaseFilter{Connection: "apono"}, nil},
			{"text in any case", store.CaseFilter{Text: "WIRE"}, want[:1]},
			{"request id", store.CaseFilter{Text: "req-1"}, want[1:2]},
			{"percent is a character", store.CaseFilter{Text: "0% cpu_"}, want[1:2]},
			{"underscore is no wildcard", store.CaseFilter{Text: "cpu%tool"}, nil},
			{"backslash", store.CaseFilter{Text: `c:\temp`}, want[2:]},
			{"next page", store.CaseFilter{Before: want[2], Limit: 1}, want[1:2]},
		}
		for _, test := range tests {
			cases, err := s.Cases(t.Context(), test.filter)
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			var got []string
			for _, c := range cases {
				got = append(got, c.ID)
			}
			same(t, test.name, got, test.want)
		}
	})
}

func TestLinks(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		want := store.Link{CaseID: caseID, Desk: "jira", Slot: "main", Key: "k1", Rule: "apps", RuleVersion: 3, Policy: "p",
			PolicyVersion: 4, Project: "ITSEC", Type: "Access", Opening: "ev", State: store.LinkPlanned, CreatedAt: start}
		var again store.Link
		in(t, s, func(tx *store.Tx) error {
			l, created, err := tx.AddLink(t.Context(), want)
			if err != nil || !created {
				t.Errorf("AddLink = %v, %v", created, err)
			}
			want.ID = l.ID
			second := want
			second.ID, second.Key, second.Rule = "", "k2", "other"
			again, created, err = tx.AddLink(t.Context(), second)
			if created {
				t.Error("a second link was made")
			}
			return err
		})
		same(t, "existing link", again, want)

		if ls, err := s.OpenLinks(t.Context(), "jira", "", 10); err != nil || len(ls) != 0 {
			t.Errorf("OpenLinks before there is a ticket = %v, %v", ls, err)
		}
		ref := store.Ref{ID: "10001", Key: "ITSEC-1", URL: "https://jira/ITSEC-1"}
		in(t, s, func(tx *store.Tx) error {
			if err := tx.SetLinkRef(t.Context(), want.ID, ref, at(time.Second)); err != nil {
				return err
			}
			return tx.SetLinkRef(t.Context(), want.ID, ref, at(time.Second))
		})
		want.RefID, want.RefKey, want.RefURL, want.LinkedAt, want.State = ref.ID, ref.Key, ref.URL, at(time.Second), store.LinkLinked
		reads := map[string]func() (store.Link, error){
			"Link":      func() (store.Link, error) { return s.Link(t.Context(), want.ID) },
			"LinkByRef": func() (store.Link, error) { return s.LinkByRef(t.Context(), "jira", "10001") },
			"LinkByKey": func() (store.Link, error) { return s.LinkByKey(t.Context(), "k1") },
			"LinksOfCase": func() (store.Link, error) {
				ls, err := s.LinksOfCase(t.Context(), caseID)
				return ls[0], err
			},
			"OpenLinks": func() (store.Link, error) {
				ls, err := s.OpenLinks(t.Context(), "jira", "", 10)
				return ls[0], err
			},
		}
		for name, read := range reads {
			got, err := read()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			same(t, name, got, want)
		}
		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.SetLinkRef(t.Context(), want.ID, store.Ref{ID: "10002"}, start)
		})
		wantErr(t, "another ticket", err, store.ErrConflict)
		err = s.InTx(t.Context(), func(tx *store.Tx) error { return tx.SetLinkRef(t.Context(), "none", ref, start) })
		wantErr(t, "no link", err, store.ErrNotFound)

		if ls, err := s.OpenLinks(t.Context(), "jira", want.ID, 10); err != nil || len(ls) != 0 {
			t.Errorf("OpenLinks after the last = %v, %v", ls, err)
		}
		in(t, s, func(tx *store.Tx) error { return tx.SetLinkState(t.Context(), want.ID, store.LinkGone) })
		if ls, err := s.OpenLinks(t.Context(), "jira", "", 10); err != nil || len(ls) != 0 {
			t.Errorf("OpenLinks of a ticket that is gone = %v, %v", ls, err)
		}
		_, err = s.LinkByRef(t.Context(), "jira", "")
		wantErr(t, "LinkByRef of no ticket", err, store.ErrNotFound)
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
