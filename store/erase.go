package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// ErasedName stands where a person was named.
const ErasedName = "(erased)"

// KindErased is the kind of the entry that says what an erasure took. It is never erased itself.
const KindErased = "record.erased"

// Place is a table with text that may say something about a person.
type Place struct {
	Table   string
	Columns []PersonalColumn

	key    string // names a row
	caseID string // the case a row belongs to, NULL or '' for none
	where  string // which rows hold such text at all
	waits  string // rows of no case that are still worked on
	also   string // what else is set in a row that is erased
	remove bool   // the whole row goes
}

// PersonalColumn holds text of or about people. Who marks the columns that say who somebody is.
type PersonalColumn struct {
	Name string
	Who  bool

	erased any
}

// Places are all there are besides the record itself. A test holds them against the schema.
func Places() []Place {
	said := func(name string) PersonalColumn { return PersonalColumn{Name: name, erased: ""} }
	object := func(name string) PersonalColumn { return PersonalColumn{Name: name, erased: "{}"} }
	who := func(name string) PersonalColumn { return PersonalColumn{Name: name, Who: true, erased: ErasedName} }
	body := PersonalColumn{Name: "body", erased: []byte{}}
	requester := PersonalColumn{Name: "requester", Who: true, erased: "{}"}
	return []Place{
		{Table: "cases", key: `id`, caseID: `id`, Columns: []PersonalColumn{requester, said("subject")}},
		{Table: "events", key: `id`, caseID: `case_id`, waits: `case_id IS NULL AND state IN ('accepted', 'held')`,
			Columns: []PersonalColumn{body, object("normal")}},
		{Table: "quarantine", key: `id`, Columns: []PersonalColumn{body, said("reason")},
			also: `state = CASE WHEN state = 'waiting' THEN 'discarded' ELSE state END`},
		{Table: "deliveries", key: `id`, caseID: `case_id`, Columns: []PersonalColumn{object("action"), said("error")},
			waits: `case_id IS NULL AND mode = 'live' AND state IN ('pending', 'running', 'dead')`},
		{Table: "attempts", key: `id`, caseID: `(SELECT d.case_id FROM deliveries AS d WHERE d.id = attempts.delivery_id)`,
			Columns: []PersonalColumn{said("error"), said("detail")}},
		{Table: "decisions", key: `id`, caseID: `case_id`,
			Columns: []PersonalColumn{who("person"), who("person_name"), said("reason"), said("detail")}},
		{Table: "revocations", key: `case_id`, caseID: `case_id`,
			Columns: []PersonalColumn{who("person"), who("person_name")}},
		{Table: "refusals", key: `link_id || '/' || claim || '/' || code`, caseID: `case_id`,
			Columns: []PersonalColumn{who("person"), said("text")}},
		{Table: "votes", key: `id`, caseID: `case_id`,
			Columns: []PersonalColumn{who("person"), who("account"), said("reason")}},
		{Table: "answers", key: `id`, caseID: `case_id`,
			Columns: []PersonalColumn{who("account"), who("mail"), who("name"), said("reason")}},
		{Table: "documents", key: `kind || '/' || name || '/' || CAST(version AS TEXT)`,
			Columns: []PersonalColumn{who("author"), said("why")}},
		// Former versions only: what is published is for an admin to change.
		{Table: "documents", key: `kind || '/' || name || '/' || CAST(version AS TEXT)`,
			Columns: []PersonalColumn{said("text")},
			where: `kind = 'People' AND version < (SELECT MAX(n.version) FROM documents AS n
				WHERE n.kind = documents.kind AND n.name = documents.name)`},
		{Table: "sessions", key: `hash`, Columns: []PersonalColumn{who("person"), who("name")}, remove: true},
	}
}

// PersonalRow is one row of a place with the text in its columns.
type PersonalRow struct {
	Key    string
	CaseID string // empty when it belongs to none
	Waits  bool   // it belongs to no case and is still worked on
	Values [][]byte
}

