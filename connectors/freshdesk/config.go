package freshdesk

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

// Config is what an operator writes for one Freshdesk.
type Config struct {
	// BaseURL is https://NAME.freshdesk.com.
	BaseURL string `yaml:"base_url"`
	// Key is the API key of the agent we work as, from the agent's profile settings.
	Key connectors.Secret `yaml:"key"`
	// KeyField is the single-line text field of tickets that holds our key; default cf_drawbridge_key.
	KeyField string `yaml:"key_field,omitempty"`

	freshworks.Common `yaml:",inline"`
}

// New returns the settings of a Freshdesk connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return "base_url: https://example.freshdesk.com\nkey: {env: DRAWBRIDGE_SECRET_FRESHDESK_KEY}\n"
}

func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	c.KeyField = cmp.Or(c.KeyField, "cf_drawbridge_key")
	c.Common = c.Common.WithDefaults()
	return c
}

var fieldName = regexp.MustCompile(`^cf_[a-z0-9_]{1,97}$`)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if text := freshworks.AddressFault(c.BaseURL, "freshdesk.com"); text != "" {
		fault("base_url %s", text)
	}
	if c.Key.IsZero() {
		fault("key is missing")
	}
	if !fieldName.MatchString(c.KeyField) {
		fault("key_field is the name of a custom field, which begins with cf_")
	}
	return errors.Join(append(faults, c.Common.Faults()...)...)
}
