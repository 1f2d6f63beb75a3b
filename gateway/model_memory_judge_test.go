package gateway

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/judge"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// fetch reads a ticket that is said to have moved, and the groups of everybody in it where the policy names groups.
func (m *memory) fetch(f *flight) {
	ctx := context.Background()
	link := m.link(func(l *store.Link) bool { return l.Desk == f.connection && l.RefID == f.change.RefID })
	if link != nil && link.State != linkLinked {
		return
	}
	if f.snapshot, f.err = connectors.Fetch(ctx, m.connector(f.connection), connectors.Ref{ID: f.change.RefID}); f.err != nil || link == nil {
		return
	}
	if f.err = m.askGroups(f, *link); f.err != nil {
		return
	}
	c := m.caseOf(link.CaseID)
	f.votes = len(c.votes)
	terms, _ := m.lib.policies[link.Policy].For(ctx, c.opening) // where it fails nobody decides
	f.all = terms.DenyByQuorum
	for _, o := range m.linksOf(c) {
		if o.ID == link.ID || o.State != linkLinked || !f.all && !slices.ContainsFunc(c.votes, func(v store.Vote) bool { return v.LinkID == o.ID }) {
			continue
		}
		other := &flight{connection: o.Desk, change: store.Change{RefID: o.RefID}}
		if other.snapshot, f.missing = connectors.Fetch(ctx, m.connector(o.Desk), connectors.Ref{ID: o.RefID}); f.missing != nil {
			return
		}
		if f.missing = m.askGroups(other, *o); f.missing != nil {
			return
		}
		f.others = append(f.others, other)
	}
}

// askGroups asks for the groups of everybody in a ticket where the policy names groups.
func (m *memory) askGroups(f *flight, link store.Link) (err error) {
	if !m.lib.policies[link.Policy].UsesGroups() {
		return nil
	}
	f.groups = groupsOf{}
	for _, by := range actors(f.snapshot) {
		if by.Ours || by.Automation {
			continue
		}
		if f.groups[by.Account], err = m.w.desks[f.connection].Groups(context.Background(), by.Account); err != nil {
			return err
		}
	}
	return nil
}

// reread acts on a ticket as it was fetched.
func (m *memory) reread(r int, f *flight) {
	now := m.w.clockOf(r)
	if m.leases[f.connection].Epoch != f.epoch {
		return // the lease has passed on
	}
	link := m.link(func(l *store.Link) bool { return l.Desk == f.connection && l.RefID == f.change.RefID })
	switch {
	case link != nil && link.State != linkLinked:
		m.doneChange(f.change)
	case f.err != nil && strings.Contains(f.err.Error(), connectors.ErrNotFound.Error()):
		if link != nil {
			link.State = linkGone
		}
		m.doneChange(f.change)
	case f.err != nil:
		m.postponeChange(f.change, now.Add(changePause))
	case link == nil:
		m.stranger(f, now)
	default:
		if !m.judge(r, *link, f) {
			m.postponeChange(f.change, now.Add(changePause))
			return
		}
		m.doneChange(f.change)
	}
}

// stranger handles a ticket no link points at.
func (m *memory) stranger(f *flight, now time.Time) {
	link := m.link(func(l *store.Link) bool { return l.Key == f.snapshot.Key })
	if f.snapshot.Key == "" || link == nil || !f.snapshot.Ours {
		m.doneChange(f.change)
		return
	}
	c := m.caseOf(link.CaseID)
	if link.RefID != "" {
		m.closeTwin(c, *link, f.snapshot.Ref)
		m.doneChange(f.change)
		return
	}
	for _, d := range c.deliveries {
		if d.LinkID != link.ID || d.Kind != string(connectors.Create) {
			continue
		}
		if d.State == stateRunning {
			m.postponeChange(f.change, now.Add(time.Second))
			return
		}
		d.State, d.InDoubt = stateDelivered, false
		m.linked(c, d, connectors.Done{Ref: f.snapshot.Ref, Found: true}, now)
	}
	m.doneChange(f.change)
}

