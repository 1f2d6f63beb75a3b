package store

import (
	"context"
	"time"
)

// Vote is the verified answer of a person where there is no ticket to move.
type Vote struct {
	ID      string
	CaseID  string
	LinkID  string
	Person  string
	Account string
	Outcome string
	Reason  string
	At      time.Time
}

const voteColumns = `id, case_id, link_id, person, account, outcome, reason, at`

func (v *Vote) fields() []any {
	return []any{&v.ID, &v.CaseID, &v.LinkID, &v.Person, &v.Account, &v.Outcome, &v.Reason, (*stamp)(&v.At)}
}

// AddVote stores a vote. A vote whose id is known is ErrConflict.
func (t *Tx) AddVote(ctx context.Context, v Vote) error {
	if v.ID == "" {
		v.ID = NewID()
	}
	err := t.change(ctx, ErrConflict, `INSERT INTO votes (`+voteColumns+`) VALUES `+tuples(1, plain(8)...)+
		` ON CONFLICT DO NOTHING`,
		v.ID, v.CaseID, v.LinkID, text(v.Person), text(v.Account), v.Outcome, text(v.Reason), millis(v.At))
	return wrap("add vote", err)
}

// VotesOfCase reads the votes of a case, the oldest first.
func (q Queries) VotesOfCase(ctx context.Context, caseID string) ([]Vote, error) {
	vs, err := all(ctx, q, (*Vote).fields, `SELECT `+voteColumns+` FROM votes WHERE case_id = $1 ORDER BY at, id`, caseID)
	return vs, wrap("read votes", err)
}
