package zendesk

import (
	"context"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// audits reads a ticket's whole history, oldest first.
func (c *connector) audits(ctx context.Context, id string) ([]audit, error) {
	var out []audit
	seen := map[looseID]bool{}
	err := list(ctx, c, "read history", "tickets/"+id+"/audits", "audits", func(a audit) {
		if !seen[a.ID] { // pages may shift while they are read
			out = append(out, a)
		}
		seen[a.ID] = true
	})
	if err != nil {
		return nil, err
	}
	for _, a := range out {
		if a.ID == "" || a.Created.IsZero() {
			return nil, connectors.Temporarily("read history: an entry has no id or time")
		}
	}
	slices.SortStableFunc(out, func(a, b audit) int {
		if n := a.Created.Compare(b.Created); n != 0 {
			return n
		}
		return byNumber(string(a.ID), string(b.ID))
	})
	return out, nil
}

// channel is how an event came about: its own way, or that of the audit it is part of.
func channel(a audit, e event) via {
	switch {
	case e.Via != nil:
		return *e.Via
	case a.Via != nil:
		return *a.Via
	default:
		return via{}
	}
}

// fieldNames are the fields that have a name of their own in a snapshot.
var fieldNames = map[string]string{"subject": "summary", "status": statusField, "custom_status_id": statusField}

const statusField = "status"

// telling turns audits into steps.
type telling struct {
	statuses statuses
	by       func(a audit, e event) connectors.Account
	at       standing // where the ticket stood after what was told
	out      []connectors.Step
}

// steps are the changed fields. What a ticket was opened with is no step. A move between custom statuses of two
// categories is two events of one audit, and one step. end is where the history leads.
func steps(audits []audit, now standing, all statuses, by func(a audit, e event) connectors.Account) (out []connectors.Step, end standing) {
	t := telling{statuses: all, by: by, at: first(audits, now)}
	for _, a := range audits {
		for i := 0; i < len(a.Events); i++ {
			e := a.Events[i]
			switch {
			case e.Type != "Change" || e.Field == "":
			case fieldNames[e.Field] == statusField:
				i = t.move(a, i)
			default:
				t.add(a, e, text(e.Previous), text(e.Value))
			}
		}
	}
	return t.out, t.at
}

// first is where a ticket stood when it was opened: what the first audit says, or else what the first move led away from.
func first(audits []audit, now standing) standing {
	at, word, custom := now, false, false
	take := func(field, value string) {
		if field == "status" && !word {
			at.word, word = value, true
		}
		if field == "custom_status_id" && !custom {
			at.custom, custom = looseID(value), true
		}
	}
	for _, a := range audits {
		for _, e := range a.Events {
			switch e.Type {
			case "Create":
				take(e.Field, text(e.Value))
			case "Change":
				take(e.Field, text(e.Previous))
			}
		}
	}
	return at
}

// move tells one move, which begins with event i, and returns the last event that is part of it.
func (t *telling) move(a audit, i int) int {
	before, e := t.at, a.Events[i]
	t.set(e)
	last := i
	for next := i + 1; next < len(a.Events); next++ {
		other := a.Events[next]
		if other.Type != "Change" || fieldNames[other.Field] != statusField {
			continue
		}
		if other.Field != e.Field && next == i+1 && channel(a, other) == channel(a, e) {
			t.set(other)
			last = next
		}
		break
	}
	if from, to := t.statuses.name(before), t.statuses.name(t.at); from != to {
		t.add(a, e, from, to)
	}
	return last
}

// set follows one event. Where the category changes alone, Zendesk takes its default status.
func (t *telling) set(e event) {
	if e.Field == "custom_status_id" {
		t.at.custom = looseID(text(e.Value))
		for _, s := range t.statuses {
			if s.ID == t.at.custom {
				t.at.word = s.Category
			}
		}
		return
	}
	t.at.word = text(e.Value)
}

func (t *telling) add(a audit, e event, from, to string) {
	field := e.Field
	if name, ok := fieldNames[field]; ok {
		field = name
	}
	t.out = append(t.out, connectors.Step{
		ID: string(a.ID) + "/" + string(e.ID), At: a.Created.UTC(), By: t.by(a, e), Field: field, From: from, To: to,
	})
}
