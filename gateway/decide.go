package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/gateway/judge"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// decide judges a ticket as fetched and records what comes of it: a decision and its delivery, a vote, a refusal
// explained on the ticket, or nothing. Everything the judgement rests on is read in the transaction that writes it,
// with the case's row locked; what must be asked of desks (who is in which group) is asked before.
// finish writes that what was judged is done with.
func (g *Gateway) decide(ctx context.Context, lease store.Lease, conn *connection, link store.Link, s connectors.Snapshot, c store.Change, finish func(*store.Tx) error) error {
	groups, err := g.groups(ctx, conn, link, s)
	if err != nil {
		return err
	}
	others, err := g.others(ctx, link)
	if err != nil {
		return err
	}
	return g.fenced(ctx, lease, func(tx *store.Tx) error {
		if err := g.judge(ctx, tx, sheet{conn, link, s, groups}, others, c); err != nil {
			return err
		}
		g.step("decide.commit")
		return finish(tx)
	})
}

// sheet is one ticket as fetched, with what had to be asked of its desk.
type sheet struct {
	conn   *connection
	link   store.Link
	ticket connectors.Snapshot
	groups groupsOf
}

// dossier is what a judgement was made on, for those who act on it.
type dossier struct {
	caze   store.Case
	link   store.Link
	rule   *rule
	event  connectors.Event // that opened the ticket
	value  map[string]any   // the same, as expressions see it
	ticket connectors.Snapshot
	policy *mapping.PolicyProgram
	terms  mapping.Terms
	conn   *connection // of the desk
}

// others are the other tickets of a case that count with the one that is judged, as fetched.
type others struct {
	sheets  []sheet
	votes   int   // answers recorded when they were read
	all     bool  // nothing is decided before all tickets of the case are read
	missing error // why one of them could not be read
}

func (g *Gateway) judge(ctx context.Context, tx *store.Tx, at sheet, o others, c store.Change) error {
	link, err := tx.Link(ctx, at.link.ID)
	if err != nil {
		return err
	}
	d := dossier{link: link, ticket: at.ticket, conn: at.conn}
	if d.caze, err = tx.LockCase(ctx, link.CaseID); err != nil {
		return err
	}
	if d.rule, err = g.ruleAt(ctx, tx, link.Rule, link.RuleVersion); err != nil || d.rule == nil || d.rule.Rule().Decision == nil {
		return err
	}
	in, err := g.evidence(ctx, tx, &d, at.groups)
	if err != nil {
		return err
	}
	if err := g.setBaseline(ctx, tx, d, c); err != nil {
		return err
	}
	for _, other := range o.sheets {
		e, ok, err := g.otherEvidence(ctx, tx, other, d.policy, d.value)
		if err != nil {
			return err
		}
		if ok {
			in.Others = append(in.Others, e)
		}
	}
	v := judge.Judge(in)
	switch v.Outcome {
	case judge.Wait:
		return nil
	case judge.Counted:
		return g.counted(ctx, tx, d, v, o)
	case judge.Refused:
		if v.Code == judge.ContentChanged {
			if err := g.ownUpdate(ctx, tx, link); err != nil {
				return err
			}
		}
		return g.refuse(ctx, tx, d, v)
	case judge.Revoked:
		return g.revoke(ctx, tx, d, v)
	default:
		if o.all && o.missing != nil {
			return o.missing
		}
		return g.decided(ctx, tx, d, v)
	}
}

