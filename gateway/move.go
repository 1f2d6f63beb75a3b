package gateway

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Older is a ticket of an open case that goes by an older version of its rule or policy than the published one.
type Older struct {
	Link          string
	Case          string
	Desk, Ticket  string
	Rule          string
	RuleVersion   int64
	Policy        string
	PolicyVersion int64
}

// OlderLinks lists the tickets of open cases that opened with an older version of a rule or policy. kind is Rule or
// Policy.
func (g *Gateway) OlderLinks(ctx context.Context, kind, name string) ([]Older, error) {
	links, err := g.olderLinks(ctx, g.store.Queries, kind, name)
	if err != nil {
		return nil, err
	}
	out := make([]Older, len(links))
	for i, l := range links {
		out[i] = Older{Link: l.ID, Case: l.CaseID, Desk: l.Desk, Ticket: l.RefKey, Rule: l.Rule, RuleVersion: l.RuleVersion, Policy: l.Policy, PolicyVersion: l.PolicyVersion}
	}
	return out, nil
}

func (g *Gateway) olderLinks(ctx context.Context, q store.Queries, kind, name string) ([]store.Link, error) {
	d, err := q.Document(ctx, kind, name, 0)
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindRule:
		return q.OpenLinksOf(ctx, name, d.Version, "", 0)
	case kindPolicy:
		return q.OpenLinksOf(ctx, "", 0, name, d.Version)
	default:
		return nil, fmt.Errorf("cases keep versions of rules and policies, not of a %s", kind)
	}
}

// MoveOpen lets the open cases that rest on an older version of a rule or policy go on with the published one, and
// returns how many tickets that touched. Each is recorded with who and why.
func (g *Gateway) MoveOpen(ctx context.Context, kind, name, who, why string) (int, error) {
	moved := 0
	err := g.store.InTx(ctx, func(tx *store.Tx) error {
		moved = 0
		links, err := g.olderLinks(ctx, tx.Queries, kind, name)
		if err != nil {
			return err
		}
		for _, l := range links {
			if err := g.moveLink(ctx, tx, l, kind, who, why); err != nil {
				return err
			}
			moved++
		}
		return nil
	})
	return moved, err
}

func (g *Gateway) moveLink(ctx context.Context, tx *store.Tx, l store.Link, kind, who, why string) error {
	caze, err := tx.LockCase(ctx, l.CaseID)
	if err != nil || caze.State != caseOpen {
		return err
	}
	r := g.catalogue().rule(caze.Connection, l.Rule)
	to := l
	switch {
	case kind == kindPolicy:
		to.PolicyVersion = g.catalogue().policies[l.Policy].version
	case r == nil:
		return fmt.Errorf("rule %s is no longer published for %s", l.Rule, caze.Connection)
	default:
		to = bound(l, r)
	}
	if err := g.rebind(ctx, tx, caze, l, to); err != nil {
		return err
	}
	return tx.Record(ctx, store.Entry{At: g.now(), CaseID: l.CaseID, Kind: "case.moved", Subject: l.Desk, Content: map[string]any{
		"rule": l.Rule, "rule_from": l.RuleVersion, "rule_to": to.RuleVersion, "policy": to.Policy, "policy_from": l.PolicyVersion, "policy_to": to.PolicyVersion, "who": who, "why": why}})
}

// bound is a link as it goes on with another version of its rule, and with the policy that version names.
func bound(l store.Link, r *rule) store.Link {
	l.RuleVersion, l.Policy, l.PolicyVersion = r.version, "", 0
	if dec := r.Rule().Decision; dec != nil {
		l.Policy, l.PolicyVersion = dec.Policy, r.policyVersion
	}
	return l
}

// rebind lets a link of an open case go on with other versions of its rule and policy. Its timers become those of the
// new terms; what has happened by the old ones does not happen again. Where other fields matter now, what the ticket
// said when it was first read is forgotten, and it is read anew.
func (g *Gateway) rebind(ctx context.Context, tx *store.Tx, caze store.Case, from, to store.Link) error {
	if err := tx.RebindLink(ctx, to.ID, to.RuleVersion, to.Policy, to.PolicyVersion); err != nil {
		return err
	}
	d := dossier{caze: caze, link: to}
	event, err := g.openingEvent(ctx, tx, &d)
	if err != nil {
		return err
	}
	before, err := g.termsOf(ctx, tx, from, event)
	if err != nil {
		return err
	}
	if d.terms, err = g.termsOf(ctx, tx, to, event); err != nil {
		return err
	}
	if err := tx.ClearTimers(ctx, to.ID); err != nil {
		return err
	}
	if err := g.setTimers(ctx, tx, to, caze.OpenedAt, event); err != nil {
		return err
	}
	if !slices.Equal(before.Matters, d.terms.Matters) {
		if err := g.readAnew(ctx, tx, to); err != nil {
			return err
		}
	}
	if endOf(before) == endOf(d.terms) {
		return nil
	}
	text := "This request now goes by other terms, and no time ends it any more."
	if endOf(d.terms).after > 0 {
		text = "This request now goes by other terms." + untilText(d)
	}
	return g.comment(ctx, tx, caze.ID, to, purposeClock, "", text)
}

// termsOf are the terms a link is judged by, none where they cannot be worked out.
func (g *Gateway) termsOf(ctx context.Context, tx *store.Tx, link store.Link, event map[string]any) (mapping.Terms, error) {
	p, err := g.policyAt(ctx, tx, link.Policy, link.PolicyVersion)
	if err != nil || p == nil {
		return mapping.Terms{}, err
	}
	terms, err := p.For(ctx, event)
	if err != nil {
		return mapping.Terms{}, nil // the judgement refuses by the same fault and says so on the ticket
	}
	return terms, nil
}

// end is when the time for a decision is over, and what becomes of the request then.
type end struct {
	after time.Duration
	deny  bool
}

func endOf(t mapping.Terms) end {
	if t.Deadline == nil {
		return end{}
	}
	return end{t.Deadline.After, t.Deadline.Deny}
}
