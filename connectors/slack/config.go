package slack

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one Slack workspace.
type Config struct {
	// Token is the app's bot token, xoxb-... Its scopes are chat:write, users:read and users:read.email.
	Token connectors.Secret `yaml:"token"`
	// Team is the workspace's id, T...: clicks in any other count for nothing.
	Team string `yaml:"team"`
	// App is the app's id, A...; where it is set, clicks on messages of other apps count for nothing.
	App string `yaml:"app,omitempty"`
	// BaseURL is the Web API's; default https://slack.com/api.
	BaseURL string `yaml:"base_url,omitempty"`
}

// New returns the settings of a Slack connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return "token: {env: DRAWBRIDGE_SECRET_SLACK_TOKEN}\nteam: T0EXAMPLE\n"
}

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(cmp.Or(c.BaseURL, "https://slack.com/api"), "/")
	return c
}

var (
	teamID    = regexp.MustCompile(`^T[A-Z0-9]{2,30}$`)
	appID     = regexp.MustCompile(`^A[A-Z0-9]{2,30}$`)
	userID    = regexp.MustCompile(`^[UW][A-Z0-9]{2,30}$`)
	channelID = regexp.MustCompile(`^[CGDUW][A-Z0-9]{2,30}$`)
)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Token.IsZero() {
		fault("token is missing: the app's bot token")
	}
	if !teamID.MatchString(c.Team) {
		fault("team is the workspace's id, as in T0EXAMPLE")
	}
	if c.App != "" && !appID.MatchString(c.App) {
		fault("app is the app's id, as in A0EXAMPLE")
	}
	if text := connectors.AddressFault(c.BaseURL); text != "" {
		fault("base_url %s", text)
	}
	return errors.Join(faults...)
}
