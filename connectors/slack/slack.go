// Package slack asks people in Slack: a request becomes a message in a channel with buttons to approve and deny it.
//
// There is no ticket that could be read back. A click is told by Slack, signed, within seconds; it is kept by us as an
// answer, and who clicked is asked of Slack when the answer is judged. A comment is a reply in the message's thread, and a
// status is written on the message in place of its buttons.
//
// Slack has no idempotency key and cannot be searched for our key: when the answer to a create is lost, nobody knows
// whether the message stands in the channel. The create is then a dead letter for people to look at. It settles by itself
// when somebody answers the message, which tells where it stands.
//
// Slack refuses with HTTP 200, so what an answer means is read from its error code; see call.go.
package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Open checks the settings and builds the connector.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	settings := c.withDefaults()
	if err := settings.faults(); err != nil {
		return nil, err
	}
	return &connector{conf: settings, client: env.Client.With(connectors.Bearer{Token: settings.Token}), log: env.Log}, nil
}

type connector struct {
	conf   Config
	client *connectors.Client
	log    *slog.Logger
}

var (
	_ connectors.Creator      = (*connector)(nil)
	_ connectors.Commenter    = (*connector)(nil)
	_ connectors.Transitioner = (*connector)(nil)
	_ connectors.Asker        = (*connector)(nil)
	_ connectors.Resolver     = (*connector)(nil)
	_ connectors.Receiver     = (*connector)(nil)
	_ connectors.Signer       = (*connector)(nil)
	_ connectors.Marker       = (*connector)(nil)
	_ connectors.Exampler     = (*Config)(nil)
)

// Addressees names nobody: whoever sees the channel may click, and the policy judges who counts.
func (c *connector) Addressees(connectors.Ticket) []string { return nil }

// Unverified lists what this connection relies on although Slack does not document it, or that was not read in its own
// documents, and what was not tried against a workspace.
func (c *connector) Unverified() []string {
	return []string{
		"everything: built from Slack's documents and the sources of its clients, and tried against a stand-in, not against a workspace",
		"limits: a section's 3000 characters, a button's 75, its value's 2000 and 50 blocks a message are known from practice",
		"error codes: after which of them a message may stand in the channel all the same is a choice: after those of Slack's own faults",
		"scopes: that answers name the token's scopes in x-oauth-scopes is known from practice; where they do not, Ping cannot say what is missing",
		"reason: that a click brings what was typed into the message, in state.values, is known from clients' sources",
		"people: that is_app_user says who authorized an app, which is no bot, is_email_confirmed whether an address was, and is_stranger who is of another workspace; an address of which is_email_confirmed is not told counts as confirmed",
		"links: that slack.com/app_redirect leads to the channel is known from practice",
	}
}

// scopes are what the token needs, with what for.
var scopes = [][2]string{
	{"chat:write", "to post messages"},
	{"users:read", "to tell who clicked"},
	{"users:read.email", "to know people by their mail address"},
}

// Ping signs in and names what is missing: the right workspace, or a scope.
func (c *connector) Ping(ctx context.Context) error {
	var who struct {
		TeamID string `json:"team_id"`
	}
	header, err := c.call(ctx, "sign in", http.MethodPost, "auth.test", map[string]any{}, &who)
	if err != nil {
		return connectors.Unsent(err)
	}
	var faults []string
	if who.TeamID != c.conf.Team {
		if !teamID.MatchString(who.TeamID) {
			return &connectors.Error{Kind: connectors.Unwell, Err: errors.New("sign in: Slack does not say whose token this is")}
		}
		faults = append(faults, fmt.Sprintf("the token is of the workspace %s, and team says %s", who.TeamID, c.conf.Team))
	}
	if told := header.Get("X-OAuth-Scopes"); told != "" {
		has := strings.FieldsFunc(told, func(r rune) bool { return r == ',' || r == ' ' })
		for _, scope := range scopes {
			if !slices.Contains(has, scope[0]) {
				faults = append(faults, fmt.Sprintf("the token lacks the scope %s, %s", scope[0], scope[1]))
			}
		}
	}
	if len(faults) > 0 {
		return connectors.Permanently("%s", strings.Join(faults, "; "))
	}
	return nil
}

// Resolve asks Slack who bears an account now. One that was deactivated is nobody's. The mail address of somebody from
// another workspace proves nothing: it is that workspace's to set. Nor does one that Slack says was never confirmed. That
// somebody has authorized this app, is_app_user, makes them no bot.
func (c *connector) Resolve(ctx context.Context, account string) (connectors.Account, error) {
	if !userID.MatchString(account) {
		return connectors.Account{}, connectors.Permanently("read person: the id is none of Slack's: %w", connectors.ErrNotFound)
	}
	var answer struct {
		User struct {
			ID             string `json:"id"`
			TeamID         string `json:"team_id"`
			Name           string `json:"name"`
			RealName       string `json:"real_name"`
			Deleted        bool   `json:"deleted"`
			Bot            bool   `json:"is_bot"`
			WorkflowBot    bool   `json:"is_workflow_bot"`
			ConnectorBot   bool   `json:"is_connector_bot"`
			Stranger       bool   `json:"is_stranger"`
			EmailConfirmed *bool  `json:"is_email_confirmed"` // not told of everybody
			Profile        struct {
				Email string `json:"email"`
			} `json:"profile"`
		} `json:"user"`
	}
	if _, err := c.call(ctx, "read person", http.MethodGet, "users.info?user="+url.QueryEscape(account), nil, &answer); err != nil {
		return connectors.Account{}, connectors.Unsent(err)
	}
	u := answer.User
	if u.ID != account {
		return connectors.Account{}, connectors.Temporarily("read person: the answer is somebody else")
	}
	if u.Deleted {
		return connectors.Account{}, connectors.Permanently("read person: the account was deactivated: %w", connectors.ErrNotFound)
	}
	who := connectors.Account{Person: connectors.Person{Account: u.ID, Name: connectors.Clean(u.Name, 200)}, Automation: u.Bot || u.WorkflowBot || u.ConnectorBot || u.ID == "USLACKBOT"}
	if name := connectors.Clean(u.RealName, 200); name != "" {
		who.Name = name
	}
	if u.TeamID == c.conf.Team && !u.Stranger && (u.EmailConfirmed == nil || *u.EmailConfirmed) {
		who.Mail = u.Profile.Email
	}
	return who, nil
}
