package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
)

func TestHostileJiraTickets(t *testing.T) {
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
		{"an approver closes what somebody else approved", func(h *scene) { h.move("acc-max", approvedStatus); h.move("acc-kim", "Done") }, nil},
		{"a label that says approved", func(h *scene) {
			h.must(h.jira.EditLabels(h.issue.Key, "acc-kim", []string{"approved", "drawbridge-approved"}, nil))
		}, nil},
		{"a clone without our property is approved", func(h *scene) {
			clone, err := h.jira.Clone(h.issue.Key, "acc-max")
			h.must(err)
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
		{"both keys on one ticket", func(h *scene) {
			o := other(h)
			h.must(h.jira.EditLabels(o.issue.Key, "acc-max", mark(h.issue), nil))
			h.must(h.jira.SetProperty(o.issue.Key, "drawbridge", map[string]string{"key": key(h)}))
			o.move("acc-kim", approvedStatus)
			bothSilent(h, o)
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
	c.policy(t, "approvers: {groups: [endpoint-approvers]}\n")
	play(t, c, []hostile{
		{"a group of nearly the same name", func(h *scene) {
			h.must(h.jira.SetGroups("acc-max", "Endpoint-Approvers", "endpoint-approvers "))
			h.move("acc-max", approvedStatus)
			h.must(h.settled())
			h.must(h.jira.SetGroups("acc-max", "jira-users"))
		}, nil},
	})
}

// What the approver chose is changed by somebody else.
func TestHostileJiraFields(t *testing.T) {
	t.Parallel()
	c := theatre(t, crowd)
	hours := func(h *scene, by, n string) { h.edit(by, map[string]any{"customfield_10042": n}) }
	priority := func(h *scene, by, name string) {
		h.edit(by, map[string]any{"priority": map[string]any{"name": name}})
	}
	c.policy(t, "approvers:\n  people: [kim]\n  when: ticket.priority != \"Medium\"\n")
	play(t, c, []hostile{
		{"the approver makes the condition hold", func(h *scene) {
			priority(h, "acc-kim", "Low")
			h.move("acc-kim", approvedStatus)
		}, nil},
	})
	c.policy(t, "approvers: {people: [kim]}\ndurations: {max: 8h, default: 1h}\n")
	c.edit(t, "Rule", "epm-app-requests", "  policy: endpoint-approvers", "  duration: ticket.fields.customfield_10042\n  policy: endpoint-approvers")
	play(t, c, []hostile{
		{"the requester chooses the duration after the click", func(h *scene) {
			h.jira.DropWebhooks(true)
			hours(h, "acc-kim", "2h")
			h.move("acc-kim", approvedStatus)
			h.jira.DropWebhooks(false)
			hours(h, "acc-ana", "8h")
			h.must(h.settled())
			if told := h.epm.Decisions(h.id); len(told) != 1 || told[0].Duration != "7200" {
				h.t.Errorf("the source was told %+v, want 7200 seconds", told)
			}
		}, []string{"Approved"}},
		{"the approver chooses again after the requester did", func(h *scene) {
			hours(h, "acc-ana", "8h")
			h.move("acc-kim", approvedStatus)
			h.must(h.settled())
			hours(h, "acc-kim", "30m")
			h.must(h.settled())
			if told := h.epm.Decisions(h.id); len(told) != 1 || told[0].Duration != "1800" {
				h.t.Errorf("the source was told %+v, want 1800 seconds", told)
			}
		}, []string{"Approved"}},
	})
}

func TestHostileJiraWebhooks(t *testing.T) {
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
		{"signed with another secret", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": signature("guess", body)}, 401)
		}, nil},
		{"signed with an empty secret", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": signature("", body)}, 401)
		}, nil},
		{"signature of another body", func(h *scene) {
			send(h, "/in/jira", claim(h, approvedStatus), map[string]string{"X-Hub-Signature": signature(genuine(h), claim(h, declinedStatus))}, 401)
		}, nil},
		{"signature without its method", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": strings.TrimPrefix(signature(genuine(h), body), "sha256=")}, 401)
		}, nil},
		{"signature under a weaker method's name", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": strings.Replace(signature(genuine(h), body), "sha256=", "sha1=", 1)}, 401)
		}, nil},
		{"rightly signed, but the ticket says otherwise", func(h *scene) {
			body := claim(h, approvedStatus)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": signature(genuine(h), body)}, 202)
		}, nil},
		{"a notice of a ticket that is not there", func(h *scene) {
			body := strings.Replace(claim(h, approvedStatus), h.issue.ID, "999999", 1)
			send(h, "/in/jira", body, map[string]string{"X-Hub-Signature": signature(genuine(h), body)}, 202)
		}, nil},
	})
}
