package jirastandin

import (
	"net/http"
	"strconv"
	"strings"
)

func (v view) links(i *issue) []any {
	out := []any{}
	for _, l := range i.links {
		other := map[string]any{
			"id": strconv.Itoa(l.other.id), "key": l.other.key, "self": v.self("issue", strconv.Itoa(l.other.id)),
			"fields": map[string]any{"summary": l.other.values["summary"], "status": v.status(l.other.status)},
		}
		side := "inwardIssue"
		if l.outward {
			side = "outwardIssue"
		}
		out = append(out, map[string]any{
			"id": strconv.Itoa(l.id), "self": v.self("issueLink", strconv.Itoa(l.id)), side: other,
			"type": map[string]any{"id": l.kind.id, "name": l.kind.name, "inward": l.kind.inward, "outward": l.kind.outward},
		})
	}
	return out
}

// linkIssues links two tickets. Read it from the inward one: "inward duplicates outward" has inward as the duplicate.
func (c *call) linkIssues() (int, any, error) {
	type end struct {
		ID  string `json:"id"`
		Key string `json:"key"`
	}
	var body struct {
		Type    pick `json:"type"`
		Inward  end  `json:"inwardIssue"`
		Outward end  `json:"outwardIssue"`
	}
	if err := c.decode(&body); err != nil {
		return 0, nil, err
	}
	if err := c.need("LINK_ISSUES", "You do not have permission to link issues."); err != nil {
		return 0, nil, err
	}
	var kind *linkType
	for n := range linkTypes {
		if linkTypes[n].id == body.Type.ID || strings.EqualFold(linkTypes[n].name, body.Type.Name) {
			kind = &linkTypes[n]
		}
	}
	if kind == nil {
		return 0, nil, refuse(http.StatusNotFound, "No issue link type with name '%s' found.", body.Type.Name)
	}
	var ends []*issue
	for _, e := range []end{body.Inward, body.Outward} {
		c.args["issue"] = e.ID + e.Key
		i, err := c.issue()
		if err != nil {
			return 0, nil, err
		}
		ends = append(ends, i)
	}
	if ends[0] == ends[1] {
		return 0, nil, refuse(http.StatusBadRequest, "You cannot link an issue to itself.")
	}
	id := c.s.newID()
	c.connect(ends[0], link{id: id, kind: *kind, other: ends[1], outward: true}, kind.outward)
	c.connect(ends[1], link{id: id, kind: *kind, other: ends[0]}, kind.inward)
	return http.StatusCreated, nil, nil
}

func (c *call) connect(i *issue, l link, verb string) {
	i.links = append(i.links, l)
	item := changeItem{field: "Link", kind: "jira", to: l.other.key, toText: "This issue " + verb + " " + l.other.key}
	c.s.notify(updated, "issue_updated", i, c.me, c.s.apply(i, c.me, nil, item), nil)
}
