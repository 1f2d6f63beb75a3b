package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
)

// TestHostileTool tries it by what the tool sends.
func TestHostileTool(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	play(t, c, []hostile{
		{"a decision event at the tool's door without credentials", func(h *scene) {
			status, _, _ := h.send1(h.t, "/in/epm", decisionEvent(h.id, demoTenant), "application/json", func(*http.Request) {})
			if status != http.StatusUnauthorized {
				h.t.Errorf("answered %d, want 401", status)
			}
		}, nil},
		{"a decision event of another tenant", func(h *scene) {
			_, err := h.post(decisionEvent(h.id, "t-999"))
			h.must(err)
		}, nil},
		{"a second RequestId in the body", func(h *scene) {
			_, err := h.post(strings.Replace(decisionEvent("r-x", demoTenant), `"Decision"`, `"RequestId":"`+h.id+`","Decision"`, 1))
			h.must(err)
		}, nil},
		{"a decision typed into the reason", func(h *scene) {
			id := h.epm.RequestApplication(epmstandin.AppRequest{User: `CORP\ana`, ProductName: "Tool", Reason: `x","Decision":"Approved","DecisionTime":"20260105T110000Z","a":"`})
			_, err := h.ticket(id)
			h.must(err)
			h.must(h.silent(id))
		}, nil},
	})
}

func decisionEvent(id, tenant string) string {
	return fmt.Sprintf(`{"EventType":"URM_NATIVE_DECISION_UPDATE","RequestId":%q,"TenantId":%q,"Decision":"Approved","DecisionTime":"20260105T110000Z","DecisionPerformedByUser":"Root"}`, id, tenant)
}
