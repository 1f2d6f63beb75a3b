package preset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// rehearse opens a connection with the settings the preset is tried with, and makes the requests of two records by what
// sends them, so that a preset that cannot work is refused when it is read. It calls nobody.
func (s *source) rehearse(p *Preset) {
	stage, err := p.stage()
	if err != nil {
		s.refuse("test.settings", err, "")
		return
	}
	ctx, rs := context.Background(), samples(p.doc.Test.Event)
	var all []piece
	for i := range rs {
		list, err := stage.pieces(ctx, i, &rs[i], stage.names(&rs[i]))
		if err != nil {
			s.refuse("body", err, tried)
			return
		}
		all = append(all, list...)
	}
	messages := map[string]bool{}
	for _, list := range stage.grouped(ctx, all) {
		call, body, err := stage.request(ctx, list)
		if err != nil {
			s.refuse("request", err, tried)
			return
		}
		for _, one := range list {
			if !carries(call, body, rs[one.record].EventID) {
				s.lost()
				return
			}
		}
		id := call.Header.Get(messageID)
		if stage.auth.Kind == "standard_webhooks" && (id == "" || strings.Contains(id, ".") || messages[id]) {
			s.add("request.headers", "webhook-id is not another one for each event, without a dot, as \"${event_id}\" is")
			return
		}
		messages[id] = true
	}
}

// lost tells where the event's id stays behind.
func (s *source) lost() {
	field := "body.event_id_at"
	if s.lines["body.wrap"] > 0 {
		field = "body.wrap"
	}
	s.add(field, "the id of an event is not in its request: body.event_id_at puts it into the record, and body.wrap has to pass it on, as ${item} or ${event_id}")
}

func carries(call connectors.Call, body []byte, id string) bool {
	return bytes.Contains(body, []byte(id)) || strings.Contains(call.URL, id) || slices.ContainsFunc(slices.Collect(maps.Values(call.Header)), func(values []string) bool {
		return strings.Contains(strings.Join(values, " "), id)
	})
}

// stage is the connection the preset is tried with. Its secrets are never looked up.
func (p *Preset) stage() (*sink, error) {
	text, err := yaml.Marshal(p.doc.Test.Settings)
	if err != nil {
		return nil, errors.New("cannot be read")
	}
	c := New(p)
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(c); err != nil {
		return nil, errors.New(faultText(err))
	}
	client, err := nobody()
	if err != nil {
		return nil, err
	}
	return c.sink(connectors.Env{Name: p.doc.Preset, Client: client, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return rehearsed }})
}

var nobody = sync.OnceValues(func() (*connectors.Client, error) {
	return connectors.NewClient(connectors.Outbound{}, &connectors.Vault{}, time.Now)
})

func faultText(err error) string {
	if fault, ok := errors.AsType[yaml.Error](err); ok {
		return fault.GetMessage()
	}
	return err.Error()
}

var rehearsed = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// samples are two requests for access, with what the preset's author adds to events.
func samples(more map[string]any) []connectors.Record {
	out := make([]connectors.Record, 2)
	for i := range out {
		request := fmt.Sprintf("request-%d", i+1)
		event := map[string]any{
			"kind": connectors.AccessRequested, "type": "RequestCreated", "request_id": request, "time": rehearsed.Format(time.RFC3339),
			"requester": map[string]any{"account": "u-1", "name": "Ana Example", "mail": "ana@example.com"}, "subject": "access to a database", "reason": "an incident",
			"severity": "high", "url": "https://example.com/" + request, "data": map[string]any{},
		}
		maps.Copy(event, more)
		out[i] = connectors.Record{EventID: fmt.Sprintf("0195560c-7c40-7000-8000-%012d", i+1), Source: "rehearsal", Group: fmt.Sprintf("case-%d", i+1), At: rehearsed, Event: event}
	}
	return out
}

const tried = "; it was tried with a request for access, to which test.event adds"

// refuse notes an error of the rehearsal, with the field it comes from where it tells. hint is added where values are at fault.
func (s *source) refuse(field string, err error, hint string) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			s.refuse(field, one, hint)
		}
		return
	}
	if e, ok := errors.AsType[*mapping.Error](err); ok {
		s.add(e.Field, "%s%s", e.Message, hint)
		return
	}
	if e, ok := errors.AsType[*fieldError](err); ok {
		if !strings.HasPrefix(e.field, "request.") {
			hint = ""
		}
		s.add(e.field, "%s%s", e.Error(), hint)
		return
	}
	text := err.Error()
	if setting, ok := strings.CutPrefix(text, "settings."); ok && field == "test.settings" {
		name, rest, _ := strings.Cut(setting, ": ")
		field, text = field+"."+name, rest
	}
	s.add(field, "%s", text)
}

// fieldError is an error with the field of the preset it comes from, which only its author is told.
type fieldError struct {
	field string
	err   error
}

func inField(field, format string, args ...any) error {
	return &fieldError{field, fmt.Errorf(format, args...)}
}

func (e *fieldError) Error() string { return e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }
