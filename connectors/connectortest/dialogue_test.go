package connectortest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// teller says lines to a stand-in that answers each with ok.
type teller struct {
	address         string
	trusts, forgets bool // takes any answer for one; says of no error that the vendor may have acted
	goesOn          bool // when it is stopped
}

func (f teller) Ping(ctx context.Context) error { return f.say(ctx, "hello") }

func (f teller) CreatesOnce() {}

func (f teller) Create(ctx context.Context, key string, _ connectors.Ticket) (connectors.Ref, error) {
	return connectors.Ref{ID: key}, f.say(ctx, "hello", "make "+key)
}

func (f teller) say(ctx context.Context, lines ...string) error {
	if f.goesOn {
		ctx = context.WithoutCancel(ctx)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", f.address)
	if err != nil {
		return connectors.Temporarily("connect: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	in := bufio.NewReader(conn)
	for _, line := range lines {
		_, _ = fmt.Fprintln(conn, line)
		if answer, err := in.ReadString('\n'); !f.trusts && (err != nil || answer != "ok\n") {
			return &connectors.Error{Kind: connectors.Temporary, Sent: !f.forgets, Err: errors.New("no answer")}
		}
	}
	return nil
}

func tellerSuite(f teller) Suite {
	return Suite{
		New: func(_ *testing.T, baseURL string) connectors.Connector {
			with := f
			with.address = strings.TrimPrefix(baseURL, "tcp://")
			return with
		},
		Peer:   listener,
		Ticket: connectors.Ticket{Summary: "Ana asks to run a tool"},
	}
}

// listener counts what it is asked to make.
func listener(t *testing.T) Peer {
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	Must(t, err)
	t.Cleanup(func() { _ = listen.Close() })
	var made atomic.Int64
	go func() {
		for {
			conn, err := listen.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if strings.HasPrefix(lines.Text(), "make ") {
						made.Add(1)
					}
					_, _ = fmt.Fprintln(conn, "ok")
				}
			}()
		}
	}()
	return Peer{Address: listen.Addr().String(), Acted: func() int { return int(made.Load()) }}
}

func TestRunPassesAConnectorThatDoesNotSpeakHTTP(t *testing.T) {
	t.Parallel()
	Run(t, tellerSuite(teller{}))
}

func TestRunCatchesWithoutHTTP(t *testing.T) {
	t.Parallel()
	stop := func(t *testing.T, s Suite) error { return checkStopWithin(t, s, 50*time.Millisecond) }
	for name, tt := range map[string]struct {
		flaw  teller
		check func(t *testing.T, s Suite) error
		want  []string
	}{
		"a broken answer taken":               {teller{trusts: true}, checkBrokenAnswers, []string{"ping, a web page: got no error", "create, no answer: got no error"}},
		"a doubt that counts as not sent":     {teller{forgets: true}, checkLostAnswers, []string{"create, losing piece 2: the vendor acted"}},
		"a call that goes on when it is over": {teller{goesOn: true}, stop, []string{"ping, stopped: still ran", "create, stopped before it began: asked"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.check(t, tellerSuite(tt.flaw))
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want it to say %q", err, want)
				}
			}
		})
	}
}
