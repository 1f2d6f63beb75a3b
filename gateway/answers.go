package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Where a desk keeps no ticket but asks people, what they answered is kept here. An answer is a claim like a moved ticket:
// it is stored once, noted as a change, and read and judged by the connection's worker.

// statusAsked is what stands on what was put to people before anybody has answered.
const statusAsked = "asked"

// asks tells whether the connection's desk keeps no tickets, but asks people.
func (c *connection) asks() bool {
	if c == nil || c.connector == nil {
		return false
	}
	_, ok := connectors.AsAsker(c.connector)
	return ok
}

// reads tells whether what was done to the desk's tickets can be learned.
func (c *connection) reads() bool { return connectors.CanFetch(c.connector) || c.asks() }

// Answer takes what somebody answered to what a link put to people, who they are being established beforehand: by a
// sign-in, or by the vendor. The vote's ID is good for one answer: false where it was used before. What the answer comes
// to is told where it was asked.
func (g *Gateway) Answer(ctx context.Context, link store.Link, v connectors.Vote) (fresh bool, err error) {
	v.Key = link.Key
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := g.published(ctx, tx, link.Desk); err != nil {
			return err
		}
		fresh, err = g.addAnswer(ctx, tx, link.Desk, v)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("store answer: %w", err)
	}
	return fresh, nil
}

