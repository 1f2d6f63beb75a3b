package connectors

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// What a vendor may do besides Ping, one job each. Capabilities are discovered by the functions below and nowhere
// else; none is declared a second time. All calls may be repeated after an ambiguous answer; what that means is said
// with each.
type (
	// Creator opens a ticket and leaves key on it in a way Find and Fetch can read back.
	Creator interface {
		Create(ctx context.Context, key string, t Ticket) (Ref, error)
	}
	// Finder returns the tickets that carry key and were created by the account we work with, oldest first. Clones
	// made by others copy labels and are left out. An index may lag: an empty answer proves nothing.
	Finder interface {
		Find(ctx context.Context, key string) ([]Ref, error)
	}
	// Updater changes fields; a zero field of t is left as it is.
	Updater interface {
		Update(ctx context.Context, ref Ref, t Ticket) error
	}
	Commenter interface {
		Comment(ctx context.Context, ref Ref, n Note) error
	}
	// Transitioner brings a ticket to a status; a ticket already there is left alone and reported as done.
	Transitioner interface {
		Transition(ctx context.Context, ref Ref, m Move) error
	}
	Attacher interface {
		Attach(ctx context.Context, ref Ref, f File) error
	}
	// Fetcher reads a ticket with its whole history.
	Fetcher interface {
		Fetch(ctx context.Context, ref Ref) (Snapshot, error)
	}
	// Watcher tells which tickets changed since the cursor, and where to go on. It may report a ticket twice and must
	// not miss one. open lists the tickets of open cases for desks where asking by id is cheaper than searching.
	Watcher interface {
		Watch(ctx context.Context, since Cursor, open []Ref) ([]Change, Cursor, error)
	}
	// Describer tells what a desk accepts at one place.
	Describer interface {
		Describe(ctx context.Context, at Place) (Schema, error)
	}
	// Receiver decodes a request whose credentials were verified before. A body it does not understand is *Malformed,
	// a media type it does not read is *WrongType.
	Receiver interface {
		Receive(ctx context.Context, r Request) (Received, error)
	}
	// Subscriber asks its vendor for webhooks and keeps them alive. notices is the address our webhooks are received at.
	// It is called by the one replica that works the connection, at first and whenever the time it returned has passed;
	// called twice, it leaves one webhook.
	Subscriber interface {
		Subscribe(ctx context.Context, notices string) (again time.Duration, err error)
	}
	// Directory tells a person's groups by their account, and the people a desk knows.
	Directory interface {
		Groups(ctx context.Context, account string) ([]string, error)
		People(ctx context.Context, since Cursor) ([]Person, Cursor, error)
	}
	// Unproven marks a desk whose people may give themselves any mail address without proving that it is theirs. The
	// address then tells nobody who they are, unless an admin says that it does.
	Unproven interface {
		MailUnproven()
	}
	// Sender takes records one way and returns one result a record, in order.
	Sender interface {
		Send(ctx context.Context, rs []Record) ([]Result, error)
	}
	// Decider tells a source what was decided. *Kept says that this decision has nobody who could be told.
	Decider interface {
		Decide(ctx context.Context, d Decision) error
	}
	// Revoker takes back access that a source granted after d. It is an action of its own, never a second decision.
	Revoker interface {
		Revoke(ctx context.Context, d Decision) error
	}
	// StateReader asks a source what it knows of the request a decision is about.
	StateReader interface {
		State(ctx context.Context, d Decision) (State, error)
	}
	// Poller asks a source what became of requests, for webhooks that were lost or that it does not send. Each decision
	// stands for a request: what was decided here, or Pending, and when; without a decision, when its case was opened.
	// Poll returns what is news as events, like those its webhooks bring, and does so for what it learned before it
	// failed. It may tell the same again. One request that cannot be asked about must not keep it from the others.
	Poller interface {
		Poll(ctx context.Context, about []Decision) ([]Event, error)
	}
	// Follower is a Poller that also looks whether what was approved came to pass: it is asked about such requests for
	// as long after the decision, until it tells of ChangeMade.
	Follower interface {
		Follows() time.Duration
	}
	// Emitter lists the event kinds a source sends, with the fields of their data, for rules to be checked against.
	Emitter interface {
		Emits() []EventType
	}
	// Identifier names the fields of an event's data that a decision must carry back besides the RequestId.
	Identifier interface {
		Identifiers() []string
	}
	// Lagger tells how long after a create the search may still miss the ticket.
	Lagger interface {
		IndexLag() time.Duration
	}
	// Signer gives the vendor's defaults for how its inbound requests are verified.
	Signer interface {
		Verification() Verification
	}
	// Marker lists the settings in use that rest on no documented fact, in words for doctor.
	Marker interface {
		Unverified() []string
	}
	// Sampler offers payloads as the vendor documents them, to try a connection with. They are received as they are.
	Sampler interface {
		Samples() []Sample
	}
	// Exampler is a Config that shows the least an operator has to write: the settings of a Connection document, which
	// open as they are.
	Exampler interface {
		Example() string
	}
	// Scripter is a Config of a desk that cannot be told by settings alone to notify us: it gives the text an admin
	// puts there, and in its first lines says where. notices is the address our webhooks are received at; a secret is
	// never part of the text.
	Scripter interface {
		DeskScript(notices string) string
	}
)

