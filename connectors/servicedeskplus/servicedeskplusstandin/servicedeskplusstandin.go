// Package servicedeskplusstandin is a stand-in for ManageEngine ServiceDesk Plus, cloud or an installation of one's own,
// to test against. It keeps requests, notes, approvals and people in memory, answers the calls a bridge makes in the
// vendor's shapes, and is strict where the vendor is: one form field for all input, mandatory and read-only fields,
// unknown names, rights, tokens that end. It is not ServiceDesk Plus.
//
// Its wire types are written from the vendor's description and shared with no connector. Read this file for how a call is
// served, options.go for what can be set, and people.go for acting as somebody.
package servicedeskplusstandin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// Server is the stand-in, an http.Handler. All methods may be called at any time from any goroutine.
type Server struct {
	standin.Faults

	o     Options
	hooks standin.Hooks

	mu       sync.Mutex
	lastID   int64
	requests []*request // in order of creation
	tokens   map[string]time.Time
	issued   int
	denied   map[string]bool
	calls    map[string]int
	hookURL  string
	secret   string
}

// New builds a stand-in.
func New(o Options) *Server {
	o = o.withDefaults()
	return &Server{
		o: o, lastID: 100000000000123455, tokens: map[string]time.Time{}, denied: map[string]bool{}, calls: map[string]int{},
		hooks: standin.Hooks{Client: http.DefaultClient, Tries: 1, Retry: time.Minute},
	}
}

// call is one call under way.
type call struct {
	s     *Server
	r     *http.Request
	input map[string]json.RawMessage
	now   time.Time
	args  []string
}

// route is one call the vendor offers. Parts of its path that are "*" match anything.
type route struct {
	op     string
	method string
	path   string
	right  string
	serve  func(c *call) (any, error)
}

func (s *Server) routes() []route {
	all := []route{
		{"list", http.MethodGet, "requests", "read", (*call).list},
		{"create", http.MethodPost, "requests", "create", (*call).create},
		{"get", http.MethodGet, "requests/*", "read", (*call).get},
		{"update", http.MethodPut, "requests/*", "update", (*call).update},
		{"close", http.MethodPut, "requests/*/close", "update", (*call).close},
		{"notes", http.MethodGet, "requests/*/notes", "read", (*call).notes},
		{"comment", http.MethodPost, "requests/*/notes", "update", (*call).comment},
		{"attach", http.MethodPost, "requests/*/" + s.o.Uploads, "update", (*call).attach},
		{"levels", http.MethodGet, "requests/*/approval_levels", "read", (*call).levels},
		{"approvals", http.MethodGet, "requests/*/approval_levels/*/approvals", "read", (*call).approvals},
		{"statuses", http.MethodGet, "statuses", "read", func(c *call) (any, error) { return c.names("statuses", c.s.o.Statuses) }},
		{"priorities", http.MethodGet, "priorities", "read", func(c *call) (any, error) { return c.names("priorities", c.s.o.Priorities) }},
	}
	if s.o.History != "" {
		all = append(all, route{"history", http.MethodGet, "requests/*/" + s.o.History, "read", (*call).history})
	}
	return all
}

const maxBody = 16 << 20

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.o.Now().UTC().Format(http.TimeFormat))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		write(w, refuse(http.StatusRequestEntityTooLarge, 4000, "The request is too large"), nil)
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	if r.URL.Path == "/oauth/v2/token" && s.o.Edition == Cloud {
		s.token(w, r)
		return
	}
	rt, args := s.match(r)
	s.mu.Lock()
	s.calls[rt.op]++
	s.mu.Unlock()
	fail := func(w http.ResponseWriter, status int) { write(w, general(status), nil) }
	s.Serve(w, r, rt.op, fail, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		out, err := s.perform(r, rt, args)
		write(w, err, out)
	})
}

func (s *Server) match(r *http.Request) (route, []string) {
	rest, ok := strings.CutPrefix(r.URL.Path, s.o.Base+"/api/v3/")
	if !ok {
		return route{op: "unknown"}, nil
	}
	parts := strings.Split(rest, "/")
next:
	for _, rt := range s.routes() {
		want := strings.Split(rt.path, "/")
		if rt.method != r.Method || len(want) != len(parts) {
			continue
		}
		var args []string
		for i := range want {
			switch {
			case want[i] == "*":
				args = append(args, parts[i])
			case want[i] != parts[i]:
				continue next
			}
		}
		return rt, args
	}
	return route{op: "unknown"}, nil
}

