package elimitystandin

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// faults are what the next API calls run into.
type faults struct {
	left       int
	status     int
	retryAfter time.Duration
	writes     bool // only calls that write a line
}

// FailNext answers the next n API calls with status.
func (s *Server) FailNext(n, status int) { s.fail(faults{left: n, status: status}) }

// FailWrites answers the next n lines for the journal with status.
func (s *Server) FailWrites(n, status int) { s.fail(faults{left: n, status: status, writes: true}) }

// ThrottleNext answers the next n API calls 429 with a Retry-After of whole seconds.
func (s *Server) ThrottleNext(n int, after time.Duration) {
	s.fail(faults{left: n, status: http.StatusTooManyRequests, retryAfter: after})
}

func (s *Server) fail(f faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// fault answers in place of the API where that was asked for.
func (s *Server) fault(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	f := s.faults
	if f.writes && !strings.HasSuffix(r.URL.Path, "/connector-logs") {
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
