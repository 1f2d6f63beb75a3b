package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Tools change what they send, and customers their templates. What the events of each kind look like is learned from those
// that are planned: their body as it was received, as connectors bring values to the types they declare, and what was
// made of it. A field that was always there and is gone, or whose type has changed, raises a notice before somebody
// wonders why a rule matches no more. Only names and types are kept.

const (
	noticeShape = "shape"

	settledAfter  = 20      // events in a row after which a field, or its type, is expected
	shapeFields   = 256     // of one kind; further ones are not learned
	shapeDepth    = 6       // objects inside of objects
	longestField  = 200     // bytes of a field's path
	observedKinds = 256     // kinds of all connections between two rounds of the learner
	observedEach  = 32      // events of one kind between two rounds; further ones are not looked at
	observedBytes = 8 << 20 // of all of them; what is larger alone is never looked at
)

// seenKind names what is learned together.
type seenKind struct{ connection, kind string }

// observations are events that were planned and not learned from yet. Observing costs planning nothing but a lock, and
// what comes faster than it is learned is passed over.
type observations struct {
	mu      sync.Mutex
	waiting map[seenKind][]store.Event
	bytes   int
}

// observe takes an event as it is stored and as it was read again.
func (o *observations) observe(stored store.Event, e connectors.Event) {
	if e.Test || e.Polled { // what we found by asking says nothing of a template
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting = map[seenKind][]store.Event{}
	}
	key, size := seenKind{stored.Connection, e.Kind}, len(stored.Body)+len(stored.Normal)
	have, known := o.waiting[key]
	if len(have) < observedEach && (known || len(o.waiting) < observedKinds) && o.bytes+size <= observedBytes {
		o.waiting[key] = append(have, stored)
		o.bytes += size
	}
}

func (o *observations) take() map[seenKind][]store.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.waiting
	o.waiting, o.bytes = nil, 0
	return taken
}

// looks is an event as rules see it. Where the body can be read, it stands for the data, which was made of it and would
// tell of each change a second time.
func looks(e store.Event) (map[string]any, error) {
	v, err := value(e)
	if err != nil {
		return nil, err
	}
	if list, ok := v["raw"].([]any); ok && len(list) == 1 { // of several, nobody knows which is this event's
		v["raw"] = list[0]
	}
	if _, ok := v["raw"].(map[string]any); ok {
		delete(v, "data")
	} else {
		delete(v, "raw")
	}
	return v, nil
}

// shapeLoop learns from what was planned, a round at a time.
func (g *Gateway) shapeLoop(ctx context.Context) {
	tick := time.NewTicker(g.poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		g.learnShapes(ctx)
	}
}

// learnShapes learns from what was planned since the last round.
func (g *Gateway) learnShapes(ctx context.Context) {
	for key, observed := range g.shapes.take() {
		events := make([]map[string]any, 0, len(observed))
		for _, e := range observed {
			if v, err := looks(e); err == nil { // planning reads the same, and says so
				events = append(events, v)
			}
		}
		if err := g.learnShape(ctx, key, events); err != nil && ctx.Err() == nil {
			g.log.Error("learn what events look like", "connection", key.connection, "kind", key.kind, "error", err)
		}
	}
}

// learnShape learns from events of one kind. While they look as expected nothing is written.
func (g *Gateway) learnShape(ctx context.Context, key seenKind, events []map[string]any) error {
	known, err := g.store.Shape(ctx, key.connection, key.kind)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	before := readShape(known.Fields)
	if after, drifts := before.clone().learnAll(events); len(drifts) == 0 && reflect.DeepEqual(before, after) {
		return nil
	}
	var fresh []store.Notice
	now := g.now()
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		fresh = nil
		locked, err := tx.LockShape(ctx, key.connection, key.kind)
		if err != nil {
			return err
		}
		after, drifts := readShape(locked.Fields).learnAll(events)
		for _, d := range drifts {
			subject := key.connection + "/" + key.kind + "/" + d.path
			if d.over {
				if _, err := tx.EndNotice(ctx, noticeShape, subject, now); err != nil {
					return err
				}
				continue
			}
			n, first, err := g.raise(ctx, tx, noticeShape, subject, d.words(key))
			if err != nil {
				return err
			}
			if first {
				fresh = append(fresh, n)
			}
		}
		locked.Fields, locked.UpdatedAt = mustJSON(after), now
		return tx.SetShape(ctx, locked)
	})
	if err != nil {
		return err
	}
	for _, n := range fresh {
		g.log.Warn("what a source sends has changed", "connection", key.connection, "kind", key.kind, "notice", n.ID, "text", n.Text)
	}
	return nil
}

// shape is what is known of the fields of an event, by path.
type shape map[string]fieldShape

