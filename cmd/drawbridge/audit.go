package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
)

type auditCommand struct {
	Verify auditVerify `cmd:"" help:"Tell whether the record is as it was written, and which row is the first that is not."`
	Key    auditKey    `cmd:"" help:"Print the public key that checkpoints and receipts are signed with."`
	Report auditReport `cmd:"" help:"Who approved what, for whom, how fast, under which rule and policy."`
	Export auditExport `cmd:"" help:"Print the record as lines of JSON."`
	Erase  auditErase  `cmd:"" help:"Erase what is stored about a person; without --yes, show what that would be."`
}

// openAudit opens the database and the keys for a command that works beside a running server or without one.
func (d databaseSettings) openAudit(s *surroundings) (*store.Store, *connectors.Vault, error) {
	db, err := d.open(s.ctx, d.logger(s.stderr))
	if err != nil {
		return nil, nil, err
	}
	vault, err := d.vault()
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, vault, nil
}

type auditVerify struct {
	databaseSettings
	Receipt []string       `placeholder:"FILE" help:"Receipts, as they stand on tickets; - is standard input."`
	Offline bool           `help:"Check nothing but the receipts, with --key alone and without a database."`
	Key     publicKey      `placeholder:"BASE64" help:"Public key that must have signed; else the one opened with the key file."`
	Expect  []audit.Anchor `placeholder:"N:CHAIN" help:"A place the record must have, as an earlier run printed it."`
	Format  string         `default:"text" enum:"text,json" help:"text or json."`
}

// publicKey is a flag that holds a key as audit.FormatKey writes it.
type publicKey ed25519.PublicKey

// UnmarshalText reads the key.
func (k *publicKey) UnmarshalText(text []byte) error {
	key, err := audit.ParseKey(string(text))
	*k = publicKey(key)
	return err
}

// Run verifies. Anything broken is an error, so that a script notices.
func (c *auditVerify) Run(s *surroundings) error {
	receipts, err := readReceipts(c.Receipt)
	if err != nil {
		return err
	}
	if c.Offline {
		if len(receipts) == 0 || c.Key == nil || len(c.Expect) > 0 {
			return errors.New("--offline checks what --receipt names with the key given as --key, and nothing else")
		}
		return c.offline(s.stdout, receipts)
	}
	db, vault, err := c.openAudit(s)
	if err != nil {
		return err
	}
	defer db.Close()
	progress := progressTo(s.stderr)
	q := audit.Question{Key: ed25519.PublicKey(c.Key), Keyed: len(vault.Keys) > 0, Expect: c.Expect, Progress: func(done, _ int64) { progress("record", int(done)) }}
	sure := true
	if q.Key == nil {
		if q.Key, sure, err = audit.PublicKey(s.ctx, db.Queries, vault); err != nil {
			return err
		}
	}
	for _, r := range receipts {
		if q.Key == nil {
			return errors.New("this record has no signing key: give the one the receipt was signed with as --key")
		}
		if err := r.Check(q.Key); err != nil {
			return fmt.Errorf("receipt %s: %w", r.ID, err)
		}
		q.Receipts = append(q.Receipts, r.Receipt)
	}
	a, err := audit.Verify(s.ctx, db, q)
	if err != nil {
		return err
	}
	switch {
	case q.Key == nil && q.Keyed:
		a.Notes = append(a.Notes, "nothing is signed yet: `drawbridge serve` makes the signing key at its next start")
	case q.Key == nil:
		a.Notes = append(a.Notes, "nothing is signed, since there is no key file: somebody who can write to the database could have rebuilt the whole record")
	case !sure:
		a.Notes = append(a.Notes, "the public key was read from the database itself; to be sure, give the key file or --key")
	}
	return c.answer(s.stdout, a)
}

// offline checks receipts with nothing but the key.
func (c *auditVerify) offline(w io.Writer, receipts []audit.SignedReceipt) error {
	for _, r := range receipts {
		if err := r.Check(ed25519.PublicKey(c.Key)); err != nil {
			return fmt.Errorf("receipt %s: %w", r.ID, err)
		}
	}
	for _, r := range receipts {
		if c.Format == "json" {
			if err := json.NewEncoder(w).Encode(r.Receipt); err != nil {
				return err
			}
			continue
		}
		printReceipt(w, r.Receipt)
	}
	return nil
}

