package epm

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 5, 10, 15, 0, 0, time.UTC)
	times := map[string]time.Time{
		`"20260105T101500Z"`: at, `"2026-01-05T10:15:00Z"`: at, `"2026-01-05T12:15:00+02:00"`: at, `"2026-01-05 10:15:00"`: at,
	}
	for name, body := range map[string]string{
		"a request": `{"EventType":"URM_Native_Ticket_Created","RequestId":"6f0c1c1e-0d0a-4b58-9c55-2b1f7f7d1a01","TicketNumber":"EPM000042","TenantId":"t-100",
			"Timestamp":"20260105T101500Z","requestInfo":{"user":"CORP\\ana","hostName":"PC-7","reason":"install driver","productName":"ACME Tool","publisher":"ACME Ltd",
			"uacTriggered":"True","filePathObjectId":"C:\\tools\\acme.exe","reputationScore":"7"}}`,
		"a decision": `{"EventType":"JIT_ADMIN_TICKET_CREATED","RequestId":"1c9d0f4e-77aa-4f0e-a9c0-0e1f6f3f2b02","TicketNumber":"EPM000043","TenantId":"t-100","Decision":"Approved",
			"DecisionTime":"20260105T110000Z","DecisionPerformedByUser":"lee@corp.example","Duration":"3600","DurationRequested":"7200","StartTime":"20260105T110000Z",
			"EndTime":"20260105T120000Z","Timestamp":"20260105T110001Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connectortest.BadInput(t, connectortest.Input{
				Receiver: mustOpen(t, ""), Body: []byte(body), Identity: []string{"/EventType", "/RequestId", "/TicketNumber", "/TenantId"},
				RequestID: "/RequestId", Time: "/Timestamp", Times: times,
			})
		})
	}
}
