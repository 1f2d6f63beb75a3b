package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// call makes one call of the Web API. out takes the answer; args are sent as JSON where they are set.
func (c *connector) call(ctx context.Context, name, method, path string, args any, out any) (http.Header, error) {
	call := connectors.Call{Name: name, Method: method, URL: c.conf.BaseURL + "/" + path}
	if args != nil {
		body, err := json.Marshal(args)
		if err != nil {
			return nil, connectors.Permanently("%s: write request: %w", name, err)
		}
		call.Body = body
		call.Header = http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	}
	answer, err := c.client.Do(ctx, call)
	if err != nil {
		return nil, err
	}
	var said struct {
		OK     bool   `json:"ok"`
		Error  string `json:"error"`
		Needed string `json:"needed"`
	}
	if err := answer.DecodeJSON(name, &said); err != nil {
		return nil, err
	}
	if !said.OK {
		return nil, c.refused(name, answer, said.Error, said.Needed)
	}
	return answer.Header, answer.DecodeJSON(name, out)
}

// kinds says what Slack's error codes mean for the work behind a call. Any other is permanent.
var kinds = map[string]connectors.Kind{
	"ratelimited": connectors.Throttled, "rate_limited": connectors.Throttled,

	"invalid_auth": connectors.Unwell, "not_authed": connectors.Unwell, "account_inactive": connectors.Unwell, "token_revoked": connectors.Unwell,
	"token_expired": connectors.Unwell, "invalid_token": connectors.Unwell, "no_permission": connectors.Unwell, "missing_scope": connectors.Unwell,
	"not_allowed_token_type": connectors.Unwell, "access_denied": connectors.Unwell, "org_login_required": connectors.Unwell,
	"ekm_access_denied": connectors.Unwell, "two_factor_setup_required": connectors.Unwell, "team_access_not_granted": connectors.Unwell,

	"internal_error": connectors.Temporary, "fatal_error": connectors.Temporary, "service_unavailable": connectors.Temporary,
	"request_timeout": connectors.Temporary, "team_added_to_org": connectors.Temporary, "external_channel_migrating": connectors.Temporary,
}

// missing are the codes that say that something is not there.
var missing = []string{"channel_not_found", "message_not_found", "user_not_found", "user_not_visible", "users_not_found", "thread_not_found"}

// advice is what to do about a code.
var advice = map[string]string{
	"not_in_channel":    "invite the app to the channel",
	"channel_not_found": "there is no such channel, or the app was not invited to it",
	"is_archived":       "the channel is archived",
	"invalid_auth":      "the token was refused",
	"token_revoked":     "the token was revoked; install the app again",
	"account_inactive":  "the app was removed from the workspace, or its account switched off",
	"message_not_found": "the message is gone",
}

var (
	code  = regexp.MustCompile(`^[a-z][a-z_]{1,60}$`)
	scope = regexp.MustCompile(`^[a-z][a-z_.:,]{1,100}$`)
)

// refused is an answer that is no success though its status is.
func (c *connector) refused(name string, answer connectors.Answer, said, needed string) error {
	if !code.MatchString(said) {
		// Nothing is known of what happened.
		return &connectors.Error{Kind: connectors.Temporary, Sent: true, Status: answer.Status, Err: fmt.Errorf("%s: the answer is not one of Slack's", name)}
	}
	kind, known := kinds[said]
	if !known {
		kind = connectors.Permanent
	}
	text := said
	if advice := advice[said]; advice != "" {
		text += ": " + advice
	}
	if said == "missing_scope" && scope.MatchString(needed) {
		text += ": " + needed
	}
	// A status of 200 says nothing where the body refuses.
	e := c.client.Classify(name, &http.Response{StatusCode: http.StatusBadRequest, Header: answer.Header}, nil, "Slack says "+text)
	e.Kind, e.Sent, e.Status = kind, kind == connectors.Temporary, 0
	for _, m := range missing {
		if said == m {
			e.Err = fmt.Errorf("%w: %w", e.Err, connectors.ErrNotFound)
		}
	}
	return e
}

// stamp is how Slack numbers the messages of a channel.
var stamp = regexp.MustCompile(`^[0-9]{1,10}\.[0-9]{1,9}$`)

// handle is the channel and the number of a message of ours.
func handle(ref connectors.Ref) (channel, ts string, err error) {
	channel, ts, _ = strings.Cut(ref.ID, ":")
	if !channelID.MatchString(channel) || !stamp.MatchString(ts) {
		return "", "", connectors.Permanently("the message's id is none of Slack's")
	}
	return channel, ts, nil
}

// ref points at a message.
func (c *connector) ref(channel, ts string) connectors.Ref {
	return connectors.Ref{
		ID: channel + ":" + ts, Key: channel + "/p" + strings.Replace(ts, ".", "", 1),
		URL: "https://slack.com/app_redirect?team=" + c.conf.Team + "&channel=" + channel,
	}
}

// post writes a message, or writes one anew, and tells where it stands.
func (c *connector) post(ctx context.Context, name, method string, args map[string]any) (connectors.Ref, error) {
	var answer struct {
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	}
	if _, err := c.call(ctx, name, http.MethodPost, method, args, &answer); err != nil {
		return connectors.Ref{}, err
	}
	if !channelID.MatchString(answer.Channel) || !stamp.MatchString(answer.TS) {
		return connectors.Ref{}, connectors.InDoubt("%s: the answer does not say where the message is", name)
	}
	return c.ref(answer.Channel, answer.TS), nil
}
