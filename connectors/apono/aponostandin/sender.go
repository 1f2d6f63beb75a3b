package aponostandin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Apono states neither how often nor how long it tries; these are the stand-in's own.
const (
	maxTries  = 12
	firstWait = 500 * time.Millisecond
	maxWait   = 15 * time.Second
)

// delivery is a webhook that waits, or a question where request is set.
type delivery struct {
	kind    string // what the customer put into the URL: manual, audit, anomaly, integration; empty for requests
	body    []byte
	request string
	tries   int
}

// tell queues the webhook of a trigger; s.mu is held.
func (s *Server) tell(r *Request, trigger string) {
	s.queueHook("", s.options.Templates.Request, s.requestPayload(r, trigger))
}

// queueHook queues a webhook; s.mu is held.
func (s *Server) queueHook(kind, template string, payload map[string]any) {
	s.enqueue(&delivery{kind: kind, body: s.render(template, payload)})
}

func (s *Server) enqueue(d *delivery) {
	s.queue = append(s.queue, d)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Queued is how many webhooks wait.
func (s *Server) Queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// ClearQueue drops all webhooks that wait.
func (s *Server) ClearQueue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = nil
}

// Send posts body as a request webhook at once and returns the answer's status.
func (s *Server) Send(ctx context.Context, body []byte) (int, error) {
	status, _, err := s.post(ctx, "", body)
	return status, err
}

// post sends a webhook and returns status and answer.
func (s *Server) post(ctx context.Context, kind string, body []byte) (int, []byte, error) {
	if s.options.HookURL == "" {
		return 0, nil, errors.New("send webhook: no URL is set")
	}
	address, err := url.Parse(s.options.HookURL)
	if err != nil {
		return 0, nil, errors.New("send webhook: the URL is not valid")
	}
	if kind != "" {
		query := address.Query()
		query.Set("webhook", kind)
		address.RawQuery = query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("send webhook: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, values := range s.options.HookHeader {
		req.Header[name] = values
	}
	if s.options.HookToken != "" {
		req.Header.Set("Authorization", "Bearer "+s.options.HookToken)
	}
	resp, err := s.options.Client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("send webhook: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return 0, nil, fmt.Errorf("send webhook: %w", err)
	}
	return resp.StatusCode, answer, nil
}

// Flush sends what is queued, in order, and returns the statuses answered. It stops at the first webhook that is not
// taken, which stays first in the queue until its tries are used up.
func (s *Server) Flush(ctx context.Context) ([]int, error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	var statuses []int
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.mu.Unlock()
			return statuses, nil
		}
		first := s.queue[0]
		s.mu.Unlock()

		status, answer, err := s.post(ctx, first.kind, first.body)
		taken := err == nil && status >= 200 && status <= 299
		if err == nil {
			statuses = append(statuses, status)
		}
		s.mu.Lock()
		first.tries++
		if len(s.queue) > 0 && s.queue[0] == first && (taken || first.tries >= maxTries) {
			s.queue = s.queue[1:]
			if first.request != "" && taken {
				s.conclude(first.request, answer)
			}
		}
		s.mu.Unlock()
		if err != nil {
			return statuses, err
		}
		if !taken {
			return statuses, fmt.Errorf("send webhook: the receiver answered %d", status)
		}
	}
}

// Run sends webhooks as they are queued until ctx ends, waiting longer after each failure, and asks again where that
// was set.
func (s *Server) Run(ctx context.Context) error {
	var again <-chan time.Time
	if s.options.AskEvery > 0 {
		ticker := time.NewTicker(s.options.AskEvery)
		defer ticker.Stop()
		again = ticker.C
	}
	wait := firstWait
	for {
		_, err := s.Flush(ctx)
		if err == nil {
			wait = firstWait
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-again:
				s.AskAgain()
			case <-s.wake:
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		wait = min(2*wait, maxWait)
	}
}
