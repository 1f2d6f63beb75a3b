package opsgeniestandin

import (
	"fmt"
	"maps"
	"slices"
)

// Alert is an alert as tests look at it.
type Alert struct {
	ID, Alias, Message, Description, Status, Entity, Priority string
	Acknowledged                                              bool
	Tags, Actions, Notes                                      []string
	Details                                                   map[string]string
	Count                                                     int
}

// Alerts are all there are.
func (s *Server) Alerts() []Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Alert
	for _, a := range s.alerts {
		one := Alert{
			ID: a.id, Alias: a.alias, Message: a.message, Description: a.description, Status: a.status, Entity: a.entity, Priority: a.priority,
			Acknowledged: a.acknowledged, Tags: slices.Clone(a.tags), Actions: slices.Clone(a.actions), Details: maps.Clone(a.details), Count: a.count,
		}
		for _, n := range a.notes {
			one.Notes = append(one.Notes, n["note"].(string))
		}
		out = append(out, one)
	}
	return out
}

// Alert is one alert, by its id or number.
func (s *Server) Alert(id string) (Alert, bool) {
	for i, a := range s.Alerts() {
		if a.ID == id || fmt.Sprint(i+1) == id {
			return a, true
		}
	}
	return Alert{}, false
}

// act does something to an alert.
func (s *Server) act(id string, do func(a *alert)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.alerts {
		if (a.id == id || a.tiny == id) && !a.gone {
			do(a)
			return nil
		}
	}
	return fmt.Errorf("there is no alert %s", id)
}

// Move acknowledges, unacknowledges or closes an alert, by the names calls have, with a note where one is given.
func (s *Server) Move(id, who, via, op, note string) error {
	return s.act(id, func(a *alert) { s.apply(a, op, written{Note: note}, who, via) })
}

// Execute executes a custom action.
func (s *Server) Execute(id, who, via, action string) error {
	return s.act(id, func(a *alert) {
		s.say(a, "Custom action ["+action+"] executed via "+via, who, action, who)
	})
}

// Pretend sends a webhook about a custom action that the log does not have.
func (s *Server) Pretend(id, who, action string) error {
	return s.act(id, func(a *alert) { s.notify(a, action, who) })
}

// Note writes a note.
func (s *Server) Note(id, who, text string) error {
	return s.act(id, func(a *alert) { s.annotate(a, text, who, "web") })
}

// Rename changes the message.
func (s *Server) Rename(id, who, message string) error {
	return s.act(id, func(a *alert) { s.apply(a, "message", written{Message: message}, who, "web") })
}

// Clone opens another alert with the alias of one that was opened by another integration, and gives its id.
func (s *Server) Clone(id string) (clone string, err error) {
	err = s.act(id, func(a *alert) {
		clone = s.open(written{Message: a.message, Alias: a.alias, Description: a.description}, true).id
	})
	return clone, err
}

// Delete deletes an alert.
func (s *Server) Delete(id string) error { return s.act(id, func(a *alert) { a.gone = true }) }
