package store

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
)

// States of an event.
const (
	EventAccepted = "accepted" // stored, not yet planned
	EventPlanned  = "planned"
	EventUnrouted = "unrouted" // no rule wanted it
	EventHeld     = "held"     // kept back until somebody lets it go
)

// Event is one thing a source told us: the body as received and the event it was understood as.
type Event struct {
	ID          string
	Connection  string
	Dedupe      string // identity within the connection
	Kind        string
	Tenant      string
	RequestID   string
	CaseID      string // empty when the event has no case
	ReceivedAt  time.Time
	Body        []byte
	ContentType string
	Normal      json.RawMessage // the normalised event
	State       string
	PlannedAt   time.Time
	Test        bool // a sample, marked as such by us
	Edited      bool // the body was edited while in quarantine
}

const eventColumns = `id, connection, dedupe, kind, tenant, request_id, COALESCE(case_id, ''), received_at, body,
	content_type, normal, state, planned_at, test, edited`

func (e *Event) fields() []any {
	return []any{&e.ID, &e.Connection, &e.Dedupe, &e.Kind, &e.Tenant, &e.RequestID, &e.CaseID, (*stamp)(&e.ReceivedAt),
		&e.Body, &e.ContentType, (*document)(&e.Normal), &e.State, (*stamp)(&e.PlannedAt), &e.Test, &e.Edited}
}

// ClaimUnplanned gives accepted events, the oldest first, except those of the connections in skip. On PostgreSQL they
// belong to this transaction until it ends, and others get the next ones; planners that run side by side lock the
// cases of what they got in the order of the case ids.
func (t *Tx) ClaimUnplanned(ctx context.Context, skip []string, limit int) ([]Event, error) {
	query := `SELECT ` + eventColumns + ` FROM events WHERE state = 'accepted'`
	args := anys(skip)
	if len(skip) > 0 {
		query += ` AND connection NOT IN ` + list(1, len(skip))
	}
	query += ` ORDER BY seq LIMIT $` + strconv.Itoa(len(args)+1) + t.engine.skipLocked
	events, err := all(ctx, t.Queries, (*Event).fields, query, append(args, limit)...)
	return events, wrap("claim unplanned events", err)
}

// HasEarlierUnplanned tells whether the case has an accepted event that arrived before this one. Ask with the case
// locked.
func (t *Tx) HasEarlierUnplanned(ctx context.Context, caseID, eventID string) (bool, error) {
	n, err := one(ctx, t.Queries, single[int64], `SELECT COUNT(*) FROM (
			SELECT 1 FROM events WHERE case_id = $1 AND state = 'accepted'
			AND seq < (SELECT seq FROM events WHERE id = $2) LIMIT 1
		) AS earlier`, caseID, eventID)
	return n > 0, wrap("look for earlier events", err)
}

// PlannedEvent sets what became of an event.
func (t *Tx) PlannedEvent(ctx context.Context, id, state string, at time.Time) error {
	err := t.change(ctx, ErrNotFound, `UPDATE events SET state = $1, planned_at = $2 WHERE id = $3`, state, millis(at), id)
	return wrap("mark event", err)
}

// Event reads one event.
func (q Queries) Event(ctx context.Context, id string) (Event, error) {
	e, err := one(ctx, q, (*Event).fields, `SELECT `+eventColumns+` FROM events WHERE id = $1`, id)
	return e, wrap("read event", err)
}

// EventsOfCase reads the events of a case in the order they arrived.
func (q Queries) EventsOfCase(ctx context.Context, caseID string) ([]Event, error) {
	events, err := all(ctx, q, (*Event).fields, `SELECT `+eventColumns+` FROM events WHERE case_id = $1 ORDER BY seq`, caseID)
	return events, wrap("read events of case", err)
}

// EventFilter says which events Events reads; empty fields leave nothing out.
type EventFilter struct {
	State      string
	Connection string
	Before     string // id of the last event of the page before
	Limit      int
}

// Events reads events, the newest first.
func (q Queries) Events(ctx context.Context, f EventFilter) ([]Event, error) {
	var w where
	w.equal("state", f.State)
	w.equal("connection", f.Connection)
	w.less("id", f.Before)
	query, args := w.query(`SELECT `+eventColumns+` FROM events`, `ORDER BY id DESC`, f.Limit)
	events, err := all(ctx, q, (*Event).fields, query, args...)
	return events, wrap("read events", err)
}
