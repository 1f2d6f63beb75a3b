package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func put(t *testing.T, s *store.Store, d store.Document) store.Document {
	t.Helper()
	in(t, s, func(tx *store.Tx) (err error) {
		d, err = tx.PutDocument(t.Context(), d)
		return err
	})
	return d
}

func catalogue(t *testing.T, s *store.Store) int64 {
	t.Helper()
	v, err := s.CatalogueVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDocumentsHaveVersions(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		rule := store.Document{Kind: "Rule", Name: "apps", Text: "when: true", Author: "ana", Why: "first", At: start}
		first := put(t, s, rule)
		want := rule
		want.Version = 1
		same(t, "first", first, want)
		version := catalogue(t, s)

		unchanged := rule
		unchanged.Author, unchanged.At = "bob", at(time.Hour)
		same(t, "the same text again", put(t, s, unchanged), want)
		if v := catalogue(t, s); v != version {
			t.Errorf("catalogue went from %d to %d though nothing changed", version, v)
		}

		rule.Text = "when: false"
		second := put(t, s, rule)
		if second.Version != 2 || catalogue(t, s) <= version {
			t.Errorf("second = %+v, catalogue %d after %d", second, catalogue(t, s), version)
		}
		policy := put(t, s, store.Document{Kind: "Policy", Name: "p", Text: "x", At: start})
		all, err := s.Documents(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "all", all, []store.Document{policy, second})
		for version, want := range map[int64]store.Document{0: second, 1: first, 2: second} {
			got, err := s.Document(t.Context(), "Rule", "apps", version)
			if err != nil {
				t.Fatal(err)
			}
			same(t, fmt.Sprint("version ", version), got, want)
		}
		_, err = s.Document(t.Context(), "Rule", "apps", 3)
		wantErr(t, "no such version", err, store.ErrNotFound)

		rule.Deleted = true
		deleted := put(t, s, rule)
		if all, err = s.Documents(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("after deletion: %v, %v", all, err)
		}
		versions, err := s.DocumentVersions(t.Context(), "Rule", "apps")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "versions", versions, []store.Document{deleted, second, first})
		err = s.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.PutDocument(t.Context(), store.Document{Kind: "Rule", Name: "none", Deleted: true})
			return err
		})
		wantErr(t, "deleting what is not there", err, store.ErrNotFound)
	})
}

func TestDocumentsWrittenAtOnceGetAVersionEach(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		versions := make(chan int64, 6)
		for i := range cap(versions) {
			go func() {
				var d store.Document
				err := s.InTx(t.Context(), func(tx *store.Tx) (err error) {
					d, err = tx.PutDocument(t.Context(), store.Document{Kind: "Rule", Name: "apps", Text: fmt.Sprint(i), At: start})
					return err
				})
				if err != nil {
					t.Error(err)
				}
				versions <- d.Version
			}()
		}
		seen := make(map[int64]bool)
		for range cap(versions) {
			seen[<-versions] = true
		}
		if len(seen) != cap(versions) {
			t.Errorf("versions = %v", seen)
		}
	})
}

func people(s *store.Store, t *testing.T, source string, ids ...store.Identity) error {
	return s.InTx(t.Context(), func(tx *store.Tx) error { return tx.SetPeople(t.Context(), source, ids) })
}

func TestPeople(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		mail := store.Identity{Person: "ana", System: store.SystemMail, Account: "Ana@Example.com"}
		sam := store.Identity{Person: "ana", System: "epm", Account: `CORP\Ana`}
		jira := store.Identity{Person: "bob", System: "jira", Account: "5b10"}
		version := catalogue(t, s)
		if err := people(s, t, "document", mail, sam, jira, mail); err != nil {
			t.Fatal(err)
		}
		if catalogue(t, s) == version {
			t.Error("the catalogue's version does not show the change")
		}
		for _, account := range []string{"ana@example.com", " ANA@EXAMPLE.COM "} {
			if p, err := s.PersonOf(t.Context(), store.SystemMail, account); err != nil || p != "ana" {
				t.Errorf("PersonOf(%q) = %q, %v", account, p, err)
			}
		}
		_, err := s.PersonOf(t.Context(), "jira", "ana@example.com")
		wantErr(t, "account of another system", err, store.ErrNotFound)
		got, err := s.IdentitiesOf(t.Context(), "ana")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "accounts", got, []store.Identity{sam, mail})

		err = people(s, t, "directory", store.Identity{Person: "eve", System: "epm", Account: `corp\ana`})
		wantErr(t, "somebody else's account", err, store.ErrConflict)
		if err != nil && (!strings.Contains(err.Error(), "eve") || !strings.Contains(err.Error(), "ana")) {
			t.Errorf("the error does not name both: %v", err)
		}
		err = people(s, t, "directory", store.Identity{Person: "a", System: "x", Account: "1"}, store.Identity{Person: "b", System: "x", Account: "1"})
		wantErr(t, "two persons in one list", err, store.ErrConflict)
	})
}

func TestPeopleOfASourceAreReplaced(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		both := store.Identity{Person: "ana", System: "jira", Account: "1"}
		only := store.Identity{Person: "ana", System: "jira", Account: "2"}
		if err := people(s, t, "document", both, only); err != nil {
			t.Fatal(err)
		}
		if err := people(s, t, "directory", both); err != nil {
			t.Fatalf("a source that agrees: %v", err)
		}
		if err := people(s, t, "document"); err != nil {
			t.Fatal(err)
		}
		if p, err := s.PersonOf(t.Context(), "jira", "1"); err != nil || p != "ana" {
			t.Errorf("an account another source gives = %q, %v", p, err)
		}
		_, err := s.PersonOf(t.Context(), "jira", "2")
		wantErr(t, "an account nobody gives", err, store.ErrNotFound)
		many := make([]store.Identity, 300)
		for i := range many {
			many[i] = store.Identity{Person: fmt.Sprint("p", i), System: "ldap", Account: fmt.Sprint("a", i)}
		}
		if err := people(s, t, "directory", many...); err != nil {
			t.Fatal(err)
		}
		if p, err := s.PersonOf(t.Context(), "ldap", "A299"); err != nil || p != "p299" {
			t.Errorf("PersonOf = %q, %v", p, err)
		}
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		once := func(value string) (kept string) {
			in(t, s, func(tx *store.Tx) (err error) {
				kept, err = tx.AddSettingOnce(t.Context(), "key", value)
				return err
			})
			return kept
		}
		if a, b := once("first"), once("second"); a != "first" || b != "first" {
			t.Errorf("kept %q, then %q", a, b)
		}
		in(t, s, func(tx *store.Tx) error { return tx.SetSetting(t.Context(), "key", "third") })
		if v, err := s.Setting(t.Context(), "key"); err != nil || v != "third" {
			t.Errorf("Setting = %q, %v", v, err)
		}
	})
}

func TestSessions(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		want := store.Session{Hash: "h", Person: "ana", Name: "Ana", Role: "admin", CreatedAt: start, ExpiresAt: at(time.Hour)}
		in(t, s, func(tx *store.Tx) error { return tx.AddSession(t.Context(), want) })
		got, err := s.Session(t.Context(), "h", at(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "session", got, want)
		_, err = s.Session(t.Context(), "h", at(time.Hour))
		wantErr(t, "expired", err, store.ErrNotFound)
		in(t, s, func(tx *store.Tx) error { return tx.EndSession(t.Context(), "h") })
		_, err = s.Session(t.Context(), "h", start)
		wantErr(t, "ended", err, store.ErrNotFound)
	})
}
