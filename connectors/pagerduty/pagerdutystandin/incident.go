package pagerdutystandin

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// incident is one incident.
type incident struct {
	id       string
	number   int
	title    string
	details  string
	status   string
	key      string
	urgency  string
	service  string
	priority map[string]any
	kind     string
	merged   string // the incident it was merged into
	created  time.Time
	updated  time.Time
	values   map[string]any
	notes    []*note
	gone     bool
}

// entry is one entry of the log.
type entry struct {
	id       string
	kind     string
	at       time.Time
	agent    map[string]any
	channel  map[string]any
	note     string
	incident *incident
}

type note struct {
	id               string
	user             map[string]any
	content          string
	created, updated time.Time
}

// way is who does something, and through which channel.
type way struct {
	agent   map[string]any
	channel string
}

func (s *Server) as(who, channel string) (way, error) {
	u := s.user(who)
	if u == nil {
		return way{}, fmt.Errorf("there is no user %s", who)
	}
	return way{thing(u.ID, "user_reference", u.Name), channel}, nil
}

// service is what PagerDuty itself or an integration does.
func service(channel string) way {
	return way{thing(Service, "service_reference", "Access requests"), channel}
}

func (s *Server) find(id string) *incident {
	for _, i := range s.incidents {
		if !i.gone && (i.id == id || fmt.Sprint(i.number) == strings.TrimPrefix(id, "#")) {
			return i
		}
	}
	return nil
}

// add writes an entry, and tells of it.
func (s *Server) add(i *incident, kind string, by way, event string) *entry {
	e := &entry{id: s.id("R"), kind: kind, at: s.o.Now().UTC().Truncate(time.Second), agent: by.agent, channel: map[string]any{"type": by.channel}, incident: i}
	i.updated = e.at
	s.log = append(s.log, e)
	if event != "" {
		s.notify(i, event, by, nil)
	}
	return e
}

// open makes an incident.
func (s *Server) open(title, key, on string, by way) *incident {
	now := s.o.Now().UTC()
	i := &incident{
		id: s.id("Q"), number: len(s.incidents) + 1, title: title, status: "triggered", key: key, urgency: "high", service: on, kind: "incident_default",
		created: now.Truncate(time.Second), values: map[string]any{},
	}
	s.incidents = append(s.incidents, i)
	s.add(i, "trigger", by, "incident.triggered")
	return i
}

// move brings an incident to a status.
func (s *Server) move(i *incident, to, resolution string, by way) {
	if i.status == to && to != "acknowledged" {
		return
	}
	was := i.status
	i.status = to
	switch to {
	case "acknowledged":
		s.add(i, "acknowledge", by, "incident.acknowledged")
	case "resolved":
		s.add(i, "resolve", by, "incident.resolved").note = resolution
	default:
		kind, event := "unacknowledge", "incident.unacknowledged"
		if was == "resolved" {
			kind, event = s.o.Reopens, "incident.reopened"
		}
		if kind == "none" {
			i.updated = s.o.Now().UTC().Truncate(time.Second)
			s.notify(i, event, by, nil)
			return
		}
		s.add(i, kind, by, event)
	}
}

// set gives a custom field a value.
func (s *Server) set(i *incident, name string, value any, by way) {
	before := i.values[name]
	if fmt.Sprint(before) == fmt.Sprint(value) {
		return
	}
	i.values[name] = value
	if s.o.Silent {
		i.updated = s.o.Now().UTC().Truncate(time.Second)
		s.notify(i, "incident.custom_field_values.updated", by, nil)
		return
	}
	e := s.add(i, "custom_field_value_change", by, "incident.custom_field_values.updated")
	e.channel["changeset"] = map[string]any{"customer_fields": []map[string]any{{"id": s.fieldID(name), "name": name, "namespace": "incidents", "value": value, "old_value": before}}}
}

func (s *Server) fieldID(name string) string {
	for _, f := range s.fields() {
		if f["name"] == name {
			return f["id"].(string)
		}
	}
	return ""
}

// rename changes the title.
func (s *Server) rename(i *incident, title string, by way) {
	if i.title == title {
		return
	}
	e := s.add(i, "field_value_change", by, "")
	e.channel["changeset"] = map[string]any{"application_fields": []map[string]any{{"id": "title", "name": "title", "namespace": "incidents", "value": title, "old_value": i.title}}}
	i.title = title
}

func (s *Server) annotate(i *incident, content string, by way) *note {
	now := s.o.Now().UTC()
	n := &note{id: s.id("N"), user: by.agent, content: content, created: now, updated: now}
	if n.user["type"] != "user_reference" {
		n.user = thing(Service, "bot_user_reference", "A rule")
	}
	i.notes = append(i.notes, n)
	s.add(i, "annotate", by, "").note = content
	s.notify(i, "incident.annotated", by, n)
	return n
}

func (s *Server) view(i *incident, r request) map[string]any {
	v := thing(i.id, "incident", fmt.Sprintf("[#%d] %s", i.number, i.title))
	v["html_url"] = "https://acme.pagerduty.com/incidents/" + i.id
	v["incident_number"], v["title"], v["status"], v["incident_key"], v["urgency"] = i.number, i.title, i.status, i.key, i.urgency
	v["created_at"], v["updated_at"] = i.created.Format(time.RFC3339), i.updated.Format(time.RFC3339)
	v["service"], v["escalation_policy"] = thing(i.service, "service_reference", "a service"), policy()
	v["incident_type"] = map[string]any{"name": i.kind}
	v["priority"], v["resolve_reason"], v["assignments"] = nil, nil, []any{}
	if i.priority != nil {
		v["priority"] = i.priority
	}
	if i.merged != "" {
		v["resolve_reason"] = map[string]any{"type": "merge_resolve_reason", "incident": thing(i.merged, "incident_reference", "the other")}
	}
	first := s.first(i)
	v["first_trigger_log_entry"] = thing(first.id, "trigger_log_entry_reference", "Triggered")
	if has(r, "first_trigger_log_entries") {
		v["first_trigger_log_entry"] = s.entryView(first, request{Request: r.Request})
	}
	return v
}

func (s *Server) first(i *incident) *entry {
	return s.log[slices.IndexFunc(s.log, func(e *entry) bool { return e.incident == i })]
}

func (s *Server) entryView(e *entry, r request) map[string]any {
	v := thing(e.id, e.kind+"_log_entry", e.kind)
	v["created_at"], v["agent"], v["teams"], v["contexts"] = e.at.Format(time.RFC3339), e.agent, []any{}, []any{}
	v["channel"] = map[string]any{"type": e.channel["type"]}
	if has(r, "channels") {
		v["channel"] = e.channel
	}
	v["incident"] = thing(e.incident.id, "incident_reference", e.incident.title)
	if has(r, "incidents") {
		v["incident"] = s.view(e.incident, request{Request: r.Request})
	}
	if e.note != "" {
		v["note"] = e.note
	}
	return v
}
