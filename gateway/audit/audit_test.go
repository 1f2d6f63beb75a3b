package audit_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// start is when tests begin.
var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// seed makes the key of tests that compare bytes.
var seed = ed25519.NewKeyFromSeed([]byte("a seed that everybody may know .")[:ed25519.SeedSize])

// world is a database with a sealer.
type world struct {
	t      *testing.T
	db     *store.Store
	vault  *connectors.Vault
	sealer *audit.Sealer
	now    time.Time // the clock on SQLite
}

func newWorld(t *testing.T, engine string) *world {
	t.Helper()
	w := &world{t: t, now: start}
	w.vault = &connectors.Vault{Keys: map[string][]byte{"k1": make([]byte, 32)}, Current: "k1"}
	w.db = storetest.Open(t, storetest.DSN(t, engine), store.Options{Now: func() time.Time { return w.now }})
	w.sealer = &audit.Sealer{Store: w.db, Vault: w.vault, Holder: "a"}
	return w
}

func (w *world) in(f func(*store.Tx) error) {
	w.t.Helper()
	if err := w.db.InTx(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) record(entries ...store.Entry) {
	w.t.Helper()
	for i := range entries {
		if entries[i].At.IsZero() {
			entries[i].At = start
		}
	}
	w.in(func(tx *store.Tx) error { return tx.RecordAll(w.t.Context(), entries) })
}

// steps records n entries that differ.
func (w *world) steps(n int) {
	w.t.Helper()
	entries := make([]store.Entry, n)
	for i := range entries {
		entries[i] = store.Entry{CaseID: fmt.Sprintf("case-%d", i%3), Kind: "delivery.attempted", Subject: "jira", Content: map[string]int{"attempt": i}}
	}
	w.record(entries...)
}

func (w *world) seal() int {
	w.t.Helper()
	n, err := w.sealer.Round(w.t.Context())
	if err != nil {
		w.t.Fatalf("seal: %v", err)
	}
	return n
}

func (w *world) key() ed25519.PublicKey {
	w.t.Helper()
	key, _, err := audit.PublicKey(w.t.Context(), w.db.Queries, w.vault)
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

func (w *world) verify(change ...func(*audit.Question)) audit.Answer {
	w.t.Helper()
	q := audit.Question{Key: w.key()}
	for _, f := range change {
		f(&q)
	}
	a, err := audit.Verify(w.t.Context(), w.db, q)
	if err != nil {
		w.t.Fatalf("verify: %v", err)
	}
	return a
}

func (w *world) whole(want audit.Answer) audit.Answer {
	w.t.Helper()
	a := w.verify()
	if a.Sealed != want.Sealed || a.Unsealed != want.Unsealed || a.Pruned != want.Pruned || a.Erased != want.Erased || !a.OK() || len(a.Notes) > 0 {
		w.t.Fatalf("verify = %s", show(a))
	}
	return a
}

// broken verifies what was tampered with and answers the first fault.
func (w *world) broken(change ...func(*audit.Question)) audit.Fault {
	w.t.Helper()
	a := w.verify(change...)
	if a.OK() || len(a.Faults) == 0 {
		w.t.Fatalf("nothing is found broken: %s", show(a))
	}
	return a.Faults[0]
}

func show(a audit.Answer) string {
	text, _ := json.MarshalIndent(a, "", " ")
	return string(text)
}

func (w *world) sql(query string, args ...any) {
	w.t.Helper()
	if w.db.Engine() == storetest.SQLite {
		query = strings.ReplaceAll(query, "$", "?")
	}
	if _, err := w.db.DB().ExecContext(w.t.Context(), query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

func (w *world) entries() []store.Entry {
	w.t.Helper()
	es, err := w.db.Sealed(w.t.Context(), 0, 1<<40, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return es
}

// putBack makes a head that was signed once the head again.
func (w *world) putBack(head store.Checkpoint) {
	w.t.Helper()
	w.sql(`UPDATE seal_head SET n = $1, chain = $2, at = $3, key_id = $4, signature = $5`,
		head.N, head.Chain, head.At.UnixMilli(), head.KeyID, head.Signature)
}

// restore puts a row back as it was read.
func (w *world) restore(e store.Entry) {
	w.t.Helper()
	content, _ := e.Content.(json.RawMessage)
	salt := e.Salt
	if salt == nil {
		salt = []byte{}
	}
	w.sql(`UPDATE records SET at = $1, kind = $2, case_id = $3, subject = $4, salt = $5, content = $6 WHERE n = $7`,
		e.At.UnixMilli(), e.Kind, e.CaseID, e.Subject, salt, string(content), e.N)
}

// emptied writes the empty bytes of an engine into a statement.
func emptied(engine, statement string) string {
	if engine == storetest.SQLite {
		return strings.ReplaceAll(statement, "$EMPTY", "x''")
	}
	return strings.ReplaceAll(statement, "$EMPTY", "''")
}
