package store

import (
	"context"
	"time"
)

// Answer is what one person answered to what a link put to them, where there is no ticket that could be read back.
type Answer struct {
	ID         string // the same answer told again has the same
	CaseID     string
	LinkID     string
	N          int64 // its place among the answers of the link, from 1; AddAnswer gives it
	Account    string
	Mail       string
	Name       string
	Machine    bool // no person's, as far as the vendor told with the answer
	Outcome    string
	Reason     string
	Duration   string
	At         time.Time // as the vendor says
	RecordedAt time.Time
	Judged     bool
}

const answerColumns = `id, case_id, link_id, n, account, mail, name, machine, outcome, reason, duration, at, recorded_at, judged`

func (a *Answer) fields() []any {
	return []any{&a.ID, &a.CaseID, &a.LinkID, &a.N, &a.Account, &a.Mail, &a.Name, &a.Machine, &a.Outcome, &a.Reason, &a.Duration,
		(*stamp)(&a.At), (*stamp)(&a.RecordedAt), &a.Judged}
}

// AddAnswer stores an answer as the last one of its link; false when it was told before. Who calls it holds the lock on
// the case, so that two have two places.
func (t *Tx) AddAnswer(ctx context.Context, a Answer) (fresh bool, err error) {
	n, err := t.exec(ctx, `INSERT INTO answers (`+answerColumns+`) VALUES ($1, $2, $3,
		(SELECT COALESCE(MAX(o.n), 0) + 1 FROM answers AS o WHERE o.link_id = $3), $4, $5, $6, $7, $8, $9, $10, $11, $12, 0)
		ON CONFLICT (id) DO NOTHING`,
		text(a.ID), a.CaseID, a.LinkID, text(a.Account), text(a.Mail), text(a.Name), bit(a.Machine), a.Outcome, text(a.Reason),
		text(a.Duration), millis(a.At), millis(a.RecordedAt))
	return n > 0, wrap("add answer", err)
}

// JudgedAnswer notes that an answer was judged.
func (t *Tx) JudgedAnswer(ctx context.Context, id string) error {
	return wrap("note answer as judged", t.change(ctx, ErrNotFound, `UPDATE answers SET judged = 1 WHERE id = $1`, id))
}

// AnswersOf reads the answers to what a link put to people, in the order in which they were recorded.
func (q Queries) AnswersOf(ctx context.Context, linkID string) ([]Answer, error) {
	as, err := all(ctx, q, (*Answer).fields, `SELECT `+answerColumns+` FROM answers WHERE link_id = $1 ORDER BY n`, linkID)
	return as, wrap("read answers", err)
}

// AnswersOfCase reads the answers in a case, those recorded first leading.
func (q Queries) AnswersOfCase(ctx context.Context, caseID string) ([]Answer, error) {
	as, err := all(ctx, q, (*Answer).fields, `SELECT `+answerColumns+` FROM answers WHERE case_id = $1
		ORDER BY recorded_at, link_id, n`, caseID)
	return as, wrap("read answers", err)
}
