package rt

import (
	"context"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Verification is how the desk script signs: time and body, so that a notice cannot be sent again later.
func (c *connector) Verification() connectors.Verification {
	return connectors.SignedNotice("hex")
}

// Receive reads what the desk script sends: a reason to read the ticket again and nothing more.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	var n struct {
		Ticket      looseID `json:"ticket"`
		Transaction looseID `json:"transaction"`
	}
	if err := connectors.ReadNotice(r, &n, "ticket and transaction"); err != nil {
		return connectors.Received{}, err
	}
	if !ticketID.MatchString(string(n.Ticket)) {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field ticket is missing or no number"}
	}
	change := connectors.Change{Ref: c.ref(string(n.Ticket))}
	if ticketID.MatchString(string(n.Transaction)) {
		change.ID = string(n.Ticket) + "/" + string(n.Transaction)
	}
	return connectors.Received{Changes: []connectors.Change{change}}, nil
}
