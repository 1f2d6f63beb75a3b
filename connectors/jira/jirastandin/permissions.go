package jirastandin

import (
	"net/http"
	"slices"
	"strconv"
)

// permission is one Jira knows. admin ones are nobody's unless the account is in the group jira-administrators.
type permission struct {
	key, name string
	global    bool
	admin     bool
}

var permissions = []permission{
	{key: "ADMINISTER", name: "Administer Jira", global: true, admin: true},
	{key: "SYSTEM_ADMIN", name: "Jira System Administrators", global: true, admin: true},
	{key: "USER_PICKER", name: "Browse users and groups", global: true},
	{key: "BULK_CHANGE", name: "Make bulk changes", global: true},
	{key: "ADMINISTER_PROJECTS", name: "Administer Projects", admin: true},
	{key: "BROWSE_PROJECTS", name: "Browse Projects"},
	{key: "CREATE_ISSUES", name: "Create Issues"},
	{key: "EDIT_ISSUES", name: "Edit Issues"},
	{key: "DELETE_ISSUES", name: "Delete Issues"},
	{key: "TRANSITION_ISSUES", name: "Transition Issues"},
	{key: "RESOLVE_ISSUES", name: "Resolve Issues"},
	{key: "CLOSE_ISSUES", name: "Close Issues"},
	{key: "ASSIGN_ISSUES", name: "Assign Issues"},
	{key: "ASSIGNABLE_USER", name: "Assignable User"},
	{key: "SCHEDULE_ISSUES", name: "Schedule Issues"},
	{key: "MODIFY_REPORTER", name: "Modify Reporter"},
	{key: "MOVE_ISSUES", name: "Move Issues"},
	{key: "LINK_ISSUES", name: "Link Issues"},
	{key: "ADD_COMMENTS", name: "Add Comments"},
	{key: "EDIT_ALL_COMMENTS", name: "Edit All Comments"},
	{key: "EDIT_OWN_COMMENTS", name: "Edit Own Comments"},
	{key: "DELETE_OWN_COMMENTS", name: "Delete Own Comments"},
	{key: "CREATE_ATTACHMENTS", name: "Create Attachments"},
	{key: "DELETE_OWN_ATTACHMENTS", name: "Delete Own Attachments"},
	{key: "SERVICEDESK_AGENT", name: "JSM agent"},
	{key: "VIEW_READONLY_WORKFLOW", name: "View Read-Only Workflow"},
}

// Deny takes permissions away from everybody, by key: CREATE_ISSUES, TRANSITION_ISSUES and so on.
func (s *Server) Deny(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		s.denied[key] = true
	}
}

// Allow gives back what Deny took.
func (s *Server) Allow(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.denied, key)
	}
}

func (s *Server) may(key string, a *account) bool {
	for _, p := range permissions {
		if p.key == key {
			return !s.denied[key] && (!p.admin || slices.Contains(a.Groups, "jira-administrators"))
		}
	}
	return false
}

type permissionWire struct {
	ID   string `json:"id"`
	Key  string `json:"key"`
	Name string `json:"name"`
	Type string `json:"type"`
	Have bool   `json:"havePermission"`
}

// myPermissions tells which of the permissions asked for the caller has. Cloud wants them named.
func (c *call) myPermissions() (int, any, error) {
	asked := c.list("permissions")
	if len(asked) == 0 && !c.s.o.DataCenter {
		return 0, nil, refuse(http.StatusBadRequest, "The 'permissions' query parameter is required.")
	}
	query := c.req.URL.Query()
	if key := query.Get("projectKey"); key != "" && c.s.project(key) == nil {
		return 0, nil, refuse(http.StatusNotFound, "No project could be found with key '%s'.", key)
	}
	if key := query.Get("issueKey"); key != "" && c.s.find(key) == nil {
		return 0, nil, refuse(http.StatusNotFound, "Issue does not exist or you do not have permission to see it.")
	}
	out := map[string]permissionWire{}
	for i, p := range permissions {
		if len(asked) > 0 && !slices.Contains(asked, p.key) {
			continue
		}
		kind := "PROJECT"
		if p.global {
			kind = "GLOBAL"
		}
		out[p.key] = permissionWire{ID: strconv.Itoa(i), Key: p.key, Name: p.name, Type: kind, Have: c.me != nil && c.s.may(p.key, c.me)}
	}
	for _, key := range asked {
		if _, ok := out[key]; !ok {
			return 0, nil, refuse(http.StatusBadRequest, "Unrecognized permission: %s", key)
		}
	}
	return http.StatusOK, map[string]any{"permissions": out}, nil
}
