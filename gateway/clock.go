package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const (
	clockLease = "clock"
	clockBatch = 50
)

// setTimers stores what the policy's deadline asks for, when a ticket is planned.
func (g *Gateway) setTimers(ctx context.Context, tx *store.Tx, link store.Link, opened time.Time, event map[string]any) error {
	p, err := g.policyAt(ctx, tx, link.Policy, link.PolicyVersion)
	if err != nil || p == nil {
		return err
	}
	terms, err := p.For(ctx, event)
	if err != nil || terms.Deadline == nil {
		return nil // a policy that fails refuses at the judgement, where it is explained
	}
	d := terms.Deadline
	timers := map[string][]time.Duration{store.TimerRemind: d.Remind}
	if d.After > 0 {
		timers[store.TimerDeadline] = []time.Duration{d.After}
	}
	if d.Deputy != nil {
		timers[store.TimerDeputy] = []time.Duration{d.Deputy.After}
	}
	if d.Second != nil {
		timers[store.TimerSecond] = []time.Duration{d.Second.After}
	}
	for kind, times := range timers {
		for _, after := range times {
			if err := tx.AddTimer(ctx, store.Timer{CaseID: link.CaseID, LinkID: link.ID, Kind: kind, Due: opened.Add(after)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// clockLoop fires timers. One replica does it at a time; a timer is ended in the transaction that acts on it.
func (g *Gateway) clockLoop(ctx context.Context) {
	tick := time.NewTicker(g.poll)
	defer tick.Stop()
	var lease store.Lease
	defer func() {
		if lease.Epoch == 0 {
			return
		}
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = g.store.Release(release, lease) // it runs out by itself
	}()
	var renewAt time.Time
	for ctx.Err() == nil {
		var err error
		if now := time.Now(); lease.Epoch == 0 || now.After(renewAt) {
			var ok bool
			if lease, ok, err = g.acquire(ctx, clockLease); !ok {
				lease = store.Lease{}
			}
			renewAt = now.Add(leaseTTL / 3)
		}
		if lease.Epoch != 0 && err == nil {
			err = g.fireTimers(ctx)
		}
		if err != nil && ctx.Err() == nil {
			g.log.Error("fire timers", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func (g *Gateway) fireTimers(ctx context.Context) error {
	due, err := g.store.DueTimers(ctx, g.now(), clockBatch)
	if err != nil {
		return err
	}
	var faults []error
	for _, t := range due {
		err := g.store.InTx(ctx, func(tx *store.Tx) error { return g.fire(ctx, tx, t) })
		if err != nil && !errors.Is(err, store.ErrConflict) {
			faults = append(faults, fmt.Errorf("timer %s of case %s: %w", t.Kind, t.CaseID, err))
		}
	}
	return errors.Join(faults...)
}

// fire does what one timer stands for, if the case still waits.
func (g *Gateway) fire(ctx context.Context, tx *store.Tx, t store.Timer) error {
	caze, err := tx.LockCase(ctx, t.CaseID)
	if err != nil {
		return err
	}
	if caze.State != caseOpen {
		return tx.EndTimer(ctx, t.ID, "dropped")
	}
	if err := tx.EndTimer(ctx, t.ID, "done"); err != nil {
		return err
	}
	link, err := tx.Link(ctx, t.LinkID)
	if err != nil {
		return err
	}
	d := dossier{caze: caze, link: link}
	event, err := g.openingEvent(ctx, tx, &d)
	if err != nil {
		return err
	}
	p, err := g.policyAt(ctx, tx, link.Policy, link.PolicyVersion)
	if err != nil || p == nil {
		return err
	}
	if d.terms, err = p.For(ctx, event); err != nil {
		// The judgement refuses by the same fault and says so on the ticket.
		return g.note(ctx, tx, d, "timer.failed", map[string]any{"timer": t.Kind, "error": err.Error()})
	}
	if passed(d.terms.Deadline, caze.OpenedAt, t, g.now()) {
		return nil
	}
	if t.Kind == store.TimerDeadline {
		if wait, err := g.unread(ctx, tx, d, t); err != nil || wait {
			return err
		}
	}
	if err := g.note(ctx, tx, d, "timer.fired", map[string]any{"timer": t.Kind, "due": t.Due.UTC(), "terms": d.terms.Name}); err != nil {
		return err
	}
	switch t.Kind {
	case store.TimerRemind:
		return g.comment(ctx, tx, caze.ID, link, purposeClock, t.ID, remindText(d))
	case store.TimerDeputy:
		return g.comment(ctx, tx, caze.ID, link, purposeClock, t.ID, "Nobody has decided so far. From now on the deputies named by the policy may decide as well."+untilText(d))
	case store.TimerSecond:
		return g.openSecond(ctx, tx, d, event)
	default:
		return g.expire(ctx, tx, d, t)
	}
}

// passed tells a timer that has nothing to do any more: the terms do not name its time, or something that comes after
// it has come as well, as when nothing ran for a while.
func passed(d *mapping.Deadline, opened time.Time, t store.Timer, now time.Time) bool {
	if d == nil {
		return true
	}
	end := opened.Add(d.After)
	if t.Kind == store.TimerDeadline {
		return t.Due.Before(end)
	}
	if !now.Before(end) {
		return true
	}
	switch t.Kind {
	case store.TimerDeputy:
		return d.Deputy == nil || !t.Due.Equal(opened.Add(d.Deputy.After))
	case store.TimerSecond:
		return d.Second == nil || !t.Due.Equal(opened.Add(d.Second.After))
	default:
		named := false
		for _, after := range d.Remind {
			due := opened.Add(after)
			named = named || due.Equal(t.Due)
			if due.After(t.Due) && !due.After(now) {
				return true
			}
		}
		return !named
	}
}

func remindText(d dossier) string {
	return fmt.Sprintf("%s still waits for a decision in %s.", nameOr(d.event.Requester, "Somebody"), d.caze.Connection) + untilText(d)
}

// expiresText tells until when the source waits; empty where nobody knows.
func expiresText(source string, e connectors.Event) string {
	if e.Expires.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s waits for a decision until %s.", source, stampText(e.Expires))
}

func untilText(d dossier) string {
	text := ""
	if source := expiresText(d.caze.Connection, d.event); source != "" {
		text = " " + source
	}
	if d.terms.Deadline.After <= 0 {
		return text
	}
	end := " it is left undecided."
	if d.terms.Deadline.Deny {
		end = " it is denied."
	}
	return text + " Without a decision by " + stampText(d.caze.OpenedAt.Add(d.terms.Deadline.After)) + end
}

func nameOr(p connectors.Person, other string) string {
	if name := displayName(p); p != (connectors.Person{}) {
		return name
	}
	return other
}

// openSecond opens a ticket at a second desk by the rule the policy names, as if that rule had matched.
func (g *Gateway) openSecond(ctx context.Context, tx *store.Tx, d dossier, event map[string]any) error {
	r := g.catalogue().rule(d.caze.Connection, d.terms.Deadline.Second.Rule)
	if r == nil || r.Rule().Create == nil {
		return g.note(ctx, tx, d, "timer.failed", map[string]any{"error": "no rule " + d.terms.Deadline.Second.Rule + " of this source creates a ticket any more"})
	}
	links, err := tx.LinksOfCase(ctx, d.caze.ID)
	if err != nil {
		return err
	}
	in := planInput{event: d.event, value: event, eventID: d.link.Opening, caze: d.caze, links: links, source: d.caze.Connection}
	var p plan
	draft, err := r.Draft(ctx, event)
	if err != nil {
		p.failed(in, r, err)
	} else if note := p.owe(in, r, *draft); note != "" {
		return g.note(ctx, tx, d, "timer.failed", map[string]any{"error": note})
	}
	for _, l := range p.links {
		l.CreatedAt = g.now()
		if _, _, err := tx.AddLink(ctx, l); err != nil {
			return err
		}
	}
	for _, delivery := range p.deliveries {
		if err := g.addDelivery(ctx, tx, delivery); err != nil {
			return err
		}
	}
	return g.comment(ctx, tx, d.caze.ID, d.link, purposeClock, "second", "Nobody has decided so far. A ticket was opened at "+r.Rule().Create.At+" as well; the first valid decision counts.")
}

// deadlinePause is how often a deadline that has come looks whether the tickets were read.
const deadlinePause = time.Second

// unread has the tickets of a case read once more before it is denied because nobody decided: somebody may have, in
// time, while we or the desk were down. Until they are read the deadline waits; nothing is granted meanwhile.
func (g *Gateway) unread(ctx context.Context, tx *store.Tx, d dossier, t store.Timer) (wait bool, err error) {
	if !d.terms.Deadline.Deny {
		return false, nil
	}
	links, err := tx.LinksOfCase(ctx, d.caze.ID)
	if err != nil {
		return false, err
	}
	now := g.now()
	first := !t.Due.After(d.caze.OpenedAt.Add(d.terms.Deadline.After))
	for _, l := range live(links) {
		conn := g.catalogue().connections[l.Desk]
		if l.RefID == "" || conn == nil || conn.connector == nil || conn.doc.State == stateDisabled || !conn.reads() {
			continue
		}
		if first {
			if err := g.addChange(ctx, tx, l.Desk, connectors.Change{Ref: connectors.Ref{ID: l.RefID, Key: l.RefKey}}, now); err != nil {
				return false, err
			}
			wait = true
			continue
		}
		_, err := tx.ChangeOf(ctx, l.Desk, l.RefID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		wait = wait || err == nil
	}
	if !wait {
		return false, nil
	}
	return true, tx.AddTimer(ctx, store.Timer{CaseID: t.CaseID, LinkID: t.LinkID, Kind: t.Kind, Due: later(now, t.Due).Add(deadlinePause)})
}

// expire applies the policy's safe default.
func (g *Gateway) expire(ctx context.Context, tx *store.Tx, d dossier, t store.Timer) error {
	now := g.now()
	if !d.terms.Deadline.Deny {
		return g.comment(ctx, tx, d.caze.ID, d.link, purposeClock, t.ID, "The time the policy gives for a decision is over, and nobody has decided. The request is left as it is; a decision made on this ticket has no effect any more.")
	}
	decision := store.Decision{
		ID: store.NewID(), CaseID: d.caze.ID, Outcome: string(connectors.Denied), By: "", ByName: "the policy " + d.terms.Name, Origin: originClock,
		Reason: "Nobody decided in time", Rule: d.link.Rule, RuleVersion: d.link.RuleVersion, Policy: d.link.Policy, PolicyVersion: d.link.PolicyVersion,
		At: now, RecordedAt: now, State: decisionOwed, Detail: mustJSON(map[string]any{"terms": d.terms.Name}),
	}
	if err := g.recordDecision(ctx, tx, d, decision, map[string]any{"terms": d.terms.Name}); err != nil {
		return err
	}
	return g.owePost(ctx, tx, d, decision, connectors.Decide)
}

// rule finds a published rule of a source by name.
func (c *catalogue) rule(source, name string) *rule {
	for _, r := range c.rules[source] {
		if r.Rule().Name == name {
			return r
		}
	}
	return nil
}
