package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestTokensExpireAndAreRevoked(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		tokens := map[string]store.Token{
			"h1": {Hash: "h1", Connection: "epm", ClientID: "epm", Way: store.ByClientCredentials, Credential: "m1", IssuedAt: start, ExpiresAt: at(600 * time.Second)},
			"h2": {Hash: "h2", Connection: "epm", ClientID: "epm", Way: store.ByPassword, Credential: "m2", IssuedAt: start, ExpiresAt: at(600 * time.Second)},
			"h3": {Hash: "h3", Connection: "epm", ClientID: "epm", Way: store.ByPassword, Credential: "m2", IssuedAt: start, ExpiresAt: at(10 * time.Second)},
			"h4": {Hash: "h4", Connection: "apono", ClientID: "apono", Way: store.ByPassword, Credential: "m2", IssuedAt: start, ExpiresAt: at(600 * time.Second)},
		}
		in(t, s, func(tx *store.Tx) error {
			for _, o := range tokens {
				if err := tx.AddToken(t.Context(), o); err != nil {
					return err
				}
			}
			return nil
		})
		for hash, want := range tokens {
			if got, err := s.Token(t.Context(), hash); err != nil || !cmp.Equal(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
		if _, err := s.Token(t.Context(), "h5"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a token nobody has: %v", err)
		}
		err := s.InTx(t.Context(), func(tx *store.Tx) error { return tx.AddToken(t.Context(), tokens["h1"]) })
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("the same token again: %v", err)
		}
		revoke := func(connection, credential string, want int) {
			t.Helper()
			in(t, s, func(tx *store.Tx) error {
				if n, err := tx.RevokeTokens(t.Context(), connection, credential, at(20*time.Second)); err != nil || n != want {
					t.Errorf("revoked %d, %v; want %d", n, err, want)
				}
				return nil
			})
		}
		revoke("epm", "m2", 1) // the other one is over
		revoke("epm", "", 1)
		revoke("epm", "", 0)
		for hash, revoked := range map[string]bool{"h1": true, "h2": true, "h3": false, "h4": false} {
			if got, err := s.Token(t.Context(), hash); err != nil || got.RevokedAt.IsZero() == revoked {
				t.Errorf("%s is %+v, %v", hash, got, err)
			}
		}
		if n, err := s.PruneTokens(t.Context(), at(600*time.Second), 10); err != nil || n != 1 {
			t.Errorf("pruned %d, %v", n, err)
		}
		if n, err := s.PruneTokens(t.Context(), at(601*time.Second), 2); err != nil || n != 2 {
			t.Errorf("pruned %d, %v, of two at most", n, err)
		}
	})
}

func TestClientSecretsAreAtMostAsManyAsTheyMayBe(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		// All at once: two of them are kept, whoever they are.
		var conflicts, kept int
		var mu sync.Mutex
		var all sync.WaitGroup
		for _, mark := range []string{"a", "b", "c", "d", "e"} {
			all.Go(func() {
				err := s.InTx(t.Context(), func(tx *store.Tx) error {
					return tx.AddClientSecret(t.Context(), store.ClientSecret{Connection: "epm", Mark: mark, SHA256: "digits-" + mark, CreatedAt: start}, 2)
				})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					kept++
				case errors.Is(err, store.ErrConflict):
					conflicts++
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		secrets, err := s.ClientSecrets(t.Context(), "epm")
		if err != nil || len(secrets) != 2 || kept != 2 || conflicts != 3 {
			t.Fatalf("kept are %+v, %v; %d were taken and %d refused", secrets, err, kept, conflicts)
		}
		if got := secrets[0]; got.SHA256 != "digits-"+got.Mark || !got.CreatedAt.Equal(start) {
			t.Errorf("got %+v", got)
		}
		in(t, s, func(tx *store.Tx) error { return tx.DropClientSecret(t.Context(), "epm", secrets[0].Mark) })
		err = s.InTx(t.Context(), func(tx *store.Tx) error { return tx.DropClientSecret(t.Context(), "epm", secrets[0].Mark) })
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("dropped twice: %v", err)
		}
		in(t, s, func(tx *store.Tx) error {
			if err := tx.AddClientSecret(t.Context(), store.ClientSecret{Connection: "apono", Mark: "x", SHA256: "y", CreatedAt: start}, 2); err != nil {
				return err
			}
			if err := tx.NoteCredentialUses(t.Context(), []store.CredentialUse{{Connection: "epm", Mark: "x", First: start, Last: start}}); err != nil {
				return err
			}
			return tx.DropClientSecrets(t.Context(), "epm")
		})
		if left, err := s.ClientSecrets(t.Context(), "epm"); err != nil || len(left) != 0 {
			t.Errorf("left are %+v, %v", left, err)
		}
		if left, err := s.CredentialUses(t.Context(), "epm"); err != nil || len(left) != 0 {
			t.Errorf("left are %+v, %v", left, err)
		}
		if left, err := s.ClientSecrets(t.Context(), "apono"); err != nil || len(left) != 1 {
			t.Errorf("those of another connection are %+v, %v", left, err)
		}
	})
}

// Replicas tell what they saw in any order.
func TestUsesOfCredentialsAreWidened(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		note := func(mark string, first, last time.Time) {
			t.Helper()
			in(t, s, func(tx *store.Tx) error {
				return tx.NoteCredentialUses(t.Context(), []store.CredentialUse{{Connection: "epm", Mark: mark, First: first, Last: last}})
			})
		}
		note("a", at(5*time.Second), at(9*time.Second))
		note("a", at(3*time.Second), at(7*time.Second))
		note("a", at(4*time.Second), at(8*time.Second))
		note("b", at(1*time.Second), at(1*time.Second))
		want := []store.CredentialUse{{Connection: "epm", Mark: "a", First: at(3 * time.Second), Last: at(9 * time.Second)}, {Connection: "epm", Mark: "b", First: at(1 * time.Second), Last: at(1 * time.Second)}}
		got, err := s.CredentialUses(t.Context(), "epm")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
