package pagerdutystandin

import (
	"net/url"
	"slices"
	"time"
)

func (s *Server) showIncident(r request) answer {
	if i := s.find(r.PathValue("id")); i != nil {
		return ok(map[string]any{"incident": s.view(i, r)})
	}
	return notFound()
}

// listIncidents lists incidents; by incident key newer ones late.
func (s *Server) listIncidents(r request) answer {
	query, found := r.URL.Query(), []map[string]any{}
	key, byKey := query.Get("incident_key"), query.Has("incident_key")
	for _, i := range s.incidents {
		switch {
		case i.gone, byKey && key != "" && i.key != key:
		case byKey && s.o.Now().Sub(i.created) < s.o.Lag:
		case query.Get("date_range") != "all" && s.o.Now().Sub(i.created) > 30*24*time.Hour:
		default:
			found = append(found, s.view(i, r))
		}
	}
	return page(r, "incidents", found)
}

func (s *Server) listLog(r request) answer {
	i := s.find(r.PathValue("id"))
	if i == nil {
		return notFound()
	}
	return s.entries(r, func(e *entry) bool { return e.incident == i })
}

func (s *Server) listEntries(r request) answer {
	return s.entries(r, func(e *entry) bool { return !e.incident.gone })
}

// entries lists the log, the latest first.
func (s *Server) entries(r request, wanted func(*entry) bool) answer {
	since, err := moment(r.URL.Query(), "since")
	if err != nil {
		return invalid("since is no time")
	}
	until, err := moment(r.URL.Query(), "until")
	if err != nil {
		return invalid("until is no time")
	}
	var found []*entry
	for _, e := range slices.Backward(s.log) {
		if wanted(e) && !e.at.Before(since) && (until.IsZero() || !e.at.After(until)) {
			found = append(found, e)
		}
	}
	return pageOf(r, "log_entries", found, func(e *entry) map[string]any { return s.entryView(e, r) })
}

func moment(query url.Values, name string) (time.Time, error) {
	if query.Get(name) == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, query.Get(name))
}

func (s *Server) listNotes(r request) answer {
	i := s.find(r.PathValue("id"))
	if i == nil {
		return notFound()
	}
	found := []map[string]any{}
	for _, n := range i.notes {
		found = append(found, noteView(n))
	}
	return ok(map[string]any{"notes": found})
}

func noteView(n *note) map[string]any {
	lima := time.FixedZone("", -5*3600)
	return map[string]any{
		"id": n.id, "user": n.user, "channel": map[string]any{"summary": "The PagerDuty website or APIs"}, "content": n.content,
		"created_at": n.created.In(lima).Format(time.RFC3339), "updated_at": n.updated.In(lima).Format(time.RFC3339),
	}
}

func (s *Server) listValues(r request) answer {
	i := s.find(r.PathValue("id"))
	if i == nil {
		return notFound()
	}
	return ok(map[string]any{"custom_fields": s.values(i)})
}

func (s *Server) values(i *incident) []map[string]any {
	found := []map[string]any{}
	for _, f := range s.fields() {
		found = append(found, map[string]any{
			"id": f["id"], "type": "field_value", "name": f["name"], "display_name": f["display_name"], "description": f["description"],
			"data_type": f["data_type"], "field_type": f["field_type"], "value": i.values[f["name"].(string)],
		})
	}
	return found
}
