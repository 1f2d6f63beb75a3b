package audit_test

import (
	"crypto/ed25519"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func sample() audit.Receipt {
	return audit.Receipt{
		ID: "019a9f3e-8c00-7000-8000-000000000001", Decision: "019a9f3e-8c00-7000-8000-000000000002", Case: "019a9f3e-8c00-7000-8000-000000000003",
		Source: "epm", Request: "REQ-1001 <&>", Outcome: "approved", Seconds: 3600, By: "ana", At: start.Add(1234 * time.Microsecond),
		Rule: "epm-app-requests@3", Policy: "endpoint-approvers@2", Issued: start.Add(time.Minute),
		Record: audit.Anchor{N: 1234, Chain: store.Genesis()},
	}
}

func signed(t *testing.T) string {
	t.Helper()
	text, err := sample().Sign(seed)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestReceiptTextIsStable(t *testing.T) {
	t.Parallel()
	golden(t, "receipt.txt", signed(t)+"\n")
}

func TestReceiptSurvivesWhatDesksDoToComments(t *testing.T) {
	t.Parallel()
	text := signed(t)
	want := sample()
	want.Key = audit.KeyID(public(seed))
	want.At = start.Add(time.Millisecond)
	tests := map[string]string{
		"as it is":                           text,
		"in a comment":                       "Approved by Ana.\r\n\r\n" + strings.ReplaceAll(text, "\n", "\r\n") + "\r\n\r\nSent from my phone",
		"in one line":                        strings.ReplaceAll(text, "\n", " "),
		"without any space":                  strings.NewReplacer("\n", "", " ", "").Replace(text),
		"with no-break and zero-width space": strings.NewReplacer("\n", "\u200b", " ", "\u00a0").Replace(text),
		"escaped for Markdown":               strings.NewReplacer("-", `\-`, ".", `\.`).Replace(text),
	}
	for name, text := range tests {
		r, err := audit.ParseReceipt(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := r.Check(public(seed)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, r.Receipt); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if r.Text() != signed(t) {
			t.Errorf("%s: it reads back as\n%s", name, r.Text())
		}
	}
}

func TestReceiptShowsEveryChange(t *testing.T) {
	t.Parallel()
	text := signed(t)
	for i := strings.Index(text, "\n"); i < len(text); i++ {
		if text[i] == '\n' {
			continue
		}
		for _, c := range []byte{text[i] ^ 1, 'A', '7', '.'} {
			if c == text[i] || c == '\\' || c == ' ' {
				continue
			}
			r, err := audit.ParseReceipt(text[:i] + string(c) + text[i+1:])
			if err == nil && r.Check(public(seed)) == nil {
				t.Fatalf("character %d changed to %q goes unnoticed", i, c)
			}
		}
		if r, err := audit.ParseReceipt(text[:i]); err == nil {
			t.Fatalf("cut after %d characters, it reads %v", i, r)
		}
	}
	other := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	r, err := audit.ParseReceipt(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Check(public(other)); !errors.Is(err, audit.ErrForged) {
		t.Errorf("checked with another key: %v", err)
	}
	for _, text := range []string{"", "drawbridge-receipt v1", "drawbridge-receipt v2" + text[len("drawbridge-receipt v1"):], strings.Repeat(text, 200)} {
		if _, err := audit.ParseReceipt(text); err == nil {
			t.Errorf("%.40q is read as a receipt", text)
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	text, err := sample().Sign(seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("drawbridge-receipt v1 PMRA.A")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := audit.ParseReceipt(text)
		if err != nil {
			return
		}
		again, err := audit.ParseReceipt(r.Text())
		if err != nil || again.Text() != r.Text() || cmp.Diff(again.Receipt, r.Receipt) != "" {
			t.Errorf("%q does not read back: %v", r.Text(), err)
		}
		if r.Check(public(seed)) == nil && cmp.Diff(r.Receipt.ID, sample().ID) != "" {
			t.Errorf("forged: %q", text)
		}
	})
}

// decide opens a case and decides it.
func (w *world) decide(request, requester, by, byName string) store.Decision {
	w.t.Helper()
	var d store.Decision
	w.in(func(tx *store.Tx) error {
		receipts, err := tx.Accept(w.t.Context(), []store.Arrival{{
			Event: store.Event{Connection: "epm", Dedupe: request, Kind: "access.requested", RequestID: request, ReceivedAt: start,
				Body: []byte(`{"user":` + requester + `}`), ContentType: "application/json", Normal: []byte(`{"requester":` + requester + `}`)},
			Case: store.Case{Subject: "7-Zip", Requester: requester},
		}})
		if err != nil {
			return err
		}
		if err := tx.PlannedEvent(w.t.Context(), receipts[0].EventID, store.EventPlanned, start); err != nil {
			return err
		}
		caze, err := tx.LockCase(w.t.Context(), receipts[0].CaseID)
		if err != nil {
			return err
		}
		caze.State = store.CaseClosed
		if err := tx.SaveCase(w.t.Context(), caze); err != nil {
			return err
		}
		link, _, err := tx.AddLink(w.t.Context(), store.Link{CaseID: caze.ID, Desk: "jira", Slot: "main", RefID: request, RefKey: "IT-" + request})
		if err != nil {
			return err
		}
		d = store.Decision{ID: store.NewID(), CaseID: caze.ID, LinkID: link.ID, Outcome: "approved", By: by, ByName: byName, Reason: "fine by me", Origin: "desk",
			Rule: "apps", RuleVersion: 3, Policy: "approvers", PolicyVersion: 2, At: start.Add(90 * time.Second), RecordedAt: start.Add(91 * time.Second),
			Length: time.Hour, Detail: []byte(`{"by":"` + by + `"}`)}
		if err := tx.AddDecision(w.t.Context(), d); err != nil {
			return err
		}
		return tx.Record(w.t.Context(), store.Entry{At: d.At, CaseID: caze.ID, Kind: audit.KindDecided, Subject: "jira", Content: audit.Decided(d, caze)})
	})
	return d
}

func (w *world) issue(d store.Decision) string {
	w.t.Helper()
	var text string
	w.in(func(tx *store.Tx) error {
		key, err := audit.OpenKey(w.t.Context(), tx, w.vault)
		if err != nil {
			return err
		}
		text, err = audit.Issue(w.t.Context(), tx, key, d, start.Add(2*time.Minute))
		return err
	})
	return text
}

func TestIssueGivesADecisionOneReceipt(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.steps(3)
		w.seal()
		d := w.decide("R1", `{"account":"CORP\\ana"}`, "bob", "Bob Brown")
		text := w.issue(d)
		if again := w.issue(d); again != text {
			t.Error("a second receipt was given")
		}
		if kept, err := audit.ReceiptOf(t.Context(), w.db.Queries, d.CaseID, d.Outcome); err != nil || kept != text {
			t.Errorf("kept = %q, %v", kept, err)
		}
		r, err := audit.ParseReceipt(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Check(w.key()); err != nil {
			t.Fatal(err)
		}
		head, err := w.db.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := audit.Receipt{ID: r.ID, Decision: d.ID, Case: d.CaseID, Source: "epm", Request: "R1", Outcome: "approved", Seconds: 3600, By: "bob",
			At: d.At, Rule: "apps@3", Policy: "approvers@2", Issued: start.Add(2 * time.Minute), Record: audit.Anchor{N: 3, Chain: head.Chain}, Key: audit.KeyID(w.key())}
		if diff := cmp.Diff(want, r.Receipt); diff != "" {
			t.Errorf("receipt (-want +got):\n%s", diff)
		}
		w.seal()
		ask := func(q *audit.Question) { q.Receipts = []audit.Receipt{r.Receipt} }
		if a := w.verify(ask); !a.OK() || a.Unsealed != 0 {
			t.Errorf("verify = %s", show(a))
		}
		// The entry that says so disappears together with the decision, and everything is put right after.
		w.sql(`DELETE FROM decisions`)
		w.sql(`DELETE FROM records WHERE n > 3`)
		w.putBack(head)
		w.whole(audit.Answer{Sealed: 3})
		if f := w.broken(ask); !strings.Contains(f.What, r.ID) {
			t.Errorf("fault = %s", f)
		}
	})
}

func TestARevocationHasAReceiptOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite)
	d := w.decide("R1", `{"account":"CORP\\ana"}`, "bob", "Bob Brown")
	given := w.issue(d)
	taken := d
	taken.Outcome, taken.By = audit.Revoked, "lee"
	text := w.issue(taken)
	r, err := audit.ParseReceipt(text)
	if err != nil || text == given || r.Outcome != audit.Revoked || r.By != "lee" || r.Decision != d.ID || r.Check(w.key()) != nil {
		t.Errorf("receipt = %+v, %v", r.Receipt, err)
	}
	if w.issue(d) != given || w.issue(taken) != text {
		t.Error("asked again, another receipt is given")
	}
	w.seal()
	if a := w.verify(func(q *audit.Question) { q.Receipts = []audit.Receipt{r.Receipt} }); !a.OK() {
		t.Errorf("verify = %s", show(a))
	}
}

func TestNoReceiptWithoutAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite)
	w.vault.Keys = nil
	if text := w.issue(w.decide("R1", `{}`, "bob", "Bob")); text != "" {
		t.Errorf("receipt = %q", text)
	}
}
