// Package servicenowstandin is a stand-in for a ServiceNow instance, to test connectors with. It keeps tables in memory
// and answers the Table API as ServiceNow does where that hurts: parts of a search it does not understand are ignored,
// fields it does not know or that may not be written are left out without a word, long texts are cut, access rules thin
// pages out. It is not ServiceNow, and shares nothing with the connector it is there to test.
//
// Read this file for how a call is served, tables.go for what is kept, query.go for searches, records.go for how records
// change, people.go for acting as a person and hooks.go for the notices sent.
package servicenowstandin

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// User is somebody at the instance.
type User struct {
	Name, Full, Mail string // Name is the User ID
	Groups           []string
	Robot            bool // for web services only
}

// Options describe an instance. The zero value has one account, "drawbridge" with the password "secret", and a few people.
type Options struct {
	Account      string // the User ID that all credentials belong to
	Password     string
	ClientID     string
	ClientSecret string
	APIKey       string
	Users        []User
	Now          func() time.Time

	Lag        time.Duration  // how long searches miss a new ticket
	Zone       *time.Location // the account's; nil: GMT
	Unreadable []string       // tables the account may not read
	Hidden     []string       // tables whose records access rules hide from the account
	Dropped    []string       // fields the account may not write, "incident.correlation_id"
	Lengths    map[string]int // of columns, "incident.description"
	Unaudited  []string       // tables

	HookURL    string
	HookSecret string
	Client     *http.Client
}

// Server is the stand-in. All methods may be called at any time from any goroutine.
type Server struct {
	standin.Faults
	standin.Hooks

	o Options

	mu       sync.Mutex
	rows     map[string][]row // by table, in the order of creation
	columns  map[string][]column
	numbers  map[string]int
	tokens   map[string]bool
	requests int
}

// New builds a stand-in.
func New(o Options) *Server {
	o.Account, o.Password = cmp.Or(o.Account, "drawbridge"), cmp.Or(o.Password, "secret")
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Users == nil {
		o.Users = []User{
			{"ana", "Ana Example", "ana@corp.example", []string{"Staff"}, false}, {"kim", "Kim Example", "kim@corp.example", []string{"Approvers"}, false},
			{"lee", "Lee Example", "lee@corp.example", []string{"Approvers"}, false}, {"max", "Max Example", "max@corp.example", []string{"Service Desk"}, false},
			{"robot", "Robot", "", nil, true},
		}
	}
	s := &Server{o: o, rows: map[string][]row{}, columns: map[string][]column{}, numbers: map[string]int{}, tokens: map[string]bool{}}
	s.Hooks.Client, s.Hooks.Tries, s.Hooks.Retry = o.Client, 1, time.Second // nobody tries again
	s.build()
	return s
}

// fault is a refusal.
type fault struct {
	status          int
	message, detail string
}

func (f *fault) Error() string { return fmt.Sprintf("HTTP %d: %s: %s", f.status, f.message, f.detail) }

func refuse(status int, message, detail string) error { return &fault{status, message, detail} }

const maxBody = 12 << 20

var tablePath = regexp.MustCompile(`^/api/now/table/([a-z0-9_]+)(?:/([^/]+))?$`)

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	s.mu.Unlock()
	op := "list"
	switch m := tablePath.FindStringSubmatch(r.URL.Path); {
	case r.URL.Path == "/oauth_token.do":
		op = "token"
	case strings.HasPrefix(r.URL.Path, "/api/now/attachment/"):
		op = "attach"
	case r.Method == http.MethodPost:
		op = "create"
	case r.Method == http.MethodPatch:
		op = "update"
	case m != nil && m[2] != "":
		op = "get"
	}
	s.Faults.Serve(w, r, op, fail, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.o.Now().UTC().Format(http.TimeFormat))
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			fail(w, http.StatusRequestEntityTooLarge)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if op == "token" {
			s.token(w, body)
			return
		}
		status, result, err := s.serve(w, r, body)
		if f, ok := errors.AsType[*fault](err); ok {
			answer(w, f.status, refusal(f.message, f.detail))
			return
		}
		answer(w, status, map[string]any{"result": result})
	})
}

func refusal(message, detail string) map[string]any {
	return map[string]any{"error": map[string]string{"message": message, "detail": detail}, "status": "failure"}
}

func fail(w http.ResponseWriter, status int) {
	message := http.StatusText(status)
	if status == http.StatusTooManyRequests {
		message = "Rate limit exceeded"
	}
	answer(w, status, refusal(message, ""))
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the caller may be gone
}

// token gives access tokens to the one client.
func (s *Server) token(w http.ResponseWriter, body []byte) {
	form, err := url.ParseQuery(string(body))
	good := err == nil && s.o.ClientID != "" && form.Get("client_id") == s.o.ClientID && form.Get("client_secret") == s.o.ClientSecret
	out := map[string]any{"token_type": "Bearer", "expires_in": 1799, "scope": "useraccount"}
	switch form.Get("grant_type") {
	case "client_credentials":
	case "password":
		good = good && form.Get("username") == s.o.Account && form.Get("password") == s.o.Password
		out["refresh_token"] = rand.Text()
	default:
		good = false
	}
	if !good {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "access_denied", "error_description": "access_denied"})
		return
	}
	token := rand.Text()
	s.tokens[token] = true
	out["access_token"] = token
	answer(w, http.StatusOK, out)
}

// RevokeTokens ends every access token.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

