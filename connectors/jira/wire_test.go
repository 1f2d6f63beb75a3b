package jira

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func TestRequestBodies(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{cloud, dataCenter} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{jira: jirastandin.Options{DataCenter: kind == dataCenter}})
			if _, err := w.account(t.Context()); err != nil {
				t.Fatal(err)
			}
			ticket, approver := request(), "acc-lee"
			if kind == dataCenter {
				ticket.Fields["customfield_10080"], approver = "kim", "lee"
			}
			var ref connectors.Ref
			for _, step := range []struct {
				name string
				do   func() error
			}{
				{"create", func() (err error) { ref, err = w.Create(t.Context(), "k1", ticket); return err }},
				{"find", func() error { _, err := w.Find(t.Context(), "k1"); return err }},
				{"update", func() error {
					return w.Update(t.Context(), ref, connectors.Ticket{
						Summary: "new", Description: "now `x`", Labels: []string{"more"}, Fields: map[string]any{"customfield_10080": approver},
					})
				}},
				{"comment", func() error {
					return w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**Refused:** {code}"})
				}},
				{"transition", func() error { return w.Transition(t.Context(), ref, connectors.Move{Status: "Done"}) }},
				{"watch", func() error {
					_, cursor, err := w.Watch(t.Context(), "", nil)
					if err != nil {
						return err
					}
					w.time.Advance(time.Hour)
					_, _, err = w.Watch(t.Context(), cursor, []connectors.Ref{ref})
					return err
				}},
				{"ping", func() error { w.conf.Projects = []string{"ITSEC", "DESK"}; return w.Ping(t.Context()) }},
				{"describe", func() error {
					_, err := w.Describe(t.Context(), connectors.Place{Project: "DESK", Type: "Service Request"})
					return err
				}},
				{"attach", func() error {
					return w.Attach(t.Context(), ref, connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")})
				}},
				{"fetch", func() error { _, err := w.Fetch(t.Context(), ref); return err }},
				{"groups", func() error { _, err := w.Groups(t.Context(), w.kim()); return err }},
				{"people", func() error { _, _, err := w.People(t.Context(), ""); return err }},
			} {
				w.tape.take()
				if err := step.do(); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				connectortest.GoldenJSON(t, filepath.Join("testdata", kind+"-"+step.name+".json"), w.tape.take())
			}
		})
	}
}

func TestRequestBodiesAtAServiceDesk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	if _, err := w.account(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.tape.take()
	ref, err := w.Create(t.Context(), "k1", connectors.Ticket{
		Project: "DESK", Type: "Service Request", Summary: "s", Fields: map[string]any{"customfield_10010": "Get access"},
	})
	if err != nil {
		t.Fatal(err)
	}
	connectortest.GoldenJSON(t, filepath.Join("testdata", "desk-create.json"), w.tape.take())
	if err := w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**Refused:** {code}"}); err != nil {
		t.Fatal(err)
	}
	connectortest.GoldenJSON(t, filepath.Join("testdata", "desk-comment.json"), w.tape.take())
	if _, err := w.Fetch(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	connectortest.GoldenJSON(t, filepath.Join("testdata", "desk-fetch.json"), w.tape.take())
}

func TestRequestBodiesBehindTheGateway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, consented())
	s := subscriber{w.connector}
	look := func(name, notices string) {
		t.Helper()
		if _, err := s.Subscribe(t.Context(), notices); err != nil {
			t.Fatal(err)
		}
		connectortest.GoldenJSON(t, filepath.Join("testdata", name), w.tape.take()[1:]) // the first asks for an access token
	}
	look("gateway-register.json", "https://bridge.example/in/jira")
	w.time.Advance(20 * 24 * time.Hour)
	look("gateway-extend.json", "https://bridge.example/in/jira")
	w.time.Advance(2 * time.Hour)
	look("gateway-replace.json", "https://moved.example/in/jira")
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	connectortest.GoldenJSON(t, filepath.Join("testdata", "gateway-ping.json"), w.tape.take())
}

