package jirastandin

import (
	"net/http"
)

type typeWire struct {
	Self     string       `json:"self"`
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Subtask  bool         `json:"subtask"`
	Statuses []statusWire `json:"statuses,omitempty"`
}

func (v view) issueType(kind *issueType) typeWire {
	return typeWire{Self: v.self("issuetype", kind.id), ID: kind.id, Name: kind.name}
}

func (c *call) metaProject() (*project, error) {
	p := c.s.project(c.args["project"])
	if p == nil || c.me == nil || !c.s.may("BROWSE_PROJECTS", c.me) {
		return nil, refuse(http.StatusNotFound, "No project could be found with key '%s'.", c.args["project"])
	}
	return p, nil
}

// createMetaTypes lists the types that can be created in a project.
func (c *call) createMetaTypes() (int, any, error) {
	p, err := c.createProject()
	if err != nil {
		return 0, nil, err
	}
	var types []typeWire
	for _, kind := range p.types {
		types = append(types, c.view.issueType(kind))
	}
	return metaPage(c, "issueTypes", types)
}

// createMetaFields lists the fields of a type's create screen, project and type among them.
func (c *call) createMetaFields() (int, any, error) {
	p, err := c.createProject()
	if err != nil {
		return 0, nil, err
	}
	for _, kind := range p.types {
		if kind.id != c.args["type"] {
			continue
		}
		fields := []fieldMetaWire{
			{Key: "project", Name: "Project", Required: true, Operations: []string{"set"}, Allowed: []any{c.view.project(p)}, Schema: schemaWire{Type: "project", System: "project"}},
			{Key: "issuetype", Name: "Issue Type", Required: true, Operations: []string{}, Allowed: []any{c.view.issueType(kind)}, Schema: schemaWire{Type: "issuetype", System: "issuetype"}},
		}
		for _, f := range kind.screen {
			fields = append(fields, c.view.fieldMeta(f))
		}
		for n := range fields {
			fields[n].FieldID = fields[n].Key
		}
		return metaPage(c, "fields", fields)
	}
	return 0, nil, refuse(http.StatusBadRequest, "The issue type selected is invalid.")
}

// createProject is the project of the path. Whoever may not create there is told there is nothing.
func (c *call) createProject() (*project, error) {
	p, err := c.metaProject()
	if err == nil && !c.s.may("CREATE_ISSUES", c.me) {
		err = refuse(http.StatusBadRequest, "You do not have permission to create issues in this project.")
	}
	return p, err
}

// metaPage pages through a list: under its own name at Cloud, as values at Data Center.
func metaPage[T any](c *call, name string, all []T) (int, any, error) {
	start, err := c.number("startAt", 0, 0)
	if err != nil {
		return 0, nil, err
	}
	size, err := c.number("maxResults", 50, 200)
	if err != nil {
		return 0, nil, err
	}
	out := map[string]any{"startAt": start, "maxResults": size, "total": len(all)}
	shown := append([]T{}, page(all, start, size)...)
	if c.s.o.DataCenter {
		out["values"], out["isLast"] = shown, start+size >= len(all)
	} else {
		out[name] = shown
	}
	return http.StatusOK, out, nil
}

// getProject shows a project.
func (c *call) getProject() (int, any, error) {
	p, err := c.metaProject()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.view.project(p), nil
}

// projectStatuses lists the statuses each type of a project can have.
func (c *call) projectStatuses() (int, any, error) {
	p, err := c.metaProject()
	if err != nil {
		return 0, nil, err
	}
	out := []typeWire{}
	for _, kind := range p.types {
		w := c.view.issueType(kind)
		for _, st := range kind.flow.statuses {
			w.Statuses = append(w.Statuses, c.view.status(st))
		}
		out = append(out, w)
	}
	return http.StatusOK, out, nil
}
