package pagerdutystandin

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Sign signs a body as PagerDuty does, once with each secret.
func Sign(body []byte, secrets ...string) string {
	var all []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		all = append(all, "v1="+hex.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, ",")
}

// SendTo sets where webhooks go from now on and what they are signed with.
func (s *Server) SendTo(address string, secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.Notices, s.o.Secrets = address, secrets
}

// Greet sends the event that tests a subscription.
func (s *Server) Greet() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send("pagey.ping", "pagey", nil, map[string]any{"message": "Hello from your friend Pagey!", "type": "ping"})
}

// notify queues the webhook of one event.
func (s *Server) notify(i *incident, kind string, by way, n *note) {
	about := thing(i.id, "incident_reference", i.title)
	about["html_url"] = "https://acme.pagerduty.com/incidents/" + i.id
	data := map[string]any{
		"id": i.id, "type": "incident", "self": about["self"], "html_url": about["html_url"], "number": i.number, "status": i.status, "incident_key": i.key,
		"created_at": i.created.Format(time.RFC3339), "title": i.title, "urgency": i.urgency, "resolve_reason": nil,
		"service": thing(i.service, "service_reference", "a service"), "assignees": []any{}, "teams": []any{},
	}
	switch {
	case n != nil:
		data = map[string]any{"id": n.id, "type": "incident_note", "incident": about, "content": n.content, "trimmed": false}
	case kind == "incident.custom_field_values.updated":
		data = map[string]any{"type": "incident_field_values", "incident": about, "custom_fields": s.values(i)}
	}
	var agent any
	if by.agent["type"] == "user_reference" {
		agent = by.agent
	}
	s.send(kind, "incident", agent, data)
}

func (s *Server) send(kind, resource string, agent any, data map[string]any) {
	if s.o.Notices == "" {
		return
	}
	text, err := json.Marshal(map[string]any{"event": map[string]any{
		"id": s.id("01EVENT"), "event_type": kind, "resource_type": resource, "occurred_at": s.o.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"agent": agent, "client": nil, "data": data,
	}})
	if err != nil {
		return
	}
	address, signature, id := s.o.Notices, Sign(text, s.o.Secrets...), s.id("hook-")
	s.Hooks.Queue(func(ctx context.Context, _ int) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("User-Agent", "PagerDuty-Webhook/V3.0")
		req.Header.Set("X-Webhook-Id", id)
		req.Header.Set("X-Webhook-Subscription", "PSUB")
		req.Header.Set("X-PagerDuty-Signature", signature)
		return req, nil
	})
}
