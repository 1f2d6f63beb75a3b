// Package epmstandin is a stand-in for BeyondTrust EPM: a server with state that behaves like the tenant's Management
// API towards a bridge, and a sender that posts the webhooks such a tenant would send. It is not EPM and was written
// from public facts only; what nobody documents (error bodies, states by id, the administrator's decision path) is an
// assumption here. It shares no types with the connector it stands against, so that it cannot repeat its mistakes.
//
// standin.go holds the requests and their states, api.go the calls a bridge makes, sender.go and template.go the
// webhooks, faults.go what can be made to go wrong, page.go a page to play requester and console by hand.
package epmstandin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// Options say what the stand-in is like; the zero value is a tenant that sends no webhooks.
type Options struct {
	ClientID     string // of the API account; default "bridge"
	ClientSecret string // default "standin-secret"
	Tenant       string // default "t-100"
	WithoutJIT   bool   // the API account lacks the JIT permission: its calls are answered 403

	HookURL      string // where webhooks go; empty: they are queued only
	HookUser     string // HTTP Basic on webhooks, where set
	HookPassword string
	HookHeader   http.Header // further headers on webhooks
	ContentType  string      // of webhooks; default application/json
	Templates    Templates   // bodies of webhooks; empty ones take the defaults
	RawValues    bool        // paste values into templates without escaping them
	ExactNames   bool        // leave %%hostName%% alone, as the variable's name is Hostname

	EchoDecisions  bool // a decision posted through the API is told as a webhook too
	OnlyBySystemID bool // states are found by the desk's id only, as one published client asks for them

	Client *http.Client     // for webhooks; default: 10 s timeout
	Now    func() time.Time // default time.Now
	NewID  func() string    // makes RequestIds; default random UUIDs
}

// State is what became of a request.
type State string

const (
	Pending  State = "Pending"
	Approved State = "Approved"
	Denied   State = "Denied"
)

// Request is a JIT request as the stand-in keeps it.
type Request struct {
	ID        string
	Number    string // EPM000001
	Admin     bool   // for administrator rights, else for an application
	Variables map[string]string
	Created   time.Time

	State     State
	By        string // who decided
	DecidedAt time.Time
	Duration  string // as it was decided
	SystemID  string // the ticket, as the decision named it
	TicketID  string
	TicketURL string
}

// Decision is a decision as it was posted through the API, and how it was answered.
type Decision struct {
	RequestID, SystemID, TicketID, TicketURL      string
	Decision, Status, Time, Duration, By, Message string
	Correlation                                   string // the x-correlation-id header
	Answered                                      int    // HTTP status
}

// Server is the stand-in. It is an http.Handler and safe for concurrent use.
type Server struct {
	options Options
	mux     *http.ServeMux
	form    string // proves that a form came from our own page

	line standin.Line[[]byte]

	mu        sync.Mutex
	requests  []*Request
	decisions []Decision
	tokens    map[string]time.Time // until when each is good
	faults    faults
}

// New returns a stand-in without requests.
func New(o Options) *Server {
	o.ClientID = or(o.ClientID, "bridge")
	o.ClientSecret = or(o.ClientSecret, "standin-secret")
	o.Tenant = or(o.Tenant, "t-100")
	o.ContentType = or(o.ContentType, "application/json")
	o.Templates = o.Templates.withDefaults()
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = newUUID
	}
	s := &Server{options: o, form: rand.Text(), tokens: map[string]time.Time{}}
	s.line.Post = s.Send
	s.mux = s.routes()
	return s
}

func or(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/connect/token", s.token)
	for _, version := range []string{"v2", "v3"} {
		mux.Handle("POST /management-api/"+version+"/AuthorizationRequest/notification", s.api(s.decideApplication))
		mux.Handle("GET /management-api/"+version+"/AuthorizationRequest/{id}", s.api(s.applicationState))
	}
	mux.Handle("POST /management-api/v3/AdminAccessRequest/notification", s.api(s.decideAdmin))
	mux.Handle("GET /management-api/v3/AdminAccessRequest/{id}", s.api(s.adminState))
	mux.Handle("GET /management-api/v3/AdminAccessRequest", s.api(s.adminList))
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("POST /requests", s.raise)
	mux.HandleFunc("POST /decisions", s.console)
	return mux
}

