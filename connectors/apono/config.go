package apono

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one Apono account.
//
// What Apono documents: the request payload, the audit log payload, the triggers, response validators, and the calls
// of its public API that read and revoke access requests. Its public API has no call that approves or rejects: the
// paths below stand in the description its command line tool is built from. Unverified lists what rests on that or on
// less.
//
// A webhook's template is the customer's. To be decided, a request needs its id, and what people need to decide should be
// there as well:
//
//	{"event_type":"{{event_type}}","event_time":"{{event_time}}","data":{"id":"{{data.id}}",
//	"friendly_id":"{{data.friendly_id}}","justification":"{{data.justification}}","requester":{"id":"{{data.requester.id}}",
//	"name":"{{data.requester.name}}","email":"{{data.requester.email}}"},"access_flow":{"name":"{{data.access_flow.name}}"},
//	"access_groups":[{"integration":{"name":"{{data.access_groups.[0].integration.name}}"},"access_units":[{
//	"resource":{"name":"{{data.access_groups.[0].access_units.[0].resource.name}}"},
//	"permission":{"name":"{{data.access_groups.[0].access_units.[0].permission.name}}"}}]}]}}
//
// Limits: a webhook's URL is https without a port, a reason is shorter than 124 characters. Apono states neither its
// retries nor its rate limits.
// https://docs.apono.io/docs/webhook-integrations/request-webhook/custom-webhooks
type Config struct {
	BaseURL string `yaml:"base_url"`
	// Token is a personal or service account token. It is needed to approve, reject, revoke and read; without it the
	// connection receives only, and answers when Apono asks.
	Token connectors.Secret `yaml:"token"`
	// Way is how Apono learns of a decision. api: it is told by a call, as the token's user, whom the access flow must
	// name as an approver. manual: it asks by a manual webhook of the access flow, and the answer carries the state of
	// the case. none: it is not told, and a decision is recorded here only.
	Way string `yaml:"way"`

	Decision DecisionCalls `yaml:"decision"`
	State    StateCall     `yaml:"state"`
	// RevokePath takes a list of request ids.
	RevokePath string `yaml:"revoke_path"`
	// PingPath is read to find out whether the token may read access requests.
	PingPath string `yaml:"ping_path"`

	// AnswerStatus is the HTTP status of an answer to a webhook that was taken.
	AnswerStatus int `yaml:"answer_status"`
	// TextFields names members of a body that may hold the event as JSON text, as the template for Logz.io has it.
	// They are looked into only where the body around them holds no variable itself.
	TextFields []string `yaml:"text_fields"`
	// Unescape undoes the HTML escaping that stock Handlebars applies to every value: &amp; becomes &. Set it when
	// tickets show such marks.
	Unescape bool `yaml:"unescape"`
	// Types says what kind of event a further event_type means: one of the kinds Emits lists, or manual.
	Types map[string]string `yaml:"types"`
	// Fields says where a variable stands in the customer's template, for templates in which its name is another: the
	// variable's name, and JSON pointers in order of preference, compared without regard to case. A name that is not
	// known adds a text field of that name to the event's data.
	Fields map[string][]string `yaml:"fields"`
}

// DecisionCalls approve and reject.
type DecisionCalls struct {
	// Paths hold {request_id} or {friendly_id}.
	ApprovePath string `yaml:"approve_path"`
	RejectPath  string `yaml:"reject_path"`
	// Body is JSON in which {reason}, {by}, {ticket}, {request_id} and {friendly_id} are replaced by JSON texts.
	Body string `yaml:"body"`
	// ReasonLimit is the longest {reason} in characters.
	ReasonLimit int `yaml:"reason_limit"`
	// TasksPath is read by Ping to find out whether the token's user may approve; empty: it is not.
	TasksPath string `yaml:"tasks_path"`
}

// StateCall reads what became of a request. Its answer has status, a text or an object with a status of its own.
type StateCall struct {
	Path string `yaml:"path"` // empty: Apono is not asked
	// Words says what a status means: pending, approved, denied or expired. It comes before what is known already.
	Words map[string]string `yaml:"words"`
}

// The ways Apono can learn of a decision.
const (
	wayAPI    = "api"
	wayManual = "manual"
	wayNone   = "none"
)

// New returns a Config with every default filled in, for a document to be decoded over.
func New() connectors.Config {
	return &Config{
		BaseURL: "https://api.apono.io",
		Way:     wayAPI,
		Decision: DecisionCalls{
			ApprovePath: "/api/client/v1/access-requests/{request_id}/approve",
			RejectPath:  "/api/client/v1/access-requests/{request_id}/reject",
			Body:        `{"justification":{reason}}`,
			ReasonLimit: 123,
			TasksPath:   "/api/client/v1/access-requests?scope=MyTasks&limit=1",
		},
		State:        StateCall{Path: "/api/v3/access-requests/{request_id}"},
		RevokePath:   "/api/v3/access-requests-bulk/revoke",
		PingPath:     "/api/v3/access-requests?days_offset=1",
		AnswerStatus: 200,
		TextFields:   []string{"message"},
	}
}

