package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

var _ connectors.Sampler = (*source)(nil)

// sampleTime is when the samples were sent.
var sampleTime = time.Date(2026, time.January, 5, 9, 30, 0, 0, time.UTC)

// Samples are a body for each of the tool's names of events, worked back from the settings: what each path should find is
// put where it looks. Where that does not make an event of the kind, because a path computes more than it looks up, there
// is no sample.
func (s *source) Samples() []connectors.Sample {
	names := map[string]string{}
	for name, kind := range s.config.Kinds {
		names[name] = kind
	}
	if len(names) == 0 {
		for _, kind := range s.config.emitted() {
			names[kind] = kind
		}
	}
	var list []connectors.Sample
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if sample, ok := s.sample(name, names[name]); ok {
			list = append(list, sample)
		}
	}
	return list
}

func (s *source) sample(name, kind string) (connectors.Sample, bool) {
	sample := connectors.Sample{Kind: kind, Name: name, Header: http.Header{}}
	body := map[string]any{}
	switch s.format {
	case cloudEvents:
		sample.ContentType = "application/cloudevents+json"
		maps.Copy(body, map[string]any{"specversion": "1.0", "id": "sample-1", "source": "/drawbridge/sample", "type": name})
	case standardWebhooks:
		sample.Header.Set(webhookID, "msg_sample_1")
	}
	for _, one := range s.sampleValues(name, kind) {
		place(body, sample.Header, one.path, one.value)
	}
	text, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		return sample, false
	}
	sample.Body = append(text, '\n')
	header := sample.Header.Clone()
	header.Set("Content-Type", cmp.Or(sample.ContentType, "application/json"))
	got, err := s.Receive(context.Background(), connectors.Request{Method: http.MethodPost, Header: header, Body: sample.Body, Time: sampleTime})
	return sample, err == nil && len(got.Events) == 1 && got.Events[0].Kind == kind
}

type sampleValue struct {
	path  string
	value any
}

func (s *source) sampleValues(name, kind string) []sampleValue {
	p, at := s.config.Paths, s.times.write(sampleTime)
	list := []sampleValue{
		{p.ID, "sample-1"}, {p.Kind, name}, {p.RequestID, "REQ-1"}, {p.Tenant, "sample"}, {p.Time, at},
		{p.Requester.Account, `CORP\ana`}, {p.Requester.Name, "Ana Silva"}, {p.Requester.Mail, "ana@corp.example"},
		{p.Subject, "production database"}, {p.Reason, "the nightly report is broken"}, {p.Severity, "high"},
		{p.URL, "https://tool.example/requests/REQ-1"},
	}
	if _, told := toldBy[kind]; told {
		list = append(list, sampleValue{p.DecidedBy.Account, `CORP\kim`}, sampleValue{p.DecidedBy.Name, "Kim Okafor"},
			sampleValue{p.DecidedBy.Mail, "kim@corp.example"}, sampleValue{p.DecidedAt, at})
	}
	for _, field := range s.fields {
		d := s.config.Data[field]
		list = append(list, sampleValue{d.At, map[string]any{
			"number": 1, "bool": true, "list": []any{"sample"}, "object": map[string]any{"sample": true}, "time": at,
		}[d.Type]})
		if last := &list[len(list)-1]; last.value == nil {
			last.value = "sample " + field
			if d.Carry {
				last.value = "sample-" + field
			}
		}
	}
	return list
}

// write gives a time as parse reads it.
func (f timeFormat) write(t time.Time) any {
	switch f {
	case unix:
		return t.Unix()
	case unixMilli:
		return t.UnixMilli()
	default:
		return t.Format(time.RFC3339)
	}
}

var (
	plainMember = regexp.MustCompile(`^\$\{\s*body((?:\.[A-Za-z_]\w*)+)\b`)
	plainHeader = regexp.MustCompile(`^\$\{\s*header\[["']([a-z0-9-]+)["']\]`)
)

// place puts a value where a path looks for it, unless something is there already: a path may look where another did.
func place(body map[string]any, header http.Header, path string, value any) {
	var keys pointer
	if m := plainHeader.FindStringSubmatch(path); m != nil {
		if text, ok := value.(string); ok && header.Get(m[1]) == "" {
			header.Set(m[1], text)
		}
		return
	} else if m := plainMember.FindStringSubmatch(path); m != nil {
		keys = strings.Split(m[1][1:], ".")
	} else if strings.HasPrefix(path, "/") {
		keys, _ = parsePointer(path) // checked when the settings were opened
	}
	for i, key := range keys {
		next, there := body[key]
		if i == len(keys)-1 {
			if !there {
				body[key] = value
			}
			return
		}
		inner, ok := next.(map[string]any)
		if there && !ok {
			return
		}
		if !there {
			inner = map[string]any{}
			body[key] = inner
		}
		body = inner
	}
}

// Example shows the least that makes a tool's events understood and decisions told.
func (c *Config) Example() string {
	return `paths:
  id: /id
  kind: /event
  request_id: /request/id
  requester: {account: /request/user}
  subject: /request/resource
  reason: /request/reason
kinds: {request.created: access.requested}
auth: {bearer: {token: {env: DRAWBRIDGE_SECRET_TOOL}}}
decision:
  url: https://tool.example/requests/${decision.request_id}/decision
  body: {decision: "${decision.outcome}", by: "${decision.by.name}", note: "${decision.reason}"}
`
}
