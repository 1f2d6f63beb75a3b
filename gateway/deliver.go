package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// errLooking is the outcome of a create that is in doubt and was only looked for: nothing was sent.
var errLooking = &connectors.Error{Kind: connectors.Temporary, Err: errors.New("the answer to create was lost; looking for the ticket until the desk's search must show it")}

// deliver makes one try at a claimed delivery and records what came of it, in one transaction with everything that
// follows from it. No transaction is open during the call.
func (w *worker) deliver(ctx context.Context, conn *connection, d store.Delivery) {
	started := w.g.now()
	callCtx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	w.g.step("deliver.before_call")
	action, done, callErr := w.try(callCtx, conn, d)
	w.g.step("deliver.after_call")
	ended := w.g.now()
	n := w.outcome(conn, d, callErr, ended)
	health, changed := w.learn(conn, n, callErr, ended)
	w.logAttempt(d, n, callErr, ended.Sub(started))
	err := w.g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := w.record(ctx, tx, d, action, done, n, callErr, started, ended); err != nil || !changed {
			return err
		}
		return tx.SetHealth(ctx, health)
	})
	if errors.Is(err, store.ErrConflict) {
		w.log.Warn("result dropped: another worker has the delivery", "delivery", d.ID)
	} else if err != nil {
		// The claim runs out and the delivery is taken back; a create is then in doubt.
		w.log.Error("record attempt", "delivery", d.ID, "error", err)
	}
	w.g.step("deliver.recorded")
}

// try performs the action. What only became known since planning, the ticket's ref, is filled in here.
func (w *worker) try(ctx context.Context, conn *connection, d store.Delivery) (connectors.Action, connectors.Done, error) {
	var a connectors.Action
	if err := json.Unmarshal(d.Action, &a); err != nil {
		return a, connectors.Done{}, connectors.Permanently("read stored action: %w", err)
	}
	if d.LinkID != "" && a.Ref.ID == "" && a.Kind != connectors.Create {
		link, err := w.g.store.Link(ctx, d.LinkID)
		if err != nil {
			return a, connectors.Done{}, &connectors.Error{Kind: connectors.Temporary, Err: fmt.Errorf("read link: %w", err)}
		}
		if link.RefID == "" {
			return a, connectors.Done{}, connectors.Permanently("the ticket this belongs to was never opened")
		}
		a.Ref = connectors.Ref{ID: link.RefID, Key: link.RefKey, URL: link.RefURL}
	}
	if d.InDoubt {
		done, settled, err := w.resolveDoubt(ctx, conn, d, a)
		if settled || err != nil {
			return a, done, err
		}
	}
	done, err := connectors.Do(ctx, conn.connector, a)
	return a, done, err
}

// resolveDoubt asks the vendor what became of an earlier try whose answer was lost, before the action is repeated.
func (w *worker) resolveDoubt(ctx context.Context, conn *connection, d store.Delivery, a connectors.Action) (done connectors.Done, settled bool, err error) {
	switch a.Kind {
	case connectors.Create:
		return w.lookForTicket(ctx, conn, d, a)
	case connectors.Decide:
		return done, false, w.askSource(ctx, conn, a)
	default:
		return done, false, nil
	}
}

func (w *worker) lookForTicket(ctx context.Context, conn *connection, d store.Delivery, a connectors.Action) (done connectors.Done, settled bool, err error) {
	if !connectors.CanFind(conn.connector) {
		return done, true, connectors.Permanently("the answer to create was lost and this desk cannot be searched; look for the ticket by hand, then replay or cancel")
	}
	found, err := connectors.Find(ctx, conn.connector, a.Key)
	if err != nil {
		e := *connectors.AsError(err)
		e.Sent = false // a search makes no ticket
		return done, true, &e
	}
	if len(found) > 0 {
		return connectors.Done{Ref: found[0], Found: true, Twins: found[1:]}, true, nil
	}
	if w.g.now().Before(d.DoubtUntil) {
		return done, true, errLooking
	}
	return done, false, nil
}