// counted records a valid answer that is not enough by itself, once. Where another ticket could not be read, or somebody
// answered while it was read, it might be enough: the ticket is then judged again.
func (g *Gateway) counted(ctx context.Context, tx *store.Tx, d dossier, v judge.Verdict, o others) error {
	if o.missing != nil {
		return o.missing
	}
	votes, err := tx.VotesOfCase(ctx, d.caze.ID)
	if err != nil {
		return err
	}
	if len(votes) != o.votes {
		return elsewhere{errors.New("somebody answered on another ticket of the case meanwhile")}
	}
	err = tx.AddVote(ctx, store.Vote{ID: shortHash(d.link.ID, v.Claim), CaseID: d.caze.ID, LinkID: d.link.ID, Person: v.By, Account: v.Account,
		Outcome: string(v.Said), Reason: d.ticket.Status, At: v.At})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := g.note(ctx, tx, d, "vote.counted", map[string]any{"ticket": d.ticket.Ref.Key, "status": d.ticket.Status, "verdict": v}); err != nil {
		return err
	}
	text := v.Text + "."
	if !d.conn.asks() {
		text += " To add yours, move the ticket away from " + strconv.Quote(d.ticket.Status) + " and back again."
	}
	return g.comment(ctx, tx, d.caze.ID, d.link, purposeRefusal, v.Claim, text)
}

// ownUpdate is an error while what the ticket says may be our own writing, of which we do not know yet what became.
func (g *Gateway) ownUpdate(ctx context.Context, tx *store.Tx, link store.Link) error {
	deliveries, err := tx.DeliveriesOfCase(ctx, link.CaseID)
	if err == nil && updating(deliveries, link.ID) {
		err = elsewhere{errors.New("an update of our own is under way")}
	}
	return err
}

// updating tells whether a ticket may have been changed by an update that is still under way.
func updating(deliveries []store.Delivery, linkID string) bool {
	return slices.ContainsFunc(deliveries, func(d store.Delivery) bool {
		return d.LinkID == linkID && d.Kind == string(connectors.Update) && (d.State == stateRunning || d.State == statePending && (d.InDoubt || d.MaySent))
	})
}

// note adds a step to the record of the dossier's case.
func (g *Gateway) note(ctx context.Context, tx *store.Tx, d dossier, kind string, content map[string]any) error {
	return tx.Record(ctx, store.Entry{At: g.now(), CaseID: d.caze.ID, Kind: kind, Subject: d.link.Desk, Content: content})
}

// refuse records a refusal, explains it on the ticket and moves the ticket back where the policy says so, once for each
// claim and reason.
func (g *Gateway) refuse(ctx context.Context, tx *store.Tx, d dossier, v judge.Verdict) error {
	fresh, err := tx.AddRefusal(ctx, store.Refusal{LinkID: d.link.ID, CaseID: d.caze.ID, Claim: v.Claim, Code: string(v.Code), Text: v.Text, By: v.By, At: g.now()})
	if err != nil || !fresh {
		return err
	}
	content := map[string]any{"ticket": d.ticket.Ref.Key, "status": d.ticket.Status, "verdict": v}
	text := fmt.Sprintf("This ticket stands at %s, but nothing was sent to %s: %s.", strconv.Quote(d.ticket.Status), d.caze.Connection, v.Text)
	if d.conn.asks() {
		content["answer"] = v.Claim
		text = fmt.Sprintf("The answer of %s (%s) does not count, and nothing was sent to %s: %s.", cmp.Or(v.ByName, "somebody"), v.Said, d.caze.Connection, v.Text)
	}
	if err := g.note(ctx, tx, d, "claim.refused", content); err != nil {
		return err
	}
	if d.caze.State == caseOpen {
		text += " The request still waits for a decision by somebody who may decide."
	}
	if err := g.comment(ctx, tx, d.caze.ID, d.link, purposeRefusal, "", text); err != nil {
		return err
	}
	if d.terms.MoveBack == "" || d.terms.MoveBack == d.ticket.Status || d.caze.State != caseOpen || d.conn.asks() {
		return nil
	}
	return g.addDelivery(ctx, tx, owed(store.Delivery{
		CaseID: d.caze.ID, EventID: d.link.Opening, LinkID: d.link.ID, Lane: d.link.ID, Connection: d.link.Desk, Purpose: purposeRefusal,
	}, connectors.Action{Kind: connectors.Transition, Move: &connectors.Move{Status: d.terms.MoveBack, After: lastMove(d.ticket)}}))
}

