// Package presetstandin is the sinks that presets send to, as their vendors describe them: one server that is strict with
// what it is sent, keeps the records it took and can be made to fail in each vendor's own way. It knows nothing of the
// presets. standin.go is the server; the other files are the vendors.
package presetstandin

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// Standin is one vendor's intake. It takes Key as every credential, with the exception of tokens it gave out itself.
type Standin struct {
	standin.Faults
	Key string

	vendor vendor

	mu       sync.Mutex
	requests []string
	records  []any
	tokens   map[string]bool // given out, and whether they are still good
	given    int
	limit    int // bytes of a request, in place of the vendor's
}

// vendor is what a vendor's pages say of its intake.
type vendor struct {
	method  string // default POST
	path    string // whole, with KEY for the credential
	kind    string // media type
	packed  bool   // gzip is taken
	max     int    // bytes of a body, unpacked
	allowed func(s *Standin, r *http.Request) bool
	read    func(body []byte) ([]any, string) // the records, or what is wrong with the body
	record  func(record any) string           // what is wrong with one
	answer  func(s *Standin, w http.ResponseWriter, taken int)
	refuse  func(w http.ResponseWriter, status int, why string)
	// serve answers what is not an intake of records, where there is more: token servers, acknowledgements.
	serve func(s *Standin, w http.ResponseWriter, r *http.Request, body []byte) bool
	// partly judges lines of which some may be taken, in place of record.
	partly func(s *Standin, w http.ResponseWriter, lines []any)
}

// New returns the intake of a vendor.
func New(name, key string) *Standin {
	v, ok := vendors()[name]
	if !ok {
		panic("presetstandin: there is no " + name)
	}
	return &Standin{Key: key, vendor: v, tokens: map[string]bool{}}
}

// vendors are the intakes, by the name of what they are usually called.
func vendors() map[string]vendor {
	all := map[string]vendor{}
	for _, some := range []map[string]vendor{siem, incident, generic} {
		maps.Copy(all, some)
	}
	return all
}

// Names lists the vendors there are.
func Names() []string {
	var names []string
	for name := range vendors() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Requests returns what was sent, as text: method, path and query, the headers that matter, and the body as it was,
// unpacked. Credentials are left out where they stand.
func (s *Standin) Requests() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.requests, "\n")
}

// Count is how many requests were made, without those for tokens.
func (s *Standin) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// Records returns what was taken, in its order.
func (s *Standin) Records() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// LimitBytes makes the most a request may have smaller than the vendor's.
func (s *Standin) LimitBytes(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = n
}

// ExpireTokens makes every token given out so far worthless.
func (s *Standin) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token := range s.tokens {
		s.tokens[token] = false
	}
}

func (s *Standin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, why := read(r)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if s.vendor.serve != nil && s.vendor.serve(s, w, r, body) {
		return
	}
	s.note(r, body)
	s.Serve(w, r, "send", func(w http.ResponseWriter, status int) { s.vendor.refuse(w, status, "made to fail") }, func(w http.ResponseWriter, r *http.Request) {
		if why != "" {
			s.vendor.refuse(w, http.StatusBadRequest, why)
			return
		}
		s.intake(w, r, body)
	})
}

// read returns the body, unpacked.
func read(r *http.Request) ([]byte, string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, "the body broke off"
	}
	if r.Header.Get("Content-Encoding") == "" {
		return body, ""
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" {
		return body, "the body is not packed as it says"
	}
	if body, err = io.ReadAll(unpacked); err != nil {
		return nil, "the packed body broke off"
	}
	return body, ""
}

var written = []string{"Authorization", "Api-Key", "Dd-Api-Key", "X-Api-Client-Token", "Content-Type", "Content-Encoding", "Ce-Id", "Ce-Source", "Ce-Specversion", "Ce-Subject", "Ce-Time", "Ce-Type", "Webhook-Id", "Webhook-Timestamp",
	"Webhook-Signature", "X-Scope-Orgid", "X-Splunk-Request-Channel", "X-Sumo-Category", "X-Sumo-Host", "X-Sumo-Name"}

func (s *Standin) note(r *http.Request, body []byte) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, name := range written {
		if value := r.Header.Get(name); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, strings.NewReplacer(s.hidden(r)...).Replace(b.String()))
}

// hidden are the credentials of a request, each with what is written in its place.
func (s *Standin) hidden(r *http.Request) []string {
	list := []string{s.Key, "[key]"}
	if user, password, ok := r.BasicAuth(); ok {
		list = append(list, r.Header.Get("Authorization"), "Basic "+user+":"+strings.ReplaceAll(password, s.Key, "[key]"))
	}
	if _, signature, ok := strings.Cut(r.Header.Get("Webhook-Signature"), ","); ok {
		list = append(list, signature, "[signature]")
	}
	return list
}

func (s *Standin) intake(w http.ResponseWriter, r *http.Request, body []byte) {
	v := s.vendor
	method := v.method
	if method == "" {
		method = http.MethodPost
	}
	s.mu.Lock()
	most := v.max
	if s.limit > 0 {
		most = s.limit
	}
	s.mu.Unlock()
	switch {
	case r.URL.Path != strings.ReplaceAll(v.path, "KEY", s.Key):
		v.refuse(w, http.StatusNotFound, "no such path")
		return
	case r.Method != method:
		v.refuse(w, http.StatusMethodNotAllowed, "wrong method")
		return
	case v.allowed != nil && !v.allowed(s, r):
		v.refuse(w, http.StatusUnauthorized, "wrong credential")
		return
	case r.Header.Get("Content-Type") != v.kind:
		v.refuse(w, http.StatusUnsupportedMediaType, "wrong media type: "+r.Header.Get("Content-Type"))
		return
	case r.Header.Get("Content-Encoding") != "" && !v.packed:
		v.refuse(w, http.StatusUnsupportedMediaType, "packed")
		return
	case most > 0 && len(body) > most:
		v.refuse(w, http.StatusRequestEntityTooLarge, "too large")
		return
	}
	list, why := v.read(body)
	if why == "" && len(list) == 0 {
		why = "no record"
	}
	if why != "" {
		v.refuse(w, http.StatusBadRequest, why)
		return
	}
	if v.partly != nil {
		v.partly(s, w, list)
		return
	}
	for _, one := range list {
		if why := v.record(one); why != "" {
			v.refuse(w, http.StatusBadRequest, why)
			return
		}
	}
	s.keep(list)
	v.answer(s, w, len(list))
}

func (s *Standin) keep(list []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, list...)
}

// token answers a token request of the client credentials grant.
func (s *Standin) token(w http.ResponseWriter, form func(name string) string, wants map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	for name, want := range wants {
		if form(name) != want {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
			return
		}
	}
	s.mu.Lock()
	s.given++
	token := fmt.Sprintf("minted-%d-%s", s.given, s.Key)
	s.tokens[token] = true
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
}

// Minted is how many tokens were given out.
func (s *Standin) Minted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

func minted(s *Standin, r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	return ok && s.tokens[token]
}
