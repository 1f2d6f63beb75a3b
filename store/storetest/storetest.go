// Package storetest gives tests real databases: SQLite always, PostgreSQL where its server is installed. Each test has
// a migrated database of its own, gone when it ends.
//
// A test binary that uses PostgreSQL starts one throw-away server at the first need. Its TestMain stops it:
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
package storetest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/migrations"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Names of the engines.
const (
	SQLite   = migrations.SQLite
	Postgres = migrations.Postgres
)

// Engines runs a test on each engine, side by side. Where PostgreSQL is not installed that half is skipped, or fails
// when the environment's DRAWBRIDGE_REQUIRE names postgres.
func Engines(t *testing.T, run func(t *testing.T, engine string)) {
	t.Helper()
	for _, engine := range []string{SQLite, Postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine == Postgres {
				Need(t)
			}
			run(t, engine)
		})
	}
}

// New opens a migrated database of its own for the test and closes it when the test ends.
func New(t testing.TB, engine string) *store.Store {
	t.Helper()
	return Open(t, DSN(t, engine), store.Options{})
}

// Open opens a store on a database DSN gave and closes it when the test ends. Several stores on one database stand for
// several replicas.
func Open(t testing.TB, dsn string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, o)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}

// DSN makes a migrated database of its own for the test and gives its address.
func DSN(t testing.TB, engine string) string {
	t.Helper()
	if engine == Postgres {
		return postgresDatabase(t)
	}
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "drawbridge.db")
	if err := migrate(dsn); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// Empty makes a database without a schema and gives its address.
func Empty(t testing.TB, engine string) string {
	t.Helper()
	if engine == Postgres {
		return emptyPostgresDatabase(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "drawbridge.db")
}

// Main runs the tests of a package, stops the servers they started, and exits.
func Main(m *testing.M) {
	code := m.Run()
	server.stop()
	durable.stop()
	os.Exit(code)
}

func migrate(dsn string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dsn, store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Migrate(ctx)
}
