package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
)

func TestHostileTickets(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	label := func(h *scene) string { return mark(h.issue)[0] }
	key := func(h *scene) string { return strings.TrimPrefix(label(h), "drawbridge-") }
	other := func(h *scene) *scene {
		id, issue, err := h.request()
		h.must(err)
		h.must(h.settled())
		return &scene{check: h.check, t: h.t, id: id, issue: issue}
	}
	bothSilent := func(h, o *scene) {
		h.must(h.settled())
		h.must(h.silent(o.id))
	}
	play(t, c, []hostile{
		{"a clone is approved", func(h *scene) {
			clone, err := h.jira.Clone(h.issue.Key, "acc-max")
			h.must(err)
			h.must(h.jira.Move(clone, "acc-kim", approvedStatus, nil))
		}, nil},
		{"an approver's own clone is approved", func(h *scene) {
			clone, err := h.jira.Clone(h.issue.Key, "acc-kim")
			h.must(err)
			h.must(h.jira.Move(clone, "acc-kim", approvedStatus, nil))
		}, nil},
		{"a clone with our property is approved", func(h *scene) {
			clone, err := h.jira.Clone(h.issue.Key, "acc-max")
			h.must(err)
			h.must(h.jira.SetProperty(clone, "drawbridge", map[string]string{"key": key(h)}))
			h.must(h.jira.Move(clone, "acc-kim", approvedStatus, nil))
		}, nil},
		{"the label is removed", func(h *scene) {
			h.must(h.jira.EditLabels(h.issue.Key, "acc-max", nil, []string{label(h)}))
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the label is replaced", func(h *scene) {
			h.must(h.jira.EditLabels(h.issue.Key, "acc-max", []string{"drawbridge-aaaaaaaaaaaaaaaa"}, []string{label(h)}))
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the property is removed", func(h *scene) {
			h.must(h.jira.SetProperty(h.issue.Key, "drawbridge", nil))
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the property is replaced", func(h *scene) {
			h.must(h.jira.SetProperty(h.issue.Key, "drawbridge", map[string]string{"key": "aaaaaaaaaaaaaaaa"}))
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the property is broken", func(h *scene) {
			h.must(h.jira.SetProperty(h.issue.Key, "drawbridge", []int{1}))
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"keys of two tickets are swapped", func(h *scene) {
			o := other(h)
			h.must(h.jira.EditLabels(h.issue.Key, "acc-max", mark(o.issue), mark(h.issue)))
			h.must(h.jira.EditLabels(o.issue.Key, "acc-max", mark(h.issue), mark(o.issue)))
			h.must(h.jira.SetProperty(h.issue.Key, "drawbridge", map[string]string{"key": key(o)}))
			h.must(h.jira.SetProperty(o.issue.Key, "drawbridge", map[string]string{"key": key(h)}))
			h.move("acc-kim", approvedStatus)
			o.move("acc-kim", approvedStatus)
			bothSilent(h, o)
		}, nil},
		{"the key of one ticket is copied to another", func(h *scene) {
			o := other(h)
			h.must(h.jira.EditLabels(o.issue.Key, "acc-max", mark(h.issue), mark(o.issue)))
			h.must(h.jira.SetProperty(o.issue.Key, "drawbridge", map[string]string{"key": key(h)}))
			o.move("acc-kim", approvedStatus)
			bothSilent(h, o)
		}, nil},
		{"both keys on one ticket", func(h *scene) {
			o := other(h)
			h.must(h.jira.EditLabels(o.issue.Key, "acc-max", mark(h.issue), nil))
			h.must(h.jira.SetProperty(o.issue.Key, "drawbridge", map[string]string{"key": key(h)}))
			o.move("acc-kim", approvedStatus)
			bothSilent(h, o)
		}, nil},
		{"the ticket is deleted", func(h *scene) { h.must(h.jira.Delete(h.issue.Key, "acc-kim")) }, nil},
		{"the summary is edited, then approved", func(h *scene) {
			h.edit("acc-max", map[string]any{"summary": "something harmless"})
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the requester edits the summary, then it is approved", func(h *scene) {
			h.edit("acc-ana", map[string]any{"summary": "something harmless"})
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the approver edits the summary and approves", func(h *scene) {
			h.edit("acc-kim", map[string]any{"summary": "something harmless"})
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"the description is edited, then approved", func(h *scene) {
			h.edit("acc-max", map[string]any{"description": "harmless"})
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"edited after the approval, before anybody read it", func(h *scene) {
			h.jira.DropWebhooks(true)
			h.move("acc-kim", approvedStatus)
			h.jira.DropWebhooks(false)
			h.edit("acc-max", map[string]any{"summary": "something else"})
		}, nil},
		{"edited and put back after the approval", func(h *scene) {
			h.jira.DropWebhooks(true)
			h.move("acc-kim", approvedStatus)
			h.edit("acc-max", map[string]any{"summary": "something else"})
			h.jira.DropWebhooks(false)
			h.edit("acc-max", map[string]any{"summary": h.issue.Summary})
		}, nil},
		{"edited, approved, put back", func(h *scene) {
			h.edit("acc-max", map[string]any{"summary": "something harmless"})
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			h.edit("acc-max", map[string]any{"summary": h.issue.Summary})
		}, nil},
		{"a ticket made by hand with our marks", func(h *scene) {
			made, err := h.jira.Clone(h.issue.Key, "acc-max")
			h.must(err)
			h.must(h.jira.SetProperty(made, "drawbridge", map[string]string{"key": key(h)}))
			h.must(h.jira.Delete(h.issue.Key, "acc-max"))
			h.must(h.jira.Move(made, "acc-kim", approvedStatus, nil))
		}, nil},
	})
}

func TestHostileWebhooks(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	claim := func(h *scene, status string) string {
		text, err := json.Marshal(map[string]any{
			"timestamp": time.Now().UnixMilli(), "webhookEvent": "jira:issue_updated", "user": map[string]any{"accountId": "acc-kim"},
			"issue":     map[string]any{"id": h.issue.ID, "key": h.issue.Key, "fields": map[string]any{"status": map[string]any{"name": status}}},
			"changelog": map[string]any{"items": []any{map[string]any{"field": "status", "fromString": "Open", "toString": status}}},
		})
		h.must(err)
		return string(text)
	}
	sign := func(secret, body string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		return "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	send := func(h *scene, path, body string, header map[string]string, want int) {
		h.t.Helper()
		status, _, text := h.send1(h.t, path, body, "application/json", func(r *http.Request) {
			for k, v := range header {
				r.Header.Set(k, v)
			}
		})
		if status != want {
			h.t.Errorf("answered %d %s, want %d", status, text, want)
		}
	}
	genuine := func(h *scene) string { return h.hookSecret }
	play(t, c, []hostile{
		{"unsigned", func(h *scene) { send(h, "/in/jira", claim(h, approvedStatus), nil, 401) }, nil},
		{"signed with another secret", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign("guess", body)}, 401)
		}, nil},
		{"signed with an empty secret", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign("", body)}, 401)
		}, nil},
		{"signature of another body", func(h *scene) {
			send(h, "/in/jira", claim(h, approvedStatus), map[string]string{"X-Hub-Signature": sign(genuine(h), claim(h, declinedStatus))}, 401)
		}, nil},
		{"signature without its method", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": strings.TrimPrefix(sign(genuine(h), body), "sha256=")}, 401)
		}, nil},
		{"signature under a weaker method's name", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": strings.Replace(sign(genuine(h), body), "sha256=", "sha1=", 1)}, 401)
		}, nil},
		{"the tool's credentials at the desk's door", func(h *scene) {
			status, _, _ := h.send1(h.t, "/in/jira", claim(h, approvedStatus), "application/json", func(r *http.Request) { r.SetBasicAuth(demoHookUser, h.hookPassword) })
			if status != http.StatusUnauthorized {
				h.t.Errorf("answered %d, want 401", status)
			}
		}, nil},
		{"rightly signed, but the ticket says otherwise", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign(genuine(h), body)}, 202)
		}, nil},
		{"rightly signed a hundred times", func(h *scene) {
			body := claim(h, approvedStatus)
			for range 100 {
				send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign(genuine(h), body)}, 202)
			}
		}, nil},
		{"a genuine notice sent again after the ticket was moved back", func(h *scene) {
			h.jira.DropWebhooks(true)
			h.move("acc-kim", approvedStatus)
			body := claim(h, approvedStatus)
			h.move("acc-kim", openStatus)
			h.jira.DropWebhooks(false)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign(genuine(h), body)}, 202)
		}, nil},
		{"a notice of a ticket that is not there", func(h *scene) {
			body := strings.Replace(claim(h, approvedStatus), h.issue.ID, "999999", 1)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": sign(genuine(h), body)}, 202)
		}, nil},
		{"a decision event at the tool's door without credentials", func(h *scene) {
			send(h, "/in/epm", decisionEvent(h.id, demoTenant), nil, 401)
		}, nil},
		{"a desk's notice at the tool's door", func(h *scene) {
			_, err := h.post(claim(h, approvedStatus))
			h.must(err)
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
		{"the request sent again under another name, then the first requester approves", func(h *scene) {
			_, err := h.post(fmt.Sprintf(`{"EventType":"URM_Native_Ticket_Created","RequestId":%q,"TenantId":%q,"requestInfo":{"user":"CORP\\max"}}`, h.id, demoTenant))
			h.must(err)
			h.move("acc-ana", approvedStatus)
		}, nil},
		{"decided at the tool first, then here", func(h *scene) {
			h.must(h.epm.DecideInConsole(h.id, epmstandin.Denied, "Root"))
			h.must(h.settled())
			h.move("acc-kim", openStatus)
			h.move("acc-kim", approvedStatus)
		}, nil},
		{"decided at the tool while the click is on its way", func(h *scene) {
			h.must(h.epm.DecideInConsole(h.id, epmstandin.Denied, "Root"))
			_, err := h.epm.Flush(h.ctx)
			h.must(err)
			h.jira.DropWebhooks(true)
			err = h.jira.Move(h.issue.Key, "acc-kim", approvedStatus, nil)
			h.jira.DropWebhooks(false)
			if err == nil {
				h.must(h.jira.CommentAs(h.issue.Key, "acc-max", "read me"))
			}
		}, nil},
	})
}

func decisionEvent(id, tenant string) string {
	return fmt.Sprintf(`{"EventType":"URM_NATIVE_DECISION_UPDATE","RequestId":%q,"TenantId":%q,"Decision":"Approved","DecisionTime":"20260105T110000Z","DecisionPerformedByUser":"Root"}`, id, tenant)
}
