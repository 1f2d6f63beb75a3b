package datatheoremstandin

import (
	_ "embed"
	"encoding/json"
	"strings"
	"time"
)

// Example is the event that Data Theorem's documentation shows.
//
//go:embed example.json
var Example []byte

// Check is what the documented connectivity check posts.
var Check = []byte(`{"event": "Hello, world!"}`)

type envelope struct {
	Event inner  `json:"event"`
	Time  int64  `json:"time"`
	Host  string `json:"host"`
}

type inner struct {
	Type    string `json:"type"`
	Data    any    `json:"data"`
	Version int    `json:"version"`
}

type violationData struct {
	UUID           string    `json:"uuid"`
	Asset          assetData `json:"affected_asset"`
	Status         Status    `json:"policy_violation_status"`
	Created        string    `json:"date_created"`
	Relevance      string    `json:"relevance"`
	Description    string    `json:"description"`
	Recommendation string    `json:"recommendation"`
	Additional     *string   `json:"additional_information"`
	PortalURL      string    `json:"portal_url"`
	PolicyName     string    `json:"policy_name"`
	PolicyID       string    `json:"policy_uuid"`
	PolicyURL      string    `json:"policy_portal_url"`
	Rule           string    `json:"violated_policy_rule_uuid"`
	RuleType       string    `json:"violated_policy_rule_type_uuid"`
	Exception      *string   `json:"exception_explanation"`
	ExceptionAt    *string   `json:"exception_date_created"`
}

type assetData struct {
	UUID       string    `json:"uuid"`
	Name       string    `json:"name"`
	PortalURL  string    `json:"portal_url"`
	Created    string    `json:"date_created"`
	Via        string    `json:"discovered_via"`
	URL        string    `json:"url"`
	HostedOn   string    `json:"hosted_on"`
	Type       string    `json:"type"`
	Group      groupData `json:"belongs_to_asset_group"`
	ConsoleURL *string   `json:"cloud_console_url"`
}

type groupData struct {
	Name string `json:"name"`
	UUID string `json:"uuid"`
}

// stamp writes times as the documented example does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }

// escapedTwice writes prose as the documented example does: line breaks arrive as backslash and n.
func escapedTwice(prose string) string { return strings.ReplaceAll(prose, "\n", `\n`) }

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func (s *Server) body(kind string, data any) []byte {
	text, err := json.Marshal(envelope{Event: inner{Type: kind, Data: data, Version: 1}, Time: s.options.Now().Unix(), Host: "securetheorem.com"})
	if err != nil {
		panic("write event: " + err.Error()) // only texts, numbers and lists of these are written
	}
	return text
}

func (s *Server) asset(id, host string, found time.Time) assetData {
	return assetData{
		UUID: id, Name: host, PortalURL: s.options.PortalURL + "/api/network-services/" + id, Created: stamp(found),
		Via: "WEBSITE_CRAWLER", URL: "https://" + host, HostedOn: "UNKNOWN", Type: "NETWORK_SERVICE",
		Group: groupData{Name: "Shop", UUID: "8cc7e379-1c9a-47df-aad1-a129afba337a"},
	}
}

func (s *Server) violationBody(kind string, v *Violation) []byte {
	data := violationData{
		UUID: v.ID, Asset: s.asset(v.AssetID, v.Asset, v.Created), Status: v.Status, Created: stamp(v.Created),
		Relevance: v.Relevance, Description: escapedTwice(v.Description), Recommendation: escapedTwice(v.Advice),
		PortalURL: s.options.PortalURL + "/api/inspect/policy-violations/" + v.ID, PolicyName: v.Policy, PolicyID: "p-1",
		PolicyURL: s.options.PortalURL + "/api/policy/p-1", Rule: v.Rule, RuleType: v.RuleType, Exception: optional(v.Exception),
	}
	if !v.ExceptionAt.IsZero() {
		data.ExceptionAt = optional(stamp(v.ExceptionAt))
	}
	return s.body(kind, data)
}

func (s *Server) targetBody(kind string, t *Target) []byte {
	return s.body(kind, map[string]any{
		"id": t.ID, "security_finding_id": t.Finding, "mobile_app_id": t.App, "title": t.Title, "status": t.Status,
		"severity": "HIGH", "portal_url": s.options.PortalURL + "/findings/" + t.ID,
	})
}

// DiscoverService queues the webhook of a network service that was found.
func (s *Server) DiscoverService(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(s.body("API_SECURE__NETWORK_SERVICE_DISCOVERED", s.asset(s.options.NewID(), host, s.options.Now())))
}

// Login queues the webhook of a user who logs in to the portal, or fails to, as why says.
func (s *Server) Login(mail, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := map[string]any{"user_login_email": mail, "auth_strategy": "PASSWORD", "ip_address": "192.0.2.7"}
	kind := "MOBILE_SECURE__USER_LOGIN_SUCCESSFUL"
	if why != "" {
		kind, data["auth_failed_reason"] = "MOBILE_SECURE__USER_LOGIN_FAILED", why
	}
	s.tell(s.body(kind, data))
}

// CreateUser queues the webhook of a user who was made in the portal.
func (s *Server) CreateUser(mail, by string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(s.body("MOBILE_SECURE__USER_CREATED", map[string]any{
		"user_login_email": mail, "created_by": by, "role": "MANAGER", "can_manage_users": false,
	}))
}

// Protect queues a webhook of Mobile Protect or API Protect, about which nothing is documented.
func (s *Server) Protect(product, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(s.body(product+"_PROTECT__"+what, map[string]any{"uuid": s.options.NewID(), "name": "ACME app"}))
}

// TestConnectivity queues the documented connectivity check.
func (s *Server) TestConnectivity() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(Check)
}

// SendExample queues the documented example as it stands in the documentation.
func (s *Server) SendExample() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(Example)
}
