package elimity

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/elimity/elimitystandin"
)

// stage is a connector on a stand-in whose webhooks arrive at the connector.
type stage struct {
	*elimitystandin.Server
	k      connectors.Connector
	url    string
	now    time.Time
	events chan connectors.Event
}

func newStage(t *testing.T, o elimitystandin.Options, settings string) *stage {
	t.Helper()
	x := &stage{now: connectortest.Now, events: make(chan connectors.Event, 32)}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		receiver, _ := connectors.AsReceiver(x.k)
		got, err := receiver.Receive(r.Context(), connectors.Request{Method: r.Method, Header: r.Header, Body: body})
		if err != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		for _, e := range got.Events {
			x.events <- e
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(hook.Close)
	o.HookURL, o.TokenSecret, o.JournalToken = hook.URL, "canary-secret", "canary-token"
	o.Now = func() time.Time { x.now = x.now.Add(time.Second); return x.now }
	x.Server = elimitystandin.New(o)
	server := httptest.NewServer(x.Server)
	t.Cleanup(server.Close)
	x.url = server.URL
	x.k = mustOpen(t, "base_url: "+server.URL+"\n"+settings)
	return x
}

// asked sends what is queued and returns the decisions that approve what arrived, a review's own left out.
func (x *stage) asked(t *testing.T) []connectors.Decision {
	t.Helper()
	if _, err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var decisions []connectors.Decision
	for len(x.events) > 0 {
		e := <-x.events
		effect, ok := e.Data["effect"].(string)
		if !ok {
			continue
		}
		x.now = x.now.Add(time.Second)
		decisions = append(decisions, connectors.Decision{
			Kind: e.Kind, RequestID: e.RequestID, IDs: map[string]string{"effect": effect}, Outcome: connectors.Approved,
			By: connectors.Person{Name: "Lee"}, At: x.now, Reason: "fine", Ticket: connectors.Ref{ID: "10042", Key: "ITSEC-42"},
		})
	}
	return decisions
}

func (x *stage) outcome(t *testing.T, d connectors.Decision) connectors.Outcome {
	t.Helper()
	found, err := poll(t, x.k, d)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return connectors.Pending
	}
	if found[0].Time.IsZero() {
		t.Errorf("found %+v", found[0])
	}
	return connectors.Approved
}

func poll(t *testing.T, k connectors.Connector, d connectors.Decision) ([]connectors.Event, error) {
	t.Helper()
	poller, _, ok := connectors.AsPoller(k)
	if !ok {
		t.Fatal("it cannot be polled")
	}
	return poller.Poll(t.Context(), []connectors.Decision{d})
}

func (x *stage) reload(t *testing.T, ids ...int64) {
	t.Helper()
	for _, id := range ids {
		if err := x.Reload(id); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPollTellsWhetherAChangeHasTakenEffect(t *testing.T) {
	t.Parallel()
	cem := elimitystandin.Entity{ID: "u-7", Name: "Cem", SourceID: 4, SourceName: "HR", Type: "person"}
	for _, directed := range []bool{false, true} {
		for _, tt := range []struct {
			name string
			ask  func(*elimitystandin.Server) int
			done bool // already before it is carried out
		}{
			{"entity removal", func(s *elimitystandin.Server) int { return s.RemoveEntity("lee@corp.example", "", elimitystandin.Bo) }, false},
			{"entity that is gone", func(s *elimitystandin.Server) int { return s.RemoveEntity("lee@corp.example", "", cem) }, true},
			{"relationship removal", func(s *elimitystandin.Server) int {
				return s.RemoveRelationship("lee@corp.example", "", elimitystandin.Ana, elimitystandin.Admin)
			}, false},
			{"relationship removal, written the other way round", func(s *elimitystandin.Server) int {
				return s.RemoveRelationship("lee@corp.example", "", elimitystandin.Admin, elimitystandin.Ana)
			}, false},
			{"attribute", func(s *elimitystandin.Server) int {
				return s.AssignText("lee@corp.example", "", elimitystandin.Ana, "department", "Department", "Finance")
			}, false},
			{"attribute without a value", func(s *elimitystandin.Server) int {
				return s.Assign("lee@corp.example", "", elimitystandin.Ana, "department", "Department", "string", "Sales", nil, nil)
			}, false},
			{"review", func(s *elimitystandin.Server) int {
				return s.SubmitReview(elimitystandin.Review{By: "lee@corp.example", Changes: []elimitystandin.RelationshipChange{
					{Operation: "add", Row: elimitystandin.Bo, Column: elimitystandin.Clerk}, {Operation: "remove", Row: elimitystandin.Ana, Column: elimitystandin.Admin},
				}, Removals: []elimitystandin.RowRemoval{{Entity: elimitystandin.Bo}}})
			}, false},
		} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				x := newStage(t, elimitystandin.Options{Directed: directed}, checkSettings)
				n := tt.ask(x.Server)
				decisions := x.asked(t)
				if tt.name == "review" { // Bo goes, so the link to Bo cannot come
					decisions = decisions[1:]
				}
				if len(decisions) == 0 {
					t.Fatal("nothing was asked")
				}
				all := func(when string, want connectors.Outcome) {
					for _, d := range decisions {
						if got := x.outcome(t, d); got != want {
							t.Errorf("%s: %q, want %q", when, got, want)
						}
					}
				}
				all("before", connectors.Pending)
				x.reload(t, 4, 5)
				if tt.done {
					all("reloaded", connectors.Approved)
					return
				}
				all("reloaded, but not carried out", connectors.Pending)
				if err := x.CarryOut(n); err != nil {
					t.Fatal(err)
				}
				all("carried out, but not reloaded", connectors.Pending)
				x.reload(t, 4, 5)
				all("carried out and reloaded", connectors.Approved)
			})
		}
	}
}

