// Package opsgenie is the desk Opsgenie, and its successor, the operations of Jira Service Management: one interface under
// several addresses.
//
// An alert of ours carries our key as its alias. There is one open alert an alias, and another one is opened after it was
// closed, so that alerts are looked for before one is opened. An alert counts as ours only where the integration our key
// belongs to opened it. What changes something is taken first and done later: we wait for the outcome for as long as the
// call may take.
//
// Who did what is read from an alert's log, which is text: who, and through which channel. A key may name anybody as who
// asks, so what comes through the interface is nobody's own doing, and a note proves nothing unless the settings say so.
// That an alert is acknowledged says that somebody works on it, and nothing else. Read config.go for the settings, call.go
// for how a call is made, and then the file of the capability you look for.
package opsgenie

import (
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Open checks the settings and builds the connector.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	settings := c.withDefaults()
	if err := settings.faults(); err != nil {
		return nil, err
	}
	client := env.Client.With(connectors.Scheme{Word: "GenieKey", Token: settings.Key})
	out := &connector{conf: settings, client: client, log: env.Log, now: env.Now, action: regexp.MustCompile(settings.ActionLog)}
	if text := out.Ends(); text != "" {
		env.Log.Warn(text)
	}
	return out, nil
}

// Ends is what becomes of Opsgenie, which host may name.
func (c *Config) Ends() string { return ends }

// Ends is that, where it is what this connection is to.
func (c *connector) Ends() string {
	if c.conf.Host == jsm {
		return ""
	}
	return ends
}

const ends = "host: Opsgenie is switched off on 5 April 2027 and sold no more; move to Jira Service Management and set host to jsm"

type connector struct {
	conf   Config
	client *connectors.Client
	log    *slog.Logger
	now    func() time.Time
	action *regexp.Regexp
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
	_ connectors.Unproven     = (*connector)(nil)
	_ connectors.Reticent     = (*connector)(nil)
	_ connectors.Signer       = (*connector)(nil)
	_ connectors.Lagger       = (*connector)(nil)
	_ connectors.Marker       = (*connector)(nil)
	_ connectors.Ender        = (*connector)(nil)
	_ connectors.Ender        = (*Config)(nil)
	_ connectors.Exampler     = (*Config)(nil)
)

// IndexLag is how long after a create the search may still miss the alert.
func (c *connector) IndexLag() time.Duration { return c.conf.IndexLag }

// MailUnproven says that nothing is documented of how a user's name, which is a mail address, was proven.
func (c *connector) MailUnproven() {}

// Attributed says that moves, actions and answers are somebody's; who changes details, tags and texts is not told.
func (*connector) Attributed() (parts []string, all bool) {
	return append(connectors.AnswerParts(), "ticket.fields."+actionField, "ticket.status"), false
}

// Unverified lists what this connection relies on although no document says so, and what was not tried against an account.
func (c *connector) Unverified() []string {
	out := []string{
		"everything: built from the vendor's documents and API description and tried against a stand-in, not against an account",
		fmt.Sprintf("index_lag (%s): no bound is stated for how long the search may miss a new alert", c.conf.IndexLag),
		"log: what its lines say is text. \"Alert acknowledged via web\" is in the vendor's documents; closed, unacknowledged and reopened are read likewise",
		"action_log: how the log tells of a custom action and the channel it came through. Where it tells otherwise, or names no user, an action decides nothing",
		fmt.Sprintf("people_via %v: which channels the log names for what people do themselves", c.conf.PeopleVia),
		"integration: that an alert keeps the integration that opened it",
		"alias: which alert answers to an alias that several had",
		"watching: whether notes and custom actions touch an alert's time of update; the latest entry in the log of a few open alerts is looked at as well",
		"edits: an alert's message and description have no history; that they changed is noticed, by whom is not",
		"wrong region: that an account answers 401 at the other region's address",
	}
	if c.conf.Host == jsm {
		out = append(out, "jsm: that reading alerts, their notes and their log works under this address as it does at Opsgenie")
	}
	if len(c.conf.Answers) > 0 {
		out = append(out, "answers: a note's author is no proof: who has a key of any integration can name anybody as who asks, and notes do not tell through which channel they came")
	}
	return out
}