// watch asks a desk what changed since the cursor.
func (m *memory) watch(r int, desk string) {
	if !m.hold(m.replicas[r], desk, m.w.clockOf(r)) {
		return
	}
	changes, next, err := m.w.desks[desk].Watch(context.Background(), connectors.Cursor(m.cursors[desk]), nil)
	if err != nil {
		return
	}
	if m.cursors[desk] == "" { // what happened before is not known: every open ticket is read
		for _, l := range m.links {
			if l.Desk == desk && l.State == linkLinked {
				m.addChange(desk, connectors.Ref{ID: l.RefID}, m.w.clockOf(r))
			}
		}
	}
	for _, c := range changes {
		if !m.notices[c.ID] {
			m.notices[c.ID] = true
			m.addChange(desk, c.Ref, m.w.clockOf(r))
		}
	}
	m.cursors[desk] = string(next)
}

// evidence is a ticket as the judgement sees it.
func (m *memory) evidence(link store.Link, terms mapping.Terms, f *flight) judge.Evidence {
	rule := m.lib.rules[link.Rule]
	e := judge.Evidence{
		Link: link.ID, Key: link.Key, RefID: link.RefID, Baseline: link.Baseline, Snapshot: f.snapshot, Movers: map[string]judge.Mover{}, Matters: terms.Matters,
		Spoiled: m.caseOf(link.CaseID).spoiled[link.ID],
		Holds:   func(ticket map[string]any) (mapping.Verdict, error) { return rule.Decide(context.Background(), ticket) },
		Duration: func(ticket map[string]any) (bool, time.Duration, error) {
			return rule.Duration(context.Background(), ticket)
		},
		Reason: func(ticket map[string]any) (string, error) { return rule.Reason(context.Background(), ticket) },
	}
	for _, by := range actors(f.snapshot) {
		e.Movers[by.Account] = judge.Mover{Person: m.person(by.Name), Groups: f.groups[by.Account]}
	}
	return e
}

// judge gathers what the production judgement looks at, calls it and records what it says. It is false where the ticket
// must be judged again.
func (m *memory) judge(r int, link store.Link, f *flight) bool {
	ctx, c := context.Background(), m.caseOf(link.CaseID)
	terms, err := m.lib.policies[link.Policy].For(ctx, c.opening)
	if err != nil {
		m.w.broken("policy: %v", err)
		return true
	}
	in := judge.Input{Opened: c.OpenedAt, Waiting: c.State == caseOpen, Terms: terms,
		Requester: m.person(c.requester.Name), Aliases: []string{c.requester.Account, c.requester.Mail},
		Admit: func(a mapping.Approvers, actor mapping.Actor, ticket map[string]any) (bool, error) {
			return a.Admit(ctx, actor, c.opening, ticket)
		},
		Ticket: m.evidence(link, terms, f),
	}
	if link.Baseline == "" && !judge.Edited(f.snapshot.History, terms.Matters) && m.change(f.change) != nil {
		m.linkOf(link.ID).Baseline = judge.Content(f.snapshot, terms.Matters)
	}
	if c.decision != nil {
		in.Decided = &judge.Decided{Outcome: judge.Outcome(c.decision.Outcome), Link: c.decision.LinkID, Claim: c.decision.Claim, Posted: c.decision.State == decisionPosted || c.decision.State == decisionTold, Revoked: c.revoked}
	}
	for _, o := range f.others {
		if other := m.link(func(l *store.Link) bool { return l.Desk == o.connection && l.RefID == o.change.RefID }); other.State == linkLinked {
			in.Others = append(in.Others, m.evidence(*other, terms, o))
		}
	}
	v := judge.Judge(in)
	if v.Code == judge.ContentChanged && updating(c.owes(), link.ID) {
		return false
	}
	if v.Outcome == judge.Counted && (f.missing != nil || len(c.votes) != f.votes) {
		return false
	}
	if f.all && f.missing != nil && (v.Outcome == judge.Approved || v.Outcome == judge.Denied) {
		return false
	}
	m.heed(c, link, terms, v, f.snapshot)
	return true
}

func (m *memory) person(name string) string {
	if name == "kim" || name == "lee" || name == "dan" || name == "max" || name == "ana" {
		return name
	}
	return ""
}

