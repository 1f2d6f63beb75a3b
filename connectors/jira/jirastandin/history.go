package jirastandin

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// apply makes one change of a ticket by one account: sets fields, writes the history, and lets the index hear of it.
// It returns what changed; a change of nothing leaves no trace.
func (s *Server) apply(i *issue, by *account, set map[string]any, more ...changeItem) []changeItem {
	var items []changeItem
	for _, id := range slices.Sorted(maps.Keys(set)) {
		before, after := i.values[id], set[id]
		if reflect.DeepEqual(before, after) {
			continue
		}
		items = append(items, i.changed(id, before, after))
		if after == nil {
			delete(i.values, id)
		} else {
			i.values[id] = after
		}
	}
	items = append(items, more...)
	if len(items) == 0 {
		return nil
	}
	now := s.o.Now()
	i.history = append(i.history, &change{id: s.newID(), by: by, at: now, items: items})
	s.touch(i)
	return items
}

// touch marks a ticket as updated now.
func (s *Server) touch(i *issue) {
	i.updated = s.o.Now()
	s.reindex(i)
}

func (i *issue) changed(id string, before, after any) changeItem {
	item := changeItem{field: id, fieldID: id, kind: "jira"}
	if f := i.kind.fieldOrSystem(id); f != nil && f.custom() {
		item.field, item.kind = f.name, "custom"
	}
	item.from, item.fromText = words(before)
	item.to, item.toText = words(after)
	return item
}

func statusItem(from, to *status) changeItem {
	return changeItem{field: "status", fieldID: "status", kind: "jira", from: from.id, fromText: from.name, to: to.id, toText: to.name}
}

// move takes a ticket through a transition with the fields and comments of its screen.
func (s *Server) move(i *issue, by *account, t *transition, set map[string]any, comments []richText) {
	if set == nil {
		set = map[string]any{}
	}
	if t.to.category != "done" && i.values["resolution"] != nil {
		set["resolution"] = nil
	}
	from := i.status
	i.status = t.to
	items := s.apply(i, by, set, statusItem(from, t.to))
	s.enter(i)
	s.notify(updated, "issue_generic", i, by, items, nil)
	for _, text := range comments {
		s.comment(i, by, &comment{body: text})
	}
}

// enter asks for an approval where the ticket's status waits for one. A status entered again asks anew.
func (s *Server) enter(i *issue) {
	step, ok := i.kind.flow.approvals[i.status]
	if ok {
		i.approvals = append(i.approvals, &approval{
			id: s.newID(), name: i.status.name, step: step, created: s.o.Now(), answers: map[string]string{}, final: "pending",
		})
	}
}

// comment adds a comment and tells about it twice, as Jira does.
func (s *Server) comment(i *issue, by *account, c *comment) *comment {
	c.id, c.by, c.at = s.newID(), by, s.o.Now()
	i.comments = append(i.comments, c)
	s.touch(i)
	s.notify(commentCreated, "", i, by, nil, c)
	s.notify(updated, "issue_commented", i, by, nil, c)
	return c
}

// open makes a ticket.
func (s *Server) open(p *project, kind *issueType, values map[string]any, creator *account) *issue {
	p.count++
	now := s.o.Now()
	i := &issue{
		id: s.newID(), key: p.key + "-" + strconv.Itoa(p.count), project: p, kind: kind, status: kind.flow.statuses[0],
		values: values, creator: creator, created: now, updated: now,
	}
	maps.DeleteFunc(values, func(_ string, v any) bool { return v == nil })
	if values["priority"] == nil {
		values["priority"] = priorities[2]
	}
	if values["reporter"] == nil {
		values["reporter"] = creator
	}
	s.issues = append(s.issues, i)
	s.enter(i)
	s.reindex(i)
	return i
}
