package store

import "context"

// Workload is what one connection has to do and what waits for a person.
type Workload struct {
	Connection string
	Pending    int64
	Running    int64
	Dead       int64
	Quarantine int64 // bodies that wait
	Unplanned  int64 // events accepted and not planned yet
	Unrouted   int64 // events kept that no rule wanted, tests left out
}

// Workloads counts what is under way, by connection; those with nothing are left out.
func (q Queries) Workloads(ctx context.Context) (map[string]Workload, error) {
	type counted struct {
		connection, what string
		n                int64
	}
	rows, err := all(ctx, q, func(c *counted) []any { return []any{&c.connection, &c.what, &c.n} }, `
		SELECT connection, state, COUNT(*) FROM deliveries
			WHERE state IN ('pending', 'running', 'dead') AND mode = 'live' GROUP BY connection, state
		UNION ALL SELECT sink, 'sending', COUNT(*) FROM sending GROUP BY sink
		UNION ALL SELECT connection, 'quarantine', COUNT(*) FROM quarantine WHERE state = 'waiting' GROUP BY connection
		UNION ALL SELECT connection, 'unplanned', COUNT(*) FROM events WHERE state = 'accepted' GROUP BY connection
		UNION ALL SELECT connection, 'unrouted', COUNT(*) FROM events WHERE state = 'unrouted' AND test = 0 GROUP BY connection`)
	if err != nil {
		return nil, wrap("count work", err)
	}
	found := map[string]Workload{}
	for _, r := range rows {
		w := found[r.connection]
		w.Connection = r.connection
		switch r.what {
		case Pending:
			w.Pending += r.n
		case Running:
			w.Running += r.n
		case "sending":
			w.Pending, w.Running = w.Pending-r.n, w.Running+r.n
		case Dead:
			w.Dead = r.n
		case "quarantine":
			w.Quarantine = r.n
		case "unplanned":
			w.Unplanned = r.n
		case EventUnrouted:
			w.Unrouted = r.n
		}
		found[r.connection] = w
	}
	return found, nil
}

// Queue reads ids of a connection's deliveries that are pending or dead, of each case the last first, so that who takes
// them out one by one makes none ready that is to go as well.
func (q Queries) Queue(ctx context.Context, connection string, limit int) ([]string, error) {
	ids, err := all(ctx, q, single[string], `SELECT id FROM deliveries WHERE connection = $1 AND `+atRest+`
		AND mode = 'live' ORDER BY COALESCE(case_id, ''), seq DESC, id LIMIT $2`, connection, int64(limit))
	return ids, wrap("read queue", err)
}

// UnfinishedCases reads ids of cases that are not closed and have to do with a connection: its own, and those with a
// ticket there.
func (q Queries) UnfinishedCases(ctx context.Context, connection string, limit int) ([]string, error) {
	ids, err := all(ctx, q, single[string], `SELECT c.id FROM cases AS c WHERE c.state IN ('open', 'decided') AND (c.connection = $1
			OR EXISTS (SELECT 1 FROM links AS l WHERE l.case_id = c.id AND l.desk = $1 AND l.state IN ('planned', 'linked')))
		ORDER BY c.id LIMIT $2`, connection, int64(limit))
	return ids, wrap("read unfinished cases", err)
}

// SchemaVersion is the number of the newest migration that was applied.
func (q Queries) SchemaVersion(ctx context.Context) (int64, error) {
	v, err := one(ctx, q, single[int64], `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`)
	return v, wrap("read schema version", err)
}
