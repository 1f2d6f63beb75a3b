package connectors

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Dial opens a connection for a protocol that is no HTTP, under the rules of every call: which addresses may be reached,
// for how long it may take as a whole, and how much may be answered. It ends with ctx. Proxies are for HTTP only: where one
// is set, nothing is dialled past it.
func (c *Client) Dial(ctx context.Context, host string, port int) (net.Conn, error) {
	conn, err := c.dial(ctx, net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	until := time.Now().Add(c.timeout)
	if at, ok := ctx.Deadline(); ok && at.Before(until) {
		until = at
	}
	if err := conn.SetDeadline(until); err != nil {
		_ = conn.Close()
		return nil, FromDialogue(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return &dialogue{Conn: conn, left: maxDialogue, stop: stop}, nil
}

// maxDialogue is more than a whole conversation is answered.
const maxDialogue = 1 << 20

// dialogue reads so much and no more.
type dialogue struct {
	net.Conn
	left int
	stop func() bool
}

func (d *dialogue) Read(p []byte) (int, error) {
	if d.left <= 0 {
		return 0, errors.New("the answers are longer than any should be")
	}
	n, err := d.Conn.Read(p[:min(len(p), d.left)])
	d.left -= n
	return n, err
}

func (d *dialogue) Close() error {
	d.stop()
	return d.Conn.Close()
}

// TLS is how a connection of Dial goes on with TLS: by the authorities and the certificate of every call.
func (c *Client) TLS(host string) *tls.Config {
	t := c.transport.TLSClientConfig.Clone()
	t.ServerName, t.NextProtos = host, nil
	return t
}

// FromDialogue is what an error of such a connection means before anything was asked of the vendor.
func FromDialogue(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Kind: Unwell, Err: plain(err, false)}
	if errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		e.Kind = Temporary
	}
	return e
}

// Reveal gives a credential to a connector that speaks to its vendor itself.
func (c *Client) Reveal(s Secret) (string, error) {
	text, err := c.vault.Reveal(s)
	if err != nil {
		return "", &Error{Kind: Unwell, Err: fmt.Errorf("credentials: %w", err)}
	}
	return text, nil
}

// AccessToken gives a connector that speaks to its vendor itself the token that calls of c would bear, and how to say that
// it was refused: the next one is asked for anew.
func (c *Client) AccessToken(ctx context.Context) (token string, refused func(), err error) {
	if c.tokens == nil {
		return "", nil, Permanently("this connection has no way to get a token")
	}
	current, err := c.tokens.current(ctx)
	if err != nil {
		return "", nil, err
	}
	return current.AccessToken, func() { c.tokens.drop(current) }, nil
}
