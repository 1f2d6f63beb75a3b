package webhook

import (
	"context"
	"maps"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one tool.
//
// A path says where a value is: a JSON pointer into the body (/request/id), or a text with expressions over body and
// header (${body.request.id ?? body.id}). A text without expressions is that text. Bodies are JSON objects; a body in
// which a path leads to something of the wrong form, or any key stands twice, is kept in quarantine.
type Config struct {
	// Format is json, cloudevents (1.0: structured, binary and batches) or standard_webhooks. The latter two know by
	// themselves what identifies an event, and where its kind and time are.
	Format string `yaml:"format"`
	// Headers are the request headers that expressions may read, as header["x-event"], in small letters.
	Headers []string `yaml:"headers"`
	Paths   Paths    `yaml:"paths"`
	// Kinds says what the tool's names for its events mean: created: access.requested. Without it the tool has to use
	// our own names. An event of another name is stored and shown, and belongs to no case.
	Kinds map[string]string `yaml:"kinds"`
	// TimeFormat is how the tool writes times: rfc3339, unix (seconds) or unix_ms.
	TimeFormat string `yaml:"time_format"`
	// Data are the fields of event.data. Without it event.data.body is the whole body.
	Data map[string]DataField `yaml:"data"`

	Handshake Handshake `yaml:"handshake"`
	// MaxBatch is how many CloudEvents may arrive in one batch.
	MaxBatch int `yaml:"max_batch"`

	// Auth is how we prove ourselves to the tool, in every call.
	Auth     Auth      `yaml:"auth"`
	Decision *Decision `yaml:"decision"` // without it the tool is told nothing
	Ping     *Call     `yaml:"ping"`     // a call that changes nothing and needs the same permissions
}

// Paths say where the parts of an event are. ID and RequestID are never guessed: an event without RequestID has no
// case, and nothing that could be decided. Of a text of several parts that is an id or names an account (x-${body.a})
// every part has to be there; otherwise it counts as absent.
type Paths struct {
	ID        string `yaml:"id"` // the event's own id, the same when it is sent again
	Kind      string `yaml:"kind"`
	RequestID string `yaml:"request_id"`
	Parent    string `yaml:"parent"` // RequestID of the parent case
	Tenant    string `yaml:"tenant"`
	Requester Person `yaml:"requester"`
	Subject   string `yaml:"subject"`
	Reason    string `yaml:"reason"`
	Severity  string `yaml:"severity"`
	Time      string `yaml:"time"`
	Expires   string `yaml:"expires"` // until when the tool waits for a decision
	URL       string `yaml:"url"`
	DecidedBy Person `yaml:"decided_by"` // of events that tell of a decision
	DecidedAt string `yaml:"decided_at"`
}

// Person is where the names of somebody are.
type Person struct {
	Account string `yaml:"account"`
	Name    string `yaml:"name"`
	Mail    string `yaml:"mail"`
}

// DataField is one field of event.data, written as its path alone or in full.
type DataField struct {
	At       string `yaml:"at"`
	Type     string `yaml:"type"` // text, number, bool, time, list, object, any (default)
	Required bool   `yaml:"required"`
	Carry    bool   `yaml:"carry"` // a decision can carry it back, as decision.ids.NAME; a text
	Doc      string `yaml:"doc"`
}

// UnmarshalYAML takes a path in place of the whole.
func (d *DataField) UnmarshalYAML(_ context.Context, decode func(any) error) error {
	var at string
	if decode(&at) == nil {
		*d = DataField{At: at}
		return nil
	}
	type whole DataField
	return decode((*whole)(d))
}

// Handshake is how a CloudEvents sender is answered that asks whether it may send (OPTIONS with
// WebHook-Request-Origin). The sender has to show its credentials with that too.
type Handshake struct {
	Origins []string `yaml:"origins"` // who may; empty: everybody with credentials
	Rate    int      `yaml:"rate"`    // requests a minute that are allowed; 0: any number
}

// Auth is one way to prove ourselves, or none.
type Auth struct {
	Basic  *Basic  `yaml:"basic"`
	Bearer *Bearer `yaml:"bearer"`
	Header *Header `yaml:"header"`
	OAuth  *OAuth  `yaml:"oauth"`
}

// Basic is HTTP Basic.
type Basic struct {
	User     string            `yaml:"user"`
	Password connectors.Secret `yaml:"password"`
}

// Bearer is a token in Authorization.
type Bearer struct {
	Token connectors.Secret `yaml:"token"`
}

// Header is a header whose whole text is the secret.
type Header struct {
	Name  string            `yaml:"name"`
	Value connectors.Secret `yaml:"value"`
}

// OAuth is the client credentials grant of OAuth 2.0.
type OAuth struct {
	TokenURL     string            `yaml:"token_url"`
	ClientID     string            `yaml:"client_id"`
	ClientSecret connectors.Secret `yaml:"client_secret"`
	Scope        string            `yaml:"scope"`
}

// Call is a request to the tool. Expressions in it see decision: kind, tenant, request_id, ids, outcome, word, by.account,
// by.name, by.mail, at, once, seconds, reason, ticket.id, ticket.key and ticket.url.
type Call struct {
	Method string `yaml:"method"`
	// URL has its scheme and host written out; values are escaped for the part they stand in, and cannot be empty, or
	// a step upwards, in the path.
	URL      string                 `yaml:"url"`
	Headers  map[string]HeaderValue `yaml:"headers"`
	Body     any                    `yaml:"body"`     // lists, mappings and texts; an expression that gives nothing is left out
	Encoding string                 `yaml:"encoding"` // json (default), or form for one mapping of texts
}

// HeaderValue is a text with expressions, or a secret.
type HeaderValue struct {
	Text   string
	Secret connectors.Secret
}

// UnmarshalYAML takes a text or a secret.
func (h *HeaderValue) UnmarshalYAML(ctx context.Context, node ast.Node) error {
	switch n := node.(type) {
	case *ast.StringNode:
		h.Text = n.Value
		return nil
	case *ast.LiteralNode:
		h.Text = n.Value.Value
		return nil
	default:
		return h.Secret.UnmarshalYAML(ctx, node)
	}
}

// Decision is the call that tells a decision. It may be made again after an answer was lost: give the tool an id to know
// it by where it takes one, and State where it can be asked.
type Decision struct {
	Call `yaml:",inline"`
	// Words are the tool's names of approved and denied, for expressions as decision.word.
	Words map[string]string `yaml:"words"`
	// OK are the statuses that mean that the tool holds the decision; empty: every 2xx. 409 may be one of them.
	OK []int `yaml:"ok"`
	// Taken is a path into the answer to a true or false, for tools that refuse with a success: /ok, or an expression
	// over answer.status and answer.body.
	Taken string `yaml:"taken"`
	State *State `yaml:"state"`
}

// State is the call that asks what became of a request. Its paths lead into the answer's body, and expressions see
// answer.status and answer.body besides decision.
type State struct {
	Call    `yaml:",inline"`
	Outcome string `yaml:"outcome"`
	By      string `yaml:"by"`
	At      string `yaml:"at"` // as time_format says
	// Words says what a value at Outcome means: pending, approved, denied or expired. These words themselves and those
	// of the decision are known without it.
	Words map[string]string `yaml:"words"`
}

// The formats.
const (
	plainJSON        = "json"
	cloudEvents      = "cloudevents"
	standardWebhooks = "standard_webhooks"
)

// New returns a Config with every default filled in, for a document to be decoded over.
func New() connectors.Config {
	return &Config{Format: plainJSON, TimeFormat: string(rfc3339), MaxBatch: 100}
}

// Open checks the settings, reporting every fault with its path, and builds the connector. It calls nobody.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	config := c.withDefaults()
	compile := compiler{config: config}
	compile.check(&config)
	compile.auth(env.Client)
	s := &source{
		config: config, format: config.Format, times: timeFormat(config.TimeFormat),
		identity: compile.finder(config.identity(), inboundNames(config.Headers)),
		content:  compile.finder(config.content(), inboundNames(config.Headers)),
		fields:   slices.Sorted(maps.Keys(config.Data)),
		ping:     compile.ping(),
	}
	var opened connectors.Connector = s
	if d := config.Decision; d != nil {
		told := &decider{s, compile.decision(*d)}
		opened = told
		if d.State != nil {
			opened = &asker{told, compile.state(*d.State, told.decision.words)}
		}
	}
	if err := compile.join(); err != nil {
		return nil, err
	}
	return opened, nil
}

