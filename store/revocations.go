package store

import (
	"context"
	"fmt"
	"time"
)

// Revocation is the wish, of somebody who may, to take back access that a decision granted.
type Revocation struct {
	CaseID     string
	LinkID     string
	Claim      string
	By         string // person
	ByName     string
	At         time.Time // when the desk says it was asked for
	RecordedAt time.Time
	State      string // owed, posted or refused
	DeliveryID string
}

const revocationColumns = `case_id, link_id, claim, person, person_name, at, recorded_at, state, delivery_id`

func (r *Revocation) fields() []any {
	return []any{&r.CaseID, &r.LinkID, &r.Claim, &r.By, &r.ByName, (*stamp)(&r.At), (*stamp)(&r.RecordedAt), &r.State, &r.DeliveryID}
}

// AddRevocation records a revocation: one a case, ErrConflict for a second.
func (t *Tx) AddRevocation(ctx context.Context, r Revocation) error {
	n, err := t.exec(ctx, `INSERT INTO revocations (`+revocationColumns+`) VALUES `+tuples(1, plain(9)...)+` ON CONFLICT DO NOTHING`,
		r.CaseID, r.LinkID, text(r.Claim), text(r.By), text(r.ByName), millis(r.At), millis(r.RecordedAt), r.State, r.DeliveryID)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: access was taken back before", ErrConflict)
	}
	return wrap("add revocation", err)
}

// SetRevocationState notes what became of a revocation.
func (t *Tx) SetRevocationState(ctx context.Context, caseID, state, deliveryID string) error {
	return wrap("set state of revocation", t.change(ctx, ErrNotFound,
		`UPDATE revocations SET state = $1, delivery_id = $2 WHERE case_id = $3`, state, deliveryID, caseID))
}

// RevocationOf reads the revocation of a case.
func (q Queries) RevocationOf(ctx context.Context, caseID string) (Revocation, error) {
	r, err := one(ctx, q, (*Revocation).fields, `SELECT `+revocationColumns+` FROM revocations WHERE case_id = $1`, caseID)
	return r, wrap("read revocation", err)
}
