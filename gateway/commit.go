package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
)

const (
	largestGroup = 1024
	commitTime   = 30 * time.Second // for one group
)

// committer groups writes: what arrives together is committed together, which is what a disk can do quickly, and what
// arrives during a commit is the next group. A group that fails is tried again one by one, so that a bad item harms
// only itself.
type committer[T, R any] struct {
	what  string // it commits, for errors
	write func(ctx context.Context, items []T) ([]R, error)
	queue chan waiting[T, R]
}

// waiting is one item with who waits for it.
type waiting[T, R any] struct {
	item T
	done chan<- outcome[R]
}

type outcome[R any] struct {
	result R
	err    error
}

// newCommitter groups writes of one kind. write stores items in the transaction given to it and gives a result for
// each, in their order.
func newCommitter[T, R any](s *store.Store, what string, write func(ctx context.Context, tx *store.Tx, items []T) ([]R, error)) *committer[T, R] {
	c := &committer[T, R]{what: what, queue: make(chan waiting[T, R], 2*largestGroup)}
	c.write = func(ctx context.Context, items []T) (results []R, err error) {
		err = s.InTx(ctx, func(tx *store.Tx) error {
			results, err = write(ctx, tx, items)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("commit %s: %w", c.what, err)
		}
		return results, nil
	}
	return c
}

// add waits until the item is durable. When ctx ends first the outcome is unknown to the caller.
func (c *committer[T, R]) add(ctx context.Context, item T) (R, error) {
	o := await(ctx, c.put(ctx, item))
	return o.result, o.err
}

// addAll waits until all items are durable. It answers for each, in their order, as add does.
func (c *committer[T, R]) addAll(ctx context.Context, items []T) []outcome[R] {
	done := make([]<-chan outcome[R], len(items))
	for i, item := range items {
		done[i] = c.put(ctx, item)
	}
	out := make([]outcome[R], len(items))
	for i := range items {
		out[i] = await(ctx, done[i])
	}
	return out
}

// put queues an item and returns where its outcome is told.
func (c *committer[T, R]) put(ctx context.Context, item T) <-chan outcome[R] {
	done := make(chan outcome[R], 1)
	select {
	case c.queue <- waiting[T, R]{item, done}:
	case <-ctx.Done():
		done <- outcome[R]{err: ctx.Err()}
	}
	return done
}

func await[R any](ctx context.Context, done <-chan outcome[R]) outcome[R] {
	select {
	case o := <-done:
		return o
	case <-ctx.Done():
		return outcome[R]{err: ctx.Err()}
	}
}

// run commits until ctx ends and then stores what still waits. Nothing may be added afterwards.
func (c *committer[T, R]) run(ctx context.Context, writers int) {
	var running sync.WaitGroup
	for range writers {
		running.Go(func() { c.loop(ctx) })
	}
	running.Wait()
}

func (c *committer[T, R]) loop(ctx context.Context) {
	for {
		select {
		case first := <-c.queue:
			c.flush(c.gather(first))
		case <-ctx.Done():
			for {
				select {
				case first := <-c.queue:
					c.flush(c.gather(first))
				default:
					return
				}
			}
		}
	}
}

func (c *committer[T, R]) gather(first waiting[T, R]) []waiting[T, R] {
	group := []waiting[T, R]{first}
	for len(group) < largestGroup {
		select {
		case next := <-c.queue:
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// flush commits a group. It runs under a deadline of its own: a caller that gave up must not take others with it.
func (c *committer[T, R]) flush(group []waiting[T, R]) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTime)
	defer cancel()
	items := make([]T, len(group))
	for i, w := range group {
		items[i] = w.item
	}
	results, err := c.write(ctx, items)
	for i, w := range group {
		switch {
		case err == nil:
			w.done <- outcome[R]{results[i], nil}
		case len(group) == 1:
			w.done <- outcome[R]{err: err}
		default:
			w.done <- c.alone(ctx, w.item)
		}
	}
}

func (c *committer[T, R]) alone(ctx context.Context, item T) outcome[R] {
	results, err := c.write(ctx, []T{item})
	if err != nil {
		return outcome[R]{err: err}
	}
	return outcome[R]{results[0], nil}
}
