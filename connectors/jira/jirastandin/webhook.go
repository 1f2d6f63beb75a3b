package jirastandin

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// notice is a webhook on its way. Its id stays the same however often it is sent.
type notice struct {
	id    string
	body  []byte
	tries int
	due   time.Time // by the real clock
}

// maxTries is how often Jira sends a webhook: once, and five times more.
const maxTries = 6

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
	if s.o.HookURL == "" || s.dropping || s.rand.Float64() < s.loss {
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
	n := notice{id: fmt.Sprintf("%016x%016x", s.rand.Uint64(), s.rand.Uint64()), body: text}
	s.queue = append(s.queue, &n)
	if s.rand.Float64() < s.o.HookDuplicate {
		twin := n
		s.queue = append(s.queue, &twin)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// LoseWebhooks makes a fraction of the webhooks that follow get lost, as at Jira now and then.
func (s *Server) LoseWebhooks(fraction float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loss = fraction
}

// DropWebhooks loses all webhooks for as long as it is set.
func (s *Server) DropWebhooks(drop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropping = drop
}

// Pending tells how many webhooks wait to be sent, or sent again.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) + s.sending
}

// Flush sends every webhook queued now, once and in order. Those that must be tried again stay queued, and are part
// of the error.
func (s *Server) Flush(ctx context.Context) error {
	return s.send(ctx, func(*notice) bool { return true })
}

// Run sends webhooks as they come, and again after a failure, until ctx ends. What is queued then stays queued.
func (s *Server) Run(ctx context.Context) error {
	retry := time.NewTicker(s.o.HookRetry)
	defer retry.Stop()
	for {
		// What failed is queued with its time; nobody waits for the error.
		_ = s.send(ctx, func(n *notice) bool { return !n.due.After(time.Now()) })
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-retry.C:
		}
	}
}

func (s *Server) send(ctx context.Context, ready func(*notice) bool) error {
	s.mu.Lock()
	var batch, rest []*notice
	for _, n := range s.queue {
		if ready(n) {
			batch = append(batch, n)
		} else {
			rest = append(rest, n)
		}
	}
	s.queue = rest
	s.sending += len(batch)
	s.mu.Unlock()
	var faults []error
	for _, n := range batch {
		again, err := s.post(ctx, n)
		if err != nil {
			faults = append(faults, err)
		}
		s.mu.Lock()
		s.sending--
		if again {
			n.due = time.Now().Add(s.o.HookRetry)
			s.queue = append(s.queue, n)
		}
		s.mu.Unlock()
	}
	return errors.Join(faults...)
}

// post sends one webhook once and tells whether to send it again.
func (s *Server) post(ctx context.Context, n *notice) (again bool, err error) {
	if ctx.Err() != nil {
		return true, fmt.Errorf("send webhook: %w", ctx.Err())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.HookURL, bytes.NewReader(n.body))
	if err != nil {
		return false, fmt.Errorf("build webhook: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	req.Header.Set("User-Agent", "Atlassian Webhook HTTP Client (stand-in)")
	req.Header.Set("X-Atlassian-Webhook-Identifier", n.id)
	req.Header.Set("X-Atlassian-Webhook-Flow", "Primary")
	if n.tries > 0 {
		req.Header.Set("X-Atlassian-Webhook-Retry", strconv.Itoa(n.tries))
	}
	if s.o.HookSecret != "" {
		mac := hmac.New(sha256.New, []byte(s.o.HookSecret))
		mac.Write(n.body)
		req.Header.Set("X-Hub-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	n.tries++
	resp, err := s.o.Client.Do(req)
	if err != nil {
		return n.tries < maxTries, fmt.Errorf("send webhook: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // lets the connection be used again
	if resp.StatusCode < 300 {
		return false, nil
	}
	transient := []int{http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests}
	again = (resp.StatusCode >= 500 || slices.Contains(transient, resp.StatusCode)) && n.tries < maxTries
	return again, fmt.Errorf("send webhook: HTTP %d", resp.StatusCode)
}
