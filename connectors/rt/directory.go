package rt

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Groups returns the names of the groups a person is in, by login. The account we work with needs the rights
// AdminGroupMembership and SeeGroup.
func (c *connector) Groups(ctx context.Context, account string) ([]string, error) {
	at, err := segment(account)
	if err != nil {
		return nil, connectors.Permanently("read groups: %q is no login", connectors.Clean(account, 100))
	}
	// Asked for the groups of nobody, Request Tracker would answer with an empty list.
	if err := c.get(ctx, "read user", "user/"+at, &user{}); err != nil {
		return nil, connectors.Unsent(err)
	}
	var ids []string
	err = all(ctx, c, "read groups", "user/"+at+"/groups", listing{fields: "Name"}, func(g named) bool {
		ids = append(ids, string(g.ID))
		return true
	})
	if err != nil {
		return nil, lacking(err, "AdminGroupMembership")
	}
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		if !ticketID.MatchString(id) {
			return nil, connectors.Temporarily("read groups: a group has no id")
		}
		var g struct{ Name string }
		if err := c.get(ctx, "read group", "group/"+id, &g); err != nil {
			return nil, lacking(connectors.Unsent(err), "SeeGroup")
		}
		names = append(names, g.Name)
	}
	return names, nil
}

// lacking names the right behind a refusal.
func lacking(err error, right string) error {
	fault := *connectors.AsError(err)
	if fault.Status == http.StatusForbidden {
		fault.Err = fmt.Errorf("the account lacks the right %s: %w", right, fault.Err)
	}
	return &fault
}

// everybody finds all users whose names the account may search.
const everybody = `[{"field":"Name","operator":"LIKE","value":"%"}]`

// People returns one page of the people Request Tracker knows, and the cursor of the next; it is empty after the last.
func (c *connector) People(ctx context.Context, since connectors.Cursor) ([]connectors.Person, connectors.Cursor, error) {
	number := 1
	if since != "" {
		var err error
		if number, err = strconv.Atoi(string(since)); err != nil || number < 1 {
			return nil, since, connectors.Permanently("read people: the cursor is not one of ours")
		}
	}
	query := url.Values{
		"query": {everybody}, "fields": {"Name,RealName,EmailAddress"}, "orderby": {"id"},
		"per_page": {strconv.Itoa(pageSize)}, "page": {strconv.Itoa(number)},
	}
	var people page[user]
	if err := c.get(ctx, "read people", "users?"+query.Encode(), &people); err != nil {
		return nil, since, connectors.Unsent(err)
	}
	if people.Items == nil {
		return nil, since, connectors.Temporarily("read people: the answer is no list")
	}
	var out []connectors.Person
	for _, u := range people.Items {
		if u.Name != "" && u.Name != systemUser && u.Name != "Nobody" {
			out = append(out, connectors.Person{Account: u.Name, Name: u.RealName, Mail: u.Mail})
		}
	}
	if len(people.Items) == 0 {
		return out, "", nil
	}
	return out, connectors.Cursor(strconv.Itoa(number + 1)), nil
}
