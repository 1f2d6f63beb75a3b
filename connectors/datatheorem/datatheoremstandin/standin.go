// Package datatheoremstandin is a stand-in for Data Theorem: a server with state that answers the results API as it is
// documented and known from client code, and a sender that posts the webhooks an account would send. It is not Data
// Theorem and was written from public facts only: the names of most event types, the data of all events but two, and
// the bodies of API errors and of the call that changes a finding target are assumptions. It shares no types with the connector it stands against.
//
// standin.go holds the account and its findings, events.go the webhooks' bodies, sender.go sends them, api.go answers
// the calls a bridge makes, faults.go what can be made to go wrong, page.go a page to play it by hand.
package datatheoremstandin

import (
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
	APIKey        string // default "standin-key"
	WithoutRight  bool   // the key may not read results: calls are answered 403
	WithoutMobile bool   // the same for mobile results only
	PageSize      int    // of lists; default 50
	PortalURL     string // what pages are said to be under; default https://portal.example

	HookURL       string // where webhooks go; empty: they are queued only
	Authorization string // the whole header value on webhooks, as it is typed into the portal: "Bearer 123456abcde"
	ContentType   string // of webhooks; default application/json

	Client *http.Client     // for webhooks; default: 10 s timeout
	Now    func() time.Time // default time.Now
	NewID  func() string    // default random UUIDs
}

// Status is what became of a violation, in the words webhooks are sent with. Only Resolved is documented.
type Status string

const (
	Open     Status = "OPEN"
	Resolved Status = "RESOLVED"
	WontFix  Status = "WONT_FIX"
)

// Violation is a policy violation.
type Violation struct {
	ID          string
	Asset       string // host name of the network service
	AssetID     string
	Relevance   string
	Description string
	Advice      string
	Policy      string
	Rule        string // id of the rule
	RuleType    string // id of its type
	Created     time.Time

	Status      Status
	Exception   string // why it will not be fixed
	ExceptionAt time.Time
}

// Target is a mobile finding target: one finding in one app.
type Target struct {
	ID      string
	Finding string
	App     string
	Title   string
	Status  string
}

// Server is the stand-in. It is an http.Handler and safe for concurrent use.
type Server struct {
	options Options
	mux     *http.ServeMux
	form    string // proves that a form came from our own page

	line standin.Line[[]byte]

	mu         sync.Mutex
	violations []*Violation
	targets    []*Target
	updates    []Update
	faults     faults
}

// New returns a stand-in without findings.
func New(o Options) *Server {
	o.APIKey = or(o.APIKey, "standin-key")
	o.PortalURL = or(o.PortalURL, "https://portal.example")
	o.ContentType = or(o.ContentType, "application/json")
	if o.PageSize <= 0 {
		o.PageSize = 50
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
	mux.Handle("GET /apis/api_security/results/v1beta1/policy_violations", s.api(s.listViolations))
	mux.Handle("GET /apis/mobile_security/results/v2/security_finding_targets", s.api(s.listTargets))
	mux.Handle("GET /apis/mobile_security/results/v2/security_finding_targets/{id}", s.api(s.oneTarget))
	mux.Handle("PATCH /apis/mobile_security/results/v2/security_finding_targets/{id}", s.api(s.updateTarget))
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("POST /events", s.act)
	return mux
}

// ServeHTTP answers API calls and the page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Reset forgets findings, faults and queued webhooks.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations, s.targets, s.updates, s.faults = nil, nil, nil, faults{}
	s.line.ClearQueue()
}

// Update is a change of a finding target that was asked for by the API.
type Update struct{ Target, Status, Comment string }

// Updates returns every change that was asked for, oldest first, those that were refused left out.
func (s *Server) Updates() []Update {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.updates)
}

// Violations returns copies of all violations, oldest first.
func (s *Server) Violations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Violation, len(s.violations))
	for i, v := range s.violations {
		list[i] = *v
	}
	return list
}

// OpenViolation makes a violation, queues its webhook and returns its id. What v leaves out gets a value.
func (s *Server) OpenViolation(v Violation) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.ID, v.AssetID = or(v.ID, s.options.NewID()), or(v.AssetID, s.options.NewID())
	v.Rule, v.RuleType = or(v.Rule, s.options.NewID()), or(v.RuleType, s.options.NewID())
	v.Asset, v.Relevance, v.Policy = or(v.Asset, "shop.example"), or(v.Relevance, "IMPORTANT"), or(v.Policy, "Baseline")
	v.Description = or(v.Description, "The server's certificate ends in less than 30 days.\n\nBrowsers will then refuse to connect.")
	v.Advice = or(v.Advice, "Deploy a new certificate.")
	v.Created, v.Status = s.options.Now().UTC(), Open
	s.violations = append(s.violations, &v)
	s.tell(s.violationBody("API_SECURE__POLICY_VIOLATION_OPENED", &v))
	return v.ID
}

// Resolve closes a violation as a scan that no longer finds it does, and queues the webhook.
func (s *Server) Resolve(id string) error {
	return s.change(id, "API_SECURE__POLICY_VIOLATION_RESOLVED", func(v *Violation) { v.Status = Resolved })
}

// Dismiss closes a violation as somebody in the portal does who marks it as Won't Fix, and queues the webhook.
func (s *Server) Dismiss(id, why string) error {
	return s.change(id, "API_SECURE__POLICY_VIOLATION_WONT_FIX", func(v *Violation) {
		v.Status, v.Exception, v.ExceptionAt = WontFix, why, s.options.Now().UTC()
	})
}

// Reopen opens a violation again, and queues the webhook.
func (s *Server) Reopen(id string) error {
	return s.change(id, "API_SECURE__POLICY_VIOLATION_OPENED", func(v *Violation) {
		v.Status, v.Exception, v.ExceptionAt = Open, "", time.Time{}
	})
}

func (s *Server) change(id, kind string, apply func(*Violation)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.violations, func(v *Violation) bool { return v.ID == id })
	if i < 0 {
		return fmt.Errorf("change violation: there is no violation %q", id)
	}
	apply(s.violations[i])
	s.tell(s.violationBody(kind, s.violations[i]))
	return nil
}

// OpenTarget makes a mobile finding target, queues its webhook and returns its id.
func (s *Server) OpenTarget(app, title string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &Target{ID: s.options.NewID(), Finding: s.options.NewID(), App: app, Title: title, Status: "OPEN"}
	s.targets = append(s.targets, t)
	s.tell(s.targetBody("MOBILE_SECURE__FINDING_TARGET_CREATED", t))
	return t.ID
}

// CloseTarget gives a mobile finding target one of the documented words that start with CLOSED_, and queues the webhook.
func (s *Server) CloseTarget(id, status string) error {
	kinds := map[string]string{
		"CLOSED_FIXED":                "MOBILE_SECURE__FINDING_TARGET_FIXED",
		"CLOSED_RISK_ACCEPTED":        "MOBILE_SECURE__FINDING_TARGET_CLOSED_RISK_ACCEPTED",
		"CLOSED_COMPENSATING_CONTROL": "MOBILE_SECURE__FINDING_TARGET_CLOSED_COMPENSATING_CONTROL",
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.targets, func(t *Target) bool { return t.ID == id })
	if i < 0 {
		return fmt.Errorf("close finding target: there is no target %q", id)
	}
	if kinds[status] == "" {
		return fmt.Errorf("close finding target: %q closes none", status)
	}
	s.targets[i].Status = status
	s.tell(s.targetBody(kinds[status], s.targets[i]))
	return nil
}
