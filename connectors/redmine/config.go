package redmine

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one Redmine.
type Config struct {
	// BaseURL is the address people open, with its path if it has any: https://redmine.example.com.
	BaseURL string `yaml:"base_url"`
	Auth    Auth   `yaml:"auth"`
	// Projects are the projects tickets are opened in, by identifier. Ping looks at them, their members are the people
	// we know, and the custom field for our key is looked up there.
	Projects []string `yaml:"projects"`
	// KeyField is the name of the issue custom field that holds our key. Without one the key is the last line of the
	// description.
	KeyField string `yaml:"key_field,omitempty"`
	// Overlap is how far back watching looks each time behind where it was; default 1m, at least 5s.
	Overlap time.Duration `yaml:"overlap,omitempty"`
}

// Auth is how we sign in; exactly one way.
type Auth struct {
	Key   connectors.Secret `yaml:"key,omitempty"`   // API access key, from the account's page
	Basic *BasicAuth        `yaml:"basic,omitempty"` // login and password
}

// BasicAuth is HTTP Basic authentication.
type BasicAuth struct {
	User     string            `yaml:"user"`
	Password connectors.Secret `yaml:"password"`
}

// New returns the settings of a Redmine connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return "base_url: https://redmine.example.com\nauth:\n  key: {env: DRAWBRIDGE_SECRET_REDMINE_KEY}\nprojects: [access]\nkey_field: Drawbridge Key\n"
}

const defaultOverlap = time.Minute

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	c.Overlap = cmp.Or(c.Overlap, defaultOverlap)
	return c
}

var identifier = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,99}$`)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if text := connectors.AddressFault(c.BaseURL); text != "" {
		fault("base_url %s", text)
	}
	if c.Auth.Key.IsZero() == (c.Auth.Basic == nil) {
		fault("auth needs exactly one of key and basic")
	}
	if basic := c.Auth.Basic; basic != nil && (basic.User == "" || basic.Password.IsZero()) {
		fault("auth.basic needs user and password")
	}
	if len(c.Projects) == 0 {
		fault("projects is missing")
	}
	for _, project := range c.Projects {
		if !identifier.MatchString(project) {
			fault("projects: %q is not a project's identifier, as it stands in its address", project)
		}
	}
	if connectors.Clean(c.KeyField, 100) != c.KeyField {
		fault("key_field is the name of a custom field")
	}
	if c.Overlap < settle || c.Overlap > 48*time.Hour {
		fault("overlap lies between %s and 48h", settle)
	}
	return errors.Join(faults...)
}

// auth is how the client signs in.
func (a Auth) auth() connectors.Auth {
	if a.Basic != nil {
		return connectors.Basic{User: a.Basic.User, Password: a.Basic.Password}
	}
	return connectors.Headers{"X-Redmine-API-Key": a.Key}
}
