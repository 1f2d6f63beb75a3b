package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// The migration that gives decisions a further state makes the table anew on SQLite; what stood in it stays.
func TestDecisionsOutliveTheMigrationThatMakesTheirTableAnew(t *testing.T) {
	t.Parallel()
	s := storetest.New(t, storetest.SQLite)
	caseID := openCase(t, s, "R1")
	want := store.Decision{ID: "d1", CaseID: caseID, LinkID: "l", Outcome: "approved", By: "kim", ByName: "Kim Okafor", Reason: "fine", Origin: "desk", Claim: "c", Rule: "r",
		Policy: "p", RuleVersion: 3, PolicyVersion: 4, At: start, RecordedAt: start, Once: true, Length: 5, State: "posted", DeliveryID: "x", Detail: []byte(`{"a":1}`)}
	in(t, s, func(tx *store.Tx) error { return tx.AddDecision(t.Context(), want) })
	before, err := s.DecisionOf(t.Context(), caseID)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "migrations", "sqlite", "20261120090900_untold.sql"))
	if err != nil {
		t.Fatal(err)
	}
	_, again, ok := strings.Cut(string(text), "CREATE TABLE decisions_new")
	if !ok {
		t.Fatal("the migration does not make the table anew")
	}
	if _, err := s.DB().ExecContext(t.Context(), "CREATE TABLE decisions_new"+again); err != nil {
		t.Fatal(err)
	}
	after, err := s.DecisionOf(t.Context(), caseID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "decision", after, before)
}
