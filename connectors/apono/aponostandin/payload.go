package aponostandin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// stamp writes a time as seconds and nanoseconds.
func (s *Server) stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

func (p Person) payload() map[string]any {
	return map[string]any{"id": p.ID, "name": p.Name, "email": p.Email}
}

// requestPayload is the documented payload of a request webhook.
func (s *Server) requestPayload(r *Request, trigger string) map[string]any {
	units := []any{}
	for _, x := range r.Resources {
		kind := map[string]any{"id": strings.ToLower(x.Type), "name": x.Type, "display_path": r.Type + "/" + x.Type}
		units = append(units, map[string]any{
			"resource":   map[string]any{"id": "res-" + x.Name, "name": x.Name, "path": r.Integration + "/" + x.Name, "type": kind},
			"permission": map[string]any{"id": strings.ToLower(x.Permission), "name": x.Permission},
		})
	}
	approvals := []any{}
	for _, a := range r.Approvals {
		approvals = append(approvals, map[string]any{
			"name": a.Approver.Name, "type": "user", "status": a.Status, "approver": a.Approver.payload(),
		})
	}
	data := map[string]any{
		"id": r.ID, "friendly_id": r.FriendlyID, "requester": r.Requester.payload(), "grantee": r.Requester.payload(),
		"justification": r.Justification, "creation_date": s.stamp(r.Created),
		"access_flow": map[string]any{"id": "flow-1", "name": r.Flow},
		"access_groups": []any{map[string]any{
			"integration":  map[string]any{"id": "int-1", "type": r.Type, "name": r.Integration},
			"access_units": units,
		}},
		"approvals_logical_relation": string(r.Relation), "approvals": approvals,
	}
	if r.Duration > 0 {
		data["access_duration_in_seconds"] = json.Number(fmt.Sprint(int64(r.Duration / time.Second)))
		data["revocation_date"] = json.Number(s.stamp(r.Created.Add(r.Duration)))
	}
	if s.options.LongTypes && strings.HasPrefix(trigger, "Request") {
		trigger = "Access" + trigger
	}
	return map[string]any{"event_type": trigger, "event_time": s.stamp(s.options.Now()), "data": data}
}

// auditPayload is the documented payload of an audit log webhook.
func (s *Server) auditPayload(e AuditEvent) map[string]any {
	return map[string]any{
		"event_type": cmp.Or(e.Type, "AuditLogCreated"), "event_time": s.stamp(s.options.Now()),
		"data": map[string]any{
			"timestamp": s.stamp(s.options.Now()), "action": e.Action, "actor_id": e.Actor.Email, "actor_name": e.Actor.Name,
			"actor_type": "user", "source": cmp.Or(e.Source, "web application"), "target_id": e.TargetID,
			"target_type": e.TargetType, "target_name": e.TargetName, "metadata": e.Metadata,
			"current_target_object": e.CurrentTarget, "previous_target_object": e.PreviousTarget,
		},
	}
}
