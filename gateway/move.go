package gateway

import (
	"context"
	"fmt"

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
	if err := g.rebind(ctx, tx, l, to); err != nil {
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

// rebind lets a link go on with the rule and policy versions given.
func (g *Gateway) rebind(ctx context.Context, tx *store.Tx, from, to store.Link) error {
	return tx.RebindLink(ctx, to.ID, to.RuleVersion, to.Policy, to.PolicyVersion)
}
