package elimity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Follows is for how long after an approval the data is asked whether the change was made.
func (c *checking) Follows() time.Duration { return c.config.Check.Follow }

// Poll looks in the data for the effect of each change and tells of those it finds made, with what shows it. Only data
// that was reloaded since the decision, or the request where there is none, counts. A change that cannot be looked for
// does not keep Poll from the others.
func (c *checking) Poll(ctx context.Context, about []connectors.Decision) ([]connectors.Event, error) {
	var found []connectors.Event
	var unread error
	var sources []sourceInfo
	for _, d := range about {
		if d.Outcome == connectors.Denied || d.IDs[fieldEffect] == "" {
			continue
		}
		if sources == nil {
			var err error
			if sources, err = c.sources(ctx); err != nil {
				return nil, err
			}
		}
		wanted, err := readEffect(d.IDs[fieldEffect])
		at, there := time.Time{}, false
		if err == nil {
			at, there, err = c.taken(ctx, sources, wanted, d.At)
		}
		switch {
		case err != nil && connectors.AsError(err).Alone():
			unread = errors.Join(unread, err)
		case err != nil:
			return found, err
		case there:
			found = append(found, made(d, wanted, at))
		}
	}
	return found, unread
}

// made is an event about a change that was found to be made.
func made(d connectors.Decision, e effect, at time.Time) connectors.Event {
	stamp := at.UTC().Format(time.RFC3339)
	return connectors.Event{
		Kind: connectors.ChangeMade, RequestID: d.RequestID, Time: at.UTC(),
		Subject: connectors.Clean(e.shown()+", in data reloaded at "+stamp, 300),
		Data:    map[string]any{fieldEffect: d.IDs[fieldEffect], "reloadedAt": stamp},
	}
}

// shown is what the data shows once an effect is there.
func (e effect) shown() string {
	switch e.Do {
	case doRemove:
		return e.Entity.ID + " is gone or inactive"
	case doUnlink:
		return fmt.Sprintf("%s and %s are not linked", e.Entity.ID, e.Other.ID)
	case doLink:
		return fmt.Sprintf("%s and %s are linked", e.Entity.ID, e.Other.ID)
	default:
		return fmt.Sprintf("%s of %s is as asked for", e.Attribute, e.Entity.ID)
	}
}
