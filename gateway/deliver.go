package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// errLooking is the outcome of a create that is in doubt and was only looked for: nothing was sent.
var errLooking = &connectors.Error{Kind: connectors.Temporary, Err: errors.New("the answer to create was lost; looking for the ticket until the desk's search must show it")}

// result is what came of one try.
type result struct {
	worker   *worker
	delivery store.Delivery
	action   connectors.Action
	done     connectors.Done
	next     next
	err      error
	named    bool // the try failed, and may have done so after the ticket it names was there for some
	started  time.Time
	ended    time.Time
	health   *store.Health // what the try says of the connection, where that changed
}

// deliver makes one try at a claimed delivery and records what came of it, in one transaction with everything that
// follows from it. No transaction is open during the call, and the next call need not wait for the recording.
func (w *worker) deliver(ctx context.Context, conn *connection, d store.Delivery) {
	r := w.call(ctx, conn, d)
	w.leave()
	fenced, err := w.g.results.add(ctx, r)
	if errors.Is(err, store.ErrConflict) && r.tied() {
		fenced, err = w.g.results.add(ctx, w.foreign(conn, r))
	}
	if r.health != nil {
		w.storing.Add(-1)
	}
	switch {
	case err != nil:
		// The claim runs out and the delivery is taken back; a create is then in doubt.
		w.log.Error("record attempt", "delivery", d.ID, "error", err)
	case fenced != nil:
		w.log.Warn("result dropped: another worker has the delivery", "delivery", d.ID)
	}
	w.g.step("deliver.recorded")
}

// created tells whether the try opened a ticket, or found it.
func (r *result) created() bool {
	return r.action.Kind == connectors.Create && r.next.state == stateDelivered
}

// tied tells whether the try says which ticket its link has. One that is to be made whole by further tries can be answered
// meanwhile.
func (r *result) tied() bool { return r.created() || r.named }

// foreign is the result of a create whose ticket another link has: no link is ever moved to another ticket, so people
// have to look at it.
func (w *worker) foreign(conn *connection, r result) result {
	r.err = connectors.Permanently("the desk says it is ticket %s, which belongs to another request already; look at both by hand, then replay or cancel", r.done.Ref.Key)
	r.done, r.named, r.next = connectors.Done{}, false, w.outcome(conn, r.delivery, r.err, r.ended)
	w.logAttempt(r.delivery, r.next, r.err, r.ended.Sub(r.started))
	return r
}

func (w *worker) call(ctx context.Context, conn *connection, d store.Delivery) result {
	r := result{worker: w, delivery: d, started: w.g.now()}
	callCtx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	w.g.step("deliver.before_call")
	r.action, r.done, r.err = w.try(callCtx, conn, d)
	r.named = r.err != nil && connectors.AsError(r.err).Sent && r.action.Kind == connectors.Create && r.done.Ref.ID != "" && connectors.CreatesOnce(conn.connector)
	w.g.step("deliver.after_call")
	r.ended = w.g.now()
	r.next = w.outcome(conn, d, r.err, r.ended)
	w.storing.Add(1)
	if health, changed := w.learn(conn, r.next, r.err, r.ended); changed {
		r.health = &health
	} else {
		w.storing.Add(-1)
	}
	w.logAttempt(d, r.next, r.err, r.ended.Sub(r.started))
	return r
}

// try performs the action. What only became known since planning, the ticket's ref, is filled in here.
func (w *worker) try(ctx context.Context, conn *connection, d store.Delivery) (a connectors.Action, done connectors.Done, err error) {
	// A connector that panics costs its delivery, not the program.
	defer func() {
		if r := recover(); r != nil {
			w.log.Error("connector panicked", "delivery", d.ID, "panic", r, "stack", string(debug.Stack()))
			err = &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: errors.New("the connector failed inside; see the log")}
		}
	}()
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
	if a, err = w.g.recalled(ctx, conn, d.LinkID, a); err != nil {
		return a, done, err
	}
	if err := overtaken(ctx, conn, a); err != nil {
		return a, done, err
	}
	sent, err := w.g.withLinks(conn, a)
	if err != nil {
		return a, done, err
	}
	done, err = connectors.Do(ctx, conn.connector, sent)
	return a, done, err
}

// resolveDoubt asks the vendor what became of an earlier try whose answer was lost, before the action is repeated.
func (w *worker) resolveDoubt(ctx context.Context, conn *connection, d store.Delivery, a connectors.Action) (done connectors.Done, settled bool, err error) {
	switch a.Kind {
	case connectors.Create:
		return w.lookForTicket(ctx, conn, d, a)
	case connectors.Decide, connectors.Revoke:
		return done, false, w.askSource(ctx, conn, a)
	default:
		return done, false, nil
	}
}

