package audit_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// Each byte of each recorded column of a row is changed, alone. Whatever it is, the row it was is the first broken one.
func TestVerifyFindsEveryChangedByte(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.record(store.Entry{Kind: "first", Content: 1},
			store.Entry{CaseID: "c1", Kind: "decision.recorded", Subject: "jira", Content: map[string]string{"by": "ana"}},
			store.Entry{Kind: "third", Content: 1}, store.Entry{Kind: "fourth", Content: 1})
		w.seal()
		w.whole(audit.Answer{Sealed: 4})
		e := w.entries()[1]
		text := map[string]string{"id": e.ID, "case_id": e.CaseID, "kind": e.Kind, "subject": e.Subject, "chain": e.Chain,
			"content": `{"by":"ana"}`}
		for column, value := range text {
			for i := range len(value) {
				changed := value[:i] + string(value[i]^1) + value[i+1:]
				w.tampered(column, i, `UPDATE records SET `+column+` = $1 WHERE n = 2`, changed, value)
			}
			if column != "id" {
				w.tampered(column, 0, `UPDATE records SET `+column+` = $1 WHERE n = 2`, "", value)
			}
		}
		for column, value := range map[string][]byte{"salt": e.Salt, "digest": e.Digest} {
			for i := range value {
				changed := slices.Clone(value)
				changed[i] ^= 0x80
				w.tampered(column, i, `UPDATE records SET `+column+` = $1 WHERE n = 2`, changed, value)
			}
			w.tampered(column, 0, `UPDATE records SET `+column+` = $1 WHERE n = 2`, []byte{}, value)
		}
		for bit := range 63 {
			at := e.At.UnixMilli()
			w.tampered("at", bit, `UPDATE records SET at = $1 WHERE n = 2`, at^(1<<bit), at)
			if n := int64(2) ^ (1 << bit); n > 4 || n == 0 {
				w.sql(`UPDATE records SET n = $1 WHERE id = $2`, n, e.ID)
				if f := w.broken(); f.N != min(2, max(n, 2)) {
					t.Errorf("n %d: %s", n, f)
				}
				w.sql(`UPDATE records SET n = 2 WHERE id = $1`, e.ID)
			}
		}
		w.sql(`UPDATE records SET n = NULL WHERE n = 2`)
		if f := w.broken(); f.N != 2 {
			t.Errorf("n taken away: %s", f)
		}
		w.sql(`UPDATE records SET n = 2 WHERE n IS NULL`)
		w.whole(audit.Answer{Sealed: 4})
	})
}

func (w *world) tampered(column string, i int, statement string, changed, back any) {
	w.t.Helper()
	w.sql(statement, changed)
	a := w.verify()
	if a.OK() || a.Faults[0].N != 2 || a.Broken > 1 {
		w.t.Errorf("%s, byte %d: %s", column, i, show(a))
	}
	w.sql(statement, back)
}

