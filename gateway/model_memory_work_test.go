package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// inWay tells whether those behind a delivery in its lane wait for it.
func inWay(d *store.Delivery) bool {
	return d.State == statePending || d.State == stateRunning || (d.State == stateDead && d.Holds)
}

// heads are the first of each lane, where these are pending and nothing of the lane runs: a replayed one may come
// before what runs.
func (c *memoryCase) heads() (some []*store.Delivery) {
	seen := map[string]bool{}
	for _, d := range c.deliveries {
		seen[d.Lane] = seen[d.Lane] || d.State == stateRunning
	}
	for _, d := range c.deliveries {
		if seen[d.Lane] || !inWay(d) {
			continue
		}
		seen[d.Lane] = true
		if d.State == statePending {
			some = append(some, d)
		}
	}
	return some
}

// start takes or renews the lease of a connection, takes back what a former holder left running, claims lane heads
// that are due and takes up changes.
func (m *memory) start(r int, connection string) {
	rep, now := m.replicas[r], m.w.clockOf(r)
	if !m.hold(rep, connection, now) || m.quiet[connection].After(now) {
		return
	}
	if connection != simTool && m.cursors[connection] == "" {
		m.watch(r, connection)
	}
	for _, c := range m.changes {
		under := func(f *flight) bool {
			return f.delivery == nil && f.connection == connection && f.change.RefID == c.RefID
		}
		if c.Connection == connection && !c.Due.After(now) && !slices.ContainsFunc(rep.flights, under) {
			rep.flights = append(rep.flights, &flight{connection: connection, change: *c, epoch: rep.leases[connection].Epoch})
		}
	}
	lease := rep.leases[connection]
	if held := m.leases[connection]; held.Holder != rep.holder || held.Epoch != lease.Epoch {
		return
	}
	for _, c := range m.cases {
		for _, d := range c.heads() {
			if d.Connection != connection || d.Due.After(now) {
				continue
			}
			m.checkLane(c, d)
			d.State, d.Attempts, d.Epoch, d.ClaimedUntil = stateRunning, d.Attempts+1, lease.Epoch, now.Add(2*simTimeout)
			claimed := *d
			rep.flights = append(rep.flights, &flight{connection: connection, delivery: &claimed})
		}
	}
}

// checkLane: one delivery of a lane runs at a time, in seq order.
func (m *memory) checkLane(c *memoryCase, d *store.Delivery) {
	for _, o := range c.deliveries {
		if o.Lane == d.Lane && o != d && (o.State == stateRunning || (o.Seq < d.Seq && inWay(o))) {
			m.w.broken("%s %d runs while %s %d of its lane is %s", d.Kind, d.Seq, o.Kind, o.Seq, o.State)
		}
	}
}

func (m *memory) hold(rep *memoryReplica, connection string, now time.Time) bool {
	l := m.leases[connection]
	if l == nil {
		l = &store.Lease{Name: connection}
		m.leases[connection] = l
	}
	expired := !l.Until.After(m.w.now) // by the clock all agree on
	if l.Holder != rep.holder && !expired {
		return false
	}
	if l.Holder != rep.holder || expired {
		l.Epoch++
	}
	l.Holder, l.Until = rep.holder, m.w.now.Add(leaseTTL)
	if rep.leases[connection].Epoch != l.Epoch {
		for _, c := range m.cases {
			for _, d := range c.deliveries {
				if d.Connection == connection && d.State == stateRunning && d.Epoch < l.Epoch {
					d.State, d.InDoubt, d.Due, d.DoubtUntil = statePending, true, now, d.ClaimedUntil.Add(simLag)
				}
			}
		}
	}
	rep.leases[connection] = *l
	return true
}

func (m *memory) under(r int) int { return len(m.replicas[r].flights) }

// proceed makes the call, or records what came of it.
func (m *memory) proceed(r, n int) {
	rep := m.replicas[r]
	f := rep.flights[n]
	if !f.called {
		f.called = true
		if f.delivery != nil {
			m.call(rep, f)
			return
		}
		m.fetch(f)
		return
	}
	rep.flights = slices.Delete(rep.flights, n, n+1)
	if f.delivery != nil {
		m.record(r, rep, f)
		return
	}
	m.reread(r, f)
}

// call makes one try at a delivery, as worker.try does.
func (m *memory) call(rep *memoryReplica, f *flight) {
	ctx, d := context.Background(), *f.delivery
	m.w.excused = m.w.excused || m.w.now.After(d.ClaimedUntil) // calls do not outlive their claim
	if err := json.Unmarshal(d.Action, &f.action); err != nil {
		m.w.broken("read action: %v", err)
		return
	}
	conn := &connection{connector: m.connector(f.connection), retry: memoryRetry}
	if d.LinkID != "" && f.action.Ref.ID == "" && f.action.Kind != connectors.Create {
		link := m.linkOf(d.LinkID)
		if link.RefID == "" {
			f.err = connectors.Permanently("the ticket was never opened")
			return
		}
		f.action.Ref = connectors.Ref{ID: link.RefID, Key: link.RefKey}
	}
	if d.InDoubt {
		done, settled, err := rep.worker.resolveDoubt(ctx, conn, d, f.action)
		if settled || err != nil {
			f.done, f.err = done, err
			return
		}
	}
	if f.err = overtaken(ctx, conn, f.action); f.err != nil {
		return
	}
	f.done, f.err = connectors.Do(ctx, conn.connector, f.action)
}