// EventType is one kind of event and the fields its Data may have.
type EventType struct {
	Kind string  `json:"kind"`
	Data []Field `json:"data"`
}

// Sample is one payload of a source, without credentials.
type Sample struct {
	Kind        string      // of the event it becomes
	Name        string      // tells samples of one source apart
	ContentType string      // empty: application/json
	Header      http.Header // besides the content type
	Query       string      // of the URL it is sent to
	Body        []byte
	Template    string // what is entered at the vendor so that it sends such a payload; empty where it needs nothing
}

// ActionKind is what an action asks of a vendor.
type ActionKind string

const (
	Create     ActionKind = "create"
	Update     ActionKind = "update"
	Comment    ActionKind = "comment"
	Transition ActionKind = "transition"
	Attach     ActionKind = "attach"
	Send       ActionKind = "send"
	Decide     ActionKind = "decide"
	Revoke     ActionKind = "revoke"
)

// Action is what is owed to a vendor. It is rendered once, stored with its delivery and sent unchanged on every try.
// Exactly the part its kind needs is set; a Ref left empty is filled in from the link at delivery.
type Action struct {
	Kind     ActionKind `json:"kind"`
	Key      string     `json:"key,omitempty"` // the link's key: create
	Ref      Ref        `json:"ref,omitzero"`
	Ticket   *Ticket    `json:"ticket,omitempty"`   // create, update
	Note     *Note      `json:"note,omitempty"`     // comment
	Move     *Move      `json:"move,omitempty"`     // transition
	File     *File      `json:"file,omitempty"`     // attach
	Records  []Record   `json:"records,omitempty"`  // send
	Decision *Decision  `json:"decision,omitempty"` // decide, revoke
}

// Done is what an action left behind. Ref is the ticket of a create. Twins are further tickets found with the same
// key: they must be closed and can never decide. Results is one a record of a send, in order.
type Done struct {
	Ref     Ref
	Found   bool // the create found the ticket there already
	Twins   []Ref
	Results []Result
}

// Do performs one action on c. A create looks for a ticket with our key first where c can, so that doing it twice
// leaves one ticket.
func Do(ctx context.Context, c Connector, a Action) (Done, error) {
	if !Can(c, a.Kind) {
		return Done{}, Permanently("%s: %w", a.Kind, ErrUnsupported)
	}
	if !a.Whole() {
		return Done{}, Permanently("%s: the action lacks the part its kind needs", a.Kind)
	}
	switch a.Kind {
	case Create:
		return create(ctx, c, a)
	case Update:
		return Done{}, c.(Updater).Update(ctx, a.Ref, *a.Ticket)
	case Comment:
		return Done{}, c.(Commenter).Comment(ctx, a.Ref, *a.Note)
	case Transition:
		return Done{}, c.(Transitioner).Transition(ctx, a.Ref, *a.Move)
	case Attach:
		return Done{}, c.(Attacher).Attach(ctx, a.Ref, *a.File)
	case Send:
		return send(ctx, c, a)
	case Decide:
		return Done{}, c.(Decider).Decide(ctx, *a.Decision)
	case Revoke:
		return Done{}, c.(Revoker).Revoke(ctx, *a.Decision)
	default:
		return Done{}, Permanently("%s: %w", a.Kind, ErrUnsupported)
	}
}