// Open checks the settings, reporting every fault with its path, and builds the connector. What it can do follows from
// them: only a token lets it revoke and read states.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	var f faults
	s := &source{
		config: *c, log: env.Log,
		base:   strings.TrimRight(c.BaseURL, "/"),
		fields: newFieldMap(c.Fields, &f),
		types:  f.types(c.Types),
		words:  f.words(c.State.Words),
	}
	f.address("base_url", c.BaseURL)
	switch c.Way {
	case wayAPI:
		if c.Token.IsZero() {
			f.add("token", "is missing; write {env: DRAWBRIDGE_SECRET_NAME}, {file: NAME} or {value: ...}, or choose the way manual or none")
		}
	case wayManual, wayNone:
	default:
		f.add("way", "is api, manual or none")
	}
	f.path("decision.approve_path", fillPath(c.Decision.ApprovePath, "x", "x"))
	f.path("decision.reject_path", fillPath(c.Decision.RejectPath, "x", "x"))
	f.body("decision.body", c.Decision.Body)
	if c.Decision.ReasonLimit < 1 {
		f.add("decision.reason_limit", "is a number of characters")
	}
	f.path("revoke_path", c.RevokePath)
	f.path("ping_path", c.PingPath)
	if c.Decision.TasksPath != "" {
		f.path("decision.tasks_path", c.Decision.TasksPath)
	}
	if c.State.Path != "" {
		f.path("state.path", fillPath(c.State.Path, "x", "x"))
	}
	if c.AnswerStatus < 200 || c.AnswerStatus > 299 {
		f.add("answer_status", "is a status from 200 to 299")
	}
	if err := errors.Join(f...); err != nil {
		return nil, err
	}
	if c.Token.IsZero() {
		return &gatedSource{source: s, gate: gate{c.Way}}, nil
	}
	a := &account{source: s, client: env.Client.With(connectors.Bearer{Token: c.Token})}
	if c.Way == wayAPI {
		return &approver{a}, nil
	}
	return &gatedAccount{account: a, gate: gate{c.Way}}, nil
}

// faults collects what is wrong with the settings.
type faults []error

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, fmt.Errorf("settings.%s: "+format, append([]any{path}, args...)...))
}

func (f *faults) path(path, value string) {
	u, err := url.Parse(value)
	switch {
	case strings.ContainsAny(value, "{}"):
		f.add(path, "holds {request_id} or {friendly_id} where it names a request, and no other name in braces")
	case err != nil || !strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//") || u.Fragment != "":
		f.add(path, "is a path below base_url and starts with one /")
	}
}

// address wants https: the token travels there. Plain http is left for loopback, where stand-ins live.
func (f *faults) address(path, value string) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		f.add(path, "is no plain URL like https://api.apono.io")
	case u.Scheme == "https" || u.Scheme == "http" && connectors.Loopback(u.Hostname()):
	default:
		f.add(path, "has to start with https://")
	}
}

func (f *faults) body(path, template string) {
	if !json.Valid([]byte(fillBody(template, bodyValues{}))) {
		f.add(path, "is no JSON once {reason}, {by}, {ticket}, {request_id} and {friendly_id} are filled in; they stand without quotes")
	}
}

func (f *faults) pointers(path string, list []string) {
	for i, p := range list {
		if len(p) < 2 || p[0] != '/' {
			f.add(fmt.Sprintf("%s[%d]", path, i), "is no JSON pointer like /request/who")
		}
	}
}

// types returns the kinds of further event types, by their folded name.
func (f *faults) types(given map[string]string) map[string]string {
	known := maps.Clone(documentedTypes)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		kind := given[name]
		if kind != manual && !slices.ContainsFunc(kinds, func(k kindOf) bool { return k.kind == kind }) {
			f.add("types."+name, "means manual or a kind of event like %s", connectors.Anomaly)
		}
		folded := foldType(name)
		if old, ok := known[folded]; ok && old != kind {
			f.add("types."+name, "already means %s", old)
		}
		known[folded] = kind
	}
	return known
}

// words returns what a status means, by its lower-case form.
func (f *faults) words(given map[string]string) map[string]connectors.Outcome {
	known := maps.Clone(knownStatuses)
	for _, word := range slices.Sorted(maps.Keys(given)) {
		outcome := connectors.Outcome(given[word])
		switch outcome {
		case connectors.Pending, connectors.Approved, connectors.Denied, connectors.Expired:
		default:
			f.add("state.words."+word, "means pending, approved, denied or expired")
		}
		known[strings.ToLower(word)] = outcome
	}
	return known
}