// fieldShape is what is known of one field.
type fieldShape struct {
	Type     string `json:"type"`               // empty: of several types
	Seen     int    `json:"seen"`               // events that had it, up to settledAfter
	Optional bool   `json:"optional,omitempty"` // some event had it not
	Gone     bool   `json:"gone,omitempty"`     // expected, and missing in the latest events
	Turned   string `json:"turned,omitempty"`   // the type of the latest events, where another is expected
}

// drift is a field that does not look as expected, or does again.
type drift struct {
	path, was, is string // is is empty where the field is missing
	over          bool
}

func (d drift) words(key seenKind) string {
	what := fmt.Sprintf("was in every event of kind %s, and is missing in the latest", key.kind)
	if d.is != "" {
		what = fmt.Sprintf("was of type %s in events of kind %s, and is of type %s in the latest", d.was, key.kind, d.is)
	}
	return fmt.Sprintf("%s: the field event.%s %s. Rules that read it may not do what they did. If nothing was meant to change, look at the template or the version of the tool; "+
		"if it was, close this notice, and what is sent now will be expected.", key.connection, d.path, what)
}

func readShape(text json.RawMessage) shape {
	s := shape{}
	if len(text) > 0 && json.Unmarshal(text, &s) != nil {
		return shape{} // written by another version: learned anew
	}
	return s
}

func (s shape) clone() shape { return maps.Clone(s) }

// learnAll learns from events in their order. Of each field only the last drift counts.
func (s shape) learnAll(events []map[string]any) (shape, []drift) {
	last := map[string]drift{}
	for _, data := range events {
		found := typesOf(data)
		if len(found) == shapeFields { // which were cut off is chance
			continue
		}
		for _, d := range s.learn(found) {
			last[d.path] = d
		}
	}
	drifts := make([]drift, 0, len(last))
	for _, path := range slices.Sorted(maps.Keys(last)) {
		drifts = append(drifts, last[path])
	}
	return s, drifts
}

// learn takes in the fields of one event.
func (s shape) learn(found map[string]string) (drifts []drift) {
	for path, f := range s {
		kind, there := found[path]
		switch {
		case there:
			if f.Gone {
				f.Gone, f.Optional = false, true
				drifts = append(drifts, drift{path: path, over: true})
			}
			if d, ok := f.typed(kind); ok {
				d.path = path
				drifts = append(drifts, d)
			}
			f.Seen = min(f.Seen+1, settledAfter)
		case f.Optional || unread(path, found) || s.withinMissing(path, found):
		case f.Seen < settledAfter:
			f.Optional = true
		default:
			f.Gone, f.Turned = true, ""
			drifts = append(drifts, drift{path: path, was: f.Type})
		}
		s[path] = f
	}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if _, known := s[path]; !known && len(s) < shapeFields {
			s[path] = fieldShape{Type: found[path], Seen: 1}
		}
	}
	return drifts
}

// typed compares the type of a field that is there with the one expected.
func (f *fieldShape) typed(kind string) (drift, bool) {
	switch {
	case f.Type == "":
		return drift{}, false
	case f.Type == kind:
		if f.Turned == "" {
			return drift{}, false
		}
		f.Type, f.Turned = "", ""
		return drift{over: true}, true
	case f.Seen < settledAfter:
		f.Type = ""
		return drift{}, false
	default:
		f.Turned = kind
		return drift{was: f.Type, is: kind}, true
	}
}

// unread tells whether a field is missing only because looks took the other of body and data.
func unread(path string, found map[string]string) bool {
	root, _, _ := strings.Cut(path, ".")
	return (root == "raw" || root == "data") && found[root] == ""
}

// withinMissing tells whether a field is missing only because the object it was in is, which is told of that one.
func (s shape) withinMissing(path string, found map[string]string) bool {
	at := strings.LastIndexByte(path, '.')
	if at < 0 {
		return false
	}
	_, known := s[path[:at]]
	return known && found[path[:at]] != "object"
}

// typesOf lists the fields of an event by path with their types. What is null is not there. A text that holds a JSON
// object, as senders of logs wrap what they pass on, is that object.
func typesOf(data map[string]any) map[string]string {
	found := map[string]string{}
	addTypes(found, "", data, 1)
	return found
}

func addTypes(found map[string]string, under string, object map[string]any, depth int) {
	for name, value := range object {
		path := under + name
		if len(path) > longestField || len(found) >= shapeFields {
			continue
		}
		value = unwrapped(value)
		kind := typeOf(value)
		if kind == "" {
			continue
		}
		found[path] = kind
		if inner, ok := value.(map[string]any); ok && depth < shapeDepth {
			addTypes(found, path+".", inner, depth+1)
		}
	}
}

func unwrapped(value any) any {
	var object map[string]any
	if text, ok := value.(string); ok && strings.HasPrefix(strings.TrimSpace(text), "{") && json.Unmarshal([]byte(text), &object) == nil {
		return object
	}
	return value
}

func typeOf(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case float64, json.Number:
		return "number"
	case bool:
		return "bool"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	default:
		return ""
	}
}
