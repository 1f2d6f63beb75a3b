package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/judge"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// decide judges a ticket as fetched and records what comes of it: a decision and its delivery, a refusal explained on
// the ticket, or nothing. Everything the judgement rests on is read in the transaction that writes it, with the
// case's row locked; what must be asked of the desk (who is in which group) is asked before.
func (g *Gateway) decide(ctx context.Context, conn *connection, link store.Link, s connectors.Snapshot, c store.Change) error {
	groups, err := g.groups(ctx, conn, link, s)
	if err != nil {
		return err
	}
	return g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := g.judge(ctx, tx, conn, link, s, groups); err != nil {
			return err
		}
		g.step("decide.commit")
		return tx.DoneChange(ctx, c)
	})
}

// groups asks the desk for the groups of everybody in the ticket's history, where the policy speaks of groups.
func (g *Gateway) groups(ctx context.Context, conn *connection, link store.Link, s connectors.Snapshot) (map[string][]string, error) {
	p, err := g.policyAt(ctx, g.store, link.Policy, link.PolicyVersion)
	if err != nil || p == nil || len(p.Approvers.Groups) == 0 {
		return nil, err
	}
	directory, ok := connectors.AsDirectory(conn.connector)
	if !ok {
		return nil, nil
	}
	callCtx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	groups := map[string][]string{}
	for _, step := range s.History {
		account := step.By.Account
		if _, done := groups[account]; done || account == "" || step.By.Ours || step.By.Automation {
			continue
		}
		if groups[account], err = directory.Groups(callCtx, account); err != nil {
			return nil, fmt.Errorf("read groups of a mover: %w", err)
		}
	}
	return groups, nil
}

func (g *Gateway) judge(ctx context.Context, tx *store.Tx, conn *connection, link store.Link, s connectors.Snapshot, groups map[string][]string) error {
	caze, err := tx.LockCase(ctx, link.CaseID)
	if err != nil {
		return err
	}
	r, err := g.ruleAt(ctx, tx, link.Rule, link.RuleVersion)
	if err != nil || r == nil || r.Rule().Decision == nil {
		return err
	}
	p, err := g.policyAt(ctx, tx, link.Policy, link.PolicyVersion)
	if err != nil {
		return err
	}
	if p == nil {
		return fmt.Errorf("policy %s version %d cannot be read", link.Policy, link.PolicyVersion)
	}
	in := judge.Input{
		CaseOpen: caze.State == caseOpen, Edited: caze.EditedBody, LinkKey: link.Key, LinkRefID: link.RefID, Opened: link.LinkedAt,
		Policy: p, Snapshot: s,
		Holds: func(ticket map[string]any) (mapping.Verdict, error) { return r.Decide(ctx, ticket) },
	}
	if in.Movers, err = g.movers(ctx, tx, conn.doc.Name, s, groups); err != nil {
		return err
	}
	if in.Requester, in.RequesterNames, err = g.requester(ctx, tx, caze); err != nil {
		return err
	}
	v := judge.Judge(in)
	switch v.Outcome {
	case judge.Wait:
		return nil
	case judge.Refused:
		return g.refuse(ctx, tx, caze, link, s, v)
	default:
		return g.decided(ctx, tx, caze, link, r, s, v)
	}
}

// movers resolves everybody in a ticket's history to a person: by account at this desk, or by the mail address the
// desk shows.
func (g *Gateway) movers(ctx context.Context, tx *store.Tx, desk string, s connectors.Snapshot, groups map[string][]string) (map[string]judge.Mover, error) {
	movers := map[string]judge.Mover{}
	for _, step := range s.History {
		if _, done := movers[step.By.Account]; done || step.By.Account == "" {
			continue
		}
		person, err := g.person(ctx, tx, desk, step.By.Person)
		if err != nil {
			return nil, err
		}
		movers[step.By.Account] = judge.Mover{Person: person, Groups: groups[step.By.Account]}
	}
	return movers, nil
}

// person finds who bears an account of a system or a mail address. Two different answers are none.
func (g *Gateway) person(ctx context.Context, tx *store.Tx, system string, p connectors.Person) (string, error) {
	var found string
	for _, id := range [][2]string{{system, p.Account}, {systemMail, p.Mail}} {
		if id[1] == "" {
			continue
		}
		name, err := tx.PersonOf(ctx, id[0], id[1])
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return "", err
		}
		if found != "" && name != found {
			return "", nil
		}
		found = name
	}
	return found, nil
}

func (g *Gateway) requester(ctx context.Context, tx *store.Tx, caze store.Case) (person string, names []string, err error) {
	var p connectors.Person
	if err := json.Unmarshal([]byte(caze.Requester), &p); err != nil {
		return "", nil, fmt.Errorf("read requester of case %s: %w", caze.ID, err)
	}
	person, err = g.person(ctx, tx, caze.Connection, p)
	return person, []string{p.Account, p.Mail}, err
}

