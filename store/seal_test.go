package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// seal seals what waits and answers the new head.
func seal(t *testing.T, s *store.Store) store.Checkpoint {
	t.Helper()
	var head store.Checkpoint
	in(t, s, func(tx *store.Tx) error {
		before, err := tx.LockHead(t.Context())
		if err != nil {
			return err
		}
		entries, err := tx.ToSeal(t.Context(), "", 1000)
		if err != nil {
			return err
		}
		if head, err = tx.Seal(t.Context(), before, entries); err != nil {
			return err
		}
		head.At, head.KeyID, head.Signature = start, "k", []byte{1, 2}
		return tx.SetHead(t.Context(), head)
	})
	return head
}

func record(t *testing.T, s *store.Store, n int) {
	t.Helper()
	entries := make([]store.Entry, n)
	for i := range entries {
		entries[i] = store.Entry{At: start, Kind: "step", Content: i}
	}
	in(t, s, func(tx *store.Tx) error { return tx.RecordAll(t.Context(), entries) })
}

func TestSealNumbersAndChainsWithoutAGap(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		if head, err := s.Head(t.Context()); err != nil || head.N != 0 || head.Chain != store.Genesis() || head.KeyID != "" {
			t.Fatalf("first head = %+v, %v", head, err)
		}
		record(t, s, 70)
		seal(t, s)
		record(t, s, 3)
		head := seal(t, s)
		got, err := s.Head(t.Context())
		if err != nil || got.N != 73 || got.Chain != head.Chain || got.KeyID != "k" || string(got.Signature) != "\x01\x02" || !got.At.Equal(start) {
			t.Errorf("head = %+v, %v", got, err)
		}
		entries, err := s.Sealed(t.Context(), 0, head.N, 100)
		if err != nil || len(entries) != 73 {
			t.Fatalf("Sealed = %d entries, %v", len(entries), err)
		}
		chain := store.Genesis()
		for i, e := range entries {
			if e.N != int64(i+1) || e.Chain != e.Link(chain, e.N) || !e.Intact() {
				t.Fatalf("entry %d = %+v", i, e)
			}
			chain = e.Chain
		}
		if chain != head.Chain {
			t.Error("the head is not the last entry's chain")
		}
		if page, err := s.Sealed(t.Context(), 70, 72, 100); err != nil || len(page) != 2 || page[0].N != 71 {
			t.Errorf("Sealed after 70 up to 72 = %+v, %v", page, err)
		}
		if n, err := s.LastSealed(t.Context()); err != nil || n != 73 {
			t.Errorf("LastSealed = %d, %v", n, err)
		}
		if left, err := s.UnsealedAfter(t.Context(), "", 10); err != nil || len(left) != 0 {
			t.Errorf("Unsealed = %v, %v", left, err)
		}
	})
}

func TestSealRefusesWhatIsSealedAlready(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		record(t, s, 2)
		entries, err := s.UnsealedAfter(t.Context(), "", 10)
		if err != nil {
			t.Fatal(err)
		}
		head := seal(t, s)
		err = s.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Seal(t.Context(), head, entries)
			return err
		})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("Seal again = %v", err)
		}
	})
}

func TestARowCommittedLateIsSealedAfterYoungerOnes(t *testing.T) {
	t.Parallel()
	storetest.Need(t) // SQLite has one writer: nothing there commits late
	s := storetest.New(t, storetest.Postgres)
	written, commit, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.InTx(context.WithoutCancel(t.Context()), func(tx *store.Tx) error {
			err := tx.Record(t.Context(), store.Entry{At: start, Kind: "late"})
			close(written)
			<-commit
			return err
		})
	}()
	<-written
	record(t, s, 2)
	if head := seal(t, s); head.N != 2 {
		t.Fatalf("sealed %d rows", head.N)
	}
	close(commit)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	seal(t, s)
	entries, err := s.Sealed(t.Context(), 0, 10, 10)
	if err != nil || len(entries) != 3 || entries[2].Kind != "late" || entries[2].ID > entries[0].ID {
		t.Errorf("sealed = %+v, %v", entries, err)
	}
}

func TestCheckpointsAndCut(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		if _, err := s.NewestCheckpoint(t.Context(), store.CheckpointCut); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("cut before there is one: %v", err)
		}
		record(t, s, 10)
		seal(t, s)
		cut := func(n int64, at time.Time) int64 {
			var gone int64
			in(t, s, func(tx *store.Tx) (err error) {
				gone, err = tx.CutRecord(t.Context(), store.Checkpoint{N: n, Chain: "c", At: at, KeyID: "k", Signature: []byte{9}})
				return err
			})
			return gone
		}
		in(t, s, func(tx *store.Tx) error {
			return tx.SetCheckpoint(t.Context(), store.Checkpoint{Kind: store.CheckpointDay, N: 10, Chain: "d", At: start})
		})
		if a, b := cut(4, start), cut(6, at(time.Second)); a != 4 || b != 2 {
			t.Errorf("cuts took %d and %d rows", a, b)
		}
		checkpoints, err := s.Checkpoints(t.Context())
		if err != nil || len(checkpoints) != 2 || checkpoints[0].Kind != store.CheckpointCut || checkpoints[0].N != 6 || checkpoints[1].N != 10 {
			t.Errorf("checkpoints = %+v, %v", checkpoints, err)
		}
		if rest, err := s.Sealed(t.Context(), 0, 100, 100); err != nil || len(rest) != 4 || rest[0].N != 7 {
			t.Errorf("left = %+v, %v", rest, err)
		}
	})
}
