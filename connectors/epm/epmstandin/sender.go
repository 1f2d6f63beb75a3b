package epmstandin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// tell queues a webhook.
func (s *Server) tell(body []byte) { s.line.Add(body) }

// Queued is how many webhooks wait, like the number EPM shows beside a webhook.
func (s *Server) Queued() int { return s.line.Queued() }

// ClearQueue drops all webhooks that wait.
func (s *Server) ClearQueue() { s.line.ClearQueue() }

// Send posts body as a webhook at once and returns the answer's status.
func (s *Server) Send(ctx context.Context, body []byte) (int, error) {
	if s.options.HookURL == "" {
		return 0, errors.New("send webhook: no URL is set")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.HookURL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("send webhook: %w", err)
	}
	for name, values := range s.options.HookHeader {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", s.options.ContentType)
	if s.options.HookUser != "" {
		req.SetBasicAuth(s.options.HookUser, s.options.HookPassword)
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
func (s *Server) Flush(ctx context.Context) ([]int, error) { return s.line.Flush(ctx) }

// Run sends webhooks as they are queued until ctx ends, waiting longer after each failure.
func (s *Server) Run(ctx context.Context) error { return s.line.Run(ctx, nil, nil) }
