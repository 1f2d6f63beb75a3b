package preset

import (
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// What the schema lets through and no request can be made of, or not the one that its author has in mind.

var (
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	// setElsewhere are headers that are written over, and what says them.
	setElsewhere = map[string]string{
		"Content-Type": "body.content_type says it", "Content-Encoding": "request.compression says it", "Host": "it is that of the URL",
		"Content-Length": "it is that of the body", "Transfer-Encoding": "the connection has its own", "Connection": "the connection has its own",
		"Trailer": "the connection has its own", "Upgrade": "the connection has its own", "Keep-Alive": "the connection has its own",
	}
	// bareParam is an expression that is a param and nothing else.
	bareParam = regexp.MustCompile(`\$\{\s*params\.([a-z][a-z0-9_]*)\s*(\?\?[^}]*)?\}`)
)

const messageID = "Webhook-Id"

func (s *source) headers(d *Document) {
	seen := map[string]bool{}
	for _, name := range sortedKeys(d.Request.Headers) {
		s.header("request.headers."+name, name)
		if seen[http.CanonicalHeaderKey(name)] {
			s.add("request.headers."+name, "is there twice")
		}
		seen[http.CanonicalHeaderKey(name)] = true
	}
	for i, a := range d.Auth {
		field := fmt.Sprintf("auth[%d]", i)
		if a.Kind == "header" {
			s.header(field+".header", a.Header)
		}
		if strings.ContainsFunc(a.Scheme, control) {
			s.add(field+".scheme", "is a text on one line")
		}
		if a.Kind == "standard_webhooks" {
			s.signed(field, d, seen[messageID])
		}
	}
	if kind := d.Body.ContentType; kind != "" {
		if _, _, err := mime.ParseMediaType(kind); err != nil || strings.ContainsFunc(kind, control) {
			s.add("body.content_type", "is no media type, as in application/json")
		}
	}
}

func (s *source) header(field, name string) {
	if !headerName.MatchString(name) {
		s.add(field, "is no name of a header, which has letters, digits and dashes")
	} else if why := setElsewhere[http.CanonicalHeaderKey(name)]; why != "" {
		s.add(field, "the header %s is not set here: %s", name, why)
	}
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// signed is for receivers that take each message once, and tell messages apart by their id.
func (s *source) signed(field string, d *Document, named bool) {
	if !named {
		s.add(field, "standard_webhooks signs the id of a message with it; request.headers lacks webhook-id, as in \"${event_id}\"")
	}
	if d.Body.Framing != "single" {
		s.add(field, "standard_webhooks needs the framing single: each message has an id of its own")
	}
	if d.Batch.OnOversize == "split" {
		s.add("batch.on_oversize", "split makes several messages with the same webhook-id, of which the receiver takes one; cut makes one")
	}
}

// aside is for calls besides the request, which go to the same server by another path.
func (s *source) aside(p *Preset) {
	if !p.urlIsSecret() {
		return
	}
	for field, there := range map[string]bool{"confirm": p.doc.Confirm != nil, "ping": p.doc.Ping != nil} {
		if there {
			s.add(field, "cannot be called where request.url is a secret as a whole: its server is not known")
		}
	}
}

func (p *Preset) urlIsSecret() bool {
	return p.url != nil && len(p.url.Pieces()) == 1 && p.url.Pieces()[0].Expression && strings.Contains(p.doc.Request.URL, "secret.")
}

// sent looks for secrets in a value that is sent.
func (s *source) sent(field string, value any) {
	switch v := value.(type) {
	case string:
		for _, found := range bareParam.FindAllStringSubmatch(v, -1) {
			if slices.Contains(s.secrets, found[1]) {
				s.add(field, "${params.%s} tells whether the secret is set and sends true; auth says where a secret goes", found[1])
			}
		}
	case []any:
		for i, one := range v {
			s.sent(fmt.Sprintf("%s[%d]", field, i), one)
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			s.sent(field+"."+key, v[key])
		}
	}
}

// condition compiles what has to be true; nothing gives nil. One that can only be something else would never be true.
func (s *source) condition(field, text string, names mapping.Names) *mapping.Setting {
	compiled := s.setting(field, text, names)
	if compiled == nil {
		return nil
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "${"), "}")
	if _, err := mapping.CompileSetting(field, "${("+inner+") ? 1 : 0}", names); err != nil {
		s.add(field, "is never true: it is no condition, as ${params.org != nil} is")
	}
	return compiled
}

// record compiles what is sent, whose size batch bounds.
func (s *source) record(field string, value any, names mapping.Names) *mapping.Setting {
	s.sent(field, value)
	return s.compiled(mapping.CompileRecord, field, value, names)
}
