package datatheorem

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 5, 10, 15, 0, 0, time.UTC)
	connectortest.BadInput(t, connectortest.Input{
		Receiver: mustOpen(t, ""), Body: connectortest.Body(t, "testdata/receive/violation_resolved_documented_example"),
		Identity: []string{"/event", "/event/type", "/event/data", "/event/data/uuid", "/time"}, RequestID: "/event/data/uuid", Made: []string{"dt-"},
		Time: "/time", Times: map[string]time.Time{`1767608100`: at},
	})
}
