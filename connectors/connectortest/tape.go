package connectortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Tape stands in front of a stand-in and writes down the requests that pass, as golden files show them. Credentials are
// left out: of the headers it writes only those it knows, and of requests for access tokens nothing.
type Tape struct {
	Next      http.Handler
	TokenPath string   // where access tokens are asked for; empty: nowhere
	Headers   []string // written besides Accept and Content-Type

	mu  sync.Mutex
	all []string
}

func (p *Tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if p.TokenPath == "" || r.URL.Path != p.TokenPath {
		text := p.written(r, body)
		p.mu.Lock()
		p.all = append(p.all, text)
		p.mu.Unlock()
	}
	p.Next.ServeHTTP(w, r)
}

// Take returns what was written down since the last Take, with an empty line between requests.
func (p *Tape) Take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := strings.Join(p.all, "\n")
	p.all = nil
	return text
}

func (p *Tape) written(r *http.Request, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL.Path)
	values(&b, r.URL.Query())
	for _, name := range append([]string{"Accept", "Content-Type"}, p.Headers...) {
		if value := r.Header.Get(name); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		if form, err := url.ParseQuery(string(body)); err == nil {
			values(&b, form)
			return b.String()
		}
	}
	if len(body) > 0 {
		fmt.Fprintf(&b, "%s\n", strings.ReplaceAll(laidOut(string(body), ""), "\r", ""))
	}
	return b.String()
}

// values writes the parameters of a query or a form, each on a line of its own.
func values(b *strings.Builder, all url.Values) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, value := range all[name] {
			fmt.Fprintf(b, "  %s=%s\n", name, laidOut(value, "  "))
		}
	}
}

// laidOut indents a JSON object or list and returns any other text as it is.
func laidOut(text, prefix string) string {
	var pretty bytes.Buffer
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") || json.Indent(&pretty, []byte(text), prefix, "  ") != nil {
		return text
	}
	return pretty.String()
}
