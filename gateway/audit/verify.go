package audit

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
)

// Question is what Verify is asked.
type Question struct {
	Key      ed25519.PublicKey // nil: the record is not signed, and signatures are not looked at
	Keyed    bool              // there is a key to seal a signing key with, so that the record ought to be signed
	Expect   []Anchor          // places that must be in the record
	Receipts []Receipt         // decisions that must be in the record; their signatures are the caller's business
	Progress func(done, of int64)
}

// Fault is something that is not as it was recorded.
type Fault struct {
	N    int64     `json:"n,omitempty"` // 0: not in the chain
	ID   string    `json:"id,omitempty"`
	Kind string    `json:"kind,omitempty"`
	At   time.Time `json:"at,omitzero"`
	What string    `json:"what"`
}

// String names the row and what is wrong with it.
func (f Fault) String() string {
	var b strings.Builder
	if f.N > 0 {
		fmt.Fprintf(&b, "row %d", f.N)
	}
	if f.N > 0 && f.ID != "" {
		b.WriteString(" ")
	}
	if f.ID != "" {
		fmt.Fprintf(&b, "(%s, %q at %s)", f.ID, f.Kind, f.At.UTC().Format(time.RFC3339))
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	return b.String() + f.What
}

// Answer is what Verify found. Broken counts faults; Faults holds the first of them, in the order of the chain.
type Answer struct {
	Sealed         int64     `json:"sealed"`
	Unsealed       int64     `json:"unsealed"`
	Pruned         int64     `json:"pruned"`
	Erased         int64     `json:"erased"`
	Broken         int64     `json:"broken"`
	Head           Anchor    `json:"head"`
	HeadAt         time.Time `json:"head_at,omitzero"`
	OldestUnsealed time.Time `json:"oldest_unsealed,omitzero"`
	Checkpoints    int       `json:"checkpoints"`
	Signed         bool      `json:"signed"` // the signatures of head and checkpoints were checked
	Notes          []string  `json:"notes,omitempty"`
	Faults         []Fault   `json:"faults,omitempty"`
}

// OK tells that nothing is broken.
func (a Answer) OK() bool { return a.Broken == 0 }

const (
	verifyBatch = 500
	maxFaults   = 20
)

// Verify reads the whole record and compares it with its digests, its chain, its signatures, the decisions and what is
// known from outside. It works beside a running gateway.
func Verify(ctx context.Context, db *store.Store, q Question) (Answer, error) {
	v := verifier{db: db, q: q, chains: map[int64]string{}, want: map[int64]bool{}, erased: map[string]Fault{}}
	for _, step := range []func(context.Context) error{v.start, v.follow, v.end, v.unsealed, v.erasures, v.decisions, v.receipts} {
		if err := step(ctx); err != nil {
			return Answer{}, err
		}
	}
	v.outside()
	slices.SortStableFunc(v.Faults, func(a, b Fault) int { return cmp.Compare(order(a), order(b)) })
	if len(v.Faults) > maxFaults {
		v.Faults = v.Faults[:maxFaults]
	}
	return v.Answer, nil
}

// order puts faults outside of the chain after those in it.
func order(f Fault) int64 {
	if f.N == 0 {
		return 1<<63 - 1
	}
	return f.N
}

type verifier struct {
	Answer
	db *store.Store
	q  Question

	head, cut   store.Checkpoint
	checkpoints []store.Checkpoint

	last   int64            // number of the row before
	bases  []string         // what its chain may be; more than one after a broken row, none after a missing one
	chains map[int64]string // of the rows that something outside the rows speaks of
	want   map[int64]bool   // numbers of these
	past   int              // decisions older than the record
	erased map[string]Fault // rows without content, by id, that no erasure has named yet
}

// maxHeld bounds what a record broken all over takes of memory.
const maxHeld = 10_000

func (v *verifier) fault(f Fault) {
	v.Broken++
	if len(v.Faults) < maxHeld {
		v.Faults = append(v.Faults, f)
	}
}

func (v *verifier) rowFault(e store.Entry, what string) {
	v.fault(Fault{N: e.N, ID: e.ID, Kind: e.Kind, At: e.At, What: what})
}

// start reads what the rows are compared with: checkpoints first, so that none is ahead of the head.
func (v *verifier) start(ctx context.Context) (err error) {
	if v.checkpoints, err = v.db.Checkpoints(ctx); err != nil {
		return err
	}
	if v.head, err = v.db.Head(ctx); err != nil {
		return err
	}
	v.Head, v.HeadAt, v.Signed = Anchor{v.head.N, v.head.Chain}, v.head.At, v.q.Key != nil
	v.Checkpoints = len(v.checkpoints)
	v.bases = []string{store.Genesis()}
	v.want[v.head.N] = true
	for _, c := range v.checkpoints {
		v.want[c.N] = true
		if c.Kind == store.CheckpointCut && c.N >= v.cut.N {
			v.cut = c
		}
	}
	for _, a := range v.q.Expect {
		v.want[a.N] = true
	}
	for _, r := range v.q.Receipts {
		v.want[r.Record.N] = true
	}
	v.skipTo(v.cut)
	return nil
}

// skipTo goes on after what retention cut.
func (v *verifier) skipTo(cut store.Checkpoint) {
	if cut.N > v.last {
		v.cut, v.last, v.bases, v.Pruned = cut, cut.N, []string{cut.Chain}, cut.N
	}
	if v.want[v.last] {
		v.chains[v.last] = v.bases[0]
	}
}

// follow reads the sealed rows up to the head.
func (v *verifier) follow(ctx context.Context) error {
	for v.last < v.head.N {
		entries, err := v.db.Sealed(ctx, v.last, v.head.N, verifyBatch)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.N != v.last+1 {
				again, err := v.gap(ctx, e.N-1)
				if err != nil {
					return err
				}
				if again {
					break
				}
			}
			v.row(e)
		}
		if v.q.Progress != nil {
			v.q.Progress(v.last, v.head.N)
		}
		if len(entries) == 0 {
			again, err := v.gap(ctx, v.head.N)
			if err != nil {
				return err
			}
			if !again {
				return nil
			}
		}
	}
	return nil
}

