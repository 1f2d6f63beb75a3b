// Package standin has what the stand-ins of vendors are made of besides the vendor itself: misfortunes that befall
// calls (Faults), and webhooks on their way, each for itself (Hooks) or one behind the other (Line).
package standin

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Faults are the misfortunes that wait for the next calls. Calls are told apart by the names a stand-in gives them.
// The zero value lets every call through.
type Faults struct {
	mu       sync.Mutex
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

// injection is what happens to one call. A call with a status is not performed; one that is cut is performed, and its
// answer lost.
type injection struct {
	status int
	header http.Header
	cut    bool
	delay  time.Duration
}

// FailNext makes the next n calls answer status with header, without doing anything.
func (f *Faults) FailNext(n, status int, header http.Header) { f.FailOn("", n, status, header) }

// FailOn makes the next n calls of one name answer status with header, without doing anything.
func (f *Faults) FailOn(op string, n, status int, header http.Header) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, failure{op: op, left: n, status: status, header: header})
}

// CutNext closes the connection of the next call of that name that takes effect, without an answer: the caller cannot
// know whether it worked. A call that is refused is answered as ever.
func (f *Faults) CutNext(op string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cuts == nil {
		f.cuts = map[string]int{}
	}
	f.cuts[op]++
}

// Delay makes every call wait before it is performed, until it is set to zero again.
func (f *Faults) Delay(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = d
}

// Heal takes back the failures and cuts that have not come yet, and the delay.
func (f *Faults) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures, f.cuts, f.delay = nil, nil, 0
}

func (f *Faults) take(op string) injection {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := injection{delay: f.delay}
	for i := range f.failures {
		next := &f.failures[i]
		if next.left == 0 || (next.op != "" && next.op != op) {
			continue
		}
		next.left--
		out.status, out.header = next.status, next.header
		return out
	}
	if f.cuts[op] > 0 {
		f.cuts[op]--
		out.cut = true
	}
	return out
}

// Serve answers one call named op: as perform does, or with the next misfortune. fail writes the body of a failure in
// the vendor's shape; the headers of the failure are set already.
func (f *Faults) Serve(w http.ResponseWriter, r *http.Request, op string, fail func(w http.ResponseWriter, status int), perform http.HandlerFunc) {
	next := f.take(op)
	if next.delay > 0 {
		timer := time.NewTimer(next.delay)
		defer timer.Stop()
		select {
		case <-r.Context().Done():
			return
		case <-timer.C:
		}
	}
	switch {
	case next.status != 0:
		for name, values := range next.header {
			w.Header()[http.CanonicalHeaderKey(name)] = values
		}
		fail(w, next.status)
	case next.cut:
		answer := httptest.NewRecorder()
		perform(answer, r)
		if answer.Code < http.StatusBadRequest {
			panic(http.ErrAbortHandler) // closes the connection
		}
		f.CutNext(op)
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	default:
		perform(w, r)
	}
}