// PersonalRows reads rows of a place from the one after the key given, by key.
func (q Queries) PersonalRows(ctx context.Context, p Place, after string, limit int) ([]PersonalRow, error) {
	caseID, waits, where := `''`, `0`, `1 = 1`
	if p.caseID != "" {
		caseID = `COALESCE(` + p.caseID + `, '')`
	}
	if p.waits != "" {
		waits = `CASE WHEN ` + p.waits + ` THEN 1 ELSE 0 END`
	}
	if p.where != "" {
		where = p.where
	}
	columns := make([]string, len(p.Columns))
	for i, c := range p.Columns {
		columns[i] = c.Name
	}
	fields := func(r *PersonalRow) []any {
		r.Values = make([][]byte, len(columns))
		to := []any{&r.Key, &r.CaseID, &r.Waits}
		for i := range r.Values {
			to = append(to, &r.Values[i])
		}
		return to
	}
	rows, err := all(ctx, q, fields, `SELECT `+p.key+`, `+caseID+`, `+waits+`, `+strings.Join(columns, ", ")+` FROM `+p.Table+`
		WHERE `+where+` AND `+p.key+` > $1 ORDER BY 1 LIMIT $2`, after, int64(limit))
	return rows, wrap("read "+p.Table, err)
}

// Holds tells whether a column of a row says something still, by its value.
func (c PersonalColumn) Holds(value []byte) bool {
	erased, ok := c.erased.(string)
	return len(value) > 0 && (!ok || string(value) != erased)
}

// UnderWay tells which of the cases are still worked on: open, or with something that is yet to be planned, delivered or
// given up.
func (q Queries) UnderWay(ctx context.Context, caseIDs []string) ([]string, error) {
	var found []string
	for part := range slices.Chunk(caseIDs, batch) {
		ids, err := all(ctx, q, single[string], `SELECT c.id FROM cases AS c WHERE c.id IN `+list(1, len(part))+` AND (c.state = 'open'
			OR EXISTS (SELECT 1 FROM deliveries AS d WHERE d.case_id = c.id AND d.mode = 'live' AND d.state IN ('pending', 'running', 'dead'))
			OR EXISTS (SELECT 1 FROM events AS e WHERE e.case_id = c.id AND e.state IN ('accepted', 'held')))
			ORDER BY c.id`, anys(part)...)
		if err != nil {
			return nil, wrap("look for cases under way", err)
		}
		found = append(found, ids...)
	}
	return found, nil
}

// Erase empties the columns given, by their place in Columns, in rows of a place, and answers how many rows it found.
func (t *Tx) Erase(ctx context.Context, p Place, columns []int, keys []string) (int64, error) {
	var total int64
	for part := range slices.Chunk(keys, batch) {
		statement, args := `DELETE FROM `+p.Table, []any(nil)
		if !p.remove {
			var sets []string
			for _, i := range columns {
				args = append(args, p.Columns[i].erased)
				sets = append(sets, p.Columns[i].Name+" = $"+strconv.Itoa(len(args)))
			}
			if p.also != "" {
				sets = append(sets, p.also)
			}
			statement = `UPDATE ` + p.Table + ` SET ` + strings.Join(sets, ", ")
		}
		n, err := t.exec(ctx, statement+` WHERE `+p.key+` IN `+list(len(args)+1, len(part)), append(args, anys(part)...)...)
		if err != nil {
			return total, wrap("erase "+p.Table, err)
		}
		total += n
	}
	return total, nil
}

// EraseRecord empties salt, subject and content of sealed entries and answers which those were; entries that say what
// an erasure took, those not sealed yet and those erased before are left as they are.
func (t *Tx) EraseRecord(ctx context.Context, ids []string) ([]string, error) {
	var erased []string
	sorted := slices.Sorted(slices.Values(ids)) // as the sealer goes, so that the two do not deadlock
	for part := range slices.Chunk(sorted, batch) {
		args := append([]any{[]byte{}, KindErased}, anys(part)...)
		done, err := all(ctx, t.Queries, single[string], `UPDATE records SET salt = $1, subject = '', content = ''
			WHERE id IN `+list(3, len(part))+` AND n IS NOT NULL AND kind <> $2 AND content <> '' RETURNING id`, args...)
		if err != nil {
			return nil, wrap("erase record", err)
		}
		erased = append(erased, done...)
	}
	slices.Sort(erased)
	return erased, nil
}

// PersonsWith reads whose account this is, in whatever system.
func (q Queries) PersonsWith(ctx context.Context, account string) ([]string, error) {
	ps, err := all(ctx, q, single[string], `SELECT DISTINCT person FROM accounts WHERE account_key = $1 ORDER BY person`,
		accountKey(account))
	return ps, wrap("read persons with account", err)
}
