package freshworksstandin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// exchange is one call of somebody who is known.
type exchange struct {
	*Server
	w    http.ResponseWriter
	r    *http.Request
	who  Account
	kind string // tickets or changes
	path []string
}

// route is one call: its name, the permission it takes, and the pattern of its path.
type route struct {
	op, permission, method string
	path                   *regexp.Regexp
	serve                  func(exchange)
	service                bool // Freshservice only
}

func at(pattern string) *regexp.Regexp { return regexp.MustCompile("^" + pattern + "$") }

func routes() []route {
	return []route{
		{"agent", "agents", "GET", at(`agents/([0-9]+|me)`), exchange.agent, false},
		{"agents", "agents", "GET", at(`agents`), exchange.agents, false},
		{"groups", "agents", "GET", at(`groups`), exchange.groups, false},
		{"fields", "fields", "GET", at(`(ticket)_form_fields`), exchange.fields, true},
		{"fields", "fields", "GET", at(`(change)_form_fields`), exchange.fields, true},
		{"fields", "fields", "GET", at(`(ticket)_fields`), exchange.fields, false},
		{"search", "view", "GET", at(`tickets/filter`), exchange.search, true},
		{"search", "view", "GET", at(`search/tickets`), exchange.search, false},
		{"list", "view", "GET", at(`(tickets|changes)`), exchange.list, false},
		{"create", "create", "POST", at(`(tickets|changes)`), exchange.create, false},
		{"read", "view", "GET", at(`(tickets|changes)/([0-9]+)`), exchange.read, false},
		{"update", "edit", "PUT", at(`(tickets|changes)/([0-9]+)`), exchange.update, false},
		{"note", "notes", "POST", at(`(tickets|changes)/([0-9]+)/notes`), exchange.note, false},
		{"notes", "view", "GET", at(`(tickets)/([0-9]+)/conversations`), exchange.notes, false},
		{"notes", "view", "GET", at(`(changes)/([0-9]+)/notes`), exchange.notes, true},
		{"approvals", "approvals", "GET", at(`(tickets|changes)/([0-9]+)/approvals`), exchange.approvals, true},
		{"approvals", "approvals", "GET", at(`approvals`), exchange.allApprovals, true},
		{"item", "items", "GET", at(`service_catalog/items/([0-9]+)`), exchange.item, true},
		{"place", "create", "POST", at(`service_catalog/items/([0-9]+)/place_request`), exchange.place, true},
		{"items", "view", "GET", at(`(tickets)/([0-9]+)/requested_items`), exchange.requestedItems, true},
	}
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Ratelimit-Total", "200")
	w.Header().Set("X-Ratelimit-Remaining", "180")
	w.Header().Set("X-Ratelimit-Used-CurrentRequest", "1")
	x := exchange{Server: s, w: w, r: r}
	key, _, _ := r.BasicAuth()
	who := slices.IndexFunc(s.opts.Accounts, func(a Account) bool { return a.Key != "" && a.Key == key })
	if who < 0 {
		x.refuse(http.StatusUnauthorized, "invalid_credentials", "You have to be logged in to perform this action.")
		return
	}
	x.who = s.opts.Accounts[who]
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v2/")
	if !ok {
		x.refuse(http.StatusNotFound, "", "")
		return
	}
	known := false
	for _, one := range routes() {
		x.path = one.path.FindStringSubmatch(path)
		if x.path == nil || one.service && !s.opts.Service || !s.opts.Service && strings.HasPrefix(path, "changes") {
			continue
		}
		known = true
		if one.method != r.Method {
			continue
		}
		s.mu.Lock()
		s.requests[one.op]++
		s.mu.Unlock()
		if len(x.path) > 1 {
			x.kind = x.path[1]
		}
		s.Serve(w, r, one.op, func(w http.ResponseWriter, status int) {
			exchange{Server: s, w: w, r: r}.refuse(status, "fault", "A fault of the stand-in.")
		}, func(w http.ResponseWriter, r *http.Request) {
			x.w, x.r = w, r
			if slices.Contains(x.who.Denied, one.permission) || slices.Contains(x.who.Denied, one.permission+" "+x.kind) {
				x.refuse(http.StatusForbidden, "access_denied", "You are not authorized to perform this action.")
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			one.serve(x)
		})
		return
	}
	if known {
		x.refuse(http.StatusMethodNotAllowed, "", "")
		return
	}
	x.refuse(http.StatusNotFound, "", "")
}

func (x exchange) refuse(status int, code, message string) {
	x.w.WriteHeader(status)
	if code != "" {
		_ = json.NewEncoder(x.w).Encode(map[string]string{"code": code, "message": message})
	}
}

// fault is one field the desk does not take.
type fault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Code    string `json:"code"`
}

func faultIn(field, message, code string) []fault { return []fault{{field, message, code}} }

func (x exchange) invalid(faults []fault) {
	x.w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(x.w).Encode(map[string]any{"description": "Validation failed", "errors": faults})
}

// answer writes v, in its wrapper at Freshservice.
func (x exchange) answer(status int, wrapper string, v any) {
	x.w.WriteHeader(status)
	if x.opts.Service && wrapper != "" {
		v = map[string]any{wrapper: v}
	}
	_ = json.NewEncoder(x.w).Encode(v)
}

// body reads a JSON object; it answers by itself where there is none.
func (x exchange) body() (map[string]any, bool) {
	text, err := io.ReadAll(x.r.Body)
	if err != nil || !strings.HasPrefix(x.r.Header.Get("Content-Type"), "application/json") {
		x.refuse(http.StatusUnsupportedMediaType, "invalid_content_type", "Send JSON.")
		return nil, false
	}
	var out map[string]any
	if json.Unmarshal(text, &out) != nil {
		x.refuse(http.StatusBadRequest, "invalid_json", "Request body has invalid json format.")
		return nil, false
	}
	return out, true
}

