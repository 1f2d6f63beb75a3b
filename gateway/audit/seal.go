package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const (
	// No connection can have this name, and leases share one space of names.
	sealerLease = "record/sealer"
	sealerTTL   = 15 * time.Second
	sealBatch   = 1024
)

// Sealer seals the record while it holds the lease. One goroutine uses it.
type Sealer struct {
	Store  *store.Store
	Vault  *connectors.Vault
	Holder string // names this replica among others

	key     ed25519.PrivateKey
	lease   store.Lease
	renewAt time.Time
	seen    int64 // how far the record was sealed the last time we looked
}

// ErrTampered is what sealing answers when the head of the record is not one that was signed, or has gone back: to go
// on from there would cover the traces.
var ErrTampered = errors.New("the head of the record was tampered with, and nothing is sealed until that is settled")

// Round seals what there is and returns how many entries that were; none when another replica has the lease. Entries
// that are committed during the round may be left for the next.
func (s *Sealer) Round(ctx context.Context) (int, error) {
	if err := s.open(ctx); err != nil {
		return 0, err
	}
	held, err := s.hold(ctx)
	if err != nil || !held {
		return 0, err
	}
	head, err := s.Store.Head(ctx)
	if err != nil {
		return 0, err
	}
	if head.N < s.seen {
		return 0, fmt.Errorf("%w: it stood at %d and now stands at %d", ErrTampered, s.seen, head.N)
	}
	n, err := sealAll(ctx, s.Store, s.key, &s.lease)
	s.seen = head.N + int64(n)
	return n, err
}

// Release gives the lease back, so that another replica need not wait for its end.
func (s *Sealer) Release(ctx context.Context) error {
	if s.lease.Epoch == 0 {
		return nil
	}
	lease := s.lease
	s.lease = store.Lease{}
	return s.Store.Release(ctx, lease)
}

func (s *Sealer) open(ctx context.Context) error {
	if s.key != nil {
		return nil
	}
	if !canSeal(s.Vault) {
		// Unsigned sealing ends as soon as a replica with keys has made a signing key.
		if _, err := s.Store.Setting(ctx, keySetting); !errors.Is(err, store.ErrNotFound) {
			return errors.Join(err, ErrLocked)
		}
		return nil
	}
	return s.Store.InTx(ctx, func(tx *store.Tx) (err error) {
		s.key, err = OpenKey(ctx, tx, s.Vault)
		return err
	})
}

func (s *Sealer) hold(ctx context.Context) (bool, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return false, err
	}
	if s.lease.Epoch != 0 && now.Before(s.renewAt) {
		return true, nil
	}
	lease, held, err := s.Store.Acquire(ctx, sealerLease, s.Holder, sealerTTL)
	if err != nil || !held {
		s.lease = store.Lease{}
		return false, err
	}
	s.lease, s.renewAt = lease, now.Add(sealerTTL/3)
	return true, nil
}

