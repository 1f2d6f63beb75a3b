package store

import (
	"context"
	"time"
)

// Judged is a decision together with the case it was made for and the ticket it was made on.
type Judged struct {
	Decision Decision
	Case     Case
	Desk     string
	Ticket   string
}

func (j *Judged) fields() []any {
	return append(append(j.Decision.fields(), j.Case.fields()...), &j.Desk, &j.Ticket)
}

const judgedCaseColumns = `c.id, c.connection, c.tenant, c.request_id, COALESCE(c.parent_id, ''), c.kind, c.state,
	c.requester, c.subject, c.severity, c.opened_at, c.updated_at, c.edited_body, c.next_seq`

// Judgements reads the decisions made from a time on and before another, in the order they were recorded, from the one
// after the id given. A zero until is no limit.
func (q Queries) Judgements(ctx context.Context, since, until time.Time, after string, limit int) ([]Judged, error) {
	js, err := all(ctx, q, (*Judged).fields, `SELECT `+prefixed("d", decisionColumns)+`, `+judgedCaseColumns+`,
			COALESCE(l.desk, ''), COALESCE(l.ref_key, '')
		FROM decisions AS d JOIN cases AS c ON c.id = d.case_id LEFT JOIN links AS l ON l.id = d.link_id
		WHERE d.at >= $1 AND (CAST($2 AS BIGINT) = 0 OR d.at < $2) AND d.id > $3 ORDER BY d.id LIMIT $4`,
		millis(since), millis(until), after, int64(limit))
	return js, wrap("read decisions", err)
}
