package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/drawbridge-itsm/drawbridge/migrations"
)

// dialect is all that differs between the engines in a query or an answer. On SQLite there is one writer, so there
// is nothing to lock.
type dialect struct {
	name       string
	clock      string         // query for the database's time in milliseconds; empty: the program's clock
	skipLocked string         // takes the rows nobody else is taking
	forUpdate  string         // waits for the row; does not bar foreign keys from pointing at it
	forShare   string         // bars others from changing the row until the end of the transaction
	snapshot   *sql.TxOptions // of a transaction that reads everything as it stood at one moment
	again      func(error) bool
	duplicate  func(error) bool
}

var sqliteDialect = dialect{
	name: migrations.SQLite,
	again: func(err error) bool {
		var e *sqlite.Error
		return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
	},
	duplicate: func(err error) bool {
		var e *sqlite.Error
		return errors.As(err, &e) &&
			(e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
	},
}

var postgresDialect = dialect{
	name:       migrations.Postgres,
	clock:      `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`,
	skipLocked: ` FOR UPDATE SKIP LOCKED`,
	forUpdate:  ` FOR NO KEY UPDATE`,
	forShare:   ` FOR SHARE`,
	snapshot:   &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	again: func(err error) bool {
		var e *pgconn.PgError
		return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01" || e.Code == "55P03")
	},
	duplicate: func(err error) bool {
		var e *pgconn.PgError
		return errors.As(err, &e) && e.Code == "23505"
	},
}

// sql is a query as the engine likes it. SQLite takes $1 as well, but as a name, which it looks for among all others,
// when reading a statement and for each value bound to it: of a thousand parameters that takes longer than running it.
// ?1 is a number as well as a name; a bare ? is neither, and does where each parameter stands once and in order.
func (d dialect) sql(query string) string {
	if d.name != migrations.SQLite {
		return query
	}
	var b strings.Builder
	b.Grow(len(query))
	rest := query
	for n := 1; ; n++ {
		before, after, found := strings.Cut(rest, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		number := strconv.Itoa(n)
		if !strings.HasPrefix(after, number) || (len(after) > len(number) && after[len(number)] >= '0' && after[len(number)] <= '9') {
			return strings.ReplaceAll(query, "$", "?")
		}
		b.WriteByte('?')
		rest = after[len(number):]
	}
}

// connect opens the pools. Errors do not repeat the dsn: it may hold a password.
func (s *Store) connect(dsn string, conns int) error {
	scheme, rest, _ := strings.Cut(dsn, ":")
	switch scheme {
	case "sqlite":
		if rest == "" {
			return errors.New("open database: sqlite: needs a path")
		}
		return s.connectSQLite(rest)
	case "postgres", "postgresql":
		return s.connectPostgres(dsn, conns)
	}
	return errors.New("open database: the address starts with neither sqlite: nor postgres://")
}

// connectSQLite opens one connection that writes and a pool that only reads. FULL makes a commit survive the loss of
// power; an immediate transaction waits for its turn at its start, where waiting can do no harm.
func (s *Store) connectSQLite(path string) error {
	s.engine, s.path = sqliteDialect, path
	address := func(lock string, pragmas ...string) string {
		v := url.Values{"_pragma": append([]string{"busy_timeout(5000)", "foreign_keys(1)", "synchronous(FULL)"}, pragmas...)}
		v.Set("_txlock", lock)
		return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: v.Encode()}).String()
	}
	var err error
	if s.write, err = sql.Open("sqlite", address("immediate", "journal_mode(WAL)")); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", address("deferred", "query_only(1)")); err != nil {
		return errors.Join(fmt.Errorf("open database: %w", err), s.write.Close())
	}
	s.read.SetMaxOpenConns(4)
	s.read.SetMaxIdleConns(4)
	return nil
}

// forIndexes keeps plans that are made while tables are still small, and kept for as long as the session, from going
// through what by then are large ones: every query that runs often has its index. Compiling plans pays for none of them.
const forIndexes = `SET enable_seqscan = off; SET jit = off`

func (s *Store) connectPostgres(dsn string, conns int) error {
	s.engine, s.dsn = postgresDialect, dsn
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return errors.New("open database: the postgres:// address is not valid")
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "drawbridge"
	}
	s.write = stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, forIndexes)
		return err
	}))
	s.write.SetMaxOpenConns(conns)
	s.write.SetMaxIdleConns(conns)
	s.write.SetConnMaxIdleTime(5 * time.Minute)
	s.read = s.write
	return nil
}
