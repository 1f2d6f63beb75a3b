package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/gateway/judge"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// posted writes what became of a post-back: the decision's state and a comment for the approver, in the transaction
// that finishes the delivery.
func (g *Gateway) posted(ctx context.Context, tx *store.Tx, r result) error {
	delivery, n, fault, now := r.delivery, r.next, r.fault(), r.ended
	d, err := tx.DecisionOf(ctx, delivery.CaseID)
	if err != nil {
		return fmt.Errorf("read decision: %w", err)
	}
	if connectors.ActionKind(delivery.Kind) == connectors.Revoke {
		return g.revoked(ctx, tx, delivery, d, n, fault, now)
	}
	caze, err := tx.LockCase(ctx, delivery.CaseID)
	if err != nil {
		return err
	}
	state, text := decisionPosted, acceptedText(d, caze.Connection, now)
	content := map[string]any{"outcome": d.Outcome, "delivery": delivery.ID}
	if why := untold(r.err); why != "" {
		state, content["why"] = decisionKept, why
		if delivery.InDoubt {
			content["in_doubt"] = true
		}
		text = keptText(d, caze.Connection, why, delivery.InDoubt)
	}
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
	if err := tx.Record(ctx, store.Entry{At: now, CaseID: caze.ID, Kind: "decision." + state, Subject: caze.Connection, Content: content}); err != nil {
		return err
	}
	if err := g.readAgain(ctx, tx, d, state, now); err != nil {
		return err
	}
	body := escape(text)
	if state == decisionPosted || state == decisionKept {
		if body, err = g.signed(ctx, tx, d, text); err != nil {
			return err
		}
	}
	links, err := decidedOn(ctx, tx, d)
	if err != nil {
		return err
	}
	for _, link := range links {
		if err := g.markdown(ctx, tx, caze.ID, link, purposeOutcome, d.ID+state, body); err != nil {
			return err
		}
		if err := g.writeBack(ctx, tx, caze, link, d, state); err != nil {
			return err
		}
	}
	return nil
}

// keptText says that nobody is told a decision. After a try whose answer was lost, while the source could still be told,
// nobody knows whether it was.
func keptText(d store.Decision, source, why string, inDoubt bool) string {
	told := source + " was not told"
	if inDoubt {
		told = source + " may have been told all the same, by an earlier try whose answer was lost; please look there. It is not told again"
	}
	return fmt.Sprintf("%s by %s. This is recorded here only; %s: %s.", capital(d.Outcome), d.ByName, told, why)
}

// decidedOn is the ticket a decision was made on; all of the case's where the clock made it.
func decidedOn(ctx context.Context, tx *store.Tx, d store.Decision) ([]store.Link, error) {
	if d.LinkID == "" {
		links, err := tx.LinksOfCase(ctx, d.CaseID)
		return live(links), err
	}
	link, err := tx.Link(ctx, d.LinkID)
	return []store.Link{link}, err
}

// readAgain has the tickets of an approval read that the source has accepted: the wish to take it back may stand there
// already, and was refused because nothing had been granted.
func (g *Gateway) readAgain(ctx context.Context, tx *store.Tx, d store.Decision, state string, now time.Time) error {
	if state != decisionPosted || d.Outcome != string(connectors.Approved) {
		return nil
	}
	links, err := tx.LinksOfCase(ctx, d.CaseID)
	if err != nil {
		return err
	}
	for _, l := range live(links) {
		if l.RefID == "" {
			continue
		}
		if err := g.addChange(ctx, tx, l.Desk, connectors.Change{Ref: connectors.Ref{ID: l.RefID, Key: l.RefKey}}, now); err != nil {
			return err
		}
	}
	return nil
}

