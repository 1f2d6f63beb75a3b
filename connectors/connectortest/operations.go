package connectortest

import (
	"context"
	"errors"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// operation is one capability at work on the suite's sample.
type operation struct {
	name     string
	onTicket bool // acts on a ticket that is there
	reads    bool // needs what the answer holds
	can      func(c connectors.Connector) bool
	given    func(s Suite) bool // whether the suite has the sample
	run      func(ctx context.Context, b *bench) error
}

func always(Suite) bool { return true }

func act(kind connectors.ActionKind, given func(s Suite) bool, action func(s Suite) connectors.Action) operation {
	return operation{
		name: string(kind), onTicket: true, given: given,
		can: func(c connectors.Connector) bool { return connectors.Can(c, kind) },
		run: func(ctx context.Context, b *bench) error {
			a := action(b.suite)
			a.Kind, a.Ref = kind, b.ref
			_, err := connectors.Do(ctx, b.c, a)
			return err
		},
	}
}

// keeping takes a decision that nobody can be told for a success, as long as nobody was asked.
func keeping(op operation) operation {
	run := op.run
	op.run = func(ctx context.Context, b *bench) error {
		err := run(ctx, b)
		kept, ok := errors.AsType[*connectors.Kept](err)
		if !ok {
			return err
		}
		if kept.Why == "" {
			b.fault("%s: kept without saying why", op.name)
		}
		if seen, _ := b.server.requests(); len(seen) > 0 {
			b.fault("%s: kept, but the vendor was asked %v", op.name, seen)
		}
		b.kept = true
		return nil
	}
	return op
}

var (
	comment = act(connectors.Comment, func(s Suite) bool { return s.Note.Body != "" },
		func(s Suite) connectors.Action { return connectors.Action{Note: &s.Note} })
	update = act(connectors.Update, func(s Suite) bool { return s.Change.Summary != "" || len(s.Change.Fields) > 0 },
		func(s Suite) connectors.Action { return connectors.Action{Ticket: &s.Change} })
	transition = act(connectors.Transition, func(s Suite) bool { return s.Move.Status != "" },
		func(s Suite) connectors.Action { return connectors.Action{Move: &s.Move} })
	attach = act(connectors.Attach, func(s Suite) bool { return s.File.Name != "" },
		func(s Suite) connectors.Action { return connectors.Action{File: &s.File} })
	decide = keeping(act(connectors.Decide, func(s Suite) bool { return s.Decision.RequestID != "" },
		func(s Suite) connectors.Action { return connectors.Action{Decision: &s.Decision} }))
	send = act(connectors.Send, func(s Suite) bool { return len(s.Records) > 0 },
		func(s Suite) connectors.Action { return connectors.Action{Records: s.Records} })
	create = operation{
		name: "create", reads: true, given: func(s Suite) bool { return s.Ticket.Summary != "" },
		can: func(c connectors.Connector) bool { return connectors.Can(c, connectors.Create) },
		run: func(ctx context.Context, b *bench) error {
			_, err := connectors.Do(ctx, b.c, b.create("k1"))
			return err
		},
	}
)

// operations is everything a connector may be able to do that asks the vendor.
var operations = []operation{
	{
		name: "ping", given: always,
		can: func(connectors.Connector) bool { return true },
		run: func(ctx context.Context, b *bench) error { return b.c.Ping(ctx) },
	},
	create,
	{
		name: "find", reads: true, given: always, can: connectors.CanFind,
		run: func(ctx context.Context, b *bench) error {
			_, err := connectors.Find(ctx, b.c, "k1")
			return err
		},
	},
	update, comment, transition, attach,
	{
		name: "fetch", onTicket: true, reads: true, given: always, can: connectors.CanFetch,
		run: func(ctx context.Context, b *bench) error {
			_, err := connectors.Fetch(ctx, b.c, b.ref)
			return err
		},
	},
	{
		name: "watch", onTicket: true, reads: true, given: always,
		can: func(c connectors.Connector) bool { _, ok := connectors.AsWatcher(c); return ok },
		run: func(ctx context.Context, b *bench) error {
			w, _ := connectors.AsWatcher(b.c)
			_, _, err := w.Watch(ctx, b.cursor, []connectors.Ref{b.ref})
			return err
		},
	},
	{
		name: "describe", reads: true, given: func(s Suite) bool { return s.Place != connectors.Place{} },
		can: func(c connectors.Connector) bool { _, ok := connectors.AsDescriber(c); return ok },
		run: func(ctx context.Context, b *bench) error {
			d, _ := connectors.AsDescriber(b.c)
			_, err := d.Describe(ctx, b.suite.Place)
			return err
		},
	},
	{
		name: "groups", reads: true, given: func(s Suite) bool { return s.Account != "" }, can: canAskDirectory,
		run: func(ctx context.Context, b *bench) error {
			d, _ := connectors.AsDirectory(b.c)
			_, err := d.Groups(ctx, b.suite.Account)
			return err
		},
	},
	{
		name: "people", reads: true, given: always, can: canAskDirectory,
		run: func(ctx context.Context, b *bench) error {
			d, _ := connectors.AsDirectory(b.c)
			_, _, err := d.People(ctx, "")
			return err
		},
	},
	{
		name: "resolve", reads: true, given: func(s Suite) bool { return s.Account != "" },
		can: func(c connectors.Connector) bool { _, ok := connectors.AsResolver(c); return ok },
		run: func(ctx context.Context, b *bench) error {
			r, _ := connectors.AsResolver(b.c)
			_, err := r.Resolve(ctx, b.suite.Account)
			return err
		},
	},
	decide,
	{
		name: "state", reads: true, given: func(s Suite) bool { return s.Decision.RequestID != "" }, can: connectors.CanAskState,
		run: func(ctx context.Context, b *bench) error {
			_, _, err := connectors.AskState(ctx, b.c, b.suite.Decision)
			return err
		},
	},
	{
		name: "poll", reads: true, given: func(s Suite) bool { return s.Decision.RequestID != "" },
		can: func(c connectors.Connector) bool { _, _, ok := connectors.AsPoller(c); return ok },
		run: func(ctx context.Context, b *bench) error {
			p, _, _ := connectors.AsPoller(b.c)
			about := b.suite.Decision
			about.Outcome = connectors.Pending
			_, err := p.Poll(ctx, []connectors.Decision{about})
			return err
		},
	},
	send,
}

func canAskDirectory(c connectors.Connector) bool { _, ok := connectors.AsDirectory(c); return ok }
