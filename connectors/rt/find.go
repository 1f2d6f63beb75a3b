package rt

import (
	"context"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Find returns the tickets with our key that the account we work with created, oldest first. The search reads the
// tickets themselves. A ticket whose key was touched since is not one of them.
func (c *connector) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return nil, connectors.Permanently("find ticket: %w", err)
	}
	query := "Creator = '__CurrentUser__' AND 'CF.{" + c.conf.KeyField + "}' = " + quote(key)
	var hits []ticket
	err := all(ctx, c, "find ticket", "tickets", listing{fields: "Creator,CustomFields", query: query}, func(t ticket) bool {
		if field, ok := t.custom(c.conf.KeyField); ok && c.ours(t.Creator) && slices.Equal(field.texts(), []string{key}) {
			hits = append(hits, t)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	refs := make([]connectors.Ref, 0, len(hits))
	for _, t := range hits {
		id := string(t.ID)
		if !ticketID.MatchString(id) {
			return nil, connectors.Temporarily("find ticket: a hit has no id")
		}
		steps, err := c.history(ctx, id, "")
		if err != nil {
			return nil, err
		}
		field, _ := t.custom(c.conf.KeyField)
		if !touched(steps, string(field.ID)) {
			refs = append(refs, c.ref(id))
		}
	}
	return refs, nil
}

// touched tells whether a custom field was changed after the ticket was opened.
func touched(history []transaction, field string) bool {
	return slices.ContainsFunc(history, func(x transaction) bool { return x.Type == customFieldChange && string(x.Field) == field })
}

// tickets reads one page of a search.
func (c *connector) tickets(ctx context.Context, name, query string, l listing) (page[ticket], error) {
	l.query = query
	var p page[ticket]
	err := c.get(ctx, name, "tickets?"+l.values().Encode(), &p)
	return p, connectors.Unsent(err)
}

// quote writes text as one literal of a search.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