func (s *Server) signedIn(r *http.Request) bool {
	if key := r.Header.Get("x-sn-apikey"); key != "" {
		return s.o.APIKey != "" && key == s.o.APIKey
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return s.tokens[token]
	}
	user, password, ok := r.BasicAuth()
	return ok && user == s.o.Account && password == s.o.Password
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, body []byte) (int, any, error) {
	if !s.signedIn(r) {
		return 0, nil, refuse(http.StatusUnauthorized, "User Not Authenticated", "Required to provide Auth information")
	}
	if r.URL.Path == "/api/now/attachment/file" && r.Method == http.MethodPost {
		return s.attach(r, body)
	}
	m := tablePath.FindStringSubmatch(r.URL.Path)
	if m == nil {
		return 0, nil, refuse(http.StatusBadRequest, "Requested URI does not represent any resource", "")
	}
	table, id := m[1], m[2]
	if s.columns[table] == nil {
		return 0, nil, refuse(http.StatusBadRequest, "Invalid table "+table, "")
	}
	if slices.Contains(s.o.Unreadable, table) {
		return 0, nil, refuse(http.StatusForbidden, "Operation Failed", "User Not Authorized")
	}
	v := viewOf(r.URL.Query())
	switch {
	case r.Method == http.MethodGet && id == "":
		rows, err := s.list(w, r, table, v)
		return http.StatusOK, rows, err
	case r.Method == http.MethodPost && id == "":
		fields, err := decode(body)
		if err != nil {
			return 0, nil, err
		}
		made, err := s.insert(table, s.o.Account, fields)
		if err != nil {
			return 0, nil, err
		}
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"/"+made["sys_id"])
		return http.StatusCreated, s.show(table, made, v), nil
	}
	found := s.find(table, id)
	if found == nil || slices.Contains(s.o.Hidden, table) {
		return 0, nil, refuse(http.StatusNotFound, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
	}
	switch r.Method {
	case http.MethodGet:
		return http.StatusOK, s.show(table, found, v), nil
	case http.MethodPatch, http.MethodPut:
		fields, err := decode(body)
		if err == nil {
			err = s.update(table, found, s.o.Account, fields)
		}
		return http.StatusOK, s.show(table, found, v), err
	default:
		return 0, nil, refuse(http.StatusMethodNotAllowed, "Method not supported", "")
	}
}

// list answers a search. The limit is applied before access rules.
func (s *Server) list(w http.ResponseWriter, r *http.Request, table string, v view) (any, error) {
	values := r.URL.Query()
	limit, offset := 10000, 0
	for name, at := range map[string]*int{"sysparm_limit": &limit, "sysparm_offset": &offset} {
		if text := values.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return nil, refuse(http.StatusBadRequest, "Invalid "+name, text)
			}
			*at = n
		}
	}
	found := s.search(table, values.Get("sysparm_query"))
	total := len(found)
	found = found[min(offset, total):min(offset+limit, total)]
	if values.Get("sysparm_no_count") != "true" {
		w.Header().Set("X-Total-Count", strconv.Itoa(total))
	}
	if offset+limit < total {
		next := *r.URL
		values.Set("sysparm_offset", strconv.Itoa(offset+limit))
		next.RawQuery = values.Encode()
		w.Header().Add("Link", fmt.Sprintf(`<http://%s%s>;rel="next"`, r.Host, next.String()))
	}
	out := []any{}
	if slices.Contains(s.o.Hidden, table) {
		return out, nil
	}
	for _, one := range found {
		out = append(out, s.show(table, one, v))
	}
	return out, nil
}

// decode reads the fields of a write. Values become texts.
func decode(body []byte) (map[string]string, error) {
	var raw map[string]any
	if json.Unmarshal(body, &raw) != nil {
		return nil, refuse(http.StatusBadRequest, "Exception while reading request", "The payload is not valid JSON")
	}
	out := map[string]string{}
	for name, value := range raw {
		switch value := value.(type) {
		case string:
			out[name] = value
		case nil:
			out[name] = ""
		default:
			text, _ := json.Marshal(value) // it was JSON before
			out[name] = string(text)
		}
	}
	return out, nil
}

// view is how records are asked for.
type view struct {
	fields []string
	shown  string // false, true, all
	bare   bool   // references without links
}

func viewOf(values url.Values) view {
	v := view{shown: cmp.Or(values.Get("sysparm_display_value"), "false"), bare: values.Get("sysparm_exclude_reference_link") == "true"}
	if text := values.Get("sysparm_fields"); text != "" {
		v.fields = strings.Split(text, ",")
	}
	return v
}

// show is a record as it is answered. A field that is not there is left out.
func (s *Server) show(table string, r row, v view) map[string]any {
	fields := v.fields
	if fields == nil {
		for _, one := range s.columns[table] {
			fields = append(fields, one.name)
		}
	}
	out := map[string]any{}
	for _, field := range fields {
		value, kind, ok := s.walk(table, r, field)
		if !ok {
			continue
		}
		shown := s.display(table, field, value, kind)
		switch {
		case v.shown == "all":
			out[field] = map[string]string{"value": value, "display_value": shown}
		case v.shown == "true":
			out[field] = shown
		case references[kind] != "" && value != "" && !v.bare:
			out[field] = map[string]string{"link": "https://instance.example/api/now/table/" + references[kind] + "/" + value, "value": value}
		default:
			out[field] = value
		}
	}
	return out
}

// display is a value as the account sees it.
func (s *Server) display(table, field, value, kind string) string {
	if kind == "time" && value != "" {
		if at, err := time.Parse(stamp, value); err == nil {
			return at.In(s.o.Zone).Format(stamp)
		}
	}
	for _, one := range s.rows["sys_choice"] {
		if one["element"] == field && one["value"] == value && (one["name"] == table || one["name"] == "task") {
			return one["label"]
		}
	}
	return value
}
