package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const planSize = 128

// planSome plans a batch of accepted events and returns how many. The events of one case are planned in order: the
// case's row is locked, and an event with an unplanned one before it waits for the next round.
func (g *Gateway) planSome(ctx context.Context) (int, error) {
	for {
		if err := g.reload(ctx); err != nil {
			return 0, err
		}
		planned, err := g.planBatch(ctx, g.catalogue())
		if !errors.Is(err, errOutdated) {
			return planned, err
		}
	}
}

// errOutdated says that something was published after the catalogue was read.
var errOutdated = errors.New("the catalogue is outdated")

func (g *Gateway) planBatch(ctx context.Context, c *catalogue) (int, error) {
	var paused []string
	for name, conn := range c.connections {
		if conn.fault != nil || conn.doc.State == statePaused {
			paused = append(paused, name)
		}
	}
	slices.Sort(paused) // the same list is the same statement
	planned := 0
	err := g.store.InTx(ctx, func(tx *store.Tx) error {
		planned = 0
		events, err := tx.ClaimUnplanned(ctx, paused, planSize)
		if err != nil || len(events) == 0 {
			return err
		}
		// An event that was accepted after something was published is planned with what was published.
		if version, err := tx.CatalogueVersion(ctx); err != nil {
			return err
		} else if version != c.version {
			return errOutdated
		}
		if planned, err = g.planEvents(ctx, tx, c, events); err != nil {
			return err
		}
		g.step("plan.commit")
		return nil
	})
	return planned, err
}

// planEvents plans events in their order, with what is known of their cases read at once and what they owe written at
// once.
func (g *Gateway) planEvents(ctx context.Context, tx *store.Tx, c *catalogue, events []store.Event) (int, error) {
	cases, early, err := readCases(ctx, tx, events)
	if err != nil {
		return 0, err
	}
	w := planWriter{g: g, now: g.now(), events: map[string][]string{}}
	planned := 0
	for _, e := range events {
		if early[e.ID] {
			continue
		}
		in, err := g.planInput(ctx, tx, c, e, cases[e.CaseID])
		if err == nil {
			g.shapes.observe(e, in.event)
			p := makePlan(ctx, in)
			cases[e.CaseID].learn(p, w.now)
			err = w.add(ctx, tx, e, in, p)
		}
		if err != nil {
			return 0, fmt.Errorf("plan event %s: %w", e.ID, err)
		}
		planned++
	}
	return planned, w.write(ctx, tx)
}

// caseFacts are what the plan of an event needs to know of its case. Events of one case that are planned together learn
// of each other here.
type caseFacts struct {
	caze     store.Case
	links    []store.Link
	decision *store.Decision
}

