package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// audited is a database with one decided case, sealed, and the receipt of the decision.
type audited struct {
	t       *testing.T
	dsn     string
	db      *store.Store
	receipt string // file
}

func newAudited(t *testing.T) *audited {
	t.Helper()
	a := &audited{t: t, dsn: storetest.DSN(t, storetest.SQLite), receipt: filepath.Join(t.TempDir(), "comment.txt")}
	a.db = storetest.Open(t, a.dsn, store.Options{})
	vault, err := databaseSettings{Database: a.dsn}.vault()
	must(t, err)
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	var text string
	must(t, a.db.InTx(t.Context(), func(tx *store.Tx) error {
		receipts, err := tx.Accept(t.Context(), []store.Arrival{{
			Event: store.Event{Connection: "epm", Dedupe: "1", RequestID: "R1", Kind: "access.requested", ReceivedAt: at, Normal: []byte(`{}`)},
			Case:  store.Case{Subject: "7-Zip", Requester: `{"account":"CORP\\alice"}`},
		}})
		if err != nil {
			return err
		}
		if err := tx.PlannedEvent(t.Context(), receipts[0].EventID, store.EventPlanned, at); err != nil {
			return err
		}
		caze, err := tx.LockCase(t.Context(), receipts[0].CaseID)
		if err != nil {
			return err
		}
		caze.State = store.CaseClosed
		if err := tx.SaveCase(t.Context(), caze); err != nil {
			return err
		}
		d := store.Decision{ID: store.NewID(), CaseID: caze.ID, Outcome: "approved", By: "bob", ByName: "Bob Brown", Origin: "desk", Rule: "apps", RuleVersion: 3,
			Policy: "approvers", PolicyVersion: 2, At: at.Add(time.Hour), Length: time.Hour}
		if err := tx.AddDecision(t.Context(), d); err != nil {
			return err
		}
		if err := tx.Record(t.Context(), store.Entry{At: d.At, CaseID: caze.ID, Kind: audit.KindDecided, Content: audit.Decided(d, caze)}); err != nil {
			return err
		}
		key, err := audit.OpenKey(t.Context(), tx, vault)
		if err != nil {
			return err
		}
		text, err = audit.Issue(t.Context(), tx, key, d, at.Add(time.Hour))
		return err
	}))
	must(t, os.WriteFile(a.receipt, []byte("Approved by Bob Brown.\n\n"+text+"\n"), 0o600))
	sealer := audit.Sealer{Store: a.db, Vault: vault, Holder: "test"}
	_, err = sealer.Round(t.Context())
	must(t, err)
	return a
}

// run carries out drawbridge audit on the database.
func (a *audited) run(args ...string) (string, error) {
	a.t.Helper()
	var out bytes.Buffer
	args = append([]string{"audit", args[0], "--database", a.dsn}, args[1:]...)
	err := run(a.t.Context(), args, &out, &out)
	return out.String(), err
}

// says runs a command that must succeed and say something.
func (a *audited) says(want string, args ...string) string {
	a.t.Helper()
	out, err := a.run(args...)
	if err != nil || !strings.Contains(out, want) {
		a.t.Fatalf("audit %s: %v\n%s\nwant %q in it", strings.Join(args, " "), err, out, want)
	}
	return out
}

// fails runs a command that must fail and say why.
func (a *audited) fails(want string, args ...string) {
	a.t.Helper()
	out, err := a.run(args...)
	if err == nil || !strings.Contains(err.Error(), want) {
		a.t.Fatalf("audit %s: %v\n%s\nwant %q in it", strings.Join(args, " "), err, out, want)
	}
}

func (a *audited) sql(statement string) {
	a.t.Helper()
	_, err := a.db.DB().ExecContext(a.t.Context(), statement)
	must(a.t, err)
}

func TestAuditVerifyNamesTheFirstBrokenRow(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.says("Nothing is broken.", "verify")
	var answer audit.Answer
	must(t, json.Unmarshal([]byte(a.says("", "verify", "--format", "json")), &answer))
	if answer.Sealed != 3 || !answer.Signed {
		t.Errorf("answer = %+v", answer)
	}
	a.says("Nothing is broken.", "verify", "--receipt", a.receipt, "--expect", answer.Head.String())
	a.sql(`UPDATE records SET content = replace(content, 'R1', 'R2') WHERE n = 1`)
	a.fails(`row 1 (`, "verify")
	a.sql(`UPDATE records SET content = replace(content, 'R2', 'R1') WHERE n = 1`)
	a.sql(`DELETE FROM records WHERE n = 2`)
	a.fails("row 2: is missing", "verify")
	a.fails("row 2: is missing", "verify", "--receipt", a.receipt)
}

