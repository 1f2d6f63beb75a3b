package connectors

import (
	"context"
	"fmt"
)

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
	case Send:
		return len(a.Records) > 0
	case Decide, Revoke:
		return a.Decision != nil
	default:
		return true
	}
}

// send fails with the first record that was not taken; Done tells which were. The failure counts as sent where another
// record was taken.
func send(ctx context.Context, c Connector, a Action) (Done, error) {
	results, err := SendAll(ctx, c, a.Records)
	done := Done{Results: results}
	if err != nil {
		return done, err
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

// SendAll hands records to c. It returns one result a record, in their order, or an error: that none was taken, as far
// as the sink told.
func SendAll(ctx context.Context, c Connector, rs []Record) ([]Result, error) {
	s, ok := c.(Sender)
	if !ok {
		return nil, Permanently("%s: %w", Send, ErrUnsupported)
	}
	results, err := s.Send(ctx, rs)
	if err == nil && len(results) != len(rs) {
		err = &Error{Kind: Temporary, Sent: true, Err: fmt.Errorf("send: %d results for %d records", len(results), len(rs))}
	}
	if err != nil {
		return nil, err
	}
	return results, nil
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
