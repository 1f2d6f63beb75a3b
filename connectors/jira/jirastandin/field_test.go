package jirastandin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

// allKinds is a project whose one type has a field of every kind.
func allKinds() []jirastandin.Project {
	return []jirastandin.Project{{Key: "ALL", Name: "All kinds", Types: []jirastandin.Type{{
		Name: "Task",
		Fields: []jirastandin.Field{
			{ID: "customfield_1", Name: "Text", Kind: jirastandin.Text},
			{ID: "customfield_2", Name: "Area", Kind: jirastandin.TextArea},
			{ID: "customfield_3", Name: "Number", Kind: jirastandin.Number},
			{ID: "customfield_4", Name: "Select", Kind: jirastandin.Select, Options: []string{"a", "b"}},
			{ID: "customfield_5", Name: "Multi", Kind: jirastandin.MultiSelect, Options: []string{"a", "b"}},
			{ID: "customfield_6", Name: "User", Kind: jirastandin.UserPicker},
			{ID: "customfield_7", Name: "Date", Kind: jirastandin.Date},
			{ID: "customfield_8", Name: "Time", Kind: jirastandin.DateTime},
		},
		Workflow: jirastandin.Workflow{Statuses: []jirastandin.Status{{Name: "Open", Category: "new"}}},
	}}}}
}

func TestFieldKinds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, field, value string
		want               string // as text; "refused" when it is not accepted
	}{
		{"text", "customfield_1", `"a"`, "a"},
		{"empty text", "customfield_1", `""`, ""},
		{"area", "customfield_2", `"a\nb"`, "a\nb"},
		{"number", "customfield_3", `1.5`, "1.5"},
		{"number as text", "customfield_3", `"1.5"`, "refused"},
		{"option by value", "customfield_4", `{"value":"b"}`, "b"},
		{"option by id", "customfield_4", `{"id":"42"}`, "b"},
		{"option as text", "customfield_4", `"b"`, "refused"},
		{"options", "customfield_5", `[{"value":"a"},{"id":"52"}]`, "a,b"},
		{"no options", "customfield_5", `[]`, ""},
		{"unknown one of options", "customfield_5", `[{"value":"c"}]`, "refused"},
		{"options not in a list", "customfield_5", `{"value":"a"}`, "refused"},
		{"user", "customfield_6", `{"accountId":"acc-lee"}`, "Lee Santos"},
		{"user by name at Cloud", "customfield_6", `{"name":"lee"}`, "refused"},
		{"date", "customfield_7", `"2026-11-20"`, "2026-11-20"},
		{"date with a time", "customfield_7", `"2026-11-20T10:00:00Z"`, "refused"},
		{"time", "customfield_8", `"2026-11-20T10:00:00.000+0100"`, "2026-11-20T10:00:00.000+0100"},
		{"null", "customfield_8", `null`, ""},
	}
	d := start(t, jirastandin.Options{Projects: allKinds()})
	for _, tt := range tests {
		got := d.call("POST", "/rest/api/2/issue", `{"fields":{"project":{"key":"ALL"},"issuetype":{"name":"Task"},"summary":"a","`+tt.field+`":`+tt.value+`}}`, map[bool]int{true: 400, false: 201}[tt.want == "refused"])
		if tt.want == "refused" {
			if got.at("errors", tt.field) == nil {
				t.Errorf("%s: got %s", tt.name, got.raw)
			}
			continue
		}
		key := got.at("key").(string)
		if text := d.issue(key).Fields[tt.field]; text != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, text, tt.want)
		}
		d.call("GET", "/rest/api/3/issue/"+key, "", 200)
	}
}

func TestContradictoryOptionsPanic(t *testing.T) {
	t.Parallel()
	broken := allKinds()
	broken[0].Types[0].Workflow.Transitions = []jirastandin.Transition{{Name: "Go", To: "Nowhere"}}
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, `no status "Nowhere"`) {
			t.Errorf("got %q", text)
		}
	}()
	jirastandin.New(jirastandin.Options{Projects: broken})
}

// answerTo serves one call of the bridge without a network.
func answerTo(s *jirastandin.Server, method, path, body string) int {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth("bridge@example.test", "token")
	s.ServeHTTP(w, r)
	return w.Code
}

func FuzzSearch(f *testing.F) {
	for _, jql := range []string{`project = ITSEC`, `labels in ("a", 'b') AND updated >= -10m ORDER BY updated ASC, key DESC`, `issue not in (1)`, `labels = "\`, "ü = §"} {
		f.Add(jql)
	}
	s := jirastandin.New(jirastandin.Options{})
	f.Fuzz(func(t *testing.T, jql string) {
		body, err := json.Marshal(map[string]string{"jql": jql})
		if err != nil {
			t.Skip()
		}
		if got := answerTo(s, "POST", "/rest/api/3/search/jql", string(body)); got != http.StatusOK && got != http.StatusBadRequest {
			t.Errorf("%q: got %d", jql, got)
		}
	})
}

func FuzzCreate(f *testing.F) {
	f.Add(`{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"a"}]}]}`)
	f.Add(`{"type":"doc","version":1,"content":[{"type":"table","content":[{"type":"tableRow"}]}]}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, description string) {
		s := jirastandin.New(jirastandin.Options{})
		got := answerTo(s, "POST", "/rest/api/3/issue", `{"fields":{"project":{"key":"ITSEC"},"issuetype":{"name":"Task"},"summary":"a","description":`+description+`}}`)
		if got != http.StatusCreated && got != http.StatusBadRequest {
			t.Errorf("%q: got %d", description, got)
		}
		if got == http.StatusCreated {
			if page := answerTo(s, "GET", "/browse/ITSEC-1", ""); page != http.StatusOK {
				t.Errorf("%q: page got %d", description, page)
			}
		}
	})
}
