package servicenow

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// people are users by their User ID in lower case, which is how records name them.
type people struct {
	known map[string]record
	me    string
}

// people looks up users. One whose User ID cannot stand in a search keeps it as the only thing known.
func (c *connector) people(ctx context.Context, users []string) (people, error) {
	out := people{known: map[string]record{}, me: c.conf.User}
	users = slices.DeleteFunc(slices.Clone(users), func(u string) bool { return !userName.MatchString(u) })
	slices.Sort(users)
	for part := range slices.Chunk(slices.Compact(users), most) {
		rows, err := c.all(ctx, listing{
			name: "read people", table: "sys_user", where: []condition{in("user_name", part)},
			fields: []string{sysID, "user_name", "name", "email", "web_service_access_only", "internal_integration_user"},
		})
		if err != nil {
			return people{}, err
		}
		for _, row := range rows {
			out.known[strings.ToLower(row["user_name"])] = row
		}
	}
	return out, nil
}

// account is somebody as a snapshot names them: by User ID.
func (p people) account(user string) connectors.Account {
	if user == "" {
		return connectors.Account{}
	}
	row := p.known[strings.ToLower(user)]
	return connectors.Account{
		Person: connectors.Person{Account: user, Name: row["name"], Mail: row["email"]}, Ours: strings.EqualFold(user, p.me),
		Automation: user == "system" || user == "guest" || row["web_service_access_only"] == "true" || row["internal_integration_user"] == "true",
	}
}

// Groups returns the names of the groups somebody belongs to, by User ID.
func (c *connector) Groups(ctx context.Context, account string) ([]string, error) {
	if !userName.MatchString(account) {
		return nil, connectors.Permanently("read groups: %q is no User ID", connectors.Clean(account, 100))
	}
	rows, err := c.all(ctx, listing{
		name: "read groups", table: "sys_user_grmember", where: []condition{is("user.user_name", account)}, fields: []string{sysID, "user.user_name", "group.name"},
	})
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, row := range rows {
		if name := row["group.name"]; strings.EqualFold(row["user.user_name"], account) && name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// People returns one page of the active users, and the cursor of the next; it is empty after the last.
func (c *connector) People(ctx context.Context, since connectors.Cursor) ([]connectors.Person, connectors.Cursor, error) {
	offset := 0
	if since != "" {
		var err error
		if offset, err = strconv.Atoi(string(since)); err != nil || offset < 0 {
			return nil, since, connectors.Permanently("read people: the cursor is not one of ours")
		}
	}
	rows, more, _, err := c.page(ctx, listing{
		name: "read people", table: "sys_user", where: []condition{is("active", "true")}, fields: []string{sysID, "user_name", "name", "email", "active"},
	}, offset, pageSize)
	if err != nil {
		return nil, since, err
	}
	var out []connectors.Person
	for _, row := range rows {
		if row["active"] == "true" && row["user_name"] != "" {
			out = append(out, connectors.Person{Account: row["user_name"], Name: row["name"], Mail: row["email"]})
		}
	}
	if !more {
		return out, "", nil
	}
	return out, connectors.Cursor(strconv.Itoa(offset + pageSize)), nil
}
