package jirastandin

import (
	"net/http"
	"strconv"
	"time"
)

// faults are the misfortunes waiting for the next calls.
type faults struct {
	failures []failure
	cuts     map[string]int
	delay    time.Duration
}

type failure struct {
	op     string // empty: any
	left   int
	status int
	header http.Header
}

// injection is what happens to one call. A call with a status is not performed; one that is cut is performed, and
// its answer lost.
type injection struct {
	status int
	header http.Header
	cut    bool
	delay  time.Duration
}

func (f *faults) take(op string) injection {
	out := injection{delay: f.delay}
	for i := range f.failures {
		next := &f.failures[i]
		if next.left == 0 || (next.op != "" && next.op != op) {
			continue
		}
		next.left--
		out.status, out.header = next.status, next.header
		if out.header == nil {
			out.header = http.Header{}
		}
		return out
	}
	if f.cuts[op] > 0 {
		f.cuts[op]--
		out.cut = true
	}
	return out
}

// FailNext makes the next n REST calls answer status with header, without doing anything.
func (s *Server) FailNext(n, status int, header http.Header) {
	s.FailOn("", n, status, header)
}

// Heal takes back the failures and cuts that have not come yet, and the delay.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults{}
}

// FailOn makes the next n calls of one kind answer status with header, without doing anything. The kinds are the
// names in routes.go: create, get, update, comment, transition, search, set-property and so on.
func (s *Server) FailOn(op string, n, status int, header http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.failures = append(s.faults.failures, failure{op: op, left: n, status: status, header: header})
}

// CutNext lets the next call of that kind take effect and closes its connection without an answer: the caller cannot
// know whether it worked.
func (s *Server) CutNext(op string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.cuts == nil {
		s.faults.cuts = map[string]int{}
	}
	s.faults.cuts[op]++
}

// Delay makes every REST call wait before it is performed, until it is set to zero again.
func (s *Server) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.delay = d
}

// writeLimits are Jira's limits on writes to one ticket.
var writeLimits = []struct {
	most   int
	within time.Duration
}{{20, 2 * time.Second}, {100, 30 * time.Second}}

// limited refuses a write to a ticket that was written to too often just now.
func (c *call) limited(rt route) error {
	i := c.s.find(c.args["issue"])
	if !c.s.o.WriteLimit || !rt.writes || i == nil {
		return nil
	}
	past := c.s.writes[i]
	for _, limit := range writeLimits {
		if len(past) < limit.most {
			continue
		}
		free := past[len(past)-limit.most].Add(limit.within)
		if !free.After(c.now) {
			continue
		}
		seconds := int((free.Sub(c.now) + time.Second - 1) / time.Second)
		return &fault{status: http.StatusTooManyRequests, text: "Rate limit exceeded.", header: http.Header{
			"Retry-After":           {strconv.Itoa(seconds)},
			"Ratelimit-Reason":      {"jira-per-issue-on-write"},
			"X-Ratelimit-Limit":     {strconv.Itoa(limit.most)},
			"X-Ratelimit-Remaining": {"0"},
			"X-Ratelimit-Reset":     {free.UTC().Format(time.RFC3339)},
		}}
	}
	past = append(past, c.now)
	c.s.writes[i] = past[max(0, len(past)-100):]
	return nil
}
