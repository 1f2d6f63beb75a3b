package connectors

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what a failed call means for the work behind it. Whether and when to try again is decided from it in one
// place, the gateway's retry.
type Kind int

const (
	Temporary Kind = iota // may work later: 5xx, timeouts, resets, 409, 412
	Throttled             // too fast: 429, or 503 with Retry-After
	Permanent             // will not work by waiting: a missing field, no such project
	Unwell                // the connection, not this call: 401, unreachable, an untrusted certificate
)

func (k Kind) String() string {
	switch k {
	case Throttled:
		return "throttled"
	case Permanent:
		return "permanent"
	case Unwell:
		return "unwell"
	default:
		return "temporary"
	}
}

// Error is what a vendor call failed with. An error that is none of ours counts as Temporary and Sent. Its text names
// what a person must change and never contains a credential, a query string or the body that was sent.
type Error struct {
	Kind       Kind
	Sent       bool          // the vendor may have acted: a create is then in doubt
	Status     int           // HTTP status, 0 when there was no answer
	RetryAfter time.Duration // as the vendor asked, 0 when it did not
	Err        error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Kind.String() + " failure"
	}
	if inner, ok := errors.AsType[*Error](e.Err); e.Status == 0 || (ok && inner.Status == e.Status) {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s (HTTP %d)", e.Err, e.Status)
}

func (e *Error) Unwrap() error { return e.Err }

// Alone tells that what failed says nothing of the next call: it was answered, and neither turned away nor told to wait.
// Who asks about several things goes on with the others.
func (e *Error) Alone() bool {
	return e.Kind == Permanent || e.Kind == Temporary && e.Status >= 500
}

// AsError returns err as an *Error that keeps err's whole text. An error of another type is Temporary and Sent: in
// doubt, closed.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok {
		return e
	}
	if e, ok := errors.AsType[*Error](err); ok {
		outer := *e
		outer.Err = err
		return &outer
	}
	return &Error{Kind: Temporary, Sent: true, Err: err}
}

// Permanently returns a Permanent error that was not sent: the vendor was not asked, or clearly refused.
func Permanently(format string, args ...any) *Error {
	return &Error{Kind: Permanent, Err: fmt.Errorf(format, args...)}
}

var (
	// ErrUnsupported: the connector lacks the capability an action needs.
	ErrUnsupported = errors.New("the connector cannot do this")
	// ErrNotFound: the vendor has no such ticket or request, or we may not see it.
	ErrNotFound = errors.New("not found at the vendor")
	// ErrForged: the request's credentials or signature are missing or wrong.
	ErrForged = errors.New("credentials or signature are missing or wrong")
)

// Malformed is what Receive returns for a body that was authenticated but not understood. The gateway keeps such a
// body in quarantine. Reason is shown to people and contains nothing of the body but field names.
type Malformed struct{ Reason string }

func (m *Malformed) Error() string { return m.Reason }

// Kept is what Decide returns where the vendor has no way to be told: nothing was sent, and the decision stands in our
// record alone. Why is shown on the ticket, as a sentence without its full stop.
type Kept struct{ Why string }

func (k *Kept) Error() string { return k.Why }

// WrongType is what Receive returns for a media type it does not read; it is answered 415. Advice says what to set at
// the sender.
type WrongType struct{ Advice string }

func (w *WrongType) Error() string { return w.Advice }

// Temporarily returns a Temporary error that was not sent: an answer to a question that cannot be used.
func Temporarily(format string, args ...any) *Error {
	return &Error{Kind: Temporary, Err: fmt.Errorf(format, args...)}
}

// InDoubt returns a Temporary error of a change whose answer does not prove it.
func InDoubt(format string, args ...any) *Error {
	return &Error{Kind: Temporary, Sent: true, Err: fmt.Errorf(format, args...)}
}

// Unsent marks the failure of a call that changes nothing.
func Unsent(err error) error {
	if err == nil {
		return nil
	}
	fault := *AsError(err)
	fault.Sent = false
	return &fault
}

// Unconfirmed marks the failure of a read that follows a change.
func Unconfirmed(err error) error {
	fault := *AsError(err)
	fault.Sent = true
	fault.Err = fmt.Errorf("the change was made but not confirmed: %w", fault.Err)
	return &fault
}

// Beside is the failure to read something beside a ticket. That this is not found does not mean that the ticket is gone.
func Beside(err error) error {
	if err == nil {
		return nil
	}
	fault := *AsError(err)
	if errors.Is(err, ErrNotFound) {
		fault.Err = errors.New(fault.Err.Error())
	}
	return &fault
}
