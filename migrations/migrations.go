// Package migrations holds the database schema, one folder of numbered files an engine, and brings a database to it.
// Files are named by time, go forward only and are never edited once merged; each runs in its own transaction.
//
// A file that breaks programs built before it raises schema_compatibility.min_version to its own number. That is
// what lets replicas be upgraded one after the other: an older program goes on working with a newer schema as long
// as that schema still accepts it.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Engines with a schema.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// ErrSchema is what Check answers when the program and the database do not fit together. The text around it says
// which of the two is older and what to do.
var ErrSchema = errors.New("database schema does not fit this program")

// Up applies what is missing, in order. Replicas that start together on PostgreSQL wait for each other; on SQLite the
// caller sees to it that one program migrates at a time. A database newer than the program is left as it is.
func Up(ctx context.Context, db *sql.DB, engine string) error {
	dialect := goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if engine == Postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("prepare migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	folder, err := fs.Sub(files, engine)
	if err != nil {
		return fmt.Errorf("open migrations of %s: %w", engine, err)
	}
	provider, err := goose.NewProvider(dialect, db, folder, options...)
	if err != nil {
		return fmt.Errorf("read migrations of %s: %w", engine, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}

// Check tells whether a program with these files may work on the database: its schema is ours, or newer and still
// open to us. The error wraps ErrSchema when it is not, and something else when the database does not answer.
func Check(ctx context.Context, db *sql.DB, engine string) error {
	want, err := newest(engine)
	if err != nil {
		return err
	}
	have, floor, err := versions(ctx, db, engine)
	if err != nil {
		return err
	}
	return compare(have, floor, want)
}

func compare(have, floor, want int64) error {
	switch {
	case have == 0:
		return fmt.Errorf("%w: the database is empty; run `drawbridge migrate`", ErrSchema)
	case have < want:
		return fmt.Errorf("%w: it is at %d and %d is needed; run `drawbridge migrate`", ErrSchema, have, want)
	case floor > want:
		return fmt.Errorf("%w: it needs a program of schema %d or later and this one is of %d; upgrade the program",
			ErrSchema, floor, want)
	}
	return nil
}

// versions reads the newest applied file and the oldest program the schema accepts; both are zero on an empty database.
func versions(ctx context.Context, db *sql.DB, engine string) (have, floor int64, err error) {
	tables := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name IN ('goose_db_version', 'schema_compatibility')`
	if engine == Postgres {
		tables = `SELECT COUNT(*) FROM information_schema.tables
			WHERE table_schema = current_schema() AND table_name IN ('goose_db_version', 'schema_compatibility')`
	}
	var n int
	if err := db.QueryRowContext(ctx, tables).Scan(&n); err != nil {
		return 0, 0, fmt.Errorf("read schema: %w", err)
	}
	if n < 2 {
		return 0, 0, nil
	}
	err = db.QueryRowContext(ctx, `SELECT (SELECT MAX(version_id) FROM goose_db_version), min_version
		FROM schema_compatibility`).Scan(&have, &floor)
	if err != nil {
		return 0, 0, fmt.Errorf("read schema version: %w", err)
	}
	return have, floor, nil
}

// newest is the number of the last file of an engine.
func newest(engine string) (int64, error) {
	entries, err := fs.ReadDir(files, engine)
	if err != nil {
		return 0, fmt.Errorf("open migrations of %s: %w", engine, err)
	}
	number, _, _ := strings.Cut(entries[len(entries)-1].Name(), "_")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read migration number: %w", err)
	}
	return version, nil
}
