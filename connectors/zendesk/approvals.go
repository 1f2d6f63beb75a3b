package zendesk

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// approvalRequest is one approval that was asked for: of one person, or of whoever answers for a group.
type approvalRequest struct {
	ID        string     `json:"id"`
	Status    string     `json:"status"` // active, approved, rejected, withdrawn
	Ticket    looseID    `json:"ticket_id"`
	Workflow  string     `json:"approval_workflow_instance_id"`
	Created   time.Time  `json:"created_at"`
	Assignee  named      `json:"assignee_user"`
	Decided   *time.Time `json:"decided_at"`
	Decisions []struct {
		Status string     `json:"status"`
		By     named      `json:"decided_by_user"`
		At     *time.Time `json:"decided_at"`
	} `json:"decisions"`
}

var approvalID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

const approvalList = "approval_requests"

// listApprovals reads the account's approval requests: Zendesk lists them for administrators, and not by ticket.
func (c *connector) listApprovals(ctx context.Context, take func(approvalRequest)) error {
	after := ""
	for range maxPages {
		var answer struct {
			Requests []approvalRequest `json:"approval_requests"`
			After    string            `json:"after_cursor"`
		}
		if _, err := c.read(ctx, "read approval requests", approvalList+after, &answer); err != nil {
			return err
		}
		if answer.Requests == nil {
			return connectors.Temporarily("read approval requests: the answer is no list")
		}
		for _, r := range answer.Requests {
			if !approvalID.MatchString(r.ID) {
				return connectors.Temporarily("read approval requests: one has no id")
			}
			take(r)
		}
		if answer.After == "" || len(answer.Requests) == 0 {
			return nil
		}
		after = "?after_cursor=" + url.QueryEscape(answer.After)
	}
	return connectors.Temporarily("read approval requests: the list does not end")
}

// approvalRequests reads what was asked for on one ticket, in the order asked; nothing where the connection does not
// read approvals.
func (c *connector) approvalRequests(ctx context.Context, id string) ([]approvalRequest, error) {
	if c.conf.Approvals == nil {
		return nil, nil
	}
	var found []approvalRequest
	if err := c.listApprovals(ctx, func(r approvalRequest) {
		if string(r.Ticket) == id {
			found = append(found, r)
		}
	}); err != nil {
		return nil, err
	}
	for i, r := range found {
		workflow := r.Workflow
		if !word.MatchString(workflow) {
			workflow = c.conf.Approvals.Workflow
		}
		var answer struct {
			Request *json.RawMessage `json:"approval_request"`
		}
		if _, err := c.read(ctx, "read approval request", "approval_workflow_instances/"+workflow+"/approval_requests/"+r.ID, &answer); err != nil {
			return nil, err
		}
		var whole approvalRequest
		if answer.Request == nil || json.Unmarshal(*answer.Request, &whole) != nil || whole.ID != r.ID || whole.Status == "" {
			return nil, connectors.Temporarily("read approval request: the answer is not the request")
		}
		whole.Ticket = r.Ticket
		found[i] = whole
	}
	slices.SortStableFunc(found, func(a, b approvalRequest) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return found, nil
}

// approvals is one entry for each answer that was given, or for who is asked where there is none. A request of a group
// whose answer does not say whose it is has nobody's name.
func approvals(requests []approvalRequest, account func(looseID) connectors.Account) []connectors.Approval {
	var out []connectors.Approval
	for _, r := range requests {
		final := outcome(r.Status)
		if len(r.Decisions) == 0 {
			one := connectors.Approval{ID: r.ID, By: account(r.Assignee.ID), Outcome: final, Final: final}
			if r.Decided != nil && final != connectors.Pending {
				one.At = r.Decided.UTC()
			}
			out = append(out, one)
			continue
		}
		for _, d := range r.Decisions {
			one := connectors.Approval{ID: r.ID, By: account(d.By.ID), Outcome: outcome(d.Status), Final: final}
			if at := cmp.Or(d.At, r.Decided); at != nil {
				one.At = at.UTC()
			}
			out = append(out, one)
		}
	}
	return out
}

// outcome is a status in our words. One that was withdrawn came to nothing.
func outcome(status string) connectors.Outcome {
	switch status {
	case "approved":
		return connectors.Approved
	case "rejected":
		return connectors.Denied
	default:
		return connectors.Pending
	}
}
