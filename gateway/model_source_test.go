package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// simRequest is one request as its source knows it.
type simRequest struct {
	id        string
	requester string // a person's name; ghost is nobody known
	state     connectors.Outcome
	revoked   bool
	itself    bool      // the source decided, or let it end, without us
	opened    time.Time // when we accepted the first event of it; zero before

	basis   map[string][]string // outcome to those on whose word it was right at some time
	posted  []connectors.Outcome
	accepts int
}

// simSource is the tool that asks and is told decisions.
type simSource struct{ w *simWorld }

func (s simSource) Ping(context.Context) error { return nil }

func (s simSource) Decide(_ context.Context, d connectors.Decision) (err error) {
	w := s.w
	r := w.request(d.RequestID)
	if r == nil {
		w.broken("a decision was posted for %s, which nobody asked for", d.RequestID)
		return connectors.Permanently("%w", connectors.ErrNotFound)
	}
	failed := w.call(simTool, func() {
		w.note("  posted %s by %s for %s", d.Outcome, d.By.Account, strings.TrimPrefix(r.id, w.prefix))
		w.checkPost(r, d)
		switch {
		case r.state == connectors.Pending:
			r.state = d.Outcome
			r.accepts++
			w.mail = append(w.mail, r.decided(w, "echo"))
		case r.state != d.Outcome || w.shape.Strict:
			err = connectors.Permanently("the request is %s already", r.state)
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

func (s simSource) Revoke(_ context.Context, d connectors.Decision) error {
	return s.w.call(simTool, func() {
		s.w.note("  revoked by %s", d.By.Account)
		s.w.checkRevoke(s.w.request(d.RequestID), d)
	})
}

func (s simSource) State(_ context.Context, d connectors.Decision) (connectors.State, error) {
	if !s.w.shape.Asks {
		return connectors.State{}, connectors.Permanently("state: %w", connectors.ErrUnsupported)
	}
	r := s.w.request(d.RequestID)
	var state connectors.State
	err := s.w.ask(simTool, func() { state.Outcome = r.state })
	return state, err
}

func (w *simWorld) request(id string) *simRequest {
	for _, r := range w.requests {
		if r.id == id {
			return r
		}
	}
	return nil
}

func (r *simRequest) event(w *simWorld, kind, mark string) connectors.Event {
	e := connectors.Event{
		Dedupe: r.id + "/" + mark, Kind: kind, RequestID: r.id, Subject: simPolicies[w.shape.Policy].name, Severity: "one", Time: w.now,
		Requester: connectors.Person{Account: `CORP\` + r.requester, Name: r.requester},
	}
	if w.shape.Both {
		e.Severity = "both"
	}
	return e
}

// decided is the event that tells what became of the request.
func (r *simRequest) decided(w *simWorld, mark string) connectors.Event {
	kind := connectors.AccessApproved
	if r.state == connectors.Denied {
		kind = connectors.AccessDenied
	}
	e := r.event(w, kind, mark)
	e.Decision = &connectors.Told{Outcome: r.state, By: connectors.Person{Name: "an administrator"}, At: w.now}
	return e
}

// open opens a request at the source.
func (w *simWorld) open(requester string) {
	r := &simRequest{id: fmt.Sprintf("%sr%d", w.prefix, len(w.requests)+1), requester: requester, state: connectors.Pending, basis: map[string][]string{}}
	w.requests = append(w.requests, r)
	w.mail = append(w.mail, r.event(w, connectors.AccessRequested, "asked"))
}

// checkPost is asked at every post that reaches the source, whatever its answer.
func (w *simWorld) checkPost(r *simRequest, d connectors.Decision) {
	if len(r.posted) > 0 && !slices.Contains(r.posted, d.Outcome) {
		w.broken("two decisions were posted for one request: %v and then %s", r.posted, d.Outcome)
	}
	r.posted = append(r.posted, d.Outcome)
	t := w.at(d.Ticket)
	switch {
	case d.By.Account == "":
		p := simPolicies[w.shape.Policy]
		if d.Outcome != connectors.Denied || !p.deny || w.now.Add(2*simSkew).Before(r.opened.Add(p.after)) {
			w.broken("%s was posted on nobody's word", d.Outcome)
		}
		if right := w.standing(r, w.readable(r)); right != "" {
			w.broken("the clock denied what was %s in time", right)
		}
	case t == nil || t.request != r || !t.ours:
		w.broken("%s was posted for a ticket that is not the request's: %v", d.Outcome, d.Ticket)
	case !slices.Contains(r.basis[string(d.Outcome)], d.By.Account):
		w.broken("%s was posted on the word of %s, which was never enough (it was on that of %v)", d.Outcome, d.By.Account, r.basis[string(d.Outcome)])
	case d.Outcome == connectors.Approved && d.Duration.Length > 0 && !t.choseHours(d.Duration.Length):
		w.broken("%s was posted, and nobody who approved chose that", d.Duration.Length)
	}
}

// readable are the tickets of a request that the bridge has read, without those of desks that have a second one.
func (w *simWorld) readable(r *simRequest) (some []*simTicket) {
	at := map[string]int{}
	for _, t := range w.tickets {
		if t.request == r && t.ours {
			at[t.desk.name]++
		}
	}
	for _, t := range w.tickets {
		if t.request == r && t.ours && t.read && at[t.desk.name] == 1 {
			some = append(some, t)
		}
	}
	return some
}

func (w *simWorld) checkRevoke(r *simRequest, d connectors.Decision) {
	if r != nil {
		w.weigh(r)
	}
	switch {
	case r == nil || r.state != connectors.Approved:
		w.broken("access was taken back that was never granted")
	case !slices.Contains(r.basis["revoked"], d.By.Account):
		w.broken("access was taken back on the word of %s, who may not", d.By.Account)
	default:
		r.revoked = true
	}
}

func (w *simWorld) at(ref connectors.Ref) *simTicket {
	for _, t := range w.tickets {
		if t.ref().ID == ref.ID {
			return t
		}
	}
	return nil
}
