package standin

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// How often a webhook of a Line is tried, and how long Run waits after failures. The vendors played with it state
// neither; these are the stand-ins' own.
const (
	lineTries = 12
	firstWait = 500 * time.Millisecond
	maxWait   = 15 * time.Second
)

// Line is webhooks one behind the other: the first is sent until it is taken or its tries are used up, and only then the
// next. It is ready once Post is set.
type Line[T any] struct {
	Post  func(ctx context.Context, hook T) (status int, err error)
	Taken func(hook T) // called for one that was taken; nil: nobody

	sending sync.Mutex // one sender at a time keeps webhooks in order
	mu      sync.Mutex
	waiting []*waiting[T]
	wake    chan struct{}
}

type waiting[T any] struct {
	hook  T
	tries int
}

// Add puts a webhook at the end.
func (l *Line[T]) Add(hook T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, &waiting[T]{hook: hook})
	select {
	case l.waker() <- struct{}{}:
	default:
	}
}

// waker wants l.mu held.
func (l *Line[T]) waker() chan struct{} {
	if l.wake == nil {
		l.wake = make(chan struct{}, 1)
	}
	return l.wake
}

// Queued is how many webhooks wait.
func (l *Line[T]) Queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// ClearQueue drops all webhooks that wait.
func (l *Line[T]) ClearQueue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = nil
}

// Waits tells whether a webhook waits that f says is meant.
func (l *Line[T]) Waits(f func(T) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.waiting, func(w *waiting[T]) bool { return f(w.hook) })
}

// Flush sends what is queued, in order, and returns the statuses answered. It stops at the first webhook that is not
// taken.
func (l *Line[T]) Flush(ctx context.Context) ([]int, error) {
	l.sending.Lock()
	defer l.sending.Unlock()
	var statuses []int
	for {
		first := l.first()
		if first == nil {
			return statuses, nil
		}
		status, err := l.Post(ctx, first.hook)
		if err == nil {
			statuses = append(statuses, status)
		}
		taken := err == nil && status >= 200 && status <= 299
		if l.done(first, taken) && taken && l.Taken != nil {
			l.Taken(first.hook)
		}
		if err != nil {
			return statuses, err
		}
		if !taken {
			return statuses, fmt.Errorf("send webhook: the receiver answered %d", status)
		}
	}
}

func (l *Line[T]) first() *waiting[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return nil
	}
	return l.waiting[0]
}

// done counts a try and tells whether it was the last of a webhook that still waits.
func (l *Line[T]) done(w *waiting[T], taken bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.tries++
	if len(l.waiting) == 0 || l.waiting[0] != w || (!taken && w.tries < lineTries) {
		return false
	}
	l.waiting = l.waiting[1:]
	return true
}

// Run sends webhooks as they are queued until ctx ends, waiting longer after each failure. Between them it calls again
// at each tick of every; nil: never.
func (l *Line[T]) Run(ctx context.Context, every <-chan time.Time, again func()) error {
	l.mu.Lock()
	wake := l.waker()
	l.mu.Unlock()
	wait := firstWait
	for {
		if _, err := l.Flush(ctx); err == nil {
			wait = firstWait
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-every:
				again()
			case <-wake:
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
