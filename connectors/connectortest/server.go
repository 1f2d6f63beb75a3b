package connectortest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// server stands in front of the stand-in and disturbs what it answers.
type server struct {
	suite Suite
	next  http.Handler // nil: none

	mu      sync.Mutex
	fault   fault
	seen    []string // method and path, since the last disturb
	writes  []bool   // whether each was a write
	secrets []string // credentials that were sent to us
}

// fault is how requests are disturbed, counted from 0. The zero fault disturbs none.
type fault struct {
	answer http.HandlerFunc // in place of the stand-in's
	at     int              // the request it happens to
	on     bool             // and all that follow
	acts   bool             // the stand-in acts first
}

// disturb changes what happens to the requests that follow, and counts them from 0 again.
func (s *server) disturb(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.seen, s.writes = f, nil, nil
}

// requests returns what was asked since the last disturb, requests for tokens left out.
func (s *server) requests() (seen []string, writes []bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.writes
}

// credentials returns what was sent to us and must not come back in an error.
func (s *server) credentials() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{Canary}, s.secrets...)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if s.suite.TokenPath != "" && r.URL.Path == s.suite.TokenPath {
		s.token(w, r)
		return
	}
	f, n := s.note(r)
	switch {
	case f.answer != nil && (n == f.at || (n > f.at && f.on)):
		if f.acts && s.next != nil {
			s.next.ServeHTTP(httptest.NewRecorder(), r)
		}
		f.answer(w, r)
	case s.next != nil:
		s.next.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *server) note(r *http.Request) (f fault, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = len(s.seen)
	s.seen = append(s.seen, r.Method+" "+r.URL.Path)
	write := r.Method != http.MethodGet && r.Method != http.MethodHead
	if write && s.suite.Reads != nil {
		write = !s.suite.Reads(r)
	}
	s.writes = append(s.writes, write)
	if _, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && token != "" {
		s.secrets = append(s.secrets, token)
	}
	return s.fault, n
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	if s.next != nil {
		s.next.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, Canary+"-token")
}

// answerStatus answers with a status and a body that repeats the caller's credentials, as some vendors do.
func answerStatus(status int, pairs ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Set(pairs[i], pairs[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		echo := fmt.Sprintf("%q", "no: "+strings.Join(credentialsIn(r), " "))
		_, _ = fmt.Fprintf(w, `{"message":%s,"errorMessages":[%s],"errors":{"summary":%s},"error":%s,"description":%s,"detail":%s}`,
			echo, echo, echo, echo, echo, echo)
	}
}

func credentialsIn(r *http.Request) []string {
	var found []string
	for name, values := range r.Header {
		for _, value := range values {
			if name == "Authorization" || strings.Contains(value, Canary) {
				found = append(found, value)
			}
		}
	}
	return found
}

// answerText answers 200 with a body.
func answerText(kind string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body)
	}
}

// cut closes the connection without an answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// cutMidway closes the connection inside the answer.
func cutMidway(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "4096")
	_, _ = w.Write([]byte(`{"id":"1","key":"A-1",`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
