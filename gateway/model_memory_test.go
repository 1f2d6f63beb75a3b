package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// memory is the bridge in memory: tables as the store has them, and around them the production plan, retry, doubt and
// judgement. It stands for the store and the loops; whether these behave like it is what the other machine is for.
type memory struct {
	w        *simWorld
	lib      *modelLibrary
	events   []*memoryEvent
	known    map[string]bool // dedupes
	cases    []*memoryCase
	links    []*store.Link
	leases   map[string]*store.Lease
	quiet    map[string]time.Time // connections that asked for quiet
	changes  []*store.Change
	claims   int64 // that a ticket moved
	notices  map[string]bool
	cursors  map[string]string
	timersOf []*store.Timer
	ids      int
	holders  int
	replicas [2]*memoryReplica
}

type memoryEvent struct {
	store.Event
	event connectors.Event
	value map[string]any
}

type memoryCase struct {
	store.Case
	requester  connectors.Person
	opening    map[string]any
	deliveries []*store.Delivery
	decision   *store.Decision
	revoked    bool
	votes      []store.Vote
	refusals   map[string]bool
	spoiled    map[string][]string // claims refused for what the ticket said, by link
	starved    bool                // a condition failed, which here only the limit of its time makes it do
}

// owes are copies of its deliveries.
func (c *memoryCase) owes() (all []store.Delivery) {
	for _, d := range c.deliveries {
		all = append(all, *d)
	}
	return all
}

type memoryReplica struct {
	holder  string
	leases  map[string]store.Lease
	flights []*flight
	worker  *worker // the production one, for what it does without a store
}

// flight is a delivery or a re-reading under way.
type flight struct {
	connection string
	delivery   *store.Delivery // as claimed; nil for a re-reading
	change     store.Change
	epoch      int64 // of the lease a ticket is read under
	called     bool
	action     connectors.Action
	done       connectors.Done
	snapshot   connectors.Snapshot
	groups     groupsOf
	others     []*flight // other tickets of the case where somebody answered
	votes      int       // answers there were then
	all        bool
	missing    error
	err        error
}

var memoryRetry = Retry{Attempts: 3, Longest: time.Second, IndexLag: simLag}.orDefault()

func newMemory(w *simWorld, lib *modelLibrary) *memory {
	m := &memory{w: w, lib: lib, known: map[string]bool{}, leases: map[string]*store.Lease{}, quiet: map[string]time.Time{}, notices: map[string]bool{}, cursors: map[string]string{}}
	for r := range m.replicas {
		m.boot(r)
	}
	return m
}

func (m *memory) boot(r int) {
	m.holders++
	m.replicas[r] = &memoryReplica{
		holder: fmt.Sprint("replica ", m.holders), leases: map[string]store.Lease{},
		worker: &worker{g: &Gateway{now: func() time.Time { return m.w.clockOf(r) }}},
	}
}

func (m *memory) id(kind string) string {
	m.ids++
	return fmt.Sprint(kind, m.ids)
}

func (m *memory) connector(name string) connectors.Connector {
	if name == simTool {
		return simSource{m.w}
	}
	return m.w.desks[name]
}

func (m *memory) accept(r int, e connectors.Event) {
	if m.known[e.Dedupe] {
		return
	}
	m.known[e.Dedupe] = true
	normal := mustJSON(e)
	stored := &memoryEvent{Event: store.Event{ID: m.id("e"), Connection: simTool, Kind: e.Kind, RequestID: e.RequestID, Normal: normal, State: store.EventAccepted}}
	if err := json.Unmarshal(normal, &stored.event); err != nil {
		m.w.broken("read event: %v", err)
	}
	var err error
	if stored.value, err = value(stored.Event); err != nil {
		m.w.broken("read event: %v", err)
	}
	c := m.caseOf(e.RequestID)
	if c == nil {
		c = &memoryCase{Case: store.Case{ID: m.id("c"), Connection: simTool, RequestID: e.RequestID, Kind: e.Kind, State: caseOpen, OpenedAt: m.w.clockOf(r)},
			requester: e.Requester, refusals: map[string]bool{}, spoiled: map[string][]string{}}
		m.cases = append(m.cases, c)
	}
	stored.CaseID = c.ID
	m.events = append(m.events, stored)
}

func (m *memory) caseOf(requestID string) *memoryCase {
	for _, c := range m.cases {
		if c.RequestID == requestID || c.ID == requestID {
			return c
		}
	}
	return nil
}

func (m *memory) told(desk string, ref connectors.Ref) { m.addChange(desk, ref, m.w.now) }

func (m *memory) addChange(desk string, ref connectors.Ref, due time.Time) {
	m.claims++
	for _, c := range m.changes {
		if c.Connection == desk && c.RefID == ref.ID {
			c.Told, c.Tries = m.claims, 0
			if due.Before(c.Due) {
				c.Due = due
			}
			return
		}
	}
	m.changes = append(m.changes, &store.Change{Connection: desk, RefID: ref.ID, RefKey: ref.Key, Due: due, Told: m.claims})
}

// change returns the row of a change as it was read, nil when it was told of again since.
func (m *memory) change(c store.Change) *store.Change {
	for _, row := range m.changes {
		if row.Connection == c.Connection && row.RefID == c.RefID && row.Told == c.Told {
			return row
		}
	}
	return nil
}

func (m *memory) doneChange(c store.Change) {
	if row := m.change(c); row != nil {
		m.changes = slices.DeleteFunc(m.changes, func(o *store.Change) bool { return o == row })
	}
}

