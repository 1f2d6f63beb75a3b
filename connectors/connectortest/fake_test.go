package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// fake is a connector for standin that can do everything. Each flaw breaks one promise.
type fake struct {
	client *connectors.Client
	base   string
	flaw   flaw
}

type flaw int

const (
	none         flaw = iota
	plainErrors       // errors of the vendor as plain text
	everSent          // a refusal counts as sent
	neverSent         // a doubt counts as not sent
	leaks             // errors hold the credential
	forgetsWaits      // Retry-After is dropped
	trustsStatus      // whatever comes with 200 is taken
	detached          // calls go on when they are stopped
	blindFind         // Find never finds
	wideFind          // Find finds every ticket
	lostKey           // the key does not come back
	staysOpen         // Transition does nothing
	deafWatch         // Watch tells nothing
	lostDecision      // Decide does nothing
	fewResults        // Send leaves a result out
	panics            // Comment panics
	anyBody           // Receive takes any body
	quotesEvent       // Receive repeats the body in its error
	noDedupe          // events cannot be told apart
	undeclared        // events carry data Emits does not know
	looseSecret       // the signature's header is another one
)

func (f *fake) is(x flaw) bool { return f.flaw == x }

func (f *fake) do(ctx context.Context, name, method, path string, in, out any) error {
	if f.is(detached) {
		ctx = context.WithoutCancel(ctx)
	}
	answer, err := f.client.Do(ctx, connectors.Call{Name: name, Method: method, URL: f.base + path, JSON: in})
	if err == nil {
		err = answer.DecodeJSON(name, out)
		if f.is(trustsStatus) {
			err = nil
		}
		return f.bend(err)
	}
	return f.bend(err)
}

// bend breaks an error as the flaw wants.
func (f *fake) bend(err error) error {
	if err == nil {
		return nil
	}
	e := *connectors.AsError(err)
	switch f.flaw {
	case plainErrors:
		return errors.New(err.Error())
	case leaks:
		e.Err = errors.New("refused to " + Canary)
	case everSent:
		e.Sent = true
	case neverSent:
		e.Sent = false
	case forgetsWaits:
		e.RetryAfter = 0
	}
	return &e
}

func (f *fake) Ping(ctx context.Context) error {
	var out map[string]any
	return f.do(ctx, "ping", "GET", "/me", nil, &out)
}

func (f *fake) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if f.is(lostKey) {
		key = ""
	}
	var out ticket
	err := f.do(ctx, "create", "POST", "/tickets", map[string]any{"key": key, "summary": t.Summary}, &out)
	return connectors.Ref{ID: out.ID}, err
}

func (f *fake) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	if f.is(wideFind) {
		key = ""
	}
	var out []ticket
	err := f.do(ctx, "find", "GET", "/tickets?key="+url.QueryEscape(key), nil, &out)
	var refs []connectors.Ref
	for _, t := range out {
		refs = append(refs, connectors.Ref{ID: t.ID})
	}
	if f.is(blindFind) {
		refs = nil
	}
	return refs, err
}

func (f *fake) change(ctx context.Context, name string, ref connectors.Ref, in map[string]any) error {
	var out ticket
	return f.do(ctx, name, "POST", "/tickets/"+ref.ID, in, &out)
}

func (f *fake) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	return f.change(ctx, "update", ref, map[string]any{"summary": t.Summary})
}

func (f *fake) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	if f.is(panics) {
		panic("no")
	}
	return f.change(ctx, "comment", ref, map[string]any{"comment": n.Body})
}

func (f *fake) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	if f.is(staysOpen) {
		return f.change(ctx, "transition", ref, nil)
	}
	return f.change(ctx, "transition", ref, map[string]any{"status": m.Status})
}

func (f *fake) Attach(ctx context.Context, ref connectors.Ref, file connectors.File) error {
	return f.change(ctx, "attach", ref, map[string]any{"file": file.Content})
}

