package gateway

import (
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Retry is how often and how patiently deliveries are tried again.
type Retry struct {
	Attempts int           // tries before a delivery is given up on; default 12
	First    time.Duration // pause after the first; doubled each time; default 1s
	Longest  time.Duration // default 15m
	IndexLag time.Duration // how long a desk's search may miss a ticket that was just created
}

func (r Retry) orDefault() Retry {
	if r.Attempts == 0 {
		r.Attempts = 12
	}
	if r.First == 0 {
		r.First = time.Second
	}
	if r.Longest == 0 {
		r.Longest = 15 * time.Minute
	}
	return r
}

// next is what becomes of a delivery after one try.
type next struct {
	state       string
	due         time.Time
	inDoubt     bool      // the vendor may have acted
	doubtUntil  time.Time // until then a create only looks, see deliver
	usedAttempt bool
	unwell      bool      // the fault is the connection's: pause it
	waitUntil   time.Time // the vendor asked for quiet on the whole connection
}

// after decides the next state of d from the error of a try that ended at now. It is pure: jitter is a number in
// [0,1) drawn by the caller.
func (r Retry) after(d store.Delivery, err error, now time.Time, jitter float64) next {
	if err == nil {
		return next{state: stateDelivered, usedAttempt: true}
	}
	e := connectors.AsError(err)
	n := next{state: statePending, inDoubt: d.InDoubt, doubtUntil: d.DoubtUntil, usedAttempt: true}
	if e.Sent && mayDouble(d.Kind) {
		n.inDoubt = true
		if connectors.ActionKind(d.Kind) == connectors.Create {
			n.doubtUntil = later(d.ClaimedUntil, now).Add(r.IndexLag)
		}
	}
	switch e.Kind {
	case connectors.Unwell:
		n.due, n.usedAttempt, n.unwell = now, false, true
	case connectors.Throttled:
		n.waitUntil = now.Add(max(e.RetryAfter, r.pause(1, jitter)))
		n.due, n.usedAttempt = n.waitUntil, false
	case connectors.Permanent:
		n.state = stateDead
	default:
		if d.Attempts >= r.Attempts && !n.inDoubt {
			n.state = stateDead
			break
		}
		if d.Attempts >= r.Attempts && now.After(n.doubtUntil) {
			n.state = stateDead
			break
		}
		n.due = now.Add(max(r.pause(d.Attempts, jitter), e.RetryAfter))
	}
	return n
}

// afterBatch decides the next state of a record whose sink failed as a whole with err, which was handed so many at
// once. It keeps its place before those that come after it, and it is given up on only where the fault is its own: where
// it was alone, or the sink has said that it will never take it.
func (r Retry) afterBatch(d store.Delivery, err error, size int, now time.Time, jitter float64) next {
	n := r.after(d, err, now, jitter)
	if connectors.AsError(err).Kind == connectors.Permanent || n.state == stateDead && size == 1 {
		return n
	}
	n.state, n.due, n.usedAttempt = statePending, d.Due, n.usedAttempt && size == 1
	return n
}

// afterRecord decides the next state of a record that its sink answered by itself. Where the sink wants quiet or is
// unwell, it keeps its place; otherwise others go before it.
func (r Retry) afterRecord(d store.Delivery, err error, now time.Time, jitter float64) next {
	n := r.after(d, err, now, jitter)
	if n.unwell || !n.waitUntil.IsZero() {
		n.due = d.Due
	}
	return n
}

// pause grows exponentially with the number of tries made, spread over its upper half so that deliveries that failed
// together do not return together.
func (r Retry) pause(tries int, jitter float64) time.Duration {
	p := r.Longest
	if shift := max(tries-1, 0); shift < 20 {
		p = min(r.First<<shift, r.Longest)
	}
	return p/2 + time.Duration(jitter*float64(p/2))
}

// ping is the pause before an unwell connection is tried again after so many tries.
func (r Retry) ping(tries int) time.Duration {
	return min(r.First<<min(tries, 16), longestPing)
}

// mayDouble tells for which actions doing them twice differs from doing them once and cannot be told from the answer.
func mayDouble(kind string) bool {
	switch connectors.ActionKind(kind) {
	case connectors.Create, connectors.Decide, connectors.Revoke, connectors.Send:
		return true
	default:
		return false
	}
}

// holds tells whether a delivery of this kind, once dead, keeps its lane closed: what comes after it would make no
// sense, or say the wrong thing, without it. A transition of our own that only brings a ticket in line holds nothing:
// where the workflow knows no way there, the comment that explains it matters all the more.
func holds(kind connectors.ActionKind, purpose string) bool {
	switch kind {
	case connectors.Create, connectors.Decide, connectors.Revoke:
		return true
	case connectors.Transition:
		return purpose == purposeTicket
	default:
		return false
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// The states of a delivery, as the schema's CHECK has them.
const (
	statePending   = "pending"
	stateRunning   = "running"
	stateDelivered = "delivered"
	stateDead      = "dead"
	stateCanceled  = "canceled"
)
