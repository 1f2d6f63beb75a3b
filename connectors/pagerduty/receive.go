package pagerduty

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

const (
	signatureHeader = "X-PagerDuty-Signature"
	webhookHeader   = "X-Webhook-Id"
)

// Verification is how PagerDuty signs its webhooks: the body alone, with each of the secrets there are.
func (c *connector) Verification() connectors.Verification {
	return connectors.Verification{HMAC: &connectors.HMACCheck{
		Header: signatureHeader, Prefix: "v1=", Algorithm: "sha256", Encoding: "hex", List: ",",
	}}
}

// Receive reads a webhook about an incident: a reason to read the incident again and nothing more. No time is signed
// beside the body, so an event is known by the id and the time it has itself: one that is older than PagerDuty tries
// carries nothing. Events about something else carry nothing either, and are taken all the same: three in a row that are
// refused would end the subscription for a day.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	var n struct {
		Event *struct {
			ID   string          `json:"id"`
			Type string          `json:"event_type"`
			At   time.Time       `json:"occurred_at"`
			Data json.RawMessage `json:"data"`
		} `json:"event"`
	}
	if err := connectors.ReadWebhook(r, &n); err != nil {
		return connectors.Received{}, err
	}
	if n.Event == nil {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field event is missing"}
	}
	e := n.Event
	if !strings.HasPrefix(e.Type, "incident.") || e.At.IsZero() || r.Time.Sub(e.At).Abs() > c.conf.MaxAge {
		return connectors.Received{}, nil
	}
	var data struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Number   int    `json:"number"`
		URL      string `json:"html_url"`
		Incident *struct {
			ID  string `json:"id"`
			URL string `json:"html_url"`
		} `json:"incident"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return connectors.Received{}, nil
	}
	var about connectors.Ref
	switch {
	case data.Incident != nil:
		about = ref(data.Incident.ID, 0, data.Incident.URL)
	case data.Type == "incident":
		about = ref(data.ID, data.Number, data.URL)
	}
	if !idForm.MatchString(about.ID) {
		return connectors.Received{}, nil
	}
	return connectors.Received{Changes: []connectors.Change{{Ref: about, ID: noticeID(e.ID, r.Header.Get(webhookHeader)), At: e.At.UTC()}}}, nil
}

// noticeID is the id of one webhook, the same when it is sent again: the event's, which is signed, or the header's. Text
// that cannot be one is left out.
func noticeID(ids ...string) string {
	for _, id := range ids {
		if id != "" && len(id) <= 100 && connectors.Clean(id, 100) == id {
			return "hook@" + id
		}
	}
	return ""
}