// withDefaults fills in what the format knows by itself, and the types of data.
func (c *Config) withDefaults() Config {
	d := *c
	known := map[string][3]string{
		cloudEvents:      {"/type", "/time", "/subject"},
		standardWebhooks: {"/type", "/timestamp", ""},
	}[c.Format]
	for i, p := range []*string{&d.Paths.Kind, &d.Paths.Time, &d.Paths.Subject} {
		if *p == "" {
			*p = known[i]
		}
	}
	d.Data = maps.Clone(c.Data)
	for name, field := range d.Data {
		if field.Type == "" {
			field.Type = "any"
			if field.Carry {
				field.Type = "text"
			}
			d.Data[name] = field
		}
	}
	return d
}

// identity lists the paths to what tells events apart, by the names faults show.
func (c *Config) identity() []path {
	p := c.Paths
	return []path{{name: "paths.id", text: p.ID, id: true}, {name: "paths.kind", text: p.Kind}, {name: "paths.tenant", text: p.Tenant, id: true}}
}

// content lists the paths to the rest.
func (c *Config) content() []path {
	p := c.Paths
	list := []path{
		{name: "paths.request_id", text: p.RequestID, id: true}, {name: "paths.parent", text: p.Parent, id: true},
		{name: "paths.subject", text: p.Subject}, {name: "paths.reason", text: p.Reason}, {name: "paths.severity", text: p.Severity},
		{name: "paths.time", text: p.Time}, {name: "paths.expires", text: p.Expires}, {name: "paths.url", text: p.URL}, {name: "paths.decided_at", text: p.DecidedAt},
	}
	for _, who := range []struct {
		name string
		Person
	}{{"paths.requester", p.Requester}, {"paths.decided_by", p.DecidedBy}} {
		list = append(list, path{name: who.name + ".account", text: who.Account, id: true},
			path{name: who.name + ".mail", text: who.Mail, id: true}, path{name: who.name + ".name", text: who.Name})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Data)) {
		list = append(list, path{name: "data." + name, text: c.Data[name].At, id: c.Data[name].Carry})
	}
	return list
}

// carried names the fields a decision carries back.
func (c *Config) carried() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.Data)) {
		if c.Data[name].Carry {
			names = append(names, name)
		}
	}
	return names
}