func TestVerifyFindsOtherTampering(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		sql   []string
		want  int64 // number of the first broken row
		count int64
	}{
		{"first row removed", []string{`DELETE FROM records WHERE n = 1`}, 1, 1},
		{"row removed", []string{`DELETE FROM records WHERE n = 4`}, 4, 1},
		{"rows removed", []string{`DELETE FROM records WHERE n BETWEEN 4 AND 6`}, 4, 3},
		{"row removed and those after moved up", []string{`DELETE FROM records WHERE n = 4`,
			`UPDATE records SET n = n + 1000 WHERE n > 4`, `UPDATE records SET n = n - 1001 WHERE n > 1000`}, 4, 0},
		{"tail cut", []string{`DELETE FROM records WHERE n > 7`}, 8, 3},
		{"tail cut and head set back", []string{`DELETE FROM records WHERE n > 7`,
			`UPDATE seal_head SET n = 7, chain = (SELECT chain FROM records WHERE n = 7)`}, 7, 0},
		{"all rows removed", []string{`DELETE FROM records`}, 1, 10},
		{"rows swapped", []string{`UPDATE records SET n = 100 WHERE n = 3`, `UPDATE records SET n = 3 WHERE n = 6`, `UPDATE records SET n = 6 WHERE n = 100`}, 3, 0},
		{"contents swapped", []string{`UPDATE records SET content = 'x' || content WHERE n IN (3, 6)`,
			`UPDATE records SET content = CASE n WHEN 3 THEN '{"attempt":5}' ELSE '{"attempt":2}' END WHERE n IN (3, 6)`}, 3, 2},
		{"row emptied as an erasure would", []string{`UPDATE records SET salt = $EMPTY, subject = '', content = '' WHERE n = 5`}, 5, 1},
		{"row added at the end", []string{`INSERT INTO records (id, at, case_id, kind, subject, salt, content, digest, n, chain)
			SELECT 'x', at, case_id, kind, subject, salt, content, digest, 11, chain FROM records WHERE n = 10`}, 11, 1},
		{"checkpoint changed", []string{`UPDATE checkpoints SET chain = (SELECT chain FROM records WHERE n = 3)`}, 4, 0},
		{"checkpoint moved", []string{`UPDATE checkpoints SET n = 3, chain = (SELECT chain FROM records WHERE n = 3)`}, 3, 1},
		{"checkpoint without its signature", []string{`UPDATE checkpoints SET key_id = '', signature = $EMPTY`}, 4, 1},
		{"head without its signature", []string{`UPDATE seal_head SET key_id = '', signature = $EMPTY`}, 10, 1},
		{"head's time changed", []string{`UPDATE seal_head SET at = at + 1`}, 10, 1},
		{"a cut made up", []string{`DELETE FROM records WHERE n <= 5`, `INSERT INTO checkpoints (kind, n, chain, at, key_id, signature)
			SELECT 'cut', 5, 'x', 1, key_id, signature FROM seal_head`}, 5, 0},
	}
	storetest.Engines(t, func(t *testing.T, engine string) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, engine)
				w.steps(4)
				w.seal() // and the day's checkpoint at 4
				w.steps(6)
				w.seal()
				w.whole(audit.Answer{Sealed: 10})
				for _, statement := range test.sql {
					w.sql(emptied(engine, statement))
				}
				a := w.verify()
				if a.OK() || a.Faults[0].N != test.want || test.count > 0 && a.Broken != test.count {
					t.Errorf("verify = %s", show(a))
				}
			})
		}
	})
}

// Somebody with the database, but without the key, puts digests and chain right after changing a row.
func TestVerifyFindsAChainThatWasRebuilt(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.steps(4)
		w.seal()
		w.steps(6)
		w.seal()
		known := w.verify().Head
		row := w.entries()[6]
		w.record(store.Entry{At: row.At, CaseID: row.CaseID, Kind: row.Kind, Subject: row.Subject, Content: "never happened"})
		w.sql(`UPDATE records SET salt = (SELECT salt FROM records WHERE n IS NULL), content = (SELECT content FROM records WHERE n IS NULL),
			digest = (SELECT digest FROM records WHERE n IS NULL) WHERE n = 7`)
		w.sql(`DELETE FROM records WHERE n IS NULL`)
		chain := ""
		for _, e := range w.entries() {
			if e.N >= 7 {
				chain = e.Link(chain, e.N)
				w.sql(`UPDATE records SET chain = $1 WHERE n = $2`, chain, e.N)
				continue
			}
			chain = e.Chain
		}
		a := w.verify()
		if a.Broken != 1 || a.Faults[0].N != 10 || !strings.Contains(a.Faults[0].What, "up to row 4 nothing was") {
			t.Errorf("verify = %s", show(a))
		}
		w.sql(`UPDATE seal_head SET chain = $1`, chain)
		if a := w.verify(func(q *audit.Question) { q.Expect = []audit.Anchor{known} }); a.Broken != 2 {
			t.Errorf("with the head's chain put right as well: %s", show(a))
		}
	})
}

