package jirastandin

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// The events sent.
const (
	created        = "jira:issue_created"
	updated        = "jira:issue_updated"
	deleted        = "jira:issue_deleted"
	commentCreated = "comment_created"
)

// maxTries is how often Jira sends a webhook: once, and five times more.
const maxTries = 6

// transient tells whether an answer makes Jira send a webhook again.
func transient(status int) bool {
	again := []int{http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests}
	return status >= 500 || slices.Contains(again, status)
}

// hookBody is the payload of every event.
type hookBody struct {
	Timestamp int64          `json:"timestamp"`
	Event     string         `json:"webhookEvent"`
	Type      string         `json:"issue_event_type_name,omitempty"`
	User      *userWire      `json:"user,omitempty"`
	Issue     issueWire      `json:"issue"`
	Changelog *hookChangelog `json:"changelog,omitempty"`
	Comment   *commentWire   `json:"comment,omitempty"`
}

type hookChangelog struct {
	ID    string           `json:"id"`
	Items []changeItemWire `json:"items"`
}

// notify queues the webhook for what just happened to a ticket.
func (s *Server) notify(event, kind string, i *issue, by *account, items []changeItem, c *comment) {
	targets := s.targets(event, i)
	if len(targets) == 0 || s.rand.Float64() < s.loss {
		return
	}
	v := view{s: s, base: s.o.BaseURL, version: 2, zone: time.UTC}
	if v.base == "" {
		v.base = "https://jira.example.test" // receivers must not rely on the host here
	}
	body := hookBody{
		Timestamp: s.o.Now().UnixMilli(), Event: event, Type: kind, User: v.user(by),
		Issue: v.issue(i, wanted{fields: []string{"*navigable"}}),
	}
	if len(items) > 0 {
		body.Changelog = &hookChangelog{ID: strconv.Itoa(i.history[len(i.history)-1].id), Items: v.changeItems(items)}
	}
	if c != nil {
		w := v.comment(i, c)
		body.Comment = &w
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("jirastandin: encode webhook: %v", err)) // values come from parse and always encode
	}
	id := fmt.Sprintf("%016x%016x", s.rand.Uint64(), s.rand.Uint64())
	for _, to := range targets {
		s.queue(to, id, text)
		if s.rand.Float64() < s.o.HookDuplicate {
			s.queue(to, id, text)
		}
	}
}

// target is where a webhook goes, and how it proves where it comes from.
type target struct {
	url  string
	sign func(r *http.Request, body []byte)
}

// targets are those of the admin's webhook and of the app's own that want the event.
func (s *Server) targets(event string, i *issue) []target {
	var out []target
	if s.o.HookURL != "" {
		out = append(out, target{s.o.HookURL, s.signBody})
	}
	for _, h := range s.app.wanting(event, i, s.o.Now()) {
		out = append(out, target{h.url, s.signCaller})
	}
	return out
}

// queue sends a webhook soon. Its id stays the same however often it is sent.
func (s *Server) queue(to target, id string, body []byte) {
	s.hooks.Queue(func(ctx context.Context, try int) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json; charset=UTF-8")
		req.Header.Set("User-Agent", "Atlassian Webhook HTTP Client (stand-in)")
		req.Header.Set("X-Atlassian-Webhook-Identifier", id)
		req.Header.Set("X-Atlassian-Webhook-Flow", "Primary")
		if try > 0 {
			req.Header.Set("X-Atlassian-Webhook-Retry", strconv.Itoa(try))
		}
		to.sign(req, body)
		return req, nil
	})
}

// signBody signs as an admin's webhook with a secret does.
func (s *Server) signBody(r *http.Request, body []byte) {
	if s.o.HookSecret == "" {
		return
	}
	mac := hmac.New(sha256.New, []byte(s.o.HookSecret))
	mac.Write(body)
	r.Header.Set("X-Hub-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
}

// LoseWebhooks makes a fraction of the webhooks that follow get lost, as at Jira now and then.
func (s *Server) LoseWebhooks(fraction float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loss = fraction
}

// DropWebhooks loses all webhooks for as long as it is set.
func (s *Server) DropWebhooks(drop bool) { s.hooks.Drop(drop) }

// Pending tells how many webhooks wait to be sent, or sent again.
func (s *Server) Pending() int { return s.hooks.Pending() }

// Flush sends every webhook queued now, once and in order. Those that must be tried again stay queued, and are part
// of the error.
func (s *Server) Flush(ctx context.Context) error { return s.hooks.Flush(ctx) }

// Run sends webhooks as they come, and again after a failure, until ctx ends. What is queued then stays queued.
func (s *Server) Run(ctx context.Context) error { return s.hooks.Run(ctx) }
