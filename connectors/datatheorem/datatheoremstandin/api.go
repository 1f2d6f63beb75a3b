package datatheoremstandin

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
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

// api lets calls through that carry the key and are not meant to fail. The scheme is APIKey, not Bearer.
func (s *Server) api(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "APIKey ")
		if !ok || !same(key, s.options.APIKey) {
			refuse(w, http.StatusUnauthorized, "the API key is missing or wrong")
			return
		}
		if s.fault(w) {
			return
		}
		if s.options.WithoutRight || s.options.WithoutMobile && strings.HasPrefix(r.URL.Path, "/apis/mobile_security/") {
			refuse(w, http.StatusForbidden, "the API key may not read results")
			return
		}
		next(w, r)
	})
}

type paging struct {
	Next *string `json:"next_cursor"`
}

// cut returns the page of a list at the cursor, which is a position here and means nothing to a caller.
func cut[T any](s *Server, list []T, r *http.Request) ([]T, paging, bool) {
	start := 0
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(cursor, "c+/="))
		if err != nil || !strings.HasPrefix(cursor, "c+/=") || n < 0 || n > len(list) {
			return nil, paging{}, false
		}
		start = n
	}
	end := min(start+s.options.PageSize, len(list))
	if end == len(list) {
		return list[start:end], paging{}, true
	}
	next := "c+/=" + strconv.Itoa(end)
	return list[start:end], paging{&next}, true
}

// listViolations lists violations that are not resolved, with what they refer to beside them.
func (s *Server) listViolations(w http.ResponseWriter, r *http.Request) {
	var open []Violation
	for _, v := range s.Violations() {
		if v.Status != Resolved {
			open = append(open, v)
		}
	}
	page, next, ok := cut(s, open, r)
	if !ok {
		refuse(w, http.StatusBadRequest, "the cursor is not valid")
		return
	}
	violations, rules, kinds, services := []any{}, []any{}, []any{}, []any{}
	for _, v := range page {
		var exception any
		if v.Status == WontFix {
			exception = "WONT_FIX"
		}
		violations = append(violations, map[string]any{
			"id": v.ID, "exception_type": exception, "affected_network_service_id": v.AssetID, "affected_cloud_resource_id": nil,
			"affected_api_operation_id": nil, "affected_web_application_id": nil, "violated_policy_rule_id": v.Rule, "date_created": stamp(v.Created),
		})
		rules = append(rules, map[string]any{"id": v.Rule, "policy_rule_type_id": v.RuleType, "relevance": v.Relevance})
		kinds = append(kinds, map[string]any{"id": v.RuleType, "title": "Certificate ends soon", "description": v.Description, "recommendation": v.Advice})
		services = append(services, map[string]any{"id": v.AssetID, "url": "https://" + v.Asset})
	}
	reply(w, http.StatusOK, map[string]any{
		"policy_violations": violations, "policy_rules": rules, "policy_rule_types": kinds, "network_services": services,
		"cloud_resources": []any{}, "web_applications": []any{}, "restful_apis": []any{}, "api_operations": []any{},
		"pagination_information": next,
	})
}

type targetView struct {
	ID      string `json:"id"`
	App     string `json:"mobile_app_id"`
	Finding string `json:"security_finding_id"`
	Status  string `json:"current_status"`
	Portal  string `json:"portal_url"`
}

func (s *Server) view(t *Target) targetView {
	return targetView{t.ID, t.App, t.Finding, t.Status, s.options.PortalURL + "/findings/" + t.ID}
}

func (s *Server) listTargets(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	views := []targetView{}
	for _, t := range s.targets {
		views = append(views, s.view(t))
	}
	s.mu.Unlock()
	page, next, ok := cut(s, views, r)
	if !ok {
		refuse(w, http.StatusBadRequest, "the cursor is not valid")
		return
	}
	reply(w, http.StatusOK, map[string]any{"security_finding_targets": page, "pagination_information": next})
}

func (s *Server) oneTarget(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	i := slices.IndexFunc(s.targets, func(t *Target) bool { return t.ID == r.PathValue("id") })
	var view targetView
	if i >= 0 {
		view = s.view(s.targets[i])
	}
	s.mu.Unlock()
	if i < 0 {
		refuse(w, http.StatusNotFound, "there is no such finding target")
		return
	}
	reply(w, http.StatusOK, view)
}

// updateTarget gives a finding target another status. What the call takes is not documented: a status, and a comment.
func (s *Server) updateTarget(w http.ResponseWriter, r *http.Request) {
	var body struct{ Status, Comment string }
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil || !slices.Contains(targetStatuses, body.Status) {
		refuse(w, http.StatusBadRequest, "status is none of those a finding target can have")
		return
	}
	s.mu.Lock()
	i := slices.IndexFunc(s.targets, func(t *Target) bool { return t.ID == r.PathValue("id") })
	var view targetView
	if i >= 0 {
		s.targets[i].Status = body.Status
		s.updates = append(s.updates, Update{Target: s.targets[i].ID, Status: body.Status, Comment: body.Comment})
		view = s.view(s.targets[i])
	}
	s.mu.Unlock()
	if i < 0 {
		refuse(w, http.StatusNotFound, "there is no such finding target")
		return
	}
	reply(w, http.StatusOK, view)
}

var targetStatuses = []string{"OPEN", "OPEN_READY_TO_RESCAN", "CLOSED_RISK_ACCEPTED", "CLOSED_COMPENSATING_CONTROL"}
