// Package elimitystandin is a stand-in for Elimity Insights: a server with state that sends the documented ITSM webhook
// for change requests, and answers the calls known from Elimity's own clients. It is not Elimity and was written from
// public facts only: how times and values are written in webhooks, and which credentials they carry, are assumptions.
// It shares no types with the connector it stands against.
//
// standin.go holds sources with their entities, changes.go the change requests and their webhooks, sender.go sends them,
// api.go and query.go answer calls, faults.go what can be made to go wrong, page.go a page to play it by hand.
//
// Changing the data and showing it are two things, as in Elimity: what is carried out at a source is seen by queries
// only once the source was reloaded.
package elimitystandin

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// Options say what the stand-in is like; the zero value is a server that sends no webhooks.
type Options struct {
	TokenID      string // the API token; default "bridge"
	TokenSecret  string // default "standin-secret"
	JournalID    int64  // a custom source whose connector log can be written; default 90
	JournalToken string // default "standin-token"
	Directed     bool   // queries follow a relationship in the direction it was stored only

	HookURL     string      // where webhooks go; empty: they are queued only
	HookHeader  http.Header // further headers on webhooks
	ContentType string      // of webhooks; default application/json

	Client *http.Client     // for webhooks; default: 10 s timeout
	Now    func() time.Time // default time.Now
}

// Entity is an entity as webhooks name it.
type Entity struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	SourceID   int64  `json:"sourceId"`
	SourceName string `json:"sourceName"`
	Type       string `json:"type"`
}

func (e Entity) key() key { return key{e.SourceID, e.Type, e.ID} }

type key struct {
	source   int64
	kind, id string
}

// thing is an entity with what is assigned to it.
type thing struct {
	name     string
	active   bool
	assigned map[string]string // by attribute type, as queries write values
}

// graph is the data about who may what.
type graph struct {
	things map[key]thing
	links  map[[2]key]bool
}

func newGraph() graph { return graph{map[key]thing{}, map[[2]key]bool{}} }

// source is where entities come from.
type source struct {
	id       int64
	name     string
	reloaded time.Time // zero: never
}

// LogLine is one line of the journal source's connector log.
type LogLine struct {
	Level     string
	Message   string
	Timestamp time.Time
}

// Server is the stand-in. It is an http.Handler and safe for concurrent use.
type Server struct {
	options Options
	mux     *http.ServeMux
	form    string // proves that a form came from our own page

	line standin.Line[[]byte]

	mu       sync.Mutex
	sources  []*source
	live     graph // as it is at the sources
	shown    graph // as it was when each source was last reloaded
	requests []Request
	log      []LogLine
	looks    int // how often the sources were listed
	faults   faults
}

// New returns a stand-in with a few people and roles in it.
func New(o Options) *Server {
	o.TokenID, o.TokenSecret = or(o.TokenID, "bridge"), or(o.TokenSecret, "standin-secret")
	o.JournalToken = or(o.JournalToken, "standin-token")
	o.ContentType = or(o.ContentType, "application/json")
	if o.JournalID == 0 {
		o.JournalID = 90
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{options: o, form: rand.Text()}
	s.line.Post = s.Send
	s.Reset()
	s.mux = s.routes()
	return s
}

func or(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// The people and roles every stand-in starts with.
var (
	Ana   = Entity{"u-1", "Ana", 4, "HR", "person"}
	Bo    = Entity{"u-2", "Bo", 4, "HR", "person"}
	Admin = Entity{"r-9", "SAP_ALL", 5, "SAP", "role"}
	Clerk = Entity{"r-3", "SAP_CLERK", 5, "SAP", "role"}
)

// Reset brings back the start: Ana and Bo at HR, of department Sales, Ana with SAP_ALL.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = []*source{{id: 4, name: "HR"}, {id: 5, name: "SAP"}, {id: s.options.JournalID, name: "Decisions"}}
	s.live, s.shown = newGraph(), newGraph()
	s.requests, s.log, s.faults = nil, nil, faults{}
	s.line.ClearQueue()
	for _, e := range []Entity{Ana, Bo, Admin, Clerk} {
		s.live.things[e.key()] = thing{name: e.Name, active: true, assigned: map[string]string{}}
	}
	s.live.things[Ana.key()].assigned["department"] = "Sales"
	s.live.things[Bo.key()].assigned["department"] = "Sales"
	s.live.links[[2]key{Ana.key(), Admin.key()}] = true
	for _, one := range s.sources {
		s.reload(one)
	}
}

// Reload shows what has changed at a source since it was last reloaded.
func (s *Server) Reload(sourceID int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.sources, func(one *source) bool { return one.id == sourceID })
	if i < 0 {
		return fmt.Errorf("reload source: there is no source %d", sourceID)
	}
	s.reload(s.sources[i])
	return nil
}

// reload copies one source's entities, and the links that touch it; s.mu is held.
func (s *Server) reload(one *source) {
	one.reloaded = s.options.Now()
	of := func(k key) bool { return k.source == one.id }
	maps.DeleteFunc(s.shown.things, func(k key, _ thing) bool { return of(k) })
	maps.DeleteFunc(s.shown.links, func(l [2]key, _ bool) bool { return of(l[0]) || of(l[1]) })
	for k, t := range s.live.things {
		if of(k) {
			t.assigned = maps.Clone(t.assigned)
			s.shown.things[k] = t
		}
	}
	for l := range s.live.links {
		if of(l[0]) || of(l[1]) {
			s.shown.links[l] = true
		}
	}
}

// Deactivate marks an entity as inactive at its source, as some sources do in place of removing it.
func (s *Server) Deactivate(e Entity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.live.things[e.key()]; ok {
		t.active = false
		s.live.things[e.key()] = t
	}
}

// Looks tells how often somebody asked when the sources were reloaded.
func (s *Server) Looks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looks
}

// Log returns what was written into the journal source's connector log, oldest first.
func (s *Server) Log() []LogLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("POST /api/sources/{id}/connector-logs", s.ofSource(s.writeLog))
	mux.Handle("GET /api/sources/{id}/domain-graph-schema", s.ofSource(s.schema))
	mux.Handle("GET /api/agent/sources", s.ofAgent(s.listSources))
	mux.Handle("POST /api/agent/query", s.ofAgent(s.query))
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("POST /requests", s.act)
	return mux
}

// ServeHTTP answers API calls and the page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }
