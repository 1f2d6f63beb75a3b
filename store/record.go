package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Entry is one step of the record. Content is anything that becomes JSON; entries that were read hold it as
// json.RawMessage, empty when it was erased. ID, Salt, Digest, N and Chain are assigned, the last two by Seal.
type Entry struct {
	ID      string
	At      time.Time
	CaseID  string
	Kind    string
	Subject string
	Content any
	Salt    []byte
	Digest  []byte
	N       int64  // place in the chain, from 1; 0 until the entry is sealed
	Chain   string // hash over everything up to this entry
}

const (
	entryColumns  = `id, at, case_id, kind, subject, salt, content, digest`
	sealedColumns = entryColumns + `, COALESCE(n, 0), chain`
)

func (e *Entry) fields() []any {
	content := new(json.RawMessage)
	e.Content = content
	return []any{&e.ID, (*stamp)(&e.At), &e.CaseID, &e.Kind, &e.Subject, &e.Salt, (*document)(content), &e.Digest,
		&e.N, &e.Chain}
}

// Intact tells whether an entry that was read says what it said when it was written. An erased one does not.
func (e Entry) Intact() bool {
	content, ok := e.Content.(json.RawMessage)
	return ok && bytes.Equal(e.Digest, digest(e, content))
}

// Erased tells whether everything that could say something about a person is gone from an entry that was read.
func (e Entry) Erased() bool {
	content, ok := e.Content.(json.RawMessage)
	return ok && len(content) == 0 && len(e.Salt) == 0 && e.Subject == ""
}

// digest stands for an entry in chained text without giving anything of it away. Each part goes in with its length,
// so that no two entries have the same parts in a row.
func digest(e Entry, content []byte) []byte {
	h := sha256.New()
	at := strconv.FormatInt(millis(e.At), 10)
	for _, part := range [][]byte{e.Salt, []byte(e.Kind), []byte(at), []byte(e.CaseID), []byte(e.Subject), content} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

// Record appends an entry to the record.
func (t *Tx) Record(ctx context.Context, e Entry) error {
	return t.RecordAll(ctx, []Entry{e})
}

// RecordAll appends entries to the record, in their order.
func (t *Tx) RecordAll(ctx context.Context, entries []Entry) error {
	for part := range parts(entries) {
		args := make([]any, 0, len(part)*8)
		for _, e := range part {
			content, err := json.Marshal(e.Content)
			if err != nil {
				return wrap("write record", err)
			}
			e.Kind, e.Subject, e.Salt = text(e.Kind), text(e.Subject), make([]byte, 16)
			rand.Read(e.Salt) // never fails
			args = append(args, NewID(), millis(e.At), e.CaseID, e.Kind, e.Subject, e.Salt, string(content), digest(e, content))
		}
		_, err := t.exec(ctx, `INSERT INTO records (`+entryColumns+`) VALUES `+tuples(len(part), plain(8)...), args...)
		if err != nil {
			return wrap("write record", err)
		}
	}
	return nil
}

// RecordOfCase reads the record of a case, the oldest entry first.
func (q Queries) RecordOfCase(ctx context.Context, caseID string) ([]Entry, error) {
	es, err := all(ctx, q, (*Entry).fields, `SELECT `+sealedColumns+` FROM records WHERE case_id = $1 AND case_id <> ''
		ORDER BY id`, caseID)
	return plainContent(es), wrap("read record of case", err)
}

// RecordOfCases reads the entries of one kind in some cases, the oldest first.
func (q Queries) RecordOfCases(ctx context.Context, kind string, caseIDs []string) ([]Entry, error) {
	var found []Entry
	for part := range slices.Chunk(caseIDs, batch) {
		es, err := all(ctx, q, (*Entry).fields, `SELECT `+sealedColumns+` FROM records WHERE case_id IN `+list(2, len(part))+`
			AND case_id <> '' AND kind = $1 ORDER BY id`, append([]any{kind}, anys(part)...)...)
		if err != nil {
			return nil, wrap("read record of cases", err)
		}
		found = append(found, plainContent(es)...)
	}
	return found, nil
}

// Undecided reads entries of a kind whose case is there and has no decision.
func (q Queries) Undecided(ctx context.Context, kind string, limit int) ([]Entry, error) {
	es, err := all(ctx, q, (*Entry).fields, `SELECT `+prefixed("r", entryColumns)+`, COALESCE(r.n, 0), r.chain
		FROM records AS r JOIN cases AS c ON c.id = r.case_id
		WHERE r.kind = $1 AND NOT EXISTS (SELECT 1 FROM decisions AS d WHERE d.case_id = r.case_id) ORDER BY r.id LIMIT $2`,
		kind, int64(limit))
	return plainContent(es), wrap("read record", err)
}

// Records reads the record from the entry after the id given, the oldest first.
func (q Queries) Records(ctx context.Context, after string, limit int) ([]Entry, error) {
	es, err := all(ctx, q, (*Entry).fields, `SELECT `+sealedColumns+` FROM records WHERE id > $1 ORDER BY id LIMIT $2`,
		after, int64(limit))
	return plainContent(es), wrap("read record", err)
}

func plainContent(es []Entry) []Entry {
	for i := range es {
		es[i].Content = *es[i].Content.(*json.RawMessage)
	}
	return es
}
