// Package connectors is what Drawbridge knows of vendors: the contract a connector fulfils, and the values that
// cross it. A connector is code for one vendor; a connection is one configured connector with a name.
//
// Read this file for the values, capabilities.go for what a vendor may be able to do, errors.go for how a call
// fails and client.go for the one HTTP exchange. Each vendor is one folder beside this file; builtin lists them.
//
// Security tools are sources: they send events (Receiver) and are told decisions (Decider). Service desks keep
// tickets (Creator and its companions) and report changes (Receiver, Watcher, Fetcher). Nothing here knows rules,
// SQL or the gateway.
package connectors

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Config is what an operator writes for one vendor, decoded from the settings of a Connection document. Open checks
// it, reporting every fault at once, and builds the connector; it makes no call to the vendor.
type Config interface {
	Open(env Env) (Connector, error)
}

// Env is what a connector may use of its surroundings.
type Env struct {
	Name   string           // the connection's name
	Client *Client          // the only way out; limits, proxy, CA and address rules are set on it
	Log    *slog.Logger     // already carries the connection
	Now    func() time.Time // the clock
	Keep   Keeper           // remembers what changes by itself; nil where there is no database
}

// Connector is all a vendor must do: tell whether the connection works, and name what is missing (a permission, a
// scope, a setting). What a vendor can do besides is in capabilities.go.
type Connector interface {
	Ping(ctx context.Context) error
}

// Event is one thing a source told us, in the words rules share across vendors. Data carries the vendor's own
// documented names, whatever the layout of the customer's template.
type Event struct {
	Dedupe    string         `json:"-"`                    // identity within the connection: the same twice is the same event
	Kind      string         `json:"kind"`                 // one of the Kind constants
	Type      string         `json:"type,omitempty"`       // what the vendor calls it
	Tenant    string         `json:"tenant,omitempty"`     // the vendor's tenant, where it has any
	RequestID string         `json:"request_id,omitempty"` // what the source knows the case by; empty: the event has no case
	Parent    string         `json:"parent,omitempty"`     // RequestID of the parent case
	Time      time.Time      `json:"time,omitzero"`        // as the source says; zero when it says nothing
	Expires   time.Time      `json:"expires,omitzero"`     // when the source stops waiting for a decision; zero when it is not known
	Requester Person         `json:"requester,omitzero"`
	Subject   string         `json:"subject,omitempty"` // what is asked for or was found, in one line
	Reason    string         `json:"reason,omitempty"`  // the requester's own words
	Severity  string         `json:"severity,omitempty"`
	URL       string         `json:"url,omitempty"`
	Decision  *Told          `json:"decision,omitempty"` // set on kinds that report a decision
	Data      map[string]any `json:"data,omitempty"`
	Test      bool           `json:"test,omitempty"`   // a sample, marked as such by us
	Polled    bool           `json:"polled,omitempty"` // found by asking, marked as such by us
	Part      *Part          `json:"-"`                // what of the request is its own; nil: all of it
}

// Part is what of a request is one event's own, where the request carries several: what is kept of it.
type Part struct {
	Body        []byte
	ContentType string
}

// Kinds of events. Rules use them across vendors.
const (
	AccessRequested    = "access.requested"
	AccessApproved     = "access.approved"
	AccessDenied       = "access.denied"
	AccessGranted      = "access.granted"
	AccessExpired      = "access.expired"
	AccessFailed       = "access.failed"
	AdminRequested     = "admin.requested"
	AdminApproved      = "admin.approved"
	AdminDenied        = "admin.denied"
	FindingOpened      = "finding.opened"
	FindingResolved    = "finding.resolved"
	FindingDismissed   = "finding.dismissed"
	AssetDiscovered    = "asset.discovered"
	ChangeRequested    = "change.requested"
	ChangeMade         = "change.made" // the source shows that what was asked for is so now; Subject says by what
	Audit              = "audit"
	Anomaly            = "anomaly"
	IntegrationWarning = "integration.warning"
	Test               = "test"
)

// Person is somebody as one system names them. The People document joins names across systems.
type Person struct {
	Account string `json:"account,omitempty"` // stable id or login in that system: CORP\ana, 5b10a2...
	Name    string `json:"name,omitempty"`    // for people to read
	Mail    string `json:"mail,omitempty"`
}

// Told is a decision as a source reports it.
type Told struct {
	Outcome  Outcome   `json:"outcome"`
	By       Person    `json:"by,omitzero"`
	At       time.Time `json:"at,omitzero"`
	Duration Duration  `json:"duration,omitzero"`
}

// Outcome is what was decided.
type Outcome string

const (
	Approved Outcome = "approved"
	Denied   Outcome = "denied"
	Pending  Outcome = "pending" // only from StateReader: the source still waits
	Expired  Outcome = "expired" // only from StateReader: the source no longer takes a decision
)

