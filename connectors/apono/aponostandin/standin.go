// Package aponostandin is a stand-in for Apono: a server with state that answers the calls a bridge makes, posts the
// webhooks such an account would send, and asks by manual webhooks. It is not Apono and was written from public facts
// only; what nobody documents (who may approve, a second answer, most error bodies, the payloads of manual, anomaly and
// integration webhooks) is an assumption here. It shares no types with the connector it stands against, so that it
// cannot repeat its mistakes.
//
// standin.go holds the requests, portal.go what people do to them in Apono itself, api.go the calls a bridge makes,
// sender.go, payload.go and template.go the webhooks, gate.go the manual ones, faults.go what can be made to go wrong,
// page.go a page to play requester and approver by hand.
package aponostandin

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// Options say what the stand-in is like; the zero value is an account that sends no webhooks.
type Options struct {
	Token    string // of the bridge; default "aup_standin"
	User     Person // whose token it is; default Drawbridge, drawbridge@corp.example
	ReadOnly bool   // the token may read and not approve: such calls are answered 403

	HookURL    string      // where webhooks go; empty: they are queued only
	HookToken  string      // Bearer on webhooks, where set
	HookHeader http.Header // further headers on webhooks
	Templates  Templates   // bodies of webhooks; empty ones take the defaults
	Escaping   Escaping    // how values are pasted into templates
	LongTypes  bool        // event types are AccessRequestCreated and so on

	Validators []Validator   // of manual webhooks; default $.data.status is approved
	Wrapped    bool          // validators' paths name a member data that stands around the answer; otherwise one inside it
	AskEvery   time.Duration // how often Run asks again for requests behind a manual webhook; 0: only once

	Client *http.Client     // for webhooks; default: 10 s timeout
	Now    func() time.Time // default time.Now
	NewID  func() string    // makes request ids; default random UUIDs
}

// Person is a user of Apono.
type Person struct{ ID, Name, Email string }

// State is what became of a request, in the words of the public API.
type State string

const (
	Pending  State = "PENDING"
	Approved State = "APPROVED"
	Rejected State = "REJECTED"
	Granted  State = "GRANTED"
	Revoking State = "REVOKING"
	Expired  State = "EXPIRED"
	Failed   State = "FAILED"
)

// Relation says whose approval a request needs.
type Relation string

const (
	AnyOf Relation = "AnyOf" // of one approver
	AllOf Relation = "AllOf" // of every approver
)

// AccessRequest is what a person asks for.
type AccessRequest struct {
	Requester     Person
	Justification string
	Flow          string // the access flow; default "Production access"
	Integration   string
	Type          string // of the integration
	Resources     []Resource
	Duration      time.Duration // 0: as the flow sets it

	Relation      Relation // default AnyOf
	Approvers     []Person // default: the user of the bridge's token
	NeedsReason   bool     // the flow wants a reason from approvers
	BehindWebhook bool     // the flow has a manual webhook instead of approvers
}

// Resource is a resource with the permission asked for.
type Resource struct{ Name, Type, Permission string }

// Approval is one approver of a request and the answer given: Pending, Approved or Rejected.
type Approval struct {
	Approver Person
	Status   string
}

// Request is an access request as the stand-in keeps it.
type Request struct {
	AccessRequest
	ID         string
	FriendlyID string // AR-1
	Created    time.Time
	State      State
	Approvals  []Approval
	Asked      int // how often its manual webhook was called
}

// Decision is an answer as it was given through the API.
type Decision struct {
	RequestID     string
	Action        string // approve, reject, revoke
	Justification string
	Answered      int  // HTTP status
	ReadBack      bool // the request was read afterwards
}

// Server is the stand-in. It is an http.Handler and safe for concurrent use.
type Server struct {
	options Options
	mux     *http.ServeMux
	form    string // proves that a form came from our own page

	line standin.Line[*delivery]

	mu        sync.Mutex
	requests  []*Request
	decisions []Decision
	faults    faults
}

// New returns a stand-in without requests.
func New(o Options) *Server {
	o.Token = cmp.Or(o.Token, "aup_standin")
	o.User = cmp.Or(o.User, Person{"user-bridge", "Drawbridge", "drawbridge@corp.example"})
	o.Templates = o.Templates.withDefaults()
	if o.Validators == nil {
		o.Validators = []Validator{{Path: "$.data.status", Expected: []string{"approved"}}}
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = newUUID
	}
	s := &Server{options: o, form: rand.Text()}
	s.line.Post, s.line.Taken = s.deliver, s.taken
	s.mux = s.routes()
	return s
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /api/v3/access-requests", s.api(s.listRequests))
	mux.Handle("GET /api/v3/access-requests/{id}", s.api(s.readRequest))
	mux.Handle("POST /api/v3/access-requests-bulk/revoke", s.api(s.revokeRequests))
	mux.Handle("GET /api/client/v1/access-requests", s.api(s.listTasks))
	mux.Handle("GET /api/client/v1/access-requests/{id}", s.api(s.readTask))
	mux.Handle("POST /api/client/v1/access-requests/{id}/approve", s.api(s.decide("approve")))
	mux.Handle("POST /api/client/v1/access-requests/{id}/reject", s.api(s.decide("reject")))
	mux.Handle("POST /api/client/v1/access-requests/{id}/revoke", s.api(s.revokeTask))
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("POST /requests", s.raise)
	mux.HandleFunc("POST /actions", s.act)
	return mux
}

// ServeHTTP answers API calls and the page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Reset forgets requests, decisions, faults and queued webhooks.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.decisions, s.faults = nil, nil, faults{}
	s.line.ClearQueue()
}

// Requests returns copies of all requests, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Request, len(s.requests))
	for i, r := range s.requests {
		list[i] = *r
		list[i].Approvals = slices.Clone(r.Approvals)
	}
	return list
}

// Decisions returns every answer given through the API about one request, oldest first, refused ones included.
func (s *Server) Decisions(requestID string) []Decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Decision
	for _, d := range s.decisions {
		if d.RequestID == requestID {
			list = append(list, d)
		}
	}
	return list
}

// Request makes a request, queues its webhooks and returns the request's id. Behind a manual webhook that is the
// question as well.
func (s *Server) Request(a AccessRequest) string {
	a.Flow = cmp.Or(a.Flow, "Production access")
	a.Relation = cmp.Or(a.Relation, AnyOf)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(a.Approvers) == 0 && !a.BehindWebhook {
		a.Approvers = []Person{s.options.User}
	}
	r := &Request{
		AccessRequest: a, ID: s.options.NewID(), FriendlyID: fmt.Sprintf("AR-%d", len(s.requests)+1),
		Created: s.options.Now().UTC(), State: Pending,
	}
	for _, p := range a.Approvers {
		r.Approvals = append(r.Approvals, Approval{p, "Pending"})
	}
	s.requests = append(s.requests, r)
	s.tell(r, "RequestCreated")
	if a.BehindWebhook {
		s.ask(r)
	}
	return r.ID
}

// find returns a request by either of its ids; s.mu is held.
func (s *Server) find(id string) *Request {
	i := slices.IndexFunc(s.requests, func(r *Request) bool { return r.ID == id || r.FriendlyID == id })
	if i < 0 {
		return nil
	}
	return s.requests[i]
}