// Who owns the database takes the signing key away with everything it signed, or has another one made.
func TestHostileSigningKeyTakenAway(t *testing.T) {
	t.Parallel()
	strip := func(a *audited) {
		for _, statement := range []string{`DELETE FROM settings WHERE name = 'record_key'`, `DELETE FROM records`, `DELETE FROM checkpoints`,
			`UPDATE seal_head SET n = 0, chain = '', at = 0, key_id = '', signature = x''`} {
			a.sql(statement)
		}
	}
	t.Run("noted", func(t *testing.T) {
		t.Parallel()
		a := newAudited(t)
		settings := databaseSettings{Database: a.dsn}
		vault, err := settings.vault()
		must(t, err)
		must(t, settings.noteSigner(t.Context(), a.db, vault))
		a.says("Nothing is broken.", "verify")
		strip(a)
		a.fails("the head of the record is not signed", "verify")
		if err := settings.noteSigner(t.Context(), a.db, vault); !errors.Is(err, audit.ErrExchanged) {
			t.Errorf("the next start makes another key: %v", err)
		}
		_, err = (&audit.Sealer{Store: a.db, Vault: vault, Holder: "test"}).Round(t.Context())
		if !errors.Is(err, audit.ErrExchanged) {
			t.Errorf("the sealer goes on: %v", err)
		}
		must(t, a.db.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := audit.OpenKey(t.Context(), tx, &connectors.Vault{Keys: vault.Keys, Current: vault.Current})
			return err
		}))
		a.fails("signed by another key", "verify")
		settings.RecordKey = vault.Signer
		if vault, err = settings.vault(); err != nil || settings.noteSigner(t.Context(), a.db, vault) == nil {
			t.Errorf("a start with the key it should be: %v", err)
		}
	})
	t.Run("not noted", func(t *testing.T) {
		t.Parallel()
		a := newAudited(t)
		a.sql(`DELETE FROM settings WHERE name = 'record_key'`)
		a.fails("the signing key was removed", "verify")
		if out, _ := a.run("verify"); strings.Contains(out, "there is no key file") {
			t.Errorf("verify says:\n%s", out)
		}
	})
}

func TestServeNotesTheKeyOfTheRecord(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.serve().stop()
	key := p.fine("audit", "key")
	noted, err := os.ReadFile(filepath.Join(p.dir, "drawbridge.pub"))
	if err != nil || string(noted) != key {
		t.Errorf("noted %q, %v; the key is %q", noted, err, key)
	}
	must(t, os.WriteFile(filepath.Join(p.dir, "drawbridge.pub"), []byte(audit.FormatKey(make([]byte, 32))), 0o600))
	if r := p.run("serve", "--listen", "127.0.0.1:0"); r.code != 1 || !strings.Contains(r.err, "remove drawbridge.pub") {
		t.Errorf("serve with another key noted: exit %d, %s", r.code, r.err)
	}
}

func TestHostileDecisionChangedBesideTheRecord(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, statement, want string }{
		{"what was decided", `UPDATE decisions SET outcome = 'denied'`, `["outcome"]`},
		{"by whom", `UPDATE decisions SET person = 'ceo', person_name = 'The CEO'`, `["by" "by_name"]`},
		{"when, and for how long", `UPDATE decisions SET at = at + 1, length = length * 2`, `["at" "seconds"]`},
		{"under what", `UPDATE decisions SET rule = 'x', rule_version = 9, policy = 'y', policy_version = 9`, `["policy" "policy_version" "rule" "rule_version"]`},
		{"for whom, and what", `UPDATE cases SET requester = '{}', subject = 'a mouse'`, `["for" "what"]`},
		{"gone", `DELETE FROM decisions`, "the decision is not"},
		{"made up", `UPDATE records SET kind = 'decision.made' WHERE kind = 'decision.recorded'`, "is not in the record"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := newAudited(t)
			a.sql(test.statement)
			if out, err := a.run("verify"); err == nil || !strings.Contains(out, test.want) {
				t.Errorf("verify: %v\n%s\nwant %s in it", err, out, test.want)
			}
		})
	}
}

// A key noted elsewhere does not keep a receipt from being compared with the record.
func TestAuditVerifyComparesReceiptsUnderAKeyFromOutside(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	key := strings.TrimSpace(a.says("=", "key"))
	a.says("Nothing is broken.", "verify", "--receipt", a.receipt, "--key", key)
	a.fails("the place you expect says otherwise", "verify", "--receipt", a.receipt, "--key", key, "--expect", "3:"+strings.Repeat("0", 64))
	a.sql(`UPDATE records SET subject = 'x' WHERE kind = 'receipt.issued'`)
	a.fails("row 3 (", "verify", "--receipt", a.receipt, "--key", key)
}