// Duration is for how long access is given. The zero value leaves it to the source.
type Duration struct {
	Once   bool          `json:"once,omitempty"`
	Length time.Duration `json:"length,omitempty"` // nanoseconds
}

// Decision is what a source is told. It carries every id a vendor may ask for, so that no connector needs a store.
type Decision struct {
	Kind      string            `json:"kind"` // the kind of event that opened the case: access.requested, admin.requested
	Tenant    string            `json:"tenant,omitempty"`
	RequestID string            `json:"request_id"`
	IDs       map[string]string `json:"ids,omitempty"` // further ids of the opening event, by the vendor's names (Identifier)
	Outcome   Outcome           `json:"outcome"`
	By        Person            `json:"by"`
	At        time.Time         `json:"at"`
	Duration  Duration          `json:"duration,omitzero"`
	Reason    string            `json:"reason,omitempty"`
	Ticket    Ref               `json:"ticket"`
}

// State is what a source says about a request when asked.
type State struct {
	Outcome Outcome
	By      string
	At      time.Time
}

// Ref points at a ticket at a desk.
type Ref struct {
	ID  string `json:"id"`            // the desk's own id: survives moves and renames
	Key string `json:"key,omitempty"` // what people say: SEC-42
	URL string `json:"url,omitempty"` // for a browser
}

// Ticket is what a desk is asked to keep. Description is Markdown; each desk renders it in its own format and cuts
// at its own limits, on rune boundaries.
type Ticket struct {
	Project     string         `json:"project,omitempty"`
	Type        string         `json:"type,omitempty"`
	Summary     string         `json:"summary,omitempty"`
	Description string         `json:"description,omitempty"`
	Priority    string         `json:"priority,omitempty"`
	Labels      []string       `json:"labels,omitempty"`
	Fields      map[string]any `json:"fields,omitempty"` // the desk's own field ids

	// Links are where an Asker's people answer, by mail address; under "" for whoever sees it. They are made at delivery
	// and never stored. Each is a secret of its own.
	Links map[string]string `json:"-"`
	// LinksShow: nobody can sign in and answer by the links. They only show where else the request stands.
	LinksShow bool `json:"-"`
}

// Note is a comment. Body is Markdown. Notes are internal unless Public. Key identifies the note among those we
// wrote, so that a second try after a lost answer can be recognised where the desk keeps such a mark.
type Note struct {
	Key    string `json:"key,omitempty"`
	Body   string `json:"body"`
	Public bool   `json:"public,omitempty"`

	Asked *Ticket `json:"-"` // what an Asker put to people; filled in at delivery, nil where it is not known any more
}

// Move asks for a ticket to be brought to a status, with the fields its screen demands.
type Move struct {
	Status string         `json:"status"`
	Fields map[string]any `json:"fields,omitempty"`
	Note   *Note          `json:"note,omitempty"`
	After  string         `json:"after,omitempty"` // what the gateway asks for only as long as nobody has moved the ticket since; nothing to a connector

	Asked *Ticket `json:"-"` // as for a Note
}

// Record is one thing sent one way to a sink: what a rule made of an event, or nothing where the sink has a form of its
// own for events.
type Record struct {
	EventID string         `json:"event_id"`
	Source  string         `json:"source"`          // the connection the event came from
	Group   string         `json:"group,omitempty"` // the case: records of one group reach the sink in order
	At      time.Time      `json:"at"`              // when it happened; when it was received where the source does not say
	Event   map[string]any `json:"event"`           // as expressions see it, without raw
	Data    map[string]any `json:"data,omitempty"`  // the rule's; nil: the sink's own form
}

// Result is what became of one Record.
type Result struct {
	ID  string // the sink's id for it, where it gives one
	Err error  // nil when taken
}

// Account is somebody as a desk names them in a ticket's history.
type Account struct {
	Person
	Ours       bool `json:"ours,omitempty"`       // the account we work with
	Automation bool `json:"automation,omitempty"` // an app, a rule or a service account, where the desk tells
}

// Snapshot is a ticket as fetched with our credentials. It is evidence: a connector reports what the desk says and
// judges nothing.
type Snapshot struct {
	Ref      Ref    `json:"ref"`
	Key      string `json:"key"`  // our key as found on the ticket; empty: it carries none
	Ours     bool   `json:"ours"` // created by the account we work with
	Status   string `json:"status"`
	Category string `json:"category,omitempty"` // the desk's status category: new, open, done in its own words
	Summary  string `json:"summary,omitempty"`
	Priority string `json:"priority,omitempty"`
	// Description is the text as the desk keeps it, in the desk's own format: to notice edits, not to show.
	Description string         `json:"description,omitempty"`
	Fields      map[string]any `json:"fields,omitempty"`
	Creator     Account        `json:"creator"`
	Created     time.Time      `json:"created"`
	Updated     time.Time      `json:"updated"`
	History     []Step         `json:"history"` // oldest first, complete: a connector that cannot read all of it fails
	Approvals   []Approval     `json:"approvals,omitempty"`
	Files       []FileInfo     `json:"files,omitempty"`
}

