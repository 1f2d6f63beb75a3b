package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func (w *world) people(ids ...store.Identity) {
	w.t.Helper()
	w.in(func(tx *store.Tx) error { return tx.SetPeople(w.t.Context(), "People/staff", ids) })
}

func (w *world) plan(person string) audit.Erasure {
	w.t.Helper()
	plan, err := audit.PlanErasure(w.t.Context(), w.db, person, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return plan
}

func (w *world) erase(person string) audit.Erasure {
	w.t.Helper()
	plan := w.plan(person)
	if err := audit.Erase(w.t.Context(), w.db, w.vault, plan, "root", "asked for by the person", start); err != nil {
		w.t.Fatal(err)
	}
	return plan
}

// text is everything the database holds in places of personal text and in the record.
func (w *world) text() string {
	w.t.Helper()
	var all bytes.Buffer
	for _, p := range store.Places() {
		rows, err := w.db.PersonalRows(w.t.Context(), p, "", 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range rows {
			all.Write(bytes.Join(r.Values, []byte("\n")))
		}
	}
	if _, err := audit.Export(w.t.Context(), w.db.Queries, &all, audit.Range{}, audit.Lines); err != nil {
		w.t.Fatal(err)
	}
	return strings.ToLower(all.String())
}

func TestEraseARequester(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.people(store.Identity{Person: "alice", System: "epm", Account: `CORP\alice`}, store.Identity{Person: "alice", System: "mail", Account: "alice@example.com"})
		theirs := w.decide("R1", `{"account":"CORP\\alice","name":"Alice Adams"}`, "bob", "Bob Brown")
		w.issue(theirs)
		others := w.decide("R2", `{"account":"CORP\\carol"}`, "bob", "Bob Brown")
		w.record(store.Entry{Kind: "event.quarantined", Subject: "q", Content: map[string]string{"reason": "no field for Alice Adams"}})
		w.seal()
		before := w.verify()

		plan := w.erase(`corp\ALICE`)
		if diff := cmp.Diff([]string{`corp\alice`, "alice", "alice@example.com", "alice adams"}, plan.Names); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
		if !slices.Equal(plan.Cases, []string{theirs.CaseID}) || len(plan.Waiting)+len(plan.Staying) > 0 {
			t.Errorf("plan = %+v", plan)
		}
		if text := w.text(); strings.Contains(text, "alice") {
			t.Errorf("left:\n%s", text)
		}
		d, err := w.db.DecisionOf(t.Context(), theirs.CaseID)
		if err != nil || d.By != "bob" || d.ByName != "Bob Brown" || d.Reason != "" || d.Outcome != "approved" {
			t.Errorf("decision = %+v, %v", d, err)
		}
		if _, err := audit.ReceiptOf(t.Context(), w.db.Queries, theirs.CaseID, theirs.Outcome); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("receipt: %v", err)
		}
		other, err := w.db.DecisionOf(t.Context(), others.CaseID)
		if err != nil || other.Reason != "fine by me" {
			t.Errorf("somebody else's decision = %+v, %v", other, err)
		}
		a := w.verify(func(q *audit.Question) { q.Expect = []audit.Anchor{before.Head} })
		if !a.OK() || a.Sealed != before.Sealed || a.Erased != int64(plan.Rows["record"]) || a.Unsealed != 1 {
			t.Errorf("verify after the erasure = %s", show(a))
		}
		w.seal()
		w.whole(audit.Answer{Sealed: before.Sealed + 1, Erased: a.Erased})

		if again := w.erase("alice"); !again.Empty() {
			t.Errorf("again = %+v", again)
		}
		if entries, err := w.db.RecordOfKind(t.Context(), store.KindErased); err != nil || len(entries) != 1 {
			t.Errorf("erasures on the record = %+v, %v", entries, err)
		}
	})
}

func TestEraseAnApprover(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.people(store.Identity{Person: "bob", System: "jira", Account: "5b10a2"})
		d := w.decide("R1", `{"account":"CORP\\alice"}`, "bob", "Bob Brown (bob)")
		w.issue(d)
		w.in(func(tx *store.Tx) error {
			if _, err := tx.AddRefusal(t.Context(), store.Refusal{LinkID: d.LinkID, CaseID: d.CaseID, Claim: "c", Code: "x", Text: "Bob Brown may not", By: "bob"}); err != nil {
				return err
			}
			added, err := tx.AddDelivery(t.Context(), store.Delivery{CaseID: d.CaseID, Lane: "l", Connection: "jira", Kind: "comment",
				Action: []byte(`{"note":{"body":"Approved by Bob Brown"}}`)})
			if err != nil {
				return err
			}
			return tx.Cancel(t.Context(), added.ID, start)
		})
		w.seal()
		w.erase("bob")
		if text := w.text(); strings.Contains(text, "bob") || !strings.Contains(text, "alice") {
			t.Errorf("left:\n%s", text)
		}
		got, err := w.db.DecisionOf(t.Context(), d.CaseID)
		if err != nil || got.By != store.ErasedName || got.ByName != store.ErasedName || got.Reason != "" || got.Rule != "apps" {
			t.Errorf("decision = %+v, %v", got, err)
		}
		if a := w.verify(); !a.OK() || a.Erased != 2 {
			t.Errorf("verify = %s", show(a))
		}
	})
}

