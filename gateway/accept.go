package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Refusal is why a request was not taken. Text is for the sender and holds nothing secret.
type Refusal struct {
	Status     int
	Text       string
	Cause      error         // for our log
	Challenge  string        // the scheme asked for in WWW-Authenticate; empty: Basic
	RetryAfter time.Duration // when to come back; 0: it is not said
	Allow      string        // the methods that are taken, of a 405
}

func (r *Refusal) Error() string { return r.Text }
func (r *Refusal) Unwrap() error { return r.Cause }

// Accepted is the answer to a request that was taken: after the commit, and not before.
type Accepted struct {
	Status      int                  `json:"-"`
	Event       string               `json:"event,omitempty"`     // the id of the event; of the first one, when it was known already
	Duplicate   bool                 `json:"duplicate,omitempty"` // the same event arrived before
	Quarantine  string               `json:"quarantine,omitempty"`
	Quarantined bool                 `json:"quarantined,omitempty"`
	Reason      string               `json:"reason,omitempty"` // why it is in quarantine
	Changes     int                  `json:"changes,omitempty"`
	Response    *connectors.Response `json:"-"` // the connector's own answer

	caseID string
}

// MaxBody tells how many bytes a connection reads of a request, and whether there is such a connection.
func (g *Gateway) MaxBody(name string) (int64, bool) {
	c := g.catalogue().connections[name]
	if c == nil || c.receiver == nil {
		return 0, false
	}
	return c.doc.Inbound.MaxBody, true
}

// Accept takes one inbound request of a connection, from either bank: it verifies, decodes and commits. The error is
// a *Refusal, or an internal fault after which the sender should try again. A request that bears no time comes now.
func (g *Gateway) Accept(ctx context.Context, name, pathToken string, r connectors.Request) (Accepted, error) {
	c := g.catalogue().connections[name]
	if c == nil || c.receiver == nil {
		if c != nil && c.fault != nil {
			return Accepted{}, &Refusal{Status: http.StatusServiceUnavailable, Text: "this connection is not usable at the moment", Cause: c.fault}
		}
		return Accepted{}, errGone
	}
	if !slices.Contains([]string{"", http.MethodPost, http.MethodOptions}, r.Method) {
		return Accepted{}, errMethod
	}
	if r.Time.IsZero() {
		r.Time = g.now()
	}
	r, err := g.admit(ctx, c, pathToken, r)
	if err != nil {
		return Accepted{}, err
	}
	if r.Method == http.MethodOptions {
		return c.handshake(ctx, r)
	}
	received, err := c.receiver.Receive(ctx, r)
	if err != nil {
		return g.notUnderstood(ctx, c, r, err)
	}
	arrivals := make([]store.Arrival, len(received.Events))
	for i, e := range received.Events {
		e = c.expiring(e, r.Time)
		normal, err := json.Marshal(e)
		if err != nil {
			return g.quarantine(ctx, c, r, "the event cannot be stored: "+err.Error())
		}
		if reason := c.wrongTenant(e); reason != "" {
			return g.quarantine(ctx, c, r, reason)
		}
		arrivals[i] = arrivalOf(c, r, e, normal)
	}
	accepted, err := g.commit(ctx, c, received, arrivals)
	if err != nil || received.Reply == nil {
		return accepted, err
	}
	state, err := g.caseState(ctx, accepted)
	if err != nil {
		return Accepted{}, err
	}
	answer := received.Reply(state)
	accepted.Response = &answer
	return accepted, nil
}

// errMethod answers a request that can carry no event.
var errMethod = &Refusal{Status: http.StatusMethodNotAllowed, Text: "events are sent by POST", Allow: http.MethodPost}

// handshake lets a connector answer a sender that asks whether it may send. Nothing is stored.
func (c *connection) handshake(ctx context.Context, r connectors.Request) (Accepted, error) {
	received, err := c.receiver.Receive(ctx, r)
	if err != nil || received.Reply == nil || len(received.Events)+len(received.Changes)+len(received.Votes) > 0 {
		return Accepted{}, errMethod
	}
	answer := received.Reply(connectors.CaseState{Outcome: connectors.Pending})
	if answer.Status == http.StatusMethodNotAllowed {
		return Accepted{}, errMethod
	}
	return Accepted{Response: &answer}, nil
}