// sealAll seals batch after batch until nothing is left. The head's lock alone keeps two that do it from doing harm; a
// lease, where given, keeps them from doing it twice.
func sealAll(ctx context.Context, db *store.Store, key ed25519.PrivateKey, lease *store.Lease) (int, error) {
	total, after := 0, "" // behind what was sealed here: the index has those entries until it is cleaned up
	for {
		now, err := db.Now(ctx)
		if err != nil {
			return total, err
		}
		if total == 0 {
			if due, err := sealDue(ctx, db, key, now); err != nil || !due {
				return 0, err
			}
		}
		n, last := 0, ""
		err = db.InTx(ctx, func(tx *store.Tx) (err error) {
			if lease != nil {
				if err := tx.HoldsLease(ctx, *lease); err != nil {
					return err
				}
			}
			n, last, err = sealSome(ctx, tx, key, now, after)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("seal record: %w", err)
		}
		total, after = total+n, last
		if n < sealBatch {
			return total, nil
		}
	}
}

// sealDue looks without writing, so that an idle system writes nothing.
func sealDue(ctx context.Context, db *store.Store, key ed25519.PrivateKey, now time.Time) (bool, error) {
	waiting, err := db.ToSeal(ctx, "", 1)
	if err != nil || len(waiting) > 0 {
		return len(waiting) > 0, err
	}
	head, err := db.Head(ctx)
	if err != nil || head.N == 0 {
		return false, err
	}
	if key != nil && head.KeyID != keyIDOf(key) {
		return true, nil
	}
	return dayDue(ctx, db.Queries, now)
}

func dayDue(ctx context.Context, q store.Queries, now time.Time) (bool, error) {
	last, err := q.NewestCheckpoint(ctx, store.CheckpointDay)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	day := func(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
	return day(last.At).Before(day(now)), err
}

// sealSome seals one batch of entries after the id given. It answers how many they were, and the id of the last.
func sealSome(ctx context.Context, tx *store.Tx, key ed25519.PrivateKey, now time.Time, after string) (n int, last string, err error) {
	head, err := tx.LockHead(ctx)
	if err != nil {
		return 0, "", err
	}
	if err := mayGoOn(ctx, tx, key, head); err != nil {
		return 0, "", err
	}
	entries, err := tx.ToSeal(ctx, after, sealBatch)
	if err != nil {
		return 0, "", err
	}
	if n = len(entries); n > 0 {
		last = entries[n-1].ID
	}
	if head, err = tx.Seal(ctx, head, entries); err != nil {
		return 0, "", err
	}
	head.Kind, head.At = store.CheckpointHead, now
	if err := tx.SetHead(ctx, sign(key, head)); err != nil {
		return 0, "", err
	}
	due, err := dayDue(ctx, tx.Queries, now)
	if err != nil || !due {
		return n, last, err
	}
	head.Kind = store.CheckpointDay
	return n, last, tx.SetCheckpoint(ctx, sign(key, head))
}

// mayGoOn tells whether a head, which is locked, is one to seal after.
func mayGoOn(ctx context.Context, tx *store.Tx, key ed25519.PrivateKey, head store.Checkpoint) error {
	if key != nil {
		if !signedBy(key.Public().(ed25519.PublicKey), head) {
			return ErrTampered
		}
		return nil
	}
	if _, err := tx.Setting(ctx, keySetting); !errors.Is(err, store.ErrNotFound) {
		return errors.Join(err, ErrLocked)
	}
	return nil
}

// Cut is a step of retention: it deletes from the beginning of the record what is sealed and older than before, at
// most limit entries, and leaves a signed checkpoint in their place. It answers how many entries went; 0 is the end.
func Cut(ctx context.Context, db *store.Store, vault *connectors.Vault, before time.Time, limit int) (int, error) {
	now, err := db.Now(ctx)
	if err != nil {
		return 0, err
	}
	var gone int64
	err = db.InTx(ctx, func(tx *store.Tx) error {
		gone = 0
		key, err := OpenKey(ctx, tx, vault)
		if err != nil {
			return err
		}
		head, err := tx.LockHead(ctx)
		if err != nil {
			return err
		}
		if err := mayGoOn(ctx, tx, key, head); err != nil {
			return err
		}
		cut, err := cutAfter(ctx, tx, head, before, limit)
		if err != nil || cut.N == 0 {
			return err
		}
		cut.At = now
		gone, err = tx.CutRecord(ctx, sign(key, cut))
		return err
	})
	return int(gone), err
}

// cutAfter finds the last entry to go. What is broken stays, as evidence.
func cutAfter(ctx context.Context, tx *store.Tx, head store.Checkpoint, before time.Time, limit int) (store.Checkpoint, error) {
	var cut store.Checkpoint
	start, err := tx.NewestCheckpoint(ctx, store.CheckpointCut)
	if errors.Is(err, store.ErrNotFound) {
		start, err = store.Checkpoint{Chain: store.Genesis()}, nil
	}
	if err != nil {
		return cut, err
	}
	entries, err := tx.Sealed(ctx, start.N, head.N, limit)
	if err != nil {
		return cut, err
	}
	n, chain := start.N, start.Chain
	for _, e := range entries {
		n++
		if e.N != n || e.Link(chain, n) != e.Chain || !e.Intact() && !e.Erased() {
			return cut, fmt.Errorf("cut record: row %d is broken; `drawbridge audit verify` says more", n)
		}
		if chain = e.Chain; !e.At.Before(before) {
			break
		}
		cut = store.Checkpoint{Kind: store.CheckpointCut, N: n, Chain: chain}
	}
	return cut, nil
}

func keyIDOf(key ed25519.PrivateKey) string { return KeyID(key.Public().(ed25519.PublicKey)) }

// sign signs a checkpoint; without a key it is left unsigned.
func sign(key ed25519.PrivateKey, c store.Checkpoint) store.Checkpoint {
	c.KeyID, c.Signature = "", nil
	if key != nil {
		c.KeyID, c.Signature = keyIDOf(key), ed25519.Sign(key, statement(c))
	}
	return c
}

// statement is what the signature of a checkpoint says.
func statement(c store.Checkpoint) []byte {
	return []byte(strings.Join([]string{
		"drawbridge-checkpoint v1", c.Kind, strconv.FormatInt(c.N, 10), c.Chain, strconv.FormatInt(millis(c.At), 10),
	}, "\n"))
}

func signedBy(key ed25519.PublicKey, c store.Checkpoint) bool {
	return c.KeyID == KeyID(key) && ed25519.Verify(key, statement(c), c.Signature)
}

// millis is a time as the database gives it back; a head that was never written has none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