// heed records a verdict.
func (m *memory) heed(c *memoryCase, link store.Link, terms mapping.Terms, v judge.Verdict, seen connectors.Snapshot) {
	m.w.note("  judged %s: %s %s %s", link.RefKey, v.Outcome, v.Code, v.Text)
	key := link.ID + v.Claim + string(v.Code)
	switch v.Outcome {
	case judge.Wait:
	case judge.Counted:
		id := shortHash(link.ID, v.Claim)
		for _, known := range c.votes {
			if known.ID == id {
				return
			}
		}
		c.votes = append(c.votes, store.Vote{ID: id, LinkID: link.ID, Person: v.By, Account: v.Account, Outcome: string(v.Said), At: v.At})
		m.comment(c, link, key, v.Text)
	case judge.Refused:
		if c.refusals[key] {
			return
		}
		c.refusals[key] = true
		if v.Code == judge.ContentChanged {
			c.spoiled[link.ID] = append(c.spoiled[link.ID], v.Claim)
		}
		c.starved = c.starved || v.Code == judge.ConditionFailed
		m.comment(c, link, key, v.Text)
		if terms.MoveBack != "" && c.State == caseOpen {
			m.addDelivery(c, owed(store.Delivery{LinkID: link.ID, Lane: link.ID, Connection: link.Desk}, connectors.Action{Kind: connectors.Transition, Move: &connectors.Move{Status: terms.MoveBack, After: lastMove(seen)}}))
		}
	case judge.Revoked:
		c.revoked = true
		m.post(c, link, store.Decision{Outcome: string(connectors.Denied), By: v.By}, connectors.Revoke)
	default:
		m.decide(c, link, store.Decision{LinkID: link.ID, Outcome: string(v.Outcome), By: v.By, Origin: originDesk, Claim: v.Claim, Length: v.Length})
	}
}

func (m *memory) decide(c *memoryCase, link store.Link, d store.Decision) {
	if c.decision != nil {
		m.w.broken("a second decision for one case was recorded")
	}
	d.ID, d.CaseID, d.State = m.id("d"), c.ID, decisionOwed
	c.decision, c.State = &d, caseDecided
	m.dropTimers(c)
	in := planInput{caze: c.Case, source: simTool, opened: map[string]*rule{}}
	var p plan
	for _, l := range m.linksOf(c) {
		if l.ID != d.LinkID && l.State != linkTwin && l.State != linkGone {
			in.opened[l.ID] = m.lib.rules[l.Rule]
			p.settle(in, *l, d.Outcome, "decided elsewhere")
		}
	}
	for _, delivery := range p.deliveries {
		m.addDelivery(c, delivery)
	}
	m.post(c, link, d, connectors.Decide)
}

func (m *memory) post(c *memoryCase, link store.Link, d store.Decision, kind connectors.ActionKind) {
	m.addDelivery(c, owed(store.Delivery{Connection: simTool, Lane: c.ID, DecisionID: d.ID}, connectors.Action{Kind: kind, Decision: &connectors.Decision{
		RequestID: c.RequestID, Outcome: connectors.Outcome(d.Outcome), By: connectors.Person{Account: d.By}, Duration: connectors.Duration{Length: d.Length}, Ticket: connectors.Ref{ID: link.RefID, Key: link.RefKey},
	}}))
}

// fire is the policy's deadline. Before it denies, the tickets are read once more.
func (m *memory) fire(r int, t store.Timer) {
	c, link := m.caseOf(t.CaseID), m.linkOf(t.LinkID)
	if c.State != caseOpen {
		return
	}
	terms, err := m.lib.policies[link.Policy].For(context.Background(), c.opening)
	if err != nil {
		m.w.broken("policy: %v", err)
		return
	}
	if !terms.Deadline.Deny {
		m.comment(c, *link, "deadline", "the time is over")
		return
	}
	wait, now := false, m.w.clockOf(r)
	for _, l := range m.linksOf(c) {
		if l.State != linkLinked {
			continue
		}
		if !t.Due.After(c.OpenedAt.Add(terms.Deadline.After)) {
			m.addChange(l.Desk, connectors.Ref{ID: l.RefID}, now)
		}
		for _, row := range m.changes {
			wait = wait || (row.Connection == l.Desk && row.RefID == l.RefID)
		}
	}
	if wait {
		t.Due = later(now, t.Due).Add(deadlinePause)
		m.timersOf = append(m.timersOf, &t)
		return
	}
	m.w.note("  the deadline of %s has come", link.ID)
	m.decide(c, *link, store.Decision{Outcome: string(connectors.Denied), Origin: originClock})
}