func TestAuditVerifyChecksAReceiptWithoutADatabase(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	key := strings.TrimSpace(a.says("=", "key"))
	none := &audited{t: t, dsn: "sqlite:" + filepath.Join(t.TempDir(), "none.db")}
	none.says(`approved by "bob" at 2026-11-20T10:00:00Z, for request "R1" of "epm"`, "verify", "--offline", "--receipt", a.receipt, "--key", key)
	none.says(`"rule":"apps@3"`, "verify", "--offline", "--receipt", a.receipt, "--key", key, "--format", "json")
	none.fails("there is no database", "verify", "--receipt", a.receipt)
	none.fails("there is no database", "verify", "--receipt", a.receipt, "--key", key)
	none.fails("not signed with this key", "verify", "--offline", "--receipt", a.receipt, "--key", audit.FormatKey(make([]byte, 32)))
	none.fails("32 bytes as base64", "verify", "--offline", "--receipt", a.receipt, "--key", key[1:])
	for _, args := range [][]string{{"--receipt", a.receipt}, {"--key", key}, {"--key", key, "--receipt", a.receipt, "--expect", "0:" + strings.Repeat("0", 64)}} {
		none.fails("and nothing else", append([]string{"verify", "--offline"}, args...)...)
	}
	text, err := os.ReadFile(a.receipt)
	must(t, err)
	must(t, os.WriteFile(a.receipt, bytes.Replace(text, []byte("\nPM"), []byte("\nPN"), 1), 0o600))
	none.fails("comment.txt: read receipt", "verify", "--offline", "--receipt", a.receipt, "--key", key)
}

func TestAuditReportAndExport(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.says("Bob Brown", "report")
	a.says("apps@3,approvers@2", "report", "--format", "csv", "--since", "2026-11-20", "--until", "2026-11-20T10:00:01Z")
	a.says(`"seconds": 3600`, "report", "--format", "json")
	a.says("No decisions.", "report", "--since", "2026-11-21")
	a.fails("a day is written", "report", "--since", "yesterday")
	if out := a.says(`"kind":"receipt.issued"`, "export"); strings.Count(out, "\n") != 3 {
		t.Errorf("export:\n%s", out)
	}
	a.says(`"class_uid":3004`, "export", "--format", "ocsf")
}

func TestAuditEraseShowsThenErases(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.says("1 row of cases", "erase", `CORP\alice`)
	a.says("CORP", "report", "--format", "csv")
	a.fails("say --why", "erase", `CORP\alice`, "--yes")
	a.says("Erased.", "erase", `CORP\alice`, "--yes", "--why", "asked for by the person")
	if out := a.says("Bob Brown", "report", "--format", "csv"); strings.Contains(out, "alice") {
		t.Errorf("left:\n%s", out)
	}
	a.says("erased 3, broken 0", "verify", "--receipt", a.receipt)
	a.says("There is nothing to erase.", "erase", `CORP\alice`, "--yes", "--why", "again")
	a.sql(`UPDATE cases SET state = 'open', requester = '{"account":"zoe"}'`)
	a.fails("not complete: 1", "erase", "zoe")
}

// Decisions made at the desk, in the tool itself and by the clock are all as they were recorded.
func TestAuditVerifyOfWhatABridgeRecorded(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		var clock virtual
		c := start(t, engine, withClock(&clock))
		c.policy(t, "approvers: {people: [kim]}\ndeadline: {after: 1h, then: deny}\n")
		id, issue, err := c.request()
		must(t, err)
		must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
		_, err = c.decided(id, issue.Key, "Approved")
		must(t, err)
		_, err = c.decidedInConsole(epmstandin.Approved, "Approved")
		must(t, err)
		_, issue, err = c.request()
		must(t, err)
		clock.forward(61 * time.Minute)
		must(t, c.until(func() error { return c.comment(issue.Key, "accepted by epm") }))
		report, err := audit.MakeReport(c.ctx, c.store.Queries, audit.Range{})
		must(t, err)
		if len(report.Lines) != 3 {
			t.Errorf("the report has %d lines", len(report.Lines))
		}
		key, _, err := audit.PublicKey(c.ctx, c.store.Queries, c.bridge.vault)
		must(t, err)
		if a, err := audit.Verify(c.ctx, c.store, audit.Question{Key: key, Keyed: true}); err != nil || !a.OK() || len(a.Notes) > 0 {
			t.Errorf("verify = %+v, %v", a, err)
		}
	})
}
