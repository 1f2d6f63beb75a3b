package jirastandin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

type createdWire struct {
	ID   string `json:"id"`
	Key  string `json:"key"`
	Self string `json:"self"`
}

// createIssue opens a ticket. Properties in the body count at Cloud only; Data Center drops them.
func (c *call) createIssue() (int, any, error) {
	var body updateBody
	if err := c.decode(&body); err != nil {
		return 0, nil, err
	}
	i, err := c.create(body, c.version)
	if err != nil {
		return 0, nil, err
	}
	id := strconv.Itoa(i.id)
	return http.StatusCreated, createdWire{ID: id, Key: i.key, Self: c.view.self("issue", id)}, nil
}

func (c *call) create(body updateBody, version int) (*issue, error) {
	p, kind, err := c.place(body.Fields)
	if err != nil {
		return nil, err
	}
	if err := c.need("CREATE_ISSUES", "You do not have permission to create issues in this project."); err != nil {
		return nil, err
	}
	screen := kind.screen
	if !c.s.may("MODIFY_REPORTER", c.me) {
		screen = slices.DeleteFunc(slices.Clone(screen), func(f *field) bool { return f.id == "reporter" })
	}
	delete(body.Fields, "project")
	delete(body.Fields, "issuetype")
	e := c.s.readScreen(screen, body, version, nil)
	e.demand(screen, nil)
	if err := refuseFields(e.problems); err != nil {
		return nil, err
	}
	properties, err := c.properties(body.Properties)
	if err != nil {
		return nil, err
	}
	i := c.s.open(p, kind, e.set, c.me)
	i.properties = properties
	c.s.notify(created, "issue_created", i, c.me, nil, nil)
	return i, nil
}

// place reads which project and type a ticket is for.
func (c *call) place(fields map[string]json.RawMessage) (*project, *issueType, error) {
	var where struct {
		Key  string `json:"key"`
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	raw, ok := fields["project"]
	if !ok || json.Unmarshal(raw, &where) != nil {
		return nil, nil, refuseFields(map[string]string{"project": "Specify a valid project ID or key"})
	}
	p := c.s.project(where.ID + where.Key)
	if p == nil || !c.s.may("BROWSE_PROJECTS", c.me) {
		return nil, nil, refuseFields(map[string]string{"project": "valid project is required"})
	}
	where.Key, where.ID = "", ""
	raw, ok = fields["issuetype"]
	if !ok || json.Unmarshal(raw, &where) != nil || where.ID+where.Name == "" {
		return nil, nil, refuseFields(map[string]string{"issuetype": "Specify an issue type"})
	}
	for _, kind := range p.types {
		if kind.id == where.ID || (where.ID == "" && kind.name == where.Name) {
			return p, kind, nil
		}
	}
	return nil, nil, refuseFields(map[string]string{"issuetype": "The issue type selected is invalid."})
}

func (c *call) properties(given []propertyWire) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if c.s.o.DataCenter {
		return out, nil
	}
	for _, p := range given {
		if err := checkProperty(p.Key, p.Value); err != nil {
			return nil, err
		}
		out[p.Key] = p.Value
	}
	return out, nil
}
