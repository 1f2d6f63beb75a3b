package store

import (
	"context"
	"encoding/json"
	"time"
)

// States of a decision.
const (
	DecisionOwed    = "owed"    // its source is to be told
	DecisionPosted  = "posted"  // its source took it
	DecisionRefused = "refused" // its source did not take it
	DecisionTold    = "told"    // it came from its source, or the ticket knows the outcome
	DecisionTest    = "test"    // made on a test: nobody is told
	DecisionKept    = "kept"    // its source has no way to be told: it stands in our record alone
)

// Decision is what was judged for a case, by whom, and under which rule and policy.
type Decision struct {
	ID            string
	CaseID        string
	LinkID        string
	Outcome       string
	By            string // person
	ByName        string
	Reason        string
	Origin        string // desk, source or vote
	Claim         string // id of the step in the ticket's history
	Rule          string
	Policy        string
	RuleVersion   int64
	PolicyVersion int64
	At            time.Time
	RecordedAt    time.Time
	Once          bool
	Length        time.Duration
	State         string
	DeliveryID    string
	Detail        json.RawMessage
}

const decisionColumns = `id, case_id, link_id, outcome, person, person_name, reason, origin, claim, rule, policy,
	rule_version, policy_version, at, recorded_at, once, length, state, delivery_id, detail`

func (d *Decision) fields() []any {
	return []any{&d.ID, &d.CaseID, &d.LinkID, &d.Outcome, &d.By, &d.ByName, &d.Reason, &d.Origin, &d.Claim, &d.Rule,
		&d.Policy, &d.RuleVersion, &d.PolicyVersion, (*stamp)(&d.At), (*stamp)(&d.RecordedAt), &d.Once, &d.Length, &d.State,
		&d.DeliveryID, (*document)(&d.Detail)}
}

// AddDecision stores the decision of a case, which has one for ever: a second is ErrConflict.
func (t *Tx) AddDecision(ctx context.Context, d Decision) error {
	if d.ID == "" {
		d.ID = NewID()
	}
	if d.State == "" {
		d.State = DecisionOwed
	}
	err := t.change(ctx, ErrConflict, `INSERT INTO decisions (`+decisionColumns+`) VALUES `+tuples(1, plain(20)...)+
		` ON CONFLICT DO NOTHING`,
		d.ID, d.CaseID, d.LinkID, d.Outcome, text(d.By), text(d.ByName), text(d.Reason), d.Origin, text(d.Claim), d.Rule,
		d.Policy, d.RuleVersion, d.PolicyVersion, millis(d.At), millis(d.RecordedAt), bit(d.Once), int64(d.Length), d.State,
		d.DeliveryID, text(string(d.Detail)))
	return wrap("add decision", err)
}

// SetDecisionState says how far the decision has got. An empty deliveryID leaves the delivery as it is. What was
// decided never changes.
func (t *Tx) SetDecisionState(ctx context.Context, id, state, deliveryID string) error {
	err := t.change(ctx, ErrNotFound, `UPDATE decisions SET state = $1,
		delivery_id = CASE WHEN $2 = '' THEN delivery_id ELSE $2 END WHERE id = $3`, state, deliveryID, id)
	return wrap("set state of decision", err)
}

// DecisionOf reads the decision of a case.
func (q Queries) DecisionOf(ctx context.Context, caseID string) (Decision, error) {
	d, err := one(ctx, q, (*Decision).fields, `SELECT `+decisionColumns+` FROM decisions WHERE case_id = $1`, caseID)
	return d, wrap("read decision", err)
}

// Refusal says why a claim in a ticket's history was no decision.
type Refusal struct {
	LinkID string
	CaseID string
	Claim  string
	Code   string
	Text   string
	By     string
	At     time.Time
}

const refusalColumns = `link_id, case_id, claim, code, text, person, at`

func (r *Refusal) fields() []any {
	return []any{&r.LinkID, &r.CaseID, &r.Claim, &r.Code, &r.Text, &r.By, (*stamp)(&r.At)}
}

// AddRefusal stores a refusal; false when this claim was refused for the same reason before, so that it is told once.
func (t *Tx) AddRefusal(ctx context.Context, r Refusal) (bool, error) {
	n, err := t.exec(ctx, `INSERT INTO refusals (`+refusalColumns+`) VALUES `+tuples(1, plain(7)...)+
		` ON CONFLICT (link_id, claim, code) DO NOTHING`,
		r.LinkID, r.CaseID, text(r.Claim), r.Code, text(r.Text), text(r.By), millis(r.At))
	return n > 0, wrap("add refusal", err)
}

// RefusalsOfCase reads the refusals of a case, the oldest first.
func (q Queries) RefusalsOfCase(ctx context.Context, caseID string) ([]Refusal, error) {
	rs, err := all(ctx, q, (*Refusal).fields, `SELECT `+refusalColumns+` FROM refusals WHERE case_id = $1
		ORDER BY at, link_id, claim, code`, caseID)
	return rs, wrap("read refusals", err)
}
