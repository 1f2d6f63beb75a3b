package connectors

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"code.dny.dev/ssrf"
)

// deadline ends an exchange, the reading of its answer included. It is ours because http.Client replaces the error of
// a call that ran out of its Timeout, and with it what we know of the call.
type deadline struct {
	next    http.RoundTripper
	timeout time.Duration
}

func (d *deadline) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), d.timeout)
	resp, err := d.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &ending{resp.Body, cancel}
	return resp, nil
}

type ending struct {
	io.ReadCloser
	end context.CancelFunc
}

func (e *ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// guard is the transport under every call: headers, address rules, response limit, and what an exchange that failed
// means.
type guard struct {
	next    *http.Transport
	reach   *reach
	vault   *Vault
	headers map[string]Secret
	limit   int64
}

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	if err := g.prepare(out); err != nil {
		closeBody(req)
		return nil, err
	}
	var wrote, connected atomic.Bool
	trace := &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { connected.Store(true) },
		WroteHeaders: func() { wrote.Store(true) },
	}
	resp, err := g.next.RoundTrip(out.WithContext(httptrace.WithClientTrace(out.Context(), trace)))
	if err != nil {
		e := &Error{Kind: Temporary, Sent: wrote.Load(), Err: plain(err, connected.Load())}
		if (!connected.Load() && !errors.Is(req.Context().Err(), context.Canceled)) || isAlert(err) {
			e.Kind = Unwell
		}
		return nil, e
	}
	if isRedirect(resp.StatusCode) {
		resp.Header.Del("Location") // nothing above may follow it
	}
	body := bufio.NewReader(&limited{resp.Body, g.limit})
	if isPage(out, resp) && startsWithTag(body) {
		resp.Body.Close()
		return nil, &Error{Kind: Temporary, Sent: true, Status: resp.StatusCode, Err: errors.New("the answer is a web page, perhaps to sign in")}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{body, resp.Body}
	return resp, nil
}

// isAlert tells whether the other side ended TLS. A client certificate it does not take is told only after the
// connection seems to stand.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// prepare completes a request and refuses what must not leave.
func (g *guard) prepare(out *http.Request) error {
	if (out.URL.Scheme != "https" && out.URL.Scheme != "http") || out.URL.Hostname() == "" {
		return Permanently("the URL is not an http or https URL")
	}
	if out.URL.User != nil {
		return Permanently("the URL holds credentials; they belong into the connection's settings")
	}
	for name, secret := range g.headers {
		value, err := g.vault.Reveal(secret)
		if err != nil {
			return &Error{Kind: Unwell, Err: fmt.Errorf("header %s: %w", name, err)}
		}
		if !validHeaderValue(value) {
			return &Error{Kind: Unwell, Err: fmt.Errorf("header %s: the secret holds a control character", name)}
		}
		out.Header.Set(name, value)
	}
	for name, values := range out.Header {
		if !validHeaderName(name) {
			return Permanently("the name of a header is not valid")
		}
		for _, value := range values {
			if !validHeaderValue(value) {
				return Permanently("header %s: the value holds a control character", name)
			}
		}
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header.Set("User-Agent", "drawbridge")
	}
	if err := g.reach.checkBehindProxy(out.Context(), out.URL.Hostname()); err != nil {
		return &Error{Kind: Unwell, Err: err}
	}
	return nil
}

func validHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

func validHeaderValue(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return (r < ' ' && r != '\t') || r == 0x7f })
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	default:
		return false
	}
}

// isPage tells whether a success claims to be HTML that nobody asked for. Some vendors answer a plain "ok" under that
// type, so the body has to look like a page too.
func isPage(req *http.Request, resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	accept := req.Header.Get("Accept")
	return resp.StatusCode/100 == 2 && kind == "text/html" && !strings.Contains(accept, "text/html") && !strings.Contains(accept, "*/*")
}

func startsWithTag(body *bufio.Reader) bool {
	start, _ := body.Peek(64) // an error comes again when the body is read
	return strings.HasPrefix(strings.TrimLeft(string(start), "\ufeff \t\r\n"), "<")
}

// limited fails when a body is longer than allowed, counted after unpacking; a cut body must never be read as a whole
// one.
type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return 0, &Error{Kind: Temporary, Sent: true, Err: errors.New("the answer is larger than outbound.max_response")}
	}
	if err != nil && err != io.EOF {
		err = &Error{Kind: Temporary, Sent: true, Err: plain(err, true)}
	}
	return n, err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// FromExchange returns the error of an exchange without its URL, which may carry a credential.
func FromExchange(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Kind: Temporary, Sent: true, Err: plain(err, true)}
}

// plain keeps the cause a person can act on: no URL, no lists of addresses, and nothing the other side wrote, which may
// repeat a credential.
func plain(err error, connected bool) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("the call was stopped: %w", context.Canceled)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		if connected {
			return fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
		}
		return fmt.Errorf("no connection in time: %w", context.DeadlineExceeded)
	}
	if errors.Is(err, ssrf.ErrProhibitedIP) {
		return errPrivate
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was closed before the answer was complete")
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate is not trusted: %s", Clean(cert.Err.Error(), 300))
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("look up %s: %s", dns.Name, dns.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok || strings.Contains(err.Error(), "malformed") {
		return errors.New("the answer is not valid HTTP")
	}
	// The standard library quotes what it was sent.
	text, _, _ := strings.Cut(err.Error(), `"`)
	return errors.New(Clean(text, 300))
}

// hide removes from a vendor's words the credentials the request carried, which some vendors repeat.
func hide(text string, req *http.Request, further map[string]Secret) string {
	if req == nil {
		return text
	}
	for name := range further {
		text = hideEach(text, req.Header.Values(name)...)
	}
	for _, value := range req.Header.Values("Authorization") {
		_, token, _ := strings.Cut(value, " ")
		_, named, _ := strings.Cut(token, "=")
		text = hideEach(text, value, token, named)
		if pair, err := base64.StdEncoding.DecodeString(token); err == nil {
			user, password, _ := strings.Cut(string(pair), ":")
			text = hideEach(text, string(pair), password)
			if len(password) < 4 { // then the user is the credential
				text = hideEach(text, user)
			}
		}
	}
	return text
}

func hideEach(text string, values ...string) string {
	for _, value := range values {
		if len(value) > 3 { // shorter ones are no credentials, and part of many words
			text = strings.ReplaceAll(text, value, redacted)
		}
	}
	return text
}
