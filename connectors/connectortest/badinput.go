package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Input is a receiver with one documented body that it reads, for what may be wrong with such a body.
type Input struct {
	Receiver connectors.Receiver
	Header   http.Header // besides the content type
	Type     string      // default application/json
	Body     []byte      // strict JSON that becomes events
	// Identity are the members that say which event it is: JSON pointers into Body. None may stand twice.
	Identity []string
	// RequestID is the member the RequestId is read from; empty where the id is made of the content. Made are what ids
	// start with that are made of the content.
	RequestID string
	Made      []string
	// Time is the member the event's time is read from, and Times its documented forms as JSON, with what they mean.
	Time  string
	Times map[string]time.Time
}

// BadInput tries what may be wrong with a body: every outcome is an event that is what the body says, or *Malformed. The
// receiver never panics, never makes up a RequestId, never rounds a number and never repeats what it refuses.
func BadInput(t testing.TB, in Input) {
	t.Helper()
	whole, err := readTree(in.Body)
	if err != nil {
		t.Fatalf("the sample is no JSON: %v", err)
	}
	if got := in.try(t, "the sample", in.Body); len(got.Events) == 0 {
		t.Fatal("the sample becomes no event")
	}
	for name, body := range map[string][]byte{
		"nothing": nil, "spaces": []byte(" \r\n\t "), "a brace": []byte("{"), "null": []byte("null"), "a text": []byte(`"x"`), "a number": []byte("7"),
		"1 MiB of lists": bytes.Repeat([]byte("["), 1<<20), "1 MiB of objects": bytes.Repeat([]byte(`{"a":`), (1<<20)/5),
		"two documents": slices.Concat(in.Body, in.Body), "no UTF-8": []byte("{\"\xff\":1}"),
	} {
		in.refused(t, name, body)
	}
	trimmed := bytes.TrimSpace(in.Body)
	for at := 0; at < len(trimmed); at += 1 + len(trimmed)/200 {
		in.refused(t, fmt.Sprintf("cut after %d bytes", at), trimmed[:at])
	}
	for _, path := range whole.paths(nil) {
		in.spoil(t, whole, path)
	}
	for _, pointer := range in.Identity {
		path := steps(pointer)
		for what, value := range map[string]string{"another": `"smuggled-in"`, "the same": whole.at(path).String(), "an object": `{"a":1}`} {
			in.refused(t, fmt.Sprintf("%s twice, the second time %s", pointer, what), whole.with(path, func(n *tree) { n.twin = value }))
		}
	}
	in.times(t, whole)
}

// nonsense are values of all types, none of which belongs anywhere.
var nonsense = []string{`null`, `true`, `7`, `-0.5`, `1e400`, `""`, `"\u0000"`, `[]`, `{}`, `[[[]]]`, `{"a":{"b":[null]}}`, `[{"id":"smuggled-in"}]`}

// spoil puts something else in one place of the body.
func (in Input) spoil(t testing.TB, whole *tree, path []string) {
	t.Helper()
	where := "/" + strings.Join(path, "/")
	put := func(value string) []byte { return whole.with(path, func(n *tree) { *n = tree{raw: value} }) }
	for _, value := range nonsense {
		body := put(value)
		got := in.try(t, where+" is "+value, body)
		for _, e := range got.Events {
			if in.RequestID == where && e.RequestID != "" && !in.made(e.RequestID) && e.RequestID != value && strconv.Quote(e.RequestID) != value {
				t.Errorf("%s is %s: the RequestId is %q", where, value, e.RequestID)
			}
		}
	}
	for _, number := range []string{"9007199254740993", "-9007199254740993", "18446744073709551617"} {
		rounded := []string{"9007199254740992", "18446744073709552000", "18446744073709551616", "1.8446744073709552e+19"}
		for _, e := range in.try(t, where+" is "+number, put(number)).Events {
			text, _ := json.Marshal(e)
			if slices.ContainsFunc(rounded, func(r string) bool { return bytes.Contains(text, []byte(r)) }) {
				t.Errorf("%s is %s: the number was rounded: %s", where, number, text)
			}
		}
	}
	deep := strings.Repeat("[", 1<<19) + strings.Repeat("]", 1<<19)
	in.refused(t, where+" is 1 MiB of nesting", put(deep))
	in.refused(t, where+" is not UTF-8", put("\"a\xc3\x28\""))
}

