package presetstandin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// How bodies are framed.

func array(body []byte) ([]any, string) {
	var list []any
	if json.Unmarshal(body, &list) != nil {
		return nil, "no JSON array"
	}
	return list, ""
}

func object(body []byte) ([]any, string) {
	var one map[string]any
	if json.Unmarshal(body, &one) != nil {
		return nil, "no JSON object"
	}
	return []any{one}, ""
}

func lines(body []byte) ([]any, string) {
	var list []any
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var one map[string]any
		if json.Unmarshal(line, &one) != nil {
			return nil, "a line is no JSON object"
		}
		list = append(list, one)
	}
	return list, ""
}

// backToBack wants objects with nothing between them, and no array around them.
func backToBack(body []byte) ([]any, string) {
	var list []any
	d := json.NewDecoder(bytes.NewReader(body))
	for {
		var one map[string]any
		err := d.Decode(&one)
		if err == io.EOF {
			return list, ""
		}
		if err != nil {
			return nil, "no JSON objects back to back"
		}
		list = append(list, one)
	}
}

// What records have to hold.

// has wants these keys to hold texts that are not empty.
func has(keys ...string) func(any) string {
	return func(record any) string {
		one, _ := record.(map[string]any)
		for _, key := range keys {
			if text, ok := one[key].(string); !ok || text == "" {
				return key + " is missing"
			}
		}
		return ""
	}
}

// Who may send.

func header(name, before string) func(*Standin, *http.Request) bool {
	return func(s *Standin, r *http.Request) bool { return r.Header.Get(name) == before+s.Key }
}

func query(name string) func(*Standin, *http.Request) bool {
	return func(s *Standin, r *http.Request) bool { return r.URL.Query().Get(name) == s.Key }
}

// pathOnly is for those whose credential is the path, which was compared already.
func pathOnly(*Standin, *http.Request) bool { return true }

// What is answered.

func plain(status int, kind, body string) func(*Standin, http.ResponseWriter, int) {
	return func(_ *Standin, w http.ResponseWriter, _ int) { write(w, status, kind, body) }
}

func write(w http.ResponseWriter, status int, kind, body string) {
	if kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// saying refuses in JSON, with the reason in place of %q.
func saying(form string) func(http.ResponseWriter, int, string) {
	return func(w http.ResponseWriter, status int, why string) {
		write(w, status, "application/json", fmt.Sprintf(form, why))
	}
}

func inText(w http.ResponseWriter, status int, why string) { write(w, status, "text/plain", why) }

// form reads the body of a token request.
func form(body []byte) func(string) string {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return func(string) string { return "" }
	}
	return func(name string) string { return strings.Join(values[name], " ") }
}
