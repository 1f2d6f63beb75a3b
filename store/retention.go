package store

import (
	"context"
	"time"
)

// Prune deletes one small step of what ended before a time, and answers how many rows it began with; 0 is the end.
// At most limit of each go: closed cases with all they have and nothing under way, events and deliveries that have no
// case, settled quarantine. What only matters for a while goes too: notices seen or closed, expired sessions. The record
// and the identities of events have retentions of their own.
func (s *Store) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.prune(ctx, "prune", before, limit,
		`DELETE FROM cases WHERE id IN (SELECT c.id FROM cases AS c WHERE c.state = 'closed' AND c.updated_at < $1
			AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.case_id = c.id AND d.state IN ('pending', 'running')
				AND d.mode = 'live')
			ORDER BY c.id LIMIT $2)`,
		`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE case_id IS NULL AND state IN ('planned', 'unrouted')
			AND received_at < $1 LIMIT $2)`,
		`DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE case_id IS NULL AND updated_at < $1
			AND (state IN ('delivered', 'dead', 'canceled') OR mode = 'shadow') LIMIT $2)`,
		`DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine WHERE state <> 'waiting' AND received_at < $1 LIMIT $2)`,
		`DELETE FROM notices WHERE (connection, id) IN (SELECT connection, id FROM notices WHERE seen_at < $1 LIMIT $2)`,
		`DELETE FROM operator_notices WHERE id IN (SELECT id FROM operator_notices WHERE closed_at > 0 AND closed_at < $1 LIMIT $2)`,
		`DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE expires_at < $1 LIMIT $2)`,
	)
}

// PruneDedupes forgets one small step of the identities of events seen before a time: from then on the same event
// would be a new one.
func (s *Store) PruneDedupes(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.prune(ctx, "prune identities", before, limit, `DELETE FROM dedupes WHERE (connection, dedupe) IN (
		SELECT connection, dedupe FROM dedupes WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)`)
}

// prune runs each statement in a transaction of its own, so that none keeps others waiting for long.
func (s *Store) prune(ctx context.Context, doing string, before time.Time, limit int, statements ...string) (int, error) {
	total := 0
	for _, statement := range statements {
		var n int64
		err := s.InTx(ctx, func(t *Tx) (err error) {
			n, err = t.exec(ctx, statement, millis(before), int64(limit))
			return err
		})
		if err != nil {
			return total, wrap(doing, err)
		}
		total += int(n)
	}
	return total, nil
}
