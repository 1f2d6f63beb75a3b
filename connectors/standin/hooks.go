package standin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Hooks are the webhooks of a vendor: queued as things happen, sent in order, sent again after a failure. They are
// ready once their fields are set.
type Hooks struct {
	Client *http.Client
	Tries  int                   // how often one is sent at most
	Retry  time.Duration         // between the tries of Run
	Again  func(status int) bool // whether an answer that is no success is followed by another try; nil: always

	mu       sync.Mutex
	queue    []*hook
	sending  int
	dropping bool
	wake     chan struct{}
}

// hook is one webhook. build makes its request anew for each try, counted from 0.
type hook struct {
	build func(ctx context.Context, try int) (*http.Request, error)
	try   int
	due   time.Time // by the real clock
}

// Queue adds a webhook, unless webhooks are dropped.
func (h *Hooks) Queue(build func(ctx context.Context, try int) (*http.Request, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dropping {
		return
	}
	h.queue = append(h.queue, &hook{build: build})
	select {
	case h.waker() <- struct{}{}:
	default:
	}
}

// waker wants h.mu held.
func (h *Hooks) waker() chan struct{} {
	if h.wake == nil {
		h.wake = make(chan struct{}, 1)
	}
	return h.wake
}

// Drop loses the webhooks of what happens from now on, for as long as it is set.
func (h *Hooks) Drop(drop bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropping = drop
}

// Pending tells how many webhooks wait to be sent, or sent again.
func (h *Hooks) Pending() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.queue) + h.sending
}

// Flush sends every webhook queued now, once and in order. Those that must be tried again stay queued, and are part of
// the error.
func (h *Hooks) Flush(ctx context.Context) error {
	return h.send(ctx, func(*hook) bool { return true })
}

// Run sends webhooks as they come, and again after a failure, until ctx ends. What is queued then stays queued.
func (h *Hooks) Run(ctx context.Context) error {
	h.mu.Lock()
	wake := h.waker()
	h.mu.Unlock()
	retry := time.NewTicker(h.Retry)
	defer retry.Stop()
	for {
		// What failed is queued with its time; nobody waits for the error.
		_ = h.send(ctx, func(n *hook) bool { return !n.due.After(time.Now()) })
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-retry.C:
		}
	}
}

func (h *Hooks) send(ctx context.Context, ready func(*hook) bool) error {
	h.mu.Lock()
	var batch, rest []*hook
	for _, n := range h.queue {
		if ready(n) {
			batch = append(batch, n)
		} else {
			rest = append(rest, n)
		}
	}
	h.queue = rest
	h.sending += len(batch)
	h.mu.Unlock()
	var faults []error
	for _, n := range batch {
		again, err := h.post(ctx, n)
		if err != nil {
			faults = append(faults, err)
		}
		h.mu.Lock()
		h.sending--
		if again {
			n.due = time.Now().Add(h.Retry)
			h.queue = append(h.queue, n)
		}
		h.mu.Unlock()
	}
	return errors.Join(faults...)
}

// post sends one webhook once and tells whether to send it again.
func (h *Hooks) post(ctx context.Context, n *hook) (again bool, err error) {
	if ctx.Err() != nil {
		return true, fmt.Errorf("send webhook: %w", ctx.Err())
	}
	req, err := n.build(ctx, n.try)
	if err != nil {
		return false, fmt.Errorf("build webhook: %w", err)
	}
	n.try++
	resp, err := h.Client.Do(req)
	if err != nil {
		return n.try < h.Tries, fmt.Errorf("send webhook: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // lets the connection be used again
	if resp.StatusCode < 300 {
		return false, nil
	}
	again = n.try < h.Tries && (h.Again == nil || h.Again(resp.StatusCode))
	return again, fmt.Errorf("send webhook: HTTP %d", resp.StatusCode)
}
