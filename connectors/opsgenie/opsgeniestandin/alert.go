package opsgeniestandin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// alert is one alert.
type alert struct {
	id, tiny, alias, message, description, status, entity, priority string
	acknowledged, gone, foreign                                     bool
	tags, actions                                                   []string
	details                                                         map[string]string
	count                                                           int
	created, updated                                                time.Time
	notes, log                                                      []map[string]any
}

func (a *alert) view() map[string]any {
	integration := map[string]any{"id": Integration, "name": "drawbridge", "type": "API"}
	if a.foreign {
		integration = map[string]any{"id": "11111111-2222-4333-8444-555555555555", "name": "Another", "type": "API"}
	}
	return map[string]any{
		"id": a.id, "tinyId": a.tiny, "alias": a.alias, "message": a.message, "status": a.status, "acknowledged": a.acknowledged, "isSeen": false, "tags": a.tags,
		"snoozed": false, "count": a.count, "createdAt": stamp(a.created), "updatedAt": stamp(a.updated), "source": "drawbridge", "owner": "", "priority": a.priority,
		"responders": []any{}, "integration": integration,
	}
}

// written is what a body of a call may hold.
type written struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias"`
	Description string            `json:"description"`
	Responders  []responder       `json:"responders"`
	VisibleTo   []responder       `json:"visibleTo"`
	Actions     []string          `json:"actions"`
	Tags        []string          `json:"tags"`
	Details     map[string]string `json:"details"`
	Entity      string            `json:"entity"`
	Priority    string            `json:"priority"`
	User        string            `json:"user"`
	Source      string            `json:"source"`
	Note        string            `json:"note"`
}

type responder struct{ Type, ID, Name, Username string }

func read(body []byte) (written, error) {
	var w written
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return w, errors.New("request body is not processable")
	}
	runes := func(text string) int { return len([]rune(text)) }
	total := 0
	for k, v := range w.Details {
		total += runes(k) + runes(v)
	}
	switch {
	case runes(w.Message) > 130, runes(w.Alias) > 512, runes(w.Description) > 15000, runes(w.Note) > 25000, runes(w.Entity) > 512, len(w.Actions) > 10, len(w.Tags) > 20, total > 8000:
		return w, errors.New("a field is longer than it may be")
	case w.Priority != "" && !slices.Contains([]string{"P1", "P2", "P3", "P4", "P5"}, w.Priority):
		return w, errors.New("priority should be one of [ P1, P2, P3, P4, P5 ]")
	}
	for _, r := range append(w.Responders, w.VisibleTo...) {
		if r.Type == "team" && r.Name != "Access" {
			return w, errors.New("no such team")
		}
	}
	return w, nil
}

func (s *Server) create(r request) answer {
	w, err := read(r.body)
	if err != nil || strings.TrimSpace(w.Message) == "" {
		return refusal(http.StatusUnprocessableEntity, fmt.Sprint("Message can not be empty, or: ", err))
	}
	at := slices.IndexFunc(s.alerts, func(a *alert) bool { return w.Alias != "" && a.alias == w.Alias && a.status != "closed" && !a.gone })
	if at >= 0 {
		a := s.alerts[at]
		a.count++
		a.updated = s.o.Now().UTC()
		return s.accepted("Create", a, true, "Created alert")
	}
	a := s.open(w, false)
	s.say(a, "Alert created via api [drawbridge]", "System", "Create", "")
	return s.accepted("Create", a, true, "Created alert")
}

func (s *Server) open(w written, foreign bool) *alert {
	now := s.o.Now().UTC()
	a := &alert{
		id: s.id("8743a1b2"), alias: w.Alias, message: w.Message, description: w.Description, status: "open", entity: w.Entity, priority: w.Priority, foreign: foreign,
		tags: slices.Clone(w.Tags), actions: w.Actions, details: maps.Clone(w.Details), count: 1, created: now, updated: now,
	}
	if a.priority == "" {
		a.priority = "P3"
	}
	if a.details == nil {
		a.details = map[string]string{}
	}
	s.alerts = append(s.alerts, a)
	a.tiny = fmt.Sprint(len(s.alerts))
	return a
}

