package store_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// impersonal are the columns that say nothing about people, or nothing an erasure may take: ids, names of things that
// are configured, states and times. accounts and identities follow the published documents; the record has an erasure
// of its own. "*" stands for all columns of a table.
var impersonal = map[string]string{
	"cases":                "id connection tenant request_id parent_id kind state severity",
	"events":               "id connection dedupe kind tenant request_id case_id content_type state",
	"dedupes":              "*",
	"quarantine":           "id connection content_type state event_id",
	"links":                "*",
	"deliveries":           "id case_id event_id link_id lane connection kind mode state purpose decision_id rule",
	"attempts":             "id delivery_id outcome",
	"sending":              "*",
	"leases":               "*",
	"health":               "*",
	"decisions":            "id case_id link_id outcome origin claim rule policy state delivery_id",
	"refusals":             "link_id claim code case_id",
	"votes":                "id case_id link_id outcome",
	"answers":              "id case_id link_id outcome duration",
	"revocations":          "case_id link_id claim state delivery_id",
	"timers":               "*",
	"notices":              "*",
	"operator_notices":     "*",
	"shapes":               "*",
	"changes":              "*",
	"cursors":              "*",
	"documents":            "kind name",
	"accounts":             "*",
	"identities":           "*",
	"settings":             "*",
	"sessions":             "hash role",
	"oauth_tokens":         "*",
	"client_secrets":       "*",
	"kept":                 "*",
	"credential_uses":      "*",
	"records":              "*",
	"seal_head":            "*",
	"checkpoints":          "*",
	"catalogue":            "*",
	"schema_compatibility": "*",
	"goose_db_version":     "*",
	"sqlite_sequence":      "*",
}

