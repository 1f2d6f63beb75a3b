// Package zendesk is the desk Zendesk Support.
//
// A ticket of ours carries our key as its external id, which it is found by, and in the last line of its first comment,
// which nobody can edit. External ids are not unique and agents may change them; so a ticket counts as ours only where
// the account we work with opened it, and it has a key only where nothing on it says another.
//
// Creates carry an Idempotency-Key, so that within two hours a second one answers with the first one's ticket. Moves
// are made under safe_update, so that none runs over one that a person just made. Who did what is read from a ticket's
// audits, with the channel it came through: what a trigger or a program does in a person's name is not their doing. A
// ticket that was merged into another is closed for good, and told as gone. Read config.go for the settings, call.go for
// how a call is made, and then the file of the capability you look for.
package zendesk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	if settings.Auth.APIToken != nil {
		env.Log.Warn(tokensEnd)
	}
	return &connector{conf: settings, client: env.Client.With(settings.auth()), log: env.Log, now: env.Now}, nil
}

const tokensEnd = "auth.api_token: Zendesk gives out no new API tokens, switches off those unused for 30 days, and all of them on 30 April 2027; use auth.oauth"

type connector struct {
	conf   Config
	client *connectors.Client
	log    *slog.Logger
	now    func() time.Time

	mu       sync.Mutex
	me       *user
	statuses statuses
	readAt   time.Time // when statuses were read
}

var (
	_ connectors.Creator      = (*connector)(nil)
	_ connectors.Finder       = (*connector)(nil)
	_ connectors.Updater      = (*connector)(nil)
	_ connectors.Commenter    = (*connector)(nil)
	_ connectors.Transitioner = (*connector)(nil)
	_ connectors.Attacher     = (*connector)(nil)
	_ connectors.Fetcher      = (*connector)(nil)
	_ connectors.Watcher      = (*connector)(nil)
	_ connectors.Describer    = (*connector)(nil)
	_ connectors.Receiver     = (*connector)(nil)
	_ connectors.Directory    = (*connector)(nil)
	_ connectors.Signer       = (*connector)(nil)
	_ connectors.Lagger       = (*connector)(nil)
	_ connectors.Marker       = (*connector)(nil)
	_ connectors.Exampler     = (*Config)(nil)
)

// IndexLag is how long after a create the list by external id may still miss the ticket.
func (c *connector) IndexLag() time.Duration { return c.conf.IndexLag }

// Unverified lists what this connection relies on although Zendesk does not document it, and what was not tried against
// an account.
func (c *connector) Unverified() []string {
	out := []string{
		"everything: built from Zendesk's documents and tried against a stand-in, not against an account",
		fmt.Sprintf("index_lag (%s): Zendesk states no bound for how long the list by external id may miss a new ticket", c.conf.IndexLag),
		fmt.Sprintf("people_via %v: which channels stand for people themselves is a choice; approvers who use another are refused as automations", c.conf.PeopleVia),
		"merged tickets: that they carry the tag closed_by_merge, or that the closing audit's source says merge, is known from practice only",
		"opened by us: agents can open tickets through the API in anybody's name; whether the first audit then still names them is not documented. " +
			"A case's own ticket is known by its number all the same",
		"keys: whether a change of the external id stands in the audits is not documented; the last line of the first comment is compared as well",
		"ping: a missing right to write is found out by changing ticket 0, which there is none",
		"limits: a subject's length through the API and a tag's are not documented; 150 and 80 characters are kept to",
		"waiting: how Zendesk-RateLimit-* headers are written is known from practice only; Retry-After comes first",
	}
	if c.conf.Auth.APIToken != nil {
		out = append(out, tokensEnd)
	}
	if c.conf.Approvals != nil {
		out = append(out,
			"approvals: the interface is in early access and may change; under which workflow instance a request is read, what its decisions hold and whether "+
				"a decision changes the ticket's own time are not documented",
		)
	}
	if c.conf.NoExport {
		out = append(out, "no_export: of more than a hundred open tickets only a hundred are watched; the others depend on webhooks")
	}
	return out
}

// account returns the account we work with. It is asked once.
func (c *connector) account(ctx context.Context) (user, error) {
	c.mu.Lock()
	me := c.me
	c.mu.Unlock()
	if me != nil {
		return *me, nil
	}
	me2, _, err := c.signIn(ctx)
	return me2, err
}

// signIn asks who we are, and what time it is at Zendesk, which answers strangers as nobody.
func (c *connector) signIn(ctx context.Context) (user, time.Time, error) {
	var answer struct{ User user }
	header, err := c.read(ctx, "read own account", "users/me", &answer)
	if err != nil {
		return user{}, time.Time{}, err
	}
	if !number.MatchString(string(answer.User.ID)) {
		return user{}, time.Time{}, &connectors.Error{Kind: connectors.Unwell, Err: errors.New("read own account: Zendesk does not say who we are")}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.me = &answer.User
	return answer.User, c.clock(header), nil
}

// ref points at a ticket, with its address for people.
func (c *connector) ref(id string) connectors.Ref {
	return connectors.Ref{ID: id, Key: "#" + id, URL: c.conf.BaseURL + "/agent/tickets/" + id}
}
