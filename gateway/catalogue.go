package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// The kinds of documents.
const (
	kindConnection = "Connection"
	kindRule       = "Rule"
	kindPolicy     = "Policy"
	kindTable      = "Table"
	kindPeople     = "People"
)

// catalogue is everything an admin has published, opened and compiled. It is never changed: a new version of any
// document makes a new catalogue.
type catalogue struct {
	version     int64
	connections map[string]*connection
	clients     map[string]*connection // that take tokens of our own, by client id
	rules       map[string][]*rule     // by source, in order of name
	policies    map[string]policy
	tables      map[string]*mapping.Table
	people      map[string]*mapping.People
	humans      map[string]bool   // names of people
	creating    map[string]string // by name of a rule that creates: its source
}

type policy struct {
	*mapping.PolicyProgram
	version int64
}

func emptyCatalogue() *catalogue {
	return &catalogue{
		connections: map[string]*connection{}, clients: map[string]*connection{}, rules: map[string][]*rule{}, policies: map[string]policy{},
		tables: map[string]*mapping.Table{}, people: map[string]*mapping.People{}, humans: map[string]bool{}, creating: map[string]string{},
	}
}

// rulesFor returns the rules of a source that may match an event of this kind, in order of name.
func (c *catalogue) rulesFor(source, kind string) []*rule {
	all := c.rules[source]
	some := make([]*rule, 0, len(all))
	for _, r := range all {
		if kinds := r.Kinds(); kinds == nil || slices.Contains(kinds, kind) {
			some = append(some, r)
		}
	}
	return some
}

// Fault is what is wrong with one document.
type Fault struct {
	Kind, Name string
	Err        error
	Given      int // which of the texts given it is, from 1; 0: one that was published before
}

// Error gives a line for each single fault, each with the document's name in front.
func (f *Fault) Error() string {
	head := f.Kind + " " + f.Name + ": "
	lines := strings.Split(f.Err.Error(), "\n")
	for i, line := range lines {
		lines[i] = head + strings.TrimPrefix(line, f.Name+": ")
	}
	return strings.Join(lines, "\n")
}

func (f *Fault) Unwrap() error { return f.Err }

// newCatalogue opens and compiles documents. Connections unchanged since the previous catalogue are kept, with their
// tokens and connections. Documents at fault are left out, except that a faulty connection stays known by name; all
// faults are returned.
func newCatalogue(ctx context.Context, o opener, docs []store.Document, version int64, previous *catalogue) (*catalogue, []*Fault) {
	c := emptyCatalogue()
	c.version = version
	var faults []*Fault
	fault := func(d store.Document, err error) {
		if err != nil {
			faults = append(faults, &Fault{Kind: d.Kind, Name: d.Name, Err: err})
		}
	}
	var rules []store.Document
	for _, d := range docs {
		switch d.Kind {
		case kindConnection:
			fault(d, c.addConnection(ctx, o, d, previous))
		case kindPolicy:
			p, err := compilePolicy(d.Text)
			if err == nil {
				c.policies[d.Name] = policy{p, d.Version}
			}
			fault(d, err)
		case kindTable:
			t, err := mapping.ParseTable([]byte(d.Text))
			if err == nil {
				c.tables[d.Name] = t
			}
			fault(d, err)
		case kindPeople:
			fault(d, c.addPeople(d))
		case kindRule:
			if r, err := mapping.ParseRule([]byte(d.Text)); err == nil && r.Create != nil {
				c.creating[d.Name] = r.On
			}
			rules = append(rules, d)
		default:
			fault(d, fmt.Errorf("there is no kind %q; there are Connection, Rule, Policy, Table and People", d.Kind))
		}
	}
	faults = append(faults, c.addClients()...)
	for _, name := range sortedKeys(c.policies) {
		fault(store.Document{Kind: kindPolicy, Name: name}, c.checkPolicy(c.policies[name]))
	}
	for _, d := range rules {
		r, err := c.compile(d)
		fault(d, err)
		if r != nil {
			c.rules[r.Rule().On] = append(c.rules[r.Rule().On], r)
		}
	}
	for _, rs := range c.rules {
		sort.Slice(rs, func(i, j int) bool { return rs[i].Rule().Name < rs[j].Rule().Name })
	}
	return c, faults
}

