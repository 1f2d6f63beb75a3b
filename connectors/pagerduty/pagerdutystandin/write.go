package pagerdutystandin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// link is a reference in a body.
type link struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// written is an incident in the body of a create or an update.
type written struct {
	Type        string `json:"type"`
	Title       string `json:"title"`
	Service     *link  `json:"service"`
	Priority    *link  `json:"priority"`
	Urgency     string `json:"urgency"`
	Key         string `json:"incident_key"`
	Status      string `json:"status"`
	Resolution  string `json:"resolution"`
	Policy      *link  `json:"escalation_policy"`
	Assignments []struct {
		Assignee link `json:"assignee"`
	} `json:"assignments"`
	Kind *struct {
		Name string `json:"name"`
	} `json:"incident_type"`
	Body *struct {
		Type    string `json:"type"`
		Details string `json:"details"`
	} `json:"body"`
}

// strict reads a body and refuses what has no place in it.
func strict(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// check tells what is wrong with an incident as written.
func (s *Server) check(w written) []string {
	var faults []string
	fault := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, text)
		}
	}
	fault(w.Urgency != "" && w.Urgency != "high" && w.Urgency != "low", "Urgency is invalid")
	fault(w.Policy != nil && (w.Policy.ID != "PPOLICY" || w.Policy.Type != "escalation_policy_reference"), "Escalation policy not found")
	fault(w.Policy != nil && len(w.Assignments) > 0, "Escalation policy and assignments exclude each other")
	fault(len([]rune(w.Title)) > 1024, "Title is too long")
	for _, a := range w.Assignments {
		fault(s.user(a.Assignee.ID) == nil || a.Assignee.Type != "user_reference", "Assignee not found")
	}
	fault(w.Priority != nil && (w.Priority.Type != "priority_reference" || priority(w.Priority.ID) == nil), "Priority not found")
	return faults
}

func priority(id string) map[string]any {
	for _, p := range priorities() {
		if p["id"] == id {
			return p
		}
	}
	return nil
}

func (s *Server) create(r request) answer {
	var in struct {
		Incident written `json:"incident"`
	}
	if err := strict(r.body, &in); err != nil {
		return invalid(err.Error())
	}
	w := in.Incident
	faults := s.check(w)
	if w.Type != "incident" || strings.TrimSpace(w.Title) == "" {
		faults = append(faults, "Title cannot be empty")
	}
	if w.Status != "" || w.Resolution != "" {
		faults = append(faults, "Status is not accepted")
	}
	if w.Service == nil || w.Service.Type != "service_reference" || w.Service.ID != Service && w.Service.ID != Other {
		faults = append(faults, "Service not found")
	}
	if w.Body != nil && w.Body.Type != "incident_body" {
		faults = append(faults, "Body is invalid")
	}
	if len(faults) > 0 {
		return invalid(faults...)
	}
	if w.Key != "" && slices.ContainsFunc(s.incidents, func(i *incident) bool {
		return i.key == w.Key && i.service == w.Service.ID && i.status != "resolved" && !i.gone
	}) {
		return refusal(http.StatusBadRequest, 2001, "Arguments Caused Error", "Open incident with matching dedup key already exists on this service")
	}
	i := s.open(w.Title, w.Key, w.Service.ID, way{thing(r.from.ID, "user_reference", r.from.Name), "api"})
	if i.key == "" {
		i.key = fmt.Sprintf("%032d", i.number)
	}
	s.apply(i, w)
	if w.Body != nil {
		i.details = w.Body.Details
	}
	return answer{status: http.StatusCreated, body: map[string]any{"incident": s.view(i, r)}}
}

// apply gives an incident what is neither its title nor its status.
func (s *Server) apply(i *incident, w written) {
	if w.Urgency != "" {
		i.urgency = w.Urgency
	}
	if w.Priority != nil {
		i.priority = priority(w.Priority.ID)
	}
	if w.Kind != nil {
		i.kind = w.Kind.Name
	}
}

func (s *Server) update(r request) answer {
	var in struct {
		Incident written `json:"incident"`
	}
	if err := strict(r.body, &in); err != nil {
		return invalid(err.Error())
	}
	i := s.find(r.PathValue("id"))
	if i == nil {
		return notFound()
	}
	w := in.Incident
	faults := s.check(w)
	if w.Type != "incident" && w.Type != "incident_reference" || w.Key != "" || w.Body != nil {
		faults = append(faults, "Type is invalid, or a field cannot be changed")
	}
	if w.Status != "" && !slices.Contains([]string{"triggered", "acknowledged", "resolved"}, w.Status) {
		faults = append(faults, "Status is invalid")
	}
	if w.Resolution != "" && w.Status != "resolved" {
		faults = append(faults, "Resolution is for resolved incidents")
	}
	if len(faults) > 0 {
		return invalid(faults...)
	}
	by := way{thing(r.from.ID, "user_reference", r.from.Name), "api"}
	s.apply(i, w)
	if w.Title != "" {
		s.rename(i, w.Title, by)
	}
	if w.Status != "" {
		s.move(i, w.Status, w.Resolution, by)
	}
	i.updated = s.o.Now().UTC()
	return ok(map[string]any{"incident": s.view(i, r)})
}

func (s *Server) addNote(r request) answer {
	var in struct {
		Note struct {
			Content string `json:"content"`
		} `json:"note"`
	}
	if err := strict(r.body, &in); err != nil || strings.TrimSpace(in.Note.Content) == "" {
		return invalid("Content cannot be empty")
	}
	i := s.find(r.PathValue("id"))
	if i == nil {
		return notFound()
	}
	if len(i.notes) >= 2000 {
		return invalid("An incident has 2000 notes at most")
	}
	n := s.annotate(i, in.Note.Content, way{thing(r.from.ID, "user_reference", r.from.Name), "api"})
	return ok(map[string]any{"note": noteView(n)})
}

func (s *Server) setValues(r request) answer {
	var in struct {
		Fields []struct {
			ID, Name string
			Value    any
		} `json:"custom_fields"`
	}
	if err := strict(r.body, &in); err != nil {
		return invalid(err.Error())
	}
	i := s.find(r.PathValue("id"))
	if i == nil {
		return notFound()
	}
	by := way{thing(r.from.ID, "user_reference", r.from.Name), "api"}
	for _, given := range in.Fields {
		fields := s.fields()
		at := slices.IndexFunc(fields, func(f map[string]any) bool { return f["name"] == given.Name || f["id"] == given.ID })
		if at < 0 || !fits(fields[at], given.Value) {
			return invalid("Field " + given.Name + " is unknown or takes another value")
		}
		s.set(i, fields[at]["name"].(string), given.Value, by)
	}
	return answer{status: http.StatusCreated, body: map[string]any{"custom_fields": s.values(i)}}
}

// fits tells whether a field takes a value.
func fits(f map[string]any, v any) bool {
	if v == nil {
		return true
	}
	if list, several := v.([]any); several {
		return f["field_type"] == "multi_value_fixed" && !slices.ContainsFunc(list, func(one any) bool { return !option(f, one) })
	}
	switch f["data_type"] {
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "integer":
		n, ok := v.(float64)
		return ok && n == float64(int64(n))
	default:
		text, ok := v.(string)
		return ok && f["field_type"] != "multi_value_fixed" && len([]rune(text)) <= 200 && (f["field_type"] != "single_value_fixed" || option(f, v))
	}
}

func option(f map[string]any, v any) bool {
	options, _ := f["field_options"].([]map[string]any)
	return slices.ContainsFunc(options, func(o map[string]any) bool { return o["data"].(map[string]any)["value"] == v })
}