// A tail cut to a state that was signed once leaves nothing in the database that says so.
func TestVerifyFindsATailCutToAnOldHead(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.steps(4)
		w.seal()
		old, err := w.db.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.steps(3)
		w.seal()
		known := w.verify().Head
		w.sql(`DELETE FROM records WHERE n > 4`)
		w.putBack(old)
		w.whole(audit.Answer{Sealed: 4})
		if f := w.broken(func(q *audit.Question) { q.Expect = []audit.Anchor{known} }); f.N != 5 {
			t.Errorf("fault = %s", f)
		}
		a := w.verify(func(q *audit.Question) {
			q.Expect = []audit.Anchor{{N: 4, Chain: old.Chain}, {N: 0, Chain: store.Genesis()}}
		})
		if !a.OK() {
			t.Errorf("what was known before: %s", show(a))
		}
		if f := w.broken(func(q *audit.Question) { q.Expect = []audit.Anchor{{N: 4, Chain: known.Chain}} }); f.N != 4 {
			t.Errorf("fault = %s", f)
		}
	})
}

func TestVerifyOfPlacesPastTheirRetention(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite)
	w.steps(2)
	w.seal()
	day := w.verify().Head
	w.steps(2)
	w.seal()
	between := w.verify().Head
	w.steps(2)
	w.seal()
	if n, err := audit.Cut(t.Context(), w.db, w.vault, start.Add(time.Hour), 5); n != 5 || err != nil {
		t.Fatalf("cut %d, %v", n, err)
	}
	a := w.verify(func(q *audit.Question) { q.Expect = []audit.Anchor{day, between} })
	if !a.OK() || len(a.Notes) != 1 || !strings.Contains(a.Notes[0], "row 4") {
		t.Errorf("verify = %s", show(a))
	}
}

func TestVerifyNamesRowsForPeople(t *testing.T) {
	t.Parallel()
	f := audit.Fault{N: 7, ID: "id", Kind: "decision.recorded", At: start, What: "it does not say what was recorded"}
	if got, want := f.String(), `row 7 (id, "decision.recorded" at 2026-11-20T09:00:00Z): it does not say what was recorded`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := (audit.Fault{N: 8, What: "is missing"}).String(); got != "row 8: is missing" {
		t.Error(got)
	}
}

func TestParseAnchor(t *testing.T) {
	t.Parallel()
	chain := strings.Repeat("0a", 32)
	if a, err := audit.ParseAnchor("12:" + chain); err != nil || a != (audit.Anchor{N: 12, Chain: chain}) || a.String() != "12:"+chain {
		t.Errorf("%v, %v", a, err)
	}
	for _, text := range []string{"", "12", ":" + chain, "-1:" + chain, "+1:" + chain, "01:" + chain, "12:" + chain[1:], "12:" + strings.ToUpper(chain), "12:" + hex.EncodeToString([]byte("x"))} {
		if a, err := audit.ParseAnchor(text); err == nil {
			t.Errorf("ParseAnchor(%q) = %v", text, a)
		}
	}
}

// Rows are written, sealed and cut while verifying goes on: it never cries wolf.
func TestVerifyBesideAWorkingSystem(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.steps(50)
		w.seal()
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		run := func(f func(i int) error) {
			work.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					if err := f(i); err != nil && ctx.Err() == nil {
						t.Error(err)
						return
					}
				}
			})
		}
		run(func(i int) error {
			return w.db.InTx(ctx, func(tx *store.Tx) error {
				return tx.Record(ctx, store.Entry{At: start, Kind: "step", Content: fmt.Sprint(i)})
			})
		})
		run(func(int) error {
			_, err := w.sealer.Round(ctx)
			return err
		})
		run(func(i int) error {
			_, err := audit.Cut(ctx, w.db, w.vault, start.Add(time.Hour), 1)
			return err
		})
		for range 15 {
			if a := w.verify(); !a.OK() {
				t.Errorf("verify = %s", show(a))
				break
			}
		}
		cancel()
		work.Wait()
	})
}
