package epm

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one EPM tenant.
//
// What BeyondTrust documents: the token call, the four kinds of events with their variables, the operations named
// below, and that the decision on an application request is ten texts, none of them empty. Paths, names and formats
// that are not documented are settings; the defaults are what published clients use, and Unverified lists them.
// Check them against the tenant's own /management-api/swagger/index.html.
//
// Limits: tokens last an hour, and a regenerated secret ends them at once. Published clients count on 1000 calls in
// 100 seconds; set the connection's rate below that. An administrator session lasts 5 minutes to 24 hours. EPM states
// neither its retries nor its timeouts, so answers to its webhooks must come quickly.
// https://docs.beyondtrust.com/epm-wm/docs/webhook-settings
type Config struct {
	// BaseURL is the whole address from Configuration > API Settings. It is never built from a tenant's name: hosts
	// differ between tenants.
	BaseURL string `yaml:"base_url"`
	// TokenURL is where access tokens are asked for; empty means BaseURL and /oauth/connect/token.
	TokenURL     string            `yaml:"token_url"`
	ClientID     string            `yaml:"client_id"`
	ClientSecret connectors.Secret `yaml:"client_secret"`
	// Scope is sent with the token request when set, as some clients do: urn:management:api. The documented request
	// has none.
	Scope string `yaml:"scope"`
	// PingPath is read to find out whether the account may work with JIT requests.
	PingPath string `yaml:"ping_path"`

	Application Application `yaml:"application"`
	Admin       Admin       `yaml:"admin"`
	State       StateCalls  `yaml:"state"`

	// DateFormat is how decisionTime is written, always in UTC, from yyyy MM dd HH mm ss.
	DateFormat string    `yaml:"date_format"`
	Duration   Durations `yaml:"duration"`
	Statuses   Statuses  `yaml:"statuses"`
	// Message is sent when the approver left no comment, as EPM takes no empty text. Empty means the decision and
	// the ticket: "Approved in SEC-42".
	Message string `yaml:"message"`
	// CorrelationHeader sends x-correlation-id with a decision, holding the RequestId.
	CorrelationHeader bool `yaml:"correlation_header"`

	// Fields says where a variable stands in the customer's template, for templates in which its key is another or
	// appears twice: the variable's documented name, and JSON pointers in order of preference, compared without
	// regard to case. A name that is not documented adds a text field of that name to the event's data.
	Fields map[string][]string `yaml:"fields"`
	// MixedEvents accepts a decision event that carries variables of the request as well. EPM documents no such
	// event, and a requester's text pasted into a template can pose as one, so it is quarantined otherwise.
	MixedEvents bool `yaml:"mixed_events"`
}

// Application is the call that decides an application request.
type Application struct {
	Path string `yaml:"path"`
}

// Admin is the call that decides an administrator request. The operation and the meaning of its body are documented,
// its path and the names are not: without a path taken from the tenant's swagger page nothing is posted.
type Admin struct {
	DecisionPath string     `yaml:"decision_path"`
	Names        AdminNames `yaml:"names"`
}

// AdminNames are the JSON names in the body of an administrator decision. An empty name leaves the value out; only
// the request's id must be there.
type AdminNames struct {
	RequestID   string `yaml:"request_id"`
	Decision    string `yaml:"decision"`
	Duration    string `yaml:"duration"`
	PerformedBy string `yaml:"performed_by"`
	Message     string `yaml:"message"`
	SystemID    string `yaml:"system_id"`
	TicketID    string `yaml:"ticket_id"`
	TicketURL   string `yaml:"ticket_url"`
}

// StateCalls say how a request's state is read. The paths hold {request_id}, {system_id} (the desk's own id, as it was
// sent with the decision) or {ticket_id} and are tried in order until one knows the request. An empty list switches
// the question off.
type StateCalls struct {
	Application []string `yaml:"application"`
	Admin       []string `yaml:"admin"`
	// Outcome, By, At and TicketURL are JSON pointers into the answer, tried in order.
	Outcome   []string `yaml:"outcome"`
	By        []string `yaml:"by"`
	At        []string `yaml:"at"`
	TicketURL []string `yaml:"ticket_url"`
	// Words says what a value found at Outcome means: pending, approved, denied or expired. The texts of Statuses and
	// the words Approved and Denied are known without it.
	Words map[string]string `yaml:"words"`
}

