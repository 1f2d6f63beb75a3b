package servicedeskplus

import (
	"cmp"
	"context"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// approvals reads what everybody was asked and answered, level by level. All levels are one approval; what it came to is
// what the desk says of the request, and pending where its parts contradict that. A request that was never sent for
// approval has none.
func (c *connector) approvals(ctx context.Context, at string, r request) ([]connectors.Approval, error) {
	levels, err := parts[level](ctx, c, "read approval levels", at+"/approval_levels", "approval_levels")
	if err != nil {
		return nil, below(err)
	}
	slices.SortStableFunc(levels, func(a, b level) int {
		return cmp.Or(byNumber(a.Level.String(), b.Level.String()), byNumber(string(a.ID), string(b.ID)))
	})
	if len(levels) == 0 && r.Approval.name() == "" && !r.Denied {
		return nil, nil
	}
	id := "request"
	var out []connectors.Approval
	final := c.verdict(r)
	for i, l := range levels {
		if !requestID.MatchString(string(l.ID)) {
			return nil, connectors.Temporarily("read approval levels: a level has no id")
		}
		if i == 0 {
			id = string(l.ID) // levels that are asked anew have new ids
		}
		if final == connectors.Approved && c.means(l.Status) == connectors.Denied {
			final = connectors.Pending
		}
		asked, err := parts[approval](ctx, c, "read approvals", at+"/approval_levels/"+string(l.ID)+"/approvals", "approvals")
		if err != nil {
			return nil, below(err)
		}
		for _, a := range asked {
			out = append(out, connectors.Approval{By: c.answeredBy(a), Outcome: c.means(a.Status), At: a.At.Time})
		}
	}
	if len(out) == 0 { // an approval of which nothing can be seen is still one: status moves do not stand in for it
		out = append(out, connectors.Approval{Outcome: connectors.Pending})
	}
	for i := range out {
		out[i].ID, out[i].Final = id, final
	}
	return out, nil
}

// verdict is what the approval as a whole came to.
func (c *connector) verdict(r request) connectors.Outcome {
	said := c.means(r.Approval)
	if r.Denied && said == connectors.Approved {
		return connectors.Pending
	}
	return said
}

// means reads the name of an approval's status. A name nobody told us means pending, never approved.
func (c *connector) means(status *named) connectors.Outcome {
	switch name := status.name(); {
	case name == "":
		return connectors.Pending
	case contains(c.conf.ApprovalStatuses.Approved, name):
		return connectors.Approved
	case contains(c.conf.ApprovalStatuses.Denied, name):
		return connectors.Denied
	default:
		return connectors.Pending
	}
}

// answeredBy is who gave an answer. Where a backup stood in, the settings say which of the two it was; as long as they
// do not, it is nobody we know.
func (c *connector) answeredBy(a approval) connectors.Account {
	if a.Original == nil || a.Approver == nil || (a.Original.ID != "" && a.Original.ID == a.Approver.ID) {
		return c.account(a.Approver)
	}
	switch c.conf.BackupAnswers {
	case byApprover:
		return c.account(a.Approver)
	case byOriginal:
		return c.account(a.Original)
	default:
		return connectors.Account{Person: connectors.Person{Name: connectors.Clean(a.Approver.Name+" or "+a.Original.Name, 200)}}
	}
}