// Step is one entry of a ticket's history: one field changed by one account.
type Step struct {
	ID    string    `json:"id"` // stable at the desk
	At    time.Time `json:"at"`
	By    Account   `json:"by"`
	Field string    `json:"field"` // status, summary, description and priority as a Snapshot names them, else the desk's field id
	From  string    `json:"from"`
	To    string    `json:"to"`
}

// Approval is one person's part in a desk's native approval. A desk may ask several times; entries are in the order
// asked, and those with the same ID belong to one approval.
type Approval struct {
	ID      string    `json:"id"`
	By      Account   `json:"by"`
	Outcome Outcome   `json:"outcome"` // what this person answered; Pending until then
	At      time.Time `json:"at,omitzero"`
	Final   Outcome   `json:"final"` // what the approval as a whole came to; Pending while the desk waits
}

// FileInfo describes an attachment found on a ticket.
type FileInfo struct {
	ID   string    `json:"id"`
	Name string    `json:"name"`
	Size int64     `json:"size"`
	By   Account   `json:"by"`
	At   time.Time `json:"at"`
}

// Change is a desk's claim that a ticket moved. It carries no truth, only the reason to read the ticket again.
type Change struct {
	Ref Ref       `json:"ref"`
	ID  string    `json:"id,omitempty"` // the desk's id of the notice, the same across its retries
	At  time.Time `json:"at,omitzero"`  // when the desk says it changed
}

// Vote is a verified answer given where there is no ticket. The ID is the vendor's for this one answer: the same answer
// told again changes nothing.
type Vote struct {
	ID       string    `json:"id"`
	Key      string    `json:"key"`          // our key, as carried by what was answered
	Ref      Ref       `json:"ref,omitzero"` // what was answered, as Create named it; empty where the vendor does not tell
	By       Account   `json:"by"`
	Outcome  Outcome   `json:"outcome"`
	Reason   string    `json:"reason,omitempty"`
	Duration string    `json:"duration,omitempty"` // as a rule's decision reads it: once, 1h, 30m
	At       time.Time `json:"at,omitzero"`        // when the vendor says it was given; zero: when we received it
}

// Request is an inbound HTTP request after its credentials were verified.
type Request struct {
	Method string
	URL    *url.URL // without the parts that carry credentials
	Header http.Header
	Body   []byte
	Peer   netip.Addr
	Time   time.Time // when we received it

	Certificate *x509.Certificate // the client's, as our own listener verified it; nil: none
	Proxied     bool              // it came through a trusted proxy, whose headers are believed
}

// Received is what a request turned out to carry. Reply, when set, makes the answer after everything was committed;
// nil is the default answer.
type Received struct {
	Events  []Event
	Changes []Change
	Votes   []Vote
	Reply   func(CaseState) Response
}

// CaseState is what a synchronous reply may depend on.
type CaseState struct {
	EventID string
	Outcome Outcome // Pending until decided
}

// Response is an answer a connector gives in place of the default one.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Cursor is how far a Watcher or Directory has read; its text is the connector's own. Empty means from now.
type Cursor string

// Place is where tickets of one kind are kept: a project and a type at Jira, a table at ServiceNow.
type Place struct {
	Project string `json:"project"`
	Type    string `json:"type"`
}

// Schema is what a desk accepts at one Place.
type Schema struct {
	Fields   []Field  `json:"fields"`
	Open     bool     `json:"open,omitempty"` // there may be fields besides, which the desk does not tell of
	Statuses []string `json:"statuses"`       // reachable statuses, by name
	File     int64    `json:"file,omitempty"` // bytes of the largest attachment; 0: the desk does not tell
	Rate     string   `json:"rate,omitempty"` // how many calls the desk takes, in words
}

// Field describes one field of a ticket or of an event's data.
type Field struct {
	ID       string   `json:"id"`
	Name     string   `json:"name,omitempty"`
	Type     string   `json:"type"` // text, number, bool, time, list, object, any
	Required bool     `json:"required,omitempty"`
	FormOnly bool     `json:"form_only,omitempty"` // required where people fill in the desk's form; a ticket of ours is taken without
	Part     string   `json:"part,omitempty"`      // the part of a Ticket that fills it: summary, description, priority, labels
	Max      int      `json:"max,omitempty"`       // how much of a text is kept, in characters; the rest is cut; 0: not known
	Allowed  []string `json:"allowed,omitempty"`
	Doc      string   `json:"doc,omitempty"`
}
