package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// States of a delivery.
//
//	pending ─claim─▶ running ─done─▶ delivered
//	running ─temporary─▶ pending, due later        running ─lease gone─▶ pending (in doubt)
//	running ─permanent─▶ dead        dead ─replay─▶ pending        pending, dead ─cancel─▶ canceled
const (
	Pending   = "pending"
	Running   = "running"
	Delivered = "delivered"
	Dead      = "dead"
	Canceled  = "canceled"
)

// Modes of a delivery.
const (
	Live   = "live"
	Shadow = "shadow" // shows what a rule would do; never claimed, in nobody's way
)

// Delivery is one action owed to one connection.
type Delivery struct {
	ID           string
	CaseID       string
	EventID      string
	LinkID       string
	Lane         string // what stays in order within the case; see lanes.go
	Connection   string
	Kind         string
	Mode         string
	State        string
	Seq          int64 // order within the case
	Ready        bool  // head of its lane
	Holds        bool  // when dead, it holds its lane
	InDoubt      bool  // the last attempt may have acted without our knowing
	MaySent      bool  // some attempt may have acted
	Due          time.Time
	Attempts     int
	Epoch        int64 // of the lease it was claimed under
	ClaimedUntil time.Time
	DoubtUntil   time.Time // a create in doubt is not tried again before
	Action       json.RawMessage
	Purpose      string
	DecisionID   string
	Error        string // of the last attempt
	CreatedAt    time.Time
	UpdatedAt    time.Time
	Rule         string
	RuleVersion  int64
}

// storedColumns are those of deliveries of which it is known whether they are under way as records.
const storedColumns = `id, COALESCE(case_id, ''), event_id, link_id, lane, connection, kind, mode, state` + furtherColumns

const deliveryColumns = `id, COALESCE(case_id, ''), event_id, link_id, lane, connection, kind, mode,
	CASE WHEN kind = 'send' AND state = 'pending' AND NOT (` + notSending + `) THEN 'running' ELSE state END` + furtherColumns

const furtherColumns = `, seq, ready, holds, in_doubt, may_sent, due, attempts, epoch, claimed_until, doubt_until, action, purpose, decision_id, error,
	created_at, updated_at, rule, rule_version`

func (d *Delivery) fields() []any {
	return []any{&d.ID, &d.CaseID, &d.EventID, &d.LinkID, &d.Lane, &d.Connection, &d.Kind, &d.Mode, &d.State, &d.Seq,
		&d.Ready, &d.Holds, &d.InDoubt, &d.MaySent, (*stamp)(&d.Due), &d.Attempts, &d.Epoch, (*stamp)(&d.ClaimedUntil),
		(*stamp)(&d.DoubtUntil), (*document)(&d.Action), &d.Purpose, &d.DecisionID, &d.Error, (*stamp)(&d.CreatedAt),
		(*stamp)(&d.UpdatedAt), &d.Rule, &d.RuleVersion}
}

// AddDelivery appends a delivery to its lane: pending, or born dead. ID, Seq and Ready are assigned; a zero UpdatedAt
// is CreatedAt. It locks the case. A delivery without a case is a lane of its own. Only a live, pending one at the
// head of its lane is ready, and its connection is woken.
func (t *Tx) AddDelivery(ctx context.Context, d Delivery) (Delivery, error) {
	if err := d.complete(); err != nil {
		return d, err
	}
	if d.CaseID == "" {
		d.Lane, d.Seq = d.ID, 1
	} else {
		seq, err := one(ctx, t.Queries, single[int64], `UPDATE cases SET next_seq = next_seq + 1 WHERE id = $1
			RETURNING next_seq - 1`, d.CaseID)
		if err != nil {
			return d, wrap("number delivery", err)
		}
		d.Seq = seq
		if d.Ready {
			taken, err := t.occupied(ctx, d.CaseID, d.Lane)
			if err != nil {
				return d, wrap("look into lane", err)
			}
			d.Ready = !taken
		}
	}
	_, err := t.exec(ctx, `INSERT INTO deliveries (`+deliveryFields+`) VALUES `+tuples(1, plain(27)...), d.values()...)
	if err != nil {
		return d, wrap("add delivery", err)
	}
	if d.Ready {
		t.Wake(WakeDeliver(d.Connection))
	}
	return d, nil
}

// complete gives a new delivery what every one has.
func (d *Delivery) complete() error {
	if d.ID == "" {
		d.ID = NewID()
	}
	if d.State == "" {
		d.State = Pending
	}
	if d.Mode == "" {
		d.Mode = Live
	}
	if d.UpdatedAt.IsZero() {
		d.UpdatedAt = d.CreatedAt
	}
	if d.State != Pending && d.State != Dead {
		return fmt.Errorf("add delivery: %w: it cannot start %q", ErrConflict, d.State)
	}
	d.Ready = d.State == Pending && d.Mode == Live
	d.Error = text(d.Error)
	return nil
}

