package jira

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	jira "github.com/andygrunwald/go-jira"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// exchanger is what we use of go-jira's client. Its services speak version 2 only and turn errors into text that
// names one field at random; so requests are built and answers read here.
type exchanger interface {
	NewRequestWithContext(ctx context.Context, method, path string, body any) (*http.Request, error)
	NewMultiPartRequestWithContext(ctx context.Context, method, path string, body *bytes.Buffer) (*http.Request, error)
	Do(req *http.Request, v any) (*jira.Response, error)
}

// api is a path of the platform interface in the version this deployment speaks.
func (c *connector) api(path string) string {
	if c.conf.Deployment == dataCenter {
		return "rest/api/2/" + path
	}
	return "rest/api/3/" + path
}

const deskAPI = "rest/servicedeskapi/"

func (c *connector) get(ctx context.Context, name, path string, out any) error {
	return c.call(ctx, name, http.MethodGet, path, nil, out)
}

// call makes one call. in is sent as JSON; out, where set, takes the answer.
func (c *connector) call(ctx context.Context, name, method, path string, in, out any) error {
	req, err := c.jira.NewRequestWithContext(ctx, method, path, in)
	if err != nil {
		return connectors.Permanently("%s: write request: %w", name, err)
	}
	return c.do(name, req, out)
}

func (c *connector) do(name string, req *http.Request, out any) error {
	req.Header.Set("Accept", "application/json")
	resp, err := c.jira.Do(req, nil)
	if resp == nil {
		return exchangeFault(name, err)
	}
	defer resp.Body.Close()
	body, readErr := io.ReadAll(resp.Body)
	if readErr != nil {
		fault := exchangeFault(name, readErr)
		fault.Status = resp.StatusCode
		return fault
	}
	if err != nil {
		return c.refused(name, resp.Response, body)
	}
	if reason := loginReason(resp.Header); reason != "" {
		// Jira answers those it does not know as it answers the public: with empty lists and unknown tickets.
		return &connectors.Error{
			Kind: connectors.Unwell, Status: resp.StatusCode, Sent: req.Method != http.MethodGet,
			Err: fmt.Errorf("%s: Jira did not take the credentials (%s) and answered as to the public", name, reason),
		}
	}
	if out == nil {
		return nil
	}
	answer := connectors.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	return answer.DecodeJSON(name, out)
}

func exchangeFault(name string, err error) *connectors.Error {
	fault := *connectors.FromExchange(err)
	fault.Err = fmt.Errorf("%s: %w", name, fault.Err)
	return &fault
}

// refused turns an answer outside 2xx into an error that says what a person must change.
func (c *connector) refused(name string, resp *http.Response, body []byte) *connectors.Error {
	words := complaint(body)
	if lacksScope(resp, words) {
		return &connectors.Error{Kind: connectors.Unwell, Status: resp.StatusCode, Err: &missingScope{name: name, scope: scopeOf(resp.Request)}}
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		words = strings.TrimSpace(limitWords(resp.Header.Get("RateLimit-Reason")) + " " + words)
	}
	if resp.StatusCode == http.StatusGone {
		// No ticket is ever gone: calls are.
		return &connectors.Error{Kind: connectors.Permanent, Status: resp.StatusCode, Err: fmt.Errorf("%s: this Jira no longer has the call; is deployment set right?", name)}
	}
	if reason := loginReason(resp.Header); reason != "" && resp.StatusCode < http.StatusInternalServerError {
		text := fmt.Errorf("%s: Jira did not take the credentials (%s)", name, reason)
		if strings.Contains(reason, "AUTHENTICATION_DENIED") {
			text = fmt.Errorf("%s: Jira wants the account to solve a CAPTCHA; sign in once in a browser", name)
		}
		return &connectors.Error{Kind: connectors.Unwell, Status: resp.StatusCode, Err: text}
	}
	fault := c.client.Classify(name, resp, body, words)
	if fault.Kind == connectors.Throttled && fault.RetryAfter == 0 {
		if at, err := time.Parse(time.RFC3339, resp.Header.Get("X-RateLimit-Reset")); err == nil {
			fault.RetryAfter = min(max(at.Sub(c.now()), 0), 24*time.Hour)
		}
	}
	if fault.Kind == connectors.Throttled && resp.Header.Get("RateLimit-Reason") == limitOfTicket {
		fault.Kind = connectors.Temporary // that ticket waits, and no other
	}
	return fault
}

// limitOfTicket is the reason of a limit that only writes to one ticket ran into. All other limits are those of calls
// of one kind, for seconds, or of all calls together, for an hour at most; both are the connection's.
const limitOfTicket = "jira-per-issue-on-write"

var limitReason = regexp.MustCompile(`^[a-z-]{1,60}$`)

func limitWords(reason string) string {
	switch {
	case reason == limitOfTicket:
		return "too many writes to this ticket"
	case strings.HasPrefix(reason, "jira-quota-") && limitReason.MatchString(reason):
		return "the hourly quota of this Jira is used up (" + reason + ")"
	case limitReason.MatchString(reason):
		return "too many calls (" + reason + ")"
	default:
		return "too many calls"
	}
}

// loginReason is why Jira did not sign us in, empty where it did or does not say.
func loginReason(h http.Header) string {
	for _, reason := range h.Values("X-Seraph-LoginReason") {
		if strings.Contains(reason, "AUTHENTICATED_FAILED") || strings.Contains(reason, "AUTHENTICATION_DENIED") {
			return connectors.Clean(reason, 60)
		}
	}
	return ""
}

// complaint reads Jira's own words, in any of the three shapes it has for them: the platform's, the service desk's
// and the gateway's.
func complaint(body []byte) string {
	var shapes struct {
		Messages []string          `json:"errorMessages"`
		Errors   map[string]string `json:"errors"`
		Message  string            `json:"errorMessage"`
		Gateway  string            `json:"message"`
	}
	if json.Unmarshal(body, &shapes) != nil {
		return ""
	}
	words := shapes.Messages
	for _, field := range slices.Sorted(maps.Keys(shapes.Errors)) {
		words = append(words, field+": "+shapes.Errors[field])
	}
	for _, one := range []string{shapes.Message, shapes.Gateway} {
		if one != "" {
			words = append(words, one)
		}
	}
	return strings.Join(words, "; ")
}

var (
	issueID  = regexp.MustCompile(`^[0-9]{1,19}$`)
	issueKey = regexp.MustCompile(`^[A-Z][A-Z0-9_]*-[0-9]{1,19}$`)
)

// handle is what a ticket is called by in a path: its id, which survives moves, or else its key.
func handle(ref connectors.Ref) (string, error) {
	switch {
	case issueID.MatchString(ref.ID):
		return ref.ID, nil
	case ref.ID == "" && issueKey.MatchString(ref.Key):
		return ref.Key, nil
	default:
		return "", connectors.Permanently("the ticket's id is not one of Jira's")
	}
}

// issue is the path of a ticket, or of something below it.
func (c *connector) issue(ref connectors.Ref, below string) (string, error) {
	h, err := handle(ref)
	if err != nil {
		return "", err
	}
	return c.api("issue/" + h + below), nil
}

// segment is text as one part of a path. Dots alone would lead elsewhere.
func segment(text string) (string, error) {
	if text == "" || strings.Trim(text, ".") == "" {
		return "", errors.New("not a name")
	}
	return url.PathEscape(text), nil
}