// caseState is what a synchronous answer may tell: the decision on record, or that there is none yet. Only an approval
// that was judged here, at a desk or by a policy's clock, lets somebody through: not one the source told of, for whoever
// asks is the source, and not one that was taken back.
func (g *Gateway) caseState(ctx context.Context, a Accepted) (connectors.CaseState, error) {
	state := connectors.CaseState{EventID: a.Event, Outcome: connectors.Pending}
	if a.caseID == "" {
		return state, nil
	}
	c, err := g.store.Case(ctx, a.caseID)
	if err != nil {
		return state, fmt.Errorf("read case: %w", err)
	}
	if c.State == caseOpen {
		return state, nil
	}
	d, err := g.store.DecisionOf(ctx, a.caseID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		state.Outcome = connectors.Expired
		return state, nil
	case err != nil:
		return state, err
	}
	state.Outcome = connectors.Outcome(d.Outcome)
	if state.Outcome == connectors.Approved && d.Origin != originDesk && d.Origin != originClock {
		state.Outcome = connectors.Pending
	}
	if _, err := g.store.RevocationOf(ctx, a.caseID); err == nil {
		state.Outcome = connectors.Denied
	} else if !errors.Is(err, store.ErrNotFound) {
		return state, err
	}
	return state, nil
}

func (g *Gateway) notUnderstood(ctx context.Context, c *connection, r connectors.Request, err error) (Accepted, error) {
	if wrong, ok := errors.AsType[*connectors.WrongType](err); ok {
		return Accepted{}, &Refusal{Status: http.StatusUnsupportedMediaType, Text: wrong.Advice}
	}
	if errors.Is(err, connectors.ErrForged) {
		return Accepted{}, &Refusal{Status: http.StatusUnauthorized, Text: wrongCredentials, Cause: err}
	}
	if malformed, ok := errors.AsType[*connectors.Malformed](err); ok {
		return g.quarantine(ctx, c, r, malformed.Reason)
	}
	return Accepted{}, fmt.Errorf("decode request to %s: %w", c.doc.Name, err)
}

// wrongTenant tells why an event of another tenant than the one the connection is bound to is not taken.
func (c *connection) wrongTenant(e connectors.Event) string {
	switch {
	case e.Tenant == c.doc.Tenant:
		return ""
	case c.doc.Tenant == "":
		return fmt.Sprintf("the connection is not bound to a tenant yet; the sender says %q. Set tenant in the Connection document if that is right, then replay", connectors.Clean(e.Tenant, 100))
	case e.Tenant == "":
		return "the event names no tenant, and the connection is bound to one"
	default:
		return fmt.Sprintf("the event is of tenant %q, and the connection is bound to another", connectors.Clean(e.Tenant, 100))
	}
}

func (g *Gateway) quarantine(ctx context.Context, c *connection, r connectors.Request, reason string) (Accepted, error) {
	receipts, err := g.commits.add(ctx, []store.Arrival{{Quarantine: &store.Quarantined{
		Connection: c.doc.Name, Reason: reason, Body: r.Body, ContentType: r.Header.Get("Content-Type"), ReceivedAt: r.Time,
	}}})
	if err != nil {
		return Accepted{}, err
	}
	g.log.Warn("body kept in quarantine", "connection", c.doc.Name, "quarantine", receipts[0].QuarantineID, "reason", reason)
	return Accepted{Status: c.doc.Inbound.QuarantineStatus, Quarantine: receipts[0].QuarantineID, Quarantined: true, Reason: reason}, nil
}