// Whole tells whether a carries the part its kind needs. Without a key a create could not be found again.
func (a Action) Whole() bool {
	switch a.Kind {
	case Create:
		return a.Key != "" && a.Ticket != nil
	case Update:
		return a.Ticket != nil
	case Comment:
		return a.Note != nil
	case Transition:
		return a.Move != nil
	case Attach:
		return a.File != nil
	case Decide, Revoke:
		return a.Decision != nil
	default:
		return true
	}
}

// send fails with the first record that was not taken; Done tells which were. The failure counts as sent where another
// record was taken.
func send(ctx context.Context, c Connector, a Action) (Done, error) {
	results, err := c.(Sender).Send(ctx, a.Records)
	done := Done{Results: results}
	if err != nil {
		return done, err
	}
	if len(results) != len(a.Records) {
		return done, &Error{Kind: Temporary, Sent: true, Err: fmt.Errorf("send: %d results for %d records", len(results), len(a.Records))}
	}
	taken := false
	for _, r := range results {
		taken = taken || r.Err == nil
		if err == nil {
			err = r.Err
		}
	}
	if err == nil {
		return done, nil
	}
	e := *AsError(err)
	e.Sent = e.Sent || taken
	return done, &e
}

func create(ctx context.Context, c Connector, a Action) (Done, error) {
	found, err := Find(ctx, c, a.Key)
	if err != nil {
		e := *AsError(err)
		e.Sent = false // a search makes no ticket
		return Done{}, &e
	}
	if len(found) > 0 {
		return Done{Ref: found[0], Found: true, Twins: found[1:]}, nil
	}
	ref, err := c.(Creator).Create(ctx, a.Key, *a.Ticket)
	return Done{Ref: ref}, err
}

// Can tells whether c can perform actions of kind k.
func Can(c Connector, k ActionKind) bool {
	var ok bool
	switch k {
	case Create:
		_, ok = c.(Creator)
	case Update:
		_, ok = c.(Updater)
	case Comment:
		_, ok = c.(Commenter)
	case Transition:
		_, ok = c.(Transitioner)
	case Attach:
		_, ok = c.(Attacher)
	case Send:
		_, ok = c.(Sender)
	case Decide:
		_, ok = c.(Decider)
	case Revoke:
		_, ok = c.(Revoker)
	}
	return ok
}

// CanFind tells whether c can search for a ticket by our key.
func CanFind(c Connector) bool { _, ok := c.(Finder); return ok }

// Find returns the tickets with our key, none where c cannot search.
func Find(ctx context.Context, c Connector, key string) ([]Ref, error) {
	f, ok := c.(Finder)
	if !ok {
		return nil, nil
	}
	return f.Find(ctx, key)
}

// CanFetch tells whether c can read a ticket back.
func CanFetch(c Connector) bool { _, ok := c.(Fetcher); return ok }

// Fetch reads a ticket, or reports ErrUnsupported.
func Fetch(ctx context.Context, c Connector, ref Ref) (Snapshot, error) {
	f, ok := c.(Fetcher)
	if !ok {
		return Snapshot{}, Permanently("fetch: %w", ErrUnsupported)
	}
	return f.Fetch(ctx, ref)
}

// CanAskState tells whether c can be asked what it knows of a request.
func CanAskState(c Connector) bool { _, ok := c.(StateReader); return ok }

