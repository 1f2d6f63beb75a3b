package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"golang.org/x/time/rate"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// ConnectionDoc is a Connection document: one configured connector.
type ConnectionDoc struct {
	Kind      string              `yaml:"kind"`
	Name      string              `yaml:"name"`
	Connector string              `yaml:"connector"` // the vendor: epm, jira
	State     string              `yaml:"state"`     // active (default), paused: events wait and nothing is called, disabled: events are refused besides
	Tenant    string              `yaml:"tenant"`    // the one tenant whose events are taken, for tools that have tenants
	Waits     time.Duration       `yaml:"waits"`     // for how long the tool waits for a decision, where its events do not say so; default: nobody knows
	Settings  syntax              `yaml:"settings"`  // the vendor's own
	Inbound   Inbound             `yaml:"inbound"`
	Outbound  connectors.Outbound `yaml:"outbound"`
	Delivery  DeliverySettings    `yaml:"delivery"`
	Watch     WatchSettings       `yaml:"watch"`
	Identity  IdentitySettings    `yaml:"identity"`
}

// IdentitySettings say what tells who somebody is at this system, besides the accounts in People documents.
type IdentitySettings struct {
	// Mail joins accounts to people by the mail address the system shows; default true, but false where people may give
	// themselves any address.
	Mail *bool `yaml:"mail"`
}

// Inbound is how requests to /in/{connection} are met.
type Inbound struct {
	Verify           connectors.Verification `yaml:"verify"`
	Status           int                     `yaml:"status"`            // answer to an accepted event; default 202
	QuarantineStatus int                     `yaml:"quarantine_status"` // answer to a body kept in quarantine; default 422
	MaxBody          int64                   `yaml:"max_body"`          // bytes; default 1 MiB
	From             []string                `yaml:"from"`              // networks and addresses requests may come from; none: any
	Rate             *RateSettings           `yaml:"rate"`              // none: no limit
}

// DeliverySettings bound the calls a connection makes.
type DeliverySettings struct {
	Concurrency int           `yaml:"concurrency"` // calls under way at once; default 8
	Timeout     time.Duration `yaml:"timeout"`     // of everything one delivery does; a claim lasts twice as long; default 30s
	Attempts    int           `yaml:"attempts"`    // tries before a delivery is a dead letter; default 12
	First       time.Duration `yaml:"first"`       // pause after the first; default 1s
	Longest     time.Duration `yaml:"longest"`     // longest pause; default 15m
}

// WatchSettings say how often a desk is asked what changed, and a source what became of requests, beside their webhooks.
type WatchSettings struct {
	Every time.Duration `yaml:"every"` // default 30s; negative: never
}

const (
	defaultMaxBody     = 1 << 20
	defaultConcurrency = 8
	defaultCallTimeout = 30 * time.Second
	defaultWatch       = 30 * time.Second
)

// States of a connection, as its document sets them.
const (
	stateActive   = "active"
	statePaused   = "paused"
	stateDisabled = "disabled"
)

// syntax keeps a part of a document to be decoded later by who knows it, with its positions.
type syntax struct{ node ast.Node }

func (s *syntax) UnmarshalYAML(_ context.Context, node ast.Node) error {
	s.node = node
	return nil
}

// connection is an opened Connection document.
type connection struct {
	doc       ConnectionDoc
	noMail    bool // an account's mail address does not tell who bears it
	version   int64
	connector connectors.Connector
	receiver  connectors.Receiver // nil: nothing arrives here
	verifier  *verify.Verifier    // nil when receiver is
	from      []netip.Prefix      // none: requests may come from anywhere
	rate      *rate.Limiter       // of requests; nil: none
	issuing   *rate.Limiter       // of access tokens
	retry     Retry
	fault     error // why the stored document cannot be used; nothing else is set then
}

var documentName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// opener turns Connection documents into connections.
type opener struct {
	vendors map[string]func() connectors.Config
	vault   *connectors.Vault
	log     *slog.Logger
	now     func() time.Time
	hashes  *verify.Hashes
	tokens  *tokens                                   // nil: nothing is received
	keep    func(connection string) connectors.Keeper // nil: nothing can be kept
}

