package datatheorem

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Decide brings a mobile finding target to the status its decision leads to. It is refused while
// settings.targets.update.body is empty, and replayed once that is set. Of any other finding nobody can be told.
//
// Changing a target twice leaves it as it is after once, and State tells whether an answer was lost.
func (c *connector) Decide(ctx context.Context, d connectors.Decision) error {
	const name = "update finding target"
	status := c.config.Targets.Update.Approved
	switch d.Outcome {
	case connectors.Approved:
	case connectors.Denied:
		status = c.config.Targets.Update.Denied
	default:
		return connectors.Permanently("%s: a decision is approved or denied, nothing else", name)
	}
	switch {
	case d.IDs[fieldFindingID] == "":
		return &connectors.Kept{Why: "Data Theorem documents no call that takes a decision on such a finding"}
	case status == "":
		return &connectors.Kept{Why: fmt.Sprintf("a finding whose exception is %s stays there as it is", d.Outcome)}
	case c.config.Targets.Update.Body == "":
		return connectors.Permanently("%s: the call is off, as Data Theorem does not document what it takes; look that up in your account, set settings.targets.update.body and replay", name)
	case c.client == nil:
		return connectors.Permanently("%s: settings.api_key is missing", name)
	case !plain(d.RequestID):
		return connectors.Permanently("%s: there is no usable id", name)
	}
	by := cmp.Or(d.By.Name, d.By.Mail, d.By.Account)
	body := fillBody(c.config.Targets.Update.Body, updateValues{
		status: status, id: d.RequestID, by: by, ticket: cmp.Or(d.Ticket.Key, d.Ticket.ID), reason: connectors.Clean(d.Reason, 1000),
	})
	answer, err := c.client.Do(ctx, connectors.Call{
		Name: name, Method: http.MethodPatch, URL: c.targetURL(d.RequestID), Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body),
	})
	if err != nil {
		return explain(err)
	}
	if bytes.HasPrefix(bytes.TrimSpace(answer.Body), []byte("<")) {
		return &connectors.Error{Kind: connectors.Temporary, Sent: true, Status: answer.Status, Err: fmt.Errorf("%s: the answer is a page, so it is not known whether Data Theorem took it", name)}
	}
	return nil
}

// updateValues are what the body of the call may hold.
type updateValues struct{ status, id, reason, by, ticket string }

func fillBody(template string, u updateValues) string {
	return strings.NewReplacer("{status}", quoted(u.status), "{id}", quoted(u.id), "{reason}", quoted(u.reason), "{by}", quoted(u.by), "{ticket}", quoted(u.ticket)).Replace(template)
}

func quoted(text string) string {
	q, _ := json.Marshal(text) // texts can always be written
	return string(q)
}
