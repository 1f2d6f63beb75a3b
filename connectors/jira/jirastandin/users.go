package jirastandin

import (
	"net/http"
	"slices"
	"strings"
)

// myself shows the caller, with the time zone that searches are read in.
func (c *call) myself() (int, any, error) {
	me := c.view.user(c.me)
	if c.expands("groups") {
		me.Groups = c.view.groups(c.me)
	}
	return http.StatusOK, me, nil
}

func (v view) groups(a *account) *groupsWire {
	out := &groupsWire{Size: len(a.Groups), Items: []groupWire{}}
	for _, name := range a.Groups {
		out.Items = append(out.Items, v.group(name))
	}
	return out
}

// person is the account the query names: by accountId at Cloud, by username or key at Data Center.
func (c *call) person() (*account, error) {
	if err := c.need("USER_PICKER", "You do not have permission to browse users."); err != nil {
		return nil, err
	}
	query := c.req.URL.Query()
	name := query.Get("accountId")
	if c.s.o.DataCenter {
		name = query.Get("username")
		if id, ok := strings.CutPrefix(query.Get("key"), "JIRAUSER-"); ok {
			if a := c.s.account(id); a != nil {
				return a, nil
			}
		}
	}
	if name == "" {
		return nil, refuse(http.StatusBadRequest, "The accountId, username or key of the user must be given.")
	}
	if a := c.s.named(name); a != nil {
		return a, nil
	}
	return nil, refuse(http.StatusNotFound, "Specified user does not exist or you do not have required permissions")
}

// getUser shows a person, with groups on request.
func (c *call) getUser() (int, any, error) {
	a, err := c.person()
	if err != nil {
		return 0, nil, err
	}
	u := c.view.user(a)
	if c.expands("groups") {
		u.Groups = c.view.groups(a)
	}
	return http.StatusOK, u, nil
}

// userGroups lists a person's groups; Cloud only.
func (c *call) userGroups() (int, any, error) {
	a, err := c.person()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.view.groups(a).Items, nil
}

// allUsers pages through everybody, apps included; Cloud only.
func (c *call) allUsers() (int, any, error) {
	if err := c.need("USER_PICKER", "You do not have permission to browse users."); err != nil {
		return 0, nil, err
	}
	return c.pageOfUsers(c.s.accounts)
}

// searchUsers finds people by a part of their name, login or mail; "." finds everybody. Data Center only.
func (c *call) searchUsers() (int, any, error) {
	if err := c.need("USER_PICKER", "You do not have permission to browse users."); err != nil {
		return 0, nil, err
	}
	part := strings.ToLower(c.req.URL.Query().Get("username"))
	if part == "" {
		return 0, nil, refuse(http.StatusBadRequest, "The username query parameter was not provided.")
	}
	var found []*account
	for _, a := range c.s.accounts {
		text := strings.ToLower(a.Login + "\n" + a.Name + "\n" + a.Mail)
		if !a.Inactive && (part == "." || strings.Contains(text, part)) {
			found = append(found, a)
		}
	}
	return c.pageOfUsers(found)
}

func (c *call) pageOfUsers(all []*account) (int, any, error) {
	start, err := c.number("startAt", 0, 0)
	if err != nil {
		return 0, nil, err
	}
	size, err := c.number("maxResults", 50, 1000)
	if err != nil {
		return 0, nil, err
	}
	out := []*userWire{}
	for _, a := range page(all, start, size) {
		out = append(out, c.view.user(a))
	}
	return http.StatusOK, out, nil
}

// groupMembers pages through the members of a group, up to 50 a page.
func (c *call) groupMembers() (int, any, error) {
	if err := c.need("USER_PICKER", "You do not have permission to browse groups."); err != nil {
		return 0, nil, err
	}
	query := c.req.URL.Query()
	name := query.Get("groupname")
	if id, ok := strings.CutPrefix(query.Get("groupId"), "group-"); ok && !c.s.o.DataCenter {
		name = id
	}
	exists := false
	var members []*account
	for _, a := range c.s.accounts {
		if slices.Contains(a.Groups, name) {
			exists = true
			if !a.Inactive || query.Get("includeInactiveUsers") == "true" {
				members = append(members, a)
			}
		}
	}
	if !exists {
		return 0, nil, refuse(http.StatusNotFound, "The group named '%s' does not exist.", name)
	}
	start, err := c.number("startAt", 0, 0)
	if err != nil {
		return 0, nil, err
	}
	size, err := c.number("maxResults", 50, 50)
	if err != nil {
		return 0, nil, err
	}
	values := []*userWire{}
	for _, a := range page(members, start, size) {
		values = append(values, c.view.user(a))
	}
	return http.StatusOK, map[string]any{
		"self": c.view.base + c.req.URL.RequestURI(), "startAt": start, "maxResults": size, "total": len(members),
		"isLast": start+size >= len(members), "values": values,
	}, nil
}