// open decodes and checks one document and builds its connector. Secrets given as {value: ...} are sealed; the text
// returned is the one to store. stored is the text in force, or nothing: a value it holds keeps its seal, so that the
// same document applied again is the same text. Faults name a place and show no line: a document holds credentials.
func (o opener) open(ctx context.Context, text []byte, stored string) (*connection, []byte, error) {
	if _, err := mapping.ReadHeader(text); err != nil {
		return nil, nil, err
	}
	sealed := 0
	seals := o.seals(ctx, stored)
	ctx = connectors.WithSealer(ctx, func(value string) (string, error) {
		sealed++
		if seal, ok := seals[value]; ok {
			return seal, nil
		}
		seal, err := o.vault.Seal(value)
		seals[value] = seal
		return seal, err
	})
	ctx = connectors.WithHasher(ctx, func(value string) (string, error) {
		sealed++
		return o.hash(ctx, value, stored)
	})
	file, err := parser.ParseBytes(text, parser.ParseComments)
	if err != nil {
		return nil, nil, mapping.InWords(err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, nil, errors.New("exactly one document is wanted")
	}
	var doc ConnectionDoc
	if err := decode(ctx, file.Docs[0].Body, &doc); err != nil {
		return nil, nil, err
	}
	c, err := o.build(ctx, doc)
	if err != nil {
		return nil, nil, err
	}
	if sealed > 0 {
		text = []byte(file.String())
	}
	return c, text, nil
}

// hash returns the hash to store of a typed credential: one that is stored already, where that is of the same.
func (o opener) hash(ctx context.Context, value, stored string) (string, error) {
	for _, m := range kept(stored, "argon2id") {
		var known string
		if decode(ctx, m.Values[0].Value, &known) != nil {
			continue
		}
		if same, err := o.hashes.Match(ctx, value, known); err == nil && same {
			return known, nil
		}
	}
	return verify.Hash(value), ctx.Err()
}

// seals returns what a stored document holds sealed with the key in use, by value.
func (o opener) seals(ctx context.Context, stored string) map[string]string {
	known := map[string]string{}
	for _, m := range kept(stored, "sealed") {
		var text string
		var secret connectors.Secret
		if decode(ctx, m.Values[0].Value, &text) != nil || decode(ctx, m, &secret) != nil || !strings.HasPrefix(text, o.vault.Current+":") {
			continue
		}
		if value, err := o.vault.Reveal(secret); err == nil {
			known[value] = text
		}
	}
	return known
}

// kept returns the credentials of a stored document that are kept in one way. In what cannot be read there are none.
func kept(stored, way string) []*ast.MappingNode {
	file, err := parser.ParseBytes([]byte(stored), 0)
	if err != nil {
		return nil
	}
	var found []*ast.MappingNode
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		for _, node := range ast.Filter(ast.MappingType, d.Body) {
			if m, ok := node.(*ast.MappingNode); ok && len(m.Values) == 1 && m.Values[0].Key.String() == way {
				found = append(found, m)
			}
		}
	}
	return found
}

func decode(ctx context.Context, node ast.Node, v any) error {
	err := yaml.NewDecoder(bytes.NewReader(nil), yaml.Strict()).DecodeFromNodeContext(ctx, node, v)
	return mapping.InWords(err)
}

