package zendeskstandin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *Server) bridge() Account {
	return Account{ID: Bridge, Name: "Drawbridge", Mail: "bridge@corp.example", Role: s.o.Role, Groups: []int64{42}}
}

func (s *Server) account(id int64) (Account, bool) {
	if id == Bridge {
		return s.bridge(), true
	}
	at := slices.IndexFunc(s.o.People, func(a Account) bool { return a.ID == id })
	if at < 0 {
		return Account{}, false
	}
	return s.o.People[at], true
}

// token answers a request for a token, which is JSON.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Grant   string `json:"grant_type"`
		ID      string `json:"client_id"`
		Secret  string `json:"client_secret"`
		Scope   string `json:"scope"`
		Expires int64  `json:"expires_in"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests["token"]++
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") || in.Grant != "client_credentials" ||
		in.Expires < 300 || in.Expires > 172800 || in.Scope == "":
		s.write(w, answer{status: http.StatusBadRequest, body: map[string]any{"error": "invalid_request", "error_description": "the request is invalid: " + in.Secret}})
	case in.ID != s.o.ClientID || in.Secret != s.o.ClientSecret:
		s.write(w, answer{status: http.StatusUnauthorized, body: map[string]any{"error": "invalid_client", "error_description": "no client has the secret " + in.Secret}})
	default:
		token := "token-of-" + strconv.FormatInt(s.id(), 10) + "-of-the-stand-in"
		s.tokens[token] = s.o.Now().Add(time.Duration(in.Expires) * time.Second)
		s.write(w, ok(map[string]any{"access_token": token, "token_type": "bearer", "scope": in.Scope, "expires_in": in.Expires}))
	}
}

// RevokeTokens makes every token useless at once.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

func (s *Server) signedIn(r request) bool {
	if user, password, ok := r.BasicAuth(); ok {
		return s.o.APIToken != "" && user == "bridge@corp.example/token" && password == s.o.APIToken
	}
	until, ok := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	return ok && s.o.Now().Before(until)
}

func (s *Server) userView(a Account) map[string]any {
	v := map[string]any{
		"id": a.ID, "name": a.Name, "email": a.Mail, "role": a.Role, "verified": !a.Unverified, "suspended": false, "ticket_restriction": nil,
	}
	if a.ID == Bridge {
		v["suspended"] = s.o.Suspended
		if s.o.Restriction != "" {
			v["ticket_restriction"] = s.o.Restriction
		}
	}
	return v
}

func (s *Server) showUsers(r request) answer {
	ids := strings.Split(r.URL.Query().Get("ids"), ",")
	if len(ids) > 100 {
		return refusal(http.StatusBadRequest, "TooManyIds", "at most 100 ids")
	}
	found := []map[string]any{}
	for _, text := range ids {
		id, _ := strconv.ParseInt(text, 10, 64)
		if a, ok := s.account(id); ok {
			found = append(found, s.userView(a))
		}
	}
	return ok(map[string]any{"users": found})
}

func (s *Server) listUsers(r request) answer {
	found := []map[string]any{s.userView(s.bridge())}
	for _, a := range s.o.People {
		if slices.Contains(r.URL.Query()["role[]"], a.Role) {
			found = append(found, s.userView(a))
		}
	}
	return s.page(r, "users", found)
}

func groups() []map[string]any {
	return []map[string]any{{"id": 42, "name": "Access"}, {"id": 43, "name": "Approvers"}}
}

func (s *Server) groupsOf(r request) answer {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	a, ok := s.account(id)
	if !ok {
		return notFound()
	}
	found := []map[string]any{}
	for _, g := range groups() {
		if slices.Contains(a.Groups, int64(g["id"].(int))) {
			found = append(found, g)
		}
	}
	return s.page(r, "groups", found)
}

func (s *Server) fields() []map[string]any {
	return []map[string]any{
		{"id": 1, "type": "subject", "title": "Subject", "active": true, "required": false},
		{"id": 360001, "type": "tagger", "title": "Approval", "active": true, "required": false, "custom_field_options": []any{
			map[string]any{"name": "Pending", "value": "pending"}, map[string]any{"name": "Approved", "value": "approved"}, map[string]any{"name": "Denied", "value": "denied"},
		}},
		{"id": 360002, "type": "text", "title": "Department", "active": true, "required": false},
		{"id": 360003, "type": "text", "title": "Resolution", "active": true, "required": s.o.RequiredOnSolve},
		{"id": 360004, "type": "multiselect", "title": "Systems", "active": true, "required": false, "custom_field_options": []any{
			map[string]any{"name": "Mail", "value": "mail"}, map[string]any{"name": "Payroll", "value": "payroll"},
		}},
		{"id": 360005, "type": "text", "title": "Old", "active": false, "required": false},
	}
}

type customStatus struct {
	ID              int64
	Category, Label string
	Default         bool
}

func customStatuses() []customStatus {
	return []customStatus{
		{1, "new", "New", true},
		{2, "open", "Open", true},
		{3, "pending", "Pending", true},
		{4, "hold", "On-hold", true},
		{5, "solved", "Solved", true},
		{1001, "solved", "Approved", false},
		{1002, "solved", "Declined", false},
		{1003, "open", "In review", false},
	}
}

func (s *Server) listStatuses(request) answer {
	if s.o.NoCustomStatuses {
		return notFound()
	}
	found := []map[string]any{}
	for _, c := range customStatuses() {
		found = append(found, map[string]any{
			"id": c.ID, "status_category": c.Category, "agent_label": c.Label, "end_user_label": c.Label, "active": true, "default": c.Default,
		})
	}
	return ok(map[string]any{"custom_statuses": found})
}
