package opsgenie

import (
	"context"
	"encoding/json"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// SecretHeader is the header the vendor is told to send our secret in: it signs nothing.
const SecretHeader = "X-Drawbridge-Secret"

// Verification wants the secret of both sides in a header.
func (c *connector) Verification() connectors.Verification {
	return connectors.Verification{Header: &connectors.HeaderCheck{Name: SecretHeader}}
}

// Receive reads a webhook about an alert: a reason to read the alert again and nothing more. What was done and by whom
// stands in it unsigned, and counts for nothing: the alert's log says so, or nobody did it.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	var n struct {
		Action string `json:"action"`
		Alert  *struct {
			ID      string      `json:"alertId"`
			Tiny    string      `json:"tinyId"`
			Updated json.Number `json:"updatedAt"`
			Created json.Number `json:"createdAt"`
		} `json:"alert"`
	}
	if err := connectors.ReadWebhook(r, &n); err != nil {
		return connectors.Received{}, err
	}
	if n.Alert == nil {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field alert is missing"}
	}
	if !idForm.MatchString(n.Alert.ID) {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field alert.alertId is missing or no id"}
	}
	change := connectors.Change{Ref: ref(n.Alert.ID, n.Alert.Tiny)}
	for _, text := range []json.Number{n.Alert.Updated, n.Alert.Created} {
		if at, err := text.Int64(); err == nil && at > 0 {
			change.At = moment(at)
			change.ID = "hook@" + n.Alert.ID + "@" + change.At.Format(time.RFC3339Nano) + "@" + connectors.Clean(n.Action, 50)
			break
		}
	}
	return connectors.Received{Changes: []connectors.Change{change}}, nil
}
