package jirastandin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The methods here do what a person does in Jira's pages: the history names that person, and webhooks go out. A
// ticket is named by its id or key, a person by account id.

// Move takes a ticket to a status by a transition of its workflow. fields are those of the transition's screen, as the
// REST interface (version 2) writes them; a text stands for {"name": text} of a resolution.
func (s *Server) Move(key, accountID, status string, fields map[string]any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, by, err := s.acting(key, accountID)
	if err != nil {
		return err
	}
	var names []string
	for _, t := range i.reachable() {
		if strings.EqualFold(t.to.name, status) {
			return s.moveAs(i, by, t, fields)
		}
		names = append(names, t.to.name)
	}
	return fmt.Errorf("move %s: no way from %q to %q, only to %s", i.key, i.status.name, status, strings.Join(names, ", "))
}

// Reword brings a ticket to a status of its workflow without a trace in its history.
func (s *Server) Reword(key, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(key)
	if i == nil {
		return fmt.Errorf("there is no ticket %s", key)
	}
	for _, one := range i.kind.flow.statuses {
		if one.name == status {
			i.status = one
		}
	}
	return nil
}

func (s *Server) moveAs(i *issue, by *account, t *transition, fields map[string]any) error {
	raw, err := rawFields(fields)
	if err != nil {
		return err
	}
	return s.transition(i, by, t, updateBody{Fields: raw}, 2)
}

func rawFields(fields map[string]any) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	for id, value := range fields {
		if name, ok := value.(string); ok && (id == "resolution" || id == "priority") {
			value = map[string]string{"name": name}
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("encode field %s: %w", id, err)
		}
		out[id] = raw
	}
	return out, nil
}

func (s *Server) acting(key, accountID string) (*issue, *account, error) {
	i, by := s.find(key), s.account(accountID)
	switch {
	case i == nil:
		return nil, nil, fmt.Errorf("no ticket %q", key)
	case by == nil:
		return nil, nil, fmt.Errorf("no account %q", accountID)
	}
	return i, by, nil
}

// Answer answers the open approval of a service desk's ticket: decision is approve or decline.
func (s *Server) Answer(key, accountID, decision string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, by, err := s.acting(key, accountID)
	if err != nil {
		return err
	}
	if len(i.approvals) == 0 {
		return fmt.Errorf("answer approval of %s: nothing was asked", i.key)
	}
	return s.answer(i, i.approvals[len(i.approvals)-1], by, decision)
}

// Edit changes fields of the edit screen, written as the REST interface (version 2) does; nil empties a field.
func (s *Server) Edit(key, accountID string, fields map[string]any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, by, err := s.acting(key, accountID)
	if err != nil {
		return err
	}
	raw, err := rawFields(fields)
	if err != nil {
		return err
	}
	e := s.readScreen(i.editScreen(), updateBody{Fields: raw}, 2, i.values)
	if err := refuseFields(e.problems); err != nil {
		return err
	}
	s.edited(i, by, e)
	return nil
}

// EditLabels adds and removes labels.
func (s *Server) EditLabels(key, accountID string, add, remove []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, by, err := s.acting(key, accountID)
	if err != nil {
		return err
	}
	before, _ := i.values["labels"].([]string)
	labels := slices.DeleteFunc(slices.Concat(before, add), func(l string) bool { return slices.Contains(remove, l) })
	raw, err := rawFields(map[string]any{"labels": append([]string{}, labels...)})
	if err != nil {
		return err
	}
	e := s.readScreen(i.editScreen(), updateBody{Fields: raw}, 2, i.values)
	if err := refuseFields(e.problems); err != nil {
		return err
	}
	s.edited(i, by, e)
	return nil
}

// CommentAs adds a public comment.
func (s *Server) CommentAs(key, accountID, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, by, err := s.acting(key, accountID)
	if err != nil {
		return err
	}
	if strings.TrimSpace(text) == "" {
		return fmt.Errorf("comment on %s: the comment is empty", i.key)
	}
	s.comment(i, by, &comment{body: plainText(text)})
	return nil
}

// Clone copies a ticket as a person does with the clone button: the new ticket is theirs, has the labels and fields
// of the first, none of its properties, and starts at the workflow's start. It returns the new key.
func (s *Server) Clone(key, accountID string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, by, err := s.acting(key, accountID)
	if err != nil {
		return "", err
	}
	values := maps.Clone(from.values)
	summary, _ := values["summary"].(string)
	values["summary"], values["resolution"], values["reporter"] = "CLONE - "+summary, nil, by
	i := s.open(from.project, from.kind, values, by)
	s.notify(created, "issue_created", i, by, nil, nil)
	return i.key, nil
}

// MoveProject moves a ticket to another project with a type of the same name, or to its first type. The ticket keeps
// its id and gets a new key, which is returned; the former key still finds it. It keeps its status where the new
// workflow has it, and starts anew where not.
func (s *Server) MoveProject(key, accountID, projectKey string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, by, err := s.acting(key, accountID)
	if err != nil {
		return "", err
	}
	to := s.project(projectKey)
	if to == nil || to == i.project {
		return "", fmt.Errorf("move %s: no other project %q", i.key, projectKey)
	}
	kind := to.types[max(0, slices.IndexFunc(to.types, func(k *issueType) bool { return k.name == i.kind.name }))]
	to.count++
	former, from, before := i.key, i.project, i.status
	s.formerly[former] = i
	i.key, i.project, i.kind = to.key+"-"+strconv.Itoa(to.count), to, kind
	items := []changeItem{
		{field: "Key", kind: "jira", fromText: former, toText: i.key},
		{field: "project", fieldID: "project", kind: "jira", from: from.id, fromText: from.name, to: to.id, toText: to.name},
	}
	if !slices.Contains(kind.flow.statuses, i.status) {
		i.status = kind.flow.statuses[0]
		items = append(items, statusItem(before, i.status))
	}
	s.notify(updated, "issue_moved", i, by, s.apply(i, by, nil, items...), nil)
	return i.key, nil
}

// Delete removes a ticket for good.
func (s *Server) Delete(key, accountID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, by, err := s.acting(key, accountID)
	if err != nil {
		return err
	}
	s.notify(deleted, "", i, by, nil, nil)
	s.issues = slices.DeleteFunc(s.issues, func(other *issue) bool { return other == i })
	maps.DeleteFunc(s.formerly, func(_ string, other *issue) bool { return other == i })
	for _, other := range s.issues {
		other.links = slices.DeleteFunc(other.links, func(l link) bool { return l.other == i })
	}
	return nil
}

// SetProperty sets an issue property, as an app does. nil removes it.
func (s *Server) SetProperty(key, property string, value any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(key)
	if i == nil {
		return fmt.Errorf("no ticket %q", key)
	}
	if value == nil {
		delete(i.properties, property)
		return nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode property %s: %w", property, err)
	}
	i.setProperty(property, raw)
	return nil
}

// SetGroups puts an account into these groups and no others.
func (s *Server) SetGroups(accountID string, groups ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(accountID)
	if a == nil {
		return fmt.Errorf("no account %q", accountID)
	}
	a.Groups = groups
	return nil
}
