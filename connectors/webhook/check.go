package webhook

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// faults collects what is wrong with the settings, in the order it is found.
type faults []error

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, fmt.Errorf("settings.%s: %w", path, fmt.Errorf(format, args...)))
}

func (f *faults) join() error { return errors.Join(*f...) }

// check looks at everything that needs no compiling.
func (f *faults) check(c *Config) {
	f.among("format", c.Format, plainJSON, cloudEvents, standardWebhooks)
	if !timeFormat(c.TimeFormat).known() {
		f.add("time_format", "is one of %v", timeFormats)
	}
	f.identity(c)
	f.kinds(c)
	f.readable(c.Headers)
	for _, name := range slices.Sorted(maps.Keys(c.Data)) {
		f.field("data."+name, name, c.Data[name])
	}
	if c.MaxBatch < 1 || c.MaxBatch > 1000 {
		f.add("max_batch", "is from 1 to 1000")
	}
	if c.Handshake.Rate < 0 {
		f.add("handshake.rate", "is negative")
	}
	for i, name := range c.Handshake.Origins {
		if !origin.MatchString(name) {
			f.add(fmt.Sprintf("handshake.origins[%d]", i), "is no name of a host")
		}
	}
	if c.Format != cloudEvents && (len(c.Handshake.Origins) > 0 || c.Handshake.Rate > 0) {
		f.add("handshake", "is for the format cloudevents")
	}
}

func (f *faults) among(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		f.add(path, "is one of %s", strings.Join(allowed, ", "))
	}
}

// identity wants what tells events and cases apart to come from the event itself.
func (f *faults) identity(c *Config) {
	switch {
	case c.Format == cloudEvents && c.Paths.ID != "":
		f.add("paths.id", "is not used: a CloudEvent is known by its source and id")
	case c.Format == standardWebhooks && c.Paths.ID != "":
		f.add("paths.id", "is not used: the header webhook-id says which event it is")
	case c.Format == plainJSON && c.Paths.ID == "":
		f.add("paths.id", "is missing: without an id an event that is sent again would count as another")
	}
	for _, p := range []path{{name: "paths.id", text: c.Paths.ID}, {name: "paths.request_id", text: c.Paths.RequestID}, {name: "paths.parent", text: c.Paths.Parent}} {
		if p.text != "" && !strings.HasPrefix(p.text, "/") && !mapping.HasExpression(p.text) {
			f.add(p.name, "is the same for every event; write a JSON pointer like /request/id, or ${body.request.id}")
		}
	}
}

func (f *faults) kinds(c *Config) {
	kind := c.Paths.Kind
	switch {
	case kind == "":
		f.add("paths.kind", "is missing; a tool with one kind of event takes its name: %s", connectors.AccessRequested)
	case strings.HasPrefix(kind, "/"), mapping.HasExpression(kind):
	case len(c.Kinds) > 0 && c.Kinds[kind] == "":
		f.add("paths.kind", "is always %q, which settings.kinds does not list", kind)
	case len(c.Kinds) == 0 && !slices.Contains(kinds, kind):
		f.add("paths.kind", "is always %q, which is no kind of event; there are %s", kind, strings.Join(kinds, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Kinds)) {
		if !slices.Contains(kinds, c.Kinds[name]) {
			f.add("kinds."+name, "%q is no kind of event; there are %s", c.Kinds[name], strings.Join(kinds, ", "))
		}
	}
}

// credentialHeaders prove who sends and are nobody's data.
var credentialHeaders = []string{"Authorization", "Cookie", "Proxy-Authorization", "Webhook-Signature"}

func (f *faults) readable(names []string) {
	seen := map[string]bool{}
	for i, name := range names {
		path, canonical := fmt.Sprintf("headers[%d]", i), http.CanonicalHeaderKey(name)
		switch {
		case !isToken(name):
			f.add(path, "%q is no name of a header", name)
		case slices.Contains(credentialHeaders, canonical):
			f.add(path, "%s holds credentials", canonical)
		case seen[canonical]:
			f.add(path, "%s is there twice", canonical)
		}
		seen[canonical] = true
	}
}

func (f *faults) field(path, name string, d DataField) {
	if !isName(name) {
		f.add(path, "is no name of letters, digits and _ that starts with a letter")
	}
	if d.At == "" {
		f.add(path, "has no path")
	}
	f.among(path+".type", d.Type, "text", "number", "bool", "time", "list", "object", "any")
	if d.Carry && d.Type != "text" {
		f.add(path+".carry", "is for texts: a decision carries ids")
	}
}

func isName(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r != '_' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != ""
}

// isToken tells whether text can be the name or the method of a request (RFC 9110 section 5.6.2).
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

func (f *faults) text(path, value string) {
	if strings.TrimSpace(value) == "" {
		f.add(path, "is missing")
	}
}

func (f *faults) secret(path string, s connectors.Secret) {
	if s.IsZero() {
		f.add(path, "is missing; write {env: DRAWBRIDGE_SECRET_NAME}, {file: NAME} or {value: ...}")
	}
}

// exchangeHeaders are set by the exchange itself.
var exchangeHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Expect", "Host", "Keep-Alive",
	"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func (f *faults) ownHeader(path, name string) {
	switch {
	case !isToken(name):
		f.add(path, "%q is no name of a header", name)
	case slices.Contains(exchangeHeaders, http.CanonicalHeaderKey(name)):
		f.add(path, "%s is set by the exchange itself", name)
	}
}

// secureURL wants https: credentials and decisions travel there. Plain http is left for loopback, where stand-ins live.
func (f *faults) secureURL(path, text string) *url.URL {
	u, err := url.Parse(text)
	switch {
	case text == "":
		f.add(path, "is missing")
	case err != nil || u.Host == "" || u.User != nil || strings.Contains(text, "#"):
		f.add(path, "is no plain URL like https://tool.example/requests/${decision.request_id}")
	case u.Scheme == "https" || u.Scheme == "http" && connectors.Loopback(u.Hostname()):
		return u
	default:
		f.add(path, "has to start with https://")
	}
	return nil
}
