package connectors

import (
	"context"
	"time"
)

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

// Attributed tells of which parts of a ticket c tells who changed them.
func Attributed(c Connector) (parts []string, all bool) {
	if r, ok := c.(Reticent); ok {
		return r.Attributed()
	}
	return nil, true
}

// AsAsker also tells whether answers are ours to keep.
func AsAsker(c Connector) (Asker, bool) { a, ok := c.(Asker); return a, ok }

func AsResolver(c Connector) (Resolver, bool) { r, ok := c.(Resolver); return r, ok }

// CreatesOnce tells whether a create may be repeated although nobody knows what became of it.
func CreatesOnce(c Connector) bool { _, ok := c.(Idempotent); return ok }

// Batch tells how many records c is handed at once, and how long the first may wait for more.
func Batch(c Connector) (most int, linger time.Duration) {
	if b, ok := c.(Batcher); ok {
		return b.Batch()
	}
	return 1, 0
}

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

// Uncalled is why c's Ping calls nobody; empty where it does.
func Uncalled(c Connector) string {
	if u, ok := c.(Uncaller); ok {
		return u.Uncalled()
	}
	return ""
}

// Ends is the end of what c is for, a Connector or a Config; empty where none is known.
func Ends(c any) string {
	if e, ok := c.(Ender); ok {
		return e.Ends()
	}
	return ""
}

// Notices lists what an operator should know of c, its end first; nil where there is nothing.
func Notices(c Connector) (list []string) {
	if text := Ends(c); text != "" {
		list = append(list, text)
	}
	if a, ok := c.(Announcer); ok {
		list = append(list, a.Notices()...)
	}
	return list
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
	_, asks := AsAsker(c)
	_, samples := c.(Sampler)
	var can []string
	for _, one := range []struct {
		name string
		has  bool
	}{
		{"receive", receives}, {"create", Can(c, Create)}, {"find", CanFind(c)}, {"update", Can(c, Update)}, {"comment", Can(c, Comment)},
		{"transition", Can(c, Transition)}, {"attach", Can(c, Attach)}, {"fetch", CanFetch(c)}, {"ask", asks}, {"watch", watches}, {"subscribe", subscribes}, {"describe", describes},
		{"directory", knowsPeople}, {"send", Can(c, Send)}, {"decide", Can(c, Decide)}, {"revoke", Can(c, Revoke)}, {"state", CanAskState(c)},
		{"poll", polls}, {"sample", samples},
	} {
		if one.has {
			can = append(can, one.name)
		}
	}
	return can
}
