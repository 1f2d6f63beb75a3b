package redmine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Headers the desk script signs with.
const (
	signatureHeader = "X-Drawbridge-Signature"
	timeHeader      = "X-Drawbridge-Timestamp"
)

// Verification is how the desk script signs: time and body, so that a notice cannot be sent again later.
func (c *connector) Verification() connectors.Verification {
	return connectors.Verification{HMAC: &connectors.HMACCheck{
		Header: signatureHeader, Prefix: "sha256=", Algorithm: "sha256", Encoding: "hex", Timestamp: timeHeader, Separator: ".",
	}}
}

// maxNotice is more than the desk script ever sends.
const maxNotice = 64 << 10

// Receive reads what the desk script sends: a reason to read the ticket again and nothing more. Redmine has no webhooks
// of its own; without the script changes are found by watching.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return connectors.Received{}, &connectors.WrongType{Advice: "send application/json, as the desk script does"}
	}
	if len(r.Body) > maxNotice {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is larger than any notice of the desk script"}
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	var n struct {
		Issue   int64 `json:"issue"`
		Journal int64 `json:"journal"`
	}
	if err := decoder.Decode(&n); err != nil {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is no JSON object with issue and journal"}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body goes on after the JSON object"}
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