// AskState asks a source about a request; ok is false where it cannot be asked.
func AskState(ctx context.Context, c Connector, d Decision) (s State, ok bool, err error) {
	r, ok := c.(StateReader)
	if !ok {
		return State{}, false, nil
	}
	s, err = r.State(ctx, d)
	return s, true, err
}

// AsReceiver returns c as a Receiver where it is one. The functions below do the same for the other capabilities
// that are asked for by interface.
func AsReceiver(c Connector) (Receiver, bool) { r, ok := c.(Receiver); return r, ok }

func AsWatcher(c Connector) (Watcher, bool) { w, ok := c.(Watcher); return w, ok }

// AsPoller also tells for how long after an approval it wants to be asked on; 0: not at all.
func AsPoller(c Connector) (p Poller, follows time.Duration, ok bool) {
	if p, ok = c.(Poller); !ok {
		return nil, 0, false
	}
	if f, can := c.(Follower); can {
		follows = f.Follows()
	}
	return p, follows, true
}

func AsSubscriber(c Connector) (Subscriber, bool) { s, ok := c.(Subscriber); return s, ok }

func AsDirectory(c Connector) (Directory, bool) { d, ok := c.(Directory); return d, ok }

// MailUnproven tells whether anybody at c may bear anybody's mail address.
func MailUnproven(c Connector) bool { _, yes := c.(Unproven); return yes }

func AsDescriber(c Connector) (Describer, bool) { d, ok := c.(Describer); return d, ok }

// Emits lists what c sends, nil where it is no source.
func Emits(c Connector) []EventType {
	if e, ok := c.(Emitter); ok {
		return e.Emits()
	}
	return nil
}

// Identifiers names the data fields a decision carries back.
func Identifiers(c Connector) []string {
	if i, ok := c.(Identifier); ok {
		return i.Identifiers()
	}
	return nil
}

// defaultIndexLag is for desks that do not tell theirs.
const defaultIndexLag = 2 * time.Minute

// IndexLag tells how long Find may miss a ticket that was just created.
func IndexLag(c Connector) time.Duration {
	if l, ok := c.(Lagger); ok {
		return l.IndexLag()
	}
	return defaultIndexLag
}

// DefaultVerification returns the vendor's defaults, zero where it has none.
func DefaultVerification(c Connector) Verification {
	if s, ok := c.(Signer); ok {
		return s.Verification()
	}
	return Verification{}
}

// Unverified lists the settings of c that rest on no documented fact.
func Unverified(c Connector) []string {
	if m, ok := c.(Marker); ok {
		return m.Unverified()
	}
	return nil
}

// Samples offers payloads to try c with, none where it has none.
func Samples(c Connector) []Sample {
	if s, ok := c.(Sampler); ok {
		return s.Samples()
	}
	return nil
}

// Example returns the least settings of c, empty where it shows none.
func Example(c Config) string {
	if e, ok := c.(Exampler); ok {
		return e.Example()
	}
	return ""
}

// Capabilities names what c can do besides Ping, in the order of a request's way through it.
func Capabilities(c Connector) []string {
	_, receives := AsReceiver(c)
	_, watches := AsWatcher(c)
	_, describes := AsDescriber(c)
	_, subscribes := AsSubscriber(c)
	_, knowsPeople := AsDirectory(c)
	_, _, polls := AsPoller(c)
	_, samples := c.(Sampler)
	var can []string
	for _, one := range []struct {
		name string
		has  bool
	}{
		{"receive", receives}, {"create", Can(c, Create)}, {"find", CanFind(c)}, {"update", Can(c, Update)}, {"comment", Can(c, Comment)},
		{"transition", Can(c, Transition)}, {"attach", Can(c, Attach)}, {"fetch", CanFetch(c)}, {"watch", watches}, {"subscribe", subscribes}, {"describe", describes},
		{"directory", knowsPeople}, {"send", Can(c, Send)}, {"decide", Can(c, Decide)}, {"revoke", Can(c, Revoke)}, {"state", CanAskState(c)},
		{"poll", polls}, {"sample", samples},
	} {
		if one.has {
			can = append(can, one.name)
		}
	}
	return can
}