// Durations say how a length of access is written for an application request. Lengths are sent in seconds, except
// those in Lengths, whose keys are written like 1h or 30m.
type Durations struct {
	Once    string            `yaml:"once"`   // access for one run
	Unset   string            `yaml:"unset"`  // the rule gave no duration
	Denied  string            `yaml:"denied"` // sent with a denial; what EPM wants there is not known
	Lengths map[string]string `yaml:"lengths"`
}

// Statuses are the codes sent beside the decision.
type Statuses struct {
	Pending  string `yaml:"pending"`
	Approved string `yaml:"approved"`
	Denied   string `yaml:"denied"`
}

const (
	defaultTokenPath       = "/oauth/connect/token"
	defaultPingPath        = "/management-api/v3/AdminAccessRequest"
	defaultApplicationPath = "/management-api/v2/AuthorizationRequest/notification"
	defaultDateFormat      = "yyyy-MM-dd HH:mm:ss"
	once                   = "Once"
)

// New returns a Config with every default filled in, for a document to be decoded over.
func New() connectors.Config {
	return &Config{
		PingPath:    defaultPingPath,
		Application: Application{Path: defaultApplicationPath},
		Admin: Admin{Names: AdminNames{
			RequestID: "requestId", Decision: "decision", Duration: "duration", PerformedBy: "decisionPerformedByUser",
			Message: "message", SystemID: "systemId", TicketID: "ticketId", TicketURL: "ticketUrl",
		}},
		State: StateCalls{
			Application: []string{
				"/management-api/v2/AuthorizationRequest/{request_id}",
				"/management-api/v2/AuthorizationRequest/{system_id}",
			},
			Admin:     []string{"/management-api/v3/AdminAccessRequest/{request_id}"},
			Outcome:   []string{"/accessDecision/status", "/decision", "/status"},
			By:        []string{"/accessDecision/decisionPerformedByUser", "/decisionPerformedByUser"},
			At:        []string{"/accessDecision/decisionTime", "/decisionTime"},
			TicketURL: []string{"/serviceTicket/url", "/ticketUrl"},
			Words:     map[string]string{"pending": "pending", "expired": "expired"},
		},
		DateFormat: defaultDateFormat,
		Duration:   Durations{Once: once, Unset: once, Denied: once},
		Statuses:   Statuses{Pending: "1000", Approved: "2000", Denied: "2001"},
	}
}

// Open checks the settings, reporting every fault with its path, and builds the connector. It calls nobody.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	var f faults
	k := &connector{
		config: *c, now: env.Now,
		base:   strings.TrimRight(c.BaseURL, "/"),
		layout: f.layout(c.DateFormat),
		words:  f.words(c),
		exact:  f.lengths(c.Duration.Lengths),
		fields: newFieldMap(c.Fields, &f),
	}
	f.address("base_url", c.BaseURL, true)
	f.address("token_url", c.TokenURL, false)
	f.text("client_id", c.ClientID)
	if c.ClientSecret.IsZero() {
		f.add("client_secret", "is missing; write {env: DRAWBRIDGE_SECRET_NAME}, {file: NAME} or {value: ...}")
	}
	f.path("ping_path", c.PingPath)
	f.path("application.path", c.Application.Path)
	if c.Admin.DecisionPath != "" {
		f.path("admin.decision_path", c.Admin.DecisionPath)
	}
	f.text("admin.names.request_id", c.Admin.Names.RequestID)
	f.text("admin.names.decision", c.Admin.Names.Decision)
	f.distinct("admin.names", c.Admin.Names)
	f.statePaths("state.application", c.State.Application)
	f.statePaths("state.admin", c.State.Admin)
	for _, p := range []struct {
		name string
		list []string
	}{{"outcome", c.State.Outcome}, {"by", c.State.By}, {"at", c.State.At}, {"ticket_url", c.State.TicketURL}} {
		f.pointers("state."+p.name, p.list)
	}
	for _, t := range [][2]string{
		{"duration.once", c.Duration.Once}, {"duration.unset", c.Duration.Unset}, {"duration.denied", c.Duration.Denied},
		{"statuses.approved", c.Statuses.Approved}, {"statuses.denied", c.Statuses.Denied},
	} {
		f.text(t[0], t[1])
	}
	if c.Statuses.Approved != "" && c.Statuses.Approved == c.Statuses.Denied {
		f.add("statuses", "approved and denied are the same")
	}
	if err := errors.Join(f...); err != nil {
		return nil, err
	}
	token := c.TokenURL
	if token == "" {
		token = k.base + defaultTokenPath
	}
	k.client = env.Client.With(connectors.ClientCredentials{
		TokenURL: token, ID: c.ClientID, Secret: c.ClientSecret, Scopes: strings.Fields(c.Scope),
	})
	return k, nil
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

