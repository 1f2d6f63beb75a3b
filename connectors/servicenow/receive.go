package servicenow

import (
	"context"
	"regexp"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Verification is how the desk script signs: time and body, so that a notice cannot be sent again later. ServiceNow's
// own function for it gives base64.
func (c *connector) Verification() connectors.Verification {
	return connectors.SignedNotice("base64")
}

var (
	recordNumber = regexp.MustCompile(`^[A-Z]{2,12}[0-9]{1,20}$`)
	eventID      = regexp.MustCompile(`^[0-9a-f]{32}:[0-9]{1,18}$`)
)

// Receive reads what the desk script sends: a reason to read the ticket again and nothing more. ServiceNow has no
// webhooks of its own, and what the script sends is not sent again; changes are found by watching, too.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	var n struct {
		Table   string `json:"table"`
		ID      string `json:"sys_id"`
		Number  string `json:"number"`
		EventID string `json:"event_id"`
	}
	if err := connectors.ReadNotice(r, &n, "table and sys_id"); err != nil {
		return connectors.Received{}, err
	}
	if !recordID.MatchString(n.ID) {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field sys_id is missing or no sys_id"}
	}
	if !tableName.MatchString(n.Table) {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field table is missing or no table's name"}
	}
	if !slices.Contains(c.conf.Tables, n.Table) {
		return connectors.Received{}, nil // a ticket of another connection, or of nobody
	}
	if !recordNumber.MatchString(n.Number) {
		n.Number = ""
	}
	change := connectors.Change{Ref: c.ref(place{n.Table, n.ID}, n.Number)}
	if eventID.MatchString(n.EventID) {
		change.ID = n.EventID
	}
	return connectors.Received{Changes: []connectors.Change{change}}, nil
}
