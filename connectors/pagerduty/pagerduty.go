// Package pagerduty is the desk PagerDuty, by the incidents of its REST interface.
//
// An incident of ours carries our key as its incident key, which nobody can change, and counts as ours only where the
// user we work as triggered it. PagerDuty refuses a second open incident with the same key on the same service; where the
// first was resolved it opens another, so that incidents are looked for before one is opened.
//
// Who did what is read from an incident's log: a user, with the channel it came through, or something else, which is an
// automation. A key of the account may write in any user's name, so only what came through a channel that people use
// themselves is their own doing. That an incident is acknowledged says that somebody works on it, and nothing else: people
// decide by the value of a custom field, by resolving, or by a note where notes are told to answer. An incident that was
// merged into another is told as gone. Read config.go for the settings, call.go for how a call is made, and then the file
// of the capability you look for.
package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Open checks the settings and builds the connector.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	settings := c.withDefaults()
	if err := settings.faults(); err != nil {
		return nil, err
	}
	client := env.Client.With(connectors.Scheme{Word: "Token", Name: "token", Token: settings.Key})
	return &connector{conf: settings, client: client, log: env.Log, now: env.Now}, nil
}

type connector struct {
	conf   Config
	client *connectors.Client
	log    *slog.Logger
	now    func() time.Time

	mu     sync.Mutex
	me     *user
	lists  map[string]known
	fields []customField
	readAt time.Time // when fields were read
}

var (
	_ connectors.Creator      = (*connector)(nil)
	_ connectors.Finder       = (*connector)(nil)
	_ connectors.Updater      = (*connector)(nil)
	_ connectors.Commenter    = (*connector)(nil)
	_ connectors.Transitioner = (*connector)(nil)
	_ connectors.Fetcher      = (*connector)(nil)
	_ connectors.Watcher      = (*connector)(nil)
	_ connectors.Describer    = (*connector)(nil)
	_ connectors.Receiver     = (*connector)(nil)
	_ connectors.Directory    = (*connector)(nil)
	_ connectors.Unproven     = (*connector)(nil)
	_ connectors.Signer       = (*connector)(nil)
	_ connectors.Lagger       = (*connector)(nil)
	_ connectors.Marker       = (*connector)(nil)
	_ connectors.Exampler     = (*Config)(nil)
)

// IndexLag is how long after a create the list by incident key may still miss the incident.
func (c *connector) IndexLag() time.Duration { return c.conf.IndexLag }

// MailUnproven says that users may set the address they sign in with themselves, with their password and no more.
func (c *connector) MailUnproven() {}

// Unverified lists what this connection relies on although PagerDuty does not document it, and what was not tried against
// an account.
func (c *connector) Unverified() []string {
	out := []string{
		"everything: built from PagerDuty's documents and its API description and tried against a stand-in, not against an account",
		fmt.Sprintf("index_lag (%s): PagerDuty states no bound for how long the list by incident key may miss a new incident", c.conf.IndexLag),
		"opened by us: that the log of an incident opened through the interface begins with an entry of the user named in From",
		fmt.Sprintf("people_via %v: website is documented as a channel of users; mobile is named as a channel without saying who comes by it, and no other is; what comes by a channel not listed here, or by none, decides nothing", c.conf.PeopleVia),
		"people_via: that the log shows what a program does with a key in a user's name as come by another channel; a key of the account may name any user",
		"custom fields: how the log writes old and new values; where it does not, who set a value is not known and nothing is decided",
		"watching: that the account's log tells of custom fields as an incident's log does; open incidents are looked at one by one as well",
		"status: how the log shows that a resolved incident was opened again",
		fmt.Sprintf("limits: the length of a title (%d characters), of details and of a note (%d) are not documented", maxTitle, c.conf.NoteLimit),
		"description: an incident's details are not told with it and cannot be changed; that somebody edited them is not noticed",
		"ping: a missing right to write is found out by changing an incident there is none of",
	}
	if len(c.conf.Answers) > 0 {
		out = append(out, "answers: a note's author is no proof: a key of the account can write a note in any user's name, and notes do not tell the interface from the website")
	}
	if c.conf.NoCustomFields {
		out = append(out, "no_custom_fields: custom fields are neither read nor written")
	}
	return out
}

// account returns the user we work as. It is asked for once.
func (c *connector) account(ctx context.Context) (user, error) {
	c.mu.Lock()
	me := c.me
	c.mu.Unlock()
	if me != nil {
		return *me, nil
	}
	return c.signIn(ctx)
}

// signIn finds the user named in the settings.
func (c *connector) signIn(ctx context.Context) (user, error) {
	var me *user
	err := list(ctx, c, "read own account", "users?query="+url.QueryEscape(c.conf.From), "users", func(u user) error {
		if strings.EqualFold(u.Mail, c.conf.From) && idForm.MatchString(u.ID) {
			me = &u
		}
		return nil
	})
	if err != nil {
		return user{}, err
	}
	if me == nil {
		return user{}, &connectors.Error{Kind: connectors.Unwell, Err: errors.New("read own account: no user has the address in from, or the key may not see users")}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.me = me
	return *me, nil
}

// ref points at an incident, with its address for people where that is PagerDuty's.
func ref(id string, number int, address string) connectors.Ref {
	out := connectors.Ref{ID: id}
	if number > 0 {
		out.Key = fmt.Sprintf("#%d", number)
	}
	if u, err := url.Parse(address); err == nil && u.Scheme == "https" && strings.HasSuffix(u.Hostname(), ".pagerduty.com") && len(address) < 300 {
		out.URL = u.String()
	}
	return out
}