func TestEraseWaitsForCasesStillWorkedOn(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		d := w.decide("R1", `{"account":"CORP\\alice"}`, "bob", "Bob Brown")
		var owed store.Delivery
		w.in(func(tx *store.Tx) (err error) {
			owed, err = tx.AddDelivery(t.Context(), store.Delivery{CaseID: d.CaseID, Lane: "l", Connection: "epm", Kind: "decide", Action: []byte(`{"by":"bob"}`)})
			if err != nil {
				return err
			}
			_, err = tx.PutDocument(t.Context(), store.Document{Kind: "People", Name: "staff", Text: "people: [{name: alice}]", At: start})
			return err
		})
		w.seal()
		plan := w.erase(`CORP\alice`)
		if !plan.Empty() || !slices.Equal(plan.Waiting, []string{d.CaseID}) {
			t.Errorf("plan = %+v", plan)
		}
		w.in(func(tx *store.Tx) error { return tx.Cancel(t.Context(), owed.ID, start) })
		if plan := w.erase("alice"); plan.Empty() || len(plan.Waiting) > 0 || !slices.Equal(plan.Staying, []string{"People/staff"}) {
			t.Errorf("plan = %+v", plan)
		}
		if a := w.verify(); !a.OK() || a.Erased == 0 {
			t.Errorf("verify = %s", show(a))
		}
	})
}

func TestErasureIsFoundOutWhenItIsNone(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.decide("R1", `{"account":"CORP\\alice"}`, "bob", "Bob Brown")
		w.seal()
		w.erase("alice")
		w.seal()
		erased := w.verify()
		for name, statement := range map[string]string{
			"entry that says so changed": `UPDATE records SET content = replace(content, 'root', 'toor') WHERE kind = 'record.erased'`,
			"time of an erased entry":    `UPDATE records SET at = at + 1 WHERE n = 1`,
			"kind of an erased entry":    `UPDATE records SET kind = 'x' WHERE n = 1`,
			"subject of an erased entry": `UPDATE records SET subject = 'x' WHERE n = 1`,
			"content of an erased entry": `UPDATE records SET content = '{}' WHERE n = 1`,
			"another entry emptied":      emptied(engine, `UPDATE records SET salt = $EMPTY, content = '', subject = '' WHERE kind = 'record.erased'`),
		} {
			saved := w.entries()
			w.sql(statement)
			if a := w.verify(); a.OK() {
				t.Errorf("%s: not found", name)
			}
			for _, e := range saved {
				w.restore(e)
			}
			if a := w.verify(); !a.OK() || a.Erased != erased.Erased {
				t.Fatalf("%s: not restored: %s", name, show(a))
			}
		}
	})
}

// Who can write to the database empties a sealed row and writes the entry of an erasure that names it.
func TestHostileForgedErasureIsBroken(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.decide("R1", `{"account":"CORP\\alice"}`, "bob", "Bob Brown")
		w.decide("R2", `{"account":"CORP\\carol"}`, "bob", "Bob Brown")
		w.seal()
		w.erase("alice")
		w.seal()
		genuine, err := w.db.RecordOfKind(t.Context(), store.KindErased)
		if err != nil || len(genuine) != 1 {
			t.Fatalf("erasures = %v, %v", genuine, err)
		}
		victim := w.entries()[3]
		w.sql(emptied(engine, `UPDATE records SET salt = $EMPTY, subject = '', content = '' WHERE n = 4`))
		var said map[string]any
		if err := json.Unmarshal(genuine[0].Content.(json.RawMessage), &said); err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(map[string]any){
			"unsigned":                func(e map[string]any) { delete(e, "signature") },
			"another one's signature": func(map[string]any) {},
		} {
			forged := maps.Clone(said)
			forged["entries"] = []string{victim.ID}
			change(forged)
			w.record(store.Entry{Kind: store.KindErased, Content: forged})
			if a := w.verify(); a.OK() || a.Faults[0].N != 4 || a.Erased != 2 {
				t.Errorf("%s: verify = %s", name, show(a))
			}
		}
		w.seal()
		if f := w.broken(); f.N != 4 {
			t.Errorf("sealed by ourselves: %s", f)
		}
	})
}

func TestErasuresBeforeThereWasAKeyAreVouchedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite)
	vault := w.vault
	w.vault, w.sealer = &connectors.Vault{}, &audit.Sealer{Store: w.db, Vault: &connectors.Vault{}, Holder: "a"}
	w.decide("R1", `{"account":"CORP\\alice"}`, "bob", "Bob Brown")
	w.seal()
	w.erase("alice")
	w.seal()
	w.whole(audit.Answer{Sealed: 3, Erased: 2})
	w.vault, w.sealer = vault, &audit.Sealer{Store: w.db, Vault: vault, Holder: "a"}
	w.seal()
	if a := w.verify(); !a.OK() || !a.Signed || a.Sealed != 4 || a.Erased != 2 {
		t.Errorf("verify = %s", show(a))
	}
}

func TestEraseRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite)
	w.people(store.Identity{Person: "alice", System: "epm", Account: "al"}, store.Identity{Person: "albert", System: "jira", Account: "al"})
	if _, err := audit.PlanErasure(t.Context(), w.db, "al", nil); err == nil || !strings.Contains(err.Error(), "albert and alice") {
		t.Errorf("an account of two: %v", err)
	}
	if _, err := audit.PlanErasure(t.Context(), w.db, " ", nil); err == nil {
		t.Error("nobody can be erased")
	}
	w.decide("R1", `{"account":"zoe"}`, "bob", "Bob")
	plan := w.plan("zoe")
	if err := audit.Erase(t.Context(), w.db, w.vault, plan, "root", "Zoe asked", start); !errors.Is(err, audit.ErrNamed) {
		t.Errorf("why with a name in it: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := audit.PlanErasure(ctx, w.db, "zoe", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if text := w.text(); !strings.Contains(text, "zoe") {
		t.Error("something was erased all the same")
	}
}