func (g *Gateway) commit(ctx context.Context, c *connection, received connectors.Received, arrivals []store.Arrival) (Accepted, error) {
	accepted := Accepted{Status: c.doc.Inbound.Status, Changes: len(received.Changes)}
	if len(received.Changes) > 0 {
		if err := g.noteChanges(ctx, c.doc.Name, received.Changes); err != nil {
			return Accepted{}, err
		}
	}
	if len(received.Votes) > 0 {
		if err := g.noteAnswers(ctx, c.doc.Name, received.Votes); err != nil {
			return Accepted{}, err
		}
	}
	if len(arrivals) == 0 {
		return accepted, nil
	}
	receipts, err := g.commits.add(ctx, arrivals)
	if err != nil {
		return Accepted{}, err
	}
	accepted.Event, accepted.Duplicate, accepted.caseID = receipts[0].EventID, receipts[0].Duplicate, receipts[0].CaseID
	return accepted, nil
}

// arrival is what is stored of one event.
func arrival(c *connection, r connectors.Request, e connectors.Event) store.Arrival {
	e = c.expiring(e, r.Time)
	return arrivalOf(c, r, e, mustJSON(e))
}

// expiring adds to a request until when its tool waits, where the tool does not say so itself.
func (c *connection) expiring(e connectors.Event, arrived time.Time) connectors.Event {
	if e.Expires.IsZero() && c.doc.Waits > 0 && e.RequestID != "" && e.Decision == nil {
		e.Expires = arrived.Add(c.doc.Waits).UTC().Truncate(time.Millisecond)
	}
	return e
}

// arrivalOf is arrival for an event whose normalised form was written already.
func arrivalOf(c *connection, r connectors.Request, e connectors.Event, normal json.RawMessage) store.Arrival {
	body, contentType := r.Body, r.Header.Get("Content-Type")
	if e.Part != nil { // a batch is not kept whole with each of its events
		body, contentType = e.Part.Body, e.Part.ContentType
	}
	return store.Arrival{
		Parent: e.Parent,
		Event: store.Event{
			Connection: c.doc.Name, Dedupe: e.Dedupe, Kind: e.Kind, Tenant: e.Tenant, RequestID: e.RequestID,
			ReceivedAt: r.Time, Body: body, ContentType: contentType, Normal: normal, Test: e.Test,
		},
		Case: store.Case{
			Connection: c.doc.Name, Tenant: e.Tenant, RequestID: e.RequestID, Kind: e.Kind,
			Requester: string(mustJSON(e.Requester)), Subject: e.Subject, Severity: e.Severity, OpenedAt: r.Time,
		},
	}
}

// value is the event as expressions see it: its normalised form, with the body beside it where that is JSON.
func value(e store.Event) (map[string]any, error) {
	v := map[string]any{}
	if err := json.Unmarshal(e.Normal, &v); err != nil {
		return nil, fmt.Errorf("read stored event %s: %w", e.ID, err)
	}
	var raw any
	if body := bytes.TrimSpace(e.Body); len(body) > 0 && (body[0] == '{' || body[0] == '[') && json.Unmarshal(body, &raw) == nil {
		v["raw"] = raw
	}
	return v, nil
}

// storeArrivals stores what requests brought that arrived together; each request has receipts of its own. A connection
// that was deleted meanwhile takes nothing any more.
func (g *Gateway) storeArrivals(ctx context.Context, tx *store.Tx, requests [][]store.Arrival) ([][]store.Receipt, error) {
	all := requests[0]
	if len(requests) > 1 {
		all = slices.Concat(requests...)
	}
	if err := g.published(ctx, tx, senders(all)...); err != nil {
		return nil, err
	}
	receipts, err := tx.Accept(ctx, all)
	if err != nil {
		return nil, err
	}
	tx.Wake(wakePlan)
	each := make([][]store.Receipt, len(requests))
	for i, r := range requests {
		each[i], receipts = receipts[:len(r)], receipts[len(r):]
	}
	return each, nil
}

// senders names the connections that brought something, each once.
func senders(arrivals []store.Arrival) []string {
	var names []string
	for _, a := range arrivals {
		name := a.Event.Connection
		if a.Quarantine != nil {
			name = a.Quarantine.Connection
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

const wakePlan = "plan"

func wakeConnection(name string) string { return "deliver:" + name }
