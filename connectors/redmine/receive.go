package redmine

import (
	"context"
	"fmt"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Verification is how the desk script signs: time and body, so that a notice cannot be sent again later.
func (c *connector) Verification() connectors.Verification {
	return connectors.SignedNotice("hex")
}

// Receive reads what the desk script sends: a reason to read the ticket again and nothing more. Redmine has no webhooks
// of its own; without the script changes are found by watching.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	var n struct {
		Issue   int64 `json:"issue"`
		Journal int64 `json:"journal"`
	}
	if err := connectors.ReadNotice(r, &n, "issue and journal"); err != nil {
		return connectors.Received{}, err
	}
	if n.Issue <= 0 {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field issue is missing or no number"}
	}
	change := connectors.Change{Ref: c.ref(n.Issue)}
	if n.Journal > 0 {
		change.ID = fmt.Sprintf("%d/%d", n.Issue, n.Journal)
	}
	return connectors.Received{Changes: []connectors.Change{change}}, nil
}
