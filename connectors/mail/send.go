package mail

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// send sends mails one after another. Whom the server does not take a mail for, now or for good, keeps it from nobody else.
// Where some may be taken later the error says so; tried again, the mails go to those they were not taken for, and first
// to those it did not come to. Refusals for good fail the whole only where the mail was taken for nobody.
func (c *connector) send(ctx context.Context, mails []letter) error {
	left := c.begun.left(mails)
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	tried := map[string]bool{} // whether it was taken, by Message-ID
	taken, maybe := 0, false
	var refused error
	var late *connectors.Error
	for i, l := range left {
		err := s.mail(c.conf.From, l.to, l.text())
		tried[l.id] = err == nil
		if err == nil {
			taken++
			continue
		}
		e := connectors.AsError(err)
		maybe = maybe || e.Sent
		if e.Kind == connectors.Permanent {
			c.log.Warn("mail refused", "error", e)
			refused = errors.Join(refused, e.Err)
		} else if late == nil || e.Kind == connectors.Unwell {
			late = e
		}
		if late == nil && s.over && i < len(left)-1 {
			late = connectors.Temporarily("the server ended the conversation: %w", e.Err)
		}
		if s.over || e.Kind == connectors.Unwell {
			break
		}
	}
	if late != nil {
		c.begun.keep(tried)
		e := *late
		e.Sent, e.Err = maybe || taken > 0, fmt.Errorf("mailed to %d of %d: %w", len(mails)-len(left)+taken, len(mails), e.Err)
		return &e
	}
	c.begun.end(mails)
	if refused != nil && len(left) == len(mails) && taken == 0 {
		return connectors.Permanently("nobody could be mailed: %w", refused)
	}
	return s.quit()
}

// begun remembers what became of the mails of deliveries that are not through. It lasts as long as the connector: after a
// restart they are mailed again, under the same Message-IDs.
type begun struct {
	mu    sync.Mutex
	taken map[string]bool // by Message-ID
}

// maxBegun is how many mails are remembered: of two hundred deliveries, and more that were given up.
const maxBegun = 200 * maxAddressees

// left are the mails that were not taken yet. Those that were tried in vain come last, for one may have used up the time.
func (b *begun) left(mails []letter) (left []letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var again []letter
	for _, l := range mails {
		switch taken, tried := b.taken[l.id]; {
		case !tried:
			left = append(left, l)
		case !taken:
			again = append(again, l)
		}
	}
	return append(left, again...)
}

// keep remembers what was tried.
func (b *begun) keep(tried map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken == nil || len(b.taken)+len(tried) > maxBegun {
		b.taken = map[string]bool{}
	}
	for id, taken := range tried {
		b.taken[id] = taken
	}
}

// end forgets mails of which none is to be sent any more.
func (b *begun) end(mails []letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range mails {
		delete(b.taken, l.id)
	}
}
