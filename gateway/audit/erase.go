package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Erasure is what erasing a person would take, as PlanErasure found it. What belongs to a case that is still worked on
// is left until that is over, since deciding it needs to know whose it is.
type Erasure struct {
	Names   []string       `json:"names"`   // what was looked for
	Cases   []string       `json:"cases"`   // opened for the person
	Rows    map[string]int `json:"rows"`    // to be emptied, by table; record among them
	Waiting []string       `json:"waiting"` // cases, and rows of none as table/key, still worked on
	Staying []string       `json:"staying"` // published documents that name the person

	steps   []eraseStep
	entries []string // of the record
}

// Empty tells that nothing is to be erased.
func (e Erasure) Empty() bool { return len(e.steps) == 0 && len(e.entries) == 0 }

// eraseStep empties the same columns in rows of one place.
type eraseStep struct {
	place   store.Place
	columns []int
	keys    []string
}

// erasure is what the record keeps of an erasure: everything but who it was about. It is signed, for the chain does not
// say whether an entry was emptied by us: who can write to the database can empty one as well, and write that we did.
type erasure struct {
	By        string         `json:"by"`
	Why       string         `json:"why"`
	Rows      map[string]int `json:"rows"`
	Entries   []string       `json:"entries"` // of the record, by id
	Signature []byte         `json:"signature,omitempty"`
}

// sign signs an erasure; without a key it is left unsigned.
func (e erasure) sign(key ed25519.PrivateKey) (erasure, error) {
	e.Signature = nil
	if key == nil {
		return e, nil
	}
	statement, err := e.statement()
	if err != nil {
		return e, fmt.Errorf("sign erasure: %w", err)
	}
	e.Signature = ed25519.Sign(key, statement)
	return e, nil
}

// signedBy tells whether the key signed the erasure.
func (e erasure) signedBy(key ed25519.PublicKey) bool {
	statement, err := e.statement()
	return err == nil && ed25519.Verify(key, statement, e.Signature)
}

// statement is what the signature of an erasure says.
func (e erasure) statement() ([]byte, error) {
	e.Signature = nil
	text, err := json.Marshal(e)
	return append([]byte("drawbridge-erasure v1\n"), text...), err
}

// vouch signs for the erasures there were before there was a key to sign them with.
func vouch(ctx context.Context, tx *store.Tx, key ed25519.PrivateKey) error {
	entries, err := tx.RecordOfKind(ctx, store.KindErased)
	if err != nil || len(entries) == 0 {
		return err
	}
	said := erasure{Why: "erased before the record was signed", Rows: map[string]int{}}
	for _, e := range entries {
		var former erasure
		if content, ok := e.Content.(json.RawMessage); ok && e.Intact() && json.Unmarshal(content, &former) == nil {
			said.Entries = append(said.Entries, former.Entries...)
		}
	}
	if said, err = said.sign(key); err != nil {
		return err
	}
	return tx.Record(ctx, store.Entry{At: entries[len(entries)-1].At, Kind: store.KindErased, Content: said})
}

// ErrNamed is what Erase answers when the text it would keep names the person.
var ErrNamed = errors.New("the reason stays in the record: leave the person's names out of it")

const eraseBatch = 200

// PlanErasure looks for everything that speaks of a person. progress, unless nil, is told the table being read and how
// many rows were.
//
// In the cases opened for the person everything that anybody wrote goes, and of the people in it who decided stays. In
// all others the columns that name the person go, and the whole text of rows that are the person's own.
func PlanErasure(ctx context.Context, db *store.Store, person string, progress func(table string, rows int)) (Erasure, error) {
	if progress == nil {
		progress = func(string, int) {}
	}
	s := search{db: db, progress: progress, about: map[string]bool{}, busy: map[string]bool{}}
	s.Rows = map[string]int{}
	var err error
	if s.names, err = namesOf(ctx, db.Queries, person); err != nil {
		return Erasure{}, err
	}
	if len(s.names) == 0 {
		return Erasure{}, errors.New("whom to erase is missing")
	}
	for _, step := range []func(context.Context) error{s.people, s.places, s.record, s.documents} {
		if err := step(ctx); err != nil {
			return Erasure{}, err
		}
	}
	s.Names = s.names
	s.Cases = slices.Sorted(maps.Keys(s.about))
	slices.Sort(s.Waiting)
	s.Waiting = slices.Compact(s.Waiting)
	return s.Erasure, nil
}

// search collects an Erasure.
type search struct {
	Erasure
	db       *store.Store
	progress func(string, int)
	names    names
	about    map[string]bool // cases opened for the person
	busy     map[string]bool // whether a case is still worked on; filled as cases come up
}

// each reads all rows of a place.
func (s *search) each(ctx context.Context, p store.Place, do func(context.Context, []store.PersonalRow) error) error {
	after, read := "", 0
	for {
		rows, err := s.db.PersonalRows(ctx, p, after, eraseBatch)
		if err != nil {
			return err
		}
		if err := do(ctx, rows); err != nil {
			return err
		}
		read += len(rows)
		s.progress(p.Table, read)
		if len(rows) < eraseBatch {
			return nil
		}
		after = rows[len(rows)-1].Key
	}
}