// gap deals with rows that are missing up to a number. Retention may have cut them off while we were reading: then
// reading goes on after the cut.
func (v *verifier) gap(ctx context.Context, upTo int64) (again bool, err error) {
	cut, err := v.db.NewestCheckpoint(ctx, store.CheckpointCut)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if cut.N > v.cut.N && cut.N > v.last && cut.N <= v.head.N {
		v.checkpoints = append(v.checkpoints, cut)
		v.want[cut.N] = true
		v.skipTo(cut)
		return true, nil
	}
	what := "is missing"
	if upTo > v.last+1 {
		what = fmt.Sprintf("is missing, and so are those up to %d", upTo)
	}
	v.fault(Fault{N: v.last + 1, What: what})
	v.Broken += upTo - v.last - 1
	v.last, v.bases = upTo, nil
	return false, nil
}

func (v *verifier) row(e store.Entry) {
	v.Sealed++
	v.last = e.N
	switch {
	case e.Erased():
		v.Erased++
		v.erased[e.ID] = Fault{N: e.N, ID: e.ID, Kind: e.Kind, At: e.At, What: "it is empty, and no erasure of ours says so"}
	case !e.Intact():
		v.rowFault(e, "it does not say what was recorded")
	}
	if v.want[e.N] {
		v.chains[e.N] = e.Chain
	}
	computed := ""
	fits := len(v.bases) == 0
	for _, base := range v.bases {
		computed = e.Link(base, e.N)
		if computed == e.Chain {
			fits = true
			break
		}
	}
	if fits {
		v.bases = []string{e.Chain}
		return
	}
	// Whether the row or only its chain was changed shows at the next row, which fits one of the two.
	if e.Intact() || e.Erased() {
		v.rowFault(e, "it does not follow from the row before")
	}
	v.bases = []string{e.Chain, e.Link(v.bases[0], e.N)}
}

// end compares the chain with head and checkpoints.
func (v *verifier) end(ctx context.Context) error {
	v.vouch(v.head, "the head of the record")
	for _, c := range v.checkpoints {
		v.vouch(c, fmt.Sprintf("the checkpoint of %s", c.At.UTC().Format(time.RFC3339)))
		if c.N > v.head.N {
			v.fault(Fault{N: v.head.N + 1, What: fmt.Sprintf("is missing, and so are those up to %d: a checkpoint has seen them", c.N)})
		}
	}
	if v.q.Key == nil && v.q.Keyed && v.head.N > 0 {
		v.fault(Fault{What: "there is a key file, but the record is not signed: unless the key file is new and `drawbridge serve` was not started since, the signing key was removed"})
	}
	// Rows before the head: both only grow.
	last, err := v.db.LastSealed(ctx)
	if err != nil {
		return err
	}
	head, err := v.db.Head(ctx)
	if err != nil {
		return err
	}
	if last > head.N {
		v.fault(Fault{N: head.N + 1, What: fmt.Sprintf("is beyond the head of the record, which stands at %d", head.N)})
	}
	return nil
}

