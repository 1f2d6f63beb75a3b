package jira

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

// Verification is how webhooks prove where they come from: Jira Cloud's admin webhooks and those of Data Center 10 are
// signed; those of an app bring a token signed with its client secret.
func (c *connector) Verification() connectors.Verification {
	if c.conf.Auth.dynamic() {
		return connectors.Verification{JWT: &connectors.JWTCheck{Secrets: []connectors.Secret{c.conf.Auth.Consent.ClientSecret}}}
	}
	return connectors.Verification{HMAC: &connectors.HMACCheck{Header: "X-Hub-Signature", Prefix: "sha256=", Algorithm: "sha256", Encoding: "hex"}}
}

// maxNotice is more than a webhook of Jira holds.
const maxNotice = 8 << 20

// Receive reads a webhook of an issue: a reason to read the ticket again and nothing more. Events of other kinds carry
// nothing. A body without webhookEvent is read as what an automation rule sends: the issue, or an object with it.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return connectors.Received{}, &connectors.WrongType{Advice: "send application/json, as Jira's own webhooks do"}
	}
	n, err := decodeNotice(r.Body)
	if err != nil {
		return connectors.Received{}, err
	}
	if n.Event != "" && !strings.HasPrefix(n.Event, "jira:issue_") {
		return connectors.Received{}, nil
	}
	at := n.bare
	if n.Issue != nil {
		at = *n.Issue
	}
	if !issueID.MatchString(string(at.ID)) {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field issue.id is missing or not a number"}
	}
	if !issueKey.MatchString(at.Key) {
		at.Key = ""
	}
	change := connectors.Change{Ref: c.ref(string(at.ID), at.Key), ID: noticeID(r.Header.Get("X-Atlassian-Webhook-Identifier"))}
	if n.Timestamp > 0 && n.Timestamp < maxMillis {
		change.At = time.UnixMilli(n.Timestamp).UTC()
	}
	return connectors.Received{Changes: []connectors.Change{change}}, nil
}

// maxMillis is the end of the year 9999: what lies behind cannot be written as JSON.
const maxMillis = 253402300800000

// subject is an issue as a notice names it.
type subject struct {
	ID  looseText `json:"id"`
	Key string    `json:"key"`
}

type notice struct {
	Event     string   `json:"webhookEvent"`
	Timestamp int64    `json:"timestamp"`
	Issue     *subject `json:"issue"`
	bare      subject  // of a body that is the issue itself
}

// looseText takes a text or a number: rule authors write ids either way.
type looseText string

func (t *looseText) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(t))
	}
	*t = looseText(text)
	return nil
}

func decodeNotice(body []byte) (notice, error) {
	if len(body) > maxNotice {
		return notice{}, &connectors.Malformed{Reason: "the body is larger than any webhook of Jira"}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	var whole json.RawMessage
	if err := decoder.Decode(&whole); err != nil || len(whole) == 0 || whole[0] != '{' {
		return notice{}, &connectors.Malformed{Reason: "the body is not a JSON object"}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return notice{}, &connectors.Malformed{Reason: "the body goes on after the JSON object"}
	}
	var n notice
	if err := json.Unmarshal(whole, &n); err != nil {
		return notice{}, &connectors.Malformed{Reason: "webhookEvent, timestamp or issue has a type Jira does not send"}
	}
	if n.Event == "" && n.Issue == nil {
		if err := json.Unmarshal(whole, &n.bare); err != nil {
			return notice{}, &connectors.Malformed{Reason: "key has a type Jira does not send"}
		}
	}
	return n, nil
}

// noticeID is the id that stays the same when Jira sends a notice again. Text that cannot be one is left out.
func noticeID(text string) string {
	if len(text) > 200 || connectors.Clean(text, 200) != text {
		return ""
	}
	return text
}
