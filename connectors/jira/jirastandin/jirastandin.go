// Package jirastandin is a stand-in for Jira, to try Drawbridge offline, to test it and to write connectors against.
// It keeps projects, tickets, histories and people in memory, answers the calls a bridge makes in Jira's own shapes,
// and is as strict as Jira where strictness hurts: required fields, screens, workflows, text formats, limits, paging,
// a search index that lags, lost answers and lost webhooks. It is not Jira, and its pages say so.
//
// It plays Jira Cloud (REST 3 and 2) and, with Options.DataCenter, Jira Data Center (REST 2). Its wire types are
// written from the vendor's description and shared with no connector, so that a misunderstanding there does not
// repeat itself here and pass.
//
// Read this file for how a call is served, options.go for what can be set, people.go for acting as a person, faults.go
// for breaking things and webhook.go for the notices sent. Each vendor call has a file of its own.
package jirastandin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Server is the stand-in: an http.Handler with the REST calls under /rest/ and pages for people everywhere else. All
// methods may be called at any time from any goroutine.
type Server struct {
	o         Options
	routes    []route
	pages     http.Handler
	formToken string
	wake      chan struct{}

	mu       sync.Mutex
	rand     *mathrand.Rand
	accounts []*account
	projects []*project
	statuses []*status
	issues   []*issue // in order of creation
	formerly map[string]*issue
	lastID   int
	denied   map[string]bool
	requests map[string]int
	faults   faults
	writes   map[*issue][]time.Time
	queue    []*notice
	sending  int
	loss     float64
	dropping bool
}

// New builds a stand-in. Zero options give a Jira Cloud with two projects and six accounts, described at Options.
// Options that contradict themselves are a programming error and panic.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		o:         o,
		formToken: rand.Text(),
		wake:      make(chan struct{}, 1),
		rand:      mathrand.New(mathrand.NewPCG(o.Seed, 0)),
		formerly:  map[string]*issue{},
		lastID:    10000,
		denied:    map[string]bool{},
		requests:  map[string]int{},
		writes:    map[*issue][]time.Time{},
	}
	s.routes = routes(o.DataCenter)
	s.pages = s.pageHandler()
	s.Deny(o.Denied...)
	s.build()
	return s
}

// maxBody is more than any body Jira takes, attachments included.
const maxBody = 12 << 20

// ServeHTTP answers a REST call or shows a page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/rest/") {
		s.pages.ServeHTTP(w, r)
		return
	}
	rt, args, err := s.match(r)
	body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	injected := s.arrived(r, rt.op)
	if injected.delay > 0 {
		wait(r.Context(), injected.delay)
	}
	var out answer
	switch {
	case injected.status != 0:
		out = answer{status: injected.status, header: injected.header.Clone(), body: []byte(http.StatusText(injected.status)), text: true}
	case err != nil:
		out = s.failed(r, err)
	case readErr != nil:
		out = s.failed(r, refuse(http.StatusRequestEntityTooLarge, "The request is too large."))
	default:
		out = s.perform(r, rt, args, body)
	}
	if injected.cut {
		panic(http.ErrAbortHandler) // net/http closes the connection without an answer
	}
	out.write(w)
}

// arrived counts a call and tells what was injected for it.
func (s *Server) arrived(r *http.Request, op string) injection {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[r.Method+" "+r.URL.Path]++
	return s.faults.take(op)
}

// perform runs one call and encodes its answer while the state cannot change.
func (s *Server) perform(r *http.Request, rt route, args map[string]string, body []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{s: s, req: r, body: body, args: args, version: version(args["version"]), now: s.o.Now()}
	c.view = view{s: s, base: s.base(r), version: c.version, zone: time.UTC}
	reason, err := c.signIn(rt)
	if err == nil {
		err = c.limited(rt)
	}
	if err != nil {
		out := s.failed(r, err)
		out.header.Set("X-Seraph-LoginReason", reason)
		return out
	}
	status, value, err := rt.serve(c)
	var out answer
	if err != nil {
		out = s.failed(r, err)
	} else {
		out = s.succeeded(status, value)
	}
	out.header.Set("X-Seraph-LoginReason", reason)
	return out
}

// base is where links in answers lead: the configured address, or the one the caller used.
func (s *Server) base(r *http.Request) string {
	if s.o.BaseURL != "" {
		return strings.TrimRight(s.o.BaseURL, "/")
	}
	return "http://" + r.Host
}

// answer is an encoded answer.
type answer struct {
	status int
	header http.Header
	body   []byte
	text   bool // plain text instead of JSON
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if len(a.body) > 0 {
		kind := "application/json;charset=UTF-8"
		if a.text {
			kind = "text/plain;charset=UTF-8"
		}
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the caller may be gone
}

func (s *Server) succeeded(status int, value any) answer {
	out := answer{status: status, header: http.Header{}}
	if value == nil {
		return out
	}
	body, err := json.Marshal(value)
	if err != nil {
		return answer{status: http.StatusInternalServerError, header: http.Header{}, body: []byte(err.Error()), text: true}
	}
	out.body = body
	return out
}

// fault is a refusal: Jira's messages and field errors, or a plain text from the layers before it.
type fault struct {
	status   int
	messages []string
	fields   map[string]string
	header   http.Header
	text     string
}

func (f *fault) Error() string {
	return fmt.Sprintf("HTTP %d: %s %v %s", f.status, strings.Join(f.messages, "; "), f.fields, f.text)
}

// refuse is a fault with one general message.
func refuse(status int, format string, args ...any) error {
	return &fault{status: status, messages: []string{fmt.Sprintf(format, args...)}}
}

// refuseFields is a fault with a message for each field, nil when there is none.
func refuseFields(problems map[string]string) error {
	if len(problems) == 0 {
		return nil
	}
	return &fault{status: http.StatusBadRequest, fields: problems}
}

// failed encodes a fault in the shape of the interface that was called: Jira and its service desk differ.
func (s *Server) failed(r *http.Request, err error) answer {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		f = &fault{status: http.StatusInternalServerError, messages: []string{err.Error()}}
	}
	if f.text != "" {
		header := f.header.Clone()
		if header == nil {
			header = http.Header{}
		}
		return answer{status: f.status, header: header, body: []byte(f.text), text: true}
	}
	var out answer
	if strings.HasPrefix(r.URL.Path, deskPath) {
		out = s.succeeded(f.status, deskFault(f))
	} else {
		type errorCollection struct {
			Messages []string          `json:"errorMessages"`
			Errors   map[string]string `json:"errors"`
		}
		body := errorCollection{Messages: f.messages, Errors: f.fields}
		if body.Messages == nil {
			body.Messages = []string{}
		}
		if body.Errors == nil {
			body.Errors = map[string]string{}
		}
		out = s.succeeded(f.status, body)
	}
	for name, values := range f.header {
		out.header[name] = values
	}
	return out
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
