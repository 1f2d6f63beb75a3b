package servicenow

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

const (
	mark     = "drawbridge:"      // before our key, in correlation_id
	markName = "drawbridge"       // correlation_display, for people
	noteMark = "drawbridge-note:" // before a note's key, in its last line
)

var keyForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,80}$`)

// checkKey refuses a key that would not survive in a search.
func checkKey(key string) error {
	if !keyForm.MatchString(key) {
		return errors.New("the key has other characters than letters, digits, '.', '_' and '-', or is too long")
	}
	return nil
}

// keyIn is our key on a record, empty where it carries none.
func keyIn(r record) string {
	key, ok := strings.CutPrefix(r[keyField], mark)
	if !ok || checkKey(key) != nil {
		return ""
	}
	return key
}

// Find returns the tickets with our key that the account we work with opened, oldest first, in all tables of the
// connection. A part of a search that is not understood is ignored by the server, so every row is looked at.
func (c *connector) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return nil, connectors.Permanently("find ticket: %w", err)
	}
	type hit struct {
		at place
		record
	}
	var hits []hit
	for _, table := range c.conf.Tables {
		rows, err := c.all(ctx, listing{
			name: "find ticket", table: table, where: []condition{is(keyField, mark+key)},
			fields: []string{sysID, number, keyField, sysCreatedBy, sysCreated},
		})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			known := slices.ContainsFunc(hits, func(h hit) bool { return h.record[sysID] == row[sysID] }) // a table may extend another
			if keyIn(row) == key && c.ours(row) && !known {
				hits = append(hits, hit{place{table, row[sysID]}, row})
			}
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(a.record.at(sysCreated).Compare(b.record.at(sysCreated)), cmp.Compare(a.record[number], b.record[number]), cmp.Compare(a.at.id, b.at.id))
	})
	refs := make([]connectors.Ref, 0, len(hits))
	for _, h := range hits {
		changes, err := c.audit(ctx, []string{h.at.id}, is("fieldname", keyField))
		if err != nil {
			return nil, err
		}
		if c.original(changes, key) {
			refs = append(refs, c.ref(h.at, h.record[number]))
		}
	}
	return refs, nil
}

// original tells, by what was recorded of a ticket, whether a key is the one it was opened with.
func (c *connector) original(changes []change, key string) bool {
	return !slices.ContainsFunc(changes, func(one change) bool {
		first := one.from == "" && one.to == mark+key && strings.EqualFold(one.user, c.conf.User) // some record inserts, too
		return one.field == keyField && !first
	})
}
