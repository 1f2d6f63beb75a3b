package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Queries are the reads. On a Store they see what is committed, in a Tx also what the transaction has written.
type Queries struct {
	db     querier
	engine dialect
}

type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// exec runs a statement and tells how many rows it changed. A row that may exist once and does is ErrConflict.
func (q Queries) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := q.db.ExecContext(ctx, q.engine.sql(query), args...)
	if err != nil {
		return 0, q.conflict(err)
	}
	return result.RowsAffected()
}

// change runs a statement that must change a row, and answers missing when it does not.
func (q Queries) change(ctx context.Context, missing error, query string, args ...any) error {
	n, err := q.exec(ctx, query, args...)
	if err == nil && n == 0 {
		return missing
	}
	return err
}

func (q Queries) conflict(err error) error {
	if q.engine.duplicate(err) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// one reads one row. No row is ErrNotFound.
func one[T any](ctx context.Context, q Queries, fields func(*T) []any, query string, args ...any) (T, error) {
	var v T
	err := q.db.QueryRowContext(ctx, q.engine.sql(query), args...).Scan(fields(&v)...)
	if errors.Is(err, sql.ErrNoRows) {
		return v, ErrNotFound
	}
	if err != nil {
		return v, q.conflict(err)
	}
	return v, nil
}

// all reads every row.
func all[T any](ctx context.Context, q Queries, fields func(*T) []any, query string, args ...any) ([]T, error) {
	rows, err := q.db.QueryContext(ctx, q.engine.sql(query), args...)
	if err != nil {
		return nil, q.conflict(err)
	}
	defer rows.Close()
	var vs []T
	for rows.Next() {
		var v T
		if err := rows.Scan(fields(&v)...); err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	if err := rows.Err(); err != nil {
		return nil, q.conflict(err)
	}
	return vs, nil
}

// single gives the field of a query with one column.
func single[T any](v *T) []any { return []any{v} }

// wrap says what was being done, where it went wrong.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// stamp is a time read from milliseconds.
type stamp time.Time

// Scan takes the milliseconds a column holds; 0 is the zero time.
func (s *stamp) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("read time: %T is no number of milliseconds", v)
	}
	*s = stamp{}
	if n != 0 {
		*s = stamp(time.UnixMilli(n).UTC())
	}
	return nil
}

// document is JSON read from a text column; an empty text is no JSON.
type document json.RawMessage

// Scan takes the text a column holds.
func (d *document) Scan(v any) error {
	switch v := v.(type) {
	case string:
		*d = document(v)
	case []byte:
		*d = append(document(nil), v...)
	default:
		return fmt.Errorf("read document: %T is no text", v)
	}
	if len(*d) == 0 {
		*d = nil
	}
	return nil
}

// millis is a time as the database keeps it.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// bit is a boolean as the database keeps it.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// text is s as both engines can keep it. PostgreSQL takes no NUL and no broken UTF-8, and what came from outside may
// have either; such a text is kept quoted, so that two different ones stay different.
func text(s string) string {
	if utf8.ValidString(s) && !strings.Contains(s, "\x00") {
		return s
	}
	return strconv.QuoteToASCII(s)
}

// Kept is a text as it is read again once it was stored.
func Kept(s string) string { return text(s) }

// nullable is a reference that may be missing.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// bytesOf keeps an empty body distinct from NULL.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// batch is how many rows one statement takes at most: each size is a statement of its own to prepare.
const batch = 64

// many is how many rows it takes where there are more than that: records for a sink come by the thousand.
const many = 256

// parts cuts rows into those of one statement each.
func parts[T any](rows []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for len(rows) >= many {
			if !yield(rows[:many]) {
				return
			}
			rows = rows[many:]
		}
		for part := range slices.Chunk(rows, batch) {
			if !yield(part) {
				return
			}
		}
	}
}

// tuples writes n groups of parameters, ($1, $2), ($3, $4), and so on, each parameter put into its form: "?" is the
// parameter itself.
func tuples(n int, forms ...string) string {
	var b strings.Builder
	p := 0
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for j, form := range forms {
			if j > 0 {
				b.WriteString(", ")
			}
			p++
			b.WriteString(strings.Replace(form, "?", "$"+strconv.Itoa(p), 1))
		}
		b.WriteByte(')')
	}
	return b.String()
}

// plain is the form of n parameters given as they are.
func plain(n int) []string {
	forms := make([]string, n)
	for i := range forms {
		forms[i] = "?"
	}
	return forms
}

// list writes parameters from..from+n-1 as ($from, ...).
func list(from, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = "$" + strconv.Itoa(from+i)
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// anys makes arguments of ids.
func anys(ids []string) []any {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return args
}

// prefixed puts a table in front of plain column names.
func prefixed(table, columns string) string {
	names := strings.Split(columns, ",")
	for i, name := range names {
		names[i] = table + "." + strings.TrimSpace(name)
	}
	return strings.Join(names, ", ")
}