// build opens the connector of a decoded document.
func (o opener) build(ctx context.Context, doc ConnectionDoc) (*connection, error) {
	if err := doc.validate(o.vendors); err != nil {
		return nil, err
	}
	config := o.vendors[doc.Connector]()
	if doc.Settings.node != nil {
		if err := decode(ctx, doc.Settings.node, config); err != nil {
			return nil, err
		}
	}
	client, err := connectors.NewClient(doc.Outbound, o.vault, o.now)
	if err != nil {
		return nil, err
	}
	c := &connection{doc: doc}
	surroundings := connectors.Env{Name: doc.Name, Client: client, Log: o.log.With("connection", doc.Name), Now: o.now}
	if o.keep != nil {
		surroundings.Keep = o.keep(doc.Name)
	}
	c.connector, err = config.Open(surroundings)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	c.noMail = connectors.MailUnproven(c.connector)
	if doc.Identity.Mail != nil {
		c.noMail = !*doc.Identity.Mail
	}
	c.retry = Retry{Attempts: doc.Delivery.Attempts, First: doc.Delivery.First, Longest: doc.Delivery.Longest, IndexLag: connectors.IndexLag(c.connector)}.orDefault()
	if r, ok := connectors.AsReceiver(c.connector); ok {
		c.receiver = r
		env := verify.Env{Vault: o.vault, Now: o.now, Client: client, Hashes: o.hashes}
		if o.tokens != nil {
			env.Tokens = func(ctx context.Context, clientID, token string) error {
				return o.tokens.check(ctx, doc.Name, clientID, token)
			}
		}
		c.verifier, err = verify.New(connectors.DefaultVerification(c.connector), doc.Inbound.Verify, env)
		if err != nil {
			return nil, fmt.Errorf("inbound.verify: %w", err)
		}
		if c.asks() && !c.verifier.Signed() {
			return nil, errors.New("inbound.verify: an answer of people counts only where it is signed: hmac or standard_webhooks")
		}
	}
	c.issuing = rate.NewLimiter(issueRate, issueBurst)
	c.rate, _ = doc.Inbound.Rate.limiter() // both were validated
	c.from, _ = networks(doc.Inbound.From)
	return c, nil
}

func (d *ConnectionDoc) validate(vendors map[string]func() connectors.Config) error {
	var faults []error
	if !documentName.MatchString(d.Name) {
		faults = append(faults, errors.New("name: small letters, digits and dashes, at most 63"))
	}
	if vendors[d.Connector] == nil {
		faults = append(faults, fmt.Errorf("connector: there is no %q%s", d.Connector, among(sortedKeys(vendors))))
	}
	switch d.State {
	case "":
		d.State = stateActive
	case stateActive, statePaused, stateDisabled:
	default:
		faults = append(faults, errors.New("state: active, paused or disabled"))
	}
	if d.Waits < 0 {
		faults = append(faults, errors.New("waits: a length of time"))
	}
	if d.Inbound.Status == 0 {
		d.Inbound.Status = http.StatusAccepted
	}
	if d.Inbound.QuarantineStatus == 0 {
		d.Inbound.QuarantineStatus = http.StatusUnprocessableEntity
	}
	if d.Inbound.Status < 200 || d.Inbound.Status > 599 {
		faults = append(faults, errors.New("inbound.status: an HTTP status from 200 to 599"))
	}
	if d.Inbound.QuarantineStatus < 200 || d.Inbound.QuarantineStatus > 599 {
		faults = append(faults, errors.New("inbound.quarantine_status: an HTTP status from 200 to 599"))
	}
	if o := d.Inbound.Verify.OAuth; o != nil {
		o.ClientID = cmp.Or(o.ClientID, d.Name)
	}
	if d.Inbound.MaxBody == 0 {
		d.Inbound.MaxBody = defaultMaxBody
	}
	if d.Inbound.MaxBody < 0 || d.Inbound.MaxBody > 64<<20 {
		faults = append(faults, errors.New("inbound.max_body: at most 64 MiB"))
	}
	if _, err := d.Inbound.Rate.limiter(); err != nil {
		faults = append(faults, err)
	}
	if _, err := networks(d.Inbound.From); err != nil {
		faults = append(faults, err)
	}
	if d.Delivery.Concurrency == 0 {
		d.Delivery.Concurrency = defaultConcurrency
	}
	if d.Delivery.Concurrency < 0 || d.Delivery.Concurrency > 256 {
		faults = append(faults, errors.New("delivery.concurrency: from 1 to 256"))
	}
	if d.Delivery.Timeout == 0 {
		d.Delivery.Timeout = defaultCallTimeout
	}
	if d.Delivery.Timeout < 0 || d.Delivery.Timeout > 10*time.Minute {
		faults = append(faults, errors.New("delivery.timeout: at most 10m"))
	}
	if d.Watch.Every == 0 {
		d.Watch.Every = defaultWatch
	}
	return errors.Join(faults...)
}
