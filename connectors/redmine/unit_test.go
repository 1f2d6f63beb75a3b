package redmine

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func notice(body string) connectors.Request {
	return connectors.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	c := &connector{conf: Config{BaseURL: "https://r"}}
	seven := connectors.Change{Ref: connectors.Ref{ID: "7", Key: "#7", URL: "https://r/issues/7"}, ID: "7/42"}
	unnamed := seven
	unnamed.ID = ""
	for _, tc := range []struct {
		name, body string
		want       *connectors.Change
	}{
		{"whole", `{"issue":7,"journal":42}`, &seven},
		{"no journal", `{"issue":7}`, &unnamed},
		{"no issue", `{"journal":42}`, nil},
		{"an issue that is none", `{"issue":"7/../8"}`, nil},
		{"less than none", `{"issue":-7}`, nil},
		{"two objects", `{"issue":7}{}`, nil},
		{"no JSON", `issue=7`, nil},
		{"too large", `{"issue":7,"x":"` + strings.Repeat("x", connectors.MaxNotice) + `"}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Receive(t.Context(), notice(tc.body))
			if tc.want == nil {
				if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
					t.Errorf("got %v, want it refused", err)
				}
				return
			}
			if d := cmp.Diff([]connectors.Change{*tc.want}, got.Changes); err != nil || d != "" {
				t.Errorf("%v (-want +got):\n%s", err, d)
			}
		})
	}
	if _, err := c.Receive(t.Context(), connectors.Request{Body: []byte(`{"issue":7}`)}); err == nil {
		t.Error("a body without a type was taken")
	}
}

func FuzzReceive(f *testing.F) {
	for _, seed := range []string{`{"issue":7,"journal":42}`, `{"issue":null}`, `[]`, `{`} {
		f.Add([]byte(seed))
	}
	c := &connector{conf: Config{BaseURL: "https://r"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := c.Receive(t.Context(), notice(string(body)))
		if err == nil && (len(got.Changes) != 1 || got.Changes[0].Ref.ID == "") {
			t.Errorf("%q became %+v", body, got)
		}
	})
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := (&Config{BaseURL: "http://redmine.example.com", Projects: []string{"A B"}, KeyField: "a\nb", Overlap: -1}).Open(connectortest.Env(t))
	if err == nil {
		t.Fatal("want faults")
	}
	for _, want := range []string{"base_url must be https", "auth needs exactly one", `"A B" is not a project's identifier`, "key_field is the name", "overlap lies"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if _, err := (&Config{BaseURL: "https://redmine.example.com", Auth: Auth{Key: connectors.SecretValue("k")}}).Open(connectortest.Env(t)); err == nil || err.Error() != "projects is missing" {
		t.Errorf("got %v, want the projects missed", err)
	}
}

func TestOpenTicketsAreLookedForAHundredAtATime(t *testing.T) {
	t.Parallel()
	var open []connectors.Ref
	for i := 250; i > 0; i-- {
		open = append(open, connectors.Ref{ID: strconv.Itoa(i)}, connectors.Ref{ID: "x"})
	}
	seen, after := map[int64]int{}, int64(0)
	for range 4 {
		ids := round(open, after)
		for _, id := range ids {
			seen[id]++
		}
		after = ids[len(ids)-1]
	}
	if len(seen) != 250 || seen[1] != 2 || seen[250] != 1 {
		t.Errorf("after four rounds %d were seen, 1 %d times, 250 %d times", len(seen), seen[1], seen[250])
	}
}

func TestAKeyIsTheLastLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"words\r\n\r\ndrawbridge:k1\r\n": "k1",
		"drawbridge:k1":                  "k1",
		"drawbridge:k1\nmore":            "",
		"see drawbridge:k1":              "",
		"drawbridge:k1 k2":               "",
		"":                               "",
	} {
		if got := lastLine(text, mark); got != want {
			t.Errorf("lastLine(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestAChangeGetsItsLastIDWhenItsSecondIsOver(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	first, second := changeID("7", at, at.Add(time.Second)), changeID("7", at, at.Add(2*time.Second))
	late, later := changeID("7", at, at.Add(settle)), changeID("7", at, at.Add(time.Hour))
	if first == second || second == late || late != later {
		t.Errorf("ids %s, %s, %s, %s", first, second, late, later)
	}
}
