package jirastandin

import (
	"encoding/json"
	"maps"
	"strconv"
	"time"
)

// Issue is a ticket as tests and pages look at it: a copy that no longer changes.
type Issue struct {
	ID, Key, Project, Type string
	Status, Resolution     string
	Summary, Description   string // the description as text
	Priority               string
	Creator, Reporter      string // account ids
	Labels                 []string
	Fields                 map[string]string // every field that has a value, as text
	Properties             map[string]json.RawMessage
	Comments               []Comment
	History                []Change // oldest first, an entry a field
	Files                  []File
	Links                  []string // "duplicates ITSEC-1"
	Approvals              []string // "Waiting for approval: approved"
	Created, Updated       time.Time
}

// Comment is a comment.
type Comment struct {
	Author     string // account id
	Text       string
	Public     bool
	At         time.Time
	Properties map[string]json.RawMessage
}

// Change is one field changed by one account.
type Change struct {
	By       string // account id
	At       time.Time
	Field    string
	From, To string
}

// File is an attachment.
type File struct {
	Name, MimeType, By string
	Data               []byte
}

// Issues returns all tickets in order of their creation.
func (s *Server) Issues() []Issue {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Issue, 0, len(s.issues))
	for _, i := range s.issues {
		out = append(out, i.copy())
	}
	return out
}

// Issue returns the ticket with that id, key or former key.
func (s *Server) Issue(key string) (Issue, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(key)
	if i == nil {
		return Issue{}, false
	}
	return i.copy(), true
}

// Requests counts the REST calls so far by method and path: "POST /rest/api/3/issue".
func (s *Server) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.requests)
}

func (i *issue) copy() Issue {
	out := Issue{
		ID: strconv.Itoa(i.id), Key: i.key, Project: i.project.key, Type: i.kind.name, Status: i.status.name,
		Creator: i.creator.ID, Created: i.created, Updated: i.updated,
		Fields: map[string]string{}, Properties: maps.Clone(i.properties),
	}
	for id, value := range i.values {
		_, out.Fields[id] = words(value)
	}
	out.Summary, out.Description, out.Priority, out.Resolution = out.Fields["summary"], out.Fields["description"], out.Fields["priority"], out.Fields["resolution"]
	if reporter, ok := i.values["reporter"].(*account); ok {
		out.Reporter = reporter.ID
	}
	labels, _ := i.values["labels"].([]string)
	out.Labels = append(out.Labels, labels...)
	for _, c := range i.comments {
		out.Comments = append(out.Comments, Comment{Author: c.by.ID, Text: c.body.text, Public: !c.internal, At: c.at, Properties: maps.Clone(c.properties)})
	}
	for _, h := range i.history {
		for _, item := range h.items {
			out.History = append(out.History, Change{By: h.by.ID, At: h.at, Field: item.field, From: item.fromText, To: item.toText})
		}
	}
	for _, f := range i.files {
		out.Files = append(out.Files, File{Name: f.name, MimeType: f.kind, By: f.by.ID, Data: f.data})
	}
	for _, l := range i.links {
		verb := l.kind.inward
		if l.outward {
			verb = l.kind.outward
		}
		out.Links = append(out.Links, verb+" "+l.other.key)
	}
	for _, a := range i.approvals {
		out.Approvals = append(out.Approvals, a.name+": "+a.final)
	}
	return out
}