// record writes what came of a try and what follows, unless the delivery was taken back.
func (m *memory) record(r int, rep *memoryReplica, f *flight) {
	now := m.w.clockOf(r)
	n := memoryRetry.after(*f.delivery, f.err, now, 0)
	if errors.Is(f.err, errAlready) || errors.Is(f.err, errLooking) || errors.Is(f.err, errOvertaken) {
		n = rep.worker.outcome(&connection{retry: memoryRetry}, *f.delivery, f.err, now)
	}
	m.quiet[f.connection] = later(m.quiet[f.connection], n.waitUntil)
	if n.unwell {
		m.quiet[f.connection] = now.Add(time.Second)
	}
	c := m.caseOf(f.delivery.CaseID)
	var d *store.Delivery
	for _, row := range c.deliveries {
		if row.ID == f.delivery.ID {
			d = row
		}
	}
	if d.State != stateRunning || d.Epoch != f.delivery.Epoch {
		return
	}
	d.State, d.InDoubt, d.DoubtUntil = n.state, n.inDoubt, n.doubtUntil
	if n.state == statePending {
		d.Due = n.due
	}
	if !n.usedAttempt {
		d.Attempts--
	}
	switch {
	case f.action.Kind == connectors.Create && n.state == stateDelivered:
		m.linked(c, d, f.done, now)
	case f.action.Kind == connectors.Update && n.state == stateDelivered:
		link := m.linkOf(d.LinkID)
		link.Baseline = ""
		m.addChange(link.Desk, connectors.Ref{ID: link.RefID}, now)
	case n.state == stateCanceled:
		m.addChange(f.connection, f.action.Ref, now)
	case f.action.Kind == connectors.Decide && n.state != statePending:
		m.posted(c, n)
	}
}

func (m *memory) linked(c *memoryCase, d *store.Delivery, done connectors.Done, now time.Time) {
	link := m.linkOf(d.LinkID)
	if link.RefID != "" && link.RefID != done.Ref.ID {
		m.w.broken("a link was moved to another ticket")
	}
	link.RefID, link.RefKey, link.State = done.Ref.ID, done.Ref.Key, linkLinked
	for _, twin := range done.Twins {
		m.closeTwin(c, *link, twin)
	}
	m.addChange(link.Desk, done.Ref, now)
}

func (m *memory) closeTwin(c *memoryCase, first store.Link, ref connectors.Ref) {
	slot := "twin/" + ref.ID
	if m.linkAt(c.ID, first.Desk, slot) != nil {
		return
	}
	key := shortHash(first.ID, "twin", ref.ID)
	twin := store.Link{ID: "lnk-" + key, CaseID: c.ID, Desk: first.Desk, Slot: slot, Key: key, RefID: ref.ID, RefKey: ref.Key, Rule: first.Rule, Opening: first.Opening, State: linkTwin}
	m.links = append(m.links, &twin)
	in := planInput{caze: c.Case, eventID: first.Opening}
	var p plan
	rule := m.lib.rules[first.Rule]
	if status, fields, ok := settleTwin(rule); ok {
		p.add(in, rule, twin, store.Delivery{Purpose: purposeTwin}, connectors.Action{Kind: connectors.Transition, Ref: ref, Move: &connectors.Move{Status: status, Fields: fields}})
	}
	p.add(in, nil, twin, store.Delivery{Purpose: purposeTwin}, connectors.Action{Kind: connectors.Comment, Ref: ref, Note: &connectors.Note{Key: key, Body: "This ticket was opened a second time."}})
	for _, d := range p.deliveries {
		m.addDelivery(c, d)
	}
}

func (m *memory) posted(c *memoryCase, n next) {
	c.decision.State = decisionPosted
	if n.state == stateDead {
		c.decision.State = decisionRefused
	} else {
		c.State = caseClosed
	}
	if link := m.linkOf(c.decision.LinkID); link != nil {
		m.comment(c, *link, c.decision.ID+c.decision.State, "what became of it")
	}
	for _, l := range m.linksOf(c) {
		if n.state == stateDelivered && l.State == linkLinked {
			m.addChange(l.Desk, connectors.Ref{ID: l.RefID}, m.w.now)
		}
	}
}

func (m *memory) comment(c *memoryCase, l store.Link, mark, text string) {
	m.addDelivery(c, owed(store.Delivery{LinkID: l.ID, Lane: l.ID, Connection: l.Desk},
		connectors.Action{Kind: connectors.Comment, Note: &connectors.Note{Key: shortHash(l.ID, mark), Body: text}}))
}
