package jirastandin

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stampLayout is how Jira writes a time: the zone has no colon, so it is not RFC 3339.
const stampLayout = "2006-01-02T15:04:05.000-0700"

// view renders state for one caller: in their version of the interface and their time zone.
type view struct {
	s       *Server
	base    string
	version int
	zone    *time.Location
}

func (v view) self(parts ...string) string {
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return v.base + "/rest/api/" + strconv.Itoa(v.version) + "/" + strings.Join(parts, "/")
}

func (v view) stamp(t time.Time) string { return t.In(v.zone).Format(stampLayout) }

// userWire is a person. Cloud knows them by account id, Data Center by name and key.
type userWire struct {
	Self        string      `json:"self"`
	AccountID   string      `json:"accountId,omitempty"`
	AccountType string      `json:"accountType,omitempty"`
	Name        string      `json:"name,omitempty"`
	Key         string      `json:"key,omitempty"`
	Mail        string      `json:"emailAddress,omitempty"`
	DisplayName string      `json:"displayName"`
	Active      bool        `json:"active"`
	Zone        string      `json:"timeZone,omitempty"`
	Groups      *groupsWire `json:"groups,omitempty"`
}

type groupsWire struct {
	Size  int         `json:"size"`
	Items []groupWire `json:"items"`
}

type groupWire struct {
	Name string `json:"name"`
	ID   string `json:"groupId,omitempty"`
	Self string `json:"self,omitempty"`
}

func (v view) user(a *account) *userWire {
	if a == nil {
		return nil
	}
	u := &userWire{Mail: a.Mail, DisplayName: a.Name, Active: !a.Inactive, Zone: a.zone.String()}
	if v.s.o.DataCenter {
		u.Name, u.Key = a.Login, "JIRAUSER-"+a.ID
		u.Self = v.self("user") + "?username=" + url.QueryEscape(a.Login)
	} else {
		u.AccountID, u.AccountType = a.ID, a.Kind
		u.Self = v.self("user") + "?accountId=" + url.QueryEscape(a.ID)
	}
	return u
}

func (v view) group(name string) groupWire {
	g := groupWire{Name: name, Self: v.self("group") + "?groupname=" + url.QueryEscape(name)}
	if !v.s.o.DataCenter {
		g.ID = "group-" + name
	}
	return g
}

type categoryWire struct {
	Self      string `json:"self"`
	ID        int    `json:"id"`
	Key       string `json:"key"`
	ColorName string `json:"colorName"`
	Name      string `json:"name"`
}

type statusWire struct {
	Self        string       `json:"self"`
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Category    categoryWire `json:"statusCategory"`
}

func (v view) status(st *status) statusWire {
	category := categoryWire{ID: 2, Key: "new", ColorName: "blue-gray", Name: "To Do"}
	switch st.category {
	case "indeterminate":
		category = categoryWire{ID: 4, Key: "indeterminate", ColorName: "yellow", Name: "In Progress"}
	case "done":
		category = categoryWire{ID: 3, Key: "done", ColorName: "green", Name: "Done"}
	}
	category.Self = v.self("statuscategory", strconv.Itoa(category.ID))
	return statusWire{Self: v.self("status", st.id), ID: st.id, Name: st.name, Category: category}
}

// choice renders one of a set; key is "name" for what Jira calls by name, "value" for options.
func (v view) choice(resource, key string, c choice) map[string]any {
	return map[string]any{"self": v.self(resource, c.id), "id": c.id, key: c.name}
}

// rich renders rich text as the version shows it.
func (v view) rich(t richText) any {
	if v.version == 3 {
		return t.tree
	}
	return t.text
}

// value renders a field; an empty one is null, except where Jira shows an empty list.
func (v view) value(f *field, value any) any {
	switch value := value.(type) {
	case nil:
		if f.kind == labelsKind {
			return []string{}
		}
		return nil
	case richText:
		return v.rich(value)
	case *account:
		return v.user(value)
	case choice:
		switch f.kind {
		case priorityKind, resolutionKind:
			return v.choice(f.id, "name", value)
		case requestTypeKind:
			return map[string]any{"requestType": map[string]any{"id": value.id, "name": value.name}}
		default:
			return v.choice("customFieldOption", "value", value)
		}
	case []choice:
		out := []any{}
		for _, c := range value {
			out = append(out, v.choice("customFieldOption", "value", c))
		}
		return out
	default:
		return value
	}
}

