package freshworksstandin

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

type approval struct {
	id       int64
	approver int64
	name     string
	delegate int64
	level    int
	group    int64
	status   int // 0 requested, 1 approved, 2 rejected, 3 canceled
	remark   string
	created  time.Time
	updated  time.Time
}

var approvalNames = []string{"requested", "approved", "rejected", "cancelled"}

// rollUp is what the approvals of a ticket come to: everybody who was asked must agree.
func (r *record) rollUp() any {
	yes := 0
	for _, a := range r.approvals {
		switch a.status {
		case 0:
			return 0
		case 2:
			return 2
		case 1:
			yes++
		}
	}
	if yes == 0 {
		return nil
	}
	return 1
}

func (x exchange) viewApproval(r *record, a *approval) map[string]any {
	out := map[string]any{
		"id": a.id, "approver_id": a.approver, "approver_name": a.name, "approval_type": 1, "level": a.level, "parent_id": r.id,
		"approval_status": map[string]any{"id": a.status, "name": approvalNames[a.status]},
		"approval_group":  map[string]any{"id": a.group, "name": "approvers", "rule": 1}, "delegatee": nil, "latest_remark": a.remark,
		"created_at": a.created.Format(time.RFC3339), "updated_at": a.updated.Format(time.RFC3339),
	}
	if a.delegate != 0 {
		out["delegatee"] = map[string]any{"id": a.delegate, "name": "Delegate"}
	}
	return out
}

func (x exchange) approvals() {
	r, ok := x.record()
	if !ok {
		return
	}
	out := []map[string]any{}
	for _, a := range r.approvals {
		out = append(out, x.viewApproval(r, a))
	}
	if items, ok := page(x, out, 30); ok {
		x.answer(http.StatusOK, "approvals", items)
	}
}

func (x exchange) allApprovals() {
	query := x.r.URL.Query()
	parent, status := query.Get("parent"), query.Get("status")
	if parent == "" || status == "" {
		x.invalid(faultIn("parent", "Mandatory attribute missing", "missing_field"))
		return
	}
	out := []map[string]any{}
	for _, r := range x.records {
		for _, a := range r.approvals {
			if r.kind == parent+"s" && approvalNames[a.status] == status {
				out = append(out, x.viewApproval(r, a))
			}
		}
	}
	if items, ok := page(x, out, 30); ok {
		x.answer(http.StatusOK, "approvals", items)
	}
}

func (x exchange) agent() {
	id := x.who.ID
	if x.path[1] != "me" {
		id, _ = strconv.ParseInt(x.path[1], 10, 64)
	} else if x.opts.Service {
		x.refuse(http.StatusNotFound, "", "")
		return
	}
	i := slices.IndexFunc(x.opts.Accounts, func(a Account) bool { return a.ID == id })
	if i < 0 {
		x.refuse(http.StatusNotFound, "", "")
		return
	}
	x.answer(http.StatusOK, "agent", x.viewAgent(x.opts.Accounts[i]))
}

func (x exchange) viewAgent(a Account) map[string]any {
	ids := []int64{}
	for _, name := range a.Groups {
		ids = append(ids, int64(slices.Index(x.groupNames(), name)+1))
	}
	if x.opts.Service {
		return map[string]any{"id": a.ID, "first_name": a.Name, "last_name": nil, "email": a.Mail, "active": true, "member_of": ids}
	}
	return map[string]any{"id": a.ID, "group_ids": ids, "contact": map[string]any{"active": true, "name": a.Name, "email": a.Mail}}
}

func (s *Server) groupNames() []string {
	var out []string
	for _, a := range s.opts.Accounts {
		out = append(out, a.Groups...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (x exchange) agents() {
	out := []map[string]any{}
	for _, a := range x.opts.Accounts {
		out = append(out, x.viewAgent(a))
	}
	if items, ok := page(x, out, 30); ok {
		x.answer(http.StatusOK, "agents", items)
	}
}

func (x exchange) groups() {
	out := []map[string]any{}
	for i, name := range x.groupNames() {
		out = append(out, map[string]any{"id": i + 1, "name": name})
	}
	if items, ok := page(x, out, 30); ok {
		x.answer(http.StatusOK, "groups", items)
	}
}
