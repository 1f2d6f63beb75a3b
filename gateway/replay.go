package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Replayed says what a replay put back to work.
type Replayed struct {
	Delivery string // the delivery that is pending again
	Event    string // the event a quarantined body became
	Again    string // why a quarantined body stays where it is
}

// Replay puts a dead delivery back to work unchanged, or decodes a quarantined body once more. Who and why are
// recorded. A delivery that is not dead, or a body that is no longer in quarantine, is store.ErrConflict.
func (g *Gateway) Replay(ctx context.Context, id, who, why string) (Replayed, error) {
	d, err := g.store.Delivery(ctx, id)
	if err == nil {
		return Replayed{Delivery: id}, g.replayDelivery(ctx, d, who, why)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return Replayed{}, err
	}
	q, err := g.store.Quarantine(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return Replayed{}, fmt.Errorf("no delivery and no quarantined body has the id %s: %w", id, store.ErrNotFound)
	}
	if err != nil {
		return Replayed{}, err
	}
	return g.takeBody(ctx, q, q.Body, who, why)
}

func (g *Gateway) replayDelivery(ctx context.Context, d store.Delivery, who, why string) error {
	now := g.now()
	return g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.Replay(ctx, d.ID, now); err != nil {
			return fmt.Errorf("replay delivery %s, which is %s: %w", d.ID, d.State, err)
		}
		if conn := g.catalogue().connections[d.Connection]; d.InDoubt && d.Kind == string(connectors.Create) && conn != nil && conn.connector != nil && !connectors.CanFind(conn.connector) {
			// No search would ever tell. Who replays it has looked for the ticket.
			if err := tx.Undoubt(ctx, d.ID); err != nil {
				return err
			}
		}
		if d.DecisionID != "" {
			if err := g.reopenPost(ctx, tx, d); err != nil {
				return err
			}
		}
		return tx.Record(ctx, store.Entry{At: now, CaseID: d.CaseID, Kind: "delivery.replayed", Subject: d.Connection,
			Content: map[string]any{"delivery": d.ID, "action": d.Kind, "who": who, "why": why}})
	})
}

// reopenPost makes a decision that the source had not taken owed again.
func (g *Gateway) reopenPost(ctx context.Context, tx *store.Tx, d store.Delivery) error {
	if connectors.ActionKind(d.Kind) == connectors.Revoke {
		return tx.SetRevocationState(ctx, d.CaseID, decisionOwed, d.ID)
	}
	return tx.SetDecisionState(ctx, d.DecisionID, decisionOwed, d.ID)
}

// Cancel gives up a delivery that is pending or dead; what waits behind it in its lane goes on.
func (g *Gateway) Cancel(ctx context.Context, id, who, why string) error {
	return g.store.InTx(ctx, func(tx *store.Tx) error { return g.cancelDelivery(ctx, tx, id, who, why) })
}

// Waiting is something that waits for a person: a dead delivery or a body in quarantine.
type Waiting struct {
	ID, What, Connection, Why string
}

// Waiting lists dead deliveries and quarantined bodies, at most limit of each.
func (g *Gateway) Waiting(ctx context.Context, limit int) ([]Waiting, error) {
	dead, err := g.store.DeadLetters(ctx, "", limit)
	if err != nil {
		return nil, err
	}
	bodies, err := g.store.Quarantines(ctx, "", limit)
	if err != nil {
		return nil, err
	}
	var out []Waiting
	for _, d := range dead {
		out = append(out, Waiting{d.ID, d.Kind, d.Connection, d.Error})
	}
	for _, q := range bodies {
		if q.State == "waiting" {
			out = append(out, Waiting{q.ID, "quarantine", q.Connection, q.Reason})
		}
	}
	return out, nil
}
