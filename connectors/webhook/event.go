package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Longest ids, in bytes: they are keys of our database.
const (
	idBytes     = 200
	eventBytes  = 500
	sourceBytes = 1000
)

// unknownKind is the kind of an event whose name settings.kinds does not list. It is stored and shown, and belongs to
// no case.
const unknownKind = "unknown"

// kinds are those an event may be mapped to.
var kinds = []string{
	connectors.AccessRequested, connectors.AccessApproved, connectors.AccessDenied, connectors.AccessGranted,
	connectors.AccessExpired, connectors.AccessFailed, connectors.AdminRequested, connectors.AdminApproved,
	connectors.AdminDenied, connectors.FindingOpened, connectors.FindingResolved, connectors.FindingDismissed,
	connectors.AssetDiscovered, connectors.ChangeRequested, connectors.ChangeMade, connectors.Audit,
	connectors.Anomaly, connectors.IntegrationWarning, connectors.Test,
}

// toldBy are the kinds that tell of a decision.
var toldBy = map[string]connectors.Outcome{
	connectors.AccessApproved: connectors.Approved, connectors.AdminApproved: connectors.Approved,
	connectors.AccessDenied: connectors.Denied, connectors.AdminDenied: connectors.Denied,
}

// message is one event as it arrived: its JSON form, and who it is where its format says that.
type message struct {
	body   map[string]any
	dedupe string           // empty: paths.id says
	part   *connectors.Part // of a batch: the event as it was sent
}

// event finds the parts of one message and puts them into the words rules share. Of an event of unknown kind only what
// tells it apart is looked for: nothing else can be expected to be where settings say.
func (s *source) event(ctx context.Context, m message, header map[string]any) (connectors.Event, error) {
	e := connectors.Event{Dedupe: m.dedupe, Part: m.part}
	in := map[string]any{"body": m.body, "header": header}
	v, err := s.identity.find(ctx, m.body, in)
	if err != nil {
		return e, unreadable(err)
	}
	if err := s.identify(&e, v); err != nil || e.Kind == unknownKind {
		return e, err
	}
	if v, err = s.content.find(ctx, m.body, in); err != nil {
		return e, unreadable(err)
	}
	if err := s.describe(&e, v); err != nil {
		return e, err
	}
	if e.Data, err = s.data(m.body, v); err != nil {
		return e, err
	}
	return e, s.told(&e, v)
}

// unreadable is the fault of an expression, which shows no value. One that was stopped says nothing of the body.
func unreadable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("read event: %w", err)
	}
	return malformed("%v", err)
}

// identify fills in what says which event this is. Nothing here is ever guessed.
func (s *source) identify(e *connectors.Event, v values) error {
	var err error
	if e.Dedupe == "" {
		if e.Dedupe, err = v.id("paths.id", eventBytes); err != nil {
			return err
		}
		if e.Dedupe == "" {
			return malformed("paths.id leads to nothing: the event cannot be told from others")
		}
	}
	if e.Type, err = v.line("paths.kind", idBytes); err != nil {
		return err
	}
	if e.Type == "" {
		return malformed("paths.kind leads to nothing")
	}
	e.Kind = s.kind(e.Type)
	e.Tenant, err = v.id("paths.tenant", idBytes)
	return err
}

func (s *source) kind(name string) string {
	if len(s.config.Kinds) == 0 && slices.Contains(kinds, name) {
		return name
	}
	return cmp.Or(s.config.Kinds[name], unknownKind)
}

// describe fills in the case and what people read.
func (s *source) describe(e *connectors.Event, v values) error {
	var err error
	if e.RequestID, err = v.id("paths.request_id", idBytes); err != nil {
		return err
	}
	if e.Parent, err = v.id("paths.parent", idBytes); err != nil {
		return err
	}
	if e.Requester, err = v.person("paths.requester"); err != nil {
		return err
	}
	if e.Subject, err = v.line("paths.subject", 500); err != nil {
		return err
	}
	if e.Reason, err = v.text("paths.reason"); err != nil {
		return err
	}
	if e.Severity, err = v.line("paths.severity", 100); err != nil {
		return err
	}
	if e.URL, err = v.address("paths.url"); err != nil {
		return err
	}
	if e.Expires, err = v.instant("paths.expires", s.times); err != nil {
		return err
	}
	e.Time, err = v.instant("paths.time", s.times)
	return err
}

// told fills in the decision of a kind that reports one.
func (s *source) told(e *connectors.Event, v values) error {
	outcome, ok := toldBy[e.Kind]
	if !ok {
		return nil
	}
	told := &connectors.Told{Outcome: outcome}
	var err error
	if told.By, err = v.person("paths.decided_by"); err != nil {
		return err
	}
	if told.At, err = v.instant("paths.decided_at", s.times); err != nil {
		return err
	}
	e.Decision = told
	return nil
}

// wholeBody is the one field of an event's data where settings.data names none.
const wholeBody = "body"

// data holds the fields of settings.data, or the whole body.
func (s *source) data(body map[string]any, v values) (map[string]any, error) {
	if len(s.config.Data) == 0 {
		return map[string]any{wholeBody: body}, nil
	}
	data := make(map[string]any, len(s.config.Data))
	for _, name := range s.fields {
		field, at := s.config.Data[name], "data."+name
		found := v[at]
		if found == nil {
			if field.Required {
				return nil, malformed("%s is missing", at)
			}
			continue
		}
		value, ok := field.convert(found, s.times)
		if !ok {
			return nil, malformed("%s is not of the type it is declared with: %s", at, field.Type)
		}
		if field.Carry {
			if _, err := plainID(at, value.(string), eventBytes); err != nil {
				return nil, err
			}
		}
		data[name] = value
	}
	return data, nil
}

// convert brings a value that was found to the declared type. Times are RFC 3339 in UTC.
func (d DataField) convert(v any, times timeFormat) (any, bool) {
	var ok bool
	switch d.Type {
	case "text":
		return connectors.ScalarText(v)
	case "number":
		switch v.(type) {
		case float64, int:
			ok = true
		}
	case "bool":
		_, ok = v.(bool)
	case "list":
		_, ok = v.([]any)
	case "object":
		_, ok = v.(map[string]any)
	case "time":
		at, ok := times.parse(v)
		return at.Format(time.RFC3339Nano), ok
	default:
		ok = true
	}
	return v, ok
}

// emitted are the kinds of events settings can lead to.
func (c *Config) emitted() []string {
	switch {
	case len(c.Kinds) > 0:
		list := slices.Sorted(maps.Values(c.Kinds))
		return slices.Compact(list)
	case slices.Contains(kinds, c.Paths.Kind):
		return []string{c.Paths.Kind}
	default:
		return kinds
	}
}
