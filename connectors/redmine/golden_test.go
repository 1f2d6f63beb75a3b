package redmine

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

func requestsAsSent(t *testing.T, w *world) {
	tape := &connectortest.Tape{Next: desktest.Door(t, w.desk.URL, func(*http.Request) {})}
	front := httptest.NewServer(tape)
	t.Cleanup(front.Close)
	connectortest.Requests(t, open(t, front.URL, w.account), tape, connectortest.Work{
		Ticket: request(), Change: connectors.Ticket{Summary: "new", Fields: map[string]any{"Department": "IT"}},
		Move: connectors.Move{Status: "Approved", Fields: map[string]any{"Systems": []string{"Mail"}}}, Back: connectors.Move{Status: "New"},
		Place: connectors.Place{Project: "access", Type: "Support"}, Account: w.desk.Person("kim").ID,
	})
}
