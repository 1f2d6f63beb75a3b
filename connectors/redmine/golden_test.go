package redmine

import (
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

func requestsAsSent(t *testing.T, w *world) {
	tape, address := desktest.Tape(t, w.desk.URL)
	desktest.Requests(t, open(t, address, w.account), tape, desktest.Work{
		Ticket: request(), Change: connectors.Ticket{Summary: "new", Fields: map[string]any{"Department": "IT"}},
		Move: connectors.Move{Status: "Approved", Fields: map[string]any{"Systems": []string{"Mail"}}}, Back: connectors.Move{Status: "New"},
		Place: connectors.Place{Project: "access", Type: "Support"}, Account: w.desk.Person("kim").ID,
	})
}