func printReceipt(w io.Writer, r audit.Receipt) {
	fmt.Fprintf(w, "Receipt %s is genuine, signed with key %s.\n", r.ID, r.Key)
	fmt.Fprintf(w, "  %s by %q at %s, for request %q of %q\n", r.Outcome, r.By, r.At.Format(time.RFC3339), r.Request, r.Source)
	switch {
	case r.Once:
		fmt.Fprintln(w, "  for one use")
	case r.Seconds > 0:
		fmt.Fprintln(w, "  for", time.Duration(r.Seconds)*time.Second)
	}
	fmt.Fprintf(w, "  under rule %q and policy %q\n", r.Rule, r.Policy)
	fmt.Fprintf(w, "  case %s, decision %s\n", r.Case, r.Decision)
	fmt.Fprintf(w, "  the record then stood at %s\n", r.Record)
}

func readReceipts(files []string) ([]audit.SignedReceipt, error) {
	var receipts []audit.SignedReceipt
	for _, name := range files {
		text, err := readFile(name, os.Stdin)
		if err != nil {
			return nil, err
		}
		r, err := audit.ParseReceipt(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

func (c *auditVerify) answer(w io.Writer, a audit.Answer) error {
	if c.Format == "json" {
		if err := json.NewEncoder(w).Encode(a); err != nil {
			return err
		}
	} else {
		printAnswer(w, a)
	}
	if a.OK() {
		return nil
	}
	return fmt.Errorf("the record is broken: %s", a.Faults[0])
}

func printAnswer(w io.Writer, a audit.Answer) {
	fmt.Fprintf(w, "sealed %d, unsealed %d, pruned %d, erased %d, broken %d\n", a.Sealed, a.Unsealed, a.Pruned, a.Erased, a.Broken)
	signed := "not signed"
	if a.Signed {
		signed = "signed"
	}
	fmt.Fprintf(w, "head %s\n     %s, with %d checkpoints\n", a.Head, signed, a.Checkpoints)
	if a.Unsealed > 0 {
		fmt.Fprintf(w, "the oldest unsealed row is of %s\n", a.OldestUnsealed.UTC().Format(time.RFC3339))
	}
	for _, note := range a.Notes {
		fmt.Fprintln(w, "note:", note)
	}
	for i, f := range a.Faults {
		mark := "      "
		if i == 0 {
			mark = "FIRST "
		}
		fmt.Fprintln(w, mark+f.String())
	}
	if a.OK() {
		fmt.Fprintln(w, "Nothing is broken.")
	}
}

type auditKey struct {
	databaseSettings
}

// Run prints the key.
func (c *auditKey) Run(s *surroundings) error {
	db, vault, err := c.openAudit(s)
	if err != nil {
		return err
	}
	defer db.Close()
	key, sure, err := audit.PublicKey(s.ctx, db.Queries, vault)
	if err != nil {
		return err
	}
	if key == nil {
		return errors.New("there is no signing key; `drawbridge serve` makes one at its start where it has a key file")
	}
	if !sure {
		fmt.Fprintln(s.stderr, "Read from the database, not opened with the key file.")
	}
	_, err = fmt.Fprintln(s.stdout, audit.FormatKey(key))
	return err
}

// period is the flags of a stretch of time.
type period struct {
	Since moment `placeholder:"TIME" help:"From this day (2026-11-20) or time (2026-11-20T09:00:00Z) on."`
	Until moment `placeholder:"TIME" help:"Before this day or time."`
}

func (p period) in() audit.Range {
	return audit.Range{Since: time.Time(p.Since), Until: time.Time(p.Until)}
}

// moment is a flag that holds a time; a day is its beginning in UTC.
type moment time.Time

// UnmarshalText reads the time.
func (m *moment) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, string(text)); err == nil {
			*m = moment(t)
			return nil
		}
	}
	return errors.New("a day is written 2026-11-20, a time 2026-11-20T09:00:00Z")
}

