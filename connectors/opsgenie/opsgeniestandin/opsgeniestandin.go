// Package opsgeniestandin is an Opsgenie for tests, or the operations of Jira Service Management: alerts by alias that are
// opened, changed and closed by requests whose outcome is told later, with notes, a log, custom actions and webhooks. It was
// written from the vendor's documents and API description, and refuses what they say is refused.
package opsgeniestandin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// Key is the key of the integration drawbridge unless the options say another, and Integration that integration's id.
const (
	Key         = "genie-key"
	Integration = "c9cec2cb-e782-4ebb-bc1d-1b2fa703cf03"
)

// Options say what an Opsgenie is like. The zero value is one that everything works with.
type Options struct {
	Now    func() time.Time
	Key    string
	Denied []string      // names of calls the key may not make: read, write
	Lag    time.Duration // how long the search misses a new alert
	Slow   int           // how often a request's outcome is not known yet
	Hidden time.Duration // how long an alias leads nowhere after an alert was opened

	// Notices is where webhooks go, with Secret in Header; empty: there are none.
	Notices, Header, Secret string
}

// Server is one Opsgenie.
type Server struct {
	Faults standin.Faults // calls are named by what they do: create, note, close, outcome, alert, find, logs, notes ...
	Hooks  standin.Hooks

	o        Options
	mu       sync.Mutex
	last     int64
	alerts   []*alert
	outcomes map[string]*outcome
	requests map[string]int
	mux      http.ServeMux
}

// outcome is what became of a request.
type outcome struct {
	waits int
	data  map[string]any
}

// New returns an Opsgenie without alerts.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Key == "" {
		o.Key = Key
	}
	s := &Server{o: o, outcomes: map[string]*outcome{}, requests: map[string]int{}}
	s.Hooks.Client, s.Hooks.Tries, s.Hooks.Retry = http.DefaultClient, 3, time.Second
	s.routes()
	return s
}

// SendTo sets where webhooks go from now on, and the header with the secret in it.
func (s *Server) SendTo(address, header, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.Notices, s.o.Header, s.o.Secret = address, header, secret
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
	body   map[string]any
}

func ok(data any) answer { return answer{http.StatusOK, map[string]any{"data": data}} }

func refusal(status int, message string) answer {
	return answer{status, map[string]any{"message": message}}
}

// handle serves one kind of call; without a name it has that of what is asked for.
func (s *Server) handle(pattern, op, right string, do func(r request) answer) {
	method, path, _ := strings.Cut(pattern, " ")
	s.mux.HandleFunc(method+" /v2/"+path, func(w http.ResponseWriter, r *http.Request) {
		op := op
		if op == "" {
			if op = r.PathValue("what"); r.PathValue("id") == "requests" {
				op = "outcome"
			}
		}
		fail := func(w http.ResponseWriter, status int) { s.write(w, refusal(status, "the stand-in was told to fail")) }
		s.Faults.Serve(w, r, op, fail, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			if err != nil {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.requests[op]++
			switch {
			case r.Header.Get("Authorization") != "GenieKey "+s.o.Key:
				s.write(w, refusal(http.StatusUnauthorized, "Could not authenticate"))
			case slices.Contains(s.o.Denied, right):
				s.write(w, refusal(http.StatusForbidden, "You are not authorized for this operation"))
			case r.Method != http.MethodGet && r.Header.Get("Content-Type") != "application/json":
				s.write(w, refusal(http.StatusUnsupportedMediaType, "Unsupported media type"))
			default:
				s.write(w, do(request{r, body}))
			}
		})
	})
}

