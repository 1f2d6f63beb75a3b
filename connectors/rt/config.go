package rt

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one Request Tracker.
type Config struct {
	// BaseURL is the address people open, with its path if it has any: https://rt.example.com.
	BaseURL string `yaml:"base_url"`
	// User is the login of the account we work with. Request Tracker does not tell whose a token is.
	User string `yaml:"user"`
	Auth Auth   `yaml:"auth"`
	// Queues are the queues tickets are opened in, by name, or by id where the name has a slash. Ping looks at them.
	Queues []string `yaml:"queues,omitempty"`
	// KeyField is the ticket custom field that holds our key; default Drawbridge Key.
	KeyField string `yaml:"key_field,omitempty"`
	// Statuses are those of the queues' lifecycle, for rules to be checked against: the interface does not list them.
	Statuses []string `yaml:"statuses,omitempty"`
	// Overlap is how far back watching looks each time behind where it was; default 1m, at least 5s.
	Overlap time.Duration `yaml:"overlap,omitempty"`
}

// Auth is how we sign in; exactly one way.
type Auth struct {
	Token    connectors.Secret `yaml:"token,omitempty"`    // of the account's page "Auth Tokens"
	Password connectors.Secret `yaml:"password,omitempty"` // HTTP Basic with User
}

// New returns the settings of a Request Tracker connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return "base_url: https://rt.example.com\nuser: drawbridge\nauth:\n  token: {env: DRAWBRIDGE_SECRET_RT_TOKEN}\nqueues: [Access]\n"
}

const (
	defaultKeyField = "Drawbridge Key"
	defaultOverlap  = time.Minute
)

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	c.KeyField = cmp.Or(c.KeyField, defaultKeyField)
	c.Overlap = cmp.Or(c.Overlap, defaultOverlap)
	return c
}

// fieldName is what may stand between the braces of CF.{...} and mean itself.
var fieldName = regexp.MustCompile(`^[\pL\pN][\pL\pN _-]{0,99}$`)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if text := connectors.AddressFault(c.BaseURL); text != "" {
		fault("base_url %s", text)
	} else if strings.Contains(c.BaseURL, "/REST/") {
		fault("base_url ends before /REST")
	}
	if c.User == "" || connectors.Clean(c.User, 200) != c.User || strings.Contains(c.User, "/") {
		fault("user is the login of the account")
	}
	if c.Auth.Token.IsZero() == c.Auth.Password.IsZero() {
		fault("auth needs exactly one of token and password")
	}
	for _, queue := range c.Queues {
		if _, err := segment(queue); err != nil {
			fault("queues: %q is no queue's name; where it has a slash, give its id", queue)
		}
	}
	if !fieldName.MatchString(c.KeyField) {
		fault("key_field has letters, digits, spaces, - and _ only")
	}
	if c.Overlap < settle || c.Overlap > 48*time.Hour {
		fault("overlap lies between %s and 48h", settle)
	}
	return errors.Join(faults...)
}

// auth is how the client signs in.
func (c Config) auth() connectors.Auth {
	if !c.Auth.Password.IsZero() {
		return connectors.Basic{User: c.User, Password: c.Auth.Password}
	}
	return connectors.Scheme{Word: "token", Token: c.Auth.Token}
}