func TestTheContextPathIsKept(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/ex/jira/1-2-3", "/jira/"} {
		tape := &tape{next: answers{"GET " + strings.TrimSuffix(path, "/") + "/rest/api/3/myself": `{"accountId":"a","timeZone":"UTC"}`}}
		c := open(t, tape, newClock(), func(c *Config) { c.BaseURL += path })
		if _, err := c.account(t.Context()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestValuesAreShapedByTheirField(t *testing.T) {
	t.Parallel()
	c := &connector{conf: Config{Deployment: cloud}}
	for _, tc := range []struct {
		name   string
		schema fieldSchema
		value  any
		want   string
	}{
		{"unknown field", fieldSchema{}, "x", `"x"`},
		{"one line", fieldSchema{Type: "string", Custom: "a:textfield"}, "a\nb", `"a b"`},
		{"option", fieldSchema{Type: "option"}, "High", `{"value":"High"}`},
		{"options", fieldSchema{Type: "array", Items: "option"}, []any{"a", "b"}, `[{"value":"a"},{"value":"b"}]`},
		{"one of many", fieldSchema{Type: "array", Items: "user"}, "acc", `[{"accountId":"acc"}]`},
		{"texts", fieldSchema{Type: "array", Items: "string"}, []string{"a"}, `["a"]`},
		{"person", fieldSchema{Type: "user"}, "acc", `{"accountId":"acc"}`},
		{"priority named like a number", fieldSchema{Type: "priority"}, "1", `{"name":"1"}`},
		{"number as text", fieldSchema{Type: "number"}, "1.5", `1.5`},
		{"number", fieldSchema{Type: "number"}, 2.0, `2`},
		{"own shape", fieldSchema{Type: "option"}, map[string]any{"id": "1"}, `{"id":"1"}`},
		{"cleared", fieldSchema{Type: "option"}, nil, `null`},
		{
			"several lines are not read as markup", fieldSchema{Type: "string", Custom: "x:textarea"}, "*a*",
			`{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"*a*"}]}]}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(c.value(tc.schema, tc.value))
			if err != nil || string(got) != tc.want {
				t.Errorf("value = %s, %v, want %s", got, err, tc.want)
			}
		})
	}
}

func TestValuesAreReadAsWhatPeopleSee(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, raw, want string }{
		{"text", `"a"`, `"a"`},
		{"number", `3`, `3`},
		{"option", `{"self":"x","id":"1","value":"High"}`, `"High"`},
		{"cascading option", `{"value":"EMEA","child":{"value":"Berlin"}}`, `"EMEA - Berlin"`},
		{"person", `{"accountId":"a","displayName":"Ana"}`, `"Ana"`},
		{"named thing", `{"id":"1","name":"High"}`, `"High"`},
		{"list", `[{"value":"a"},{"name":"b"},"c"]`, `["a","b","c"]`},
		{"other object", `{"progress":0}`, `{"progress":0}`},
		{
			"document", `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"a"},{"type":"hardBreak"},` +
				`{"type":"mention","attrs":{"text":"@Ana"}}]},{"type":"bulletList","content":[{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"b"}]}]}]}]}`,
			`"a\n@Ana\nb"`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(simple(json.RawMessage(tc.raw)))
			if err != nil || string(got) != tc.want {
				t.Errorf("simple = %s, %v, want %s", got, err, tc.want)
			}
		})
	}
}

func TestHistoryIsOrderedAndSaysStatusOnlyOfTheStatus(t *testing.T) {
	t.Parallel()
	var histories []history
	if err := json.Unmarshal([]byte(`[
		{"id":"12","created":"2026-11-20T10:05:00.000+0100","author":{"accountId":"a"},"items":[{"field":"status","fieldtype":"jira","from":"1","fromString":"Open","to":"2","toString":"Approved"}]},
		{"id":"9","created":"2026-11-20T10:05:00.000+0100","items":[
			{"field":"status","fieldId":"customfield_1","fieldtype":"custom","fromString":"","toString":"Approved"},
			{"field":"status","fieldtype":"custom","to":"x"}]},
		{"id":"9","created":"2026-11-20T10:05:00.000+0100","items":[{"field":"status","fieldtype":"jira","toString":"twice"}]}]`), &histories); err != nil {
		t.Fatal(err)
	}
	got, err := steps(histories, self{user: user{AccountID: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 9, 5, 0, 0, time.UTC)
	want := []connectors.Step{
		{ID: "9/0", At: at, Field: "customfield_1", To: "Approved"},
		{ID: "9/1", At: at, Field: "custom.status", To: "x"},
		{ID: "12/0", At: at, Field: "status", From: "Open", To: "Approved", By: connectors.Account{Person: connectors.Person{Account: "a"}, Ours: true}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("steps (-want +got):\n%s", d)
	}
}

func TestAHistoryThatIsNotWholeIsAnError(t *testing.T) {
	t.Parallel()
	const account = `{"accountId":"a","name":"a","timeZone":"UTC"}`
	for _, tc := range []struct {
		name, deployment string
		jira             answers
		want             string
	}{
		{
			"Data Center cuts it", dataCenter,
			answers{"GET /rest/api/2/issue/7": `{"id":"7","key":"A-7","fields":{"status":{"id":"1"}},"changelog":{"total":2,"histories":[{"id":"1"}]}}`},
			"only a part",
		},
		{
			"Cloud ends early", cloud,
			answers{
				"GET /rest/api/3/issue/7":           `{"id":"7","key":"A-7","fields":{"status":{"id":"1"}}}`,
				"GET /rest/api/3/issue/7/changelog": `{"total":2,"values":[]}`,
			},
			"ends early",
		},
		{
			"it leads elsewhere", cloud,
			answers{
				"GET /rest/api/3/issue/7":           `{"id":"7","key":"A-7","fields":{"status":{"id":"2"}}}`,
				"GET /rest/api/3/issue/7/changelog": `{"total":1,"values":[{"id":"1","created":"2026-11-20T10:05:00.000+0000","items":[{"field":"status","fieldId":"status","to":"3"}]}]}`,
			},
			"does not lead to the status",
		},
		{
			"an entry has no time", cloud,
			answers{
				"GET /rest/api/3/issue/7":           `{"id":"7","key":"A-7","fields":{"status":{"id":"2"}}}`,
				"GET /rest/api/3/issue/7/changelog": `{"total":1,"values":[{"id":"1","items":[{"field":"status","fieldId":"status","to":"2"}]}]}`,
			},
			"no id or time",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.jira["GET /rest/api/2/myself"], tc.jira["GET /rest/api/3/myself"] = account, account
			c := open(t, tc.jira, newClock(), func(c *Config) { c.Deployment = tc.deployment })
			_, err := c.Fetch(t.Context(), connectors.Ref{ID: "7"})
			if err == nil || connectors.AsError(err).Kind != connectors.Temporary || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("fetch = %v, want temporary with %q", err, tc.want)
			}
		})
	}
}

func TestAnInternalNoteThatCameOutPublicIsTakenBack(t *testing.T) {
	t.Parallel()
	deleted := false
	jira := answers{
		"GET /rest/api/3/myself":           `{"accountId":"a","timeZone":"UTC"}`,
		"GET /rest/api/3/issue/7":          `{"id":"7","fields":{"project":{"key":"DESK","projectTypeKey":"service_desk"}}}`,
		"POST /rest/api/3/issue/7/comment": `{"id":"70","jsdPublic":true}`,
	}
	c := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && r.URL.Path == "/rest/api/3/issue/7/comment/70" {
			deleted = true
			w.WriteHeader(http.StatusNoContent)
			return
		}
		jira.ServeHTTP(w, r)
	}), newClock(), nil)
	err := c.Comment(t.Context(), connectors.Ref{ID: "7"}, connectors.Note{Body: "for us"})
	if err == nil || connectors.AsError(err).Kind != connectors.Permanent || !deleted {
		t.Errorf("comment = %v, deleted %v, want a refusal and the comment gone", err, deleted)
	}
}

func TestIDsThatWouldLeadElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	tape := &tape{next: answers{"GET /rest/api/3/myself": `{"accountId":"a"}`}}
	c := open(t, tape, newClock(), nil)
	for _, ref := range []connectors.Ref{{}, {ID: ".."}, {ID: "1/../2"}, {ID: "7?x=1"}, {Key: "A-1/comment"}} {
		if _, err := c.Fetch(t.Context(), ref); err == nil || connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("fetch %+v = %v, want permanent", ref, err)
		}
	}
	for _, one := range tape.take() {
		if one.Call != "GET /rest/api/3/myself" {
			t.Errorf("sent %s", one.Call)
		}
	}
	for _, key := range []string{"", "a b", `a"b`, "ä", strings.Repeat("x", 201)} {
		if _, err := c.Find(t.Context(), key); err == nil || connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("find %q = %v, want permanent", key, err)
		}
	}
}
