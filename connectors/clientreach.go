package connectors

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// Reach finds out whether the server behind address can be reached, without its own API being asked for anything: an
// access token is asked for where calls need one, then the server's root, without credentials, by HEAD. Every answer is
// one, but for those that speak of the moment. It does not tell whether a call would be taken.
func (c *Client) Reach(ctx context.Context, name, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return Permanently("%s: the URL is not valid", name)
	}
	if p := c.placer; p != nil {
		values, err := p.reveal()
		if err == nil {
			u, err = p.placed.finished(u, values)
		}
		if err != nil {
			e := *AsError(err)
			e.Err = fmt.Errorf("%s: %w", name, e.Err)
			return &e
		}
	}
	if c.tokens != nil {
		if _, err := c.tokens.current(ctx); err != nil {
			return err
		}
	}
	bare := *c
	bare.tripper = c.base
	_, err = bare.Do(ctx, Call{Name: name, Method: http.MethodHead, URL: u.Scheme + "://" + u.Host + "/", Header: http.Header{"Accept": {"*/*"}}})
	e, refused := errors.AsType[*Error](err)
	if refused && e.Status != 0 && (e.Kind == Permanent || e.Status == http.StatusUnauthorized || isRedirect(e.Status)) {
		return nil
	}
	return err
}

// DialTLS opens a TLS connection to a host and port, for what is not HTTP: under the same rules of addresses, with the
// same authorities and client certificate. A proxy is not asked; with one set nothing is dialled.
func (c *Client) DialTLS(ctx context.Context, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, Permanently("the address is no host and port")
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	plainConn, err := c.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	secured := tls.Client(plainConn, c.TLS(host))
	if err := secured.HandshakeContext(ctx); err != nil {
		plainConn.Close()
		return nil, &Error{Kind: Unwell, Err: plain(err, false)}
	}
	return secured, nil
}

func (c *Client) dial(ctx context.Context, address string) (net.Conn, error) {
	if c.transport.Proxy != nil {
		return nil, &Error{Kind: Unwell, Err: errors.New("only calls over HTTP can go through outbound.proxy")}
	}
	conn, err := c.transport.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, FromDialogue(err)
	}
	return conn, nil
}
