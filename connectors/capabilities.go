package connectors

import (
	"context"
	"net/http"
	"time"
)

// What a vendor may do besides Ping, one job each. Capabilities are discovered by the functions of do.go and discover.go
// and nowhere else; none is declared a second time. All calls may be repeated after an ambiguous answer; what that means is said
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
	// Reticent is a desk that does not tell of every part of a ticket who changed it, so that what stands there may be
	// anybody's doing. Attributed lists the parts of which it does tell, as rules name them: ticket.status,
	// ticket.fields.answer. all: as it is set up, it tells of everything.
	Reticent interface {
		Attributed() (parts []string, all bool)
	}
	// Sender takes records one way and returns one result a record, in order. An error says that none was taken, as far
	// as the sink told.
	Sender interface {
		Send(ctx context.Context, rs []Record) ([]Result, error)
	}
	// Batcher is a Sender that is better handed many records at once: at most so many, for which the first may wait so
	// long.
	Batcher interface {
		Batch() (most int, linger time.Duration)
	}
	// Asker is a desk that keeps no ticket that could be read back: it puts a request to people, whose verified answers
	// (Vote) are kept by us and judged. Addressees are the mail addresses it puts t to, each of whom gets a link of their
	// own to answer by; nil: whoever sees it, by one link. Its refs name what was sent.
	Asker interface {
		Addressees(t Ticket) []string
	}
	// Resolver tells who bears an account that answered, as the vendor knows them now. ErrNotFound: nobody.
	Resolver interface {
		Resolve(ctx context.Context, account string) (Account, error)
	}
	// Idempotent marks a Creator whose vendor takes a second create with the same key for the first. A ref that its Create
	// returns beside an error with Sent names what some may have before them: they can answer while the create is tried again.
	Idempotent interface {
		CreatesOnce()
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
	// Uncaller is a connector whose settings may give nobody to call, so that its Ping finds nothing out. It tells why in
	// words for doctor; empty where Ping calls somebody.
	Uncaller interface {
		Uncalled() string
	}
	// Ender tells that the vendor ends what c is for, and what to use then; empty where it does not. A Config may tell of what
	// some of its settings would be for.
	Ender interface {
		Ends() string
	}
	// Announcer tells what else an operator should know of c before it matters, as what its success means.
	Announcer interface {
		Notices() []string
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
