package desktest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// sinks passes what a desk script sends on to whoever of the tests wants it.
type sinks struct {
	mu  sync.Mutex
	all []string
}

func (s *sinks) add(t testing.TB, to string) {
	s.mu.Lock()
	s.all = append(s.all, to)
	s.mu.Unlock()
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if at := slices.Index(s.all, to); at >= 0 {
			s.all = slices.Delete(s.all, at, at+1)
		}
	})
}

func (s *sinks) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return // the caller is gone
	}
	s.mu.Lock()
	all := slices.Clone(s.all)
	s.mu.Unlock()
	for _, to := range all {
		out, err := http.NewRequestWithContext(in.Context(), in.Method, to, bytes.NewReader(body))
		if err != nil {
			continue
		}
		out.Header = in.Header.Clone()
		if resp, err := http.DefaultClient.Do(out); err == nil {
			resp.Body.Close()
		}
	}
	w.WriteHeader(http.StatusAccepted)
}