func (s *Server) write(w http.ResponseWriter, a answer) {
	a.body["took"], a.body["requestId"] = 0.01, first(a.body["requestId"], s.id("took"))
	w.Header().Set("Date", s.o.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

func first(a, b any) any {
	if a != nil {
		return a
	}
	return b
}

func (s *Server) routes() {
	s.handle("POST alerts", "create", "write", s.create)
	s.handle("GET alerts", "find", "read", s.list)
	s.handle("GET alerts/{id}", "alert", "read", s.show)
	s.handle("GET alerts/{id}/{what}", "", "read", s.told)
	for op, method := range map[string]string{
		"notes": "POST", "acknowledge": "POST", "unacknowledge": "POST", "close": "POST", "tags": "POST", "details": "POST", "message": "PUT", "description": "PUT", "priority": "PUT",
	} {
		s.handle(method+" alerts/{id}/"+op, op+" of alert", "write", func(r request) answer { return s.change(r, op) })
	}
}

// id makes an id that is like those of the vendor.
func (s *Server) id(kind string) string {
	s.last++
	return fmt.Sprintf("%s-0000-4000-8000-%012d", kind, s.last)
}

// accepted takes a request, whose outcome is asked for later.
func (s *Server) accepted(action string, a *alert, success bool, status string) answer {
	id, alertID, alias := s.id("00000000"), "", ""
	if a != nil {
		alertID, alias = a.id, a.alias
	}
	s.outcomes[id] = &outcome{waits: s.o.Slow, data: map[string]any{
		"action": action, "processedAt": stamp(s.o.Now()), "integrationId": Integration, "success": success, "isSuccess": success, "status": status, "alertId": alertID, "alias": alias,
	}}
	return answer{http.StatusAccepted, map[string]any{"result": "Request will be processed", "requestId": id}}
}

func (s *Server) outcome(r request) answer {
	o := s.outcomes[r.PathValue("what")]
	if o == nil || o.waits > 0 {
		if o != nil {
			o.waits--
		}
		return refusal(http.StatusNotFound, "Request not found. It might not be processed, yet.")
	}
	return ok(o.data)
}

// told answers what is behind an alert, or a request.
func (s *Server) told(r request) answer {
	what := r.PathValue("what")
	switch {
	case r.PathValue("id") == "requests":
		return s.outcome(r)
	case what == "notes":
		return s.trail(r, func(a *alert) []map[string]any { return a.notes })
	case what == "logs":
		return s.trail(r, func(a *alert) []map[string]any { return a.log })
	default:
		return refusal(http.StatusNotFound, "there is no such call")
	}
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// list answers a search: everything, or what an alias has.
func (s *Server) list(r request) answer {
	query := r.URL.Query()
	limit, errL := number(query, "limit", 20)
	offset, errO := number(query, "offset", 0)
	if errL != nil || errO != nil || limit < 1 || limit > 100 || limit+offset > 20000 {
		return refusal(http.StatusUnprocessableEntity, "limit or offset is out of range")
	}
	alias, search := strings.CutPrefix(query.Get("query"), "alias: ")
	if query.Has("query") && (!search || len(alias) < 2 || alias[0] != '"' || alias[len(alias)-1] != '"') {
		return refusal(http.StatusUnprocessableEntity, "Failed to parse the query")
	}
	var found []*alert
	for _, a := range s.alerts {
		if !a.gone && (!search || a.alias == strings.Trim(alias, `"`) && s.o.Now().Sub(a.created) >= s.o.Lag) {
			found = append(found, a)
		}
	}
	by := func(a *alert) time.Time { return a.created }
	if query.Get("sort") == "updatedAt" {
		by = func(a *alert) time.Time { return a.updated }
	}
	slices.SortStableFunc(found, func(a, b *alert) int {
		if query.Get("order") == "asc" {
			return by(a).Compare(by(b))
		}
		return by(b).Compare(by(a))
	})
	shown := []map[string]any{}
	for _, a := range found[min(offset, len(found)):min(offset+limit, len(found))] {
		shown = append(shown, a.view())
	}
	return ok(shown)
}

func number(query url.Values, name string, otherwise int) (int, error) {
	if query.Get(name) == "" {
		return otherwise, nil
	}
	return strconv.Atoi(query.Get(name))
}

// find looks for an alert by what a call names.
func (s *Server) find(r request) *alert {
	id, kind := r.PathValue("id"), r.URL.Query().Get("identifierType")
	for _, a := range slices.Backward(s.alerts) { // the latest of those with an alias
		switch {
		case a.gone:
		case kind == "alias" && a.alias == id && s.o.Now().Sub(a.created) >= s.o.Hidden, kind == "tiny" && a.tiny == id, (kind == "id" || kind == "") && a.id == id:
			return a
		}
	}
	return nil
}

func (s *Server) show(r request) answer {
	a := s.find(r)
	if a == nil {
		return refusal(http.StatusNotFound, "Alert with id ["+r.PathValue("id")+"] does not exist")
	}
	v := a.view()
	v["description"], v["details"], v["entity"], v["actions"] = a.description, a.details, a.entity, a.actions
	return ok(v)
}

// trail answers one page of what is told of an alert one by one.
func (s *Server) trail(r request, of func(*alert) []map[string]any) answer {
	a := s.find(r)
	if a == nil {
		return refusal(http.StatusNotFound, "Alert does not exist")
	}
	query := r.URL.Query()
	limit, err := number(query, "limit", 20)
	if err != nil || limit < 1 || limit > 100 {
		return refusal(http.StatusUnprocessableEntity, "limit is out of range")
	}
	items := slices.Clone(of(a))
	if query.Get("order") != "asc" {
		slices.Reverse(items)
	}
	start := 0
	if offset := query.Get("offset"); offset != "" {
		start = slices.IndexFunc(items, func(i map[string]any) bool { return i["offset"] == offset }) + 1
	}
	end := min(start+limit, len(items))
	out := ok(append([]map[string]any{}, items[start:end]...))
	paging := map[string]any{"first": "https://api.opsgenie.com/v2/alerts/x"}
	if end < len(items) {
		paging["next"] = "https://api.opsgenie.com/v2/alerts/x?" + url.Values{"offset": {items[end-1]["offset"].(string)}}.Encode()
	}
	out.body["paging"] = paging
	return out
}
