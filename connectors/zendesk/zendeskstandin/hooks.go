package zendeskstandin

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Sign signs a body as Zendesk does.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// SendTo sets where webhooks go from now on and what they are signed with.
func (s *Server) SendTo(address, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.Notices, s.o.Secret = address, secret
}

// notify queues the webhook of one event. In events ids are texts, and a status is in upper case.
func (s *Server) notify(t *ticket, actor int64, kind string, e map[string]any) {
	if s.o.Notices == "" {
		return
	}
	now := s.o.Now().UTC()
	body := map[string]any{
		"account_id": 12345, "id": fmt.Sprintf("evt-%d", s.id()), "time": now.Format(time.RFC3339Nano), "type": "zen:event-type:ticket." + kind,
		"zendesk_event_version": "2022-11-06", "subject": fmt.Sprintf("zen:ticket:%d", t.id),
		"detail": map[string]any{
			"id": fmt.Sprint(t.id), "external_id": t.fields["external_id"], "status": strings.ToUpper(stringOf(t.fields["status"])), "custom_status": fmt.Sprint(t.fields["custom_status_id"]),
			"actor_id": fmt.Sprint(actor), "updated_at": t.updated.Format(time.RFC3339), "tags": t.tags,
		},
		"event": map[string]any{"previous": e["previous_value"], "current": e["value"]},
	}
	if s.o.Trigger {
		body = map[string]any{"ticket": fmt.Sprint(t.id)}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return
	}
	address, secret, invocation := s.o.Notices, s.o.Secret, fmt.Sprintf("01INV%d", s.id())
	s.Hooks.Queue(func(ctx context.Context, _ int) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		stamp := s.o.Now().UTC().Format(time.RFC3339)
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		req.Header.Set("X-Zendesk-Account-Id", "12345")
		req.Header.Set("X-Zendesk-Webhook-Id", "01WEBHOOK")
		req.Header.Set("X-Zendesk-Webhook-Invocation-Id", invocation)
		req.Header.Set("X-Zendesk-Webhook-Signature-Timestamp", stamp)
		req.Header.Set("X-Zendesk-Webhook-Signature", Sign(secret, stamp, text))
		return req, nil
	})
}
