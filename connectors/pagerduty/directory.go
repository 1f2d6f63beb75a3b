package pagerduty

import (
	"context"
	"strconv"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Groups returns the names of the teams a user belongs to, by the user's id.
func (c *connector) Groups(ctx context.Context, account string) ([]string, error) {
	if !idForm.MatchString(account) {
		return nil, connectors.Permanently("read groups: %q is no user's id", connectors.Clean(account, 100))
	}
	u, err := c.user(ctx, account)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, team := range u.Teams {
		out = append(out, team.Summary)
	}
	return out, nil
}

// People returns one page of the users, and the cursor of the next; it is empty after the last.
func (c *connector) People(ctx context.Context, since connectors.Cursor) ([]connectors.Person, connectors.Cursor, error) {
	offset := 0
	if since != "" {
		var err error
		if offset, err = strconv.Atoi(string(since)); err != nil || offset < 0 {
			return nil, since, connectors.Permanently("read people: the cursor is not one of ours")
		}
	}
	users, more, _, err := page[user](ctx, c, "read people", "users", "users", offset)
	if err != nil {
		return nil, since, err
	}
	var out []connectors.Person
	for _, u := range users {
		if idForm.MatchString(u.ID) {
			out = append(out, u.person())
		}
	}
	if !more {
		return out, "", nil
	}
	return out, connectors.Cursor(strconv.Itoa(offset + pageSize)), nil
}