// lastMove identifies the latest move of a ticket by others than us: by its status where the desk tells of none.
func lastMove(s connectors.Snapshot) string {
	for _, step := range slices.Backward(s.History) {
		if step.Field == "status" && !step.By.Ours {
			return step.ID
		}
	}
	return s.Status
}

// decided records a decision and owes it to the source. The first is the only one: the schema allows one a case.
func (g *Gateway) decided(ctx context.Context, tx *store.Tx, d dossier, v judge.Verdict) error {
	now := g.now()
	decision := store.Decision{
		ID: store.NewID(), CaseID: d.caze.ID, LinkID: d.link.ID, Outcome: string(v.Outcome), By: v.By, ByName: v.ByName, Reason: v.Reason,
		Origin: originDesk, Claim: v.Claim, Rule: d.link.Rule, RuleVersion: d.link.RuleVersion, Policy: d.link.Policy, PolicyVersion: d.link.PolicyVersion,
		At: v.At, RecordedAt: now, Once: v.Once, Length: v.Length, State: decisionOwed, Detail: mustJSON(v),
	}
	if decision.At.IsZero() {
		decision.At = now // a desk whose approvals carry no time
	}
	if err := g.recordDecision(ctx, tx, d, decision, map[string]any{
		"ticket": d.ticket.Ref, "status": d.ticket.Status, "terms": d.terms.Name, "with": v.With, "need": v.Need, "cut": v.Cut,
	}); err != nil {
		return err
	}
	return g.owePost(ctx, tx, d, decision, connectors.Decide)
}

// recordDecision writes a decision with all that ends with it: the case is decided, its timers drop, refused claims are
// not moved back any more, its other tickets follow.
func (g *Gateway) recordDecision(ctx context.Context, tx *store.Tx, d dossier, decision store.Decision, content map[string]any) error {
	if err := tx.AddDecision(ctx, decision); err != nil {
		return fmt.Errorf("add decision: %w", err)
	}
	d.caze.State, d.caze.UpdatedAt = caseDecided, decision.RecordedAt
	if err := tx.SaveCase(ctx, d.caze); err != nil {
		return err
	}
	if err := tx.DropTimers(ctx, d.caze.ID); err != nil {
		return err
	}
	if err := g.dropMovesBack(ctx, tx, d.caze.ID); err != nil {
		return err
	}
	maps.Copy(content, audit.Decided(decision, d.caze))
	if err := g.note(ctx, tx, d, audit.KindDecided, content); err != nil {
		return err
	}
	return g.settleOthers(ctx, tx, d, decision)
}

// dropMovesBack takes back what was owed for refused claims: it would move a ticket away from what was decided since.
func (g *Gateway) dropMovesBack(ctx context.Context, tx *store.Tx, caseID string) error {
	deliveries, err := tx.DeliveriesOfCase(ctx, caseID)
	if err != nil {
		return err
	}
	for _, one := range deliveries {
		if one.Purpose != purposeRefusal || one.Kind != string(connectors.Transition) || (one.State != statePending && one.State != stateDead) {
			continue
		}
		if err := g.cancelDelivery(ctx, tx, one.ID, "Drawbridge", "the request was decided"); err != nil {
			return err
		}
	}
	return nil
}