func TestAnInactiveEntityCountsAsRemoved(t *testing.T) {
	t.Parallel()
	x := newStage(t, elimitystandin.Options{}, checkSettings)
	x.RemoveEntity("lee@corp.example", "", elimitystandin.Bo)
	d := x.asked(t)[0]
	x.Deactivate(elimitystandin.Bo)
	x.reload(t, 4)
	if got := x.outcome(t, d); got != connectors.Approved {
		t.Errorf("got %q", got)
	}
}

func TestALinkBetweenSourcesNeedsBothReloaded(t *testing.T) {
	t.Parallel()
	x := newStage(t, elimitystandin.Options{}, checkSettings)
	n := x.RemoveRelationship("lee@corp.example", "", elimitystandin.Ana, elimitystandin.Admin)
	d := x.asked(t)[0]
	if err := x.CarryOut(n); err != nil {
		t.Fatal(err)
	}
	x.reload(t, 4)
	if got := x.outcome(t, d); got != connectors.Pending {
		t.Errorf("one source reloaded: %q", got)
	}
	x.reload(t, 5)
	if got := x.outcome(t, d); got != connectors.Approved {
		t.Errorf("both reloaded: %q", got)
	}
}

func TestValuesAreComparedByTheirType(t *testing.T) {
	t.Parallel()
	n := func(text string) json.Number { return json.Number(text) }
	for _, tt := range []struct {
		kind        string
		requested   any
		found       string
		same, known bool
	}{
		{"string", "Finance", "Finance", true, true}, {"string", "Finance", "finance", false, true}, {"string", n("1"), "1", false, false},
		{"boolean", true, "true", true, true}, {"boolean", false, "true", false, true}, {"boolean", "true", "true", false, false},
		{"number", n("24"), "24", true, true}, {"number", n("24.0"), "24", true, true}, {"number", n("24"), "25", false, true},
		{"number", n("9007199254740993"), "9007199254740992", false, true}, {"number", "24", "24", false, false}, {"number", n("24"), "x", false, false},
		{"date", "2026-02-01", "2026-02-01", true, true}, {"date", map[string]any{"year": n("2026"), "month": n("2"), "day": n("1")}, "2026-02-01", true, true},
		{"date", map[string]any{"year": n("2026"), "month": n("2"), "day": n("2")}, "2026-02-01", false, true}, {"date", map[string]any{}, "2026-02-01", false, false},
		{"date", map[string]any{"year": n("1e9")}, "2026-02-01", false, false}, {"date", "01.02.2026", "2026-02-01", false, false}, {"date", n("5"), "2026-02-01", false, false},
		{"dateTime", "2026-02-01T10:00:00+01:00", "2026-02-01T09:00:00Z", true, true},
		{"dateTime", map[string]any{"year": n("2026"), "month": n("2"), "day": n("1"), "hour": n("9"), "minute": n("0"), "second": n("0")}, "2026-02-01T09:00:00Z", true, true},
		{"time", "09:30:00", "09:30:00Z", true, true}, {"time", "10:30:00+01:00", "09:30:00", true, true},
		{"time", map[string]any{"hour": n("9"), "minute": n("30"), "second": n("0")}, "09:30:00Z", true, true}, {"time", "09:30:00", "09:31:00", false, true},
		{"color", "red", "red", false, false},
	} {
		if same, known := sameValue(tt.kind, tt.requested, tt.found); same != tt.same || known != tt.known {
			t.Errorf("%s %v and %q: %v, %v, want %v, %v", tt.kind, tt.requested, tt.found, same, known, tt.same, tt.known)
		}
	}
}