// ServeHTTP answers API calls and the page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Reset forgets requests, decisions, tokens, faults and queued webhooks.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.decisions, s.faults = nil, nil, faults{}
	s.line.ClearQueue()
	clear(s.tokens)
}

// Requests returns copies of all requests, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Request, len(s.requests))
	for i, r := range s.requests {
		list[i] = *r
		list[i].Variables = maps.Clone(r.Variables)
	}
	return list
}

// Decisions returns everything posted through the API about one request, oldest first, refused posts included.
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

// AppRequest is what a person asks for when starting an application.
type AppRequest struct {
	User, Hostname, ComputerGroup, Reason             string
	ProductName, Publisher, FilePath, CmdArgs, Sha256 string
	Variables                                         map[string]string // further variables by name
}

// RequestApplication makes a request, queues its webhook and returns the RequestId.
func (s *Server) RequestApplication(r AppRequest) string {
	v := map[string]string{
		"User": r.User, "Hostname": r.Hostname, "ComputerGroup": r.ComputerGroup, "Reason": r.Reason,
		"ProductName": r.ProductName, "Publisher": r.Publisher, "FilePathObjectId": r.FilePath, "CmdArgs": r.CmdArgs,
		"Sha256Hash": r.Sha256, "HostType": "Windows", "ApplicationType": "exe", "UacTriggered": "True",
		"TrustedOwnership": "False", "BtZoneIdentifierExists": "False", "TokenAssignmentIsShell": "False",
	}
	maps.Copy(v, r.Variables)
	return s.open(v, false)
}

// AdminRequest is what a person asks for who wants administrator rights for a while.
type AdminRequest struct {
	UserName, UserID, ComputerID, Reason string
	Duration                             time.Duration
	Variables                            map[string]string
}

// RequestAdmin makes a request, queues its webhook and returns the RequestId.
func (s *Server) RequestAdmin(r AdminRequest) string {
	v := map[string]string{
		"UserName": r.UserName, "UserId": r.UserID, "ComputerId": r.ComputerID, "Reason": r.Reason,
		"DurationRequested": seconds(r.Duration),
	}
	maps.Copy(v, r.Variables)
	return s.open(v, true)
}

func seconds(d time.Duration) string { return fmt.Sprint(int64(d / time.Second)) }

func (s *Server) open(variables map[string]string, admin bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Request{
		ID: s.options.NewID(), Number: fmt.Sprintf("EPM%06d", len(s.requests)+1), Admin: admin,
		Variables: variables, Created: s.options.Now().UTC(), State: Pending,
	}
	s.requests = append(s.requests, r)
	s.tell(s.createdBody(r))
	return r.ID
}

// ErrDecided is what deciding a second time in the console ends with.
var ErrDecided = errors.New("the request is decided already")

// DecideInConsole decides as somebody working in EPM's own console would, and queues the webhook.
func (s *Server) DecideInConsole(requestID string, decision State, by string) error {
	if decision != Approved && decision != Denied {
		return fmt.Errorf("decide in console: %q is neither Approved nor Denied", decision)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(requestID)
	switch {
	case r == nil:
		return errors.New("decide in console: there is no such request")
	case r.State != Pending:
		return ErrDecided
	}
	r.State, r.By, r.DecidedAt, r.Duration = decision, by, s.options.Now().UTC(), "3600"
	s.tell(s.decidedBody(r))
	return nil
}

// find returns a request by its id; s.mu is held.
func (s *Server) find(id string) *Request {
	i := slices.IndexFunc(s.requests, func(r *Request) bool { return strings.EqualFold(r.ID, id) })
	if i < 0 {
		return nil
	}
	return s.requests[i]
}
