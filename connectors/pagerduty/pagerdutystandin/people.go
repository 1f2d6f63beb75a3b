package pagerdutystandin

import (
	"net/http"
	"slices"
	"strings"
)

func (s *Server) user(id string) *User {
	at := slices.IndexFunc(s.o.Users, func(u User) bool { return u.ID == id })
	if at < 0 {
		return nil
	}
	return &s.o.Users[at]
}

func userView(u User) map[string]any {
	teams := []map[string]any{}
	for _, name := range u.Teams {
		teams = append(teams, thing("T"+strings.ToUpper(name[:4]), "team_reference", name))
	}
	v := thing(u.ID, "user", u.Name)
	v["name"], v["email"], v["role"], v["teams"], v["time_zone"] = u.Name, u.Mail, u.Role, teams, "America/Lima"
	return v
}

// thing is what every object and reference has.
func thing(id, kind, summary string) map[string]any {
	return map[string]any{"id": id, "type": kind, "summary": summary, "self": "https://api.pagerduty.com/x/" + id, "html_url": "https://acme.pagerduty.com/x/" + id}
}

func (s *Server) showMe(request) answer {
	if s.o.Owner == "" {
		return refusal(http.StatusBadRequest, 2001, "The currently authenticated user cannot be determined from an account-level token")
	}
	return ok(map[string]any{"user": userView(*s.user(s.o.Owner))})
}

func (s *Server) showUser(r request) answer {
	u := s.user(r.PathValue("id"))
	if u == nil {
		return notFound()
	}
	return ok(map[string]any{"user": userView(*u)})
}

func (s *Server) listUsers(r request) answer {
	found := []map[string]any{}
	query := strings.ToLower(r.URL.Query().Get("query"))
	for _, u := range s.o.Users {
		if strings.Contains(strings.ToLower(u.Name+" "+u.Mail), query) {
			found = append(found, userView(u))
		}
	}
	return page(r, "users", found)
}

func services() []map[string]any {
	var out []map[string]any
	for _, one := range [][2]string{{Service, "Access requests"}, {Other, "Web shop"}} {
		v := thing(one[0], "service", one[1])
		v["name"], v["status"], v["created_at"] = one[1], "active", "2025-01-02T03:04:05Z"
		v["escalation_policy"] = policy()
		out = append(out, v)
	}
	return out
}

func policy() map[string]any { return thing("PPOLICY", "escalation_policy_reference", "Default") }

func priorities() []map[string]any {
	var out []map[string]any
	for _, one := range [][2]string{{"PPRIO1", "P1"}, {"PPRIO2", "P2"}} {
		v := thing(one[0], "priority", one[1])
		v["name"], v["description"] = one[1], "as urgent as "+one[1]
		out = append(out, v)
	}
	return out
}

// fields are the custom fields of incidents.
func (s *Server) fields() []map[string]any {
	field := func(id, name, display, data, shape string, options ...any) map[string]any {
		v := map[string]any{
			"id": id, "type": "field", "summary": display, "self": "https://api.pagerduty.com/incidents/custom_fields/" + id, "name": name, "display_name": display,
			"data_type": data, "field_type": shape, "description": "", "default_value": nil, "created_at": "2025-01-02T03:04:05Z", "updated_at": "2025-01-02T03:04:05Z", "namespace": "incidents",
		}
		all := []map[string]any{}
		for i, o := range options {
			all = append(all, map[string]any{
				"id": id + string(rune('A'+i)), "type": "field_option", "data": map[string]any{"data_type": data, "value": o},
				"created_at": "2025-01-02T03:04:05Z", "updated_at": "2025-01-02T03:04:05Z",
			})
		}
		if len(all) > 0 {
			v["field_options"] = all
		}
		return v
	}
	return []map[string]any{
		field("PFIELD1", "approval", "Approval", "string", "single_value_fixed", "Approved", "Declined"),
		field("PFIELD2", "department", "Department", "string", "single_value"),
		field("PFIELD3", "seats", "Seats", "integer", "single_value"),
		field("PFIELD4", "systems", "Systems", "string", "multi_value_fixed", "mail", "payroll"),
		field("PFIELD5", "reviewed", "Reviewed", "boolean", "single_value"),
	}
}
