package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// screen is what a create screen has, by field id, with the id of its issue type.
type screen struct {
	typeID string
	fields map[string]fieldMeta
	read   time.Time
}

// screenAge is how long a screen is trusted. Describe always reads it anew.
const screenAge = 10 * time.Minute

// Describe tells the fields of the create screen and the statuses of the workflow of one issue type.
func (c *connector) Describe(ctx context.Context, at connectors.Place) (connectors.Schema, error) {
	s, err := c.readScreen(ctx, at)
	if err != nil {
		return connectors.Schema{}, err
	}
	statuses, err := c.statuses(ctx, at.Project, s.typeID)
	if err != nil {
		return connectors.Schema{}, err
	}
	out := connectors.Schema{Statuses: statuses, Rate: "by the second and for writes to one ticket, and by the hour for apps; Jira says for how long"}
	for _, id := range slices.Sorted(maps.Keys(s.fields)) {
		if id != "project" && id != "issuetype" { // they are the place
			f := s.fields[id].describe(id)
			if s.fields[id].Schema.isRequestType() {
				types, err := c.readRequestTypes(ctx, at.Project)
				if err != nil {
					return connectors.Schema{}, err
				}
				f.Type, f.Allowed = "text", namesOf(types)
			}
			out.Fields = append(out.Fields, f)
		}
	}
	return out, nil
}

func (m fieldMeta) describe(id string) connectors.Field {
	f := connectors.Field{ID: id, Name: m.Name, Type: m.Schema.kind(), Max: m.Schema.most(), Required: m.Required && !m.HasDefault}
	switch {
	case slices.Contains([]string{"summary", "description", "priority", "labels"}, id):
		f.Part = id
	case m.Schema.System == "reporter":
		f.Required = false // whoever opens a ticket is its reporter
	}
	for _, raw := range m.Allowed {
		if name := choiceName(raw); name != "" {
			f.Allowed = append(f.Allowed, name)
		}
	}
	if m.Schema.rich() {
		f.Doc = "several lines of text"
	}
	return f
}

// kind is the schema's type in the contract's words. What is chosen from a list is given as text.
func (s fieldSchema) kind() string {
	switch s.Type {
	case "string", "option", "user", "group", "priority", "resolution", "version", "component", "securitylevel", "issuetype", "project":
		return "text"
	case "number":
		return "number"
	case "date", "datetime":
		return "time"
	case "array":
		return "list"
	case "option-with-child", "issuelink", "timetracking":
		return "object"
	default:
		return "any"
	}
}

// rich tells whether a field takes rich text; all other texts are one line.
func (s fieldSchema) rich() bool {
	return s.System == "description" || s.System == "environment" || strings.HasSuffix(s.Custom, ":textarea")
}

// most is how much of a text a field keeps, 0 for what is no text.
func (s fieldSchema) most() int {
	switch {
	case s.System == "summary":
		return maxSummary
	case s.rich():
		return maxText
	case s.Type == "string":
		return maxTextLine
	default:
		return 0
	}
}

// choiceName is what people call an allowed value.
func choiceName(raw json.RawMessage) string {
	var value struct{ Value, Name string }
	if json.Unmarshal(raw, &value) == nil && value.Value+value.Name != "" {
		if value.Value != "" {
			return value.Value
		}
		return value.Name
	}
	var text string
	_ = json.Unmarshal(raw, &text)
	return text
}

// screen returns the create screen of a place, read at most every few minutes.
func (c *connector) screen(ctx context.Context, at connectors.Place) (screen, error) {
	c.mu.Lock()
	s, ok := c.screens[at]
	c.mu.Unlock()
	if ok && c.now().Sub(s.read) < screenAge {
		return s, nil
	}
	return c.readScreen(ctx, at)
}

func (c *connector) readScreen(ctx context.Context, at connectors.Place) (screen, error) {
	typeID, err := c.issueType(ctx, at)
	if err != nil {
		return screen{}, err
	}
	s := screen{typeID: typeID, fields: map[string]fieldMeta{}, read: c.now()}
	path := c.api("issue/createmeta/" + at.Project + "/issuetypes/" + typeID)
	err = c.pages(ctx, "read create screen", path, func(text json.RawMessage) (int, int, error) {
		var page struct {
			Fields  []fieldMeta `json:"fields"` // Cloud
			Values  []fieldMeta `json:"values"` // Data Center
			Results []fieldMeta `json:"results"`
			Total   int         `json:"total"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return 0, 0, err
		}
		fields := slices.Concat(page.Fields, page.Values)
		if len(fields) == 0 {
			fields = page.Results
		}
		for _, f := range fields {
			s.fields[f.ID] = f
		}
		return len(fields), page.Total, nil
	})
	if err != nil {
		return screen{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.screens[at] = s
	return s, nil
}

// issueType finds the id of a type by name or id.
func (c *connector) issueType(ctx context.Context, at connectors.Place) (string, error) {
	if !projectKey.MatchString(at.Project) && !issueID.MatchString(at.Project) {
		return "", connectors.Permanently("%q is not a project key", connectors.Clean(at.Project, 50))
	}
	var id string
	var names []string
	path := c.api("issue/createmeta/" + at.Project + "/issuetypes")
	err := c.pages(ctx, "read issue types", path, func(text json.RawMessage) (int, int, error) {
		type issueType struct{ ID, Name string }
		var page struct {
			Types  []issueType `json:"issueTypes"` // Cloud
			Values []issueType `json:"values"`     // Data Center
			Total  int         `json:"total"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return 0, 0, err
		}
		types := slices.Concat(page.Types, page.Values)
		for _, t := range types {
			names = append(names, t.Name)
			if (strings.EqualFold(t.Name, at.Type) || t.ID == at.Type) && issueID.MatchString(t.ID) {
				id = t.ID
			}
		}
		return len(types), page.Total, nil
	})
	if err == nil && id == "" {
		err = connectors.Permanently("project %s has no issue type %q that the account may create; it has: %s",
			at.Project, connectors.Clean(at.Type, 100), connectors.Clean(strings.Join(names, ", "), 400))
	}
	return id, err
}

// pages reads a list by startAt; take returns how many entries a page had and how many there are.
func (c *connector) pages(ctx context.Context, name, path string, take func(json.RawMessage) (n, total int, err error)) error {
	start := 0
	for range maxPages {
		var page json.RawMessage
		if err := c.get(ctx, name, fmt.Sprintf("%s?startAt=%d&maxResults=100", path, start), &page); err != nil {
			return err
		}
		n, total, err := take(page)
		if err != nil {
			return connectors.Temporarily("%s: the answer has not the shape expected", name)
		}
		start += n
		if start >= total {
			return nil
		}
		if n == 0 {
			return connectors.Temporarily("%s: the list ends early, at %d of %d", name, start, total)
		}
	}
	return endless(name)
}

// statuses lists the statuses a type's workflow has.
func (c *connector) statuses(ctx context.Context, project, typeID string) ([]string, error) {
	var types []struct {
		ID       string   `json:"id"`
		Statuses []status `json:"statuses"`
	}
	if err := c.get(ctx, "read statuses", c.api("project/"+project+"/statuses"), &types); err != nil {
		return nil, err
	}
	var out []string
	for _, t := range types {
		if t.ID != typeID {
			continue
		}
		for _, s := range t.Statuses {
			out = append(out, s.Name)
		}
	}
	return out, nil
}
