package preset

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// reply is an answer of any status.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    *connectors.Error // outside 2xx: what the status means by itself
	hide   func(string) string

	parsed any
	read   bool
}

// json is the body as JSON, nil where it is none.
func (r *reply) json() any {
	if !r.read {
		r.read = true
		if json.Unmarshal(r.body, &r.parsed) != nil {
			r.parsed = nil
		}
	}
	return r.parsed
}

// values are what expressions see of a reply.
func (r *reply) values() map[string]any {
	return map[string]any{"status": r.status, "body": r.json()}
}

// test is a compiled Answer.
type test struct {
	Answer
	paths []jsonPath
}

func (s *source) tests(field string, list []Answer) []test {
	out := make([]test, len(list))
	for i, one := range list {
		out[i] = s.test(field+"["+strconv.Itoa(i)+"]", one)
	}
	return out
}

func (s *source) test(field string, a Answer) test {
	t := test{Answer: a, paths: make([]jsonPath, len(a.JSON))}
	for i, one := range a.JSON {
		t.paths[i] = s.path(field+".json["+strconv.Itoa(i)+"].path", one.Path)
	}
	return t
}

// path compiles a path; the empty text is none.
func (s *source) path(field, text string) jsonPath {
	if text == "" {
		return nil
	}
	p, err := parsePath(text)
	if err != nil {
		s.add(field, "%s", err)
	}
	return p
}

func (t test) holds(r *reply) bool {
	if len(t.Status) > 0 && !slices.Contains(t.Status, r.status) {
		return false
	}
	text := string(r.body)
	if t.Equals != nil && strings.TrimSpace(text) != *t.Equals {
		return false
	}
	if t.Contains != "" && !strings.Contains(text, t.Contains) || t.NotContains != "" && strings.Contains(text, t.NotContains) {
		return false
	}
	for i, one := range t.JSON {
		v, found := t.paths[i].find(r.json())
		if len(one.In) > 0 && (!found || !among(v, one.In)) || len(one.NotIn) > 0 && (found && among(v, one.NotIn)) {
			return false
		}
	}
	return true
}

// among compares as text: a 1 in JSON is the 1 of a preset however either is written.
func among(v any, list []any) bool {
	text, ok := connectors.ScalarText(v)
	return ok && slices.ContainsFunc(list, func(one any) bool {
		want, ok := connectors.ScalarText(one)
		return ok && want == text && (v == nil) == (one == nil)
	})
}

// verdict is what an answer means for the records that were sent.
type verdict int

const (
	taken verdict = iota
	partly
	refused // this request, for what is in it
	stale   // the access token, or what else proves who we are, is not good any more
	failed  // err says how
)

// judge looks at the tests in the order they are documented in.
func (p *Preset) judge(r *reply, now time.Time) (verdict, error) {
	some := func(list []test) bool {
		return slices.ContainsFunc(list, func(t test) bool { return t.holds(r) })
	}
	switch {
	case slices.Contains(p.doc.Response.DisableOn, r.status):
		return failed, p.disabled(r, now)
	case some(p.success), some(p.alreadyDone):
		return taken, nil
	case p.partial != nil && p.partial.holds(r):
		return partly, p.fault(r, connectors.Permanent, "the vendor did not take all of it", now)
	case some(p.reauth):
		return stale, p.fault(r, connectors.Unwell, "the credentials were refused", now)
	case some(p.pause):
		return failed, p.fault(r, connectors.Unwell, "the vendor refuses everything as it is set up", now)
	case some(p.retry):
		kind := connectors.Temporary
		if r.status == http.StatusTooManyRequests || r.err != nil && r.err.Kind == connectors.Throttled {
			kind = connectors.Throttled
		}
		return failed, p.fault(r, kind, "the vendor cannot take it now", now)
	case some(p.permanent):
		return refused, p.fault(r, connectors.Permanent, "the vendor refused it", now)
	case r.err == nil:
		return failed, p.fault(r, connectors.Temporary, "the answer is none that means success", now)
	case r.status == http.StatusGone:
		return failed, p.disabled(r, now)
	case slices.Contains(everyCall, r.status):
		return failed, p.fault(r, connectors.Unwell, "", now)
	case r.err.Kind == connectors.Permanent:
		return refused, p.fault(r, connectors.Permanent, "", now)
	default:
		return failed, p.fault(r, r.err.Kind, "", now)
	}
}

// everyCall are the statuses that say what is wrong with the address or the account, unless a preset knows better, and not what
// is wrong with what was sent.
var everyCall = []int{http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType}

// askedAgain is how long an address that is no longer in use is left alone.
const askedAgain = 24 * time.Hour

func (p *Preset) disabled(r *reply, now time.Time) *connectors.Error {
	e := p.fault(r, connectors.Unwell, "the vendor says that this address is no longer in use; set the connection up anew", now)
	e.RetryAfter = askedAgain
	return e
}

// fault words what an answer means. What the vendor says is added without the credentials it may repeat.
func (p *Preset) fault(r *reply, kind connectors.Kind, text string, now time.Time) *connectors.Error {
	e := &connectors.Error{Kind: kind, Status: r.status}
	if r.err != nil {
		*e = *r.err
		e.Kind = kind
	} else {
		e.Sent = kind != connectors.Permanent
	}
	if hint := p.wait(r.header, now); hint > 0 {
		e.RetryAfter = hint
	}
	if text != "" {
		e.Err = &worded{text: "send: " + text, err: e.Err}
	}
	if said := p.said(r); said != "" {
		e.Err = &worded{text: e.Err.Error() + ": " + said, err: e.Err}
	}
	return e
}

// worded keeps what lies under an error and says it otherwise.
type worded struct {
	text string
	err  error
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.err }

func (p *Preset) said(r *reply) string {
	for _, at := range p.errors {
		v, _ := at.find(r.json())
		if text, ok := connectors.ScalarText(v); ok && strings.TrimSpace(text) != "" {
			return connectors.Clean(r.hide(text), 300)
		}
	}
	return ""
}

// maxWait bounds what a header asks for.
const maxWait = 24 * time.Hour

func (p *Preset) wait(h http.Header, now time.Time) time.Duration {
	for _, hint := range p.doc.Response.RetryAfter {
		text := strings.TrimSpace(h.Get(hint.Header))
		var wait time.Duration
		switch n, err := strconv.ParseFloat(text, 64); {
		case hint.Unit == "http_date":
			if at, err := http.ParseTime(text); err == nil {
				wait = at.Sub(now)
			}
		case err != nil || n <= 0 || n > 1e12:
		case hint.Unit == "epoch":
			wait = time.Unix(int64(n), 0).Sub(now)
		default:
			wait = time.Duration(min(n, maxWait.Seconds()) * float64(time.Second))
		}
		if wait > 0 {
			return min(wait, maxWait)
		}
	}
	return 0
}
