package connectortest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Peer is a stand-in that does not speak HTTP.
type Peer struct {
	Address string     // HOST:PORT, on loopback
	Acted   func() int // how many times it did what it was asked to: took a mail, or a record
}

// remembers tells whether there is a stand-in.
func (s Suite) remembers() bool { return s.Standin != nil || s.Peer != nil }

// relay stands between a connector and a Peer, and disturbs what the Peer says.
type relay struct {
	peer     Peer
	listener net.Listener

	mu      sync.Mutex
	noise   noise
	begun   int  // conversations since the last disturb
	reached bool // the piece to lose came
	open    map[net.Conn]bool
}

// noise is how conversations are disturbed. The zero noise disturbs none.
type noise struct {
	answer string        // said in place of the Peer, before the conversation ends
	cut    bool          // the conversation ends at once, after answer
	held   chan struct{} // told of each conversation; nothing is said in it
	lose   int           // the piece of what the Peer says that is lost, counted from 1, and the conversation with it
}

func newRelay(t *testing.T, p Peer) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	r := &relay{peer: p, listener: listener, open: map[net.Conn]bool{}}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		r.hangUp()
		done.Wait()
	})
	return r
}

func (r *relay) url() string { return "tcp://" + r.listener.Addr().String() }

// disturb changes what happens to the conversations that follow.
func (r *relay) disturb(n noise) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noise, r.begun, r.reached = n, 0, false
}

// conversations is how many there were since the last disturb.
func (r *relay) conversations() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun
}

// lost tells whether the piece to lose came.
func (r *relay) lost() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reached
}

// hangUp ends all conversations.
func (r *relay) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.open {
		_ = conn.Close()
	}
}

// track notes a connection that hangUp may have to close; the returned function closes it.
func (r *relay) track(conn net.Conn) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[conn] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.open, conn)
		_ = conn.Close()
	}
}

func (r *relay) serve(conn net.Conn) {
	defer r.track(conn)()
	r.mu.Lock()
	n := r.noise
	r.begun++
	r.mu.Unlock()
	if n.held != nil {
		n.held <- struct{}{}
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	_, _ = io.WriteString(conn, n.answer)
	if n.cut {
		return
	}
	peer, err := net.Dial("tcp", r.peer.Address)
	if err != nil {
		return
	}
	defer r.track(peer)()
	var asked sync.WaitGroup
	defer asked.Wait()
	asked.Go(func() {
		_, _ = io.Copy(peer, conn)
		_ = peer.(*net.TCPConn).CloseWrite()
	})
	r.pass(conn, peer, n.lose)
	_ = conn.Close() // what is asked of nobody any more
}

// pass gives to conn what peer says, piece by piece, up to the one that is lost.
func (r *relay) pass(conn, peer net.Conn, lose int) {
	piece := make([]byte, 64<<10)
	for i := 1; ; i++ {
		n, err := peer.Read(piece)
		if n > 0 && i == lose {
			r.mu.Lock()
			r.reached = true
			r.mu.Unlock()
			return
		}
		if _, failed := conn.Write(piece[:n]); failed != nil || err != nil {
			return
		}
	}
}

var brokenDialogues = map[string]noise{
	"no answer":        {cut: true},
	"a web page":       {answer: "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<!doctype html>\r\n", cut: true},
	"2 MiB of nothing": {answer: strings.Repeat(" ", 2<<20), cut: true},
	"2 MiB of lines":   {answer: strings.Repeat("220-x\r\n", 2<<20/7), cut: true},
}

// checkBrokenDialogues says in every conversation what is no answer.
func checkBrokenDialogues(t *testing.T, s Suite) error {
	return each(t, s, func(b *bench, op operation) {
		for name, n := range brokenDialogues {
			b.relay.disturb(n)
			if err := b.call(t.Context(), op, name); err == nil && b.relay.conversations() > 0 {
				b.fault("%s, %s: got no error", op.name, name)
			}
		}
	})
}

// mostPieces bounds how deep into a conversation answers are lost.
const mostPieces = 60

// checkLostDialogues lets the stand-in act on each part of a conversation and loses what it says to it. Where the connector
// may create again, it then does.
func checkLostDialogues(t *testing.T, s Suite) error {
	var found []error
	for _, op := range writers {
		for n := 1; n <= mostPieces; n++ {
			b := newBench(t, s)
			if !op.can(b.c) || !op.given(s) {
				break
			}
			if !b.prepare(t.Context(), op) {
				return b.err()
			}
			before, during := b.relay.peer.Acted(), fmt.Sprintf("losing piece %d", n)
			b.relay.disturb(noise{lose: n})
			err := b.call(t.Context(), op, during)
			reached := b.relay.lost()
			if err != nil && b.relay.peer.Acted() > before && !connectors.AsError(err).Sent {
				b.fault("%s, %s: the vendor acted, but the error says it has not: %w", op.name, during, err)
			}
			b.relay.disturb(noise{})
			if op.name == create.name && connectors.CreatesOnce(b.c) {
				if err := b.call(t.Context(), op, "again after "+during); err != nil {
					b.fault("create, again after %s: %w", during, err)
				}
			}
			found = append(found, b.err())
			if !reached {
				break
			}
		}
	}
	return errors.Join(found...)
}

// hold leaves whoever asks without an answer until they hang up, or release is called; arrived is told of each.
func (b *bench) hold() (arrived <-chan struct{}, release func()) {
	came := make(chan struct{}, 64)
	if b.relay != nil {
		b.relay.disturb(noise{held: came})
		return came, b.relay.hangUp
	}
	let := make(chan struct{})
	b.server.disturb(fault{on: true, answer: func(_ http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-let:
		}
	}})
	return came, func() { close(let) }
}

// undisturb lets what follows pass, and counts it from 0.
func (b *bench) undisturb() {
	if b.relay != nil {
		b.relay.disturb(noise{})
	}
	b.server.disturb(fault{})
}

// asked is what was asked since.
func (b *bench) asked() []string {
	if b.relay != nil && b.relay.conversations() > 0 {
		return []string{fmt.Sprint(b.relay.conversations(), " conversations")}
	}
	seen, _ := b.server.requests()
	return seen
}
