package freshdesk

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

// Unverified lists what rests on no documented fact, or was tried nowhere but against our own stand-in.
func (c *connector) Unverified() []string {
	return append([]string{
		"index_lag: the vendor says that its search misses changes for some minutes, not for how many",
		"whether an automation rule notifies of changes that our own account makes",
	}, c.conf.Common.Unverified()...)
}

// Ping makes sure that the key works, and names what is missing: the field for our key or a permission.
func (c *connector) Ping(ctx context.Context) error {
	if _, err := c.clock(ctx); err != nil {
		return err
	}
	var faults []string
	look := func(words string, err error) error {
		if freshworks.Forbidden(err) {
			faults = append(faults, words)
			return nil
		}
		return err
	}
	var list []any
	if err := look("the account lacks the permission to view tickets", c.desk.Get(ctx, "list tickets", "tickets?per_page=1", "", &list)); err != nil {
		return err
	}
	fields, err := c.desk.FieldsOf(ctx, tickets)
	missing := err == nil && !slices.ContainsFunc(fields, func(f freshworks.Field) bool { return f.Name == c.conf.KeyField })
	if err := look("the account may not read the fields of tickets", err); err != nil {
		return err
	}
	if missing {
		faults = append(faults, "tickets have no custom field "+c.conf.KeyField)
	} else if _, err := c.search(ctx, "none-has-this"); err != nil {
		if err := c.searchFault(err, look); err != nil {
			return err
		}
	}
	for _, one := range []struct{ words, method, path string }{
		{"create tickets", http.MethodPost, "tickets"}, {"edit tickets", http.MethodPut, "tickets/0"}, {"add notes to tickets", http.MethodPost, "tickets/0/notes"},
	} {
		ok, err := c.desk.Probe(ctx, "try to "+one.words, one.method, one.path)
		if err != nil {
			return err
		}
		if !ok {
			faults = append(faults, "the account lacks the permission to "+one.words)
		}
	}
	if len(faults) > 0 {
		return connectors.Permanently("%s", strings.Join(faults, "; "))
	}
	return nil
}

func (c *connector) searchFault(err error, look func(string, error) error) error {
	if connectors.AsError(err).Status == http.StatusBadRequest {
		return connectors.Permanently("tickets cannot be searched by %s: it must be a text field of a single line", c.conf.KeyField)
	}
	return look("the account may not search tickets", err)
}
