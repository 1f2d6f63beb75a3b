package connectors_test

import (
	"context"
	"errors"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/google/go-cmp/cmp"
)

type pinger struct{}

func (pinger) Ping(context.Context) error { return nil }

// desk creates and finds; its answers are given.
type desk struct {
	pinger
	found   []connectors.Ref
	findErr error
	made    int
}

func (d *desk) Find(context.Context, string) ([]connectors.Ref, error) { return d.found, d.findErr }

func (d *desk) Create(context.Context, string, connectors.Ticket) (connectors.Ref, error) {
	d.made++
	return connectors.Ref{ID: "new"}, nil
}

// sink answers a send as it is told.
type sink struct {
	pinger
	results []connectors.Result
	err     error
}

func (s sink) Send(context.Context, []connectors.Record) ([]connectors.Result, error) {
	return s.results, s.err
}

// all can do every action.
type all struct {
	*desk
	sink
	did *connectors.ActionKind
}

func (a all) Ping(context.Context) error { return nil }

func (a all) note(k connectors.ActionKind) error { *a.did = k; return nil }

func (a all) Update(context.Context, connectors.Ref, connectors.Ticket) error {
	return a.note("update")
}
func (a all) Comment(context.Context, connectors.Ref, connectors.Note) error {
	return a.note("comment")
}
func (a all) Transition(context.Context, connectors.Ref, connectors.Move) error {
	return a.note("transition")
}
func (a all) Attach(context.Context, connectors.Ref, connectors.File) error { return a.note("attach") }
func (a all) Decide(context.Context, connectors.Decision) error             { return a.note("decide") }

func TestDoCreatesOnlyWhatIsNotFound(t *testing.T) {
	t.Parallel()
	action := connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &connectors.Ticket{Summary: "s"}}
	refused := &connectors.Error{Kind: connectors.Throttled, Sent: true, Status: 429, Err: errors.New("search")}
	tests := []struct {
		name    string
		found   []connectors.Ref
		findErr error
		want    connectors.Done
		made    int
	}{
		{"nothing found", nil, nil, connectors.Done{Ref: connectors.Ref{ID: "new"}}, 1},
		{"found", []connectors.Ref{{ID: "1"}}, nil, connectors.Done{Ref: connectors.Ref{ID: "1"}, Found: true, Twins: []connectors.Ref{}}, 0},
		{"twins found", []connectors.Ref{{ID: "1"}, {ID: "2"}}, nil, connectors.Done{Ref: connectors.Ref{ID: "1"}, Found: true, Twins: []connectors.Ref{{ID: "2"}}}, 0},
		{"the search failed", nil, refused, connectors.Done{}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &desk{found: tt.found, findErr: tt.findErr}
			got, err := connectors.Do(t.Context(), d, action)
			if diff := cmp.Diff(tt.want, got); diff != "" || d.made != tt.made {
				t.Errorf("made %d tickets, want %d; done (-want +got):\n%s", d.made, tt.made, diff)
			}
			if tt.findErr == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := connectors.AsError(err); e.Sent || e.Kind != connectors.Throttled || !errors.Is(err, refused.Err) {
				t.Errorf("got %+v, want it not sent", e)
			}
		})
	}
	if !refused.Sent {
		t.Error("the connector's own error was changed")
	}
}

func TestDoRefusesWhatTheConnectorCannotDo(t *testing.T) {
	t.Parallel()
	for _, kind := range []connectors.ActionKind{"create", "update", "comment", "transition", "attach", "send", "decide", "revoke", "", "other"} {
		_, err := connectors.Do(t.Context(), pinger{}, connectors.Action{Kind: kind})
		if e := connectors.AsError(err); !errors.Is(err, connectors.ErrUnsupported) || e.Kind != connectors.Permanent || e.Sent {
			t.Errorf("%s: got %v", kind, err)
		}
		if connectors.Can(pinger{}, kind) {
			t.Errorf("%s: it can", kind)
		}
	}
}