func (w *worker) lookForTicket(ctx context.Context, conn *connection, d store.Delivery, a connectors.Action) (done connectors.Done, settled bool, err error) {
	once := connectors.CreatesOnce(conn.connector)
	if !connectors.CanFind(conn.connector) {
		if once {
			return done, false, nil
		}
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
	if w.g.now().Before(d.DoubtUntil) && !once {
		return done, true, errLooking
	}
	if d.Attempts > conn.retry.Attempts {
		return done, true, connectors.Permanently("the answer to create was lost %d times, and the desk shows no ticket; look for it by hand, then replay or cancel", conn.retry.Attempts)
	}
	return done, false, nil
}

// errAlready is the outcome of a decision the source turned out to have taken on the try before.
var errAlready = errors.New("the source has the decision already")

func (w *worker) askSource(ctx context.Context, conn *connection, a connectors.Action) error {
	state, can, err := connectors.AskState(ctx, conn.connector, *a.Decision)
	if !can || errors.Is(err, connectors.ErrUnsupported) || errors.Is(err, connectors.ErrNotFound) {
		return nil // it cannot be asked: the same is posted again, which says the same
	}
	if err != nil {
		e := *connectors.AsError(err)
		e.Sent = false
		return &e
	}
	return doubted(a, state.Outcome)
}

// doubted is what becomes of an action whose answer was lost, by what the source says of the request now: nil when the
// action is to be repeated. A revocation has happened where nobody has the access any more, for whatever reason.
func doubted(a connectors.Action, now connectors.Outcome) error {
	switch {
	case now == a.Decision.Outcome, a.Kind == connectors.Revoke && now == connectors.Expired:
		return errAlready
	case now == connectors.Pending, now == "", a.Kind == connectors.Revoke:
		return nil
	default:
		return connectors.Permanently("the source says the request is %s already", now)
	}
}

// errOvertaken is the outcome of moving a ticket back that somebody has moved since the claim it was for: that may be a
// claim that counts.
var errOvertaken = connectors.Permanently("somebody has moved the ticket since; it stays where it is")

// overtaken looks whether a ticket may still be moved back.
func overtaken(ctx context.Context, conn *connection, a connectors.Action) error {
	if a.Move == nil || a.Move.After == "" {
		return nil
	}
	s, err := connectors.Fetch(ctx, conn.connector, a.Ref)
	if err != nil {
		return err
	}
	if lastMove(s) != a.Move.After {
		return errOvertaken
	}
	return nil
}

// outcome decides what happens next, with the few cases that are no faults of the vendor.
func (w *worker) outcome(conn *connection, d store.Delivery, err error, now time.Time) next {
	switch {
	case errors.Is(err, errAlready), untold(err) != "":
		return conn.retry.after(d, nil, now, 0)
	case errors.Is(err, errLooking):
		pause := max(d.DoubtUntil.Sub(now)/3, conn.retry.First)
		return next{state: statePending, due: now.Add(pause), inDoubt: true, doubtUntil: d.DoubtUntil}
	case errors.Is(err, errOvertaken):
		return next{state: stateCanceled, usedAttempt: true}
	default:
		return conn.retry.after(d, err, now, jitter())
	}
}

// countsAgainst tells whether an error speaks against the vendor as a whole.
func countsAgainst(err error) bool {
	if err == nil || errors.Is(err, errAlready) || errors.Is(err, errLooking) || untold(err) != "" {
		return false
	}
	e, ok := errors.AsType[*connectors.Error](err) // what is none of these is our own trouble
	return ok && e.Kind == connectors.Temporary && (e.Status == 0 || e.Status >= 500)
}

// untold is why nobody could be told a decision; empty for every other outcome.
func untold(err error) string {
	if k, ok := errors.AsType[*connectors.Kept](err); ok {
		return cmp.Or(k.Why, "it has no way to be told")
	}
	return ""
}

// storeResults writes the attempts, the deliveries' next states and what follows from them. The answer has an error
// for each delivery that another worker has taken back meanwhile: nothing of it is written.
func (g *Gateway) storeResults(ctx context.Context, tx *store.Tx, results []result) ([]error, error) {
	done := make([]store.Finished, len(results))
	for i, r := range results {
		done[i] = store.Finished{Delivery: r.delivery, Finish: r.finish()}
	}
	lost, err := tx.FinishMany(ctx, done)
	if err != nil {
		return nil, err
	}
	fenced := make([]error, len(results))
	var kept []result
	var entries []store.Entry
	for i, r := range results {
		if slices.Contains(lost, r.delivery.ID) {
			fenced[i] = store.ErrConflict
			continue
		}
		kept = append(kept, r)
		entries = append(entries, r.entry(done[i].Finish.Attempt))
	}
	if err := tx.RecordAll(ctx, entries); err != nil {
		return nil, err
	}
	return fenced, g.follow(ctx, tx, kept)
}

// follow writes what follows from tries: tickets linked or to be read anew, decisions posted, connections unwell.
func (g *Gateway) follow(ctx context.Context, tx *store.Tx, results []result) error {
	var tied []result
	for _, r := range results {
		if r.tied() {
			tied = append(tied, r)
		}
	}
	if err := g.linkedAll(ctx, tx, tied); err != nil {
		return err
	}
	for _, r := range results {
		var err error
		switch {
		case r.action.Kind == connectors.Update && r.next.state == stateDelivered:
			err = g.updated(ctx, tx, r.delivery)
		case r.next.state == stateCanceled:
			err = g.addChange(ctx, tx, r.delivery.Connection, connectors.Change{Ref: r.action.Ref}, r.ended)
		case (r.action.Kind == connectors.Decide || r.action.Kind == connectors.Revoke) && r.next.state != statePending:
			err = g.posted(ctx, tx, r)
		}
		if err != nil {
			return err
		}
		if r.health != nil {
			if err := tx.SetHealth(ctx, *r.health); err != nil {
				return err
			}
		}
	}
	return nil
}

// fault is why the try failed, in words; nothing for one that did not.
func (r *result) fault() string {
	if r.err == nil || r.next.state == stateDelivered {
		return ""
	}
	return r.err.Error()
}

func (r *result) finish() store.Finish {
	n := r.next
	attempt := store.Attempt{ID: store.NewID(), DeliveryID: r.delivery.ID, N: r.delivery.Attempts, StartedAt: r.started, EndedAt: r.ended, Outcome: outcomeName(n, r.err), Error: r.fault()}
	if attempt.Error != "" {
		attempt.Status = connectors.AsError(r.err).Status
	}
	return store.Finish{
		State: n.state, Due: n.due, InDoubt: n.inDoubt, DoubtUntil: n.doubtUntil, UsedAttempt: n.usedAttempt,
		Error: attempt.Error, At: r.ended, Attempt: attempt,
	}
}

func (r *result) entry(attempt store.Attempt) store.Entry {
	d := r.delivery
	content := map[string]any{"delivery": d.ID, "action": d.Kind, "purpose": d.Purpose, "attempt": d.Attempts, "outcome": attempt.Outcome, "ms": r.ended.Sub(r.started).Milliseconds()}
	if attempt.Error != "" {
		content["error"] = attempt.Error
	}
	if attempt.Status != 0 {
		content["status"] = attempt.Status
	}
	if r.next.state == statePending && !r.next.due.IsZero() {
		content["due"] = r.next.due.UTC()
	}
	if r.done.Ref.ID != "" {
		content["ticket"] = r.done.Ref
		content["found"] = r.done.Found
	}
	if len(r.done.Results) == 1 && r.done.Results[0].ID != "" {
		content["record"] = r.done.Results[0].ID
	}
	return store.Entry{At: r.ended, CaseID: d.CaseID, Kind: "delivery.attempted", Subject: r.worker.name, Content: content}
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
	case n.state == stateCanceled:
		log.Info("delivery canceled", "why", err)
	default:
		log.Warn("delivery will be tried again", "error", err, "due", n.due, "in_doubt", n.inDoubt)
	}
}

