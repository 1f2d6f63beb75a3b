package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Verification is how Slack signs what it sends.
func (c *connector) Verification() connectors.Verification {
	return connectors.Verification{HMAC: &connectors.HMACCheck{
		Header: "X-Slack-Signature", Prefix: "v0=", Algorithm: "sha256", Encoding: "hex", Timestamp: "X-Slack-Request-Timestamp",
		Lead: "v0:", Separator: ":", Window: 5 * time.Minute,
	}}
}

// maxBody is more than a click brings, with the message it was made on.
const maxBody = 1 << 20

// Receive reads a click on a button of ours. What it answers is empty, as Slack wants within three seconds. Anything else
// an app is told of carries nothing, and Slack's own checks of the address are answered.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	if len(r.Body) > maxBody {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is larger than what Slack sends"}
	}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/json":
		return challenge(r.Body)
	case "application/x-www-form-urlencoded":
	default:
		return connectors.Received{}, &connectors.WrongType{Advice: "set this address as the Request URL of the app's interactivity"}
	}
	form, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is no form"}
	}
	if form.Get("ssl_check") != "" {
		return connectors.Received{Reply: taken}, nil
	}
	if len(form["payload"]) != 1 {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field payload is missing, or stands twice"}
	}
	var p payload
	if err := whole([]byte(form.Get("payload")), &p); err != nil {
		return connectors.Received{}, err
	}
	return connectors.Received{Votes: c.votes(p), Reply: taken}, nil
}

// taken answers with nothing.
func taken(connectors.CaseState) connectors.Response {
	return connectors.Response{Status: http.StatusOK}
}

// challenge answers Slack's check of an address. Nothing else comes as JSON that we ask for.
func challenge(body []byte) (connectors.Received, error) {
	var said struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if err := whole(body, &said); err != nil {
		return connectors.Received{}, err
	}
	if said.Type != "url_verification" {
		return connectors.Received{Reply: taken}, nil
	}
	if said.Challenge == "" || len(said.Challenge) > 1000 {
		return connectors.Received{}, &connectors.Malformed{Reason: "the field challenge is missing or too long"}
	}
	return connectors.Received{Reply: func(connectors.CaseState) connectors.Response {
		return connectors.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(said.Challenge)}
	}}, nil
}

// whole reads one JSON object and nothing behind it.
func whole(text []byte, out any) error {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) || !json.Valid(text) {
		return &connectors.Malformed{Reason: "what Slack sends is a JSON object, and this is none"}
	}
	if err := json.Unmarshal(text, out); err != nil {
		return &connectors.Malformed{Reason: "a field has a type Slack does not send"}
	}
	return nil
}

// payload is what Slack tells of a click.
type payload struct {
	Type  string `json:"type"`
	AppID string `json:"api_app_id"`
	Team  struct {
		ID string `json:"id"`
	} `json:"team"`
	User struct {
		ID       string `json:"id"`
		Username string `json:"username"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	Container struct {
		MessageTS string `json:"message_ts"`
		Ephemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Actions []struct {
		Type     string `json:"type"`
		ActionID string `json:"action_id"`
		BlockID  string `json:"block_id"`
		Value    string `json:"value"`
		ActionTS string `json:"action_ts"`
	} `json:"actions"`
	State struct {
		Values map[string]map[string]struct {
			Value string `json:"value"`
		} `json:"values"`
	} `json:"state"`
}

// key is what ours look like.
var key = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)

// votes are the answers in a click: none where it was made elsewhere, or on something that is not ours.
func (c *connector) votes(p payload) []connectors.Vote {
	why := ""
	switch {
	case p.Type != "block_actions":
		return nil
	case p.Team.ID != c.conf.Team:
		why = "another workspace"
	case c.conf.App != "" && p.AppID != c.conf.App:
		why = "another app"
	case !userID.MatchString(p.User.ID), !channelID.MatchString(p.Channel.ID), !stamp.MatchString(p.Container.MessageTS), p.Container.Ephemeral:
		why = "no person's, or on no message"
	}
	if why != "" {
		c.log.Warn("click ignored", "why", why)
		return nil
	}
	var votes []connectors.Vote
	for _, a := range p.Actions {
		what, length, _ := strings.Cut(a.ActionID, "/")
		outcome, ours := map[string]connectors.Outcome{approve: connectors.Approved, deny: connectors.Denied}[what]
		if !ours || a.Type != "button" || a.BlockID != buttonsBlock || !key.MatchString(a.Value) || !stamp.MatchString(a.ActionTS) || length != "" && (what != approve || !duration.MatchString(length)) {
			continue
		}
		votes = append(votes, connectors.Vote{
			ID:  p.Container.MessageTS + "/" + a.ActionTS + "/" + p.User.ID,
			Key: a.Value, Ref: c.ref(p.Channel.ID, p.Container.MessageTS),
			By:      connectors.Account{Person: connectors.Person{Account: p.User.ID, Name: connectors.Clean(p.User.Username, 200)}},
			Outcome: outcome, Duration: length, Reason: markdown.Lines(p.State.Values[reasonBlock][reasonInput].Value, maxFallback), At: at(a.ActionTS),
		})
	}
	return votes
}

// at is the time a stamp gives.
func at(ts string) time.Time {
	whole, part, _ := strings.Cut(ts, ".")
	seconds, _ := strconv.ParseInt(whole, 10, 64) // its shape was looked at
	parts, _ := strconv.ParseInt((part + "000000000")[:9], 10, 64)
	return time.Unix(seconds, parts).UTC()
}