// people finds the cases opened for the person, and the full names that go with the person's accounts.
func (s *search) people(ctx context.Context) error {
	var full []string
	for _, p := range store.Places() {
		switch p.Table {
		case "cases", "decisions":
		default:
			continue
		}
		err := s.each(ctx, p, func(_ context.Context, rows []store.PersonalRow) error {
			for _, r := range rows {
				if p.Table == "decisions" {
					if s.names.in(r.Values[0]) {
						name, _ := strings.CutSuffix(string(r.Values[1]), " ("+string(r.Values[0])+")") // the person is looked for anyway
						full = append(full, name)
					}
				} else if name, yes := s.names.inRequester(r.Values[0]); yes {
					s.about[r.CaseID] = true
					full = append(full, name)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, name := range full {
		s.names = s.names.withFull(name)
	}
	return nil
}

// places finds what there is besides the record.
func (s *search) places(ctx context.Context) error {
	for _, p := range store.Places() {
		found := map[string][]string{} // keys by the columns to be emptied
		err := s.each(ctx, p, func(ctx context.Context, rows []store.PersonalRow) error {
			return s.sift(ctx, p, rows, found)
		})
		if err != nil {
			return err
		}
		for _, columns := range slices.Sorted(maps.Keys(found)) {
			step := eraseStep{place: p, keys: found[columns]}
			for _, c := range columns {
				step.columns = append(step.columns, int(c-'0'))
			}
			s.steps = append(s.steps, step)
			s.Rows[p.Table] += len(step.keys)
		}
	}
	return nil
}

func (s *search) sift(ctx context.Context, p store.Place, rows []store.PersonalRow, found map[string][]string) error {
	var hits []store.PersonalRow
	var columns []string
	var cases []string
	for _, r := range rows {
		if c := s.columns(p, r); c != "" {
			hits, columns, cases = append(hits, r), append(columns, c), append(cases, r.CaseID)
		}
	}
	if err := s.look(ctx, cases); err != nil {
		return err
	}
	for i, r := range hits {
		switch {
		case r.Waits:
			s.Waiting = append(s.Waiting, p.Table+"/"+r.Key)
		case s.busy[r.CaseID]:
			s.Waiting = append(s.Waiting, r.CaseID)
		default:
			found[columns[i]] = append(found[columns[i]], r.Key)
		}
	}
	return nil
}

// columns says which columns of a row are to be emptied, a digit each.
func (s *search) columns(p store.Place, r store.PersonalRow) string {
	own := false
	named := make([]bool, len(p.Columns))
	for i, c := range p.Columns {
		named[i] = c.Holds(r.Values[i]) && s.names.in(r.Values[i])
		own = own || named[i] && c.Who
	}
	var out strings.Builder
	for i, c := range p.Columns {
		if c.Holds(r.Values[i]) && (named[i] || own || s.about[r.CaseID] && !c.Who) {
			out.WriteByte(byte('0' + i))
		}
	}
	return out.String()
}

// look finds out which cases are still worked on.
func (s *search) look(ctx context.Context, cases []string) error {
	var fresh []string
	for _, id := range cases {
		if _, known := s.busy[id]; !known && id != "" {
			s.busy[id] = false
			fresh = append(fresh, id)
		}
	}
	busy, err := s.db.UnderWay(ctx, fresh)
	for _, id := range busy {
		s.busy[id] = true
	}
	return err
}

// record finds the entries of the record.
func (s *search) record(ctx context.Context) error {
	after, read := "", 0
	for {
		entries, err := s.db.Records(ctx, after, eraseBatch)
		if err != nil {
			return err
		}
		var hits []store.Entry
		var cases []string
		for _, e := range entries {
			after = e.ID
			if s.speaks(e) {
				hits, cases = append(hits, e), append(cases, e.CaseID)
			}
		}
		if err := s.look(ctx, cases); err != nil {
			return err
		}
		for _, e := range hits {
			if s.busy[e.CaseID] {
				s.Waiting = append(s.Waiting, e.CaseID)
				continue
			}
			s.entries = append(s.entries, e.ID)
			s.Rows["record"]++
		}
		read += len(entries)
		s.progress("record", read)
		if len(entries) < eraseBatch {
			return nil
		}
	}
}

func (s *search) speaks(e store.Entry) bool {
	content := contentOf(e)
	if e.Kind == store.KindErased || len(content) == 0 {
		return false
	}
	return s.about[e.CaseID] || s.names.in(content) || s.names.inText(e.Subject)
}

// documents finds what is published about the person, which an admin is to change first.
func (s *search) documents(ctx context.Context) error {
	docs, err := s.db.Documents(ctx)
	if err != nil {
		return err
	}
	for _, d := range docs {
		if s.names.inText(d.Text) {
			s.Staying = append(s.Staying, d.Kind+"/"+d.Name)
		}
	}
	return nil
}

// Erase carries out what PlanErasure found, at once or not at all, and records by whom and why, but not about whom.
// What is sealed still verifies afterwards. Nothing to erase leaves no trace, so that repeating an erasure is harmless.
func Erase(ctx context.Context, db *store.Store, vault *connectors.Vault, e Erasure, by, why string, now time.Time) error {
	if e.Empty() {
		return nil
	}
	if names(e.Names).inText(why) {
		return ErrNamed
	}
	// What is emptied must have its place in the chain before the entry that says so.
	s := Sealer{Store: db, Vault: vault}
	if err := s.open(ctx); err != nil {
		return err
	}
	if _, err := sealAll(ctx, db, s.key, nil); err != nil {
		return err
	}
	return db.InTx(ctx, func(tx *store.Tx) error {
		said := erasure{By: by, Why: why, Rows: map[string]int{}}
		for _, step := range e.steps {
			n, err := tx.Erase(ctx, step.place, step.columns, step.keys)
			if err != nil {
				return err
			}
			said.Rows[step.place.Table] += int(n)
		}
		var err error
		if said.Entries, err = tx.EraseRecord(ctx, e.entries); err != nil {
			return err
		}
		if said, err = said.sign(s.key); err != nil {
			return err
		}
		if err := tx.Record(ctx, store.Entry{At: now, Kind: store.KindErased, Content: said}); err != nil {
			return fmt.Errorf("record erasure: %w", err)
		}
		return nil
	})
}
