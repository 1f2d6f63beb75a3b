package elimity

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 5, 10, 15, 0, 0, time.UTC)
	for dir, identity := range map[string][]string{
		"entity_removal":       {"/entity", "/entity/id", "/entity/sourceId", "/entity/type"},
		"relationship_removal": {"/fromEntity/id", "/toEntity/sourceId"},
		"attribute_assignment": {"/attributeTypeId", "/value", "/value/requested"},
		"review_submission":    {"/relationshipChanges", "/relationshipChanges/0/operation", "/rowRemovals/0/entity/id"},
	} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			receiver, _ := connectors.AsReceiver(mustOpen(t, ""))
			connectortest.BadInput(t, connectortest.Input{
				Receiver: receiver, Body: connectortest.Body(t, "testdata/receive/"+dir), Identity: append(identity, "/type", "/requestedAt", "/requestedBy"),
				Made: []string{"elm-"}, Time: "/requestedAt",
				Times: map[string]time.Time{`"2026-01-05T10:15:00Z"`: at, `"2026-01-05T10:15:00.5Z"`: at.Add(500 * time.Millisecond), `"2026-01-05T12:15:00+02:00"`: at},
			})
		})
	}
}
