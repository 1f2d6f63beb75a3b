package audit_test

import (
	"errors"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestSealerSealsWhatThereIs(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		if n := w.seal(); n != 0 {
			t.Errorf("sealed %d entries of an empty record", n)
		}
		w.steps(1100)
		w.whole(audit.Answer{Unsealed: 1100})
		if n := w.seal(); n != 1100 {
			t.Errorf("sealed %d entries", n)
		}
		a := w.whole(audit.Answer{Sealed: 1100})
		if !a.Signed || a.Checkpoints != 1 || a.Head.N != 1100 {
			t.Errorf("answer = %s", show(a))
		}
		if n := w.seal(); n != 0 {
			t.Errorf("sealed %d entries again", n)
		}
	})
}

func TestOneSealerAtATime(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		other := &audit.Sealer{Store: w.db, Vault: w.vault, Holder: "b"}
		w.steps(1)
		w.seal()
		w.steps(1)
		if n, err := other.Round(t.Context()); n != 0 || err != nil {
			t.Errorf("the second sealer sealed %d, %v", n, err)
		}
		if err := w.sealer.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := other.Round(t.Context()); n != 1 || err != nil {
			t.Errorf("the second sealer sealed %d after the release, %v", n, err)
		}
		w.whole(audit.Answer{Sealed: 2})
	})
}

func TestACheckpointADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite)
	w.steps(1)
	for _, test := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {14 * time.Hour, 1}, {15 * time.Hour, 2}, {38 * time.Hour, 2}, {40 * time.Hour, 3}} {
		w.now = start.Add(test.after)
		w.seal()
		if a := w.whole(audit.Answer{Sealed: 1}); a.Checkpoints != test.want {
			t.Errorf("after %s there are %d checkpoints", test.after, a.Checkpoints)
		}
	}
}

func TestSealingWithoutAKeyFile(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		keyless := &audit.Sealer{Store: w.db, Vault: &connectors.Vault{}, Holder: "a"}
		w.steps(3)
		if n, err := keyless.Round(t.Context()); n != 3 || err != nil {
			t.Fatalf("sealed %d, %v", n, err)
		}
		if key := w.key(); key != nil {
			t.Error("a key was made")
		}
		if a := w.whole(audit.Answer{Sealed: 3}); a.Signed {
			t.Error("it is said to be signed")
		}
		// The key file is put in place: signed from then on, and never again by those without it.
		w.seal()
		w.steps(1)
		if n, err := keyless.Round(t.Context()); n != 0 || !errors.Is(err, audit.ErrLocked) {
			t.Errorf("the sealer without keys sealed %d, %v", n, err)
		}
		w.seal()
		if a := w.whole(audit.Answer{Sealed: 4}); !a.Signed || a.Checkpoints != 1 {
			t.Errorf("verify = %s", show(a))
		}
	})
}

func TestKeyIsOpenedByThoseWithTheKeyFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite)
	w.steps(1)
	w.seal()
	key, sure, err := audit.PublicKey(t.Context(), w.db.Queries, w.vault)
	if err != nil || !sure {
		t.Fatalf("with the key file: %v, %v", sure, err)
	}
	again, sure, err := audit.PublicKey(t.Context(), w.db.Queries, &connectors.Vault{})
	if err != nil || sure || !key.Equal(again) {
		t.Errorf("without: %v, %v", sure, err)
	}
	if parsed, err := audit.ParseKey(audit.FormatKey(key)); err != nil || !parsed.Equal(key) {
		t.Errorf("the key as text: %v", err)
	}
	wrong := &connectors.Vault{Keys: map[string][]byte{"k1": []byte("another key of thirty-two bytes.")}, Current: "k1"}
	if _, _, err := audit.PublicKey(t.Context(), w.db.Queries, wrong); err == nil || errors.Is(err, audit.ErrLocked) {
		t.Errorf("with another key of that id: %v", err)
	}
	w.sql(`UPDATE settings SET value = $1 || substr(value, 45) WHERE name = 'record_key'`, audit.FormatKey(make([]byte, 32)))
	if _, _, err := audit.PublicKey(t.Context(), w.db.Queries, w.vault); err == nil {
		t.Error("another public key was put beside the sealed one, unnoticed")
	}
}

func TestSealerDoesNotGoOnFromAHeadThatWasTamperedWith(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		tests := []struct {
			name  string
			sql   []string
			fresh bool // the sealer was started again meanwhile
		}{
			{"tail cut and head set back", []string{`DELETE FROM records WHERE n > 3`,
				`UPDATE seal_head SET n = 3, chain = (SELECT chain FROM records WHERE n = 3)`}, true},
			{"the same, and the signature taken away", []string{`DELETE FROM records WHERE n > 3`,
				`UPDATE seal_head SET n = 3, key_id = '', signature = $EMPTY, chain = (SELECT chain FROM records WHERE n = 3)`}, true},
			{"all gone", []string{`DELETE FROM records`, `DELETE FROM checkpoints`, `UPDATE seal_head SET n = 0, chain = '', key_id = '', signature = $EMPTY`}, true},
			{"an old head put back", []string{`DELETE FROM records WHERE n > 3`}, false},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, engine)
				w.steps(3)
				w.seal()
				old, err := w.db.Head(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				w.steps(3)
				w.seal()
				for _, statement := range test.sql {
					w.sql(emptied(engine, statement))
				}
				if !test.fresh {
					w.putBack(old)
				}
				w.steps(1)
				sealer := w.sealer
				if test.fresh {
					sealer = &audit.Sealer{Store: w.db, Vault: w.vault, Holder: "a"}
				}
				if n, err := sealer.Round(t.Context()); n != 0 || !errors.Is(err, audit.ErrTampered) {
					t.Errorf("sealed %d, %v", n, err)
				}
				if test.fresh {
					w.broken()
				}
			})
		}
	})
}

func TestCutLeavesASignedCheckpoint(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		for i := range 10 {
			w.record(store.Entry{At: start.Add(time.Duration(i) * time.Hour), Kind: "step", Content: i})
		}
		w.seal()
		total := 0
		for {
			n, err := audit.Cut(t.Context(), w.db, w.vault, start.Add(7*time.Hour), 3)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			total += n
		}
		if total != 7 {
			t.Errorf("cut %d entries", total)
		}
		a := w.whole(audit.Answer{Sealed: 3, Pruned: 7})
		w.steps(2)
		w.seal()
		w.whole(audit.Answer{Sealed: 5, Pruned: 7})
		w.sql(`DELETE FROM records WHERE n = 8`)
		if f := w.broken(); f.N != 8 {
			t.Errorf("the first row after the cut is gone, and the fault is %s", f)
		}
		if a.Head.N != 10 {
			t.Errorf("head = %s", a.Head)
		}
	})
}

func TestCutKeepsWhatIsBroken(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.steps(5)
		w.seal()
		w.sql(`UPDATE records SET content = '{"attempt":9}' WHERE n = 3`)
		if n, err := audit.Cut(t.Context(), w.db, w.vault, start.Add(time.Hour), 100); n != 0 || err == nil {
			t.Errorf("cut %d entries over a broken one, %v", n, err)
		}
	})
}
