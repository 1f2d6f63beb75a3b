package jira

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Groups returns the names of a person's groups: by account id at Cloud, by login at Data Center. The account we work
// with needs the global permission "Browse users and groups".
func (c *connector) Groups(ctx context.Context, account string) ([]string, error) {
	if account == "" {
		return nil, connectors.Permanently("read groups: no account is given")
	}
	type group struct{ Name string }
	var groups []group
	if c.conf.Deployment == cloud {
		if err := c.get(ctx, "read groups", c.api("user/groups?accountId="+url.QueryEscape(account)), &groups); err != nil {
			return nil, groupsFault(err)
		}
	} else {
		var answer struct {
			Groups struct {
				Size  int     `json:"size"`
				Items []group `json:"items"`
			} `json:"groups"`
		}
		if err := c.get(ctx, "read groups", c.api("user?expand=groups&username="+url.QueryEscape(account)), &answer); err != nil {
			return nil, groupsFault(err)
		}
		if groups = answer.Groups.Items; len(groups) < answer.Groups.Size {
			return nil, connectors.Temporarily("read groups: Jira sent only a part of them")
		}
	}
	names := make([]string, 0, len(groups))
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return names, nil
}

func groupsFault(err error) error {
	fault := *connectors.AsError(connectors.Unsent(err))
	if fault.Status == http.StatusForbidden {
		fault.Err = fmt.Errorf("the account lacks the global permission \"Browse users and groups\": %w", fault.Err)
	}
	return &fault
}

// peoplePage is how many people one call asks for.
const peoplePage = 200

// People returns one page of the active people a Jira knows, and the cursor of the next; it is empty after the last.
// Apps are no people.
func (c *connector) People(ctx context.Context, since connectors.Cursor) ([]connectors.Person, connectors.Cursor, error) {
	start := 0
	if since != "" {
		var err error
		if start, err = strconv.Atoi(string(since)); err != nil || start < 0 {
			return nil, since, connectors.Permanently("read people: the cursor is not one of ours")
		}
	}
	path := fmt.Sprintf("users/search?startAt=%d&maxResults=%d", start, peoplePage)
	if c.conf.Deployment == dataCenter {
		path = fmt.Sprintf("user/search?username=.&startAt=%d&maxResults=%d", start, peoplePage) // a dot finds everybody
	}
	var page []user
	if err := c.get(ctx, "read people", c.api(path), &page); err != nil {
		return nil, since, groupsFault(err)
	}
	var out []connectors.Person
	for _, u := range page {
		if u.AccountType == "app" || u.account() == "" || u.Active != nil && !*u.Active {
			continue
		}
		out = append(out, u.person())
	}
	if len(page) == 0 { // pages may come short before the end
		return out, "", nil
	}
	return out, connectors.Cursor(strconv.Itoa(start + len(page))), nil
}