// fields renders all fields of a ticket by their id.
func (v view) fields(i *issue) map[string]any {
	kind := map[string]any{"self": v.self("issuetype", i.kind.id), "id": i.kind.id, "name": i.kind.name, "subtask": false}
	out := map[string]any{
		"project":    v.project(i.project),
		"issuetype":  kind,
		"status":     v.status(i.status),
		"creator":    v.user(i.creator),
		"created":    v.stamp(i.created),
		"updated":    v.stamp(i.updated),
		"comment":    v.comments(i, i.comments, 0, len(i.comments)),
		"attachment": v.files(i.files),
		"issuelinks": v.links(i),
	}
	for _, f := range append(slices.Clone(i.kind.screen), i.kind.fieldOrSystem("resolution")) {
		out[f.id] = v.value(f, i.values[f.id])
	}
	return out
}

func (v view) project(p *project) map[string]any {
	kind := "business"
	if p.desk != "" {
		kind = "service_desk"
	}
	return map[string]any{"self": v.self("project", p.id), "id": p.id, "key": p.key, "name": p.name, "projectTypeKey": kind}
}

// names gives the names people see for a ticket's fields.
func (i *issue) names() map[string]string {
	out := map[string]string{
		"project": "Project", "issuetype": "Issue Type", "status": "Status", "creator": "Creator", "created": "Created",
		"updated": "Updated", "comment": "Comment", "attachment": "Attachment", "issuelinks": "Linked Issues", "resolution": "Resolution",
	}
	for _, f := range i.kind.screen {
		out[f.id] = f.name
	}
	return out
}

// issueWire is a ticket.
type issueWire struct {
	Expand     string                     `json:"expand,omitempty"`
	ID         string                     `json:"id"`
	Self       string                     `json:"self,omitempty"`
	Key        string                     `json:"key,omitempty"`
	Fields     map[string]any             `json:"fields,omitempty"`
	Names      map[string]string          `json:"names,omitempty"`
	Properties map[string]json.RawMessage `json:"properties,omitempty"`
	Changelog  *changelogWire             `json:"changelog,omitempty"`
}

// wanted is what a caller wants to see of tickets.
type wanted struct {
	fields     []string
	properties []string
	expand     []string
}

// issue renders a ticket with the fields wanted: ids, *all, *navigable (all but comments, files and links), and -id
// to leave one out. id alone gives nothing but the id.
func (v view) issue(i *issue, want wanted) issueWire {
	id := strconv.Itoa(i.id)
	out := issueWire{ID: id}
	if !slices.Equal(want.fields, []string{"id"}) || len(want.properties)+len(want.expand) > 0 {
		out.Expand, out.Self, out.Key = "names,changelog", v.self("issue", id), i.key
		out.Fields = selected(v.fields(i), want.fields)
	}
	for key, value := range i.properties {
		if slices.Contains(want.properties, key) || slices.Contains(want.properties, "*all") {
			if out.Properties == nil {
				out.Properties = map[string]json.RawMessage{}
			}
			out.Properties[key] = value
		}
	}
	if slices.Contains(want.expand, "changelog") {
		out.Changelog = v.changelog(i)
	}
	if slices.Contains(want.expand, "names") {
		out.Names = i.names()
		maps.DeleteFunc(out.Names, func(id, _ string) bool { _, shown := out.Fields[id]; return !shown })
	}
	return out
}

func selected(all map[string]any, want []string) map[string]any {
	out := map[string]any{}
	for id, value := range all {
		bulky := id == "comment" || id == "attachment" || id == "issuelinks"
		switch {
		case slices.Contains(want, "-"+id):
		case slices.Contains(want, id), slices.Contains(want, "*all"), slices.Contains(want, "*navigable") && !bulky:
			out[id] = value
		}
	}
	return out
}