// linkedAll notes which tickets links have, and sees to further tickets with the same keys.
func (g *Gateway) linkedAll(ctx context.Context, tx *store.Tx, created []result) error {
	refs := make([]store.LinkRef, len(created))
	moved := make([]store.Change, len(created))
	for i, r := range created {
		ref := r.done.Ref
		refs[i] = store.LinkRef{LinkID: r.delivery.LinkID, Ref: store.Ref{ID: ref.ID, Key: ref.Key, URL: ref.URL}, At: r.ended}
		// Somebody may have moved the ticket before we knew it.
		moved[i] = store.Change{Connection: r.delivery.Connection, RefID: ref.ID, RefKey: ref.Key, Due: r.ended}
	}
	if err := tx.SetLinkRefs(ctx, refs); err != nil {
		return fmt.Errorf("set links: %w", err)
	}
	for _, r := range created {
		if err := g.closeTwins(ctx, tx, r.delivery.LinkID, r.done.Twins); err != nil {
			return err
		}
		tx.Wake(wakeConnection(r.delivery.Connection))
	}
	return tx.AddChanges(ctx, moved)
}

// linked notes which ticket a link has, and sees to further tickets with the same key.
func (g *Gateway) linked(ctx context.Context, tx *store.Tx, d store.Delivery, done connectors.Done, now time.Time) error {
	return g.linkedAll(ctx, tx, []result{{delivery: d, done: done, ended: now}})
}

func (g *Gateway) closeTwins(ctx context.Context, tx *store.Tx, linkID string, twins []connectors.Ref) error {
	if len(twins) == 0 {
		return nil
	}
	link, err := tx.Link(ctx, linkID)
	if err != nil {
		return err
	}
	for _, ref := range twins {
		if err := g.closeTwin(ctx, tx, link, ref); err != nil {
			return err
		}
	}
	return nil
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
	text := "This ticket was opened for a request that was given up here meanwhile; a decision made on it has no effect."
	if first.RefKey != "" {
		text = fmt.Sprintf("This ticket was opened a second time for the same request, because the answer to the first try was lost. Please use %s; a decision made here has no effect.", first.RefKey)
	}
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