// revoked writes what became of a revocation.
func (g *Gateway) revoked(ctx context.Context, tx *store.Tx, delivery store.Delivery, d store.Decision, n next, fault string, now time.Time) error {
	r, err := tx.RevocationOf(ctx, delivery.CaseID)
	if err != nil {
		return err
	}
	state, text := decisionPosted, fmt.Sprintf("Access taken back on the word of %s: accepted by the source at %s.", r.ByName, stampText(now))
	if n.state == stateDead {
		state = decisionRefused
		text = fmt.Sprintf("Access could not be taken back: %s. It is kept as a dead letter; an operator can send it again with: drawbridge replay %s", fault, delivery.ID)
	}
	if err := tx.SetRevocationState(ctx, delivery.CaseID, state, delivery.ID); err != nil {
		return err
	}
	if err := tx.Record(ctx, store.Entry{At: now, CaseID: delivery.CaseID, Kind: "revocation." + state, Subject: delivery.Connection, Content: map[string]any{"delivery": delivery.ID, "decision": d.ID}}); err != nil {
		return err
	}
	link, err := tx.Link(ctx, r.LinkID)
	if err != nil {
		return err
	}
	body := escape(text)
	if state == decisionPosted {
		taken := store.Decision{ID: d.ID, CaseID: d.CaseID, Outcome: audit.Revoked, By: r.By, ByName: r.ByName, At: r.At,
			Rule: link.Rule, RuleVersion: link.RuleVersion, Policy: link.Policy, PolicyVersion: link.PolicyVersion}
		if body, err = g.signed(ctx, tx, taken, text); err != nil {
			return err
		}
	}
	return g.markdown(ctx, tx, delivery.CaseID, link, purposeOutcome, "revocation"+state, body)
}

// writeBack owes the ticket the duration that was granted, where the rule names a field for it.
func (g *Gateway) writeBack(ctx context.Context, tx *store.Tx, caze store.Case, link store.Link, d store.Decision, state string) error {
	r, err := g.ruleAt(ctx, tx, link.Rule, link.RuleVersion)
	if err != nil || r == nil || r.Rule().Decision == nil {
		return err
	}
	field, granted := r.Granted(), mapping.Granted{Once: d.Once, Length: d.Length}.String()
	if field == "" || granted == "" || state != decisionPosted || d.Outcome != string(connectors.Approved) {
		return nil
	}
	return g.addDelivery(ctx, tx, owed(store.Delivery{
		CaseID: caze.ID, EventID: link.Opening, LinkID: link.ID, Lane: link.ID, Connection: link.Desk, Purpose: purposeOutcome, Rule: link.Rule, RuleVersion: link.RuleVersion,
	}, connectors.Action{Kind: connectors.Update, Ticket: &connectors.Ticket{Fields: map[string]any{field: granted}}}))
}

func acceptedText(d store.Decision, source string, now time.Time) string {
	text := fmt.Sprintf("%s by %s: accepted by %s at %s", capital(d.Outcome), d.ByName, source, stampText(now))
	if granted := durationText(d); granted != "" && d.Outcome == string(connectors.Approved) {
		text += ", for " + granted
		if shortened(d) {
			text += ", the most the policy allows"
		}
	}
	return text + "."
}

// shortened tells whether the policy cut the duration that was asked for.
func shortened(d store.Decision) bool {
	var v judge.Verdict
	return json.Unmarshal(d.Detail, &v) == nil && v.Cut
}

func durationText(d store.Decision) string {
	switch {
	case d.Once:
		return "one use"
	case d.Length > 0:
		return d.Length.String()
	default:
		return ""
	}
}

func stampText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// comment owes a ticket an internal comment of plain words. mark makes its key: the same mark is the same comment.
func (g *Gateway) comment(ctx context.Context, tx *store.Tx, caseID string, link store.Link, purpose, mark, text string) error {
	return g.markdown(ctx, tx, caseID, link, purpose, mark, escape(text))
}

func (g *Gateway) markdown(ctx context.Context, tx *store.Tx, caseID string, link store.Link, purpose, mark, body string) error {
	if mark == "" {
		mark = store.NewID()
	}
	return g.addDelivery(ctx, tx, owed(store.Delivery{
		CaseID: caseID, EventID: link.Opening, LinkID: link.ID, Lane: link.ID, Connection: link.Desk, Purpose: purpose,
	}, connectors.Action{Kind: connectors.Comment, Note: &connectors.Note{Key: shortHash(link.ID, purpose, mark), Body: body}}))
}

// updated forgets what the ticket said before an update of our own, and has it read anew.
func (g *Gateway) updated(ctx context.Context, tx *store.Tx, d store.Delivery) error {
	link, err := tx.Link(ctx, d.LinkID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return g.readAnew(ctx, tx, link)
}

// readAnew forgets what a ticket said when it was first read, and has it read as if that were the first time.
func (g *Gateway) readAnew(ctx context.Context, tx *store.Tx, link store.Link) error {
	if err := tx.SetBaseline(ctx, link.ID, ""); err != nil || link.RefID == "" {
		return err
	}
	return g.addChange(ctx, tx, link.Desk, connectors.Change{Ref: connectors.Ref{ID: link.RefID, Key: link.RefKey}}, g.now())
}
