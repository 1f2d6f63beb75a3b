package connectortest

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// bench is one connector before one server, and what was found wrong with it.
type bench struct {
	suite  Suite
	server *server
	relay  *relay // in place of it, where the vendor does not speak HTTP
	c      connectors.Connector
	ref    connectors.Ref    // the ticket operations act on
	cursor connectors.Cursor // where watching goes on from
	kept   bool              // a decision was kept, and nobody told
	found  []error
}

func newBench(t *testing.T, s Suite) *bench {
	t.Helper()
	front := &server{suite: s}
	if s.Peer != nil {
		between := newRelay(t, s.Peer(t))
		return &bench{suite: s, server: front, relay: between, c: s.New(t, between.url()), ref: s.Ref}
	}
	if s.Standin != nil {
		front.next = s.Standin(t)
	}
	listen := httptest.NewServer(front)
	t.Cleanup(listen.Close)
	return &bench{suite: s, server: front, c: s.New(t, listen.URL), ref: s.Ref}
}

// prepare makes what op acts on, undisturbed. It tells whether that worked.
func (b *bench) prepare(ctx context.Context, op operation) bool {
	if !b.suite.remembers() {
		return true
	}
	if op.onTicket && connectors.Can(b.c, connectors.Create) {
		done, err := connectors.Do(ctx, b.c, b.create("prepared"))
		if err != nil {
			b.fault("create a ticket to act on: %w", err)
			return false
		}
		b.ref = done.Ref
	}
	if w, ok := connectors.AsWatcher(b.c); ok && op.name == "watch" {
		_, cursor, err := w.Watch(ctx, "", []connectors.Ref{b.ref})
		if err != nil {
			b.fault("start to watch: %w", err)
			return false
		}
		b.cursor = cursor
	}
	return true
}

func (b *bench) create(key string) connectors.Action {
	ticket := b.suite.Ticket
	return connectors.Action{Kind: connectors.Create, Key: key, Ticket: &ticket}
}

// fault notes something wrong.
func (b *bench) fault(format string, args ...any) {
	b.found = append(b.found, fmt.Errorf(format, args...))
}

// err returns everything that was found wrong.
func (b *bench) err() error { return errors.Join(b.found...) }

// call performs op and looks at what holds for every call: no panic, no credential in the error, and an error of ours
// when the vendor was asked.
func (b *bench) call(ctx context.Context, op operation, during string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
			b.fault("%s, %s: panic: %v\n%s", op.name, during, r, debug.Stack())
		}
	}()
	err = op.run(ctx, b)
	b.look(op.name+", "+during, err)
	return err
}

// look notes a credential in an error, and an error that says nothing of what it means.
func (b *bench) look(where string, err error) {
	if err == nil {
		return
	}
	text := fmt.Sprintf("%s\n%+v\n%#v", err, err, err)
	for _, secret := range b.server.credentials() {
		if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
			b.fault("%s: the error holds a credential", where)
			return
		}
	}
	if _, ok := errors.AsType[*connectors.Error](err); !ok {
		b.fault("%s: got a %T, want a *connectors.Error: %w", where, err, err)
	}
}

// tickets counts the tickets with a key, undisturbed.
func (b *bench) tickets(ctx context.Context, key string) int {
	refs, err := connectors.Find(ctx, b.c, key)
	if err != nil {
		b.fault("find: %w", err)
	}
	return len(refs)
}