// refuse records a refusal and explains it on the ticket, once for each claim and reason.
func (g *Gateway) refuse(ctx context.Context, tx *store.Tx, caze store.Case, link store.Link, s connectors.Snapshot, v judge.Verdict) error {
	now := g.now()
	if v.Code == judge.AlreadyDecided {
		if ours, err := g.ownClaim(ctx, tx, caze, v); err != nil || ours {
			return err
		}
	}
	fresh, err := tx.AddRefusal(ctx, store.Refusal{LinkID: link.ID, CaseID: caze.ID, Claim: v.Claim, Code: string(v.Code), Text: v.Text, By: v.By, At: now})
	if err != nil || !fresh {
		return err
	}
	if err := tx.Record(ctx, store.Entry{At: now, CaseID: caze.ID, Kind: "claim.refused", Subject: link.Desk, Content: map[string]any{"ticket": s.Ref.Key, "status": s.Status, "verdict": v}}); err != nil {
		return err
	}
	text := fmt.Sprintf("This ticket stands at %q, but nothing was sent to %s: %s.", s.Status, caze.Connection, v.Text)
	if v.Code != judge.AlreadyDecided {
		text += " The request still waits for a decision by somebody who may decide."
	}
	return g.comment(ctx, tx, caze.ID, link, purposeRefusal, "", text)
}

