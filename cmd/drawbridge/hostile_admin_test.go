package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestHostileAdministration(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	deliveries := func(h *scene) []gateway.DeliveryView {
		view, err := h.caseOf(h.id)
		h.must(err)
		return view.Deliveries
	}
	refused := func(h *scene, what string, err error) {
		h.t.Helper()
		if err == nil {
			h.t.Errorf("%s was let through", what)
		}
	}
	dead := func(h *scene) gateway.DeliveryView {
		h.epm.FailNext(1, http.StatusForbidden)
		h.move("acc-kim", approvedStatus)
		h.must(h.settled())
		for _, d := range deliveries(h) {
			if d.Action == "decide" {
				return d
			}
		}
		h.t.Fatal("there is no decision delivery")
		return gateway.DeliveryView{}
	}
	edit := func(h *scene, id string, change func(map[string]any)) error {
		text, err := h.bridge.gateway.Show(h.ctx, id)
		h.must(err)
		var action map[string]any
		h.must(json.Unmarshal(text, &action))
		change(action)
		text, err = json.Marshal(action)
		h.must(err)
		_, err = h.bridge.gateway.ReplayEdited(h.ctx, id, text, "mallory", "")
		return err
	}
	request := func(method, path string) func(h *scene) {
		return func(h *scene) {
			view, err := h.caseOf(h.id)
			h.must(err)
			status, _, _ := h.send1(h.t, strings.Replace(path, "{id}", view.ID, 1), `{"outcome":"approved"}`, "application/json", func(r *http.Request) {
				r.Method = method
				r.Header.Set("Authorization", "Bearer "+h.token)
			})
			if status < 400 {
				h.t.Errorf("answered %d, want a refusal", status)
			}
		}
	}
	play(t, c, []hostile{
		{"POST a decision to the API", request(http.MethodPost, "/api/v1/cases/{id}/decision"), nil},
		{"PUT a case by the API", request(http.MethodPut, "/api/v1/cases/{id}"), nil},
		{"PATCH a case by the API", request(http.MethodPatch, "/api/v1/cases/{id}"), nil},
		{"POST to the list of cases", request(http.MethodPost, "/api/v1/cases"), nil},
		{"replay of a ticket that was opened", func(h *scene) {
			_, err := h.bridge.gateway.Replay(h.ctx, deliveries(h)[0].ID, "mallory", "")
			refused(h, "the replay", err)
		}, nil},
		{"edit of a ticket that was opened", func(h *scene) {
			refused(h, "the edit", edit(h, deliveries(h)[0].ID, func(a map[string]any) { a["ticket"].(map[string]any)["summary"] = "x" }))
		}, nil},
		{"rendering anew of a ticket that was opened", func(h *scene) {
			refused(h, "the replan", h.bridge.gateway.Replan(h.ctx, deliveries(h)[0].ID, "mallory", ""))
		}, nil},
		{"edit of a dead decision", func(h *scene) {
			d := dead(h)
			refused(h, "the edit", edit(h, d.ID, func(a map[string]any) { a["decision"].(map[string]any)["outcome"] = "denied" }))
			h.epm.Reset()
		}, nil},
		{"rendering anew of a dead decision", func(h *scene) {
			d := dead(h)
			refused(h, "the replan", h.bridge.gateway.Replan(h.ctx, d.ID, "mallory", ""))
			h.epm.Reset()
		}, nil},
		{"edit of a dead ticket into a decision", func(h *scene) {
			id, d := deadTicket(h)
			refused(h, "the edit", edit(h, d.ID, func(a map[string]any) {
				a["kind"] = "decide"
				a["decision"] = map[string]any{"request_id": id, "outcome": "approved"}
			}))
			h.must(h.silent(id))
		}, nil},
		{"edit of a dead ticket with a decision beside", func(h *scene) {
			_, d := deadTicket(h)
			refused(h, "the edit", edit(h, d.ID, func(a map[string]any) { a["decision"] = map[string]any{"outcome": "approved"} }))
		}, nil},
		{"edit of a dead ticket under another key", func(h *scene) {
			_, d := deadTicket(h)
			refused(h, "the edit", edit(h, d.ID, func(a map[string]any) { a["key"] = "aaaaaaaaaaaaaaaa" }))
		}, nil},
		{"edited ticket takes a second person", func(h *scene) {
			id, d := deadTicket(h)
			h.must(edit(h, d.ID, func(a map[string]any) { a["ticket"].(map[string]any)["summary"] = "Ana asks for a new mouse" }))
			issue, err := h.ticket(id)
			h.must(err)
			h.must(h.until(func() error {
				return h.comment(issue.Key, "mallory edited by hand what Drawbridge wrote here (create)")
			}))
			h.must(h.jira.Move(issue.Key, "acc-kim", approvedStatus, nil))
			h.must(h.until(func() error { return h.comment(issue.Key, "counts as 1 of 2") }))
			h.must(h.settled())
			h.must(h.silent(id))
			view, err := h.caseOf(id)
			h.must(err)
			if !view.Edited {
				h.t.Error("the case does not show that its ticket was edited")
			}
		}, nil},
		{"edited quarantine under another RequestId", func(h *scene) {
			refused(h, "the edit", editBody(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-other","TenantId":"`+demoTenant+`" broken`, requestEvent(h.id, demoTenant)))
		}, nil},
		{"edited quarantine under a RequestId that the reason names", func(h *scene) {
			refused(h, "the edit", editBody(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-other","Reason":"as in `+h.id+`","TenantId":"`+demoTenant+`" broken`, requestEvent(h.id, demoTenant)))
		}, nil},
		{"edited quarantine under a RequestId that was pasted into the reason", func(h *scene) {
			body := `{"EventType":"URM_Native_Ticket_Created","Reason":"x","RequestId":"` + h.id + `","z":"" broken","RequestId":"r-other","TenantId":"` + demoTenant + `"}`
			refused(h, "the edit", editBody(h, body, requestEvent(h.id, demoTenant)))
		}, nil},
		{"edited quarantine under a part of its RequestId", func(h *scene) {
			refused(h, "the edit", editBody(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"`+h.id+`-2","TenantId":"`+demoTenant+`" broken`, requestEvent(h.id, demoTenant)))
		}, nil},
		{"edited quarantine under another tenant", func(h *scene) {
			refused(h, "the edit", editBody(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"`+h.id+`","TenantId":"t-200"}`, requestEvent(h.id, demoTenant)))
		}, nil},
		{"quarantine edited into a decision", func(h *scene) {
			body := `{"EventType":"URM_Native_Ticket_Created","RequestId":"` + h.id + `","TenantId":"` + demoTenant + `" broken`
			refused(h, "the edit", editBody(h, body, decisionEvent(h.id, demoTenant)))
			view, err := h.caseOf(h.id)
			h.must(err)
			if view.Decision != nil || view.State != "open" {
				h.t.Errorf("the case is %s with the decision %+v", view.State, view.Decision)
			}
		}, nil},
		{"a quarantined decision edited", func(h *scene) {
			body := strings.Replace(decisionEvent(h.id, demoTenant), "Approved", "Denied", 1)
			refused(h, "the edit", editBody(h, body+" broken", decisionEvent(h.id, demoTenant)))
		}, nil},
		{"edited quarantine takes a second person", func(h *scene) {
			q := quarantined(h, `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-edited","TenantId":"`+demoTenant+`","User":"CORP\\max" broken`)
			_, err := h.bridge.gateway.ReplayEdited(h.ctx, q, []byte(`{"EventType":"URM_Native_Ticket_Created","RequestId":"r-edited","TenantId":"`+demoTenant+`","User":"CORP\\max"}`), "mallory", "")
			h.must(err)
			issue, err := h.ticket("r-edited")
			h.must(err)
			h.must(h.settled())
			h.must(h.jira.Move(issue.Key, "acc-kim", approvedStatus, nil))
			h.must(h.settled())
			h.must(h.silent("r-edited"))
		}, nil},
		{"a given-up decision stays given up", func(h *scene) {
			d := dead(h)
			h.must(h.bridge.gateway.Cancel(h.ctx, d.ID, "mallory", ""))
			h.epm.Reset()
			h.move("acc-lee", openStatus)
			h.move("acc-lee", approvedStatus)
		}, nil},
	})
}

// TestHostileEditAtTheGate: whoever waits at the gate is let through by a decision, and an edit makes none.
func TestHostileEditAtTheGate(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	h := &scene{check: c, t: t}
	id, _, err := c.askAtTheGate()
	must(t, err)
	for _, kind := range []string{"RequestApproved", "RequestRejected", "RequestExpired"} {
		_, _, text := c.send1(t, "/in/apono-gate", `{"event_type":"?","data":{"id":"`+id+`"} broken`, "application/json", func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+c.hookPassword)
		})
		var a gateway.Accepted
		must(t, json.Unmarshal([]byte(text), &a))
		_, err = c.bridge.gateway.ReplayEdited(c.ctx, a.Quarantine, []byte(`{"event_type":"`+kind+`","data":{"id":"`+id+`"}}`), "mallory", "")
		if err == nil || !strings.Contains(err.Error(), "neither decide nor end") {
			h.t.Errorf("%s: got %v, want a refusal", kind, err)
		}
		must(t, c.answered(id, "pending"))
	}
}

func requestEvent(id, tenant string) string {
	return `{"EventType":"URM_Native_Ticket_Created","RequestId":"` + id + `","TenantId":"` + tenant + `","User":"CORP\\max"}`
}

// editBody has a body kept in quarantine and edits it.
func editBody(h *scene, before, after string) error {
	h.t.Helper()
	replayed, err := h.bridge.gateway.ReplayEdited(h.ctx, quarantined(h, before), []byte(after), "mallory", "")
	if err == nil && replayed.Again != "" {
		h.t.Errorf("the edit failed of itself: %s", replayed.Again)
	}
	return err
}

// deadTicket makes a request whose ticket Jira refuses.
func deadTicket(h *scene) (string, gateway.DeliveryView) {
	h.t.Helper()
	h.jira.FailOn("create", 1, http.StatusBadRequest, nil)
	id := h.epm.RequestApplication(anaAsksForATool)
	var dead gateway.DeliveryView
	h.must(h.until(func() error {
		view, err := h.caseOf(id)
		if err != nil {
			return err
		}
		if len(view.Deliveries) != 1 || view.Deliveries[0].State != "dead" {
			return errors.New("the ticket is not dead yet")
		}
		dead = view.Deliveries[0]
		return nil
	}))
	return id, dead
}

func quarantined(h *scene, body string) string {
	h.t.Helper()
	answer, err := h.post(body)
	h.must(err)
	var accepted gateway.Accepted
	h.must(json.Unmarshal([]byte(answer), &accepted))
	if !accepted.Quarantined {
		h.t.Fatalf("got %s, want quarantine", answer)
	}
	return accepted.Quarantine
}