func TestDoCallsTheCapability(t *testing.T) {
	t.Parallel()
	var did connectors.ActionKind
	c := all{desk: &desk{}, did: &did}
	for _, action := range []connectors.Action{
		{Kind: connectors.Update, Ticket: &connectors.Ticket{}},
		{Kind: connectors.Comment, Note: &connectors.Note{}},
		{Kind: connectors.Transition, Move: &connectors.Move{}},
		{Kind: connectors.Attach, File: &connectors.File{}},
		{Kind: connectors.Decide, Decision: &connectors.Decision{}},
	} {
		if _, err := connectors.Do(t.Context(), c, action); err != nil || did != action.Kind {
			t.Errorf("%s: did %q, %v", action.Kind, did, err)
		}
	}
}

func TestDoRefusesAnActionWithoutItsPart(t *testing.T) {
	t.Parallel()
	var did connectors.ActionKind
	d := &desk{}
	c := all{desk: d, did: &did}
	for _, action := range []connectors.Action{
		{Kind: connectors.Create, Key: "k"},
		{Kind: connectors.Create, Ticket: &connectors.Ticket{}},
		{Kind: connectors.Update},
		{Kind: connectors.Comment},
		{Kind: connectors.Transition},
		{Kind: connectors.Attach},
		{Kind: connectors.Decide},
	} {
		_, err := connectors.Do(t.Context(), c, action)
		if e := connectors.AsError(err); err == nil || e.Kind != connectors.Permanent || e.Sent || did != "" || d.made != 0 {
			t.Errorf("%s: got %v, did %q", action.Kind, err, did)
		}
	}
}

func TestDoSends(t *testing.T) {
	t.Parallel()
	refused := connectors.Permanently("no such field")
	action := connectors.Action{Kind: connectors.Send, Records: []connectors.Record{{EventID: "1"}, {EventID: "2"}}}
	tests := []struct {
		name string
		sink sink
		sent bool
		want error
	}{
		{"all taken", sink{results: []connectors.Result{{ID: "a"}, {ID: "b"}}}, false, nil},
		{"one refused", sink{results: []connectors.Result{{ID: "a"}, {Err: refused}}}, true, refused},
		{"all refused", sink{results: []connectors.Result{{Err: refused}, {Err: refused}}}, false, refused},
		{"the call failed", sink{err: refused}, false, refused},
		{"a result left out", sink{results: []connectors.Result{{ID: "a"}}}, true, errors.New("send: 1 results for 2 records")},
	}
	for _, tt := range tests {
		done, err := connectors.Do(t.Context(), tt.sink, action)
		if (err == nil) != (tt.want == nil) || (err != nil && (err.Error() != tt.want.Error() || connectors.AsError(err).Sent != tt.sent)) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		want := len(tt.sink.results)
		if want != len(action.Records) {
			want = 0 // they cannot be told apart
		}
		if len(done.Results) != want {
			t.Errorf("%s: got %d results, want %d", tt.name, len(done.Results), want)
		}
	}
}

func TestCapabilitiesAreDiscovered(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var p connectors.Connector = pinger{}
	if _, err := connectors.Fetch(ctx, p, connectors.Ref{}); !errors.Is(err, connectors.ErrUnsupported) {
		t.Errorf("fetch: got %v", err)
	}
	if refs, err := connectors.Find(ctx, p, "k"); refs != nil || err != nil {
		t.Errorf("find: got %v, %v", refs, err)
	}
	if _, ok, err := connectors.AskState(ctx, p, connectors.Decision{}); ok || err != nil {
		t.Errorf("state: got %t, %v", ok, err)
	}
	if connectors.CanFind(p) || connectors.CanFetch(p) || connectors.CanAskState(p) || !connectors.CanFind(&desk{}) {
		t.Error("what a connector can do is not told from what it cannot")
	}
	if connectors.Emits(p) != nil || connectors.Identifiers(p) != nil || connectors.Unverified(p) != nil || connectors.DefaultVerification(p) != (connectors.Verification{}) {
		t.Error("a connector without capabilities has some")
	}
}
