package servicedeskplus

import (
	"context"
	"encoding/json"
	"mime"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// secretHeader is where the cloud's webhooks carry the secret.
const secretHeader = "X-Drawbridge-Token"

// Verification is how notices prove where they come from: the cloud's webhooks are not signed and carry a secret in a
// header; the desk script of an installation of one's own signs time and body.
func (c *connector) Verification() connectors.Verification {
	if c.conf.Edition == cloud {
		return connectors.Verification{Header: &connectors.HeaderCheck{Name: secretHeader}}
	}
	return connectors.SignedNotice("hex")
}

// maxNotice is more than any notice holds.
const maxNotice = 64 << 10

// Receive reads a notice: a reason to read the request again and nothing more. Of what it says only the id counts.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return connectors.Received{}, &connectors.WrongType{Advice: "send application/json"}
	}
	if len(r.Body) > maxNotice {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is larger than any notice"}
	}
	body, err := connectors.ReadObject(r.Body)
	if err != nil {
		return connectors.Received{}, err
	}
	id := idIn(body["request_id"])
	if inner, ok := body["request"].(map[string]any); ok && id == "" {
		id = idIn(inner["id"])
	}
	if !requestID.MatchString(id) {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field request_id is missing or no id"}
	}
	return connectors.Received{Changes: []connectors.Change{{Ref: connectors.Ref{ID: id}}}}, nil
}

// idIn takes a text or the digits of a number.
func idIn(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		return ""
	}
}