const deliveryFields = `id, case_id, event_id, link_id, lane, connection, kind, mode, state, seq, ready, holds, in_doubt,
	may_sent, due, attempts, epoch, claimed_until, doubt_until, action, purpose, decision_id, error, created_at,
	updated_at, rule, rule_version`

// values are what is stored of a delivery, in the order of deliveryFields.
func (d *Delivery) values() []any {
	return []any{d.ID, nullable(d.CaseID), d.EventID, d.LinkID, d.Lane, d.Connection, d.Kind, d.Mode, d.State, d.Seq,
		bit(d.Ready), bit(d.Holds), bit(d.InDoubt), bit(d.MaySent), millis(d.Due), d.Attempts, d.Epoch,
		millis(d.ClaimedUntil), millis(d.DoubtUntil), text(string(d.Action)), d.Purpose, d.DecisionID, d.Error,
		millis(d.CreatedAt), millis(d.UpdatedAt), d.Rule, d.RuleVersion}
}

// Replan puts another action, as rendered by the rule and version given, into a delivery that is pending or dead and
// that no attempt can have carried out; ErrConflict otherwise.
func (t *Tx) Replan(ctx context.Context, id string, action json.RawMessage, rule string, version int64, now time.Time) error {
	if _, err := t.lockLane(ctx, id); err != nil {
		return wrap("replan delivery", err)
	}
	err := t.change(ctx, ErrConflict, `UPDATE deliveries SET action = $1, rule = $2, rule_version = $3, updated_at = $4
		WHERE id = $5 AND `+atRest+` AND may_sent = 0 AND in_doubt = 0`,
		text(string(action)), rule, version, millis(now), id)
	return wrap("replan delivery", err)
}

// Settle marks a pending or dead delivery as delivered without a further attempt: its effect turned out to be there. The lane
// goes on. ErrConflict in any other state.
func (t *Tx) Settle(ctx context.Context, id string, now time.Time) error {
	if _, err := t.lockLane(ctx, id); err != nil {
		return wrap("settle delivery", err)
	}
	err := t.change(ctx, ErrConflict, `UPDATE deliveries SET state = 'delivered', ready = 0, in_doubt = 0, may_sent = 1,
		error = '', updated_at = $1 WHERE id = $2 AND `+atRest, millis(now), id)
	if err != nil {
		return wrap("settle delivery", err)
	}
	return wrap("settle delivery", t.free(ctx, []string{id}))
}

// CreateOf reads the delivery that opens the ticket of a link.
func (q Queries) CreateOf(ctx context.Context, linkID string) (Delivery, error) {
	d, err := one(ctx, q, (*Delivery).fields, `SELECT `+deliveryColumns+` FROM deliveries
		WHERE link_id = $1 AND kind = 'create' ORDER BY id LIMIT 1`, linkID)
	return d, wrap("read delivery of link", err)
}

// Delivery reads one delivery.
func (q Queries) Delivery(ctx context.Context, id string) (Delivery, error) {
	d, err := one(ctx, q, (*Delivery).fields, `SELECT `+deliveryColumns+` FROM deliveries WHERE id = $1`, id)
	return d, wrap("read delivery", err)
}

// DeliveriesOfCase reads the deliveries of a case in their order.
func (q Queries) DeliveriesOfCase(ctx context.Context, caseID string) ([]Delivery, error) {
	ds, err := all(ctx, q, (*Delivery).fields, `SELECT `+deliveryColumns+` FROM deliveries WHERE case_id = $1
		ORDER BY seq`, caseID)
	return ds, wrap("read deliveries of case", err)
}

// DeadLetters reads deliveries given up on, the latest first; of one connection, or of all when it is empty.
func (q Queries) DeadLetters(ctx context.Context, connection string, limit int) ([]Delivery, error) {
	w := where{terms: []string{`state = 'dead'`}}
	w.equal("connection", connection)
	query, args := w.query(`SELECT `+deliveryColumns+` FROM deliveries`, `ORDER BY updated_at DESC, id DESC`, limit)
	ds, err := all(ctx, q, (*Delivery).fields, query, args...)
	return ds, wrap("read dead letters", err)
}

// NextDue tells when the next delivery of a connection can be claimed, records for a sink left out; false when none is
// waiting.
func (q Queries) NextDue(ctx context.Context, connection string) (time.Time, bool, error) {
	due, err := one(ctx, q, func(s *stamp) []any { return []any{s} }, `SELECT due FROM deliveries
		WHERE connection = $1 AND ready = 1 AND state = 'pending' AND kind <> 'send' ORDER BY due, id LIMIT 1`, connection)
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, false, nil
	}
	return time.Time(due), err == nil, wrap("read next due time", err)
}