// errAlready is the outcome of a decision the source turned out to have taken on the try before.
var errAlready = errors.New("the source has the decision already")

func (w *worker) askSource(ctx context.Context, conn *connection, a connectors.Action) error {
	state, can, err := connectors.AskState(ctx, conn.connector, *a.Decision)
	if !can || errors.Is(err, connectors.ErrUnsupported) || errors.Is(err, connectors.ErrNotFound) {
		return nil // it cannot be asked: the decision is posted again, which says the same
	}
	if err != nil {
		e := *connectors.AsError(err)
		e.Sent = false
		return &e
	}
	switch state.Outcome {
	case a.Decision.Outcome:
		return errAlready
	case connectors.Pending, "":
		return nil
	default:
		return connectors.Permanently("the source says the request is %s already", state.Outcome)
	}
}

// outcome decides what happens next, with the few cases that are no faults of the vendor.
func (w *worker) outcome(conn *connection, d store.Delivery, err error, now time.Time) next {
	switch {
	case errors.Is(err, errAlready):
		return conn.retry.after(d, nil, now, 0)
	case errors.Is(err, errLooking):
		pause := max(d.DoubtUntil.Sub(now)/3, conn.retry.First)
		return next{state: statePending, due: now.Add(pause), inDoubt: true, doubtUntil: d.DoubtUntil}
	default:
		return conn.retry.after(d, err, now, jitter())
	}
}

// countsAgainst tells whether an error speaks against the vendor as a whole.
func countsAgainst(err error) bool {
	if err == nil || errors.Is(err, errAlready) || errors.Is(err, errLooking) {
		return false
	}
	e := connectors.AsError(err)
	return e.Kind == connectors.Temporary && (e.Status == 0 || e.Status >= 500)
}

// record writes the attempt, the delivery's next state and what follows from it.
func (w *worker) record(ctx context.Context, tx *store.Tx, d store.Delivery, a connectors.Action, done connectors.Done, n next, err error, started, ended time.Time) error {
	attempt := store.Attempt{ID: store.NewID(), DeliveryID: d.ID, N: d.Attempts, StartedAt: started, EndedAt: ended, Outcome: outcomeName(n, err)}
	if err != nil && n.state != stateDelivered {
		attempt.Status, attempt.Error = connectors.AsError(err).Status, err.Error()
	}
	if err := tx.Finish(ctx, d, store.Finish{
		State: n.state, Due: n.due, InDoubt: n.inDoubt, DoubtUntil: n.doubtUntil, UsedAttempt: n.usedAttempt,
		Error: attempt.Error, At: ended, Attempt: attempt,
	}); err != nil {
		return err
	}
	content := map[string]any{"delivery": d.ID, "action": d.Kind, "purpose": d.Purpose, "attempt": d.Attempts, "outcome": attempt.Outcome, "ms": ended.Sub(started).Milliseconds()}
	if attempt.Error != "" {
		content["error"] = attempt.Error
	}
	if attempt.Status != 0 {
		content["status"] = attempt.Status
	}
	if n.state == statePending && !n.due.IsZero() {
		content["due"] = n.due.UTC()
	}
	if done.Ref.ID != "" {
		content["ticket"] = done.Ref
		content["found"] = done.Found
	}
	if err := tx.Record(ctx, store.Entry{At: ended, CaseID: d.CaseID, Kind: "delivery.attempted", Subject: w.name, Content: content}); err != nil {
		return err
	}
	switch {
	case a.Kind == connectors.Create && n.state == stateDelivered:
		return w.g.linked(ctx, tx, d, done, ended)
	case a.Kind == connectors.Update && n.state == stateDelivered:
		return w.g.updated(ctx, tx, d, ended)
	case (a.Kind == connectors.Decide || a.Kind == connectors.Revoke) && n.state != statePending:
		return w.g.posted(ctx, tx, d, n, attempt.Error, ended)
	}
	return nil
}

func outcomeName(n next, err error) string {
	switch {
	case n.state == stateDelivered:
		return "delivered"
	case errors.Is(err, errLooking):
		return "lost"
	default:
		return connectors.AsError(err).Kind.String()
	}
}

