package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// finding closes the case of a finding that is resolved or dismissed, and opens it when the finding opens again. What
// becomes of the ticket is the rules' to say.
func (p *plan) finding(in planInput) {
	if in.caze.ID == "" || in.decision != nil {
		return
	}
	switch {
	case closes(in.event.Kind):
		p.caseState = caseClosed
	case in.reopened():
		p.caseState = caseOpen
	}
}

func closes(kind string) bool {
	return kind == connectors.FindingResolved || kind == connectors.FindingDismissed
}

// reopened tells a finding that opens again from one whose opening is told of late: that was before it was closed.
func (in planInput) reopened() bool {
	return in.event.Kind == connectors.FindingOpened && in.caze.State == caseClosed && in.decision == nil &&
		!in.closed.IsZero() && !happened(in.event, in.received).Before(in.closed)
}

// happened is when the source says an event was, or else when it arrived.
func happened(e connectors.Event, received time.Time) time.Time {
	if e.Time.IsZero() {
		return received
	}
	return e.Time
}

// reopen owes the ticket of a finding that opens again its way back, or where the rule's time for that is over, a new
// ticket beside it.
func (p *plan) reopen(in planInput, r *rule, link store.Link, d mapping.Draft) string {
	how := r.Rule().Create.Reopen
	if link.State != linkGone && how.Covers(happened(in.event, in.received).Sub(in.closed)) {
		p.add(in, r, link, store.Delivery{Purpose: purposeTicket}, connectors.Action{Kind: connectors.Transition, Move: &connectors.Move{Status: how.Status}})
		p.add(in, r, link, store.Delivery{Purpose: purposeTicket}, connectors.Action{Kind: connectors.Comment, Note: &connectors.Note{
			Key: shortHash(link.ID, in.eventID, "reopened"), Body: escape(in.source + " reports that this has opened again."),
		}})
		return "the finding has opened again, and so does its ticket"
	}
	d.Slot = nextTurn(link.Slot, d.Slot)
	if link.RefKey != "" {
		d.Description = fmt.Sprintf("This has opened again. The ticket it had before is **%s**.\n\n%s", escape(link.RefKey), d.Description)
	}
	next := newLink(in, r, d)
	p.links = append(p.links, next)
	p.add(in, r, next, store.Delivery{Purpose: purposeTicket}, action(d, next))
	p.attach(in, r, next, d)
	return "the finding has opened again, too late for its ticket to open again"
}

// again marks the slots of a finding's later tickets: the second one in slot audit is in audit/again/2.
const again = "/again/"

// turn tells the how manieth ticket of a slot is in the slot given, 0 where it belongs to another.
func turn(have, slot string) int {
	if have == slot {
		return 1
	}
	number, ok := strings.CutPrefix(have, slot+again)
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 2 {
		return 0
	}
	return n
}

func nextTurn(have, slot string) string { return slot + again + strconv.Itoa(turn(have, slot)+1) }

// closedAt is when a finding was last said to be closed, before the event given; zero where it never was.
func (g *Gateway) closedAt(ctx context.Context, tx *store.Tx, e store.Event) (last time.Time, err error) {
	events, err := tx.EventsOfCase(ctx, e.CaseID)
	if err != nil {
		return last, err
	}
	for _, one := range events {
		if one.ID == e.ID {
			break
		}
		if !closes(one.Kind) {
			continue
		}
		var normal connectors.Event
		if err := json.Unmarshal(one.Normal, &normal); err != nil {
			return last, fmt.Errorf("read stored event %s: %w", one.ID, err)
		}
		if at := happened(normal, one.ReceivedAt); at.After(last) {
			last = at
		}
	}
	return last, nil
}