// Whoever adds a column decides here whether it can speak of a person.
func TestPlacesCoverTheSchema(t *testing.T) {
	t.Parallel()
	s := storetest.New(t, storetest.SQLite)
	rows, err := s.DB().QueryContext(t.Context(), `SELECT m.name, c.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND c.type NOT IN ('INTEGER') ORDER BY m.name, c.name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		known := impersonal[table] == "*" || slices.Contains(strings.Fields(impersonal[table]), column)
		for _, p := range store.Places() {
			known = known || p.Table == table && slices.ContainsFunc(p.Columns, func(c store.PersonalColumn) bool { return c.Name == column })
		}
		if !known {
			t.Errorf("does %s.%s speak of people? Put it into Places, or among the impersonal", table, column)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestEraseEmptiesColumnsInEveryPlace(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "R1")
		accept(t, s, store.Arrival{Quarantine: &store.Quarantined{Connection: "epm", Reason: "ana?", Body: []byte("ana"), ReceivedAt: start}})
		in(t, s, func(tx *store.Tx) error {
			for i, text := range []string{"people: [ana]", "people: []"} {
				if _, err := tx.PutDocument(t.Context(), store.Document{Kind: "People", Name: "staff", Text: text, Author: "ana", Why: "x", At: start}); err != nil {
					t.Fatal(i, err)
				}
			}
			if err := tx.AddSession(t.Context(), store.Session{Hash: "h", Person: "ana", Name: "Ana", ExpiresAt: at(1)}); err != nil {
				return err
			}
			if err := tx.AddDecision(t.Context(), store.Decision{CaseID: caseID, Outcome: "approved", By: "ana", ByName: "Ana", Reason: "ok",
				Origin: "desk", At: start, RecordedAt: start, Detail: []byte(`{}`)}); err != nil {
				return err
			}
			if _, err := tx.AddRefusal(t.Context(), store.Refusal{LinkID: "l", CaseID: caseID, Claim: "c", Code: "x", Text: "no", By: "ana"}); err != nil {
				return err
			}
			if err := tx.AddVote(t.Context(), store.Vote{CaseID: caseID, Person: "ana", Account: "ana", Outcome: "approved", Reason: "ok"}); err != nil {
				return err
			}
			if _, err := tx.AddAnswer(t.Context(), store.Answer{ID: "a", CaseID: caseID, LinkID: "l", Account: "U1", Mail: "ana@corp.example", Name: "Ana",
				Outcome: "denied", Reason: "no", Duration: "1h"}); err != nil {
				return err
			}
			_, err := tx.AddDelivery(t.Context(), store.Delivery{CaseID: caseID, Lane: "a", Connection: "jira", Kind: "create", Action: []byte(`{"a":1}`),
				State: store.Dead, Error: "ana", CreatedAt: start})
			return err
		})
		for _, p := range store.Places() {
			rows, err := s.PersonalRows(t.Context(), p, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 && p.Table != "attempts" && p.Table != "revocations" {
				t.Errorf("%s: nothing found", p.Table)
			}
			var columns []int
			var keys []string
			for i := range p.Columns {
				columns = append(columns, i)
			}
			for _, r := range rows {
				keys = append(keys, r.Key)
			}
			in(t, s, func(tx *store.Tx) error {
				n, err := tx.Erase(t.Context(), p, columns, keys)
				if n != int64(len(keys)) {
					t.Errorf("%s: erased %d of %d rows", p.Table, n, len(keys))
				}
				return err
			})
			after, err := s.PersonalRows(t.Context(), p, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range after {
				for i, c := range p.Columns {
					if c.Holds(r.Values[i]) && string(r.Values[i]) != store.ErasedName {
						t.Errorf("%s.%s still says %q", p.Table, c.Name, r.Values[i])
					}
				}
			}
		}
		if d, err := s.Document(t.Context(), "People", "staff", 2); err != nil || d.Text != "people: []" {
			t.Errorf("the published document = %+v, %v", d, err)
		}
		if q, err := s.Quarantines(t.Context(), "", 1); err != nil || q[0].State != store.QuarantineDiscarded {
			t.Errorf("quarantine = %+v, %v", q, err)
		}
		if _, err := s.Session(t.Context(), "h", start); err == nil {
			t.Error("the session is still there")
		}
	})
}

func TestUnderWay(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		tests := []struct {
			name    string
			state   string
			planned bool
			owed    string
			mode    string
			want    bool
		}{
			{"open", store.CaseOpen, true, "", "", true},
			{"closed", store.CaseClosed, true, "", "", false},
			{"decided", store.CaseDecided, true, "", "", false},
			{"not planned", store.CaseClosed, false, "", "", true},
			{"pending", store.CaseClosed, true, store.Pending, store.Live, true},
			{"dead", store.CaseClosed, true, store.Dead, store.Live, true},
			{"shadow", store.CaseClosed, true, store.Pending, store.Shadow, false},
		}
		for _, test := range tests {
			id := openCase(t, s, test.name)
			in(t, s, func(tx *store.Tx) error {
				c, err := tx.LockCase(t.Context(), id)
				if err != nil {
					return err
				}
				c.State = test.state
				if err := tx.SaveCase(t.Context(), c); err != nil {
					return err
				}
				if test.planned {
					events, err := tx.EventsOfCase(t.Context(), id)
					if err != nil {
						return err
					}
					if err := tx.PlannedEvent(t.Context(), events[0].ID, store.EventPlanned, start); err != nil {
						return err
					}
				}
				if test.owed != "" {
					_, err = tx.AddDelivery(t.Context(), store.Delivery{CaseID: id, Lane: "a", Connection: "jira", Kind: "create", State: test.owed, Mode: test.mode})
				}
				return err
			})
			got, err := s.UnderWay(t.Context(), []string{id, "no such case"})
			if err != nil || slices.Contains(got, id) != test.want || len(got) > 1 {
				t.Errorf("%s: UnderWay = %v, %v", test.name, got, err)
			}
		}
	})
}

func TestEraseRecordTakesSealedEntriesOnceAndNeverAnErasure(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		in(t, s, func(tx *store.Tx) error {
			return tx.RecordAll(t.Context(), []store.Entry{{At: start, Kind: "step", Subject: "ana", Content: "ana"}, {At: start, Kind: store.KindErased, Content: "x"}})
		})
		ids := func() []string {
			es, err := s.Records(t.Context(), "", 10)
			if err != nil {
				t.Fatal(err)
			}
			return []string{es[0].ID, es[1].ID}
		}()
		erase := func() []string {
			var got []string
			in(t, s, func(tx *store.Tx) (err error) {
				got, err = tx.EraseRecord(t.Context(), ids)
				return err
			})
			return got
		}
		if got := erase(); len(got) != 0 {
			t.Errorf("erased before it was sealed: %v", got)
		}
		head := seal(t, s)
		if got := erase(); len(got) != 1 || got[0] != ids[0] {
			t.Errorf("erased %v of %v", got, ids)
		}
		if got := erase(); len(got) != 0 {
			t.Errorf("erased again: %v", got)
		}
		es, err := s.Sealed(t.Context(), 0, head.N, 10)
		if err != nil || !es[0].Erased() || es[0].Intact() || es[0].Link(store.Genesis(), 1) != es[0].Chain || es[1].Erased() {
			t.Errorf("entries = %+v, %v", es, err)
		}
		var subject string
		if err := s.DB().QueryRowContext(t.Context(), `SELECT subject FROM records WHERE n = 1`).Scan(&subject); err != nil && err != sql.ErrNoRows || subject != "" {
			t.Errorf("subject = %q, %v", subject, err)
		}
	})
}