// noteAnswers stores answers that a vendor told of.
func (g *Gateway) noteAnswers(ctx context.Context, connection string, votes []connectors.Vote) error {
	err := g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := g.published(ctx, tx, connection); err != nil {
			return err
		}
		for _, v := range votes {
			if _, err := g.addAnswer(ctx, tx, connection, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store answers: %w", err)
	}
	return nil
}

// addAnswer stores one answer and has it judged, unless it was told before or answers nothing of ours.
func (g *Gateway) addAnswer(ctx context.Context, tx *store.Tx, connection string, v connectors.Vote) (fresh bool, err error) {
	now := g.now()
	link, err := tx.LinkByKey(ctx, v.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if why := answersNothing(link, connection, v); why != "" {
		g.log.Warn("answer ignored", "connection", connection, "why", why)
		content, caseID := said(v), ""
		content["why"] = why
		if link.Desk == connection {
			caseID = link.CaseID
			if err := g.twinAnswered(ctx, tx, link, v.Ref); err != nil {
				return false, err
			}
		}
		return false, tx.Record(ctx, store.Entry{At: now, CaseID: caseID, Kind: "answer.ignored", Subject: connection, Content: content})
	}
	if _, err := tx.LockCase(ctx, link.CaseID); err != nil {
		return false, err
	}
	if link, err = tx.Link(ctx, link.ID); err != nil {
		return false, err
	}
	v.At = givenAt(v.At, link, now)
	fresh, err = tx.AddAnswer(ctx, store.Answer{
		ID: shortHash(connection, v.ID), CaseID: link.CaseID, LinkID: link.ID, Account: v.By.Account, Mail: v.By.Mail, Name: v.By.Name,
		Machine: v.By.Ours || v.By.Automation, Outcome: string(v.Outcome), Reason: v.Reason, Duration: v.Duration, At: v.At, RecordedAt: now,
	})
	if err != nil || !fresh {
		return false, err
	}
	content := said(v)
	content["ticket"] = link.RefKey
	if err := tx.Record(ctx, store.Entry{At: now, CaseID: link.CaseID, Kind: "answer.received", Subject: connection, Content: content}); err != nil {
		return false, err
	}
	if link.RefID == "" {
		return true, g.foundByAnswer(ctx, tx, link, v.Ref)
	}
	return true, g.addChange(ctx, tx, connection, connectors.Change{Ref: connectors.Ref{ID: link.RefID, Key: link.RefKey}}, now)
}

// givenAt is when an answer was given, as its teller says it within what can be: not before it was asked for, and not after
// it came. Hours and deadlines go by it.
func givenAt(told time.Time, link store.Link, now time.Time) time.Time {
	switch {
	case told.IsZero(), told.After(now):
		return now
	case told.Before(link.CreatedAt):
		return link.CreatedAt
	}
	return told
}

// answersNothing tells why an answer is to nothing that this connection asked; empty where it is.
func answersNothing(link store.Link, connection string, v connectors.Vote) string {
	switch {
	case v.ID == "":
		return "it bears no id of its own"
	case v.Outcome != connectors.Approved && v.Outcome != connectors.Denied:
		return "it neither approves nor denies"
	case link.ID == "":
		return "its key is none of ours, or its request is no longer kept"
	case link.Desk != connection:
		return "its key belongs to another connection"
	case link.State != linkPlanned && link.State != linkLinked:
		return "what it answers no longer counts"
	case v.Ref.ID != "" && link.RefID != "" && v.Ref.ID != link.RefID:
		return "its key was put on something else"
	}
	return ""
}

// twinAnswered closes what was put to people a second time for one link, because the answer to the first try was lost:
// who answered it is told where to answer.
func (g *Gateway) twinAnswered(ctx context.Context, tx *store.Tx, link store.Link, ref connectors.Ref) error {
	if ref.ID == "" || link.State != linkLinked || link.RefID == ref.ID {
		return nil
	}
	_, err := tx.LinkByRef(ctx, link.Desk, ref.ID)
	if errors.Is(err, store.ErrNotFound) {
		return g.closeTwin(ctx, tx, link, ref)
	}
	return err
}

// said is an answer for the record.
func said(v connectors.Vote) map[string]any {
	content := map[string]any{"outcome": v.Outcome, "account": v.By.Account, "by_name": v.By.Name, "mail": v.By.Mail}
	if v.Reason != "" {
		content["reason"] = v.Reason
	}
	if v.Duration != "" {
		content["duration"] = v.Duration
	}
	return content
}

// foundByAnswer settles a create whose own answer was lost: somebody answered, so it was put to people. One that is still
// under way settles itself, and the answer is judged then.
func (g *Gateway) foundByAnswer(ctx context.Context, tx *store.Tx, link store.Link, ref connectors.Ref) error {
	if ref.ID == "" {
		return nil
	}
	d, err := tx.CreateOf(ctx, link.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case d.State == statePending && d.InDoubt, d.State == stateDead:
		return g.settleCreate(ctx, tx, d, ref, g.now())
	case d.State == stateCanceled:
		return g.closeTwin(ctx, tx, link, ref)
	}
	return nil
}

// hear judges the answers to what a link put to people one after another, each with those before it: one that does not
// count hides none that does. Each is judged once; while the case is open, the last one again whenever there is reason
// to read it.
func (w *worker) hear(ctx context.Context, lease store.Lease, conn *connection, link store.Link, known bool, c store.Change) error {
	done := func(tx *store.Tx) error { return tx.DoneChange(ctx, c) }
	if !known || link.State != linkLinked {
		return w.g.store.InTx(ctx, done)
	}
	callCtx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	asked, answers, err := w.g.answers(callCtx, conn, link)
	if err != nil {
		return err
	}
	next := slices.IndexFunc(answers, func(a answer) bool { return !a.Judged })
	if next < 0 {
		caze, err := w.g.store.Case(ctx, link.CaseID)
		if err != nil {
			return err
		}
		if caze.State != caseOpen {
			return w.g.store.InTx(ctx, done)
		}
		return w.g.decide(ctx, lease, conn, link, answered(link, asked, answers), c, done)
	}
	return w.g.decide(ctx, lease, conn, link, answered(link, asked, answers[:next+1]), c, func(tx *store.Tx) error {
		if err := tx.JudgedAnswer(ctx, answers[next].ID); err != nil || next < len(answers)-1 {
			return err // the next one is judged in the next round
		}
		return done(tx)
	})
}

// read is what a link's ticket says now, or what people answered where there is none.
func (g *Gateway) read(ctx context.Context, conn *connection, link store.Link) (connectors.Snapshot, error) {
	if !conn.asks() {
		return connectors.Fetch(ctx, conn.connector, connectors.Ref{ID: link.RefID, Key: link.RefKey})
	}
	asked, answers, err := g.answers(ctx, conn, link)
	return answered(link, asked, answers), err
}

// answer is one with whose it is, as the vendor knows them now.
type answer struct {
	store.Answer
	by connectors.Account
}

// answers reads what was put to people by a link, and what they answered.
func (g *Gateway) answers(ctx context.Context, conn *connection, link store.Link) (asked connectors.Ticket, answers []answer, err error) {
	ticket, err := g.askedBy(ctx, link.ID)
	if err != nil {
		return asked, nil, err
	}
	if ticket != nil {
		asked = *ticket
	}
	stored, err := g.store.AnswersOf(ctx, link.ID)
	if err != nil {
		return asked, nil, err
	}
	resolver, resolves := connectors.AsResolver(conn.connector)
	who := map[string]connectors.Account{}
	for _, a := range stored {
		by := connectors.Account{Person: connectors.Person{Account: a.Account, Name: a.Name, Mail: a.Mail}, Automation: a.Machine}
		if resolves {
			known, asked := who[a.Account]
			if !asked {
				if known, err = bearer(ctx, resolver, by); err != nil {
					return connectors.Ticket{}, nil, fmt.Errorf("ask who answered: %w", err)
				}
				who[a.Account] = known
			}
			known.Automation = known.Automation || a.Machine
			by = known
		}
		answers = append(answers, answer{a, by})
	}
	return asked, answers, nil
}

// bearer is who bears an account now. An account that is nobody's any more names nobody, whoever bore it once.
func bearer(ctx context.Context, r connectors.Resolver, by connectors.Account) (connectors.Account, error) {
	known, err := r.Resolve(ctx, by.Account)
	if errors.Is(err, connectors.ErrNotFound) {
		return connectors.Account{Person: connectors.Person{Name: cmp.Or(by.Name, by.Account)}}, nil
	}
	return known, err
}

// askedBy is what a link put to people; nil where that is not kept any more.
func (g *Gateway) askedBy(ctx context.Context, linkID string) (*connectors.Ticket, error) {
	d, err := g.store.CreateOf(ctx, linkID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var a connectors.Action
	if err := json.Unmarshal(d.Action, &a); err != nil {
		return nil, fmt.Errorf("read stored action: %w", err)
	}
	return a.Ticket, nil
}

// recalled adds to what is written where people were asked, what they were asked.
func (g *Gateway) recalled(ctx context.Context, conn *connection, linkID string, a connectors.Action) (connectors.Action, error) {
	if linkID == "" || !conn.asks() || a.Note == nil && a.Move == nil {
		return a, nil
	}
	asked, err := g.askedBy(ctx, linkID)
	if err != nil {
		return a, &connectors.Error{Kind: connectors.Temporary, Err: fmt.Errorf("read what was asked: %w", err)}
	}
	if a.Note != nil {
		a.Note.Asked = asked
	}
	if a.Move != nil {
		a.Move.Asked = asked
	}
	return a, nil
}

// answered is the ticket that a desk would keep of what a link put to people: every answer a move by who gave it, made
// from the status before anybody had answered, so that each is a claim of its own.
func answered(link store.Link, asked connectors.Ticket, answers []answer) connectors.Snapshot {
	ours := connectors.Account{Ours: true}
	fields := maps.Clone(asked.Fields)
	if fields == nil {
		fields = map[string]any{}
	}
	s := connectors.Snapshot{
		Ref: connectors.Ref{ID: link.RefID, Key: link.RefKey, URL: link.RefURL}, Key: link.Key, Ours: true, Status: statusAsked,
		Summary: asked.Summary, Description: asked.Description, Priority: asked.Priority, Fields: fields,
		Creator: ours, Created: link.LinkedAt, Updated: link.LinkedAt,
	}
	given := map[string]string{"reason": "", "duration": ""}
	for _, a := range answers {
		step := func(id string, by connectors.Account, field, from, to string) {
			if from != to {
				s.History = append(s.History, connectors.Step{ID: id, At: a.At, By: by, Field: field, From: from, To: to})
			}
		}
		step(a.ID+"/asked", ours, "status", s.Status, statusAsked)
		step(a.ID+"/reason", a.by, "reason", given["reason"], a.Reason)
		step(a.ID+"/duration", a.by, "duration", given["duration"], a.Duration)
		step(a.ID, a.by, "status", statusAsked, a.Outcome)
		given["reason"], given["duration"] = a.Reason, a.Duration
		s.Status, s.Updated = a.Outcome, a.At
	}
	for field, text := range given {
		fields[field] = text
	}
	return s
}
