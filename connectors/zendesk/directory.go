package zendesk

import (
	"context"
	"net/url"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Groups returns the names of the groups an agent belongs to, by the agent's number.
func (c *connector) Groups(ctx context.Context, account string) ([]string, error) {
	if !number.MatchString(account) {
		return nil, connectors.Permanently("read groups: %q is no person's number", connectors.Clean(account, 100))
	}
	out := []string{}
	err := list(ctx, c, "read groups", "users/"+account+"/groups", "groups", func(g named) { out = append(out, g.Name) })
	return out, err
}

// People returns one page of the agents and administrators, and the cursor of the next; it is empty after the last.
func (c *connector) People(ctx context.Context, since connectors.Cursor) ([]connectors.Person, connectors.Cursor, error) {
	path := "users?role[]=agent&role[]=admin&page[size]=100"
	if since != "" {
		path += "&page[after]=" + url.QueryEscape(string(since))
	}
	users, next, err := onePage[user](ctx, c, "read people", path, "users")
	if err != nil {
		return nil, since, err
	}
	var out []connectors.Person
	for _, u := range users {
		if number.MatchString(string(u.ID)) && !u.Suspended {
			out = append(out, u.person())
		}
	}
	return out, connectors.Cursor(next), nil
}
