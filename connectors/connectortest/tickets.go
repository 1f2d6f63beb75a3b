package connectortest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// writers are the operations whose lost answer leaves a doubt.
var writers = []operation{create, update, comment, transition, attach, decide, send}

// mostRequests bounds how deep into an operation answers are lost.
const mostRequests = 12

// checkLostAnswers lets the stand-in act on each request of an operation and loses the answer. A create is then done
// again, as the gateway would.
func checkLostAnswers(t *testing.T, s Suite) error {
	if s.Peer != nil {
		return checkLostDialogues(t, s)
	}
	if s.Standin == nil {
		return noStandin
	}
	losses := []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"no answer", cut},
		{"HTTP 500", answerStatus(http.StatusInternalServerError)},
		{"HTTP 504", answerStatus(http.StatusGatewayTimeout)},
		{"a web page", answerText("text/html", []byte("<html>"))},
	}
	var found []error
	for _, op := range writers {
		for _, loss := range losses {
			for n := range mostRequests {
				b := newBench(t, s)
				if !op.can(b.c) || !op.given(s) {
					break
				}
				reached := b.lose(t.Context(), op, fault{answer: loss.answer, at: n, acts: true}, loss.name)
				found = append(found, b.err())
				if !reached {
					break
				}
			}
		}
	}
	return errors.Join(found...)
}

// lose performs op under f. It tells whether op got as far as the request f disturbs.
func (b *bench) lose(ctx context.Context, op operation, f fault, name string) bool {
	if !b.prepare(ctx, op) {
		return false
	}
	b.server.disturb(f)
	err := b.call(ctx, op, name)
	seen, writes := b.server.requests()
	if len(seen) <= f.at {
		return false
	}
	during := fmt.Sprintf("%s to %s", name, seen[f.at])
	b.server.disturb(fault{})
	sent := err != nil && connectors.AsError(err).Sent
	if op.name != create.name {
		if writes[f.at] && err != nil && !sent {
			b.fault("%s, %s: the vendor may have acted, but the error says it has not: %w", op.name, during, err)
		}
		return true
	}
	if !connectors.CanFind(b.c) {
		if writes[f.at] && err != nil && !sent {
			b.fault("create, %s: there may be a ticket, but the error says there is none: %w", during, err)
		}
		return true
	}
	if b.tickets(ctx, "k1") > 0 && err != nil && !sent {
		b.fault("create, %s: there is a ticket, but the error says there is none: %w", during, err)
	}
	if err := b.call(ctx, op, "again after "+during); err != nil {
		b.fault("create, again after %s: %w", during, err)
	}
	if n := b.tickets(ctx, "k1"); n != 1 {
		b.fault("create, again after %s: there are %d tickets, want 1", during, n)
	}
	return true
}

func checkCreateTwice(t *testing.T, s Suite) error {
	if !s.remembers() {
		return noStandin
	}
	b := newBench(t, s)
	if !create.can(b.c) || !connectors.CanFind(b.c) {
		return notThisKind
	}
	ctx := t.Context()
	if n := b.tickets(ctx, "k1"); n != 0 {
		b.fault("before the first create: %d tickets are found, want 0", n)
	}
	first, err := connectors.Do(ctx, b.c, b.create("k1"))
	if err != nil {
		return fmt.Errorf("first create: %w", err)
	}
	second, err := connectors.Do(ctx, b.c, b.create("k1"))
	if err != nil {
		return fmt.Errorf("second create: %w", err)
	}
	if first.Found || !second.Found {
		b.fault("found: got %t and %t, want false and true", first.Found, second.Found)
	}
	if first.Ref.ID == "" || first.Ref.ID != second.Ref.ID {
		b.fault("got tickets %q and %q, want one", first.Ref.ID, second.Ref.ID)
	}
	if len(second.Twins) > 0 {
		b.fault("got twins %v, want none", second.Twins)
	}
	other, err := connectors.Do(ctx, b.c, b.create("k12"))
	if err != nil {
		return fmt.Errorf("create under another key: %w", err)
	}
	if other.Found || other.Ref.ID == first.Ref.ID {
		b.fault("another key led to the same ticket %q", other.Ref.ID)
	}
	if n := b.tickets(ctx, "k1"); n != 1 {
		b.fault("at the end: %d tickets are found, want 1", n)
	}
	return b.err()
}

