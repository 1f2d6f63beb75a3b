package gateway

import (
	"context"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// OnlyAccept commits what is accepted until ctx ends, and nothing else: neither planning nor delivering.
func (g *Gateway) OnlyAccept(ctx context.Context) { g.commits.run(ctx, 1) }

// WithoutStore makes the gateway answer as if everything had been stored.
func (g *Gateway) WithoutStore() {
	g.commits.write = func(_ context.Context, requests [][]store.Arrival) ([][]store.Receipt, error) {
		receipts := make([][]store.Receipt, len(requests))
		for i, arrivals := range requests {
			receipts[i] = make([]store.Receipt, len(arrivals))
			for j := range arrivals {
				receipts[i][j] = store.Receipt{EventID: store.NewID()}
			}
		}
		return receipts, nil
	}
}

// PlanAll plans everything that was accepted and returns how many events it was.
func (g *Gateway) PlanAll(ctx context.Context) (int, error) {
	for all := 0; ; {
		n, err := g.planSome(ctx)
		if all += n; err != nil || n == 0 {
			return all, err
		}
	}
}

// Receive reads a request as the connection's connector does.
func (g *Gateway) Receive(ctx context.Context, name string, r connectors.Request) (connectors.Received, error) {
	return g.catalogue().connections[name].receiver.Receive(ctx, r)
}

// Arrivals gives what is stored of a request.
func (g *Gateway) Arrivals(ctx context.Context, name string, r connectors.Request) ([]store.Arrival, error) {
	received, err := g.Receive(ctx, name, r)
	arrivals := make([]store.Arrival, len(received.Events))
	for i, e := range received.Events {
		arrivals[i] = arrival(g.catalogue().connections[name], r, e)
	}
	return arrivals, err
}
