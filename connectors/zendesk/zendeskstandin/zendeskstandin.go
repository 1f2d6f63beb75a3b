// Package zendeskstandin is a Zendesk for tests: tickets with audits, custom statuses, idempotent creates, the
// incremental export, approval requests and signed webhooks. It was written from Zendesk's documents and refuses what they
// say Zendesk refuses; of what Zendesk silently leaves out, it leaves out the same.
package zendeskstandin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// Account is somebody at this Zendesk.
type Account struct {
	ID         int64
	Name, Mail string
	Role       string // admin, agent, end-user
	Groups     []int64
	Unverified bool // nobody proved the mail address
}

// Bridge is the account that calls are made with.
const Bridge int64 = 9001

// People are who works at this Zendesk unless the options name others.
func People() []Account {
	return []Account{
		{ID: 101, Name: "Kim Okafor", Mail: "kim@corp.example", Role: "agent", Groups: []int64{42, 43}},
		{ID: 102, Name: "Lee Park", Mail: "lee@corp.example", Role: "agent", Groups: []int64{42}},
		{ID: 103, Name: "Max Braun", Mail: "max@corp.example", Role: "agent", Groups: []int64{42}},
		{ID: 104, Name: "Ana Lopez", Mail: "ana@corp.example", Role: "end-user"},
		{ID: 105, Name: "Kim Okafor", Mail: "kim@corp.example", Role: "agent", Unverified: true},
	}
}

// Options say what a Zendesk is like. The zero value is one that everything works with.
type Options struct {
	Now          func() time.Time
	ClientID     string // default drawbridge
	ClientSecret string // default secret
	APIToken     string // of the account bridge@corp.example; empty: tokens are off
	Scopes       []string
	Role         string // of the bridge's account; default admin
	Restriction  string // of the bridge's account
	Suspended    bool
	People       []Account
	Lag          time.Duration // how long the list by external id misses a new ticket

	NoCustomStatuses bool
	RequiredOnSolve  bool // field 360003 must be filled in to solve a ticket
	Approvals        bool // the account has approval requests

	// Notices is where webhooks go and Secret what they are signed with; empty: there are none. Trigger sends the body
	// of a trigger in place of events.
	Notices, Secret string
	Trigger         bool
}

// Server is one Zendesk.
type Server struct {
	Faults standin.Faults // calls are named by what they do: create, update, find, ticket, open, audits, export ...
	Hooks  standin.Hooks

	o  Options
	mu sync.Mutex

	last       int64
	changes    int64
	tickets    []*ticket
	keys       map[string]idempotent
	tokens     map[string]time.Time
	uploads    map[string]upload
	approvals  []*approval
	exports    []time.Time
	requests   map[string]int
	mux        http.ServeMux
	fieldKinds map[int64]string
}

// New returns a Zendesk without tickets.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ClientID == "" {
		o.ClientID = "drawbridge"
	}
	if o.ClientSecret == "" {
		o.ClientSecret = "secret"
	}
	if o.Scopes == nil {
		o.Scopes = []string{"read", "write"}
	}
	if o.Role == "" {
		o.Role = "admin"
	}
	if o.People == nil {
		o.People = People()
	}
	s := &Server{
		o: o, last: 1000, keys: map[string]idempotent{}, tokens: map[string]time.Time{}, uploads: map[string]upload{}, requests: map[string]int{},
		fieldKinds: map[int64]string{360001: "tagger", 360002: "text", 360003: "text", 360004: "multiselect"},
	}
	s.Hooks.Client, s.Hooks.Tries, s.Hooks.Retry = http.DefaultClient, 3, time.Second
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
}

// answer is what a call comes to.
type answer struct {
	status int
	body   any
	header http.Header
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// refusal is an answer in Zendesk's usual shape.
func refusal(status int, code, description string) answer {
	return answer{status: status, body: map[string]any{"error": code, "description": description}}
}

func notFound() answer { return refusal(http.StatusNotFound, "RecordNotFound", "Not found") }

// invalid is a refusal that names fields.
func invalid(field, description string) answer {
	return answer{status: http.StatusUnprocessableEntity, body: map[string]any{
		"error": "RecordInvalid", "description": "Record validation errors",
		"details": map[string]any{field: []any{map[string]any{"description": description, "error": "InvalidValue"}}},
	}}
}

// handle serves one kind of call. scopes are those of which one is needed.
func (s *Server) handle(pattern, op string, scopes []string, admin bool, do func(r request) answer) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests[op]++
		s.mu.Unlock()
		fail := func(w http.ResponseWriter, status int) {
			s.write(w, refusal(status, http.StatusText(status), "the stand-in was told to fail"))
		}
		s.Faults.Serve(w, r, op, fail, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
			if err != nil {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.write(w, s.allowed(request{r, body}, scopes, admin, do))
		})
	})
}