// vouch compares one signed place with the chain, and looks at its signature.
func (v *verifier) vouch(c store.Checkpoint, what string) {
	switch {
	case v.q.Key == nil:
	case c.KeyID == "":
		v.fault(Fault{N: c.N, What: what + " is not signed"})
	case c.KeyID != KeyID(v.q.Key):
		v.fault(Fault{N: c.N, What: what + " is signed by another key, " + c.KeyID})
	case !signedBy(v.q.Key, c):
		v.fault(Fault{N: c.N, What: what + " was changed: its signature does not fit"})
	}
	if chain, ok := v.chains[c.N]; ok && chain != c.Chain {
		v.fault(Fault{N: c.N, What: fmt.Sprintf("it or a row before it was changed: %s says otherwise%s", what, v.since(c.N))})
	}
}

// since names the last place before a number that is vouched for.
func (v *verifier) since(n int64) string {
	var last int64
	for _, c := range v.checkpoints {
		if c.N < n && c.N > last && v.chains[c.N] == c.Chain && (v.q.Key == nil || signedBy(v.q.Key, c)) {
			last = c.N
		}
	}
	if last == 0 {
		return ""
	}
	return fmt.Sprintf("; up to row %d nothing was", last)
}

// unsealed looks at what the sealer has not reached.
func (v *verifier) unsealed(ctx context.Context) error {
	after := ""
	for {
		entries, err := v.db.UnsealedAfter(ctx, after, verifyBatch)
		if err != nil {
			return err
		}
		for _, e := range entries {
			v.Unsealed++
			after = e.ID
			if v.OldestUnsealed.IsZero() || e.At.Before(v.OldestUnsealed) {
				v.OldestUnsealed = e.At
			}
			if !e.Intact() {
				v.rowFault(e, "it is not sealed yet and does not say what was recorded")
			}
		}
		if len(entries) < verifyBatch {
			return nil
		}
	}
}

// erasures takes from the empty rows those that an erasure says it emptied.
func (v *verifier) erasures(ctx context.Context) error {
	if len(v.erased) == 0 {
		return nil
	}
	entries, err := v.db.RecordOfKind(ctx, store.KindErased)
	if err != nil {
		return err
	}
	for _, e := range entries {
		var said erasure
		if content, ok := e.Content.(json.RawMessage); !ok || !e.Intact() || json.Unmarshal(content, &said) != nil {
			continue // it counts as broken already
		}
		if v.q.Key != nil && !said.signedBy(v.q.Key) {
			continue // anybody could have written it; see vouch for those there were before there was a key
		}
		for _, id := range said.Entries {
			delete(v.erased, id)
		}
	}
	for _, f := range v.erased {
		v.Erased--
		v.fault(f)
	}
	return nil
}

// outside compares the chain with places known from elsewhere.
func (v *verifier) outside() {
	for _, a := range v.q.Expect {
		v.expect(a, "the place you expect")
	}
	for _, r := range v.q.Receipts {
		v.expect(r.Record, "receipt "+r.ID)
	}
}

func (v *verifier) expect(a Anchor, who string) {
	chain, known := v.chains[a.N]
	if a.N == 0 {
		chain, known = store.Genesis(), true
	}
	switch {
	case a.N > v.head.N:
		v.fault(Fault{N: v.head.N + 1, What: fmt.Sprintf("is missing, and so are those up to %d: %s has seen them", a.N, who)})
	case known && chain != a.Chain:
		v.fault(Fault{N: a.N, What: fmt.Sprintf("it or a row before it was changed: %s says otherwise%s", who, v.since(a.N))})
	case a.N < v.cut.N:
		for _, c := range v.checkpoints {
			if c.N == a.N && c.Chain == a.Chain {
				return
			}
		}
		v.Notes = append(v.Notes, fmt.Sprintf("row %d, of which %s speaks, is past its retention: it can no longer be compared", a.N, who))
	}
}

// receipts looks for the entries that say that receipts were given.
func (v *verifier) receipts(ctx context.Context) error {
	for _, r := range v.q.Receipts {
		entries, err := v.db.RecordOfCase(ctx, r.Case)
		if err != nil {
			return err
		}
		found := slices.ContainsFunc(entries, func(e store.Entry) bool {
			return e.Kind == kindReceipt && (e.Subject == r.ID || e.Erased())
		})
		switch {
		case found:
		case v.Pruned > 0 && r.Issued.Before(v.cut.At):
			v.Notes = append(v.Notes, fmt.Sprintf("that receipt %s was given may be past its retention", r.ID))
		default:
			v.fault(Fault{What: fmt.Sprintf("receipt %s was given for a decision that the record does not hold", r.ID)})
		}
	}
	return nil
}
