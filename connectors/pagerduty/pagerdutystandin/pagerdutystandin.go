// Package pagerdutystandin is a PagerDuty for tests: incidents with their log, notes and custom fields, keys of the
// account and of users, and signed webhooks. It was written from PagerDuty's documents and API description, and refuses
// what they say PagerDuty refuses.
package pagerdutystandin

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// User is somebody at this PagerDuty.
type User struct {
	ID, Name, Mail, Role string
	Teams                []string
}

// Bridge is the user that calls are made as, and BridgeMail that user's address.
const (
	Bridge     = "PBRIDGE"
	BridgeMail = "bridge@corp.example"
)

// Service is the id of the service Access requests, and Other of another one.
const (
	Service = "PACCESS"
	Other   = "POTHER"
)

// Users are who works at this PagerDuty besides the bridge, unless the options name others.
func Users() []User {
	return []User{
		{ID: "PKIM", Name: "Kim Okafor", Mail: "kim@corp.example", Role: "user", Teams: []string{"Approvers", "Security"}},
		{ID: "PLEE", Name: "Lee Park", Mail: "lee@corp.example", Role: "user", Teams: []string{"Approvers"}},
		{ID: "PMAX", Name: "Max Braun", Mail: "max@corp.example", Role: "user"},
		{ID: "PANA", Name: "Ana Lopez", Mail: "ana@corp.example", Role: "limited_user"},
	}
}

// Options say what a PagerDuty is like. The zero value is one that everything works with.
type Options struct {
	Now     func() time.Time
	Key     string   // default secret
	Owner   string   // the user the key belongs to; empty: it is one of the account
	Denied  []string // names of calls the key may not make
	Users   []User
	Lag     time.Duration // how long lists by incident key miss a new incident
	Silent  bool          // values of custom fields are set without a trace
	Reopens string        // the kind of entry that reopening writes; default trigger; none: it writes none

	// Notices is where webhooks go and Secrets what they are signed with; empty: there are none.
	Notices string
	Secrets []string
}

// Server is one PagerDuty.
type Server struct {
	Faults standin.Faults // calls are named by what they do: create, update, find, incident, log, notes, note ...
	Hooks  standin.Hooks

	o         Options
	mu        sync.Mutex
	last      int
	incidents []*incident
	log       []*entry // of all incidents, oldest first
	requests  map[string]int
	mux       http.ServeMux
}

// New returns a PagerDuty without incidents.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Key == "" {
		o.Key = "secret"
	}
	if o.Users == nil {
		o.Users = Users()
	}
	if o.Reopens == "" {
		o.Reopens = "trigger"
	}
	o.Users = append([]User{{ID: Bridge, Name: "Drawbridge", Mail: BridgeMail, Role: "user"}}, o.Users...)
	s := &Server{o: o, requests: map[string]int{}}
	s.Hooks.Client, s.Hooks.Tries, s.Hooks.Retry = http.DefaultClient, 3, time.Second
	s.Hooks.Again = func(status int) bool { return status == http.StatusTooManyRequests || status >= 500 }
	s.routes()
	return s
}

// Requests tells how many calls of one name were made.
func (s *Server) Requests(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[op]
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// request is one call whose credentials are good.
type request struct {
	*http.Request
	body []byte
	from *User // of calls that change something
}

// answer is what a call comes to.
type answer struct {
	status int
	body   any
	header http.Header
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func refusal(status, code int, message string, errors ...string) answer {
	inner := map[string]any{"code": code, "message": message}
	if len(errors) > 0 {
		inner["errors"] = errors
	}
	return answer{status: status, body: map[string]any{"error": inner}}
}

func notFound() answer { return refusal(http.StatusNotFound, 2100, "Not Found") }

func invalid(errors ...string) answer {
	return refusal(http.StatusBadRequest, 2001, "Invalid Input Provided", errors...)
}

// handle serves one kind of call.
func (s *Server) handle(pattern, op string, do func(r request) answer) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests[op]++
		s.mu.Unlock()
		fail := func(w http.ResponseWriter, status int) {
			code := map[int]int{http.StatusTooManyRequests: 2020}[status]
			s.write(w, refusal(status, code, "the stand-in was told to fail"))
		}
		s.Faults.Serve(w, r, op, fail, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			if err != nil {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.write(w, s.allowed(request{Request: r, body: body}, op, do))
		})
	})
}