func (f *faults) path(path, value string) {
	u, err := url.Parse(value)
	if err != nil || !strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//") || u.Fragment != "" {
		f.add(path, "is a path below base_url and starts with one /")
	}
}

// address wants https: the client's secret travels there. Plain http is left for loopback, where stand-ins live.
func (f *faults) address(path, value string, needed bool) {
	if value == "" {
		if needed {
			f.add(path, "is missing; it is shown in EPM under Configuration > API Settings")
		}
		return
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		f.add(path, "is no plain URL like https://example-services.pm.beyondtrustcloud.com")
	case u.Scheme == "https" || u.Scheme == "http" && connectors.Loopback(u.Hostname()):
	default:
		f.add(path, "has to start with https://")
	}
}

func (f *faults) statePaths(path string, list []string) {
	for i, p := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		plain := placeholders("x", "x", "x").Replace(p)
		if plain == p || strings.ContainsAny(plain, "{}") {
			f.add(at, "holds one of {request_id}, {system_id}, {ticket_id} and no other name in braces")
			continue
		}
		f.path(at, plain)
	}
}

func (f *faults) pointers(path string, list []string) {
	for i, p := range list {
		if len(p) < 2 || p[0] != '/' {
			f.add(fmt.Sprintf("%s[%d]", path, i), "is no JSON pointer like /requestInfo/user")
		}
	}
}

func (f *faults) distinct(path string, n AdminNames) {
	seen := map[string]bool{}
	for _, name := range []string{n.RequestID, n.Decision, n.Duration, n.PerformedBy, n.Message, n.SystemID, n.TicketID, n.TicketURL} {
		if name != "" && seen[name] {
			f.add(path, "%q is used twice", name)
		}
		seen[name] = true
	}
}

// layout turns a pattern like yyyy-MM-dd HH:mm:ss into Go's form.
func (f *faults) layout(pattern string) string {
	rest := pattern
	for _, part := range []string{"yyyy", "MM", "dd", "HH", "mm", "ss"} {
		if strings.Count(rest, part) != 1 {
			f.add("date_format", "is written with yyyy MM dd HH mm ss, each once: %s", defaultDateFormat)
			return ""
		}
		rest = strings.Replace(rest, part, "", 1)
	}
	if strings.Trim(rest, "-/:. TZ") != "" {
		f.add("date_format", "may have - / : . T Z and spaces between yyyy MM dd HH mm ss, nothing else")
		return ""
	}
	return strings.NewReplacer("yyyy", "2006", "MM", "01", "dd", "02", "HH", "15", "mm", "04", "ss", "05").Replace(pattern)
}

// words returns what a state's text means, by its lower-case form.
func (f *faults) words(c *Config) map[string]connectors.Outcome {
	known := map[string]connectors.Outcome{
		"approved": connectors.Approved, strings.ToLower(c.Statuses.Approved): connectors.Approved,
		"denied": connectors.Denied, strings.ToLower(c.Statuses.Denied): connectors.Denied,
	}
	if c.Statuses.Pending != "" {
		known[strings.ToLower(c.Statuses.Pending)] = connectors.Pending
	}
	for _, word := range slices.Sorted(maps.Keys(c.State.Words)) {
		outcome := connectors.Outcome(c.State.Words[word])
		switch outcome {
		case connectors.Pending, connectors.Approved, connectors.Denied, connectors.Expired:
		default:
			f.add("state.words."+word, "means pending, approved, denied or expired")
		}
		if old, ok := known[strings.ToLower(word)]; ok && old != outcome {
			f.add("state.words."+word, "already means %s", old)
		}
		known[strings.ToLower(word)] = outcome
	}
	return known
}

func (f *faults) lengths(m map[string]string) map[time.Duration]string {
	exact := make(map[time.Duration]string, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		d, err := time.ParseDuration(key)
		if err != nil || d <= 0 {
			f.add("duration.lengths."+key, "the length is written like 1h or 30m")
		}
		f.text("duration.lengths."+key, m[key])
		exact[d] = m[key]
	}
	return exact
}
