package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// States of a link.
const (
	LinkPlanned = "planned" // its ticket is still to be made
	LinkLinked  = "linked"
	LinkTwin    = "twin" // a second ticket that surfaced later; it can never decide
	LinkGone    = "gone" // the ticket is no longer at the desk
)

// Link ties a case to the one ticket it has in a slot of a desk.
type Link struct {
	ID            string
	CaseID        string
	Desk          string
	Slot          string
	Key           string // what we leave on the ticket; the link's id when AddLink is given none
	RefID         string
	RefKey        string
	RefURL        string
	Rule          string
	Policy        string
	RuleVersion   int64
	PolicyVersion int64
	Project       string
	Type          string
	Baseline      string // digest of the ticket's content as first read, "" until then
	Opening       string // id of the event that asked for the ticket
	State         string
	CreatedAt     time.Time
	LinkedAt      time.Time
}

// Ref is how a desk points at a ticket.
type Ref struct {
	ID  string
	Key string
	URL string
}

const linkColumns = `id, case_id, desk, slot, key, ref_id, ref_key, ref_url, rule, policy, rule_version, policy_version,
	project, type, baseline, opening, state, created_at, linked_at`

func (l *Link) fields() []any {
	return []any{&l.ID, &l.CaseID, &l.Desk, &l.Slot, &l.Key, &l.RefID, &l.RefKey, &l.RefURL, &l.Rule, &l.Policy,
		&l.RuleVersion, &l.PolicyVersion, &l.Project, &l.Type, &l.Baseline, &l.Opening, &l.State, (*stamp)(&l.CreatedAt),
		(*stamp)(&l.LinkedAt)}
}

// AddLink makes the link of a case at a desk and slot, or answers the one there is; created tells which. ErrConflict
// when the key is another link's.
func (t *Tx) AddLink(ctx context.Context, l Link) (link Link, created bool, err error) {
	l.complete()
	n, err := t.exec(ctx, `INSERT INTO links (`+linkColumns+`) VALUES `+tuples(1, plain(19)...)+
		` ON CONFLICT DO NOTHING`, l.values()...)
	if err != nil || n > 0 {
		return l, n > 0, wrap("add link", err)
	}
	l, err = one(ctx, t.Queries, (*Link).fields, `SELECT `+linkColumns+` FROM links
		WHERE case_id = $1 AND desk = $2 AND slot = $3`, l.CaseID, l.Desk, l.Slot)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: its key is another link's", ErrConflict)
	}
	return l, false, wrap("add link", err)
}

// complete gives a new link what every one has.
func (l *Link) complete() *Link {
	if l.ID == "" {
		l.ID = NewID()
	}
	if l.Key == "" {
		l.Key = l.ID
	}
	if l.State == "" {
		l.State = LinkPlanned
	}
	return l
}

// values are what is stored of a link, in the order of linkColumns.
func (l *Link) values() []any {
	return []any{l.ID, l.CaseID, l.Desk, l.Slot, l.Key, text(l.RefID), text(l.RefKey), text(l.RefURL), l.Rule, l.Policy,
		l.RuleVersion, l.PolicyVersion, text(l.Project), text(l.Type), l.Baseline, l.Opening, l.State, millis(l.CreatedAt),
		millis(l.LinkedAt)}
}

// SetLinkRef ties the link to its ticket. A link is never moved to another ticket: ErrConflict.
func (t *Tx) SetLinkRef(ctx context.Context, id string, ref Ref, at time.Time) error {
	n, err := t.exec(ctx, `UPDATE links SET ref_id = $1, ref_key = $2, ref_url = $3, linked_at = $4, state = 'linked'
		WHERE id = $5 AND (ref_id = '' OR ref_id = $1)`, text(ref.ID), text(ref.Key), text(ref.URL), millis(at), id)
	if err != nil || n > 0 {
		return wrap("set ticket of link", err)
	}
	if _, err := t.Link(ctx, id); errors.Is(err, ErrNotFound) {
		return err
	}
	return fmt.Errorf("set ticket of link: %w: it has another ticket", ErrConflict)
}