// times reads each documented form, and what is none.
func (in Input) times(t testing.TB, whole *tree) {
	t.Helper()
	if in.Time == "" {
		return
	}
	path := steps(in.Time)
	put := func(value string) []byte { return whole.with(path, func(n *tree) { *n = tree{raw: value} }) }
	for form, want := range in.Times {
		got := in.try(t, "the time "+form, put(form))
		if len(got.Events) == 0 || !got.Events[0].Time.Equal(want) {
			t.Errorf("the time %s: got %+v, want %s", form, got.Events, want)
		}
	}
	for _, value := range append([]string{
		`"yesterday"`, `"0000-00-00T00:00:00Z"`, `"2026-13-45T25:61:61Z"`, `"99999-01-01T00:00:00Z"`, `"2026-01-05"`, `"9999-12-31T23:59:59-01:00"`, `"0001-01-01T00:00:00+01:00"`, `-1`, `"-1"`, `1e30`, `"1e30"`, `"NaN"`,
		`99999999999999999999`, `"99999999999999999999.999999999"`, `"1767603600.123456789123456789"`, `"20261399T999999Z"`,
	}, nonsense...) {
		for _, e := range in.try(t, "the time "+value, put(value)).Events {
			if y := e.Time.Year(); y < 1 || y > 9999 {
				t.Errorf("the time %s: the event is of the year %d", value, y)
			}
		}
	}
}

// refused wants *Malformed.
func (in Input) refused(t testing.TB, what string, body []byte) {
	t.Helper()
	if _, err := in.receive(t, what, body); err == nil {
		t.Errorf("%s: was accepted", what)
	}
}

// try receives a body and looks at what holds for every event.
func (in Input) try(t testing.TB, what string, body []byte) connectors.Received {
	t.Helper()
	got, _ := in.receive(t, what, body)
	for _, e := range got.Events {
		if e.Kind == "" || e.Dedupe == "" {
			t.Errorf("%s: an event without kind or identity: %+v", what, e)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("%s: the event cannot be stored: %v", what, err)
		}
		for _, id := range []string{e.RequestID, e.Parent} {
			if id != "" && !in.made(id) && !bytes.Contains(body, []byte(id)) {
				t.Errorf("%s: the RequestId %q does not stand in the body", what, id)
			}
		}
	}
	return got
}

func (in Input) made(id string) bool {
	return slices.ContainsFunc(in.Made, func(prefix string) bool { return strings.HasPrefix(id, prefix) })
}

func (in Input) receive(t testing.TB, what string, body []byte) (got connectors.Received, err error) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			t.Errorf("%s: panic: %v\n%s", what, p, debug.Stack())
		}
	}()
	r := connectors.Request{Method: http.MethodPost, URL: &url.URL{Path: "/in/source"}, Header: in.Header.Clone(), Body: body, Time: Now}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	kind := in.Type
	if kind == "" {
		kind = "application/json"
	}
	r.Header.Set("Content-Type", kind)
	started := time.Now()
	got, err = in.Receiver.Receive(context.WithoutCancel(t.Context()), r)
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("%s: took %s", what, took)
	}
	if err == nil {
		return got, nil
	}
	if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
		t.Errorf("%s: got a %T, want *connectors.Malformed: %v", what, err, err)
	}
	if strings.Contains(err.Error(), "smuggled-in") || len(err.Error()) > 1000 {
		t.Errorf("%s: the refusal repeats the body: %.200s", what, err)
	}
	return got, err
}

func steps(pointer string) []string { return strings.Split(strings.TrimPrefix(pointer, "/"), "/") }
