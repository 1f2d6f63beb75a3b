// Package jirastandin is a stand-in for Jira, to try Drawbridge offline, to test it and to write connectors against.
// It keeps projects, tickets, histories and people in memory, answers the calls a bridge makes in Jira's own shapes,
// and is as strict as Jira where strictness hurts: required fields, screens, workflows, text formats, limits, paging,
// a search index that lags, lost answers and lost webhooks. It is not Jira, and its pages say so.
//
// It plays Jira Cloud (REST 3 and 2) and, with Options.DataCenter, Jira Data Center (REST 2). Its wire types are
// written from the vendor's description and shared with no connector, so that a misunderstanding there does not
// repeat itself here and pass.
//
// Read this file for how a call is served, options.go for what can be set, app.go for apps and the gateway they call
// through, people.go for acting as a person and webhook.go for the notices sent. Each vendor call has a file of its own.
package jirastandin

import (
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

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// Server is the stand-in: an http.Handler with the REST calls under /rest/ and pages for people everywhere else. All
// methods may be called at any time from any goroutine.
type Server struct {
	o         Options
	routes    []route
	pages     http.Handler
	formToken string
	hooks     standin.Hooks

	// Faults befall REST calls. Calls are told apart by the names in routes.go: create, get, update, comment,
	// transition, search, set-property and so on.
	standin.Faults

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
	writes   map[*issue][]time.Time
	loss     float64
	app      *app
}

// New builds a stand-in. Zero options give a Jira Cloud with two projects and six accounts, described at Options.
// Options that contradict themselves are a programming error and panic.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		o:         o,
		formToken: rand.Text(),
		hooks:     standin.Hooks{Client: o.Client, Tries: maxTries, Retry: o.HookRetry, Again: transient},
		rand:      mathrand.New(mathrand.NewPCG(o.Seed, 0)),
		formerly:  map[string]*issue{},
		lastID:    10000,
		denied:    map[string]bool{},
		requests:  map[string]int{},
		writes:    map[*issue][]time.Time{},
	}
	s.routes = routes(o.DataCenter)
	s.pages = s.pageHandler()
	s.app = newApp(o.App)
	s.Deny(o.Denied...)
	s.build()
	return s
}

// maxBody is more than any body Jira takes, attachments included.
const maxBody = 12 << 20

// ServeHTTP answers a REST call or shows a page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, gateway := s.throughGateway(r)
	switch {
	case gateway == nil && r.URL.Path == s.tokenPath():
		s.Serve(w, r, "token", fail, s.giveToken)
		return
	case gateway == nil && !strings.HasPrefix(r.URL.Path, "/rest/"):
		s.pages.ServeHTTP(w, r)
		return
	}
	rt, args, err := s.match(r)
	s.arrived(r)
	s.Serve(w, r, rt.op, fail, func(w http.ResponseWriter, r *http.Request) {
		body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var out answer
		switch {
		case err != nil:
			out = s.failed(r, err)
		case readErr != nil:
			out = s.failed(r, refuse(http.StatusRequestEntityTooLarge, "The request is too large."))
		default:
			out = s.perform(r, gateway, rt, args, body)
		}
		out.write(w)
	})
}

// fail answers for a failure that was ordered.
func fail(w http.ResponseWriter, status int) {
	answer{status: status, body: []byte(http.StatusText(status)), text: true}.write(w)
}

// arrived counts a call.
func (s *Server) arrived(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[r.Method+" "+r.URL.Path]++
}

// perform runs one call and encodes its answer while the state cannot change.
func (s *Server) perform(r *http.Request, gateway *gateway, rt route, args map[string]string, body []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{s: s, req: r, gateway: gateway, body: body, args: args, version: version(args["version"]), now: s.o.Now()}
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
