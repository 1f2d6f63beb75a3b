// Package preset connects sinks, which take records one way, by data alone: one file a vendor says what is sent where,
// how we prove ourselves, how records become a request and what answers mean. The files below presets are part of the
// program; an operator's own, in a folder, come beside or in place of them.
//
// Read document.go for what a file holds; load.go and refuse.go say how it is checked, compile.go makes a Preset of it, and
// rehearse.go tries that out. config.go is what an operator writes for one connection, and open.go makes the connection's
// way to its server. frame.go turns records into requests, send.go sends them, response.go says what an answer means,
// confirm.go asks on. ask.go puts requests to people by the same way, inbound.go reads what they answer.
package preset

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// sink is an opened connection.
type sink struct {
	preset     *Preset
	env        connectors.Env
	client     *connectors.Client
	item       *mapping.Setting // nil: the event
	gzip       bool
	params     map[string]any
	marks      map[string]any // what stands for credentials, by param
	auth       authPlan
	address    *url.URL // sent to in place of the vendor's; nil: the vendor's
	origin     string   // scheme and host
	whole      bool     // the URL is a credential, and not known before the call
	validators []validator
	confirms   bool
	hears      bool // takes answers
	pace       *pace
	unnamed    atomic.Int64 // when a success last had no id to ask for, in nanoseconds; 0: never
	announced  sync.Once
}

var (
	_ connectors.Sender    = (*sink)(nil)
	_ connectors.Batcher   = (*sink)(nil)
	_ connectors.Marker    = (*sink)(nil)
	_ connectors.Announcer = (*sink)(nil)
	_ connectors.Ender     = (*sink)(nil)
	_ connectors.Exampler  = (*Config)(nil)
)

//go:embed presets/*.yaml
var files embed.FS

// builtin reads the presets that are part of the program, once.
var builtin = sync.OnceValues(func() (map[string]*Preset, error) {
	folder, err := fs.Sub(files, "presets")
	if err != nil {
		return nil, err
	}
	return Read(folder)
})

// Vendors returns a new configuration for each preset of the program, by its name. They are tested, so that a fault in
// one is a fault of the program.
func Vendors() map[string]func() connectors.Config {
	all, err := builtin()
	if err != nil {
		panic(err)
	}
	return configs(all)
}

// VendorsIn returns the same for the presets of a folder. The error says everything that is wrong with them.
func VendorsIn(folder fs.FS) (map[string]func() connectors.Config, error) {
	all, err := Read(folder)
	return configs(all), err
}

func configs(all map[string]*Preset) map[string]func() connectors.Config {
	out := make(map[string]func() connectors.Config, len(all))
	for name, p := range all {
		out[name] = func() connectors.Config { return New(p) }
	}
	return out
}

// Batch is how many records a request may hold, and how long the first may wait for more.
func (s *sink) Batch() (most int, linger time.Duration) {
	return max(s.preset.doc.Batch.MaxItems, 1), s.preset.linger
}

// Ping makes the preset's harmless call. Without one it asks for an access token where there are any, and finds out
// whether the server can be reached; Notices says so.
func (s *sink) Ping(ctx context.Context) error {
	if err := s.withholds(); err != nil {
		return err
	}
	p := s.preset.doc.Ping
	if p == nil {
		target := s.origin
		if s.whole {
			target, _ = s.target(ctx, s.names(nil), true)
		}
		return s.client.Reach(ctx, "reach the server", target)
	}
	call := s.aside(p.Method, p.Path, nil)
	call.Name = "ping"
	r, err := s.do(ctx, call)
	if err != nil {
		return err
	}
	for _, t := range s.preset.ping {
		if t.holds(r) {
			return nil
		}
	}
	if r.err != nil {
		return r.err
	}
	return &connectors.Error{Kind: connectors.Temporary, Status: r.status, Err: errors.New("ping: the answer is none that means success")}
}

// aside is another call to the same server, with the same credentials in its headers or query.
func (s *sink) aside(method, path string, query [][2]string) connectors.Call {
	call := connectors.Call{Method: cmp.Or(method, http.MethodGet), URL: withQuery(s.origin+path, query), Header: http.Header{}}
	s.prove(&call)
	return call
}

// Unverified lists what rests on no documented fact.
func (s *sink) Unverified() []string { return s.preset.doc.Unverified }

// confidences say how far a preset rests on what its vendor documents.
var confidences = map[string]string{
	"documented": "all of it is documented by the vendor",
	"partly":     "it is documented by the vendor, but for what is listed as unverified",
	"inferred":   "it was learned from other clients of the vendor, which documents little of it",
}

// Ends is the end of what the vendor offers.
func (s *sink) Ends() string { return s.preset.doc.Lifecycle.text() }

// Notices tells how far the preset is documented, what a success does not say, and what a ping does not.
func (s *sink) Notices() []string {
	d := s.preset.doc
	list := []string{confidences[d.Confidence]}
	if d.Response.AcceptedOnly {
		list = append(list, "a success means that the records were accepted, not that they were stored")
	}
	if d.Ping == nil {
		text := "the check of the connection reaches the server and sends nothing: it does not show that records would be taken"
		if s.auth.Kind == "oauth2_cc" || s.auth.Kind == "oauth2_jwt" {
			text = "the check of the connection gets an access token, reaches the server and sends nothing: it does not show that records would be taken"
		}
		list = append(list, text)
	}
	if a := s.preset.ask; a != nil && a.note == nil {
		text := "people who are asked here are not told why an answer does not count"
		if a.settle == nil {
			text += ", nor that nobody needs to answer any more"
		}
		list = append(list, text+"; the case tells")
	}
	if r := d.Rate; r != nil {
		list = append(list, fmt.Sprintf("at most %d requests are sent in %s; the rest waits", r.Limit, r.Per))
	}
	if s.preset.inbound != nil && !s.hears {
		list = append(list, "signed answers are taken with answers: true in the settings")
	}
	return append(list, d.Notes...)
}

func (l Lifecycle) text() string {
	if l.Status == "" || l.Status == "active" {
		return ""
	}
	text := "the vendor has " + l.Status + " this"
	if l.Until != "" {
		text += "; its end: " + l.Until
	}
	if l.Successor != "" {
		text += "; use " + l.Successor
	}
	return text
}

// announce logs the end of what the vendor offers, once for a connection.
func (s *sink) announce() {
	s.announced.Do(func() {
		if text := s.Ends(); text != "" {
			s.env.Log.Warn("preset is at its end", "preset", s.preset.doc.Preset, "notice", text)
		}
	})
}
