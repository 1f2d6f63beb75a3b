package aponostandin

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxBody = 1 << 20
	// maxReason is the first length of a reason that is too long.
	maxReason = 124
)

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, text string) {
	reply(w, status, map[string]string{"message": text})
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// api lets calls through that carry the token and are not meant to fail. The body of a 401 is the documented one.
func (s *Server) api(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !same(token, s.options.Token) {
			reply(w, http.StatusUnauthorized, map[string]string{"status": "401", "code": "Unauthorized"})
			return
		}
		if s.fault(w, r) {
			return
		}
		if s.options.ReadOnly && (r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/api/client/")) {
			refuse(w, http.StatusForbidden, "the token lacks a permission")
			return
		}
		next(w, r)
	})
}

// view is a request in the public API.
func view(r *Request) map[string]any {
	resources, permissions := []string{}, []string{}
	for _, x := range r.Resources {
		resources, permissions = append(resources, x.Name), append(permissions, x.Permission)
	}
	return map[string]any{
		"request_id": r.ID, "friendly_request_id": r.FriendlyID, "user_id": r.Requester.ID, "status": r.State,
		"integration_id": r.Integration, "resource_ids": resources, "permissions": permissions, "justification": r.Justification,
	}
}

func (s *Server) listRequests(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []any{}
	for _, x := range s.requests {
		if user := r.URL.Query().Get("user_id"); user == "" || user == x.Requester.ID {
			list = append(list, view(x))
		}
	}
	reply(w, http.StatusOK, map[string]any{
		"data": list, "pagination": map[string]int{"total": len(list), "limit": 100, "offset": 0},
	})
}

func (s *Server) readRequest(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(r.PathValue("id"))
	if found == nil {
		refuse(w, http.StatusNotFound, "there is no such request")
		return
	}
	for i := range s.decisions {
		s.decisions[i].ReadBack = s.decisions[i].ReadBack || s.decisions[i].RequestID == found.ID
	}
	reply(w, http.StatusOK, view(found))
}

// clientStates are the words of the client API.
var clientStates = map[State]string{
	Pending: "Pending", Approved: "Granting", Rejected: "Rejected", Granted: "Active", Revoking: "Revoking", Expired: "Revoked", Failed: "Failed",
}

func task(r *Request) map[string]any {
	approvers := []any{}
	for _, a := range r.Approvals {
		approvers = append(approvers, map[string]any{"id": a.Approver.ID, "name": a.Approver.Name, "status": a.Status})
	}
	return map[string]any{
		"id": r.ID, "friendly_id": r.FriendlyID, "status": map[string]string{"status": clientStates[r.State]},
		"challenge":               map[string]any{"logical_relation": r.Relation, "approvers": approvers},
		"require_approver_reason": r.NeedsReason, "justification": r.Justification,
	}
}

// listTasks lists what waits for the token's user.
func (s *Server) listTasks(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []any{}
	for _, r := range s.requests {
		waits := slices.ContainsFunc(r.Approvals, func(a Approval) bool {
			return a.Approver.ID == s.options.User.ID && a.Status == "Pending"
		})
		if r.State == Pending && waits {
			list = append(list, task(r))
		}
	}
	reply(w, http.StatusOK, map[string]any{"data": list, "pagination": map[string]int{"total": len(list), "limit": 100, "offset": 0}})
}

func (s *Server) readTask(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(r.PathValue("id"))
	if found == nil {
		refuse(w, http.StatusNotFound, "there is no such request")
		return
	}
	reply(w, http.StatusOK, task(found))
}

// decide approves or rejects as the token's user. The body is optional, and so is its reason where the flow wants none.
func (s *Server) decide(action string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var body struct{ Justification *string }
		if err != nil || len(text) > 0 && json.Unmarshal(text, &body) != nil {
			refuse(w, http.StatusBadRequest, "the body is no JSON object")
			return
		}
		d := Decision{RequestID: r.PathValue("id"), Action: action}
		if body.Justification != nil {
			d.Justification = *body.Justification
		}
		s.record(w, d, func() (int, string) { return s.apply(d) })
	}
}

// record does something to a request, keeps it and answers.
func (s *Server) record(w http.ResponseWriter, d Decision, do func() (status int, text string)) {
	s.mu.Lock()
	status, text := do()
	d.Answered = status
	s.decisions = append(s.decisions, d)
	s.mu.Unlock()
	if s.cut(w) {
		return
	}
	refuse(w, status, text) // a success has the same form
}

// apply answers a request as the token's user; s.mu is held.
func (s *Server) apply(d Decision) (int, string) {
	r := s.find(d.RequestID)
	switch {
	case r == nil:
		return http.StatusNotFound, "there is no such request"
	case r.NeedsReason && d.Justification == "":
		return http.StatusBadRequest, "this access flow wants a reason"
	case utf8.RuneCountInString(d.Justification) >= maxReason:
		return http.StatusBadRequest, "the reason is too long"
	}
	status := map[string]string{"approve": "Approved", "reject": "Rejected"}[d.Action]
	err := s.answer(r, func(p Person) bool { return p.ID == s.options.User.ID }, status)
	switch {
	case err == nil:
		return http.StatusOK, "request was answered"
	case errors.Is(err, ErrNotApprover):
		return http.StatusForbidden, err.Error()
	default:
		return http.StatusConflict, err.Error()
	}
}

func (s *Server) revokeRequests(w http.ResponseWriter, r *http.Request) {
	var body struct {
		IDs []string `json:"request_ids"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body); err != nil || len(body.IDs) == 0 {
		refuse(w, http.StatusBadRequest, "request_ids is missing")
		return
	}
	if len(body.IDs) > 1 {
		refuse(w, http.StatusBadRequest, "the stand-in revokes one request at a time")
		return
	}
	s.record(w, Decision{RequestID: body.IDs[0], Action: "revoke"}, func() (int, string) { return s.revoke(body.IDs[0]) })
}

func (s *Server) revokeTask(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s.record(w, Decision{RequestID: id, Action: "revoke"}, func() (int, string) { return s.revoke(id) })
}

// revoke takes access back; Expire ends it for good. s.mu is held.
func (s *Server) revoke(id string) (int, string) {
	r := s.find(id)
	switch {
	case r == nil:
		return http.StatusNotFound, "there is no such request"
	case r.State != Granted:
		return http.StatusConflict, "the request is " + string(r.State)
	}
	r.State = Revoking
	return http.StatusOK, "access is being revoked"
}
