package aponostandin

import (
	"net/http"
	"strconv"
	"time"
)

// faults are what the next API calls run into.
type faults struct {
	left       int
	status     int
	retryAfter time.Duration
	cut        bool
	writes     bool // only calls that change something
}

// FailNext answers the next n API calls with status and does nothing else.
func (s *Server) FailNext(n, status int) { s.fail(faults{left: n, status: status}) }

// FailWrites answers the next n API calls that would change something with status.
func (s *Server) FailWrites(n, status int) { s.fail(faults{left: n, status: status, writes: true}) }

// ThrottleNext answers the next n API calls 429 with a Retry-After of whole seconds.
func (s *Server) ThrottleNext(n int, after time.Duration) {
	s.fail(faults{left: n, status: http.StatusTooManyRequests, retryAfter: after})
}

func (s *Server) fail(f faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.cut = s.faults.cut
	s.faults = f
}

// CutNext lets the next decision through and then closes the connection without an answer.
func (s *Server) CutNext() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.cut = true
}

// fault answers in place of the API where that was asked for.
func (s *Server) fault(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	f := s.faults
	if f.writes && r.Method == http.MethodGet {
		f.left = 0
	}
	if f.left > 0 {
		s.faults.left--
	}
	s.mu.Unlock()
	if f.left <= 0 {
		return false
	}
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.retryAfter/time.Second)))
	}
	refuse(w, f.status, "the stand-in was asked to fail")
	return true
}

// cut closes the connection where that was asked for.
func (s *Server) cut(w http.ResponseWriter) bool {
	s.mu.Lock()
	cut := s.faults.cut
	s.faults.cut = false
	s.mu.Unlock()
	if !cut {
		return false
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the documented way to end an exchange that cannot be taken over
	}
	_ = conn.Close()
	return true
}