func (s *Server) allowed(r request, scopes []string, admin bool, do func(r request) answer) answer {
	if !s.signedIn(r) {
		return answer{status: http.StatusUnauthorized, body: map[string]any{"error": "Couldn't authenticate you"}}
	}
	if len(scopes) > 0 && !slices.ContainsFunc(scopes, func(one string) bool { return slices.Contains(s.o.Scopes, one) }) {
		return refusal(http.StatusForbidden, "Forbidden", "You are missing the following required scopes: "+scopes[0])
	}
	if admin && s.o.Role != "admin" {
		return answer{status: http.StatusForbidden, body: map[string]any{"error": map[string]any{
			"title": "Forbidden", "message": "You do not have access to this page. Please contact the account owner of this help desk for further help.",
		}}}
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
	if raw, ok := a.body.(json.RawMessage); ok {
		_, _ = w.Write(raw)
		return
	}
	_ = json.NewEncoder(w).Encode(a.body)
}

func (s *Server) routes() {
	read, write, users := []string{"read", "tickets:read"}, []string{"write", "tickets:write"}, []string{"read", "users:read"}
	all := []string{"read"}
	s.mux.HandleFunc("POST /oauth/tokens", s.token)
	s.handle("GET /api/v2/users/me", "me", users, false, func(request) answer { return ok(map[string]any{"user": s.userView(s.bridge())}) })
	s.handle("GET /api/v2/users/show_many", "people", users, false, s.showUsers)
	s.handle("GET /api/v2/users", "directory", users, false, s.listUsers)
	s.handle("GET /api/v2/users/{id}/groups", "membership", all, false, s.groupsOf)
	s.handle("GET /api/v2/groups", "groups", all, false, func(r request) answer { return s.page(r, "groups", groups()) })
	s.handle("GET /api/v2/ticket_fields", "fields", all, false, func(r request) answer { return s.page(r, "ticket_fields", s.fields()) })
	s.handle("GET /api/v2/custom_statuses", "statuses", all, false, s.listStatuses)
	s.handle("GET /api/v2/tickets", "find", read, false, s.listTickets)
	s.handle("POST /api/v2/tickets", "create", write, false, s.create)
	s.handle("GET /api/v2/tickets/show_many", "open", read, false, s.showTickets)
	s.handle("GET /api/v2/tickets/{id}", "ticket", read, false, s.showTicket)
	s.handle("PUT /api/v2/tickets/{id}", "update", write, false, s.update)
	s.handle("PUT /api/v2/tickets/{id}/tags", "tags", write, false, s.addTags)
	s.handle("GET /api/v2/tickets/{id}/audits", "audits", all, false, s.listAudits)
	s.handle("POST /api/v2/uploads", "upload", write, false, s.upload)
	s.handle("GET /api/v2/incremental/tickets/cursor", "export", all, true, s.export)
	s.handle("GET /api/v2/approval_requests", "approvals", all, true, s.listApprovals)
	s.handle("GET /api/v2/approval_workflow_instances/{workflow}/approval_requests/{id}", "approval", all, false, s.showApproval)
}

// page answers one page of a list, by Zendesk's cursors.
func (s *Server) page(r request, member string, items []map[string]any) answer {
	size, err := strconv.Atoi(r.URL.Query().Get("page[size]"))
	if err != nil || size < 1 || size > 100 {
		return refusal(http.StatusBadRequest, "InvalidPaginationParameter", "page[size] lies between 1 and 100")
	}
	start := 0
	if after := r.URL.Query().Get("page[after]"); after != "" {
		if start, err = strconv.Atoi(strings.TrimPrefix(after, "after-")); err != nil || start > len(items) {
			return refusal(http.StatusBadRequest, "InvalidPaginationParameter", "page[after] is invalid")
		}
	}
	end := min(start+size, len(items))
	shown := append([]map[string]any{}, items[start:end]...)
	return ok(map[string]any{member: shown, "meta": map[string]any{"has_more": end < len(items), "after_cursor": fmt.Sprintf("after-%d", end)}})
}

func (s *Server) id() int64 {
	s.last++
	return s.last
}
