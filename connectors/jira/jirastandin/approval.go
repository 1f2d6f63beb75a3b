package jirastandin

import (
	"net/http"
	"slices"
	"strconv"
)

func (v view) approval(i *issue, a *approval, me *account) map[string]any {
	approvers := []any{}
	for _, id := range a.step.Approvers {
		decision := a.answers[id]
		if decision == "" {
			decision = "pending"
		}
		if person := v.s.account(id); person != nil {
			approvers = append(approvers, map[string]any{"approver": v.deskUser(person), "approverDecision": decision})
		}
	}
	out := map[string]any{
		"id": strconv.Itoa(a.id), "name": a.name, "finalDecision": a.final, "canAnswerApproval": me != nil && i.awaits(a, me),
		"approvers": approvers, "createdDate": v.deskDate(a.created),
		"_links": map[string]any{"self": v.base + deskPath + "request/" + strconv.Itoa(i.id) + "/approval/" + strconv.Itoa(a.id)},
	}
	if !a.completed.IsZero() {
		out["completedDate"] = v.deskDate(a.completed)
	}
	return out
}

// awaits tells whether an approval is open, the ticket still in its status, and a one of those asked.
func (i *issue) awaits(a *approval, who *account) bool {
	return a.final == "pending" && i.status.name == a.name && slices.Contains(a.step.Approvers, who.ID)
}

// listApprovals pages through a request's approvals. A status entered again has one more.
func (c *call) listApprovals() (int, any, error) {
	i, err := c.requestIssue()
	if err != nil {
		return 0, nil, err
	}
	var all []any
	for _, a := range i.approvals {
		all = append(all, c.view.approval(i, a, c.me))
	}
	return c.deskPage(all)
}

func (c *call) approval() (*issue, *approval, error) {
	i, err := c.requestIssue()
	if err != nil {
		return nil, nil, err
	}
	for _, a := range i.approvals {
		if strconv.Itoa(a.id) == c.args["approval"] {
			return i, a, nil
		}
	}
	return nil, nil, refuse(http.StatusNotFound, "The approval does not exist.")
}

// getApproval shows one approval.
func (c *call) getApproval() (int, any, error) {
	i, a, err := c.approval()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.view.approval(i, a, c.me), nil
}

// answerApproval answers an approval: only those asked can, each with their own credentials.
func (c *call) answerApproval() (int, any, error) {
	i, a, err := c.approval()
	if err != nil {
		return 0, nil, err
	}
	var body struct {
		Decision string `json:"decision"`
	}
	if err := c.decode(&body); err != nil {
		return 0, nil, err
	}
	if err := c.s.answer(i, a, c.me, body.Decision); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.view.approval(i, a, c.me), nil
}

// answer records what an approver said and moves the ticket as the approval step says.
func (s *Server) answer(i *issue, a *approval, by *account, decision string) error {
	outcome, next := "approved", a.step.Approved
	switch decision {
	case "approve":
	case "decline":
		outcome, next = "declined", a.step.Declined
	default:
		return refuse(http.StatusBadRequest, "The decision must be 'approve' or 'decline'.")
	}
	switch {
	case a.final != "pending" || i.status.name != a.name:
		return refuse(http.StatusConflict, "The approval has already been completed.")
	case !slices.Contains(a.step.Approvers, by.ID):
		return refuse(http.StatusForbidden, "You are not an approver of this request.")
	}
	a.answers[by.ID], a.final, a.completed = outcome, outcome, s.o.Now()
	for _, st := range i.kind.flow.statuses {
		if st.name == next {
			s.move(i, by, &transition{name: a.name, to: st}, nil, nil)
		}
	}
	return nil
}
