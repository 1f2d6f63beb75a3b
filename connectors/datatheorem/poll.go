package datatheorem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// listed is how long a violation is open before its absence from the list can mean anything.
const listed = time.Hour

// Poll tells of findings that were closed: a violation that is an exception by now, which is read from the list of
// violations, once for all of them; and a mobile finding target by its status. A finding that cannot be read does not
// keep Poll from the others.
func (a *asking) Poll(ctx context.Context, about []connectors.Decision) ([]connectors.Event, error) {
	open := map[string]connectors.Decision{} // violations, by id in lower case
	var found []connectors.Event
	var unread error
	for _, d := range about {
		if d.Kind != connectors.FindingOpened || d.Outcome != connectors.Pending || !plain(d.RequestID) {
			continue
		}
		if d.IDs[fieldFindingID] == "" {
			open[strings.ToLower(d.RequestID)] = d
			continue
		}
		kind, status, err := a.target(ctx, d.RequestID)
		switch {
		case errors.Is(err, connectors.ErrNotFound):
		case err != nil && connectors.AsError(err).Alone():
			unread = errors.Join(unread, err)
		case err != nil:
			return found, err
		case kind != connectors.FindingOpened:
			found = append(found, closed(d, kind, "status "+status, map[string]any{"id": d.RequestID, "status": status}))
		}
	}
	if len(open) == 0 {
		return found, unread
	}
	whole, err := a.violations(ctx, func(v violation) (enough bool) {
		id := strings.ToLower(v.ID)
		d, ok := open[id]
		if ok && v.excepted() {
			found = append(found, closed(d, connectors.FindingDismissed, fmt.Sprintf("exception %v", v.ExceptionType), v))
		}
		delete(open, id)
		return len(open) == 0
	})
	if whole && a.config.Violations.MissingIsResolved {
		for _, d := range open {
			if a.now().Sub(d.At) >= listed {
				found = append(found, closed(d, connectors.FindingResolved, "", map[string]any{"id": d.RequestID, "listed": false}))
			}
		}
	}
	return found, errors.Join(unread, err)
}

// closed is an event about a finding, with what showed it as its body.
func closed(d connectors.Decision, kind, why string, shown any) connectors.Event {
	body, _ := json.Marshal(shown) // made of texts, or read from JSON
	e := connectors.Event{
		Kind: kind, RequestID: d.RequestID, Reason: connectors.Clean(why, 200), Data: map[string]any{"uuid": d.RequestID},
		Part: &connectors.Part{Body: body, ContentType: "application/json"},
	}
	if id := d.IDs[fieldFindingID]; id != "" {
		e.Data[fieldFindingID] = id
	}
	return e
}