func (m *memory) postponeChange(c store.Change, due time.Time) {
	if row := m.change(c); row != nil {
		row.Due, row.Tries = due, row.Tries+1
	}
}

// plan plans all that was accepted, the events of a case in their order.
func (m *memory) plan(r int) {
	for _, e := range m.events {
		if e.State != store.EventAccepted {
			continue
		}
		c := m.caseOf(e.CaseID)
		p := simPolicies[m.w.shape.Policy]
		in := planInput{event: e.event, value: e.value, eventID: e.ID, caze: c.Case, decision: c.decision, rules: m.lib.ordered[p.name], opened: map[string]*rule{}, source: simTool}
		for _, l := range m.linksOf(c) {
			in.links, in.opened[l.ID] = append(in.links, *l), m.lib.rules[l.Rule]
		}
		m.writePlan(r, e, c, makePlan(context.Background(), in))
	}
}

func (m *memory) linksOf(c *memoryCase) (some []*store.Link) {
	for _, l := range m.links {
		if l.CaseID == c.ID {
			some = append(some, l)
		}
	}
	return some
}

func (m *memory) writePlan(r int, e *memoryEvent, c *memoryCase, p plan) {
	for _, l := range p.links {
		if m.linkAt(l.CaseID, l.Desk, l.Slot) == nil {
			m.links = append(m.links, &l)
			c.opening = e.value
		}
		m.setTimers(l, c)
	}
	if p.decision != nil {
		if c.decision != nil {
			m.w.broken("a second decision for one case was planned")
		}
		c.decision = p.decision
		c.decision.ID = m.id("d")
	}
	for _, d := range p.deliveries {
		m.addDelivery(c, d)
	}
	if p.caseState != "" {
		c.State = p.caseState
		m.dropTimers(c)
	}
	e.State = p.state
}

func (m *memory) linkAt(caseID, desk, slot string) *store.Link {
	return m.link(func(l *store.Link) bool { return l.CaseID == caseID && l.Desk == desk && l.Slot == slot })
}

func (m *memory) link(is func(*store.Link) bool) *store.Link {
	if i := slices.IndexFunc(m.links, is); i >= 0 {
		return m.links[i]
	}
	return nil
}

func (m *memory) linkOf(id string) *store.Link {
	return m.link(func(l *store.Link) bool { return l.ID == id })
}

func (m *memory) addDelivery(c *memoryCase, d store.Delivery) {
	d.ID, d.CaseID, d.Seq, d.Due = m.id("v"), c.ID, c.NextSeq, m.w.now.Add(-simSkew)
	if d.Lane == "" {
		d.Lane = c.ID
	}
	c.NextSeq++
	c.deliveries = append(c.deliveries, &d)
}

func (m *memory) timers(r int) {
	now := m.w.clockOf(r)
	for _, t := range slices.Clone(m.timersOf) {
		if !t.Due.After(now) {
			m.timersOf = slices.DeleteFunc(m.timersOf, func(o *store.Timer) bool { return o == t })
			m.fire(r, *t)
		}
	}
}

func (m *memory) setTimers(l store.Link, c *memoryCase) {
	p := m.lib.policies[l.Policy]
	if p == nil {
		return
	}
	terms, err := p.For(context.Background(), c.opening)
	if err != nil || terms.Deadline == nil {
		return
	}
	if terms.Deadline.After > 0 {
		m.timersOf = append(m.timersOf, &store.Timer{CaseID: c.ID, LinkID: l.ID, Kind: store.TimerDeadline, Due: c.OpenedAt.Add(terms.Deadline.After)})
	}
}

func (m *memory) dropTimers(c *memoryCase) {
	m.timersOf = slices.DeleteFunc(m.timersOf, func(t *store.Timer) bool { return t.CaseID == c.ID })
}

func (m *memory) stop(r, _ int) { m.boot(r) }

func (m *memory) replay() (n int) {
	for _, c := range m.cases {
		for _, d := range c.deliveries {
			if d.State == stateDead {
				d.State, d.Due, d.Attempts = statePending, m.w.now.Add(-simSkew), 0
				n++
			}
		}
	}
	return n
}

func (m *memory) due() (first time.Time, some bool) {
	consider := func(at time.Time) {
		if !some || at.Before(first) {
			first, some = at, true
		}
	}
	for _, e := range m.events {
		if e.State == store.EventAccepted {
			consider(m.w.now)
		}
	}
	for _, c := range m.changes {
		consider(c.Due)
	}
	for _, t := range m.timersOf {
		if t.Due.Before(m.w.now.Add(simSkew)) {
			consider(t.Due)
		}
	}
	for _, c := range m.cases {
		for _, d := range c.heads() {
			consider(d.Due)
		}
		for _, d := range c.deliveries {
			if d.State == stateRunning {
				consider(m.w.now.Add(leaseTTL))
			}
		}
	}
	return first, some
}

func (m *memory) see(requestID string) (s seenCase, err error) {
	c := m.caseOf(requestID)
	if c == nil {
		return s, store.ErrNotFound
	}
	for _, l := range m.linksOf(c) {
		s.links = append(s.links, seenLink{l.Desk, l.RefID, l.State})
	}
	s.starved = c.starved
	for _, d := range c.deliveries {
		if d.State == statePending || d.State == stateRunning {
			s.open++
		}
		s.starved = s.starved || d.Error != ""
	}
	if c.decision != nil {
		s.decision, s.origin, s.state = c.decision.Outcome, c.decision.Origin, c.decision.State
	}
	slices.SortFunc(s.links, func(a, b seenLink) int { return cmp.Compare(a.ref, b.ref) })
	return s, nil
}
