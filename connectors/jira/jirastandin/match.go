package jirastandin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// check is one term made ready: it tells whether a ticket as indexed fits.
type check func(i *issue, known *indexed) bool

// checks compiles a query's terms, refusing fields and values Jira does not know. Times are read in the caller's zone.
func (c *call) checks(q query) ([]check, error) {
	var out []check
	for _, t := range q.terms {
		fits, err := c.check(t)
		if err != nil {
			return nil, err
		}
		out = append(out, fits)
	}
	return out, nil
}

func (c *call) check(t term) (check, error) {
	if t.field == "created" || t.field == "updated" {
		return c.timeCheck(t)
	}
	var values func(i *issue, known *indexed) []string
	switch t.field {
	case "project":
		values = func(_ *issue, known *indexed) []string { return []string{known.project.id} }
	case "labels":
		values = func(_ *issue, known *indexed) []string { return known.labels }
	case "issue", "issuekey", "key", "id":
		values = func(i *issue, _ *indexed) []string { return []string{strconv.Itoa(i.id)} }
	case "status":
		values = func(_ *issue, known *indexed) []string { return []string{known.status.id} }
	case "statuscategory":
		values = func(_ *issue, known *indexed) []string { return []string{known.status.category} }
	case "issuetype", "type":
		values = func(_ *issue, known *indexed) []string { return []string{strings.ToLower(known.kind.name)} }
	case "creator", "reporter", "assignee":
		values = func(_ *issue, known *indexed) []string {
			if a := known.people[t.field]; a != nil {
				return []string{a.ID}
			}
			return nil
		}
	default:
		return nil, refuse(http.StatusBadRequest, "Field '%s' does not exist or you do not have permission to view it.", t.field)
	}
	wanted, err := c.canonical(t)
	if err != nil {
		return nil, err
	}
	negated := t.op == "!=" || t.op == "not in"
	if strings.ContainsAny(t.op, "<>") {
		return nil, refuse(http.StatusBadRequest, "The operator '%s' is not supported by the '%s' field.", t.op, t.field)
	}
	return func(i *issue, known *indexed) bool {
		found := values(i, known)
		hit := slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(found, w) })
		return hit != negated && (hit || len(found) > 0) // an empty field fits neither = nor !=
	}, nil
}

// canonical turns a term's values into what tickets are compared by, and refuses those that do not exist.
func (c *call) canonical(t term) ([]string, error) {
	var out []string
	for _, value := range t.values {
		id := ""
		switch t.field {
		case "project":
			if p := c.s.projectNamed(value); p != nil {
				id = p.id
			}
		case "labels":
			id = value
		case "issue", "issuekey", "key", "id":
			i := c.s.find(value)
			if i == nil {
				return nil, refuse(http.StatusBadRequest, "An issue with key '%s' does not exist for field '%s'.", value, t.field)
			}
			id = strconv.Itoa(i.id)
		case "status":
			for _, st := range c.s.statuses {
				if st.id == value || strings.EqualFold(st.name, value) {
					id = st.id
				}
			}
		case "statuscategory":
			id = map[string]string{"to do": "new", "new": "new", "in progress": "indeterminate", "indeterminate": "indeterminate", "done": "done"}[strings.ToLower(value)]
		case "issuetype", "type":
			if c.s.typeNamed(value) {
				id = strings.ToLower(value)
			}
		default: // people
			if value == "currentUser()" && c.me != nil {
				id = c.me.ID
			} else if a := c.s.named(value); a != nil {
				id = a.ID
			}
		}
		if id == "" {
			return nil, refuse(http.StatusBadRequest, "The value '%s' does not exist for the field '%s'.", value, t.field)
		}
		out = append(out, id)
	}
	return out, nil
}

func (s *Server) projectNamed(value string) *project {
	for _, p := range s.projects {
		if p.id == value || strings.EqualFold(p.key, value) || strings.EqualFold(p.name, value) {
			return p
		}
	}
	return nil
}

func (s *Server) typeNamed(value string) bool {
	for _, p := range s.projects {
		for _, kind := range p.types {
			if strings.EqualFold(kind.name, value) {
				return true
			}
		}
	}
	return false
}

func (c *call) timeCheck(t term) (check, error) {
	if t.op == "in" || t.op == "not in" {
		return nil, refuse(http.StatusBadRequest, "The stand-in does not take the operator '%s' for the '%s' field.", t.op, t.field)
	}
	limit, ok := c.moment(t.values[0])
	if !ok {
		return nil, refuse(http.StatusBadRequest, "Date value '%s' for field '%s' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'.", t.values[0], t.field)
	}
	return func(_ *issue, known *indexed) bool {
		order := known.times[t.field].Compare(limit)
		switch t.op {
		case "<":
			return order < 0
		case "<=":
			return order <= 0
		case ">":
			return order > 0
		case ">=":
			return order >= 0
		case "=":
			return order == 0
		default:
			return order != 0
		}
	}, nil
}

// moment reads a time: minutes at best, in the caller's zone, or a distance from now.
func (c *call) moment(text string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02 15:04", "2006/01/02 15:04", time.DateOnly, "2006/01/02"} {
		if at, err := time.ParseInLocation(layout, text, c.view.zone); err == nil {
			return at, true
		}
	}
	if len(text) < 2 {
		return time.Time{}, false
	}
	units := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	n, err := strconv.Atoi(text[:len(text)-1])
	unit := units[text[len(text)-1]]
	if err != nil || unit == 0 {
		return time.Time{}, false
	}
	return c.now.Add(time.Duration(n) * unit), true
}