// owePost owes the decision, or its revocation, to the source. A decision on a test is owed to nobody.
func (g *Gateway) owePost(ctx context.Context, tx *store.Tx, d dossier, decision store.Decision, kind connectors.ActionKind) error {
	if d.event.Test {
		return g.keepTest(ctx, tx, d, decision)
	}
	var ids map[string]string
	if source := g.catalogue().connections[d.caze.Connection]; source != nil && source.connector != nil {
		ids = decisionIDs(source.connector, d.event.Data)
	}
	ref := d.ticket.Ref
	if ref.ID == "" {
		ref = connectors.Ref{ID: d.link.RefID, Key: d.link.RefKey}
	}
	if ref.URL == "" {
		ref.URL = d.link.RefURL
	}
	return g.addDelivery(ctx, tx, owed(store.Delivery{
		CaseID: d.caze.ID, EventID: d.link.Opening, Connection: d.caze.Connection, Lane: d.caze.ID, Purpose: purposeDecision,
		DecisionID: decision.ID, Rule: d.link.Rule, RuleVersion: d.link.RuleVersion,
	}, connectors.Action{Kind: kind, Decision: &connectors.Decision{
		Kind: d.event.Kind, Tenant: d.caze.Tenant, RequestID: d.caze.RequestID, IDs: ids, Outcome: connectors.Outcome(decision.Outcome),
		By: connectors.Person{Account: decision.By, Name: decision.ByName}, At: decision.At, Duration: connectors.Duration{Once: decision.Once, Length: decision.Length},
		Reason: decision.Reason, Ticket: ref,
	}}))
}

// settleOthers brings the case's tickets at other desks in line: the first valid decision wins wherever it was made.
func (g *Gateway) settleOthers(ctx context.Context, tx *store.Tx, d dossier, decision store.Decision) error {
	links, err := tx.LinksOfCase(ctx, d.caze.ID)
	if err != nil {
		return err
	}
	in := planInput{caze: d.caze, eventID: d.link.Opening, source: d.caze.Connection, opened: map[string]*rule{}}
	var p plan
	for _, l := range links {
		asks := g.catalogue().connections[l.Desk].asks()
		if l.ID == decision.LinkID && !asks || l.State == linkTwin || l.State == linkGone {
			continue
		}
		if in.opened[l.ID], err = g.ruleAt(ctx, tx, l.Rule, l.RuleVersion); err != nil {
			return err
		}
		if l.ID == decision.LinkID {
			p.move(in, l, decision.Outcome) // nothing moved there when somebody answered
			continue
		}
		where := " on " + d.link.RefKey
		if decision.LinkID == "" {
			where = ""
		}
		p.settle(in, l, decision.Outcome, fmt.Sprintf("%s by %s%s. A decision made on this ticket has no effect any more.", capital(decision.Outcome), decision.ByName, where))
	}
	for _, delivery := range p.deliveries {
		if err := g.addDelivery(ctx, tx, delivery); err != nil {
			return err
		}
	}
	return nil
}

// revoke records the wish to take granted access back and owes it to the source: an action of its own, never a second
// decision.
func (g *Gateway) revoke(ctx context.Context, tx *store.Tx, d dossier, v judge.Verdict) error {
	decision, err := tx.DecisionOf(ctx, d.caze.ID)
	if err != nil {
		return err
	}
	if d.event.Test {
		v.Code, v.Text = judge.NotRevocable, "this is a test, and no access was given"
		return g.refuse(ctx, tx, d, v)
	}
	source := g.catalogue().connections[d.caze.Connection]
	if source == nil || source.connector == nil || !connectors.Can(source.connector, connectors.Revoke) {
		v.Code, v.Text = judge.NotRevocable, fmt.Sprintf("%s cannot be asked to take access back", d.caze.Connection)
		return g.refuse(ctx, tx, d, v)
	}
	err = tx.AddRevocation(ctx, store.Revocation{CaseID: d.caze.ID, LinkID: d.link.ID, Claim: v.Claim, By: v.By, ByName: v.ByName, At: v.At, RecordedAt: g.now(), State: decisionOwed})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := g.note(ctx, tx, d, "revocation.recorded", map[string]any{"ticket": d.ticket.Ref, "by": v.By, "by_name": v.ByName, "at": v.At.UTC(), "terms": d.terms.Name}); err != nil {
		return err
	}
	decision.Outcome, decision.By, decision.ByName, decision.At, decision.Reason = string(connectors.Denied), v.By, v.ByName, v.At, ""
	return g.owePost(ctx, tx, d, decision, connectors.Revoke)
}

func escape(text string) string { return mapping.EscapeMarkdown(text) }
