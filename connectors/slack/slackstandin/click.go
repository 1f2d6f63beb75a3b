package slackstandin

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Click is one click on a button as Slack tells it. What is left empty is as it would be; the rest is for what must not
// be believed.
type Click struct {
	Message string // CHANNEL:TS
	Button  string // its action_id
	By      string // the person's id
	Reason  string // typed into the message before

	Team, App    string        // in place of what is true
	Block, Value string        // of the button, likewise
	ActionTS     string        // of an earlier click, to tell it again
	Age          time.Duration // how long ago it was signed
	Secret       string        // signed with another secret
}

// button finds a button of a message and the id of the block it stands in.
func (m Message) button(id string) (block, value string) {
	for _, b := range m.Blocks {
		for _, e := range list(b["elements"]) {
			if button, _ := e.(map[string]any); b["type"] == "actions" && button["action_id"] == id {
				block, _ = b["block_id"].(string)
				value, _ = button["value"].(string)
			}
		}
	}
	return block, value
}

// typed is what stands in a message's inputs.
func (m Message) typed(text string) map[string]any {
	values := map[string]any{}
	for _, b := range m.Blocks {
		if element, _ := b["element"].(map[string]any); b["type"] == "input" {
			values[fmt.Sprint(b["block_id"])] = map[string]any{fmt.Sprint(element["action_id"]): map[string]any{"type": element["type"], "value": text}}
		}
	}
	return values
}

// Value is what a button of a message carries; empty where there is no such button.
func (s *Server) Value(message, id string) string {
	m, _ := s.Message(message)
	_, value := m.button(id)
	return value
}

// Buttons tells whether a message has any.
func (m Message) Buttons() bool {
	for _, b := range m.Blocks {
		if b["type"] == "actions" {
			return true
		}
	}
	return false
}

// Request is a click as it would be sent.
func (s *Server) Request(ctx context.Context, c Click) (*http.Request, error) {
	m, ok := s.Message(c.Message)
	if !ok {
		return nil, fmt.Errorf("there is no message %s", c.Message)
	}
	s.mu.Lock()
	person := s.people[c.By]
	s.last = max(s.last+1, s.o.Now().UnixMicro())
	n := s.last
	s.mu.Unlock()
	team, app, stamp, secret := s.o.Team, "A0BRIDGE", fmt.Sprintf("%d.%06d", n/1e6, n%1e6), s.o.SigningSecret
	block, value := m.button(c.Button)
	for _, set := range []struct {
		to   *string
		with string
	}{{&team, c.Team}, {&app, c.App}, {&stamp, c.ActionTS}, {&secret, c.Secret}, {&value, c.Value}, {&block, c.Block}} {
		if set.with != "" {
			*set.to = set.with
		}
	}
	payload := map[string]any{
		"type": "block_actions", "api_app_id": app, "trigger_id": "1.2.x", "response_url": "https://hooks.slack.example/actions/1",
		"team": map[string]any{"id": team, "domain": "corp"}, "user": map[string]any{"id": c.By, "username": person.Name, "team_id": team},
		"channel": map[string]any{"id": m.Channel}, "container": map[string]any{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": false},
		"message": map[string]any{"ts": m.TS, "text": m.Text, "blocks": m.Blocks},
		"actions": []any{map[string]any{"type": "button", "block_id": block, "action_id": c.Button, "value": value, "action_ts": stamp}},
		"state":   map[string]any{"values": m.typed(c.Reason)},
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	body := []byte("payload=" + url.QueryEscape(string(text)))
	at := strconv.FormatInt(s.o.Now().Add(-c.Age).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%s:%s", at, body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.Address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Slack-Request-Timestamp", at)
	req.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return req, nil
}

// Click sends a click and returns what it was answered. Slack shows the person an error for all but an empty 200.
func (s *Server) Click(ctx context.Context, c Click) (status int, body string, err error) {
	req, err := s.Request(ctx, c)
	if err != nil {
		return 0, "", err
	}
	resp, err := s.o.Client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("send click: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	return resp.StatusCode, string(text), err
}
