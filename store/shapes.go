package store

import (
	"context"
	"encoding/json"
	"time"
)

// Shape is what the data of one kind of event of one connection looks like. Fields is the learner's own; it holds names
// and types and no values.
type Shape struct {
	Connection string
	Kind       string
	Fields     json.RawMessage
	UpdatedAt  time.Time
}

const shapeColumns = `connection, kind, fields, updated_at`

func (s *Shape) fields() []any {
	return []any{&s.Connection, &s.Kind, (*document)(&s.Fields), (*stamp)(&s.UpdatedAt)}
}

// Shape reads a shape; ErrNotFound when nothing was learned yet.
func (q Queries) Shape(ctx context.Context, connection, kind string) (Shape, error) {
	s, err := one(ctx, q, (*Shape).fields, `SELECT `+shapeColumns+` FROM shapes WHERE connection = $1 AND kind = $2`,
		text(connection), text(kind))
	return s, wrap("read shape", err)
}

// LockShape reads a shape and bars others from learning until the transaction ends. One that was never learned is made
// first, empty.
func (t *Tx) LockShape(ctx context.Context, connection, kind string) (Shape, error) {
	_, err := t.exec(ctx, `INSERT INTO shapes (`+shapeColumns+`) VALUES ($1, $2, '', 0) ON CONFLICT DO NOTHING`, text(connection), text(kind))
	if err != nil {
		return Shape{}, wrap("make shape", err)
	}
	s, err := one(ctx, t.Queries, (*Shape).fields, `SELECT `+shapeColumns+` FROM shapes WHERE connection = $1 AND kind = $2`+
		t.engine.forUpdate, text(connection), text(kind))
	return s, wrap("lock shape", err)
}

// SetShape writes what was learned.
func (t *Tx) SetShape(ctx context.Context, s Shape) error {
	err := t.change(ctx, ErrNotFound, `UPDATE shapes SET fields = $1, updated_at = $2 WHERE connection = $3 AND kind = $4`,
		text(string(s.Fields)), millis(s.UpdatedAt), text(s.Connection), text(s.Kind))
	return wrap("write shape", err)
}

// CountShapes tells of how many kinds of a connection's events something was learned.
func (q Queries) CountShapes(ctx context.Context, connection string) (int, error) {
	n, err := one(ctx, q, single[int64], `SELECT COUNT(*) FROM shapes WHERE connection = $1`, text(connection))
	return int(n), wrap("count shapes", err)
}
