package rt

import (
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

func requestsAsSent(t *testing.T, w *world) {
	tape, address := desktest.Tape(t, w.rt.URL, "If-Match")
	desktest.Requests(t, open(t, address, w.account), tape, desktest.Work{
		Ticket: request(), Change: connectors.Ticket{Summary: "new", Fields: map[string]any{"Department": "IT"}},
		Move: connectors.Move{Status: "approved", Fields: map[string]any{"Systems": "Mail"}}, Back: connectors.Move{Status: "open"},
		Place: connectors.Place{Project: "Access"}, Account: "kim",
	})
}