// SetBaseline notes what the ticket said when it was first read; "" asks for it to be read anew, after an update of
// our own.
func (t *Tx) SetBaseline(ctx context.Context, id, digest string) error {
	return wrap("set baseline of link", t.change(ctx, ErrNotFound, `UPDATE links SET baseline = $1 WHERE id = $2`, digest, id))
}

// RebindLink lets a link go on with another version of its rule and with the policy named.
func (t *Tx) RebindLink(ctx context.Context, id string, ruleVersion int64, policy string, policyVersion int64) error {
	return wrap("rebind link", t.change(ctx, ErrNotFound, `UPDATE links SET rule_version = $1, policy = $2, policy_version = $3
		WHERE id = $4`, ruleVersion, policy, policyVersion, id))
}

// OpenLinksOf reads the links of open cases that rest on a rule or a policy, "" for any, at an older version than the
// one given.
func (q Queries) OpenLinksOf(ctx context.Context, rule string, ruleVersion int64, policy string, policyVersion int64) ([]Link, error) {
	ls, err := all(ctx, q, (*Link).fields, `SELECT `+prefixed("l", linkColumns)+` FROM cases AS c CROSS JOIN links AS l
		WHERE c.state = 'open' AND l.case_id = c.id AND l.state IN ('planned', 'linked')
			AND ((l.rule = $1 AND l.rule_version < $2) OR (l.policy = $3 AND l.policy <> '' AND l.policy_version < $4))
		ORDER BY l.id`, rule, ruleVersion, policy, policyVersion)
	return ls, wrap("read links of open cases", err)
}

// SetLinkState sets the state of a link.
func (t *Tx) SetLinkState(ctx context.Context, id, state string) error {
	return wrap("set state of link", t.change(ctx, ErrNotFound, `UPDATE links SET state = $1 WHERE id = $2`, state, id))
}

// Link reads one link.
func (q Queries) Link(ctx context.Context, id string) (Link, error) {
	l, err := one(ctx, q, (*Link).fields, `SELECT `+linkColumns+` FROM links WHERE id = $1`, id)
	return l, wrap("read link", err)
}

// LinkByRef reads the link of a ticket: the oldest, should there be several; one whose ticket is gone only where there
// is no other, for a desk may give an id again.
func (q Queries) LinkByRef(ctx context.Context, desk, refID string) (Link, error) {
	l, err := one(ctx, q, (*Link).fields, `SELECT `+linkColumns+` FROM links
		WHERE desk = $1 AND ref_id = $2 AND ref_id <> '' ORDER BY CASE WHEN state = 'gone' THEN 1 ELSE 0 END, id LIMIT 1`, desk, text(refID))
	return l, wrap("read link of ticket", err)
}

// LinkByKey reads the link whose key is on a ticket.
func (q Queries) LinkByKey(ctx context.Context, key string) (Link, error) {
	l, err := one(ctx, q, (*Link).fields, `SELECT `+linkColumns+` FROM links WHERE key = $1`, text(key))
	return l, wrap("read link of key", err)
}

// LinksOfCase reads the links of a case, the oldest first.
func (q Queries) LinksOfCase(ctx context.Context, caseID string) ([]Link, error) {
	ls, err := all(ctx, q, (*Link).fields, `SELECT `+linkColumns+` FROM links WHERE case_id = $1 ORDER BY id`, caseID)
	return ls, wrap("read links of case", err)
}

// OpenRefs reads the tickets of open cases at a desk, those that are gone included: they may come back. The open cases
// lead, since a desk has many more tickets of cases long closed.
func (q Queries) OpenRefs(ctx context.Context, desk string, limit int) ([]Ref, error) {
	refs, err := all(ctx, q, func(r *Ref) []any { return []any{&r.ID, &r.Key, &r.URL} },
		`SELECT l.ref_id, l.ref_key, l.ref_url FROM cases AS c CROSS JOIN links AS l
		WHERE c.state = 'open' AND l.case_id = c.id AND l.desk = $1 AND l.state IN ('linked', 'gone') AND l.ref_id <> ''
		ORDER BY l.id LIMIT $2`, desk, int64(limit))
	return refs, wrap("read open tickets", err)
}
