package apono

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 5, 10, 15, 0, 123456789, time.UTC)
	second := at.Truncate(time.Second)
	connectortest.BadInput(t, connectortest.Input{
		Receiver: mustOpen(t, "").(*approver), Body: connectortest.Body(t, "testdata/receive/created_documented_payload"),
		Identity: []string{"/event_type", "/data/id", "/data/friendly_id"}, RequestID: "/data/id", Time: "/event_time",
		Times: map[string]time.Time{
			`1767608100`: second, `"1767608100"`: second, `"1767608100.123456789"`: at, `1767608100.123456789`: at, `"2026-01-05T10:15:00Z"`: second,
		},
	})
}