// perform runs one call while the state cannot change.
func (s *Server) perform(r *http.Request, rt route, args []string) (any, error) {
	if err := s.signedIn(r); err != nil {
		return nil, err
	}
	if rt.serve == nil {
		return nil, refuse(http.StatusNotFound, 4007, "Invalid URL")
	}
	if r.Header.Get("Accept") != s.o.Accept {
		return nil, refuse(http.StatusBadRequest, 4000, "The version is not supported")
	}
	if s.denied[rt.right] {
		return nil, refuse(http.StatusForbidden, 4002, "Unauthorised")
	}
	c := &call{s: s, r: r, now: s.o.Now(), args: args}
	if rt.op != "attach" {
		if err := c.read(); err != nil {
			return nil, err
		}
	}
	return rt.serve(c)
}

// read takes the input out of the one form field there may be.
func (c *call) read() error {
	form := c.r.URL.Query()
	if c.r.Method != http.MethodGet {
		if c.r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || len(form) > 0 {
			return refuse(http.StatusUnsupportedMediaType, 4000, "Send a form")
		}
		body, err := io.ReadAll(c.r.Body)
		if err != nil {
			return refuse(http.StatusBadRequest, 4000, "No body")
		}
		if form, err = url.ParseQuery(string(body)); err != nil {
			return refuse(http.StatusBadRequest, 4000, "No form")
		}
	}
	for name, values := range form {
		if name != "input_data" || len(values) != 1 {
			return refuse(http.StatusBadRequest, 4001, "Extra parameter", name)
		}
		if err := json.Unmarshal([]byte(values[0]), &c.input); err != nil {
			return refuse(http.StatusBadRequest, 4001, "input_data is no JSON", "input_data")
		}
	}
	return nil
}

// fault is a refusal.
type fault struct {
	status int
	code   int
	text   string
	fields []string
}

func (f *fault) Error() string { return fmt.Sprintf("%d: %s %v", f.code, f.text, f.fields) }

func refuse(status, code int, text string, fields ...string) error {
	return &fault{status, code, text, fields}
}

// general is what the vendor says with a status alone.
func general(status int) error {
	codes := map[int]int{http.StatusUnauthorized: 4022, http.StatusForbidden: 4002, http.StatusNotFound: 4007, http.StatusTooManyRequests: 4015, http.StatusInternalServerError: 4004}
	code, ok := codes[status]
	if !ok {
		code = 4000
	}
	return &fault{status, code, http.StatusText(status), nil}
}

// write answers. Lists say how they went in an array, everything else in an object.
func write(w http.ResponseWriter, err error, out any) {
	status, body := http.StatusOK, map[string]any{}
	good := map[string]any{"status_code": 2000, "status": "success"}
	body["response_status"] = good
	switch f, _ := err.(*fault); {
	case f != nil:
		status = f.status
		message := map[string]any{"status_code": f.code, "type": "failed", "message": f.text}
		switch len(f.fields) {
		case 0:
		case 1:
			message["field"] = f.fields[0]
		default:
			message["fields"] = f.fields
		}
		body["response_status"] = map[string]any{"status_code": 4000, "status": "failed", "messages": []any{message}}
	default:
		parts, _ := out.(map[string]any)
		for name, part := range parts {
			body[name] = part
		}
		if _, list := parts["list_info"]; list {
			body["response_status"] = []any{good}
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // a body of ours always encodes
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the caller may be gone
}

// page cuts a list as the input asks for.
func (c *call) page(key string, all []any) (any, error) {
	info := struct {
		Rows  int `json:"row_count"`
		Start int `json:"start_index"`
	}{10, 1}
	if raw, ok := c.input["list_info"]; ok && json.Unmarshal(raw, &info) != nil {
		return nil, refuse(http.StatusBadRequest, 4021, "Wrong type", "list_info")
	}
	if info.Rows < 1 || info.Rows > 100 || info.Start < 1 {
		return nil, refuse(http.StatusBadRequest, 4001, "Out of range", "list_info")
	}
	from := min(info.Start-1, len(all))
	to := min(from+min(info.Rows, c.s.o.MaxRows), len(all))
	return map[string]any{
		key: append([]any{}, all[from:to]...), "list_info": map[string]any{"has_more_rows": to < len(all), "row_count": to - from, "start_index": info.Start},
	}, nil
}

func (c *call) names(key string, names []string) (any, error) {
	var all []any
	for i, name := range names {
		all = append(all, map[string]any{"id": strconv.Itoa(i + 1), "name": name})
	}
	return c.page(key, all)
}
