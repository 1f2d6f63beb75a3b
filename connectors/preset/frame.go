package preset

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// piece is what is sent of a record, or a part of it where the record was split.
type piece struct {
	record int
	bytes  []byte
	group  any
	key    string         // of the group
	in     map[string]any // what the request sees of the record, where it is the only one
}

// names are what expressions see; of a record everything, without one only the connection.
func (s *sink) names(r *connectors.Record) map[string]any {
	in := map[string]any{"params": s.params}
	if r == nil {
		return in
	}
	in["event"], in["event_id"], in["source"], in["case"] = r.Event, r.EventID, r.Source, r.Group
	kind, _ := r.Event["kind"].(string)
	in["over"] = slices.Contains(ends, kind)
	in["at"] = instants(r.At.UTC())
	return in
}

func instants(at time.Time) map[string]any {
	return map[string]any{
		"rfc3339": at.Format(time.RFC3339Nano), "unix": int(at.Unix()), "unix_ms": int(at.UnixMilli()),
		"seconds": float64(at.UnixMilli()) / 1000, "unix_ns": strconv.FormatInt(at.UnixNano(), 10),
	}
}

// ends are the kinds of events after which nobody is waited for.
var ends = []string{
	connectors.AccessApproved, connectors.AccessDenied, connectors.AccessGranted, connectors.AccessExpired, connectors.AccessFailed,
	connectors.AdminApproved, connectors.AdminDenied, connectors.FindingResolved, connectors.FindingDismissed, connectors.ChangeMade,
}

// pieces makes of a record what is sent for it. in is what expressions see.
func (s *sink) pieces(ctx context.Context, number int, r *connectors.Record, in map[string]any) ([]piece, error) {
	p := s.preset
	item, err := s.record(ctx, r, in)
	if err != nil {
		return nil, err
	}
	in["item"] = item
	unit := any(item)
	if p.wrap != nil {
		if unit, err = p.wrap.Eval(ctx, in); err != nil {
			return nil, err
		}
	}
	if s.auth.Kind == "body" {
		var ok bool
		if unit, ok = s.auth.at.put(unit, s.marks[s.auth.Secret]); !ok {
			return nil, inField("auth", "the record has something else in the place of the credential")
		}
	}
	one := piece{record: number}
	if p.group != nil {
		if one.group, err = p.group.Eval(ctx, in); err != nil {
			return nil, err
		}
		key, err := encode(one.group)
		if err != nil {
			return nil, err
		}
		one.key = string(key)
	}
	if p.doc.Body.Framing == "single" {
		one.in = in
	}
	list, err := s.fitted(unit)
	if err != nil {
		return nil, err
	}
	out := make([]piece, len(list))
	for i, text := range list {
		out[i] = one
		out[i].bytes = text
	}
	return out, nil
}

// record is what a rule made of the event, or the preset's own form of it, with our id for the event.
func (s *sink) record(ctx context.Context, r *connectors.Record, in map[string]any) (map[string]any, error) {
	item := r.Data
	switch {
	case item != nil:
	case s.item == nil:
		item = maps.Clone(r.Event)
		if item == nil {
			item = map[string]any{}
		}
		item["source"], item["timestamp"] = r.Source, r.At.UTC().Format(time.RFC3339Nano)
	default:
		v, err := s.item.Eval(ctx, in)
		if err != nil {
			return nil, err
		}
		item, _ = v.(map[string]any)
	}
	v := any(item)
	for i, at := range s.preset.needs {
		if found, _ := at.find(v); nothing(found) {
			return nil, fmt.Errorf("the record has nothing at %s, which a rule has to say", s.preset.doc.Body.Needs[i])
		}
	}
	for _, at := range s.preset.eventID {
		var ok bool
		if v, ok = at.put(v, r.EventID); !ok {
			return nil, inField("body.event_id_at", "the record has something else in the place of the event's id")
		}
	}
	if e := s.preset.doc.Body.Escape; e != nil {
		v = escaped(v, escapers[e.As], e.Keys, len(e.Keys) == 0)
	}
	for _, l := range s.preset.limits {
		text, is := "", false
		if found, ok := l.at.find(v); ok {
			text, is = found.(string)
		}
		if !is || utf8.RuneCountInString(text) <= l.Max {
			continue
		}
		if l.Over == "fail" {
			return nil, inField("body.limits", "%s is longer than %d characters", l.At, l.Max)
		}
		v, _ = l.at.put(v, string([]rune(text)[:l.Max-1])+"…")
	}
	item, _ = v.(map[string]any)
	return item, nil
}

func nothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return !slices.ContainsFunc(v, func(one any) bool { return !nothing(one) })
	}
	return false
}

var escapers = map[string]func(string) string{"slack": slackText, "html": html.EscapeString}

// wholeURL is an address and nothing besides.
var wholeURL = regexp.MustCompile(`^https?://[^\s<>]+$`)

// slackText makes a text harmless wherever Slack shows it. An address stays as it is: where one belongs an escape would
// spoil it, and elsewhere it can make no more than a link that shows where it goes.
func slackText(text string) string {
	if wholeURL.MatchString(text) {
		return text
	}
	return markdown.EscapeMrkdwn(text)
}

// escaped makes harmless the texts below keys.
func escaped(v any, by func(string) string, keys []string, here bool) any {
	switch v := v.(type) {
	case string:
		if here {
			return by(v)
		}
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = escaped(one, by, keys, here)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, one := range v {
			out[key] = escaped(one, by, keys, len(keys) == 0 || slices.Contains(keys, key))
		}
		return out
	}
	return v
}

// fitted encodes what is sent of a record, made to fit where it is too large.
func (s *sink) fitted(unit any) ([][]byte, error) {
	text, err := encode(unit)
	most := s.preset.doc.Batch.MaxItemBytes
	if err != nil || most == 0 || len(text) <= most {
		return [][]byte{text}, err
	}
	long, _ := s.preset.cutAt.find(unit)
	words, ok := long.(string)
	if !ok || s.preset.doc.Batch.OnOversize == "" || s.preset.doc.Batch.OnOversize == "dead_letter" {
		return nil, inField("batch.max_item_bytes", "the record has %d bytes, %d are the most", len(text), most)
	}
	rest, err := encode(words)
	if err != nil {
		return nil, err
	}
	room := most - (len(text) - len(rest)) - 64 // for the mark of a part, and the quotes
	if room < 256 {
		return nil, inField("batch.max_item_bytes", "the record has %d bytes besides the text that may be cut, %d are the most", len(text)-len(rest), most)
	}
	if s.preset.doc.Batch.OnOversize == "cut" {
		start, _ := head(words, room)
		return s.encodeAll(unit, []string{start + "…"})
	}
	var parts []string
	for words != "" {
		var part string
		part, words = head(words, room)
		parts = append(parts, part)
	}
	return s.encodeAll(unit, parts)
}

// encodeAll encodes unit once for each text in its place. Several are numbered: "part" is 2/3.
func (s *sink) encodeAll(unit any, parts []string) ([][]byte, error) {
	out := make([][]byte, len(parts))
	for i, part := range parts {
		one, ok := s.preset.cutAt.put(unit, part)
		if ok && len(parts) > 1 {
			one, ok = jsonPath{"part"}.put(one, fmt.Sprintf("%d/%d", i+1, len(parts)))
		}
		if !ok {
			return nil, errors.New("the record cannot be made to fit")
		}
		var err error
		if out[i], err = encode(one); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// head cuts off as much of a text as has room bytes in JSON.
func head(text string, room int) (start, rest string) {
	used := 0
	for i, r := range text {
		width := utf8.RuneLen(r)
		switch {
		case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t':
			width = 2
		case r < ' ' || r == utf8.RuneError || r == '\u2028' || r == '\u2029':
			width = 6
		}
		if used += width; used > room {
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// encode writes JSON without escaping what only HTML needs.
func encode(v any) ([]byte, error) {
	text, err := connectors.PlainJSON(v)
	if err != nil {
		return nil, errors.New("the record cannot be written as JSON")
	}
	return text, nil
}

// frame puts records together to the body of a request.
func (s *sink) frame(ctx context.Context, list []piece) ([]byte, error) {
	all := make([][]byte, len(list))
	for i, one := range list {
		all[i] = one.bytes
	}
	switch s.preset.doc.Body.Framing {
	case "single":
		return all[0], nil
	case "ndjson":
		return append(bytes.Join(all, []byte("\n")), '\n'), nil
	case "concat":
		return bytes.Join(all, nil), nil
	}
	array := append(append([]byte("["), bytes.Join(all, []byte(","))...), ']')
	if s.preset.envelope == nil {
		return array, nil
	}
	around, err := s.preset.envelope.Eval(ctx, map[string]any{"params": s.params, "group": list[0].group})
	if err != nil {
		return nil, err
	}
	whole, ok := s.preset.itemsAt.put(around, json.RawMessage(array))
	if !ok {
		return nil, inField("body.envelope.items_at", "the envelope has no place for its records")
	}
	return encode(whole)
}

func packed(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // into memory
	_ = w.Close()
	return b.Bytes()
}
