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
// json.RawMessage. ID, Salt and Digest are assigned.
type Entry struct {
	ID      string
	At      time.Time
	CaseID  string
	Kind    string
	Subject string
	Content any
	Salt    []byte
	Digest  []byte
}

const entryColumns = `id, at, case_id, kind, subject, salt, content, digest`

func (e *Entry) fields() []any {
	content := new(json.RawMessage)
	e.Content = content
	return []any{&e.ID, (*stamp)(&e.At), &e.CaseID, &e.Kind, &e.Subject, &e.Salt, (*document)(content), &e.Digest}
}

// Intact tells whether an entry that was read says what it said when it was written. An erased one does not.
func (e Entry) Intact() bool {
	content, ok := e.Content.(json.RawMessage)
	return ok && bytes.Equal(e.Digest, digest(e, content))
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
	for part := range slices.Chunk(entries, batch) {
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
	es, err := all(ctx, q, (*Entry).fields, `SELECT `+entryColumns+` FROM records WHERE case_id = $1 AND case_id <> ''
		ORDER BY id`, caseID)
	return plainContent(es), wrap("read record of case", err)
}

// Records reads the record from the entry after the id given, the oldest first.
func (q Queries) Records(ctx context.Context, after string, limit int) ([]Entry, error) {
	es, err := all(ctx, q, (*Entry).fields, `SELECT `+entryColumns+` FROM records WHERE id > $1 ORDER BY id LIMIT $2`,
		after, int64(limit))
	return plainContent(es), wrap("read record", err)
}

func plainContent(es []Entry) []Entry {
	for i := range es {
		es[i].Content = *es[i].Content.(*json.RawMessage)
	}
	return es
}
