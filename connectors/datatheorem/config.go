package datatheorem

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one Data Theorem account. Everything has a default: a connection without
// settings receives events.
//
// What Data Theorem documents: the envelope of an event, one event of a resolved policy violation in full, the names of
// four events about users, and the API's host, key, paging and paths. Webhooks are labelled beta there. What is not
// documented is a setting, and Unverified lists it. Neither retries nor timeouts of webhooks nor rate limits of the API
// are stated.
// https://docs.securetheorem.com/webhooks/overview.html
// https://docs.securetheorem.com/api_conventions.html
type Config struct {
	// BaseURL is the API's address.
	BaseURL string `yaml:"base_url"`
	// APIKey is a key from the portal (DevSecOps) that may read API and mobile results. Without one nothing is asked.
	APIKey connectors.Secret `yaml:"api_key"`
	// PingPath is read to find out whether the key is good.
	PingPath string `yaml:"ping_path"`

	Violations Violations `yaml:"violations"`
	Targets    Targets    `yaml:"targets"`
	Mobile     Mobile     `yaml:"mobile"`

	// Types says what kind an event is by its type, tried in order before anything else.
	Types []Route `yaml:"types"`
	// Statuses says what a finding's status means: opened, resolved or dismissed. It adds to knownStatuses.
	Statuses map[string]string `yaml:"statuses"`
	// Severity says what a relevance, severity or priority means in the words rules use. It adds to knownSeverities; a
	// word that is in neither is passed on in lower case.
	Severity map[string]string `yaml:"severity"`
}

// Violations is the list of policy violations. There is no documented call for a single one, so the list is read page
// by page.
type Violations struct {
	Path     string `yaml:"path"`
	MaxPages int    `yaml:"max_pages"` // read for one question, at most
	// MissingIsResolved takes a violation that was opened an hour ago or more and is not in the whole list for resolved.
	// That the list leaves out what is resolved is not documented.
	MissingIsResolved bool `yaml:"missing_is_resolved"`
}

// Targets is the call for one mobile finding target.
type Targets struct {
	Path string `yaml:"path"` // the target's id is added
	// Status are JSON pointers to the status in the answer, tried in order.
	Status []string `yaml:"status"`
	Update Update   `yaml:"update"`
}

// Update is the one call that changes a finding: PATCH of a mobile finding target. That there is one is documented, what
// it takes is not, so it is off, and a decision that would need it is refused, until Body is set.
type Update struct {
	// Body is JSON in which {status}, {id}, {reason}, {by} and {ticket} are replaced by JSON texts.
	Body string `yaml:"body"`
	// Approved and Denied are the status an approved or denied exception leads to. Empty: nothing is sent, and the
	// finding stays as it is.
	Approved string `yaml:"approved"`
	Denied   string `yaml:"denied"`
}

// Mobile says where a mobile finding's event has what is needed of it: names of members of its data, tried in order.
type Mobile struct {
	ID     []string `yaml:"id"`      // of the finding or finding target
	NoteOf []string `yaml:"note_of"` // in an event about a note: the finding it belongs to
	Status []string `yaml:"status"`
}

// Route gives events whose type matches a pattern, with * for any text, a kind.
type Route struct {
	Type string `yaml:"type"`
	Kind string `yaml:"kind"` // finding.opened, finding.resolved, finding.dismissed, asset.discovered, anomaly, audit, unknown
}

const (
	defaultBase           = "https://api.securetheorem.com"
	defaultViolationsPath = "/apis/api_security/results/v1beta1/policy_violations"
	defaultTargetsPath    = "/apis/mobile_security/results/v2/security_finding_targets"
	defaultMaxPages       = 50

	// unknown is the kind of an event nobody documented. It is stored and shown as unrouted unless a rule names it.
	unknown = "unknown"
)

// New returns a Config with every default filled in, for a document to be decoded over.
func New() connectors.Config {
	return &Config{
		BaseURL:    defaultBase,
		PingPath:   defaultViolationsPath,
		Violations: Violations{Path: defaultViolationsPath, MaxPages: defaultMaxPages},
		Targets: Targets{
			Path:   defaultTargetsPath,
			Status: []string{"/current_status", "/status", "/security_finding_target/current_status", "/security_finding_target/status"},
			Update: Update{Approved: "CLOSED_RISK_ACCEPTED"},
		},
		Mobile: Mobile{
			ID:     []string{"uuid", "id"},
			NoteOf: []string{"security_finding_target_id", "security_finding_id"},
			Status: []string{"status", "current_status", "aggregated_status"},
		},
	}
}

