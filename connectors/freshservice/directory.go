package freshservice

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

type agent struct {
	ID       int64   `json:"id"`
	First    string  `json:"first_name"`
	Last     string  `json:"last_name"`
	Email    string  `json:"email"`
	Active   bool    `json:"active"`
	MemberOf []int64 `json:"member_of"`
}

type group struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Groups returns the names of the agent groups somebody is a member of, by their number. Requesters have none.
func (c *connector) Groups(ctx context.Context, account string) ([]string, error) {
	if _, ok := freshworks.Numbered(account); !ok {
		return nil, connectors.Permanently("read groups: %q is no person's number", connectors.Clean(account, 100))
	}
	a, _, err := c.agent(ctx, account)
	if err != nil {
		return nil, err
	}
	all, err := freshworks.List[group](ctx, c.desk, "read groups", "groups", "groups", nil)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, g := range all {
		if slices.Contains(a.MemberOf, g.ID) {
			out = append(out, g.Name)
		}
	}
	return out, nil
}

// People returns one page of the agents, and the cursor of the next; it is empty after the last.
func (c *connector) People(ctx context.Context, since connectors.Cursor) ([]connectors.Person, connectors.Cursor, error) {
	page := 1
	if since != "" {
		var err error
		if page, err = strconv.Atoi(string(since)); err != nil || page < 1 {
			return nil, since, connectors.Permanently("read people: the cursor is not one of ours")
		}
	}
	agents, more, err := freshworks.Page[agent](ctx, c.desk, "read people", "agents", "agents", page)
	if err != nil {
		return nil, since, err
	}
	var out []connectors.Person
	for _, a := range agents {
		out = append(out, connectors.Person{
			Account: strconv.FormatInt(a.ID, 10), Name: strings.TrimSpace(a.First + " " + a.Last), Mail: a.Email,
		})
	}
	if !more {
		return out, "", nil
	}
	return out, connectors.Cursor(strconv.Itoa(page + 1)), nil
}
