package apono

import (
	"context"
	"errors"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// failed is the one status in which a request ended without having run out.
const failed = "failed"

// polled are the triggers whose webhooks would have told of a state, by the outcome it means.
var polled = map[connectors.Outcome]struct{ kind, trigger string }{
	connectors.Approved: {connectors.AccessApproved, "RequestApproved"},
	connectors.Denied:   {connectors.AccessDenied, "RequestRejected"},
	connectors.Expired:  {connectors.AccessExpired, "RequestExpired"},
}

// Poll reads each access request and tells what its webhooks would have: that it was decided at Apono, expired or
// failed. By whom and when, Apono does not say here. One that is not found, cannot be told
// or is not understood does not keep Poll from the others; a fault that concerns them all ends it. With settings.state.path empty nothing is asked.
func (a *account) Poll(ctx context.Context, about []connectors.Decision) ([]connectors.Event, error) {
	if a.config.State.Path == "" {
		return nil, nil
	}
	var found []connectors.Event
	var unread error
	for _, d := range about {
		if d.Kind != connectors.AccessRequested || d.Outcome != connectors.Pending {
			continue
		}
		s, err := a.standing(ctx, d)
		switch {
		case errors.Is(err, connectors.ErrNotFound):
		case err != nil && connectors.AsError(err).Alone():
			unread = errors.Join(unread, err)
		case err != nil:
			return found, err
		case s.outcome != connectors.Pending:
			found = append(found, s.event(d))
		}
	}
	return found, unread
}

// event is what a webhook about a request in this state would have become.
func (s standing) event(d connectors.Decision) connectors.Event {
	as := polled[s.outcome]
	if s.word == failed {
		as.kind, as.trigger = connectors.AccessFailed, "RequestFailed"
	}
	e := connectors.Event{
		Kind: as.kind, Type: as.trigger, RequestID: d.RequestID, Data: map[string]any{"id": d.RequestID, "event_type": as.trigger},
		Part: &connectors.Part{Body: s.answer, ContentType: "application/json"},
	}
	if id := d.IDs[friendlyIDName]; id != "" {
		e.Data[friendlyIDName] = id
	}
	if s.outcome == connectors.Approved || s.outcome == connectors.Denied {
		e.Decision = &connectors.Told{Outcome: s.outcome}
	}
	return e
}