// readCases locks and reads the cases of events. early has those that an event before them, which is not among these,
// is still to be planned.
func readCases(ctx context.Context, tx *store.Tx, events []store.Event) (cases map[string]*caseFacts, early map[string]bool, err error) {
	var ids, eventIDs []string
	for _, e := range events {
		if e.CaseID != "" {
			ids, eventIDs = append(ids, e.CaseID), append(eventIDs, e.ID)
		}
	}
	locked, err := tx.LockCases(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	if early, err = tx.WithEarlierUnplanned(ctx, eventIDs); err != nil {
		return nil, nil, err
	}
	links, err := tx.LinksOfCases(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	decisions, err := tx.DecisionsOf(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	cases = make(map[string]*caseFacts, len(locked))
	for id, caze := range locked {
		f := &caseFacts{caze: caze, links: links[id]}
		if d, ok := decisions[id]; ok {
			f.decision = &d
		}
		cases[id] = f
	}
	return cases, early, nil
}

// learn takes over what a plan is about to write, for the next event of the same case.
func (f *caseFacts) learn(p plan, now time.Time) {
	if f == nil {
		return // an event without a case
	}
	f.links = append(slices.Clone(f.links), p.links...)
	slices.SortFunc(f.links, func(a, b store.Link) int { return strings.Compare(a.ID, b.ID) })
	if p.decision != nil {
		p.decision.ID, p.decision.RecordedAt = store.NewID(), now
		f.decision = p.decision
	}
	if p.caseState != "" {
		f.caze.State, f.caze.UpdatedAt = p.caseState, now
	}
}

func (g *Gateway) planInput(ctx context.Context, tx *store.Tx, c *catalogue, e store.Event, f *caseFacts) (planInput, error) {
	in := planInput{eventID: e.ID, source: e.Connection, received: e.ReceivedAt, rules: c.rulesFor(e.Connection, e.Kind)}
	if err := json.Unmarshal(e.Normal, &in.event); err != nil {
		return in, fmt.Errorf("read stored event: %w", err)
	}
	if len(in.rules) > 0 { // nobody else looks at it
		var err error
		if in.value, err = value(e); err != nil {
			return in, err
		}
	}
	if e.CaseID == "" {
		return in, nil
	}
	if f == nil {
		return in, fmt.Errorf("read case %s: %w", e.CaseID, store.ErrNotFound)
	}
	in.caze, in.links, in.decision, in.opened = f.caze, f.links, f.decision, map[string]*rule{}
	if e.Kind == connectors.FindingOpened && in.caze.State == caseClosed {
		var err error
		if in.closed, err = g.closedAt(ctx, tx, e); err != nil {
			return in, err
		}
	}
	for _, l := range f.links {
		r, err := g.ruleAt(ctx, tx, l.Rule, l.RuleVersion)
		if err != nil {
			return in, err
		}
		in.opened[l.ID] = r
	}
	return in, nil
}

// planWriter collects what plans owe.
type planWriter struct {
	g          *Gateway
	now        time.Time
	links      []store.Link
	deliveries []store.Delivery
	plans      []writtenPlan
	events     map[string][]string // ids by the state they get
}

// writtenPlan is what of one plan is written in its turn.
type writtenPlan struct {
	in     planInput
	steps  []store.Entry // of the record
	owes   int           // how many deliveries
	links  []store.Link
	closes bool // the case
}

// add takes what one plan owes. What is rare is written at once.
func (w *planWriter) add(ctx context.Context, tx *store.Tx, e store.Event, in planInput, p plan) error {
	one := writtenPlan{in: in, owes: len(p.deliveries), links: p.links, closes: p.caseState == caseClosed}
	for _, l := range p.links {
		l.CreatedAt = w.now
		w.links = append(w.links, l)
	}
	if p.decision != nil {
		p.decision.RecordedAt = w.now
		if err := tx.AddDecision(ctx, *p.decision); err != nil {
			return fmt.Errorf("add decision: %w", err)
		}
	}
	if p.caseState != "" {
		in.caze.State, in.caze.UpdatedAt = p.caseState, w.now
		if err := tx.SaveCase(ctx, in.caze); err != nil {
			return err
		}
	}
	for _, d := range p.deliveries {
		w.deliveries = append(w.deliveries, newDelivery(d, w.now))
	}
	for _, s := range foldUnmatched(p.steps) {
		one.steps = append(one.steps, store.Entry{At: w.now, CaseID: e.CaseID, Kind: s.kind, Subject: s.subject, Content: s.content})
	}
	w.plans = append(w.plans, one)
	w.events[p.state] = append(w.events[p.state], e.ID)
	return nil
}

// mostUnmatched is how many rules that do not match have a step each; more of them share one, which a person can still
// read and the record can bear.
const mostUnmatched = 8

// unmatched is what the record says of one rule among many that did not match.
type unmatched struct {
	Rule    string `json:"rule"`
	Version int64  `json:"version"`
	False   string `json:"false,omitempty"` // the first term of the condition that was false
}

// foldUnmatched puts the rules that did not match into one step where they are many, in the place of the first.
func foldUnmatched(steps []step) []step {
	var rules []unmatched
	var kept []step
	at := 0
	for _, s := range steps {
		m, ok := s.content.(matched)
		if !ok || m.Matched || m.Error != "" {
			kept = append(kept, s)
			continue
		}
		if len(rules) == 0 {
			at = len(kept)
		}
		u := unmatched{Rule: m.Rule, Version: m.Version}
		if n := len(m.Terms); n > 0 {
			u.False = m.Terms[n-1].Text
		}
		rules = append(rules, u)
	}
	if len(rules) <= mostUnmatched {
		return steps
	}
	return slices.Insert(kept, at, step{"rules.unmatched", "", map[string]any{"rules": rules}})
}

// write stores what was collected: links before the timers and deliveries that use them.
func (w *planWriter) write(ctx context.Context, tx *store.Tx) error {
	if err := tx.AddLinks(ctx, w.links); err != nil {
		return fmt.Errorf("add links: %w", err)
	}
	for _, one := range w.plans {
		if err := w.timers(ctx, tx, one); err != nil {
			return err
		}
	}
	added, err := tx.AddDeliveries(ctx, w.deliveries)
	if err != nil {
		return fmt.Errorf("add deliveries: %w", err)
	}
	var entries []store.Entry
	for _, one := range w.plans {
		// Why something is owed stands before what is owed.
		entries = append(entries, one.steps...)
		for _, d := range added[:one.owes] {
			entries = append(entries, deliveryEntry(d, w.now))
		}
		added = added[one.owes:]
	}
	if err := tx.RecordAll(ctx, entries); err != nil {
		return err
	}
	for _, state := range slices.Sorted(maps.Keys(w.events)) {
		if err := tx.PlannedEvents(ctx, w.events[state], state, w.now); err != nil {
			return err
		}
	}
	return nil
}

func (w *planWriter) timers(ctx context.Context, tx *store.Tx, one writtenPlan) error {
	for _, l := range one.links {
		if l.Policy == "" {
			continue
		}
		if err := w.g.setTimers(ctx, tx, l, one.in.caze.OpenedAt, one.in.value); err != nil {
			return err
		}
	}
	if !one.closes {
		return nil
	}
	return tx.DropTimers(ctx, one.in.caze.ID)
}

// newDelivery is d as it is stored at first.
func newDelivery(d store.Delivery, now time.Time) store.Delivery {
	d.Due, d.CreatedAt, d.UpdatedAt = now, now, now
	if d.Lane == "" {
		d.Lane = d.CaseID
	}
	return d
}

// deliveryEntry is what the record says of a new delivery.
func deliveryEntry(d store.Delivery, now time.Time) store.Entry {
	content := map[string]any{"delivery": d.ID, "action": d.Kind, "to": d.Connection, "purpose": d.Purpose}
	if d.Error != "" {
		content["error"] = d.Error
	}
	kind := "delivery.owed"
	if d.State == stateDead {
		kind = "delivery.dead"
	}
	return store.Entry{At: now, CaseID: d.CaseID, Kind: kind, Subject: d.Connection, Content: content}
}

// addDelivery stores a new delivery and notes it in the record.
func (g *Gateway) addDelivery(ctx context.Context, tx *store.Tx, d store.Delivery) error {
	now := g.now()
	added, err := tx.AddDelivery(ctx, newDelivery(d, now))
	if err != nil {
		return fmt.Errorf("add delivery: %w", err)
	}
	return tx.Record(ctx, deliveryEntry(added, now))
}

type versionKey struct {
	name      string
	version   int64
	catalogue int64 // a rule is compiled against the tables and schemas of one catalogue
}

// ruleAt returns a rule as it stood at a version: a case keeps the one it opened with. A version that no longer
// compiles (its table is gone, its source changed) is nil: nothing can be decided by it.
func (g *Gateway) ruleAt(ctx context.Context, q documentReader, name string, version int64) (*rule, error) {
	c := g.catalogue()
	key := versionKey{name, version, c.version}
	if cached, ok := g.compiled.Load(key); ok {
		return cached.(*rule), nil
	}
	d, err := q.Document(ctx, kindRule, name, version)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read rule %s version %d: %w", name, version, err)
	}
	doc, err := mapping.ParseRule([]byte(d.Text))
	if err != nil {
		return nil, nil
	}
	p, err := c.program(doc)
	if err != nil {
		g.log.Error("rule version of an open case no longer compiles", "rule", name, "version", version, "error", err)
		return nil, nil
	}
	r := &rule{Program: p, version: version}
	g.compiled.Store(key, r)
	return r, nil
}

// policyAt returns a policy as it stood at a version, nil where it cannot be read any more.
func (g *Gateway) policyAt(ctx context.Context, q documentReader, name string, version int64) (*mapping.PolicyProgram, error) {
	if cached, ok := g.policies.Load(versionKey{name: name, version: version}); ok {
		return cached.(*mapping.PolicyProgram), nil
	}
	d, err := q.Document(ctx, kindPolicy, name, version)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read policy %s version %d: %w", name, version, err)
	}
	p, err := compilePolicy(d.Text)
	if err != nil {
		g.log.Error("policy version of an open case no longer compiles", "policy", name, "version", version, "error", err)
		return nil, nil
	}
	g.policies.Store(versionKey{name: name, version: version}, p)
	return p, nil
}

// documentReader is what both the store and a transaction of it offer.
type documentReader interface {
	Document(ctx context.Context, kind, name string, version int64) (store.Document, error)
}

// decisionIDs picks the ids of the opening event that a decision must carry back.
func decisionIDs(c connectors.Connector, data map[string]any) map[string]string {
	ids := map[string]string{}
	for _, name := range connectors.Identifiers(c) {
		if text, ok := data[name].(string); ok && text != "" {
			ids[name] = text
		}
	}
	return ids
}
