package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Askable is a case its source may be asked about: it is open and has a ticket, or it was approved of late.
type Askable struct {
	Case     Case
	Decision *Decision
	Opening  json.RawMessage // the event that opened it
	Latest   string          // id of the last event that was heard of it
	Test     bool            // it was opened by a sample
}

// Askable reads such cases of a connection in the order of their ids, those after the one given. An approval counts since
// a time, zero for none, unless an event of the kind done has come after it.
func (q Queries) Askable(ctx context.Context, connection, after string, approved time.Time, done string, limit int) ([]Askable, error) {
	const ticket = ` AND EXISTS (SELECT 1 FROM links AS l WHERE l.case_id = c.id AND l.state IN ('planned', 'linked')) ORDER BY c.id LIMIT `
	cases, err := all(ctx, q, (*Case).fields, `SELECT `+prefixedCase+` FROM cases AS c
		WHERE c.state = 'open' AND c.connection = $1 AND c.id > $2`+ticket+`$3`, connection, after, int64(limit))
	if err != nil {
		return nil, wrap("read open cases", err)
	}
	if !approved.IsZero() {
		more, err := all(ctx, q, (*Case).fields, `SELECT `+prefixedCase+` FROM cases AS c
			WHERE c.id IN (SELECT d.case_id FROM decisions AS d WHERE d.outcome = 'approved' AND d.recorded_at >= $1)
				AND c.connection = $2 AND c.id > $3 AND c.state <> 'open'
				AND NOT EXISTS (SELECT 1 FROM events AS e WHERE e.case_id = c.id AND e.kind = $4)`+ticket+`$5`,
			millis(approved), connection, after, done, int64(limit))
		if err != nil {
			return nil, wrap("read approved cases", err)
		}
		cases = append(cases, more...)
		slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.ID, b.ID) })
		cases = cases[:min(limit, len(cases))]
	}
	return q.askable(ctx, cases)
}

const prefixedCase = `c.id, c.connection, c.tenant, c.request_id, COALESCE(c.parent_id, ''), c.kind, c.state, c.requester, c.subject,
	c.severity, c.opened_at, c.updated_at, c.edited_body, c.next_seq`

// heard is the first and the last event of a case.
type heard struct {
	caseID, latest string
	opening        json.RawMessage
	test           bool
}

func (h *heard) fields() []any { return []any{&h.caseID, (*document)(&h.opening), &h.test, &h.latest} }

// askable adds to cases what was heard of them. One whose events are gone is left out.
func (q Queries) askable(ctx context.Context, cases []Case) ([]Askable, error) {
	if len(cases) == 0 {
		return nil, nil
	}
	ids := make([]string, len(cases))
	for i, c := range cases {
		ids[i] = c.ID
	}
	events, err := all(ctx, q, (*heard).fields, `SELECT x.case_id, f.normal, f.test, l.id FROM (
			SELECT case_id, MIN(seq) AS first, MAX(seq) AS last FROM events WHERE case_id IN `+list(1, len(ids))+` GROUP BY case_id
		) AS x JOIN events AS f ON f.case_id = x.case_id AND f.seq = x.first JOIN events AS l ON l.case_id = x.case_id AND l.seq = x.last`, anys(ids)...)
	if err != nil {
		return nil, wrap("read events of cases", err)
	}
	decisions, err := q.DecisionsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	var found []Askable
	for _, c := range cases {
		at := slices.IndexFunc(events, func(h heard) bool { return h.caseID == c.ID })
		if at < 0 {
			continue
		}
		a := Askable{Case: c, Opening: events[at].opening, Latest: events[at].latest, Test: events[at].test}
		if d, ok := decisions[c.ID]; ok {
			a.Decision = &d
		}
		found = append(found, a)
	}
	return found, nil
}
