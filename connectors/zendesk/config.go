package zendesk

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one Zendesk.
type Config struct {
	// BaseURL is https://SUBDOMAIN.zendesk.com.
	BaseURL string `yaml:"base_url"`
	Auth    Auth   `yaml:"auth"`
	// Groups are the groups tickets are opened for, by name. Ping looks for them.
	Groups []string `yaml:"groups,omitempty"`
	// PeopleVia are the channels through which people themselves change tickets, by Zendesk's names; default web, mobile.
	// What is done through any other, by a rule or a program with a person's token, counts as done by an automation.
	PeopleVia []string `yaml:"people_via,omitempty"`
	// Approvals makes the account's approval requests the approvals of their tickets; without it they are not read.
	Approvals *Approvals `yaml:"approvals,omitempty"`
	// NoExport keeps watching from the incremental export, which takes an administrator: a hundred open tickets at a time
	// are then looked at and nothing else.
	NoExport bool `yaml:"no_export,omitempty"`
	// ExportEvery is how often watching asks the incremental export, which answers ten times a minute to all who ask
	// taken together; default 30s, at least 10s.
	ExportEvery time.Duration `yaml:"export_every,omitempty"`
	// IndexLag is how long a new ticket may stay unseen when it is looked for by its key; default 10s.
	IndexLag time.Duration `yaml:"index_lag,omitempty"`
}

// Auth is how we sign in; exactly one way.
type Auth struct {
	OAuth    *OAuth    `yaml:"oauth,omitempty"`     // client credentials of a confidential client
	APIToken *APIToken `yaml:"api_token,omitempty"` // ends on 30 April 2027
}

// OAuth is the client credentials grant. The token acts as the client's owner.
type OAuth struct {
	ClientID     string            `yaml:"client_id"`
	ClientSecret connectors.Secret `yaml:"client_secret"`
	// Scopes default to read and write: a ticket's history is told to the whole of read only.
	Scopes []string `yaml:"scopes,omitempty"`
}

// APIToken is an API token and the mail address of its account.
type APIToken struct {
	User  string            `yaml:"user"`
	Token connectors.Secret `yaml:"token"`
}

// Approvals says how approval requests are read.
type Approvals struct {
	// Workflow is the id of the approval workflow instance that requests are read under.
	Workflow string `yaml:"workflow"`
}

// New returns the settings of a Zendesk connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return "base_url: https://example.zendesk.com\nauth:\n  oauth:\n    client_id: drawbridge\n    client_secret: {env: DRAWBRIDGE_SECRET_ZENDESK_CLIENT}\ngroups: [Access]\n"
}

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	c.ExportEvery = cmp.Or(c.ExportEvery, 30*time.Second)
	c.IndexLag = cmp.Or(c.IndexLag, 10*time.Second)
	if len(c.PeopleVia) == 0 {
		c.PeopleVia = []string{"web", "mobile"}
	}
	if c.Auth.OAuth != nil && len(c.Auth.OAuth.Scopes) == 0 {
		oauth := *c.Auth.OAuth
		oauth.Scopes = []string{"read", "write"}
		c.Auth.OAuth = &oauth
	}
	return c
}

// word is what a channel, a scope and the id of a workflow instance are made of.
var word = regexp.MustCompile(`^[A-Za-z0-9_:-]{1,100}$`)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if text := connectors.AddressFault(c.BaseURL); text != "" {
		fault("base_url %s", text)
	} else if strings.Contains(c.BaseURL, "/api") {
		fault("base_url ends before /api")
	}
	if (c.Auth.OAuth == nil) == (c.Auth.APIToken == nil) {
		fault("auth needs exactly one of oauth and api_token")
	}
	if o := c.Auth.OAuth; o != nil {
		if o.ClientID == "" || o.ClientSecret.IsZero() {
			fault("auth.oauth needs client_id and client_secret")
		}
		if slices.ContainsFunc(o.Scopes, func(s string) bool { return !word.MatchString(s) }) {
			fault("auth.oauth.scopes are words like read and tickets:write")
		}
	}
	if a := c.Auth.APIToken; a != nil && (a.Token.IsZero() || !strings.Contains(a.User, "@") || strings.ContainsAny(a.User, ":/")) {
		fault("auth.api_token needs user, a mail address, and token")
	}
	for _, name := range c.Groups {
		if name == "" || connectors.Clean(name, 200) != name {
			fault("groups: %q is no group's name", connectors.Clean(name, 200))
		}
	}
	if slices.ContainsFunc(c.PeopleVia, func(s string) bool { return !word.MatchString(s) || s == "rule" }) {
		fault("people_via are channels like web and mobile; rule is none of people")
	}
	if c.Approvals != nil && !word.MatchString(c.Approvals.Workflow) {
		fault("approvals.workflow is the id of an approval workflow instance")
	}
	if c.ExportEvery < 10*time.Second || c.ExportEvery > time.Hour {
		fault("export_every lies between 10s and 1h")
	}
	if c.IndexLag < 0 || c.IndexLag > time.Hour {
		fault("index_lag lies between 0 and 1h")
	}
	return errors.Join(faults...)
}

// auth is how the client signs in.
func (c Config) auth() connectors.Auth {
	if a := c.Auth.APIToken; a != nil {
		return connectors.Basic{User: a.User + "/token", Password: a.Token}
	}
	o := c.Auth.OAuth
	return connectors.JSONCredentials{
		TokenURL: c.BaseURL + "/oauth/tokens", ID: o.ClientID, Secret: o.ClientSecret, Scopes: o.Scopes, Lifetime: time.Hour,
	}
}