func (c *catalogue) addConnection(ctx context.Context, o opener, d store.Document, previous *catalogue) error {
	if previous != nil {
		if old := previous.connections[d.Name]; old != nil && old.fault == nil && old.version == d.Version && d.Version != 0 {
			c.connections[d.Name] = old
			return nil
		}
	}
	conn, _, err := o.open(ctx, []byte(d.Text), "")
	if err == nil && conn.doc.Name != d.Name {
		err = fmt.Errorf("the document names itself %q", conn.doc.Name)
	}
	if err != nil {
		c.connections[d.Name] = &connection{doc: ConnectionDoc{Name: d.Name}, version: d.Version, fault: err}
		return err
	}
	conn.version = d.Version
	c.connections[d.Name] = conn
	return nil
}

// addClients finds the connections whose senders ask our token endpoint. A client id names one of them.
func (c *catalogue) addClients() []*Fault {
	var faults []*Fault
	taken := map[string]string{}
	for _, name := range sortedKeys(c.connections) {
		conn := c.connections[name]
		if conn.verifier == nil || conn.verifier.OAuth() == nil {
			continue
		}
		id := conn.verifier.OAuth().ClientID
		if first, ok := taken[id]; ok {
			faults = append(faults, &Fault{Kind: kindConnection, Name: name, Err: fmt.Errorf("inbound.verify.oauth.client_id: %s has the client id %q already", first, id)})
			delete(c.clients, id) // rather nobody than the wrong one
			continue
		}
		taken[id], c.clients[id] = name, conn
	}
	return faults
}

func (c *catalogue) addPeople(d store.Document) error {
	p, err := mapping.ParsePeople([]byte(d.Text))
	if err != nil {
		return err
	}
	c.people[d.Name] = p
	for _, h := range p.People {
		if c.humans[h.Name] {
			return fmt.Errorf("%s stands in another People document already", h.Name)
		}
		c.humans[h.Name] = true
	}
	return nil
}

// compilePolicy reads a policy. Its conditions may see events of any source, so their data is open.
func compilePolicy(text string) (*mapping.PolicyProgram, error) {
	p, err := mapping.ParsePolicy([]byte(text))
	if err != nil {
		return nil, err
	}
	return mapping.CompilePolicy(p, mapping.Env{})
}

// checkPolicy refuses names that stand nowhere: an approver nobody can be is one fewer than the author thinks.
func (c *catalogue) checkPolicy(p policy) error {
	var faults []error
	people := func(path string, a mapping.Approvers) {
		for _, name := range a.People {
			if !c.humans[name] {
				faults = append(faults, fmt.Errorf("%s.people: %s stands in no People document", path, name))
			}
		}
	}
	for _, t := range p.Policy().Terms() {
		people("approvers", t.Approvers)
		if t.Revoke != nil {
			people("revoke", *t.Revoke)
		}
		if t.Deadline == nil {
			continue
		}
		if t.Deadline.Deputy != nil {
			people("deadline.deputy", t.Deadline.Deputy.Approvers)
		}
		if second := t.Deadline.Second; second != nil && c.creating[second.Rule] == "" {
			faults = append(faults, fmt.Errorf("deadline.second.rule: there is no rule %q that creates a ticket%s", second.Rule, among(sortedKeys(c.creating))))
		}
	}
	return errors.Join(faults...)
}

// compile checks a rule against what its source sends and its desk can do.
func (c *catalogue) compile(d store.Document) (*rule, error) {
	r, err := mapping.ParseRule([]byte(d.Text))
	if err != nil {
		return nil, err
	}
	compiled, err := c.program(r)
	if err != nil {
		return nil, err
	}
	out := &rule{Program: compiled, version: d.Version}
	return out, c.checkRule(out)
}

// program compiles a rule with what it need not say where its desk asks people.
func (c *catalogue) program(r *mapping.Rule) (*mapping.Program, error) {
	if r.Create != nil && c.connections[r.Create.At].asks() {
		r.Asks()
	}
	return mapping.Compile(r, c.env(r))
}

