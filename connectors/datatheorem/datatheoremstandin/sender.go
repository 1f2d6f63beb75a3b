package datatheoremstandin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Data Theorem states neither how often nor how long it tries; these are the stand-in's own.
const (
	maxTries  = 12
	firstWait = 500 * time.Millisecond
	maxWait   = 15 * time.Second
	maxBody   = 1 << 20
)

type delivery struct {
	body  []byte
	tries int
}

// tell queues a webhook; s.mu is held.
func (s *Server) tell(body []byte) {
	s.queue = append(s.queue, &delivery{body: body})
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

// Send posts body as a webhook at once and returns the answer's status.
func (s *Server) Send(ctx context.Context, body []byte) (int, error) {
	if s.options.HookURL == "" {
		return 0, errors.New("send webhook: no URL is set")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.HookURL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("send webhook: %w", err)
	}
	req.Header.Set("Content-Type", s.options.ContentType)
	if s.options.Authorization != "" {
		req.Header.Set("Authorization", s.options.Authorization)
	}
	resp, err := s.options.Client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("send webhook: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody)) // so that the connection can be used again
	return resp.StatusCode, nil
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

		status, err := s.Send(ctx, first.body)
		taken := err == nil && status >= 200 && status <= 299
		if err == nil {
			statuses = append(statuses, status)
		}
		s.mu.Lock()
		first.tries++
		if len(s.queue) > 0 && s.queue[0] == first && (taken || first.tries >= maxTries) {
			s.queue = s.queue[1:]
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

// Run sends webhooks as they are queued until ctx ends, waiting longer after each failure.
func (s *Server) Run(ctx context.Context) error {
	wait := firstWait
	for {
		_, err := s.Flush(ctx)
		if err == nil {
			wait = firstWait
			select {
			case <-ctx.Done():
				return ctx.Err()
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
