package opsgenie

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

// Config is what an operator writes for one Opsgenie, or one site of Jira Service Management with operations.
type Config struct {
	// Host is opsgenie-us, opsgenie-eu or jsm.
	Host string `yaml:"host"`
	// BaseURL replaces the host's address, where calls go through a gateway of the customer's own. It ends before /alerts.
	BaseURL string `yaml:"base_url,omitempty"`
	// Key is the API key of an API integration that may read, create and update alerts.
	Key connectors.Secret `yaml:"key"`
	// Integration is that integration, by id or name. Only alerts it opened are ours.
	Integration string `yaml:"integration"`
	// User is who our calls say asks; default drawbridge. Nobody else may be called so.
	User string `yaml:"user,omitempty"`
	// Actions are the custom actions put on alerts, ten at most; default Approve, Deny. Who executed the last one is told as the
	// field action.
	Actions []string `yaml:"actions,omitempty"`
	// ActionLog is how the log tells of a custom action: a regular expression from the beginning of the line to its end, with the
	// groups action and via.
	ActionLog string `yaml:"action_log,omitempty"`
	// Answers are the words that, alone in the first line of a person's note, that of a close included, are told as the field
	// answer; default: none, no note answers. Whoever has a key of any integration can write a note in anybody's name, so only
	// list words where everybody with such a key is trusted to decide.
	Answers []string `yaml:"answers,omitempty"`
	// PeopleVia are the channels through which people themselves act, as the log names them; default web, mobile, android, ios.
	PeopleVia []string `yaml:"people_via,omitempty"`
	// NoteLimit is the most characters a note has; default 25000.
	NoteLimit int `yaml:"note_limit,omitempty"`
	// Ask is how often the outcome of a change is asked for; default 500ms.
	Ask time.Duration `yaml:"ask,omitempty"`
	// IndexLag is how long the search may miss a new alert; default 30s.
	IndexLag time.Duration `yaml:"index_lag,omitempty"`
	// Overlap is how far back watching looks each time behind where it was; default 1m, at least 5s.
	Overlap time.Duration `yaml:"overlap,omitempty"`
	// Batch is how many open alerts are looked at one by one each time alerts are watched; default 10.
	Batch int `yaml:"batch,omitempty"`
}

const jsm = "jsm"

var hosts = map[string]string{
	"opsgenie-us": "https://api.opsgenie.com/v2",
	"opsgenie-eu": "https://api.eu.opsgenie.com/v2",
	jsm:           "https://api.atlassian.com/jsm/ops/integration/v2",
}

// actionLog stands for "Custom action [Approve] executed via web" and lines like it.
const actionLog = `^(?i:(?:alert )?(?:custom )?action \[?"?(?P<action>[^\[\]"]{1,50}?)"?\]? (?:is |was )?executed via \[?(?P<via>[a-z]{1,20})\]?)$`

// New returns the settings of a connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return "host: jsm\nkey: {env: DRAWBRIDGE_SECRET_OPSGENIE_KEY}\nintegration: drawbridge\n"
}

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.Host = strings.ToLower(c.Host)
	c.BaseURL = cmp.Or(strings.TrimRight(c.BaseURL, "/"), hosts[c.Host])
	c.User = cmp.Or(c.User, "drawbridge")
	c.ActionLog = cmp.Or(c.ActionLog, actionLog)
	c.NoteLimit = cmp.Or(c.NoteLimit, 25000)
	c.Ask = cmp.Or(c.Ask, 500*time.Millisecond)
	c.IndexLag = cmp.Or(c.IndexLag, 30*time.Second)
	c.Overlap = cmp.Or(c.Overlap, time.Minute)
	c.Batch = cmp.Or(c.Batch, 10)
	if len(c.Actions) == 0 {
		c.Actions = []string{"Approve", "Deny"}
	}
	if len(c.PeopleVia) == 0 {
		c.PeopleVia = []string{"web", "mobile", "android", "ios"}
	}
	return c
}

var channel = regexp.MustCompile(`^[a-z]{1,20}$`)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if hosts[c.Host] == "" {
		fault("host is opsgenie-us, opsgenie-eu or jsm")
	} else if text := connectors.AddressFault(c.BaseURL); text != "" {
		fault("base_url %s", text)
	}
	if c.Key.IsZero() {
		fault("key is missing")
	}
	if c.Integration == "" || connectors.Clean(c.Integration, 200) != c.Integration {
		fault("integration is the id or name of the integration the key belongs to")
	}
	if connectors.Clean(c.User, 100) != c.User || strings.Contains(c.User, "@") {
		fault("user is a name of up to 100 characters, and nobody's mail address")
	}
	if len(c.Actions) > 10 || slices.ContainsFunc(c.Actions, func(s string) bool { return s == "" || len(s) > 50 || connectors.Clean(s, 50) != s }) {
		fault("actions are ten names at most of up to 50 characters")
	}
	if pattern, err := regexp.Compile(c.ActionLog); err != nil || !strings.HasPrefix(c.ActionLog, "^") || !strings.HasSuffix(c.ActionLog, "$") ||
		pattern.SubexpIndex("action") < 0 || pattern.SubexpIndex("via") < 0 {
		fault("action_log is a regular expression from ^ to $ with the groups action and via")
	}
	faults = append(faults, connectors.Words(c.Answers).Faults()...)
	if slices.ContainsFunc(c.PeopleVia, func(s string) bool { return !channel.MatchString(s) || s == "api" }) {
		fault("people_via are channels like web and mobile; api is none of people")
	}
	if c.NoteLimit < 200 || c.NoteLimit > 25000 {
		fault("note_limit lies between 200 and 25000")
	}
	if c.Ask < time.Millisecond || c.Ask > 30*time.Second {
		fault("ask lies between 1ms and 30s")
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
