package gateway

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// TrySink sends one record, marked as a test, to a sink and shows the exchange, without credentials. It is a record like
// others to the sink: an on-call tool alerts people.
func (g *Gateway) TrySink(ctx context.Context, name, who string) (connectors.Trial, error) {
	c := g.catalogue().connections[name]
	if c == nil {
		return connectors.Trial{}, g.noConnection(name)
	}
	if c.fault != nil {
		return connectors.Trial{}, &Refusal{Status: http.StatusConflict, Text: fmt.Sprintf("%s cannot be used: %v", name, c.fault)}
	}
	trier, can := connectors.AsTrier(c.connector)
	if !can || c.doc.State == stateDisabled {
		why := "cannot show what it sends"
		if can {
			why = "is disabled"
		}
		return connectors.Trial{}, &Refusal{Status: http.StatusConflict, Text: fmt.Sprintf("%s (%s) %s", name, c.doc.Connector, why)}
	}
	now := g.now()
	r := connectors.Record{EventID: "test-" + shortHash(store.NewID())[:8], Source: "drawbridge", At: now, Event: testData(map[string]any{
		"kind": connectors.Test, "subject": testPrefix + "Drawbridge tries the connection " + name, "reason": "Sent by " + who, "time": now.UTC().Format(time.RFC3339),
	})}
	ctx, cancel := context.WithTimeout(ctx, c.doc.Delivery.Timeout)
	defer cancel()
	t, err := trier.Try(ctx, r)
	if err != nil {
		return t, &Refusal{Status: http.StatusUnprocessableEntity, Text: fmt.Sprintf("nothing was sent: %v", err)}
	}
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		return tx.Record(ctx, store.Entry{At: now, Kind: "test.sent", Subject: name, Content: map[string]any{"event_id": r.EventID, "taken": t.Taken, "who": who}})
	})
	if err != nil {
		return t, fmt.Errorf("record test: %w", err)
	}
	return t, nil
}
