package elimitystandin

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Request is a change request as the stand-in keeps it. A webhook carries no id of it; N is its place in the list.
type Request struct {
	N       int
	Type    string // as the webhook says
	What    string // for people to read
	By      string
	Comment string
	At      time.Time
	Done    bool // it was carried out
	changes []effect
}

// effect is one thing that carrying out a request does to the data.
type effect struct {
	do         string // remove, link, unlink, assign
	one, other key
	attribute  string
	value      *string // nil: no value any more
}

// RelationshipChange is a change to a relationship that a review ended with.
type RelationshipChange struct {
	Operation string `json:"operation"` // add, remove
	Column    Entity `json:"columnEntity"`
	Row       Entity `json:"rowEntity"`
	Comment   string `json:"comment"`
}

// RowRemoval is a row that should go, as a review ended with.
type RowRemoval struct {
	Entity  Entity `json:"entity"`
	Comment string `json:"comment"`
}

// Review is an access review as it is submitted.
type Review struct {
	By, Comment         string
	Campaign, CreatedBy string
	Changes             []RelationshipChange
	Removals            []RowRemoval
}

type common struct {
	Type        string `json:"type"`
	Comment     string `json:"comment"`
	RequestedAt string `json:"requestedAt"`
	RequestedBy string `json:"requestedBy"`
}

type value struct {
	Current   any    `json:"current"`
	Requested any    `json:"requested"`
	Type      string `json:"type"`
}

// RemoveEntity asks for an entity to be removed, and queues the webhook. It returns the request's N, as all do.
func (s *Server) RemoveEntity(by, comment string, e Entity) int {
	return s.ask("entityRemoval", by, comment, "remove "+e.Name, []effect{{do: "remove", one: e.key()}}, func(c common) any {
		return struct {
			common
			Entity Entity `json:"entity"`
		}{c, e}
	})
}

// RemoveRelationship asks for a relationship to be removed, and queues the webhook.
func (s *Server) RemoveRelationship(by, comment string, from, to Entity) int {
	return s.ask("relationshipRemoval", by, comment, "remove "+from.Name+" → "+to.Name, []effect{{do: "unlink", one: from.key(), other: to.key()}}, func(c common) any {
		return struct {
			common
			From Entity `json:"fromEntity"`
			To   Entity `json:"toEntity"`
		}{c, from, to}
	})
}

// AssignText asks for an attribute of type string to get a value, and queues the webhook.
func (s *Server) AssignText(by, comment string, e Entity, attribute, name, requested string) int {
	s.mu.Lock()
	current := s.shown.things[e.key()].assigned[attribute]
	s.mu.Unlock()
	return s.Assign(by, comment, e, attribute, name, "string", current, requested, &requested)
}

// Assign asks for an attribute of any type to get a value, and queues the webhook. current and requested are written
// into it as they are; shown is the requested value as queries write it, nil for none.
func (s *Server) Assign(by, comment string, e Entity, attribute, name, kind string, current, requested any, shown *string) int {
	change := effect{do: "assign", one: e.key(), attribute: attribute, value: shown}
	return s.ask("attributeAssignment", by, comment, "set "+name+" of "+e.Name, []effect{change}, func(c common) any {
		return struct {
			common
			ID     string `json:"attributeTypeId"`
			Name   string `json:"attributeTypeName"`
			Entity Entity `json:"entity"`
			Value  value  `json:"value"`
		}{c, attribute, name, e, value{current, requested, kind}}
	})
}

// SubmitReview submits an access review, and queues the webhook.
func (s *Server) SubmitReview(r Review) int {
	var changes []effect
	for _, c := range r.Changes {
		do := map[string]string{"add": "link", "remove": "unlink"}[c.Operation]
		changes = append(changes, effect{do: do, one: c.Row.key(), other: c.Column.key()})
	}
	for _, c := range r.Removals {
		changes = append(changes, effect{do: "remove", one: c.Entity.key()})
	}
	return s.ask("accessReviewSubmission", r.By, r.Comment, "access review "+r.Campaign, changes, func(c common) any {
		return struct {
			common
			Campaign  string               `json:"campaignName"`
			CreatedBy string               `json:"reviewCreatedBy"`
			Changes   []RelationshipChange `json:"relationshipChanges"`
			Removals  []RowRemoval         `json:"rowRemovals"`
		}{c, r.Campaign, r.CreatedBy, append([]RelationshipChange{}, r.Changes...), append([]RowRemoval{}, r.Removals...)}
	})
}

func (s *Server) ask(kind, by, comment, what string, changes []effect, body func(common) any) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Now().UTC()
	text, err := json.Marshal(body(common{kind, comment, now.Format(time.RFC3339Nano), by}))
	if err != nil {
		panic("write webhook: " + err.Error()) // only texts, numbers and lists of these are written
	}
	n := len(s.requests) + 1
	s.requests = append(s.requests, Request{N: n, Type: kind, What: what, By: by, Comment: comment, At: now, changes: changes})
	s.tell(text)
	return n
}

// Requests returns all change requests, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// CarryOut does at the sources what a change request asks for. Queries show it after a Reload.
func (s *Server) CarryOut(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 1 || n > len(s.requests) {
		return fmt.Errorf("carry out change: there is no request %d", n)
	}
	r := &s.requests[n-1]
	if r.Done {
		return errors.New("carry out change: it was carried out already")
	}
	r.Done = true
	for _, c := range r.changes {
		s.live.apply(c)
	}
	return nil
}

func (g graph) apply(c effect) {
	switch c.do {
	case "remove":
		delete(g.things, c.one)
		for l := range g.links {
			if l[0] == c.one || l[1] == c.one {
				delete(g.links, l)
			}
		}
	case "link":
		g.links[[2]key{c.one, c.other}] = true
	case "unlink":
		delete(g.links, [2]key{c.one, c.other})
		delete(g.links, [2]key{c.other, c.one})
	case "assign":
		if t, ok := g.things[c.one]; ok && c.value != nil {
			t.assigned[c.attribute] = *c.value
		} else if ok {
			delete(t.assigned, c.attribute)
		}
	}
}
