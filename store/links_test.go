package store_test

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

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

		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			_, _, err := tx.AddLink(t.Context(), store.Link{CaseID: caseID, Desk: "jira", Slot: "second", Key: "k1"})
			return err
		})
		wantErr(t, "a key twice", err, store.ErrConflict)
		if refs, err := s.OpenRefs(t.Context(), "jira", 10); err != nil || len(refs) != 0 {
			t.Errorf("OpenRefs before there is a ticket = %v, %v", refs, err)
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
		}
		for name, read := range reads {
			got, err := read()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			same(t, name, got, want)
		}
		err = s.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.SetLinkRef(t.Context(), want.ID, store.Ref{ID: "10002"}, start)
		})
		wantErr(t, "another ticket", err, store.ErrConflict)
		err = s.InTx(t.Context(), func(tx *store.Tx) error { return tx.SetLinkRef(t.Context(), "none", ref, start) })
		wantErr(t, "no link", err, store.ErrNotFound)

		for _, state := range []string{store.LinkLinked, store.LinkGone} {
			in(t, s, func(tx *store.Tx) error { return tx.SetLinkState(t.Context(), want.ID, state) })
			if refs, err := s.OpenRefs(t.Context(), "jira", 10); err != nil || len(refs) != 1 || refs[0] != ref {
				t.Errorf("OpenRefs of one that is %s = %v, %v", state, refs, err)
			}
		}
		_, err = s.LinkByRef(t.Context(), "jira", "")
		wantErr(t, "LinkByRef of no ticket", err, store.ErrNotFound)
	})
}

func TestIDOfATicketThatIsGoneMayComeAgain(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		var ids []string
		for _, request := range []string{"r1", "r2", "r3"} {
			link := store.Link{CaseID: openCase(t, s, request), Desk: "jira", Slot: "main", Key: "k-" + request, CreatedAt: start}
			in(t, s, func(tx *store.Tx) error {
				l, _, err := tx.AddLink(t.Context(), link)
				ids = append(ids, l.ID)
				return err
			})
		}
		set := func(id string) error {
			return s.InTx(t.Context(), func(tx *store.Tx) error { return tx.SetLinkRef(t.Context(), id, store.Ref{ID: "7"}, start) })
		}
		if err := set(ids[0]); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "while the first has its ticket", set(ids[1]), store.ErrConflict)
		in(t, s, func(tx *store.Tx) error { return tx.SetLinkState(t.Context(), ids[0], store.LinkGone) })
		if err := set(ids[1]); err != nil {
			t.Fatal(err)
		}
		if l, err := s.LinkByRef(t.Context(), "jira", "7"); err != nil || l.ID != ids[1] {
			t.Errorf("the ticket belongs to %+v, %v; want the second", l, err)
		}
		wantErr(t, "while the second has it", set(ids[2]), store.ErrConflict)
	})
}
