package pagerduty

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

// Config is what an operator writes for one PagerDuty account.
type Config struct {
	// Region is us or eu, where the account lives; default us.
	Region string `yaml:"region,omitempty"`
	// BaseURL replaces the region's address, where calls go through a gateway of the customer's own.
	BaseURL string `yaml:"base_url,omitempty"`
	// Key is a key of the REST interface, version 2, that may write.
	Key connectors.Secret `yaml:"key"`
	// From is the mail address of the user we work as, who belongs to Drawbridge alone. A key of a user must be this user's.
	From string `yaml:"from"`
	// Services are the services incidents are opened on, by name or id. Ping looks for them.
	Services []string `yaml:"services,omitempty"`
	// Answers are the words that, alone in the first line of a person's note or of what they resolve with, are told as the
	// field answer; default: none, no note answers. Whoever has a key of the account can write a note in anybody's name, so
	// only list words where everybody with such a key is trusted to decide.
	Answers []string `yaml:"answers,omitempty"`
	// PeopleVia are the channels through which people themselves act, as the log names them; default website, mobile. What
	// came through any other, or through none that is named, is nobody's own doing, even where the log names a user.
	PeopleVia []string `yaml:"people_via,omitempty"`
	// Automation are the ids of users that programs work as.
	Automation []string `yaml:"automation,omitempty"`
	// NoCustomFields keeps from custom fields, for accounts without them.
	NoCustomFields bool `yaml:"no_custom_fields,omitempty"`
	// NoteLimit is the most characters a note has; default 25000.
	NoteLimit int `yaml:"note_limit,omitempty"`
	// MaxAge is how old the event of a webhook may be; default 49h, for PagerDuty tries for 48 hours.
	MaxAge time.Duration `yaml:"max_age,omitempty"`
	// IndexLag is how long a new incident may stay unseen when it is looked for by its key; default 10s.
	IndexLag time.Duration `yaml:"index_lag,omitempty"`
	// Overlap is how far back watching looks each time behind where it was; default 1m, at least 5s.
	Overlap time.Duration `yaml:"overlap,omitempty"`
	// Batch is how many open incidents are read one by one each time incidents are watched; default 10.
	Batch int `yaml:"batch,omitempty"`
}

var regions = map[string]string{"us": "https://api.pagerduty.com", "eu": "https://api.eu.pagerduty.com"}

// New returns the settings of a PagerDuty connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return "region: us\nkey: {env: DRAWBRIDGE_SECRET_PAGERDUTY_KEY}\nfrom: drawbridge@example.com\nservices: [Access requests]\n"
}

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.Region = cmp.Or(strings.ToLower(c.Region), "us")
	c.BaseURL = cmp.Or(strings.TrimRight(c.BaseURL, "/"), regions[c.Region])
	c.NoteLimit = cmp.Or(c.NoteLimit, 25000)
	c.MaxAge = cmp.Or(c.MaxAge, 49*time.Hour)
	c.IndexLag = cmp.Or(c.IndexLag, 10*time.Second)
	c.Overlap = cmp.Or(c.Overlap, time.Minute)
	c.Batch = cmp.Or(c.Batch, 10)
	if len(c.PeopleVia) == 0 {
		c.PeopleVia = []string{"website", "mobile"}
	}
	return c
}

// programsVia are the channels through which services come, and with a key whoever has one.
var programsVia = []string{"api", "auto", "nagios", "timeout"}

var (
	idForm = regexp.MustCompile(`^[A-Za-z0-9]{1,40}$`)
	word   = regexp.MustCompile(`^[A-Za-z0-9_]{1,60}$`)
	mail   = regexp.MustCompile(`^[^\s@<>,;]{1,100}@[^\s@<>,;]{1,100}$`)
)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if regions[c.Region] == "" {
		fault("region is us or eu")
	} else if text := connectors.AddressFault(c.BaseURL); text != "" {
		fault("base_url %s", text)
	}
	if c.Key.IsZero() {
		fault("key is missing")
	}
	if !mail.MatchString(c.From) {
		fault("from is the mail address of the user we work as")
	}
	for _, name := range c.Services {
		if name == "" || connectors.Clean(name, 200) != name {
			fault("services: %q is no service's name", connectors.Clean(name, 200))
		}
	}
	faults = append(faults, connectors.Words(c.Answers).Faults()...)
	if slices.ContainsFunc(c.PeopleVia, func(s string) bool { return !word.MatchString(s) || slices.Contains(programsVia, strings.ToLower(s)) }) {
		fault("people_via are channels like website and sms; %s are none of people", strings.Join(programsVia, ", "))
	}
	if slices.ContainsFunc(c.Automation, func(s string) bool { return !idForm.MatchString(s) }) {
		fault("automation are ids of users, as in the address of a user's page")
	}
	if c.NoteLimit < 200 || c.NoteLimit > 100000 {
		fault("note_limit lies between 200 and 100000")
	}
	if c.MaxAge < 5*time.Minute || c.MaxAge > 30*24*time.Hour {
		fault("max_age lies between 5m and 720h")
	}
	if c.IndexLag < 0 || c.IndexLag > time.Hour {
		fault("index_lag lies between 0 and 1h")
	}
	if c.Overlap < 5*time.Second || c.Overlap > 48*time.Hour {
		fault("overlap lies between 5s and 48h")
	}
	if c.Batch < 1 || c.Batch > 100 {
		fault("batch lies between 1 and 100")
	}
	return errors.Join(faults...)
}
