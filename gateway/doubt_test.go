package gateway

import (
	"context"
	"errors"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// knowing is a source that says one thing of every request.
type knowing struct{ outcome connectors.Outcome }

func (knowing) Ping(context.Context) error { return nil }

func (k knowing) State(context.Context, connectors.Decision) (connectors.State, error) {
	return connectors.State{Outcome: k.outcome}, nil
}

// once is a desk that cannot be searched and takes a second create for the first; unsearched is one that does not.
type (
	unsearched struct{ knowing }
	once       struct{ unsearched }
)

func (unsearched) Create(context.Context, string, connectors.Ticket) (connectors.Ref, error) {
	return connectors.Ref{}, nil
}
func (once) CreatesOnce() {}

func TestALostCreateIsRepeatedWhereThatMakesNoSecondTicket(t *testing.T) {
	t.Parallel()
	a := connectors.Action{Kind: connectors.Create, Key: "k", Ticket: &connectors.Ticket{}}
	for _, test := range []struct {
		desk connectors.Connector
		over bool
	}{{once{}, false}, {unsearched{}, true}} {
		_, settled, err := (&worker{}).resolveDoubt(t.Context(), &connection{connector: test.desk}, store.Delivery{InDoubt: true}, a)
		if settled != test.over || (err != nil) != test.over {
			t.Errorf("%T: settled %v, %v, want %v", test.desk, settled, err, test.over)
		}
	}
}

func TestSourceIsAskedBeforeItIsToldAgain(t *testing.T) {
	t.Parallel()
	const again, over, refused = "told again", "over", "refused"
	for _, test := range []struct {
		kind         connectors.ActionKind
		wanted, says connectors.Outcome
		want         string
	}{
		{connectors.Decide, connectors.Approved, connectors.Pending, again},
		{connectors.Decide, connectors.Approved, connectors.Approved, over},
		{connectors.Decide, connectors.Approved, connectors.Denied, refused},
		{connectors.Decide, connectors.Denied, connectors.Expired, refused},
		{connectors.Revoke, connectors.Denied, connectors.Approved, again},
		{connectors.Revoke, connectors.Denied, connectors.Pending, again},
		{connectors.Revoke, connectors.Denied, connectors.Denied, over},
		{connectors.Revoke, connectors.Denied, connectors.Expired, over},
	} {
		a := connectors.Action{Kind: test.kind, Decision: &connectors.Decision{RequestID: "r-1", Outcome: test.wanted}}
		_, settled, err := (&worker{}).resolveDoubt(t.Context(), &connection{connector: knowing{test.says}}, store.Delivery{InDoubt: true}, a)
		got := refused
		switch {
		case err == nil && !settled:
			got = again
		case errors.Is(err, errAlready):
			got = over
		}
		if got != test.want {
			t.Errorf("%s, %s wanted, the source says %s: %s (%v), want %s", test.kind, test.wanted, test.says, got, err, test.want)
		}
	}
}
