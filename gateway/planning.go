package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const planSize = 100

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
	planned := 0
	err := g.store.InTx(ctx, func(tx *store.Tx) error {
		planned = 0
		events, err := tx.ClaimUnplanned(ctx, paused, planSize)
		if err != nil {
			return err
		}
		// An event that was accepted after something was published is planned with what was published.
		if version, err := tx.CatalogueVersion(ctx); err != nil {
			return err
		} else if version != c.version {
			return errOutdated
		}
		for _, e := range events {
			done, err := g.planOne(ctx, tx, c, e)
			if err != nil {
				return fmt.Errorf("plan event %s: %w", e.ID, err)
			}
			if done {
				planned++
			}
		}
		g.step("plan.commit")
		return nil
	})
	return planned, err
}

func (g *Gateway) planOne(ctx context.Context, tx *store.Tx, c *catalogue, e store.Event) (bool, error) {
	in := planInput{eventID: e.ID, source: e.Connection, received: e.ReceivedAt, rules: c.rulesFor(e.Connection, e.Kind)}
	if err := json.Unmarshal(e.Normal, &in.event); err != nil {
		return false, fmt.Errorf("read stored event: %w", err)
	}
	var err error
	if in.value, err = value(e); err != nil {
		return false, err
	}
	if e.CaseID != "" {
		early, err := g.caseFacts(ctx, tx, e, &in)
		if err != nil || early {
			return false, err
		}
	}
	return true, g.writePlan(ctx, tx, e, in, makePlan(ctx, in))
}

// caseFacts reads what the plan needs to know of the event's case. early means that an event before this one is
// still to be planned.
func (g *Gateway) caseFacts(ctx context.Context, tx *store.Tx, e store.Event, in *planInput) (early bool, err error) {
	if in.caze, err = tx.LockCase(ctx, e.CaseID); err != nil {
		return false, err
	}
	if early, err = tx.HasEarlierUnplanned(ctx, e.CaseID, e.ID); err != nil || early {
		return early, err
	}
	if in.links, err = tx.LinksOfCase(ctx, e.CaseID); err != nil {
		return false, err
	}
	if e.Kind == connectors.FindingOpened && in.caze.State == caseClosed {
		if in.closed, err = g.closedAt(ctx, tx, e); err != nil {
			return false, err
		}
	}
	in.opened = map[string]*rule{}
	for _, l := range in.links {
		r, err := g.ruleAt(ctx, tx, l.Rule, l.RuleVersion)
		if err != nil {
			return false, err
		}
		in.opened[l.ID] = r
	}
	d, err := tx.DecisionOf(ctx, e.CaseID)
	if err == nil {
		in.decision = &d
	} else if !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	return false, nil
}

// writePlan stores a plan: links before the deliveries that use them.
func (g *Gateway) writePlan(ctx context.Context, tx *store.Tx, e store.Event, in planInput, p plan) error {
	now := g.now()
	for _, l := range p.links {
		l.CreatedAt = now
		if _, _, err := tx.AddLink(ctx, l); err != nil {
			return fmt.Errorf("add link: %w", err)
		}
		if l.Policy == "" {
			continue
		}
		if err := g.setTimers(ctx, tx, l, in.caze.OpenedAt, in.value); err != nil {
			return err
		}
	}
	if p.decision != nil {
		d := *p.decision
		d.ID, d.RecordedAt = store.NewID(), now
		if err := tx.AddDecision(ctx, d); err != nil {
			return fmt.Errorf("add decision: %w", err)
		}
	}
	// Why something is owed stands before what is owed.
	for _, s := range p.steps {
		if err := tx.Record(ctx, store.Entry{At: now, CaseID: e.CaseID, Kind: s.kind, Subject: s.subject, Content: s.content}); err != nil {
			return err
		}
	}
	for _, d := range p.deliveries {
		if err := g.addDelivery(ctx, tx, d); err != nil {
			return err
		}
	}
	if p.caseState != "" {
		in.caze.State, in.caze.UpdatedAt = p.caseState, now
		if err := tx.SaveCase(ctx, in.caze); err != nil {
			return err
		}
	}
	if p.caseState == caseClosed {
		if err := tx.DropTimers(ctx, in.caze.ID); err != nil {
			return err
		}
	}
	return tx.PlannedEvent(ctx, e.ID, p.state, now)
}

// addDelivery stores a new delivery and notes it in the record.
func (g *Gateway) addDelivery(ctx context.Context, tx *store.Tx, d store.Delivery) error {
	now := g.now()
	d.Due, d.CreatedAt, d.UpdatedAt = now, now, now
	if d.Lane == "" {
		d.Lane = d.CaseID
	}
	added, err := tx.AddDelivery(ctx, d)
	if err != nil {
		return fmt.Errorf("add delivery: %w", err)
	}
	content := map[string]any{"delivery": added.ID, "action": added.Kind, "to": added.Connection, "purpose": added.Purpose}
	if added.Error != "" {
		content["error"] = added.Error
	}
	kind := "delivery.owed"
	if added.State == stateDead {
		kind = "delivery.dead"
	}
	return tx.Record(ctx, store.Entry{At: now, CaseID: added.CaseID, Kind: kind, Subject: added.Connection, Content: content})
}

type versionKey struct {
	name    string
	version int64
}

// ruleAt returns a rule as it stood at a version: a case keeps the one it opened with. A version that no longer
// compiles (its table is gone, its source changed) is nil: nothing can be decided by it.
func (g *Gateway) ruleAt(ctx context.Context, q documentReader, name string, version int64) (*rule, error) {
	if cached, ok := g.compiled.Load(versionKey{name, version}); ok {
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
	p, err := mapping.Compile(doc, g.catalogue().env(doc))
	if err != nil {
		g.log.Error("rule version of an open case no longer compiles", "rule", name, "version", version, "error", err)
		return nil, nil
	}
	r := &rule{Program: p, version: version}
	g.compiled.Store(versionKey{name, version}, r)
	return r, nil
}

// policyAt returns a policy as it stood at a version, nil where it cannot be read any more.
func (g *Gateway) policyAt(ctx context.Context, q documentReader, name string, version int64) (*mapping.PolicyProgram, error) {
	if cached, ok := g.policies.Load(versionKey{name, version}); ok {
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
	g.policies.Store(versionKey{name, version}, p)
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
