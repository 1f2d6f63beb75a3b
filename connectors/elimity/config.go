package elimity

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one Elimity Insights server. Everything has a default: a connection without
// settings receives events. A payload names no server, so each gets a connection of its own.
//
// What Elimity documents: that the webhook is posted for every new change request, and its body. Neither retries nor
// timeouts nor rate limits are stated, and there are no events for a request that was changed or withdrawn. The calls
// below are known from the clients that Elimity publishes. Unverified lists what rests on less.
// https://docs.elimity.com/reference-manual/advanced-topics/itsm-webhook
type Config struct {
	// Split makes an event of each change in a review submission, beside the one for the submission.
	Split bool `yaml:"split"`
	// MaxChanges is how many changes a submission that is split may have; one with more is kept in quarantine, to be
	// replayed once this or Split is set otherwise.
	MaxChanges int `yaml:"max_changes"`

	// BaseURL is the server's address, needed for what follows.
	BaseURL string  `yaml:"base_url"`
	Journal Journal `yaml:"journal"`
	Check   Check   `yaml:"check"`
}

// Journal is a custom source, made for the purpose, whose connector log decisions are written into.
type Journal struct {
	SourceID int64             `yaml:"source_id"`
	Token    connectors.Secret `yaml:"token"` // from the source's Settings > GENERATE CREDENTIALS
}

// Check is an API token with which the data is asked whether a change has taken effect.
type Check struct {
	TokenID     string            `yaml:"token_id"`
	TokenSecret connectors.Secret `yaml:"token_secret"`
	// Condition and Link are what queries call the conditions that an entity has an id and that it is linked to
	// another.
	Condition string `yaml:"condition"`
	Link      string `yaml:"link"`
	// Follow is for how long after an approval the data is asked. Looking for changes nobody has decided ends with their
	// case.
	Follow time.Duration `yaml:"follow"`
}

const (
	defaultMaxChanges = 500
	defaultCondition  = "idInBooleanExpression"
	defaultLink       = "directlyLinkedTo"
	defaultFollow     = 30 * 24 * time.Hour

	// unknown is the kind of a request whose type nobody documented. It is stored and shown as unrouted unless a rule
	// names it.
	unknown = "unknown"
)

// New returns a Config with every default filled in, for a document to be decoded over.
func New() connectors.Config {
	return &Config{Split: true, MaxChanges: defaultMaxChanges, Check: Check{Condition: defaultCondition, Link: defaultLink, Follow: defaultFollow}}
}

// Open checks the settings, reporting every fault with its path, and builds the connector. It calls nobody.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	var f faults
	k := &connector{config: *c, name: env.Name, base: strings.TrimRight(c.BaseURL, "/")}
	if c.MaxChanges < 1 {
		f.add("max_changes", "is 1 at least")
	}
	journal := c.Journal.SourceID != 0 || !c.Journal.Token.IsZero()
	check := c.Check.TokenID != "" || !c.Check.TokenSecret.IsZero()
	if journal {
		if c.Journal.SourceID <= 0 {
			f.add("journal.source_id", "is the number of a custom source")
		}
		f.secret("journal.token", c.Journal.Token)
	}
	if check {
		f.text("check.token_id", c.Check.TokenID)
		f.secret("check.token_secret", c.Check.TokenSecret)
		f.text("check.condition", c.Check.Condition)
		f.text("check.link", c.Check.Link)
		if c.Check.Follow < 0 {
			f.add("check.follow", "is how long to look, like 720h; 0 is not at all")
		}
	}
	f.address("base_url", c.BaseURL, journal || check)
	if err := errors.Join(f...); err != nil {
		return nil, err
	}
	if journal {
		k.source = env.Client.With(connectors.Basic{User: fmt.Sprint(c.Journal.SourceID), Password: c.Journal.Token})
	}
	if !check {
		return k, nil
	}
	k.asking = env.Client.With(connectors.Basic{User: c.Check.TokenID, Password: c.Check.TokenSecret})
	return &checking{k}, nil
}

// faults collects what is wrong with the settings.
type faults []error

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, fmt.Errorf("settings.%s: "+format, append([]any{path}, args...)...))
}

func (f *faults) text(path, value string) {
	if strings.TrimSpace(value) == "" {
		f.add(path, "is missing")
	}
}

func (f *faults) secret(path string, value connectors.Secret) {
	if value.IsZero() {
		f.add(path, "is missing; write {env: DRAWBRIDGE_SECRET_NAME}, {file: NAME} or {value: ...}")
	}
}

// address wants https: tokens travel there. Plain http is left for loopback, where stand-ins live.
func (f *faults) address(path, value string, needed bool) {
	if value == "" {
		if needed {
			f.add(path, "is missing; it is needed for journal and check")
		}
		return
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		f.add(path, "is no plain URL like https://example.elimity.com")
	case u.Scheme == "https" || u.Scheme == "http" && connectors.Loopback(u.Hostname()):
	default:
		f.add(path, "has to start with https://")
	}
}
