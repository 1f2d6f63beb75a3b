// Package freshworksstandin is what the stand-ins of Freshservice and Freshdesk are made of: their interface v2 as far as
// the connectors use it, with state, permissions, an index that lags, and people who work in it. It refuses what the
// vendor is documented to refuse. Nothing of it is taken from the connectors.
//
// Read request.go for how a call is answered, ticket.go for tickets, note.go for notes, approval.go for approvals and
// people.go for what people do.
package freshworksstandin

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// Options describe a site.
type Options struct {
	Service  bool // Freshservice; else Freshdesk
	Now      func() time.Time
	Lag      time.Duration // of the search index
	Accounts []Account
	Statuses []Status // of tickets; default: the vendor's and Approved, Declined
	Fields   []Field  // custom fields of tickets, and of changes
	Items    []int64  // catalog items, whose requests ask for approval
	// NoRollUp leaves approval_status out of tickets.
	NoRollUp bool
	// Delegates answers in place of an approver, by approver.
	Delegates map[int64]int64
}

// Account is an agent.
type Account struct {
	ID     int64
	Name   string
	Mail   string
	Key    string   // of the interface
	Groups []string // names
	Denied []string // permissions the account lacks: view, create, edit, notes, fields, agents, items, approvals
}

// Status is a status of tickets.
type Status struct {
	Number int
	Name   string
}

// Field is a custom field. Type is text, paragraph, dropdown, number, checkbox or date.
type Field struct {
	Name     string
	Type     string
	Choices  []string
	Required bool // to open a ticket
	Closing  bool // to close one
}

// Server is a stand-in. Its zero value is of no use.
type Server struct {
	standin.Faults
	Hooks standin.Hooks

	opts Options

	mu       sync.Mutex
	records  []*record
	last     map[string]int64 // numbers, by kind
	requests map[string]int
	url      string // where webhooks go
	header   string
	secret   string
}

// record is a ticket or a change.
type record struct {
	kind        string // tickets or changes
	id          int64
	typ         string
	subject     string
	description string
	status      int
	priority    int
	workspace   int64
	requester   int64
	tags        []string
	standard    map[string]any
	custom      map[string]any
	item        map[string]any // fields of a catalog item
	notes       []*note
	approvals   []*approval
	deleted     bool
	created     time.Time
	updated     time.Time
	indexed     time.Time
}

// New opens a site.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(o.Statuses) == 0 {
		o.Statuses = []Status{{2, "Open"}, {3, "Pending"}, {4, "Resolved"}, {5, "Closed"}, {6, "Approved"}, {7, "Declined"}}
	}
	s := &Server{opts: o, last: map[string]int64{}, requests: map[string]int{}}
	s.Hooks.Client, s.Hooks.Tries, s.Hooks.Retry = &http.Client{Timeout: 15 * time.Second}, 4, time.Second
	return s
}

// Forward makes the site's workflow tell url of changes that people make, with a secret in a header.
func (s *Server) Forward(url, header, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.url, s.header, s.secret = url, header, secret
}

func (s *Server) now() time.Time { return s.opts.Now().UTC().Truncate(time.Second) }

// Requests tells how often a call of that name was made.
func (s *Server) Requests(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[op]
}

// Ticket is a ticket as those see it who look into the site.
type Ticket struct {
	ID, Type, Subject, Description, Status string
	Workspace                              int64
	Priority                               int
	Requester                              int64
	Tags                                   []string
	Fields                                 map[string]any
	Notes                                  []Note
	Deleted                                bool
}

// Note is a note as those see it.
type Note struct {
	ID      int64
	By      int64
	Body    string
	Private bool
	Files   []string
}

// Tickets are all there are, oldest first.
func (s *Server) Tickets() []Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Ticket
	for _, r := range s.records {
		out = append(out, s.seen(r))
	}
	return out
}

// Ticket finds one by its number, with or without the letters before it.
func (s *Server) Ticket(id string) (Ticket, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(id)
	if err != nil {
		return Ticket{}, false
	}
	return s.seen(r), true
}

func (s *Server) seen(r *record) Ticket {
	t := Ticket{
		ID: strconv.FormatInt(r.id, 10), Type: r.typ, Subject: r.subject, Description: r.description, Status: s.statusName(r), Workspace: r.workspace,
		Priority: r.priority, Requester: r.requester, Tags: append([]string{}, r.tags...), Fields: map[string]any{}, Deleted: r.deleted,
	}
	if r.kind == "changes" {
		t.ID = "CHN-" + t.ID
	}
	for _, from := range []map[string]any{r.standard, r.item, r.custom} {
		for name, v := range from {
			t.Fields[name] = v
		}
	}
	for _, n := range r.notes {
		one := Note{ID: n.id, By: n.user, Body: n.body, Private: n.private}
		for _, f := range n.files {
			one.Files = append(one.Files, f.name)
		}
		t.Notes = append(t.Notes, one)
	}
	return t
}

// find wants s.mu held.
func (s *Server) find(id string) (*record, error) {
	kind, digits := "tickets", id
	if letters, rest, ok := strings.Cut(id, "-"); ok {
		digits = rest
		if letters == "CHN" {
			kind = "changes"
		}
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(digits, "#"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no number", id)
	}
	for _, r := range s.records {
		if r.kind == kind && r.id == n {
			return r, nil
		}
	}
	return nil, fmt.Errorf("there is no ticket %s", id)
}

func (s *Server) statuses(kind string) []Status {
	if kind == "changes" {
		return []Status{{1, "Open"}, {2, "Planning"}, {3, "Awaiting Approval"}, {4, "Pending Release"}, {5, "Pending Review"}, {6, "Closed"}}
	}
	return s.opts.Statuses
}

func (s *Server) statusName(r *record) string {
	for _, one := range s.statuses(r.kind) {
		if one.Number == r.status {
			return one.Name
		}
	}
	return strconv.Itoa(r.status)
}

// touch wants s.mu held.
func (s *Server) touch(r *record) {
	r.updated = s.now()
	r.indexed = r.updated.Add(s.opts.Lag)
}

// number wants s.mu held.
func (s *Server) number(kind string) int64 {
	if s.last[kind] == 0 {
		s.last[kind] = 41
	}
	s.last[kind]++
	return s.last[kind]
}