func (f *fake) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	var out ticket
	err := f.do(ctx, "fetch", "GET", "/tickets/"+ref.ID, nil, &out)
	return connectors.Snapshot{Ref: connectors.Ref{ID: out.ID}, Key: out.Key, Ours: true, Status: out.Status}, err
}

func (f *fake) Watch(ctx context.Context, since connectors.Cursor, _ []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	var out []ticket
	err := f.do(ctx, "watch", "GET", "/tickets", nil, &out)
	from, _ := strconv.Atoi(string(since))
	var changes []connectors.Change
	for _, t := range out[min(from, len(out)):] {
		changes = append(changes, connectors.Change{Ref: connectors.Ref{ID: t.ID}})
	}
	if f.is(deafWatch) {
		changes = nil
	}
	return changes, connectors.Cursor(strconv.Itoa(len(out))), err
}

func (f *fake) Describe(ctx context.Context, _ connectors.Place) (connectors.Schema, error) {
	var out []string
	return connectors.Schema{}, f.do(ctx, "describe", "GET", "/fields", nil, &out)
}

func (f *fake) Groups(ctx context.Context, _ string) ([]string, error) {
	var out []string
	return out, f.do(ctx, "groups", "GET", "/people", nil, &out)
}

func (f *fake) People(ctx context.Context, _ connectors.Cursor) ([]connectors.Person, connectors.Cursor, error) {
	var out []string
	return nil, "", f.do(ctx, "people", "GET", "/people", nil, &out)
}

func (f *fake) Send(ctx context.Context, rs []connectors.Record) ([]connectors.Result, error) {
	var out map[string]any
	if err := f.do(ctx, "send", "POST", "/records", map[string]any{"records": rs}, &out); err != nil {
		return nil, err
	}
	if f.is(fewResults) {
		return nil, nil
	}
	return make([]connectors.Result, len(rs)), nil
}

func (f *fake) Decide(ctx context.Context, d connectors.Decision) error {
	var out map[string]any
	outcome := d.Outcome
	if f.is(lostDecision) {
		outcome = ""
	}
	return f.do(ctx, "decide", "POST", "/decisions", map[string]any{"id": d.RequestID, "outcome": outcome}, &out)
}

func (f *fake) State(ctx context.Context, d connectors.Decision) (connectors.State, error) {
	var out struct{ Outcome connectors.Outcome }
	err := f.do(ctx, "state", "GET", "/decisions/"+d.RequestID, nil, &out)
	return connectors.State{Outcome: out.Outcome}, err
}

func (f *fake) Verification() connectors.Verification {
	header := "X-Fake-Signature"
	if f.is(looseSecret) {
		header = ""
	}
	return connectors.Verification{HMAC: &connectors.HMACCheck{Header: header, Prefix: "sha256=", Timestamp: "X-Fake-Time", Separator: "."}}
}

func (f *fake) Emits() []connectors.EventType {
	return []connectors.EventType{{Kind: connectors.AccessRequested, Data: []connectors.Field{{ID: "product", Type: "text"}}}}
}

func (f *fake) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	var in struct {
		ID      string `json:"id"`
		Product string `json:"product"`
	}
	if err := json.Unmarshal(r.Body, &in); err != nil && !f.is(anyBody) {
		if f.is(quotesEvent) {
			return connectors.Received{}, &connectors.Malformed{Reason: "not JSON: " + string(r.Body)}
		}
		return connectors.Received{}, &connectors.Malformed{Reason: "not JSON"}
	}
	e := connectors.Event{Kind: connectors.AccessRequested, Dedupe: in.ID, Data: map[string]any{"product": in.Product}}
	if f.is(noDedupe) {
		e.Dedupe = ""
	}
	if f.is(undeclared) {
		e.Data["other"] = "x"
	}
	return connectors.Received{Events: []connectors.Event{e}}, nil
}