func TestPollSaysWhatItCannotTell(t *testing.T) {
	t.Parallel()
	const removal = `{"do":"remove","entity":{"source":4,"type":"person","id":"u-2"}}`
	x := newStage(t, elimitystandin.Options{}, checkSettings)
	ask := func(k connectors.Connector, effect string) error {
		_, err := poll(t, k, connectors.Decision{RequestID: "elm-1", IDs: map[string]string{"effect": effect}, Outcome: connectors.Approved})
		return err
	}
	for _, tt := range []struct{ name, effect, words string }{
		{"nonsense", "{", "does not say what was changed"},
		{"something else", `{"do":"merge","entity":{"source":4,"type":"person","id":"u-2"}}`, "does not say what was changed"},
		{"half a link", `{"do":"link","entity":{"source":4,"type":"person","id":"u-2"}}`, "does not say what was changed"},
		{"a source that is no whole number", strings.Replace(removal, "4", "4.5", 1), "no whole number"},
		{"a source the token may not see", strings.Replace(removal, "4", "77", 1), "source 77"},
		{"a value that cannot be compared", `{"do":"assign","entity":{"source":4,"type":"person","id":"u-1"},"attribute":"department","value_type":"string","value":5}`, "cannot be compared"},
	} {
		err := ask(x.k, tt.effect)
		if err == nil || connectors.AsError(err).Kind != connectors.Permanent || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	other := mustOpen(t, "base_url: "+x.url+"\ncheck: {token_id: bridge, token_secret: {value: canary-secret}, condition: idIn}")
	if err := ask(other, removal); err == nil || !strings.Contains(err.Error(), "settings.check.condition") {
		t.Errorf("a condition the server does not know: %v", err)
	}
}

func TestAnswersThatAreNotToTheQuestionAreErrors(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		`[]`, `[{}]`, `[{"results":[]},{"results":[]}]`, `{}`, `[{"results":[{"entity":{"active":false,"id":"u-9"}}]}]`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodGet {
				_, _ = w.Write([]byte(`[{"id":4,"lastReloadTimestamp":"2026-05-04T03:02:01+07:00"}]`))
				return
			}
			_, _ = w.Write([]byte(answer))
		}))
		k := mustOpen(t, "base_url: "+server.URL+"\n"+checkSettings)
		found, err := poll(t, k, connectors.Decision{IDs: map[string]string{"effect": `{"do":"remove","entity":{"source":4,"type":"person","id":"u-2"}}`}})
		if err == nil {
			t.Errorf("%s: got %+v, want an error", answer, found)
		}
		server.Close()
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	if err := mustOpen(t, "base_url: http://127.0.0.1:1").Ping(t.Context()); err != nil {
		t.Errorf("with nothing to ask: %v", err)
	}
	x := newStage(t, elimitystandin.Options{}, journalSettings+checkSettings)
	if err := x.k.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct{ settings, words string }{
		{"journal: {source_id: 90, token: {value: canary-other}}", "settings.journal"},
		{"journal: {source_id: 4, token: {value: canary-token}}", "settings.journal"},
		{"check: {token_id: other, token_secret: {value: canary-secret}}", "settings.check"},
	} {
		k := mustOpen(t, "base_url: "+x.url+"\n"+tt.settings)
		err := k.Ping(t.Context())
		if err == nil || connectors.AsError(err).Kind != connectors.Unwell || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", tt.settings, err)
		}
	}
	k := mustOpen(t, "base_url: "+x.url+"/elsewhere\n"+checkSettings)
	if err := k.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "settings.base_url") {
		t.Errorf("a wrong address: %v", err)
	}
}
