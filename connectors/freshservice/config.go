package freshservice

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

// Config is what an operator writes for one Freshservice.
type Config struct {
	// BaseURL is https://NAME.freshservice.com. The interface does not answer under an address of the customer's own.
	BaseURL string `yaml:"base_url"`
	// Key is the API key of the agent we work as, from the agent's profile settings.
	Key connectors.Secret `yaml:"key"`
	// Account is that agent's number, as in the address of the agent's page.
	Account string `yaml:"account"`
	// Workspaces are the numbers of the workspaces tickets are opened in; default: the primary one
	// only, which a rule calls primary.
	Workspaces []int64 `yaml:"workspaces,omitempty"`
	// Items are the display numbers of the catalog items service requests may be placed for.
	Items []int64 `yaml:"items,omitempty"`
	// ItemKeyField is the field of those items that holds our key; default drawbridge_key.
	ItemKeyField string `yaml:"item_key_field,omitempty"`
	// Changes tells whether changes are opened, too.
	Changes bool `yaml:"changes,omitempty"`
	// ChangeKeyField is the text custom field of changes that holds our key; default drawbridge_key.
	ChangeKeyField string `yaml:"change_key_field,omitempty"`

	freshworks.Common `yaml:",inline"`
}

// New returns the settings of a Freshservice connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return "base_url: https://example.freshservice.com\nkey: {env: DRAWBRIDGE_SECRET_FRESHSERVICE_KEY}\naccount: \"21000000008\"\n"
}

func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	c.ItemKeyField = cmp.Or(c.ItemKeyField, "drawbridge_key")
	c.ChangeKeyField = cmp.Or(c.ChangeKeyField, "drawbridge_key")
	c.Common = c.Common.WithDefaults()
	return c
}

var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,99}$`)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if text := freshworks.AddressFault(c.BaseURL, "freshservice.com"); text != "" {
		fault("base_url %s", text)
	}
	if c.Key.IsZero() {
		fault("key is missing")
	}
	if _, ok := freshworks.Numbered(c.Account); !ok {
		fault("account is the number of the agent the key belongs to, in quotes")
	}
	for _, id := range append(append([]int64{}, c.Workspaces...), c.Items...) {
		if id <= 0 {
			fault("workspaces and items are numbers above 0")
			break
		}
	}
	if !fieldName.MatchString(c.ItemKeyField) || !fieldName.MatchString(c.ChangeKeyField) {
		fault("item_key_field and change_key_field are names of custom fields")
	}
	return errors.Join(append(faults, c.Common.Faults()...)...)
}
