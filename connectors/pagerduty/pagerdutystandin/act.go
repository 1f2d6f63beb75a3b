package pagerdutystandin

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// Incident is an incident as tests look at it.
type Incident struct {
	ID, Title, Details, Status, Key, Urgency, Service, Priority, Kind string
	Values                                                            map[string]any
	Notes                                                             []string
}

// Incidents are all there are.
func (s *Server) Incidents() []Incident {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Incident
	for _, i := range s.incidents {
		one := Incident{ID: i.id, Title: i.title, Details: i.details, Status: i.status, Key: i.key, Urgency: i.urgency, Service: i.service, Kind: i.kind, Values: maps.Clone(i.values)}
		one.Priority, _ = i.priority["name"].(string)
		for _, n := range i.notes {
			one.Notes = append(one.Notes, n.content)
		}
		out = append(out, one)
	}
	return out
}

// Incident is one incident, by its id or number.
func (s *Server) Incident(id string) (Incident, bool) {
	s.mu.Lock()
	found := s.find(id)
	s.mu.Unlock()
	if found == nil {
		return Incident{}, false
	}
	for _, i := range s.Incidents() {
		if i.ID == found.id {
			return i, true
		}
	}
	return Incident{}, false
}

// act does something to an incident in a user's name; "" is PagerDuty itself.
func (s *Server) act(id, who, channel string, do func(i *incident, by way) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(id)
	if i == nil {
		return fmt.Errorf("there is no incident %s", id)
	}
	by := service(channel)
	if who != "" {
		var err error
		if by, err = s.as(who, channel); err != nil {
			return err
		}
	}
	return do(i, by)
}

// Move brings an incident to a status on the website, or by itself where nobody does it.
func (s *Server) Move(id, who, status string) error {
	return s.Resolve(id, who, status, "")
}

// Resolve is Move with a resolution.
func (s *Server) Resolve(id, who, status, resolution string) error {
	channel := "website"
	if who == "" {
		channel = "timeout"
	}
	return s.MoveVia(id, who, channel, status, resolution)
}

// MoveVia is Resolve through another channel.
func (s *Server) MoveVia(id, who, channel, status, resolution string) error {
	return s.act(id, who, channel, func(i *incident, by way) error {
		s.move(i, status, resolution, by)
		return nil
	})
}

// Set gives a custom field a value on the website, or by a rule where nobody does it.
func (s *Server) Set(id, who, field string, value any) error {
	return s.SetVia(id, who, "website", field, value)
}

// SetVia is Set through another channel.
func (s *Server) SetVia(id, who, channel, field string, value any) error {
	return s.act(id, who, channel, func(i *incident, by way) error {
		s.set(i, field, value, by)
		return nil
	})
}

// Rename changes the title.
func (s *Server) Rename(id, who, title string) error {
	return s.act(id, who, "website", func(i *incident, by way) error {
		s.rename(i, title, by)
		return nil
	})
}

// Note writes a note and gives its id.
func (s *Server) Note(id, who, content string) (note string, err error) {
	err = s.act(id, who, "note", func(i *incident, by way) error {
		note = s.annotate(i, content, by).id
		return nil
	})
	return note, err
}

// EditNote changes a note some time after it was written.
func (s *Server) EditNote(id, note, content string) error {
	return s.act(id, "", "website", func(i *incident, _ way) error {
		for _, n := range i.notes {
			if n.id == note {
				n.content, n.updated = content, n.created.Add(time.Minute)
				return nil
			}
		}
		return errors.New("there is no such note")
	})
}

// Merge merges an incident into another one.
func (s *Server) Merge(id, into, who string) error {
	return s.act(id, who, "website", func(i *incident, by way) error {
		other := s.find(into)
		if other == nil {
			return errors.New("there is no such incident")
		}
		i.merged = other.id
		s.move(i, "resolved", "", by)
		return nil
	})
}

// Clone opens another incident with the key of one, on another service, and gives its id.
func (s *Server) Clone(id, who string) (clone string, err error) {
	err = s.act(id, who, "website", func(i *incident, by way) error {
		clone = s.open(i.title, i.key, Other, by).id
		return nil
	})
	return clone, err
}

// Page writes entries that say who was paged.
func (s *Server) Page(id string, times int) error {
	return s.act(id, "", "auto", func(i *incident, by way) error {
		for range times {
			s.add(i, "notify", by, "")
		}
		return nil
	})
}

// Hide makes an incident one that the key may not see any more.
func (s *Server) Hide(id string) error {
	return s.act(id, "", "auto", func(i *incident, _ way) error {
		i.gone = true
		return nil
	})
}