func (w *worker) logAttempt(d store.Delivery, n next, err error, took time.Duration) {
	log := w.log.With("delivery", d.ID, "action", d.Kind, "case", d.CaseID, "attempt", d.Attempts, "state", n.state, "ms", took.Milliseconds())
	switch {
	case n.state == stateDelivered:
		log.Info("delivered")
	case n.state == stateDead:
		log.Error("delivery is dead", "error", err)
	default:
		log.Warn("delivery will be tried again", "error", err, "due", n.due, "in_doubt", n.inDoubt)
	}
}

// linked notes which ticket a link has, and sees to further tickets with the same key.
func (g *Gateway) linked(ctx context.Context, tx *store.Tx, d store.Delivery, done connectors.Done, now time.Time) error {
	if err := tx.SetLinkRef(ctx, d.LinkID, store.Ref{ID: done.Ref.ID, Key: done.Ref.Key, URL: done.Ref.URL}, now); err != nil {
		return fmt.Errorf("set link: %w", err)
	}
	link, err := tx.Link(ctx, d.LinkID)
	if err != nil {
		return err
	}
	for _, ref := range done.Twins {
		if err := g.closeTwin(ctx, tx, link, ref); err != nil {
			return err
		}
	}
	// Somebody may have moved the ticket before we knew it.
	return g.addChange(ctx, tx, link.Desk, connectors.Change{Ref: done.Ref}, now)
}

// closeTwin owes a second ticket of the same link its closing, once. The twin gets a link of its own, which can
// never decide.
func (g *Gateway) closeTwin(ctx context.Context, tx *store.Tx, first store.Link, ref connectors.Ref) error {
	now := g.now()
	key := shortHash(first.ID, "twin", ref.ID)
	twin, created, err := tx.AddLink(ctx, store.Link{
		ID: "lnk-" + key, CaseID: first.CaseID, Desk: first.Desk, Slot: "twin/" + ref.ID, Key: key,
		RefID: ref.ID, RefKey: ref.Key, RefURL: ref.URL, Rule: first.Rule, RuleVersion: first.RuleVersion,
		Opening: first.Opening, State: linkTwin, CreatedAt: now, LinkedAt: now,
	})
	if err != nil || !created {
		return err
	}
	g.log.Warn("second ticket for one request found; it will be closed", "connection", first.Desk, "ticket", ref.Key, "first", first.RefKey)
	in := planInput{caze: store.Case{ID: first.CaseID}, eventID: first.Opening}
	var p plan
	if r, err := g.ruleAt(ctx, tx, first.Rule, first.RuleVersion); err != nil {
		return err
	} else if r != nil {
		if status, fields, ok := settleTwin(r); ok {
			p.add(in, r, twin, store.Delivery{Purpose: purposeTwin}, connectors.Action{Kind: connectors.Transition, Ref: ref, Move: &connectors.Move{Status: status, Fields: fields}})
		}
	}
	text := fmt.Sprintf("This ticket was opened a second time for the same request, because the answer to the first try was lost. Please use %s; a decision made here has no effect.", first.RefKey)
	p.add(in, nil, twin, store.Delivery{Purpose: purposeTwin}, connectors.Action{Kind: connectors.Comment, Ref: ref, Note: &connectors.Note{Key: key, Body: escape(text)}})
	for _, d := range p.deliveries {
		if err := g.addDelivery(ctx, tx, d); err != nil {
			return err
		}
	}
	return tx.Record(ctx, store.Entry{At: now, CaseID: first.CaseID, Kind: "twin.found", Subject: first.Desk, Content: map[string]any{"ticket": ref, "first": first.RefKey}})
}

// settleTwin is the status a rule has for tickets that ended without a decision.
func settleTwin(r *rule) (string, map[string]any, bool) {
	if status, fields, ok := r.Settle(string(connectors.Expired)); ok {
		return status, fields, true
	}
	return r.Settle(string(connectors.Denied))
}
