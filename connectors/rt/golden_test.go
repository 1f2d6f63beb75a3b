package rt

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

func requestsAsSent(t *testing.T, w *world) {
	tape := &connectortest.Tape{Next: desktest.Door(t, w.rt.URL, func(*http.Request) {}), Headers: []string{"If-Match"}}
	front := httptest.NewServer(tape)
	t.Cleanup(front.Close)
	connectortest.Requests(t, open(t, front.URL, w.account), tape, connectortest.Work{
		Ticket: request(), Change: connectors.Ticket{Summary: "new", Fields: map[string]any{"Department": "IT"}},
		Move: connectors.Move{Status: "approved", Fields: map[string]any{"Systems": "Mail"}}, Back: connectors.Move{Status: "open"},
		Place: connectors.Place{Project: "Access"}, Account: "kim",
	})
}
