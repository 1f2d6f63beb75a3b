package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// event is the data of one event, as words: a=text, b=1, c={d=text}.
func dataOf(words string) map[string]any {
	data := map[string]any{}
	for word := range strings.FieldsSeq(words) {
		path, kind, _ := strings.Cut(word, "=")
		at := data
		for {
			first, rest, deeper := strings.Cut(path, ".")
			if !deeper {
				break
			}
			inner, ok := at[first].(map[string]any)
			if !ok {
				inner = map[string]any{}
				at[first] = inner
			}
			at, path = inner, rest
		}
		at[path] = map[string]any{"text": "x", "number": 1.5, "bool": true, "list": []any{}, "null": nil}[kind]
	}
	return data
}

func learned(times int, words string) shape {
	s := shape{}
	for range times {
		s, _ = s.learnAll([]map[string]any{dataOf(words)})
	}
	return s
}

func TestDriftsOfAShape(t *testing.T) {
	t.Parallel()
	const usual = "a=text b=number o.x=text o.y=bool"
	tests := []struct {
		name  string
		known shape
		next  []string // events, in their order
		want  []string
	}{
		{"nothing changes", learned(20, usual), []string{usual}, nil},
		{"a field is gone", learned(20, usual), []string{"b=number o.x=text o.y=bool"}, []string{"a gone"}},
		{"a field is null", learned(20, usual), []string{"a=null b=number o.x=text o.y=bool"}, []string{"a gone"}},
		{"too early to say", learned(19, usual), []string{"b=number o.x=text o.y=bool"}, nil},
		{"an optional field is gone again", learned(10, usual), append(strings.Split(strings.Repeat("b=number,", 40), ",")[:40], usual, "b=number"), nil},
		{"a type has changed", learned(20, usual), []string{"a=number b=number o.x=text o.y=bool"}, []string{"a text→number"}},
		{"a type that was of two kinds", learned(5, "a=text"), append([]string{"a=number"}, strings.Split(strings.Repeat("a=number ", 30), " ")[:30]...), nil},
		{"an object is gone, told once", learned(20, usual), []string{"a=text b=number"}, []string{"o gone"}},
		{"an object is a text", learned(20, usual), []string{"a=text b=number o=text"}, []string{"o object→text"}},
		{"inside of an object", learned(20, usual), []string{"a=text b=number o.x=text"}, []string{"o.y gone"}},
		{"gone and back", learned(20, usual), []string{"b=number o.x=text o.y=bool", usual}, []string{"a over"}},
		{"gone, back and gone again", learned(20, usual), []string{"b=number o.x=text o.y=bool", usual, "b=number o.x=text o.y=bool"}, []string{"a over"}},
		{"changed and back", learned(20, usual), []string{"a=number b=number o.x=text o.y=bool", usual}, []string{"a over"}},
		{"gone for long is told as gone", learned(20, usual), []string{"b=number o.x=text o.y=bool", "b=number o.x=text o.y=bool"}, []string{"a gone"}},
		{"a field is new", learned(20, usual), []string{usual + " n=text"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var events []map[string]any
			for _, words := range test.next {
				events = append(events, dataOf(words))
			}
			_, drifts := test.known.learnAll(events)
			var got []string
			for _, d := range drifts {
				switch {
				case d.over:
					got = append(got, d.path+" over")
				case d.is == "":
					got = append(got, d.path+" gone")
				default:
					got = append(got, d.path+" "+d.was+"→"+d.is)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("drifts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAShapeIsBounded(t *testing.T) {
	t.Parallel()
	wide := map[string]any{}
	for i := range 10_000 {
		wide[fmt.Sprint("field-", i)] = map[string]any{"a": map[string]any{"b": map[string]any{"c": map[string]any{}}}}
	}
	wide[strings.Repeat("x", 10_000)] = "y"
	s, _ := shape{}.learnAll([]map[string]any{wide, wide})
	if len(s) > shapeFields || len(mustJSON(s)) > 100_000 {
		t.Errorf("it has %d fields in %d bytes", len(s), len(mustJSON(s)))
	}
	for path := range s {
		if strings.Count(path, ".") >= shapeDepth {
			t.Errorf("it goes as deep as %s", path)
		}
	}
}

func TestObservingPassesOverWhatComesTooFast(t *testing.T) {
	t.Parallel()
	var o observations
	for i := range 1000 {
		o.observe(store.Event{Connection: "a"}, connectors.Event{Kind: fmt.Sprint(i)})
		o.observe(store.Event{Connection: "b"}, connectors.Event{Kind: "same"})
		o.observe(store.Event{Connection: "c"}, connectors.Event{Kind: "tested", Test: true})
	}
	taken := o.take()
	if len(taken) != observedKinds || len(taken[seenKind{"b", "same"}]) != observedEach || taken[seenKind{"c", "tested"}] != nil {
		t.Errorf("took %d kinds and %d of one", len(taken), len(taken[seenKind{"b", "same"}]))
	}
	if again := o.take(); len(again) != 0 {
		t.Errorf("took %d kinds again", len(again))
	}
}

func TestAMissingFieldRaisesANoticeOnceUntilItIsClosed(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	key := seenKind{"epm", "access.requested"}
	learn := func(times int, words string) {
		t.Helper()
		for range times {
			if err := g.learnShape(t.Context(), key, []map[string]any{dataOf(words)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	open := func() []NoticeView {
		t.Helper()
		list, err := g.Notices(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		return list.Notices
	}
	learn(25, "data.a=text data.b=text")
	if got := open(); len(got) != 0 {
		t.Fatalf("notices of what is as always: %+v", got)
	}
	learn(3, "data.b=text")
	got := open()
	if len(got) != 1 || got[0].Subject != "epm/access.requested/data.a" || got[0].Count != 3 || !strings.Contains(got[0].Text, "event.data.a was in every event") {
		t.Fatalf("notices are %+v, want one that counts three", got)
	}
	if records, err := g.store.RecordOfKind(t.Context(), "notice.raised"); err != nil || len(records) != 1 {
		t.Errorf("the record tells of it %d times, %v", len(records), err)
	}
	if _, err := g.CloseNotice(t.Context(), got[0].ID, "ana"); err != nil {
		t.Fatal(err)
	}
	learn(25, "data.b=text")
	if got := open(); len(got) != 0 {
		t.Errorf("it was closed, and yet there is %+v", got)
	}
	learn(1, "data.b=number")
	learn(1, "data.b=text")
	if got := open(); len(got) != 0 {
		t.Errorf("it was as always again, and yet there is %+v", got)
	}
	if all, err := g.Notices(t.Context(), true); err != nil || len(all.Notices) != 2 {
		t.Errorf("all notices are %+v, %v", all, err)
	}
}

func TestWhatLooksAsExpectedIsNotWritten(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	key := seenKind{"epm", "access.requested"}
	learn := func() store.Shape {
		t.Helper()
		if err := g.learnShape(t.Context(), key, []map[string]any{dataOf("a=text")}); err != nil {
			t.Fatal(err)
		}
		s, err := g.store.Shape(t.Context(), key.connection, key.kind)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var last store.Shape
	for range settledAfter {
		last = learn()
	}
	if again := learn(); !again.UpdatedAt.Equal(last.UpdatedAt) || string(again.Fields) != string(last.Fields) {
		t.Errorf("written again: %+v", again)
	}
}

// What connectors bring to the type they declare, and what is not in an event's data, is seen to change all the same.
func TestChangesOfTheBodyRaiseNotices(t *testing.T) {
	t.Parallel()
	const tool = `kind: Connection
name: tool
connector: webhook
settings:
  paths: {id: /id, kind: /event, request_id: /request/id, requester: {account: /request/user}, reason: /request/reason}
  kinds: {request.created: access.requested}
  data: {risk: {at: /request/risk, type: number}}
inbound:
  verify: {none: true}
`
	const findings = `kind: Connection
name: findings
connector: datatheorem
inbound:
  verify: {none: true}
`
	const wrapped = `kind: Connection
name: wrapped
connector: apono
settings: {way: none}
inbound:
  verify: {none: true}
`
	for _, tt := range []struct {
		connection, document, before, after string
		want                                []string
	}{
		{
			"tool", tool, `{"id":"%d","event":"request.created","request":{"id":"r-%[1]d","user":"ana","reason":"work","risk":1}}`,
			`{"id":"%d","event":"request.created","request":{"id":7%[1]d,"login":"ana","risk":1}}`,
			[]string{"raw.request.id", "raw.request.reason", "raw.request.user", "reason", "requester"},
		},
		{
			"findings", findings,
			`{"event":{"type":"API_SECURE__POLICY_VIOLATION_RESOLVED","version":1,"data":{"uuid":"v-%d","policy_violation_status":"RESOLVED","relevance":"IMPORTANT","policy_name":"Base"}},"time":1767603600}`,
			`{"event":{"type":"API_SECURE__POLICY_VIOLATION_RESOLVED","version":1,"data":{"uuid":"v-%d","policy_violation_status":{"value":"RESOLVED"},"relevance":["IMPORTANT"],"policy_name":7}},"time":1767603600}`,
			[]string{"raw.event.data.policy_name", "raw.event.data.policy_violation_status", "raw.event.data.relevance", "severity"},
		},
		{
			"wrapped", wrapped, `{"message":"{\"event_type\":\"RequestApproved\",\"event_time\":\"1696263300\",\"data\":{\"id\":\"AP%d\",\"status\":\"x\"}}"}`,
			`{"message":"{\"event_type\":\"RequestApproved\",\"event_time\":\"1696263300\",\"data\":{\"id\":\"AP%d\",\"status\":5}}"}`,
			[]string{"raw.message.data.status"},
		},
	} {
		t.Run(tt.connection, func(t *testing.T) {
			t.Parallel()
			g := newTimed(t, tt.document)
			send := func(from, to int, body string) {
				t.Helper()
				for i := from; i < to; i++ {
					r := connectors.Request{Method: http.MethodPost, URL: &url.URL{Path: "/in/" + tt.connection}, Body: fmt.Appendf(nil, body, i), Time: decidedAt, Header: http.Header{}}
					r.Header.Set("Content-Type", "application/json")
					if got, err := g.Accept(t.Context(), tt.connection, "", r); err != nil || got.Quarantined {
						t.Fatalf("%s: got %+v, %v", r.Body, got, err)
					}
				}
				for planned := 1; planned > 0; {
					var err error
					if planned, err = g.planSome(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				g.learnShapes(t.Context())
			}
			send(0, 25, tt.before)
			if list, err := g.Notices(t.Context(), false); err != nil || len(list.Notices) != 0 {
				t.Fatalf("notices of what is as always: %+v, %v", list, err)
			}
			send(25, 29, tt.after)
			list, err := g.Notices(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range list.Notices {
				if n.Kind == noticeShape {
					got = append(got, n.Subject[strings.LastIndexByte(n.Subject, '/')+1:])
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
		})
	}
}

// A body that cannot be read as it is shows its data, and is no change of what can.
func TestABodyThatCannotBeReadIsNoDrift(t *testing.T) {
	t.Parallel()
	s := learned(20, "raw.a=text reason=text")
	if _, drifts := s.learnAll([]map[string]any{dataOf("data.b=text reason=text"), dataOf("raw.a=text reason=text")}); len(drifts) != 0 {
		t.Errorf("got %+v", drifts)
	}
}
