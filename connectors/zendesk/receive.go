package zendesk

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

const (
	signatureHeader  = "X-Zendesk-Webhook-Signature"
	timeHeader       = "X-Zendesk-Webhook-Signature-Timestamp"
	invocationHeader = "X-Zendesk-Webhook-Invocation-Id"
)

// replayWindow leaves time for Zendesk's own tries; it names none itself.
const replayWindow = 15 * time.Minute

// Verification is how Zendesk signs its webhooks: the time and the body, with nothing between them.
func (c *connector) Verification() connectors.Verification {
	return connectors.Verification{HMAC: &connectors.HMACCheck{
		Header: signatureHeader, Algorithm: "sha256", Encoding: "base64", Timestamp: timeHeader, Window: replayWindow,
	}}
}

// maxNotice is more than a webhook of Zendesk holds.
const maxNotice = 256 << 10

const ticketEvents = "zen:event-type:ticket."

// Receive reads a webhook about a ticket: a reason to read the ticket again and nothing more. It takes the events of a
// subscription, of which those that are about no ticket carry nothing, and the body of a trigger's webhook as
// {"ticket": "{{ticket.id}}"}. The invocation id stays the same when Zendesk sends a webhook again.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return connectors.Received{}, &connectors.WrongType{Advice: "choose JSON as the webhook's request format"}
	}
	if len(r.Body) > maxNotice {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is larger than any webhook of Zendesk"}
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	var whole json.RawMessage
	if err := decoder.Decode(&whole); err != nil || len(whole) == 0 || whole[0] != '{' {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is not a JSON object"}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body goes on after the JSON object"}
	}
	var n struct {
		Type   string    `json:"type"`
		Time   time.Time `json:"time"`
		Detail struct {
			ID looseID `json:"id"`
		} `json:"detail"`
		Ticket looseID `json:"ticket"`
	}
	if err := json.Unmarshal(whole, &n); err != nil {
		return connectors.Received{}, &connectors.Malformed{Reason: "type, time, detail or ticket has a type Zendesk does not send"}
	}
	id, field := n.Ticket, "ticket"
	if n.Type != "" {
		if !strings.HasPrefix(n.Type, ticketEvents) {
			return connectors.Received{}, nil
		}
		id, field = n.Detail.ID, "detail.id"
	}
	if !number.MatchString(string(id)) {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field " + field + " is missing or no number"}
	}
	change := connectors.Change{Ref: c.ref(string(id)), ID: invocation(r.Header.Get(invocationHeader))}
	if y := n.Time.Year(); y > 2000 && y < 9999 {
		change.At = n.Time.UTC()
	}
	return connectors.Received{Changes: []connectors.Change{change}}, nil
}

// invocation is the id of one webhook. Text that cannot be one is left out.
func invocation(text string) string {
	if text == "" || len(text) > 100 || connectors.Clean(text, 100) != text {
		return ""
	}
	return "hook@" + text
}