type auditReport struct {
	databaseSettings
	period
	Format string `default:"text" enum:"text,csv,json" help:"text, csv or json."`
}

// Run prints the report.
func (c *auditReport) Run(s *surroundings) error {
	db, err := c.open(s.ctx, c.logger(s.stderr))
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := audit.MakeReport(s.ctx, db.Queries, c.in())
	if err != nil {
		return err
	}
	switch c.Format {
	case "csv":
		return r.CSV(s.stdout)
	case "json":
		return r.JSON(s.stdout)
	default:
		return r.Text(s.stdout)
	}
}

type auditExport struct {
	databaseSettings
	period
	Format string `default:"jsonl" enum:"jsonl,ocsf" help:"jsonl, with all that is needed to verify it, or ocsf (1.3)."`
}

// Run prints the record.
func (c *auditExport) Run(s *surroundings) error {
	db, err := c.open(s.ctx, c.logger(s.stderr))
	if err != nil {
		return err
	}
	defer db.Close()
	format := audit.Lines
	if c.Format == "ocsf" {
		format = audit.OCSF
	}
	w := bufio.NewWriterSize(s.stdout, 64<<10)
	if _, err := audit.Export(s.ctx, db.Queries, w, c.in(), format); err != nil {
		return errors.Join(err, w.Flush())
	}
	return w.Flush()
}

type auditErase struct {
	databaseSettings
	Person string `arg:"" help:"A name of the People documents, an account or a mail address."`
	Yes    bool   `help:"Erase; it cannot be undone."`
	Why    string `help:"Why; kept in the record, so leave the person out of it."`
}

// Run erases, or shows what would be. What must wait is an error, so that a script knows to come back.
func (c *auditErase) Run(s *surroundings) error {
	if c.Yes && strings.TrimSpace(c.Why) == "" {
		return errors.New("say --why; it is kept in the record")
	}
	db, vault, err := c.openAudit(s)
	if err != nil {
		return err
	}
	defer db.Close()
	plan, err := audit.PlanErasure(s.ctx, db, c.Person, progressTo(s.stderr))
	if err != nil {
		return err
	}
	printErasure(s.stdout, plan)
	if c.Yes && !plan.Empty() {
		if err := c.erase(s.ctx, db, vault, plan); err != nil {
			return err
		}
		fmt.Fprintln(s.stdout, "Erased. Tickets at the desks, exports and backups of the database are not reached from here.")
	}
	if len(plan.Waiting) > 0 {
		return fmt.Errorf("not complete: %d of the above are still worked on; erase again when they are over", len(plan.Waiting))
	}
	return nil
}

func (c *auditErase) erase(ctx context.Context, db *store.Store, vault *connectors.Vault, plan audit.Erasure) error {
	now, err := db.Now(ctx)
	if err != nil {
		return err
	}
	return audit.Erase(ctx, db, vault, plan, author(), c.Why, now)
}

func printErasure(w io.Writer, plan audit.Erasure) {
	fmt.Fprintf(w, "Looked for %q.\n", plan.Names)
	if plan.Empty() {
		fmt.Fprintln(w, "There is nothing to erase.")
	}
	for _, table := range slices.Sorted(maps.Keys(plan.Rows)) {
		fmt.Fprintf(w, "%s of %s\n", count(plan.Rows[table], "row"), table)
	}
	for _, id := range plan.Waiting {
		fmt.Fprintln(w, "still worked on:", id)
	}
	for _, name := range plan.Staying {
		fmt.Fprintln(w, "still published:", name)
	}
}

// progressTo tells of each table when it has taken a while.
func progressTo(w io.Writer) func(string, int) {
	last := time.Now()
	return func(table string, rows int) {
		if time.Since(last) < 2*time.Second {
			return
		}
		last = time.Now()
		fmt.Fprintf(w, "%s: %d rows read\n", table, rows)
	}
}