// knownStatuses are RESOLVED, which is documented, what is expected beside it, and the words that are documented for
// mobile findings in the API.
var knownStatuses = map[string]string{
	"RESOLVED": connectors.FindingResolved, "OPEN": connectors.FindingOpened, "OPENED": connectors.FindingOpened,
	"WONT_FIX": connectors.FindingDismissed,

	"NEW": connectors.FindingOpened, "OPEN_READY_TO_RESCAN": connectors.FindingOpened,
	"CLOSED_FIXED": connectors.FindingResolved, "CLOSED_PARTIALLY_FIXED": connectors.FindingResolved,
	"CLOSED_ITEM_NOT_FOUND": connectors.FindingResolved, "CLOSED_WONT_FIX": connectors.FindingDismissed,
	"CLOSED_BY_POLICY": connectors.FindingDismissed, "CLOSED_RISK_ACCEPTED": connectors.FindingDismissed,
	"CLOSED_COMPENSATING_CONTROL": connectors.FindingDismissed,
}

// knownSeverities are the documented relevance, severities and priorities. What they come to is our choice.
var knownSeverities = map[string]string{
	"IMPORTANT": "high", "HIGH": "high", "MEDIUM": "medium", "LOW": "low",
	"P0": "critical", "P1": "high", "P2": "medium", "P3": "low", "P4": "low",
}

var (
	states = map[string]string{
		"opened": connectors.FindingOpened, "resolved": connectors.FindingResolved, "dismissed": connectors.FindingDismissed,
	}
	routable = []string{
		connectors.FindingOpened, connectors.FindingResolved, connectors.FindingDismissed, connectors.AssetDiscovered,
		connectors.Anomaly, connectors.Audit, unknown,
	}
)

// Open checks the settings, reporting every fault with its path, and builds the connector. It calls nobody.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	var f faults
	k := &connector{
		config: *c, log: env.Log, now: env.Now, base: strings.TrimRight(c.BaseURL, "/"),
		severity: maps.Clone(knownSeverities), statuses: maps.Clone(knownStatuses),
	}
	f.address("base_url", c.BaseURL)
	f.path("ping_path", c.PingPath)
	f.path("violations.path", c.Violations.Path)
	f.path("targets.path", c.Targets.Path)
	if c.Violations.MaxPages < 1 {
		f.add("violations.max_pages", "is 1 at least")
	}
	if body := c.Targets.Update.Body; body != "" && !json.Valid([]byte(fillBody(body, updateValues{}))) {
		f.add("targets.update.body", "is no JSON once {status}, {id}, {reason}, {by} and {ticket} are filled in; they stand without quotes")
	}
	for i, p := range c.Targets.Status {
		if len(p) < 2 || p[0] != '/' {
			f.add(fmt.Sprintf("targets.status[%d]", i), "is no JSON pointer like /current_status")
		}
	}
	for i, r := range c.Types {
		at := fmt.Sprintf("types[%d]", i)
		if _, err := path.Match(r.Type, ""); err != nil || r.Type == "" {
			f.add(at+".type", "is a pattern like MOBILE_PROTECT__*")
		}
		if !slices.Contains(routable, r.Kind) {
			f.add(at+".kind", "is one of %s", strings.Join(routable, ", "))
		}
	}
	for _, word := range slices.Sorted(maps.Keys(c.Statuses)) {
		kind, ok := states[c.Statuses[word]]
		if !ok {
			f.add("statuses."+word, "means opened, resolved or dismissed")
		}
		k.statuses[upper(word)] = kind
	}
	for _, word := range slices.Sorted(maps.Keys(c.Severity)) {
		if strings.TrimSpace(c.Severity[word]) == "" {
			f.add("severity."+word, "is empty")
		}
		k.severity[upper(word)] = c.Severity[word]
	}
	if err := errors.Join(f...); err != nil {
		return nil, err
	}
	if c.APIKey.IsZero() {
		return k, nil
	}
	k.client = env.Client.With(connectors.Scheme{Word: "APIKey", Token: c.APIKey})
	return &asking{k}, nil
}

// faults collects what is wrong with the settings.
type faults []error

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, fmt.Errorf("settings.%s: "+format, append([]any{path}, args...)...))
}

func (f *faults) path(path, value string) {
	u, err := url.Parse(value)
	if err != nil || !strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//") || u.RawQuery != "" || u.Fragment != "" {
		f.add(path, "is a path below base_url and starts with one /")
	}
}

// address wants https: the key travels there. Plain http is left for loopback, where stand-ins live.
func (f *faults) address(path, value string) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		f.add(path, "is no plain URL like %s", defaultBase)
	case u.Scheme == "https" || u.Scheme == "http" && connectors.Loopback(u.Hostname()):
	default:
		f.add(path, "has to start with https://")
	}
}