func (c *catalogue) env(r *mapping.Rule) mapping.Env {
	env := mapping.Env{Tables: c.tables}
	source := c.connections[r.On]
	if source == nil || source.connector == nil {
		return env
	}
	for _, t := range connectors.Emits(source.connector) {
		if env.Data == nil {
			env.Data = map[string][]mapping.Field{}
		}
		fields := env.Data[t.Kind] // a kind stays known where it declares none
		for _, f := range t.Data {
			fields = append(fields, mapping.Field{Name: f.ID, Type: f.Type, Doc: f.Doc, Allowed: f.Allowed})
		}
		env.Data[t.Kind] = fields
	}
	return env
}

// checkRule refuses what could only fail later: a desk that is not there, an action it cannot do, a decision nobody
// can take or be told.
func (c *catalogue) checkRule(r *rule) error {
	var faults []error
	doc := r.Rule()
	source := c.connections[doc.On]
	if source == nil {
		faults = append(faults, fmt.Errorf("on: there is no connection %q%s", doc.On, among(sortedKeys(c.connections))))
	}
	at, _, kind := r.target()
	desk := c.connections[at]
	if kind == "" {
		return errors.Join(faults...) // a rule may only watch
	}
	if desk == nil {
		faults = append(faults, fmt.Errorf("%s.at: there is no connection %q%s", kind, at, among(sortedKeys(c.connections))))
	} else if desk.connector != nil && !connectors.Can(desk.connector, connectors.ActionKind(kind)) {
		faults = append(faults, fmt.Errorf("%s.at: %s (%s) cannot %s", kind, at, desk.doc.Connector, kind))
	}
	if doc.File() != nil && desk != nil && desk.connector != nil && !connectors.Can(desk.connector, connectors.Attach) {
		faults = append(faults, fmt.Errorf("%s.attach: %s (%s) cannot attach files", kind, at, desk.doc.Connector))
	}
	if doc.Create != nil && doc.Create.Reopen != nil && desk != nil && desk.connector != nil && !connectors.Can(desk.connector, connectors.Transition) {
		faults = append(faults, fmt.Errorf("create.reopen: %s (%s) cannot move tickets", at, desk.doc.Connector))
	}
	if doc.Decision != nil {
		faults = append(faults, c.checkDecision(r, source, desk)...)
	}
	return errors.Join(faults...)
}

func (c *catalogue) checkDecision(r *rule, source, desk *connection) (faults []error) {
	doc := r.Rule()
	p, ok := c.policies[doc.Decision.Policy]
	if !ok {
		faults = append(faults, fmt.Errorf("decision.policy: there is no policy %q%s", doc.Decision.Policy, among(sortedKeys(c.policies))))
	}
	r.policyVersion = p.version
	if ok {
		for _, t := range p.Policy().Terms() {
			if t.Deadline != nil && t.Deadline.Second != nil && c.creating[t.Deadline.Second.Rule] != doc.On {
				faults = append(faults, fmt.Errorf("decision.policy: %s names the rule %s for a second desk, which is not a rule on %s", p.Policy().Name, t.Deadline.Second.Rule, doc.On))
			}
		}
	}
	if source != nil && source.connector != nil && !connectors.Can(source.connector, connectors.Decide) {
		faults = append(faults, fmt.Errorf("decision: %s (%s) cannot be told a decision", doc.On, source.doc.Connector))
	}
	if desk == nil || desk.connector == nil {
		return faults
	}
	if !desk.reads() {
		faults = append(faults, fmt.Errorf("decision: tickets at %s (%s) cannot be read back", desk.doc.Name, desk.doc.Connector))
	}
	if _, can := connectors.AsDirectory(desk.connector); ok && p.UsesGroups() && !can {
		faults = append(faults, fmt.Errorf("decision.policy: %s names groups, and %s (%s) cannot tell who is in one", p.Policy().Name, desk.doc.Name, desk.doc.Connector))
	}
	return append(faults, desk.anybodys(r, p)...)
}

// among lists what there is; a wrong name is nearly always one of a few.
func among(have []string) string {
	if len(have) == 0 {
		return "; there are none yet"
	}
	if len(have) > 8 {
		have = append(slices.Clone(have[:8]), "…")
	}
	return "; there are " + strings.Join(have, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
