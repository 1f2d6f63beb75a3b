package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// errNoEdit is what an edit of a decision ends with: nobody makes or changes one but the people at the desk.
var errNoEdit = errors.New("a decision cannot be edited; it can be replayed or given up")

// Show returns what an edit of a dead delivery or a quarantined body starts from.
func (g *Gateway) Show(ctx context.Context, id string) ([]byte, error) {
	d, err := g.store.Delivery(ctx, id)
	if err == nil {
		var out bytes.Buffer
		if err := json.Indent(&out, d.Action, "", "  "); err != nil {
			return nil, fmt.Errorf("read stored action: %w", err)
		}
		return append(out.Bytes(), '\n'), nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	q, err := g.store.Quarantine(ctx, id)
	if err != nil {
		return nil, err
	}
	return q.Body, nil
}

// ReplayEdited puts a dead delivery to a desk, or a quarantined body, back to work with another content. The case is
// marked for good, and so is its ticket where that was edited: an approval takes a second person. A body keeps its identity: the RequestId and the tenant it now carries must stand in the same fields
// of the body as it came in. A decision is never edited, and nothing is edited into a decision or the end of a request.
func (g *Gateway) ReplayEdited(ctx context.Context, id string, content []byte, who, why string) (Replayed, error) {
	d, err := g.store.Delivery(ctx, id)
	if err == nil {
		return Replayed{Delivery: id}, g.editDelivery(ctx, d, content, who, why)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return Replayed{}, err
	}
	q, err := g.store.Quarantine(ctx, id)
	if err != nil {
		return Replayed{}, err
	}
	return g.takeBody(ctx, q, content, who, why)
}

// editDelivery replaces the content of a ticket delivery that no attempt can have carried out.
func (g *Gateway) editDelivery(ctx context.Context, d store.Delivery, content []byte, who, why string) error {
	switch connectors.ActionKind(d.Kind) {
	case connectors.Decide, connectors.Revoke:
		return errNoEdit
	}
	var before, after connectors.Action
	if err := json.Unmarshal(d.Action, &before); err != nil {
		return fmt.Errorf("read stored action: %w", err)
	}
	strict := json.NewDecoder(bytes.NewReader(content))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&after); err != nil {
		return fmt.Errorf("read edited action: %w", err)
	}
	if after.Kind != before.Kind || after.Key != before.Key || after.Ref != before.Ref || after.Decision != nil {
		return errors.New("an edit keeps kind, key and ticket as they are")
	}
	if !slices.EqualFunc(before.Records, after.Records, sameRecord) {
		return errors.New("an edit keeps of which event, source and case a record is, and when that happened")
	}
	if !after.Whole() {
		return fmt.Errorf("the edited action lacks what a %s needs", after.Kind)
	}
	return g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.Replan(ctx, d.ID, mustJSON(after), d.Rule, d.RuleVersion, g.now()); err != nil {
			return unchangeable(d, err)
		}
		if err := tx.Replay(ctx, d.ID, g.now()); err != nil {
			return err
		}
		if err := g.markEdited(ctx, tx, d, who); err != nil {
			return err
		}
		return tx.Record(ctx, store.Entry{At: g.now(), CaseID: d.CaseID, Kind: "delivery.edited", Subject: d.Connection,
			Content: map[string]any{"delivery": d.ID, "action": d.Kind, "who": who, "why": why, "before": digestOf(d.Action), "after": digestOf(mustJSON(after))}})
	})
}

