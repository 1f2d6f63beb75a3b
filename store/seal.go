package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"
)

// Kinds of checkpoints.
const (
	CheckpointHead = "head" // how far the record is sealed
	CheckpointDay  = "day"
	CheckpointCut  = "cut" // what was before it is gone
)

// Checkpoint vouches for the record up to row N. Whoever makes one signs it; KeyID is empty where there is no key.
type Checkpoint struct {
	Kind      string
	N         int64
	Chain     string // as in the entry N
	At        time.Time
	KeyID     string
	Signature []byte
}

func (c *Checkpoint) fields() []any {
	return []any{&c.Kind, &c.N, &c.Chain, (*stamp)(&c.At), &c.KeyID, &c.Signature}
}

// Genesis is the chain before the first row.
func Genesis() string {
	sum := sha256.Sum256([]byte("drawbridge record v1"))
	return hex.EncodeToString(sum[:])
}

// Link is the chain of an entry that comes as number n after a chain. It covers what erasure leaves as it is, and the
// digest stands for the rest.
func (e Entry) Link(before string, n int64) string {
	h := sha256.New()
	at := strconv.FormatInt(millis(e.At), 10)
	for _, part := range [][]byte{
		[]byte(before), []byte(strconv.FormatInt(n, 10)), []byte(e.ID), []byte(at), []byte(e.Kind), []byte(e.CaseID), e.Digest,
	} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// LockHead reads how far the record is sealed and bars others from sealing until the transaction ends.
func (t *Tx) LockHead(ctx context.Context) (Checkpoint, error) {
	head, err := t.head(ctx, t.engine.forUpdate)
	return head, wrap("lock head of record", err)
}

// Head reads how far the record is sealed; N is 0 when nothing is.
func (q Queries) Head(ctx context.Context) (Checkpoint, error) {
	head, err := q.head(ctx, "")
	return head, wrap("read head of record", err)
}

func (q Queries) head(ctx context.Context, lock string) (Checkpoint, error) {
	head, err := one(ctx, q, (*Checkpoint).fields, `SELECT 'head', n, chain, at, key_id, signature FROM seal_head`+lock)
	if err == nil && head.N == 0 && head.Chain == "" {
		head.Chain = Genesis()
	}
	return head, err
}

// UnsealedAfter reads rows that are still to be sealed from the one after the id given, the oldest first. A transaction that
// commits late brings rows older than some that are sealed already: they are here all the same, after "".
func (q Queries) UnsealedAfter(ctx context.Context, after string, limit int) ([]Entry, error) {
	es, err := all(ctx, q, (*Entry).fields, `SELECT `+sealedColumns+` FROM records WHERE n IS NULL AND id > $1
		ORDER BY id LIMIT $2`, after, int64(limit))
	return plainContent(es), wrap("read unsealed record", err)
}

// ToSeal reads the same rows without what their digests stand for, which is all that Seal needs.
func (q Queries) ToSeal(ctx context.Context, after string, limit int) ([]Entry, error) {
	fields := func(e *Entry) []any { return []any{&e.ID, (*stamp)(&e.At), &e.CaseID, &e.Kind, &e.Digest} }
	es, err := all(ctx, q, fields, `SELECT id, at, case_id, kind, digest FROM records WHERE n IS NULL AND id > $1
		ORDER BY id LIMIT $2`, after, int64(limit))
	return es, wrap("read unsealed record", err)
}

// Seal numbers and chains rows that ToSeal gave, after a head that LockHead gave, and answers where that leads to.
// The caller signs it and writes it with SetHead in the same transaction. ErrConflict when a row is sealed already.
func (t *Tx) Seal(ctx context.Context, head Checkpoint, entries []Entry) (Checkpoint, error) {
	for part := range parts(entries) {
		args := make([]any, 0, len(part)*3)
		for _, e := range part {
			head.N++
			head.Chain = e.Link(head.Chain, head.N)
			args = append(args, e.ID, head.N, head.Chain)
		}
		// n IS NULL would make PostgreSQL look through all that is unsealed for each batch; COALESCE sends it by id.
		n, err := t.exec(ctx, `UPDATE records SET n = v.column2, chain = v.column3 FROM (VALUES `+
			tuples(len(part), "CAST(? AS TEXT)", "CAST(? AS BIGINT)", "CAST(? AS TEXT)")+`) AS v
			WHERE records.id = v.column1 AND COALESCE(records.n, 0) = 0`, args...)
		if err == nil && n != int64(len(part)) {
			err = ErrConflict
		}
		if err != nil {
			return head, wrap("seal record", err)
		}
	}
	return head, nil
}

// SetHead writes how far the record is sealed.
func (t *Tx) SetHead(ctx context.Context, head Checkpoint) error {
	_, err := t.exec(ctx, `UPDATE seal_head SET n = $1, chain = $2, at = $3, key_id = $4, signature = $5`,
		head.N, head.Chain, millis(head.At), head.KeyID, bytesOf(head.Signature))
	return wrap("write head of record", err)
}

// SetCheckpoint stores a checkpoint; one of the same kind and time is replaced. LockHead first.
func (t *Tx) SetCheckpoint(ctx context.Context, c Checkpoint) error {
	_, err := t.exec(ctx, `INSERT INTO checkpoints (kind, n, chain, at, key_id, signature) VALUES `+tuples(1, plain(6)...)+
		` ON CONFLICT (kind, at) DO UPDATE SET n = excluded.n, chain = excluded.chain, key_id = excluded.key_id,
			signature = excluded.signature`, c.Kind, c.N, c.Chain, millis(c.At), c.KeyID, bytesOf(c.Signature))
	return wrap("write checkpoint", err)
}

// Checkpoints reads all checkpoints, the oldest first.
func (q Queries) Checkpoints(ctx context.Context) ([]Checkpoint, error) {
	cs, err := all(ctx, q, (*Checkpoint).fields, `SELECT kind, n, chain, at, key_id, signature FROM checkpoints
		ORDER BY n, at, kind`)
	return cs, wrap("read checkpoints", err)
}

// NewestCheckpoint reads the latest checkpoint of a kind; ErrNotFound when there is none.
func (q Queries) NewestCheckpoint(ctx context.Context, kind string) (Checkpoint, error) {
	c, err := one(ctx, q, (*Checkpoint).fields, `SELECT kind, n, chain, at, key_id, signature FROM checkpoints
		WHERE kind = $1 ORDER BY n DESC, at DESC LIMIT 1`, kind)
	return c, wrap("read checkpoint", err)
}

// Sealed reads sealed rows after number n up to number upTo, in the order of the chain.
func (q Queries) Sealed(ctx context.Context, n, upTo int64, limit int) ([]Entry, error) {
	es, err := all(ctx, q, (*Entry).fields, `SELECT `+sealedColumns+` FROM records WHERE n > $1 AND n <= $2
		ORDER BY n LIMIT $3`, n, upTo, int64(limit))
	return plainContent(es), wrap("read sealed record", err)
}

// LastSealed reads the highest number there is among the rows, whatever the head says; 0 when there is none.
func (q Queries) LastSealed(ctx context.Context) (int64, error) {
	n, err := one(ctx, q, single[int64], `SELECT COALESCE(MAX(n), 0) FROM records WHERE n IS NOT NULL`)
	return n, wrap("read end of record", err)
}

// RecordOfKind reads all entries of a kind, by id.
func (q Queries) RecordOfKind(ctx context.Context, kind string) ([]Entry, error) {
	es, err := all(ctx, q, (*Entry).fields, `SELECT `+sealedColumns+` FROM records WHERE kind = $1 ORDER BY id`, kind)
	return plainContent(es), wrap("read record", err)
}

// CutRecord deletes what is sealed up to the checkpoint, and keeps it as the only cut there is. LockHead first.
func (t *Tx) CutRecord(ctx context.Context, c Checkpoint) (int64, error) {
	if _, err := t.exec(ctx, `DELETE FROM checkpoints WHERE kind = 'cut'`); err != nil {
		return 0, wrap("cut record", err)
	}
	c.Kind = CheckpointCut
	if err := t.SetCheckpoint(ctx, c); err != nil {
		return 0, err
	}
	n, err := t.exec(ctx, `DELETE FROM records WHERE n <= $1`, c.N)
	return n, wrap("cut record", err)
}
