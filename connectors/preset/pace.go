package preset

import (
	"fmt"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// pace keeps a connection below what its vendor takes: at most so many requests in any such time.
type pace struct {
	limit int
	per   time.Duration

	mu   sync.Mutex
	past []time.Time // of the latest requests, oldest first
}

// take notes a request, or tells that it has to wait. Nothing was sent then.
func (p *pace) take(now time.Time) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.past) > 0 && !p.past[0].Add(p.per).After(now) {
		p.past = p.past[1:]
	}
	if len(p.past) < p.limit {
		p.past = append(p.past, now)
		return nil
	}
	return &connectors.Error{Kind: connectors.Throttled, RetryAfter: p.past[0].Add(p.per).Sub(now), Err: fmt.Errorf("send: the vendor takes %d requests in %v", p.limit, p.per)}
}