// markEdited notes for good that approvers may read what an operator wrote, and says so where they read it.
func (g *Gateway) markEdited(ctx context.Context, tx *store.Tx, d store.Delivery, who string) error {
	if d.CaseID == "" {
		return nil
	}
	if err := tx.MarkEdited(ctx, d.CaseID); err != nil {
		return err
	}
	link, err := tx.Link(ctx, d.LinkID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return g.comment(ctx, tx, d.CaseID, link, purposeTicket, d.ID+"edited",
		fmt.Sprintf("%s edited by hand what Drawbridge wrote here (%s), so this ticket may not say what was asked for. One person alone can therefore not approve it.", who, d.Kind))
}

func unchangeable(d store.Delivery, err error) error {
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("delivery %s is %s and may have reached %s; it can only be replayed as it is: %w", d.ID, d.State, d.Connection, err)
	}
	return err
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Replan renders a dead delivery with the rule as it is published now and puts it back to work. It is refused where an
// attempt may have acted, and where the case has a decision. A ticket that is opened this way goes on with the new rule
// and policy.
func (g *Gateway) Replan(ctx context.Context, id, who, why string) error {
	return g.store.InTx(ctx, func(tx *store.Tx) error {
		d, err := tx.Delivery(ctx, id)
		if err != nil {
			return err
		}
		e, err := tx.Event(ctx, d.EventID)
		if err != nil {
			return fmt.Errorf("read event of delivery: %w", err)
		}
		r := g.catalogue().rule(e.Connection, d.Rule)
		if r == nil {
			return fmt.Errorf("rule %s of this delivery is no longer published", d.Rule)
		}
		if d.Kind == string(connectors.Send) {
			// A record tells what happened; nobody decides by it.
		} else if _, err := tx.DecisionOf(ctx, d.CaseID); err == nil {
			return errors.New("the case has a decision; what is owed for it is not rendered anew")
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		v, err := value(e)
		if err != nil {
			return err
		}
		draft, err := r.Draft(ctx, v)
		if err != nil {
			return err
		}
		if draft == nil || !asksFor(*draft, d.Kind) {
			return fmt.Errorf("rule %s no longer asks for a %s", d.Rule, d.Kind)
		}
		link, rendered, err := renderAgain(ctx, tx, d, *draft, e, v)
		if err != nil {
			return err
		}
		if e.Test {
			rendered = marked(rendered)
		}
		if err := tx.Replan(ctx, id, mustJSON(rendered), d.Rule, r.version, g.now()); err != nil {
			return unchangeable(d, err)
		}
		if err := tx.Replay(ctx, id, g.now()); err != nil {
			return err
		}
		// Only the delivery that opens a ticket says by which rule and policy the ticket is judged.
		if d.Kind == string(connectors.Create) && d.Rule == link.Rule {
			caze, err := tx.LockCase(ctx, d.CaseID)
			if err != nil {
				return err
			}
			if err := g.rebind(ctx, tx, caze, link, bound(link, r)); err != nil {
				return err
			}
		}
		return tx.Record(ctx, store.Entry{At: g.now(), CaseID: d.CaseID, Kind: "delivery.replanned", Subject: d.Connection,
			Content: map[string]any{"delivery": id, "rule": d.Rule, "from": d.RuleVersion, "to": r.version, "who": who, "why": why}})
	})
}

// renderAgain makes the action of a delivery from a new draft for the same place.
func renderAgain(ctx context.Context, tx *store.Tx, d store.Delivery, draft mapping.Draft, e store.Event, value map[string]any) (store.Link, connectors.Action, error) {
	elsewhere := func(have string) error {
		return fmt.Errorf("rule %s now acts at %s, and this delivery is for %s", d.Rule, draft.At, have)
	}
	if draft.Kind == string(connectors.Send) {
		if draft.At != d.Connection {
			return store.Link{}, connectors.Action{}, elsewhere(d.Connection)
		}
		var event connectors.Event
		if err := json.Unmarshal(e.Normal, &event); err != nil {
			return store.Link{}, connectors.Action{}, fmt.Errorf("read stored event: %w", err)
		}
		in := planInput{event: event, value: value, eventID: e.ID, caze: store.Case{ID: d.CaseID}, source: e.Connection, received: e.ReceivedAt}
		return store.Link{}, record(draft, in.recorded()), nil
	}
	link, err := tx.Link(ctx, d.LinkID)
	if err != nil {
		return link, connectors.Action{}, fmt.Errorf("read link of delivery: %w", err)
	}
	if draft.At != link.Desk || draft.Slot != link.Slot {
		return link, connectors.Action{}, elsewhere(link.Desk)
	}
	if d.Kind == string(connectors.Attach) {
		if draft.Attach.Fault != "" {
			return link, connectors.Action{}, errors.New(draft.Attach.Fault)
		}
		return link, attachment(draft), nil
	}
	rendered := action(draft, link)
	if rendered.Note != nil {
		rendered.Note.Key = noteKey(link, d.EventID, d.Rule)
	}
	return link, rendered, nil
}

// asksFor tells whether a draft still owes an action of a kind; a file is owed beside another action.
func asksFor(d mapping.Draft, kind string) bool {
	if kind == string(connectors.Attach) {
		return d.Attach != nil
	}
	return d.Kind == kind
}

// takeBody decodes an edited body in place of a quarantined one.
func (g *Gateway) takeBody(ctx context.Context, q store.Quarantined, body []byte, who, why string) (Replayed, error) {
	c := g.catalogue().connections[q.Connection]
	if c == nil || c.receiver == nil {
		return Replayed{}, fmt.Errorf("connection %s is no longer there", q.Connection)
	}
	edited := !bytes.Equal(body, q.Body)
	r := connectors.Request{
		Method: http.MethodPost, URL: &url.URL{Path: "/in/" + q.Connection}, Header: http.Header{"Content-Type": {q.ContentType}}, Body: body, Time: q.ReceivedAt,
	}
	received, err := c.receiver.Receive(ctx, r)
	if err != nil {
		return Replayed{Again: err.Error()}, nil
	}
	if len(received.Events) == 0 {
		return Replayed{Again: "the body carries no event"}, nil
	}
	arrivals := make([]store.Arrival, len(received.Events))
	for i, e := range received.Events {
		if reason := c.wrongTenant(e); reason != "" {
			return Replayed{Again: reason}, nil
		}
		switch {
		case edited && !editable(e):
			return Replayed{}, errEditDecides
		case edited && !keeps(q.Body, body, e):
			return Replayed{}, errEditIdentity
		}
		arrivals[i] = arrival(c, r, e)
		arrivals[i].Event.Edited = edited
		arrivals[i].Case.EditedBody = edited
	}
	var out Replayed
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := g.published(ctx, tx, q.Connection); err != nil {
			return err
		}
		receipts, err := tx.Accept(ctx, arrivals)
		if err != nil {
			return err
		}
		out.Event = receipts[0].EventID
		if err := tx.SettleQuarantine(ctx, q.ID, "replayed", out.Event); err != nil {
			return err
		}
		tx.Wake(wakePlan)
		return tx.Record(ctx, store.Entry{At: g.now(), CaseID: receipts[0].CaseID, Kind: "quarantine.replayed", Subject: q.Connection,
			Content: map[string]any{"quarantine": q.ID, "reason": q.Reason, "edited": edited, "before": digestOf(q.Body), "after": digestOf(body), "who": who, "why": why}})
	})
	return out, err
}
