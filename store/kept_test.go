package store_test

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestWhatConnectionsRemember(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		want := func(connection, name, sealed string) {
			t.Helper()
			if got, err := s.Kept(t.Context(), connection, name); err != nil || got != sealed {
				t.Errorf("%s of %s: got %q, %v, want %q", name, connection, got, err, sealed)
			}
		}
		want("jira", "refresh_token", "")
		in(t, s, func(tx *store.Tx) error {
			for _, k := range [][3]string{{"jira", "refresh_token", "k:1"}, {"desk", "refresh_token", "k:2"}, {"jira", "refresh_token", "k:3"}} {
				if err := tx.Keep(t.Context(), k[0], k[1], k[2], at(time.Second)); err != nil {
					return err
				}
			}
			return nil
		})
		want("jira", "refresh_token", "k:3")
		want("desk", "refresh_token", "k:2")
		in(t, s, func(tx *store.Tx) error { return tx.DropKept(t.Context(), "jira") })
		want("jira", "refresh_token", "")
		want("desk", "refresh_token", "k:2")
	})
}
