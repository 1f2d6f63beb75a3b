package connectors

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Client is the only way out of a connector: it sends, limits, reads, closes, classifies and redacts. It never waits
// and never repeats a call, one renewal of a token after a 401 excepted. It may be used by many at once.
type Client struct {
	vault     *Vault
	timeout   time.Duration
	headers   map[string]Secret
	transport *http.Transport
	base      http.RoundTripper // without the connector's own credentials
	tripper   http.RoundTripper
	tokens    *tokenTripper // where calls need an access token
	placer    *placer       // where credentials stand in URLs and bodies
	now       func() time.Time
}

// NewClient checks o, reporting every fault at once, and returns a client for one connection. Redirects are refused;
// so are hosts that resolve to private, loopback or link-local addresses, unless allowed by name.
func NewClient(o Outbound, vault *Vault, now func() time.Time) (*Client, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	reach, err := newReach(o)
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(o, vault, reach)
	if err != nil {
		return nil, err
	}
	c := &Client{vault: vault, timeout: o.Timeout, headers: map[string]Secret{}, transport: transport, now: now}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	for name, value := range o.Headers {
		c.headers[http.CanonicalHeaderKey(name)] = value
	}
	limit := o.MaxResponse
	if limit == 0 {
		limit = defaultMaxResponse
	}
	c.base = &guard{next: transport, reach: reach, vault: vault, headers: c.headers, limit: limit}
	c.tripper = c.base
	return c, nil
}

// With returns a client that shares everything with c and authenticates by a.
func (c *Client) With(a Auth) *Client {
	twin := *c
	twin.tripper = a.wrap(c)
	switch t := twin.tripper.(type) {
	case *tokenTripper:
		twin.tokens = t
	case *placer:
		twin.placer = t
	}
	if h, ok := a.(Headers); ok {
		twin.headers = h.besides(c)
	}
	return &twin
}

// Close drops the connections that are kept open for the next call.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// HTTP returns the client for libraries that do their own exchange. The same limits and credentials sit in its
// transport; FromExchange turns its errors into ours.
func (c *Client) HTTP() *http.Client {
	return &http.Client{Transport: &deadline{next: c.tripper, timeout: c.timeout}, CheckRedirect: refuseRedirect}
}

func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// DropToken forgets the access token that calls carry, so that the next one gets another; false where there is none. For
// vendors that refuse an old token by another status than 401.
func (c *Client) DropToken() bool {
	if c.tokens == nil {
		return false
	}
	c.tokens.mu.Lock()
	defer c.tokens.mu.Unlock()
	had := c.tokens.token != nil
	c.tokens.token = nil
	return had
}

// Call is one exchange with a vendor.
type Call struct {
	Name   string // what it is for, in words for errors: "create issue"
	Method string
	URL    string
	Header http.Header
	JSON   any    // sent as application/json when set
	Body   []byte // sent as it is otherwise
}

// Answer is a 2xx answer, read whole and closed.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	hide func(text string) string
}