// say writes a line of the log, and tells of it.
func (s *Server) say(a *alert, text, owner, action, by string) {
	now := s.o.Now().UTC()
	s.last++
	a.updated = now
	a.log = append(a.log, map[string]any{
		"log": text, "type": "system", "owner": owner, "createdAt": stamp(now), "offset": fmt.Sprintf("%d_%d%06d", now.UnixMilli(), now.UnixMilli(), s.last),
	})
	s.notify(a, action, by)
}

func (s *Server) annotate(a *alert, text, owner, via string) {
	now := s.o.Now().UTC()
	s.last++
	a.notes = append(a.notes, map[string]any{"note": text, "owner": owner, "createdAt": stamp(now), "offset": fmt.Sprintf("%d_%d%06d", now.UnixMilli(), now.UnixMilli(), s.last)})
	s.say(a, "Note added via "+via+": "+text, owner, "AddNote", owner)
}

func (s *Server) change(r request, op string) answer {
	w, err := read(r.body)
	if err != nil {
		return refusal(http.StatusUnprocessableEntity, err.Error())
	}
	a := s.find(r)
	if a == nil {
		return s.accepted(op, nil, false, "Alert does not exist")
	}
	if fault := s.apply(a, op, w, w.User, "api"); fault != "" {
		return s.accepted(op, a, false, fault)
	}
	return s.accepted(op, a, true, op+" done")
}

// apply changes an alert, or says why not.
func (s *Server) apply(a *alert, op string, w written, owner, via string) (fault string) {
	switch {
	case a.status == "closed" && op != "notes" && op != "tags" && op != "details":
		return "Alert is already closed"
	case op == "notes":
		s.annotate(a, w.Note, owner, via)
		return ""
	case op == "acknowledge":
		a.acknowledged = true
		s.say(a, "Alert acknowledged via "+via, owner, "Acknowledge", owner)
	case op == "unacknowledge":
		a.acknowledged = false
		s.say(a, "Alert unacknowledged via "+via, owner, "UnAcknowledge", owner)
	case op == "close":
		a.status = "closed"
		s.say(a, "Alert closed via "+via, owner, "Close", owner)
	case op == "tags":
		a.tags = append(a.tags, w.Tags...)
		s.say(a, "Tags added via "+via, owner, "AddTags", owner)
	case op == "details":
		maps.Copy(a.details, w.Details)
		s.say(a, "Details added via "+via, owner, "UpdateDetails", owner)
	case op == "message":
		a.message = w.Message
		s.say(a, "Message updated via "+via, owner, "UpdateMessage", owner)
	case op == "description":
		a.description = w.Description
		s.say(a, "Description updated via "+via, owner, "UpdateDescription", owner)
	case op == "priority":
		a.priority = w.Priority
		s.say(a, "Priority updated via "+via, owner, "UpdatePriority", owner)
	}
	if w.Note != "" {
		s.annotate(a, w.Note, owner, via)
	}
	return ""
}

// notify queues a webhook. Some of its times are milliseconds, some nanoseconds.
func (s *Server) notify(a *alert, action, by string) {
	if s.o.Notices == "" {
		return
	}
	text, err := json.Marshal(map[string]any{
		"action": action, "source": map[string]any{"name": by, "type": "web"}, "integrationId": Integration, "integrationName": "Webhook",
		"alert": map[string]any{
			"alertId": a.id, "alias": a.alias, "tinyId": a.tiny, "message": a.message, "username": by, "tags": a.tags, "details": a.details,
			"createdAt": a.created.UnixMilli(), "updatedAt": a.updated.UnixNano(),
		},
	})
	if err != nil {
		return
	}
	address, header, secret := s.o.Notices, s.o.Header, s.o.Secret
	s.Hooks.Queue(func(ctx context.Context, _ int) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(header, secret)
		return req, nil
	})
}