// ownClaim tells whether the deciding step is the one the recorded decision rests on, or our own bringing the ticket
// in line with it: neither is a late claim.
func (g *Gateway) ownClaim(ctx context.Context, tx *store.Tx, caze store.Case, v judge.Verdict) (bool, error) {
	d, err := tx.DecisionOf(ctx, caze.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return d.Claim == v.Claim || d.Outcome == string(v.Said), nil
}

// decided records a decision and owes it to the source. The first is the only one: the schema allows one a case.
func (g *Gateway) decided(ctx context.Context, tx *store.Tx, caze store.Case, link store.Link, r *rule, s connectors.Snapshot, v judge.Verdict) error {
	now := g.now()
	ticket := judge.Ticket(s)
	once, length, err := r.Duration(ctx, ticket)
	if err == nil && v.Outcome == judge.Denied {
		once, length = false, 0
	}
	var reason string
	if err == nil {
		reason, err = r.Reason(ctx, ticket)
	}
	if err != nil {
		v.Code, v.Text = judge.ConditionFailed, "the duration or reason could not be worked out: "+err.Error()
		return g.refuse(ctx, tx, caze, link, s, v)
	}
	d := store.Decision{
		ID: store.NewID(), CaseID: caze.ID, LinkID: link.ID, Outcome: string(v.Outcome), By: v.By, ByName: v.ByName, Reason: reason,
		Origin: originDesk, Claim: v.Claim, Rule: link.Rule, RuleVersion: link.RuleVersion, Policy: link.Policy, PolicyVersion: link.PolicyVersion,
		At: v.At, RecordedAt: now, Once: once, Length: length, State: decisionOwed, Detail: mustJSON(v),
	}
	if err := tx.AddDecision(ctx, d); err != nil {
		return fmt.Errorf("add decision: %w", err)
	}
	caze.State, caze.UpdatedAt = caseDecided, now
	if err := tx.SaveCase(ctx, caze); err != nil {
		return err
	}
	if err := tx.Record(ctx, store.Entry{At: now, CaseID: caze.ID, Kind: "decision.recorded", Subject: link.Desk, Content: map[string]any{
		"outcome": d.Outcome, "by": d.By, "by_name": d.ByName, "at": d.At.UTC(), "ticket": s.Ref, "status": s.Status, "rule": d.Rule, "rule_version": d.RuleVersion,
		"policy": d.Policy, "policy_version": d.PolicyVersion, "once": once, "seconds": int64(length / time.Second),
	}}); err != nil {
		return err
	}
	if err := g.owePost(ctx, tx, caze, link, d, s); err != nil {
		return err
	}
	return g.settleOthers(ctx, tx, caze, link, d)
}

// owePost owes the decision to the source.
func (g *Gateway) owePost(ctx context.Context, tx *store.Tx, caze store.Case, link store.Link, d store.Decision, s connectors.Snapshot) error {
	opening, err := tx.Event(ctx, link.Opening)
	if err != nil {
		return fmt.Errorf("read opening event: %w", err)
	}
	var e connectors.Event
	if err := json.Unmarshal(opening.Normal, &e); err != nil {
		return fmt.Errorf("read opening event: %w", err)
	}
	var ids map[string]string
	if source := g.catalogue().connections[caze.Connection]; source != nil && source.connector != nil {
		ids = decisionIDs(source.connector, e.Data)
	}
	ref := s.Ref
	if ref.URL == "" {
		ref.URL = link.RefURL
	}
	return g.addDelivery(ctx, tx, owed(store.Delivery{
		CaseID: caze.ID, EventID: link.Opening, Connection: caze.Connection, Lane: caze.ID, Purpose: purposeDecision,
		DecisionID: d.ID, Rule: d.Rule, RuleVersion: d.RuleVersion,
	}, connectors.Action{Kind: connectors.Decide, Decision: &connectors.Decision{
		Kind: caze.Kind, Tenant: caze.Tenant, RequestID: caze.RequestID, IDs: ids, Outcome: connectors.Outcome(d.Outcome),
		By: connectors.Person{Account: d.By, Name: d.ByName}, At: d.At, Duration: connectors.Duration{Once: d.Once, Length: d.Length},
		Reason: d.Reason, Ticket: ref,
	}}))
}

// settleOthers brings the case's tickets at other desks in line: the first valid decision wins wherever it was made.
func (g *Gateway) settleOthers(ctx context.Context, tx *store.Tx, caze store.Case, decidedOn store.Link, d store.Decision) error {
	links, err := tx.LinksOfCase(ctx, caze.ID)
	if err != nil {
		return err
	}
	in := planInput{caze: caze, eventID: decidedOn.Opening, source: caze.Connection, opened: map[string]*rule{}}
	var p plan
	for _, l := range links {
		if l.ID == decidedOn.ID || l.State == linkTwin || l.State == linkGone {
			continue
		}
		if in.opened[l.ID], err = g.ruleAt(ctx, tx, l.Rule, l.RuleVersion); err != nil {
			return err
		}
		p.settle(in, l, d.Outcome, fmt.Sprintf("%s by %s on %s. A decision made on this ticket has no effect any more.", capital(d.Outcome), d.ByName, decidedOn.RefKey))
	}
	for _, delivery := range p.deliveries {
		if err := g.addDelivery(ctx, tx, delivery); err != nil {
			return err
		}
	}
	return nil
}

// posted writes what became of a post-back: the decision's state and a comment for the approver, in the transaction
// that finishes the delivery.
func (g *Gateway) posted(ctx context.Context, tx *store.Tx, delivery store.Delivery, n next, fault string, now time.Time) error {
	d, err := tx.DecisionOf(ctx, delivery.CaseID)
	if err != nil {
		return fmt.Errorf("read decision: %w", err)
	}
	caze, err := tx.LockCase(ctx, delivery.CaseID)
	if err != nil {
		return err
	}
	state, text := decisionPosted, acceptedText(d, caze.Connection, now)
	if n.state == stateDead {
		state = decisionRefused
		text = fmt.Sprintf("The decision (%s by %s) did not reach %s: %s. It is kept as a dead letter; an operator can send it again with: drawbridge replay %s",
			d.Outcome, d.ByName, caze.Connection, fault, delivery.ID)
	} else {
		caze.State, caze.UpdatedAt = caseClosed, now
		if err := tx.SaveCase(ctx, caze); err != nil {
			return err
		}
	}
	if err := tx.SetDecisionState(ctx, d.ID, state, delivery.ID); err != nil {
		return err
	}
	if err := tx.Record(ctx, store.Entry{At: now, CaseID: caze.ID, Kind: "decision." + state, Subject: caze.Connection, Content: map[string]any{"outcome": d.Outcome, "delivery": delivery.ID}}); err != nil {
		return err
	}
	link, err := tx.Link(ctx, d.LinkID)
	if err != nil {
		return err
	}
	return g.comment(ctx, tx, caze.ID, link, purposeOutcome, d.ID+state, text)
}

func acceptedText(d store.Decision, source string, now time.Time) string {
	text := fmt.Sprintf("%s by %s: accepted by %s at %s", capital(d.Outcome), d.ByName, source, now.UTC().Format("2006-01-02 15:04:05 UTC"))
	switch {
	case d.Outcome != string(connectors.Approved):
	case d.Once:
		text += ", for one use"
	case d.Length > 0:
		text += ", for " + d.Length.String()
	}
	return text + "."
}

// comment owes a ticket an internal comment.
func (g *Gateway) comment(ctx context.Context, tx *store.Tx, caseID string, link store.Link, purpose, mark, text string) error {
	if mark == "" {
		mark = store.NewID()
	}
	return g.addDelivery(ctx, tx, owed(store.Delivery{
		CaseID: caseID, EventID: link.Opening, LinkID: link.ID, Lane: link.ID, Connection: link.Desk, Purpose: purpose,
	}, connectors.Action{Kind: connectors.Comment, Note: &connectors.Note{Key: shortHash(link.ID, purpose, mark), Body: escape(text)}}))
}

func escape(text string) string { return mapping.EscapeMarkdown(text) }
