package servicenow

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"regexp"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Headers the desk script signs with.
const (
	signatureHeader = "X-Drawbridge-Signature"
	timeHeader      = "X-Drawbridge-Timestamp"
)

// Verification is how the desk script signs: time and body, so that a notice cannot be sent again later. ServiceNow's
// own function for it gives base64.
func (c *connector) Verification() connectors.Verification {
	return connectors.Verification{HMAC: &connectors.HMACCheck{
		Header: signatureHeader, Prefix: "sha256=", Algorithm: "sha256", Encoding: "base64", Timestamp: timeHeader, Separator: ".",
	}}
}

// maxNotice is more than the desk script ever sends.
const maxNotice = 64 << 10

var (
	recordNumber = regexp.MustCompile(`^[A-Z]{2,12}[0-9]{1,20}$`)
	eventID      = regexp.MustCompile(`^[0-9a-f]{32}:[0-9]{1,18}$`)
)

// Receive reads what the desk script sends: a reason to read the ticket again and nothing more. ServiceNow has no
// webhooks of its own, and what the script sends is not sent again; changes are found by watching, too.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return connectors.Received{}, &connectors.WrongType{Advice: "send application/json, as the desk script does"}
	}
	if len(r.Body) > maxNotice {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is larger than any notice of the desk script"}
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	var n struct {
		Table   string `json:"table"`
		ID      string `json:"sys_id"`
		Number  string `json:"number"`
		EventID string `json:"event_id"`
	}
	if err := decoder.Decode(&n); err != nil {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is no JSON object with table and sys_id"}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body goes on after the JSON object"}
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
