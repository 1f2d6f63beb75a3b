package migrations_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/migrations"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func empty(t *testing.T, engine string) *store.Store {
	t.Helper()
	return storetest.Open(t, storetest.Empty(t, engine), store.Options{})
}

func TestUpBringsAnEmptyDatabaseToTheSchema(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := empty(t, engine)
		if err := s.CheckSchema(t.Context()); !errors.Is(err, migrations.ErrSchema) {
			t.Errorf("Check of an empty database = %v", err)
		}
		for range 2 {
			if err := migrations.Up(t.Context(), s.DB(), engine); err != nil {
				t.Fatal(err)
			}
			if err := migrations.Check(t.Context(), s.DB(), engine); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestUpOfProgramsThatStartTogether(t *testing.T) {
	t.Parallel()
	storetest.Need(t)
	dsn := storetest.Empty(t, storetest.Postgres)
	var wg sync.WaitGroup
	for range 4 {
		s := storetest.Open(t, dsn, store.Options{})
		wg.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.CheckSchema(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestCheckComparesProgramAndSchema(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		change  string
		wantErr bool
	}{
		{"an older schema", `DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)`, true},
		{"a newer schema that accepts us", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99990101000000, CAST(1 AS BOOLEAN))`, false},
		{"a newer schema that does not", `UPDATE schema_compatibility SET min_version = 99990101000000`, true},
	}
	storetest.Engines(t, func(t *testing.T, engine string) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				s := storetest.New(t, engine)
				if _, err := s.DB().ExecContext(t.Context(), test.change); err != nil {
					t.Fatal(err)
				}
				err := s.CheckSchema(t.Context())
				if errors.Is(err, migrations.ErrSchema) != test.wantErr {
					t.Errorf("CheckSchema = %v, want error %v", err, test.wantErr)
				}
				if !test.wantErr {
					if err := s.Migrate(t.Context()); err != nil {
						t.Errorf("Migrate = %v", err)
					}
				}
			})
		}
	})
}

// TestEnginesHaveTheSameTables keeps the two folders in step: the same files, tables and columns.
func TestEnginesHaveTheSameTables(t *testing.T) {
	t.Parallel()
	names := func(engine string) []string {
		paths, err := fs.Glob(os.DirFS(engine), "*.sql")
		if err != nil || len(paths) == 0 {
			t.Fatalf("migrations of %s: %v, %v", engine, paths, err)
		}
		return paths
	}
	if a, b := strings.Join(names(migrations.SQLite), " "), strings.Join(names(migrations.Postgres), " "); a != b {
		t.Errorf("files differ:\nsqlite   %s\npostgres %s", a, b)
	}
	storetest.Need(t)
	lite, pg := storetest.New(t, storetest.SQLite), storetest.New(t, storetest.Postgres)
	got := columns(t, lite, `SELECT m.name, p.name FROM sqlite_master AS m, pragma_table_info(m.name) AS p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version'`)
	want := columns(t, pg, `SELECT table_name, column_name FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name <> 'goose_db_version'`)
	for c := range want {
		if !got[c] {
			t.Errorf("%s is on postgres only", c)
		}
	}
	for c := range got {
		if !want[c] {
			t.Errorf("%s is on sqlite only", c)
		}
	}
	if len(got) < 100 {
		t.Errorf("only %d columns were compared", len(got))
	}
}

func columns(t *testing.T, s *store.Store, query string) map[string]bool {
	t.Helper()
	rows, err := s.DB().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := make(map[string]bool)
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		found[table+"."+column] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}