// checkTicket does everything to a ticket that can be done, and reads it back.
func checkTicket(t *testing.T, s Suite) error {
	if !s.remembers() {
		return noStandin
	}
	b := newBench(t, s)
	if !create.can(b.c) {
		return notThisKind
	}
	ctx := t.Context()
	done, err := connectors.Do(ctx, b.c, b.create("k1"))
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	b.ref = done.Ref
	b.compare(ctx, "after create", "")
	for _, op := range []operation{update, comment, attach, transition} {
		if !op.can(b.c) || !op.given(s) {
			continue
		}
		if err := b.call(ctx, op, "undisturbed"); err != nil {
			b.fault("%s: %w", op.name, err)
		}
	}
	if transition.can(b.c) {
		b.compare(ctx, "after transition", s.Move.Status)
		if err := b.call(ctx, transition, "a second time"); err != nil {
			b.fault("transition to the status the ticket has: %w", err)
		}
	}
	return b.err()
}

// compare reads the ticket back.
func (b *bench) compare(ctx context.Context, when, status string) {
	if !connectors.CanFetch(b.c) {
		return
	}
	snap, err := connectors.Fetch(ctx, b.c, b.ref)
	if err != nil {
		b.fault("fetch %s: %w", when, err)
		return
	}
	if snap.Key != "k1" || !snap.Ours || snap.Ref.ID != b.ref.ID {
		b.fault("fetch %s: got key %q, ours %t and ticket %q, want k1, true and %q", when, snap.Key, snap.Ours, snap.Ref.ID, b.ref.ID)
	}
	if status != "" && !strings.EqualFold(snap.Status, status) {
		b.fault("fetch %s: got status %q, want %q", when, snap.Status, status)
	}
	// The judgement looks for edits by the names a snapshot has.
	for _, step := range snap.History {
		if step.To != "" && step.To == snap.Summary && step.Field != "summary" {
			b.fault("fetch %s: the history calls the summary %q", when, step.Field)
		}
	}
}

// checkWatch starts to watch, changes a ticket and expects to be told.
func checkWatch(t *testing.T, s Suite) error {
	if !s.remembers() {
		return noStandin
	}
	b := newBench(t, s)
	w, ok := connectors.AsWatcher(b.c)
	if !ok || !create.can(b.c) {
		return notThisKind
	}
	ctx := t.Context()
	_, cursor, err := w.Watch(ctx, "", nil)
	if err != nil {
		return fmt.Errorf("start to watch: %w", err)
	}
	done, err := connectors.Do(ctx, b.c, b.create("k1"))
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	for range 2 { // from the same cursor: what was told once is told again
		changes, _, err := w.Watch(ctx, cursor, []connectors.Ref{done.Ref})
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		told := false
		for _, c := range changes {
			told = told || c.Ref.ID == done.Ref.ID
		}
		if !told {
			b.fault("watch told of %d changes and missed ticket %s", len(changes), done.Ref.ID)
		}
	}
	return b.err()
}

// checkDecision tells the tool a decision and asks what it knows.
func checkDecision(t *testing.T, s Suite) error {
	if !s.remembers() {
		return noStandin
	}
	b := newBench(t, s)
	if !decide.can(b.c) {
		return notThisKind
	}
	ctx := t.Context()
	if err := b.call(ctx, decide, "undisturbed"); err != nil {
		return errors.Join(fmt.Errorf("decide: %w", err), b.err())
	}
	if b.kept {
		return b.err()
	}
	state, ok, err := connectors.AskState(ctx, b.c, s.Decision)
	switch {
	case !ok, errors.Is(err, connectors.ErrUnsupported):
	case err != nil:
		b.fault("state: %w", err)
	case state.Outcome != s.Decision.Outcome:
		b.fault("state: got %q, want %q", state.Outcome, s.Decision.Outcome)
	}
	return b.err()
}

func checkSend(t *testing.T, s Suite) error {
	if !s.remembers() {
		return noStandin
	}
	b := newBench(t, s)
	if !send.can(b.c) {
		return notThisKind
	}
	done, err := connectors.Do(t.Context(), b.c, connectors.Action{Kind: connectors.Send, Records: s.Records})
	if err != nil {
		b.fault("send: %w", err)
	}
	if len(done.Results) != len(s.Records) {
		b.fault("send: got %d results for %d records", len(done.Results), len(s.Records))
	}
	return b.err()
}