func (s *Server) allowed(r request, op string, do func(r request) answer) answer {
	if r.Header.Get("Authorization") != "Token token="+s.o.Key {
		return answer{status: http.StatusUnauthorized, body: map[string]any{"error": map[string]any{"code": 2006, "message": "You are not authorized"}}}
	}
	if kind, params, _ := mime.ParseMediaType(r.Header.Get("Accept")); kind != "application/vnd.pagerduty+json" || params["version"] != "2" {
		return refusal(http.StatusNotAcceptable, 2000, "the Accept header names no version")
	}
	if slices.Contains(s.o.Denied, op) {
		return refusal(http.StatusForbidden, 2010, "Access Denied")
	}
	if r.Method == http.MethodGet {
		return do(r)
	}
	if r.Header.Get("Content-Type") != "application/json" {
		return refusal(http.StatusBadRequest, 2000, "the content type is not application/json")
	}
	at := slices.IndexFunc(s.o.Users, func(u User) bool { return strings.EqualFold(u.Mail, r.Header.Get("From")) })
	if at < 0 {
		return refusal(http.StatusBadRequest, 1008, "Requester User Not Found")
	}
	r.from = &s.o.Users[at]
	if s.o.Owner != "" {
		r.from = s.user(s.o.Owner)
	}
	return do(r)
}

func (s *Server) write(w http.ResponseWriter, a answer) {
	for name, values := range a.header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.Header().Set("Date", s.o.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

func (s *Server) routes() {
	s.handle("GET /users/me", "me", s.showMe)
	s.handle("GET /users/{id}", "user", s.showUser)
	s.handle("GET /users", "users", s.listUsers)
	s.handle("GET /services", "services", func(r request) answer { return page(r, "services", services()) })
	s.handle("GET /priorities", "priorities", func(r request) answer { return page(r, "priorities", priorities()) })
	s.handle("GET /incidents/custom_fields", "fields", func(request) answer { return ok(map[string]any{"fields": s.fields()}) })
	s.handle("GET /incidents", "find", s.listIncidents)
	s.handle("POST /incidents", "create", s.create)
	s.handle("GET /incidents/{id}", "incident", s.showIncident)
	s.handle("PUT /incidents/{id}", "update", s.update)
	s.handle("GET /incidents/{id}/log_entries", "log", s.listLog)
	s.handle("GET /incidents/{id}/notes", "notes", s.listNotes)
	s.handle("POST /incidents/{id}/notes", "note", s.addNote)
	s.handle("GET /incidents/{id}/custom_fields/values", "values", s.listValues)
	s.handle("PUT /incidents/{id}/custom_fields/values", "set", s.setValues)
	s.handle("GET /log_entries", "entries", s.listEntries)
}

// page answers one page of a list.
func page(r request, member string, items []map[string]any) answer {
	return pageOf(r, member, items, func(item map[string]any) map[string]any { return item })
}

// pageOf answers one page of a list, of which only that page is written.
func pageOf[T any](r request, member string, items []T, view func(T) map[string]any) answer {
	limit, offset := 25, 0
	for name, into := range map[string]*int{"limit": &limit, "offset": &offset} {
		if text := r.URL.Query().Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return invalid(name + " is no number")
			}
			*into = n
		}
	}
	limit = min(limit, 100)
	if limit < 1 || limit+offset > 10000 {
		return invalid("Offset must be less than or equal to 9900 with the default limit")
	}
	start := min(offset, len(items))
	end := min(start+limit, len(items))
	shown := []map[string]any{}
	for _, item := range items[start:end] {
		shown = append(shown, view(item))
	}
	return ok(map[string]any{member: shown, "limit": limit, "offset": offset, "more": end < len(items), "total": nil})
}

func (s *Server) id(prefix string) string {
	s.last++
	return fmt.Sprintf("%s%07d", prefix, s.last)
}

func has(r request, include string) bool {
	return slices.Contains(r.URL.Query()["include[]"], include)
}
