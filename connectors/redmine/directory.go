package redmine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Groups returns what somebody belongs to, by their number: the roles they have in each project both may see, written
// PROJECT/ROLE, and the names of their groups, which Redmine tells to administrators only.
func (c *connector) Groups(ctx context.Context, account string) ([]string, error) {
	if !issueID.MatchString(account) {
		return nil, connectors.Permanently("read groups: %q is no person's number", connectors.Clean(account, 100))
	}
	var answer struct{ User user }
	if err := c.get(ctx, "read groups", "users/"+account+".json?include=memberships,groups", &answer); err != nil {
		return nil, connectors.Unsent(err)
	}
	if answer.User.ID == 0 {
		return nil, connectors.Temporarily("read groups: the answer is no person")
	}
	out := []string{}
	for _, g := range answer.User.Groups {
		out = append(out, g.Name)
	}
	for _, m := range answer.User.Memberships {
		for _, role := range m.Roles {
			if name := m.Project.Name + "/" + role.Name; !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

// People returns one page of the members of the configured projects, and the cursor of the next; it is empty after the
// last. Somebody who is in several comes several times.
func (c *connector) People(ctx context.Context, since connectors.Cursor) ([]connectors.Person, connectors.Cursor, error) {
	project, offset := 0, 0
	if since != "" {
		at, from, _ := strings.Cut(string(since), "/")
		var err1, err2 error
		project, err1 = strconv.Atoi(at)
		offset, err2 = strconv.Atoi(from)
		if err1 != nil || err2 != nil || project < 0 || offset < 0 {
			return nil, since, connectors.Permanently("read people: the cursor is not one of ours")
		}
	}
	if project >= len(c.conf.Projects) {
		return nil, "", nil // a project was taken out of the settings meanwhile
	}
	var page struct {
		Members []membership `json:"memberships"`
		Total   int          `json:"total_count"`
	}
	path := fmt.Sprintf("projects/%s/memberships.json?limit=%d&offset=%d", c.conf.Projects[project], pageSize, offset)
	if err := c.get(ctx, "read people", path, &page); err != nil {
		return nil, since, connectors.Unsent(err)
	}
	if page.Members == nil {
		return nil, since, connectors.Temporarily("read people: the answer is no list")
	}
	var out []connectors.Person
	for _, m := range page.Members {
		if m.User != nil {
			out = append(out, connectors.Person{Account: strconv.FormatInt(m.User.ID, 10), Name: m.User.Name})
		}
	}
	offset += len(page.Members)
	switch {
	case len(page.Members) > 0 && offset < page.Total:
		return out, connectors.Cursor(fmt.Sprintf("%d/%d", project, offset)), nil
	case project+1 < len(c.conf.Projects):
		return out, connectors.Cursor(fmt.Sprintf("%d/0", project+1)), nil
	default:
		return out, "", nil
	}
}