// Do performs one exchange. An answer outside 2xx is an *Error whose text quotes nothing; the body is in *Answered
// for connectors that know their vendor's error format. A web page in place of an answer is an error unless Accept
// asks for one.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	body := call.Body
	if call.JSON != nil {
		var err error
		if body, err = json.Marshal(call.JSON); err != nil {
			return Answer{}, Permanently("%s: write request: %w", call.Name, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, call.URL, bytes.NewReader(body))
	if err != nil {
		return Answer{}, Permanently("%s: the URL is not valid", call.Name)
	}
	for name, values := range call.Header {
		req.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if call.JSON != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	resp, err := c.HTTP().Do(req)
	if err != nil {
		e := *FromExchange(err)
		e.Err = fmt.Errorf("%s: %w", call.Name, e.Err)
		return Answer{}, &e
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return Answer{}, c.Classify(call.Name, resp, text, "") // the status says enough where the body broke off
	}
	if err != nil {
		e := *FromExchange(err)
		e.Err = fmt.Errorf("%s: read answer: %w", call.Name, e.Err)
		e.Status = resp.StatusCode
		return Answer{}, &e
	}
	hide := func(text string) string { return c.hide(text, resp.Request) }
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: text, hide: hide}, nil
}

// DecodeJSON reads the answer into v. A 2xx that is not JSON (a login page, a proxy's apology) is Temporary: the
// vendor may have acted.
func (a Answer) DecodeJSON(name string, v any) error {
	if err := json.Unmarshal(a.Body, v); err != nil {
		return &Error{Kind: Temporary, Sent: true, Status: a.Status, Err: fmt.Errorf("%s: the answer is not the JSON expected (%s)", name, contentType(a.Header))}
	}
	return nil
}

// contentType names a type that is known, and none that could be anything.
func contentType(h http.Header) string {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	switch kind {
	case "application/json", "application/xml", "text/html", "text/plain", "text/xml":
		return kind
	case "":
		return "no content type"
	default:
		return "another content type"
	}
}

// Answered carries the body of an answer outside 2xx to the connector that asked, without the credentials of the request.
type Answered struct {
	Header http.Header
	Body   []byte
	text   string
	hide   func(text string) string
}

// Hidden returns words of the answer without the credentials its request carried.
func (a *Answered) Hidden(text string) string {
	if a.hide == nil {
		return text
	}
	return a.hide(text)
}

func (a *Answered) Error() string { return a.text }

// Classify turns an answer outside 2xx into an *Error. detail is the vendor's own words where the connector could
// read them; they are cut, stripped of control characters and of the credentials the request carried.
func (c *Client) Classify(name string, resp *http.Response, body []byte, detail string) *Error {
	e := &Error{Kind: kindOf(resp.StatusCode), Sent: maySent(resp.StatusCode), Status: resp.StatusCode}
	e.RetryAfter = retryAfter(resp.Header, c.now())
	if resp.StatusCode == http.StatusServiceUnavailable && e.RetryAfter > 0 {
		e.Kind = Throttled
	}
	text := name + ": " + advice(resp.StatusCode)
	if detail = Clean(c.hide(detail, resp.Request), 500); detail != "" {
		text = name + ": " + detail
	}
	hide := func(text string) string { return c.hide(text, resp.Request) }
	answered := &Answered{Header: resp.Header, Body: []byte(hide(string(body))), text: text, hide: hide}
	e.Err = answered
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
		e.Err = fmt.Errorf("%w: %w", answered, ErrNotFound)
	}
	return e
}

// hide removes from a vendor's words the credentials the request carried.
func (c *Client) hide(text string, req *http.Request) string {
	text = hide(text, req, c.headers)
	if c.placer != nil {
		text = c.placer.hide(text)
	}
	return text
}

// Hidden returns words of the answer without the credentials its request carried.
func (a Answer) Hidden(text string) string {
	if a.hide == nil {
		return text
	}
	return a.hide(text)
}

func kindOf(status int) Kind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired, isRedirect(status):
		return Unwell // a redirect means the address is wrong, for every call
	case status == http.StatusTooManyRequests:
		return Throttled
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusPreconditionFailed,
		status == http.StatusLocked, status == http.StatusTooEarly, status >= 500:
		return Temporary
	default:
		return Permanent
	}
}

// maySent tells whether a vendor that answered so may still have acted. See Other is how some answer a form they took.
func maySent(status int) bool {
	return status >= 500 || status == http.StatusRequestTimeout || status == http.StatusFound || status == http.StatusSeeOther
}

func advice(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "the credentials were refused"
	case status == http.StatusForbidden:
		return "the account may not do this"
	case status == http.StatusNotFound:
		return "there is no such thing there, or the account may not see it"
	case status == http.StatusTooManyRequests:
		return "too many calls"
	case isRedirect(status):
		return "the vendor answers with a redirect, which is refused; set the address it really has"
	case http.StatusText(status) == "":
		return "the vendor answered with an unknown status"
	default:
		return "the vendor answered " + strings.ToLower(http.StatusText(status))
	}
}

// retryAfter reads Retry-After as seconds or as a date, a day at most.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = 24 * time.Hour
	text := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > 0 {
		return time.Duration(min(n, most.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return min(at.Sub(now), most)
	}
	return 0
}

// Clean makes a vendor's words fit for an error: white space and characters that do not show become single spaces,
// and at most n runes stay.
func Clean(text string, n int) string {
	hidden := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "\ufffd"), hidden), " ")
	if r := []rune(text); len(r) > n {
		return string(r[:max(n-1, 0)]) + "…"
	}
	return text
}
