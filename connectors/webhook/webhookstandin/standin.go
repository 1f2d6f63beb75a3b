// Package webhookstandin is a stand-in for a security tool nobody has heard of: people ask it for access, it tells of
// that by webhook, and it is told what was decided. It is no real product. It shares nothing with the connector it
// stands against.
//
// standin.go holds the requests and the interface a bridge calls, sender.go the webhooks in every form they may have.
package webhookstandin

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options say what the stand-in is like.
type Options struct {
	Token  string // taken as "Authorization: Bearer"; empty: none is wanted
	APIKey string // taken as "X-Api-Key" besides; empty: none is wanted

	HookURL    string      // where webhooks go
	HookHeader http.Header // further headers on webhooks, for credentials
	HookSecret string      // "whsec_" and a key in base64: webhooks are signed as Standard Webhooks

	Client *http.Client     // for webhooks; default: 10 s timeout
	Now    func() time.Time // default time.Now
}

// The words for what became of a request.
const (
	Waiting  = "WAITING"
	Approved = "APPROVE"
	Denied   = "REJECT"
)

// Request is what somebody asked for.
type Request struct {
	ID       string
	Login    string
	Name     string
	Resource string
	Reason   string
	State    string // Waiting until it is decided
	By       string // who decided
	At       time.Time
}

// Decision is a decision as it was posted, and how it was answered.
type Decision struct {
	Request, Word, By, Ticket, Note string
	Answered                        int
}

// Server is the stand-in. It is an http.Handler and safe for concurrent use.
type Server struct {
	options Options
	mux     *http.ServeMux

	mu        sync.Mutex
	requests  []*Request
	decisions []Decision
	failures  []int // statuses of the next calls
	cut       bool
}

// New returns a stand-in nobody has asked for anything.
func New(o Options) *Server {
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{options: o, mux: http.NewServeMux()}
	s.mux.HandleFunc("GET /me", s.me)
	s.mux.HandleFunc("GET /requests/{id}", s.show)
	s.mux.HandleFunc("POST /requests/{id}/decision", s.decide)
	return s
}

// Ask adds a request that waits and returns its id.
func (s *Server) Ask(r Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.ID == "" {
		r.ID = fmt.Sprintf("req-%d", len(s.requests)+1)
	}
	r.State = Waiting
	s.requests = append(s.requests, &r)
	return r.ID
}

// Find returns a request.
func (s *Server) Find(id string) (Request, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.find(id); r != nil {
		return *r, true
	}
	return Request{}, false
}

func (s *Server) find(id string) *Request {
	for _, r := range s.requests {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Decisions returns what was posted, in order.
func (s *Server) Decisions() []Decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Decision(nil), s.decisions...)
}

// FailNext answers the next calls with these statuses and does nothing else.
func (s *Server) FailNext(statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, statuses...)
}

// CutNext takes the next decision and closes the connection without an answer.
func (s *Server) CutNext() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = true
}

// ServeHTTP answers calls that carry the credentials, and shows at / to everybody what became of the requests.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		s.page(w)
		return
	}
	o := s.options
	if (o.Token != "" && !same(r.Header.Get("Authorization"), "Bearer "+o.Token)) || (o.APIKey != "" && !same(r.Header.Get("X-Api-Key"), o.APIKey)) {
		refuse(w, http.StatusUnauthorized, "the credentials are missing or wrong")
		return
	}
	if status := s.failure(); status != 0 {
		refuse(w, status, "the stand-in was asked to fail")
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) page(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		fmt.Fprintf(w, "%s  %s asks for %s: %s %s\n", r.ID, r.Name, r.Resource, r.State, r.By)
	}
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (s *Server) failure() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failures) == 0 {
		return 0
	}
	status := s.failures[0]
	s.failures = s.failures[1:]
	return status
}

func (s *Server) me(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]string{"name": "bridge"})
}

func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	found, ok := s.Find(r.PathValue("id"))
	if !ok {
		refuse(w, http.StatusNotFound, "there is no such request")
		return
	}
	out := map[string]any{"id": found.ID, "status": found.State}
	if found.State != Waiting {
		out["decided"] = map[string]any{"by": found.By, "at": found.At.UTC().Format(time.RFC3339)}
	}
	reply(w, http.StatusOK, out)
}

// decide takes the first decision; the same one again is fine, another is refused.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) {
	var in struct{ Decision, By, Ticket, Note string }
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") || d.Decode(&in) != nil {
		refuse(w, http.StatusBadRequest, "the body has to be a JSON object of decision, by, ticket and note")
		return
	}
	status, words := s.take(r.PathValue("id"), Decision{Request: r.PathValue("id"), Word: in.Decision, By: in.By, Ticket: in.Ticket, Note: in.Note})
	s.mu.Lock()
	cut := s.cut && status == http.StatusOK
	s.cut = s.cut && !cut
	s.mu.Unlock()
	if cut {
		panic(http.ErrAbortHandler)
	}
	if status != http.StatusOK {
		refuse(w, status, words)
		return
	}
	reply(w, http.StatusOK, map[string]bool{"ok": true})
}

func (s *Server) take(id string, d Decision) (status int, words string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(id)
	switch {
	case found == nil:
		status, words = http.StatusNotFound, "there is no such request"
	case d.Word != Approved && d.Word != Denied:
		status, words = http.StatusBadRequest, "decision has to be "+Approved+" or "+Denied
	case d.By == "":
		status, words = http.StatusBadRequest, "by is missing"
	case found.State != Waiting && found.State != d.Word:
		status, words = http.StatusConflict, "the request is decided already"
	default:
		status = http.StatusOK
		if found.State == Waiting {
			found.State, found.By, found.At = d.Word, d.By, s.options.Now()
		}
	}
	d.Answered = status
	s.decisions = append(s.decisions, d)
	return status, words
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, words string) {
	reply(w, status, map[string]string{"message": words})
}
