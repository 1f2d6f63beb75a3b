// Package jira is the desk Jira: Jira Cloud, Jira Service Management Cloud and Jira Data Center.
//
// A ticket of ours carries two labels, drawbridge to watch by and drawbridge-KEY to find by, and the issue property
// drawbridge {"key": KEY} as proof. Labels are copied when a ticket is cloned and anyone may edit them; so a ticket
// counts as ours only where the account we work with created it, and has a key only where label and property agree.
//
// Cloud is spoken to in version 3 of its interface, with rich text as an Atlassian document; Data Center in version
// 2, with wiki markup. Read config.go for the settings, call.go for how a call is made and what an error means, and
// then the file of the capability you look for. wire.go has Jira's own types.
package jira

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	// Jira names time zones by name, and a bare container has no zone files.
	_ "time/tzdata"

	jira "github.com/andygrunwald/go-jira"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// mark is the label on every ticket of ours and the default name of the property.
const mark = "drawbridge"

// keyLabel is the label a ticket is found by.
func keyLabel(key string) string { return mark + "-" + key }

// Open checks the settings and builds the connector.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	settings := c.withDefaults()
	if err := settings.faults(); err != nil {
		return nil, err
	}
	client := env.Client.With(settings.Auth.auth(env.Keep))
	exchange, err := jira.NewClient(client.HTTP(), settings.BaseURL+"/")
	if err != nil {
		return nil, fmt.Errorf("base_url: %w", err)
	}
	built := &connector{
		conf: settings, client: client, jira: exchange, log: env.Log, now: env.Now, screens: map[connectors.Place]screen{},
	}
	if settings.Auth.dynamic() {
		return &subscriber{built}, nil
	}
	return built, nil
}

type connector struct {
	conf   Config
	client *connectors.Client
	jira   exchanger
	log    *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	me      *self
	screens map[connectors.Place]screen
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
	_ connectors.Subscriber   = (*subscriber)(nil) // where an app has webhooks of its own
)

// IndexLag is how long after a create a search may still not see the ticket.
func (c *connector) IndexLag() time.Duration { return c.conf.IndexLag }

// Unverified lists what this connection relies on although Atlassian does not promise it.
func (c *connector) Unverified() []string {
	out := []string{
		fmt.Sprintf("index_lag (%s) and overlap (%s): Atlassian states no bound for how long its search index lags", c.conf.IndexLag, c.conf.Overlap),
		"approvals: that re-entering a status adds an approval with a new id is inferred",
		"attachments at a service desk: whether customers see what is attached through the platform interface is not documented",
		"comments at a service desk on tickets that are no customer request: the property sd.public.comment is known from practice only",
	}
	if c.conf.Deployment == dataCenter {
		return append(out,
			"webhooks: Data Center is documented to sign them from version 10 on; older ones need a token in the URL",
			"people: that searching for a dot finds everybody is known from practice only",
		)
	}
	if c.conf.behindGateway() {
		out = append(out, "doctor: that the gateway refuses a write for want of its scope before Jira looks at what it says is inferred; so are missing scopes found without writing")
	}
	if c.conf.Auth.dynamic() {
		out = append(out,
			"webhooks of the app: which claims their tokens have is not documented; the signature is checked, and times where there are any",
			"webhooks of the app: that the filter project != EMPTY, for connections without projects, stands for all is known from practice only",
		)
	}
	if c.conf.Auth.OAuth != nil && c.conf.Auth.OAuth.TokenURL == cloudTokenURL {
		out = append(out, "auth.oauth.token_url: the address for service accounts is reported by others, not by Atlassian's own page")
	}
	return out
}

// self is the account we work with.
type self struct {
	user
	zone *time.Location // nil where Jira does not say
}

// account returns the account we work with. It is asked once.
func (c *connector) account(ctx context.Context) (self, error) {
	c.mu.Lock()
	me := c.me
	c.mu.Unlock()
	if me != nil {
		return *me, nil
	}
	return c.signIn(ctx)
}

func (c *connector) signIn(ctx context.Context) (self, error) {
	var u user
	if err := c.get(ctx, "read own account", c.api("myself"), &u); err != nil {
		return self{}, err
	}
	if u.account() == "" {
		return self{}, &connectors.Error{Kind: connectors.Unwell, Err: errors.New("read own account: Jira does not say who we are")}
	}
	me := self{user: u}
	if zone, err := time.LoadLocation(u.TimeZone); err == nil && u.TimeZone != "" {
		me.zone = zone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.me = &me
	return me, nil
}

// ref points at a ticket, with its address for people where that is known.
func (c *connector) ref(id, key string) connectors.Ref {
	ref := connectors.Ref{ID: id, Key: key}
	if c.conf.SiteURL != "" && key != "" {
		ref.URL = c.conf.SiteURL + "/browse/" + key
	}
	return ref
}
