package elimitystandin

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, text string) {
	reply(w, status, map[string]string{"message": text})
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// ofAgent lets calls through that carry the API token and are not meant to fail.
func (s *Server) ofAgent(next http.HandlerFunc) http.Handler {
	return s.guarded(next, func(r *http.Request, user, password string) (int, bool) {
		return http.StatusUnauthorized, same(user, s.options.TokenID) && same(password, s.options.TokenSecret)
	})
}

// ofSource lets calls through that carry the token of the source they are about. Only the journal source has one.
func (s *Server) ofSource(next http.HandlerFunc) http.Handler {
	journal := strconv.FormatInt(s.options.JournalID, 10)
	return s.guarded(next, func(r *http.Request, user, password string) (int, bool) {
		if !same(user, journal) || !same(password, s.options.JournalToken) {
			return http.StatusUnauthorized, false
		}
		return http.StatusForbidden, r.PathValue("id") == journal
	})
}

func (s *Server) guarded(next http.HandlerFunc, may func(r *http.Request, user, password string) (int, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if status, ok := may(r, user, password); !ok {
			refuse(w, status, "the credentials are missing, wrong or for something else")
			return
		}
		if s.fault(w, r) {
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next(w, r)
	})
}

// decode reads a body strictly: nothing unknown, nothing after it.
func decode(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if d.More() {
		return fmt.Errorf("read body: there is more after it")
	}
	return nil
}

func (s *Server) writeLog(w http.ResponseWriter, r *http.Request) {
	var lines []struct {
		Level     string     `json:"level"`
		Message   *string    `json:"message"`
		Timestamp *time.Time `json:"timestamp"`
	}
	if err := decode(r.Body, &lines); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	for _, l := range lines {
		if (l.Level != "info" && l.Level != "alert") || l.Message == nil || l.Timestamp == nil {
			refuse(w, http.StatusBadRequest, "a line has a level of info or alert, a message and a timestamp")
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		s.log = append(s.log, LogLine{l.Level, *l.Message, l.Timestamp.UTC()})
	}
	w.WriteHeader(http.StatusNoContent)
}

// schema answers with the schema of a custom source that holds nothing.
func (s *Server) schema(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, emptySchema) }

var emptySchema = map[string]any{"entityAttributeTypes": []any{}, "entityTypes": []any{}, "relationshipAttributeTypes": []any{}}

type sourceView struct {
	ID       int64          `json:"id"`
	Name     string         `json:"name"`
	Archived bool           `json:"archived"`
	Schema   map[string]any `json:"domainGraphSchema"`
	Reloaded *string        `json:"lastReloadTimestamp"`
}

func (s *Server) listSources(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	s.looks++
	views := []sourceView{}
	for _, one := range s.sources {
		v := sourceView{ID: one.id, Name: one.name, Schema: emptySchema}
		if !one.reloaded.IsZero() {
			text := one.reloaded.Format(time.RFC3339Nano)
			v.Reloaded = &text
		}
		views = append(views, v)
	}
	s.mu.Unlock()
	reply(w, http.StatusOK, views)
}
