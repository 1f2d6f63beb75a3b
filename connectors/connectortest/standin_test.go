package connectortest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
)

// standin is a small desk, tool and sink in one, for the suite's own tests.
type standin struct {
	mu        sync.Mutex
	tickets   []*ticket
	decisions map[string]string
	mux       http.ServeMux
}

type ticket struct {
	ID, Key, Summary, Status string
}

func newStandin() *standin {
	s := &standin{decisions: map[string]string{}}
	for pattern, handle := range map[string]func(r *http.Request, in map[string]any) (any, int){
		"GET /me": func(*http.Request, map[string]any) (any, int) { return map[string]any{"name": "bridge"}, 200 },
		"POST /tickets": func(_ *http.Request, in map[string]any) (any, int) {
			t := &ticket{ID: strconv.Itoa(len(s.tickets) + 1), Key: text(in["key"]), Summary: text(in["summary"]), Status: "Open"}
			s.tickets = append(s.tickets, t)
			return t, 201
		},
		"GET /tickets": func(r *http.Request, _ map[string]any) (any, int) {
			found := []*ticket{}
			for _, t := range s.tickets {
				if key := r.URL.Query().Get("key"); key == "" || t.Key == key {
					found = append(found, t)
				}
			}
			return found, 200
		},
		"GET /tickets/{id}": func(r *http.Request, _ map[string]any) (any, int) { return s.ticket(r, func(*ticket) {}) },
		"POST /tickets/{id}": func(r *http.Request, in map[string]any) (any, int) {
			return s.ticket(r, func(t *ticket) {
				if status := text(in["status"]); status != "" {
					t.Status = status
				}
			})
		},
		"GET /fields": func(*http.Request, map[string]any) (any, int) { return []string{"summary"}, 200 },
		"GET /people": func(*http.Request, map[string]any) (any, int) { return []string{"ana"}, 200 },
		"POST /decisions": func(_ *http.Request, in map[string]any) (any, int) {
			s.decisions[text(in["id"])] = text(in["outcome"])
			return map[string]any{}, 200
		},
		"GET /decisions/{id}": func(r *http.Request, _ map[string]any) (any, int) {
			return map[string]any{"outcome": s.decisions[r.PathValue("id")]}, 200
		},
		"POST /records": func(_ *http.Request, in map[string]any) (any, int) { return map[string]any{}, 200 },
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+Canary {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			var in map[string]any
			_ = json.NewDecoder(r.Body).Decode(&in)
			s.mu.Lock()
			defer s.mu.Unlock()
			out, status := handle(r, in)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(out)
		})
	}
	return s
}

func (s *standin) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *standin) ticket(r *http.Request, change func(*ticket)) (any, int) {
	for _, t := range s.tickets {
		if t.ID == r.PathValue("id") {
			change(t)
			return t, 200
		}
	}
	return nil, 404
}

func text(v any) string { s, _ := v.(string); return s }
