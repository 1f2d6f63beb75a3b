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

// delivery is a webhook that waits, or a question where request is set.
type delivery struct {
	kind    string // what the customer put into the URL: manual, audit, anomaly, integration; empty for requests
	body    []byte
	request string
	answer  []byte // what the receiver said last
}

// tell queues the webhook of a trigger; s.mu is held.
func (s *Server) tell(r *Request, trigger string) {
	s.queueHook("", s.options.Templates.Request, s.requestPayload(r, trigger))
}

// queueHook queues a webhook; s.mu is held.
func (s *Server) queueHook(kind, template string, payload map[string]any) {
	s.line.Add(&delivery{kind: kind, body: s.render(template, payload)})
}

// Queued is how many webhooks wait.
func (s *Server) Queued() int { return s.line.Queued() }

// ClearQueue drops all webhooks that wait.
func (s *Server) ClearQueue() { s.line.ClearQueue() }

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
func (s *Server) Flush(ctx context.Context) ([]int, error) { return s.line.Flush(ctx) }

// deliver sends a webhook that waits.
func (s *Server) deliver(ctx context.Context, d *delivery) (status int, err error) {
	status, d.answer, err = s.post(ctx, d.kind, d.body)
	return status, err
}

// taken takes the answer to a question.
func (s *Server) taken(d *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.request != "" {
		s.conclude(d.request, d.answer)
	}
}

// Run sends webhooks as they are queued until ctx ends, waiting longer after each failure, and asks again where that
// was set.
func (s *Server) Run(ctx context.Context) error {
	if s.options.AskEvery <= 0 {
		return s.line.Run(ctx, nil, nil)
	}
	ticker := time.NewTicker(s.options.AskEvery)
	defer ticker.Stop()
	return s.line.Run(ctx, ticker.C, s.AskAgain)
}