// record finds the ticket a path names; it answers by itself where there is none.
func (x exchange) record() (*record, bool) {
	id, _ := strconv.ParseInt(x.path[2], 10, 64)
	for _, r := range x.records {
		if r.kind == x.kind && r.id == id {
			return r, true
		}
	}
	x.refuse(http.StatusNotFound, "", "")
	return nil, false
}

// page cuts a list as the query asks, and tells of a next page in the header the vendor uses.
func page[T any](x exchange, items []T, size int) ([]T, bool) {
	query := x.r.URL.Query()
	if text := query.Get("per_page"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			x.invalid([]fault{{"per_page", "It should be a Positive Integer less than or equal to 100", "invalid_value"}})
			return nil, false
		}
		size = n
	}
	n := 1
	if text := query.Get("page"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			x.invalid([]fault{{"page", "It should be a Positive Integer", "invalid_value"}})
			return nil, false
		}
	}
	start := min((n-1)*size, len(items))
	end := min(start+size, len(items))
	if end < len(items) {
		next := *x.r.URL
		query.Set("page", strconv.Itoa(n+1))
		next.RawQuery = query.Encode()
		x.w.Header().Set("Link", fmt.Sprintf(`<https://%s%s>; rel="next"`, x.r.Host, next.RequestURI()))
	}
	return append([]T{}, items[start:end]...), true
}

// primary is the workspace that is shown where a call names none.
const primary = 1

// inWorkspace tells whether a list shows a record.
func (x exchange) inWorkspace(r *record) bool {
	if !x.opts.Service {
		return true
	}
	text := x.r.URL.Query().Get("workspace_id")
	if text == "" {
		return r.workspace == primary
	}
	return text == "0" || text == strconv.FormatInt(r.workspace, 10)
}

func (x exchange) list() {
	query := x.r.URL.Query()
	since := x.now().Add(-30 * 24 * time.Hour)
	updated := false
	if text := query.Get("updated_since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			x.invalid([]fault{{"updated_since", "It should be a valid date in ISO 8601 format", "invalid_value"}})
			return
		}
		updated = true
	}
	var out []map[string]any
	for _, r := range x.records {
		if r.kind != x.kind || r.deleted || !x.inWorkspace(r) || updated && r.updated.Before(since) || !updated && r.created.Before(since) {
			continue
		}
		out = append(out, x.view(r))
	}
	if query.Get("order_type") != "asc" {
		slices.Reverse(out)
	}
	if items, ok := page(x, out, 30); ok {
		x.answer(http.StatusOK, x.kind, items)
	}
}

var (
	byTag   = regexp.MustCompile(`^tag:'([^']*)'$`)
	byField = regexp.MustCompile(`^(cf_[a-z0-9_]+):'([^']*)'$`)
)

func (x exchange) search() {
	query := x.r.URL.Query().Get("query")
	inner, err := strconv.Unquote(query)
	if err != nil || len(query) > 512 {
		x.invalid([]fault{{"query", "Given query is not valid", "invalid_value"}})
		return
	}
	match, words := x.matcher(inner)
	if words != "" {
		x.invalid(faultIn("query", words, "invalid_value"))
		return
	}
	found := []map[string]any{}
	for _, r := range x.records {
		if r.kind == "tickets" && !r.deleted && !x.now().Before(r.indexed) && x.inWorkspace(r) && match(r) {
			found = append(found, x.view(r))
		}
	}
	items, ok := page(x, found, 30)
	if !ok {
		return
	}
	x.w.Header().Del("Link") // searches are known to tell of no next page
	name := "results"
	if x.opts.Service {
		name = "tickets"
	}
	x.w.WriteHeader(http.StatusOK)
	_ = json.NewEncoder(x.w).Encode(map[string]any{name: items, "total": len(found)})
}

func (x exchange) matcher(query string) (func(*record) bool, string) {
	if m := byTag.FindStringSubmatch(query); m != nil {
		return func(r *record) bool {
			return slices.ContainsFunc(r.tags, func(tag string) bool { return strings.EqualFold(tag, m[1]) })
		}, ""
	}
	m := byField.FindStringSubmatch(query)
	if m == nil || x.opts.Service {
		return nil, "Given query is not valid"
	}
	i := slices.IndexFunc(x.opts.Fields, func(f Field) bool { return f.Name == m[1] })
	if i < 0 || x.opts.Fields[i].Type == "paragraph" {
		return nil, "The field cannot be searched by"
	}
	return func(r *record) bool { return r.custom[m[1]] == m[2] }, ""
}

// deliver queues what a workflow sends about a change that somebody made. It wants s.mu held.
func (s *Server) deliver(r *record) {
	if s.url == "" {
		return
	}
	s.Hooks.Queue(s.build(s.url, s.header, s.secret, s.notice(r)))
}

func (s *Server) notice(r *record) map[string]any {
	switch {
	case !s.opts.Service:
		return map[string]any{"freshdesk_webhook": map[string]any{"ticket_id": r.id, "ticket_status": s.statusName(r)}}
	case r.kind == "changes":
		return map[string]any{"change_id": "CHN-" + strconv.FormatInt(r.id, 10)}
	case r.typ == "Service Request":
		return map[string]any{"ticket_id": "SR-" + strconv.FormatInt(r.id, 10)}
	default:
		return map[string]any{"ticket_id": "INC-" + strconv.FormatInt(r.id, 10)}
	}
}
