package rt

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
	c := &connector{conf: Config{BaseURL: "https://rt"}}
	seven := connectors.Change{Ref: connectors.Ref{ID: "7", Key: "#7", URL: "https://rt/Ticket/Display.html?id=7"}, ID: "7/42"}
	unnamed := seven
	unnamed.ID = ""
	for _, tc := range []struct {
		name, body string
		want       *connectors.Change
	}{
		{"numbers", `{"ticket":7,"transaction":42}`, &seven},
		{"texts", `{"ticket":"7","transaction":"42"}`, &seven},
		{"no transaction", `{"ticket":7}`, &unnamed},
		{"a transaction that is none", `{"ticket":7,"transaction":"../x"}`, &unnamed},
		{"no ticket", `{"transaction":42}`, nil},
		{"a ticket that is none", `{"ticket":"7/../8"}`, nil},
		{"zero", `{"ticket":0}`, nil},
		{"two objects", `{"ticket":7}{}`, nil},
		{"no JSON", `ticket=7`, nil},
		{"too large", `{"ticket":7,"x":"` + strings.Repeat("x", connectors.MaxNotice) + `"}`, nil},
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
	if _, err := c.Receive(t.Context(), connectors.Request{Body: []byte(`{"ticket":7}`)}); err == nil {
		t.Error("a body without a type was taken")
	}
}

func FuzzReceive(f *testing.F) {
	for _, seed := range []string{`{"ticket":7,"transaction":42}`, `{"ticket":null}`, `[]`, `{`} {
		f.Add([]byte(seed))
	}
	c := &connector{conf: Config{BaseURL: "https://rt"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := c.Receive(t.Context(), notice(string(body)))
		if err == nil && (len(got.Changes) != 1 || !ticketID.MatchString(got.Changes[0].Ref.ID)) {
			t.Errorf("%q became %+v", body, got)
		}
	})
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	conf := &Config{BaseURL: "http://rt.example.com/REST/2.0", Queues: []string{"a/b"}, KeyField: "x}' = 'y", Overlap: -1}
	_, err := conf.Open(connectortest.Env(t))
	if err == nil {
		t.Fatal("want faults")
	}
	for _, want := range []string{"base_url must be https", "user is the login", "auth needs exactly one", `"a/b" is no queue's name`, "key_field has", "overlap lies"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if _, err := (&Config{BaseURL: "https://rt.example.com", User: "u", Auth: Auth{Token: connectors.SecretValue("1-2-3")}}).Open(connectortest.Env(t)); err != nil {
		t.Error(err)
	}
}

func TestOpenTicketsAreLookedForAHundredAtATime(t *testing.T) {
	t.Parallel()
	var open []connectors.Ref
	for i := 250; i > 0; i-- {
		open = append(open, connectors.Ref{ID: strconv.Itoa(i)}, connectors.Ref{ID: "x"})
	}
	seen, after := map[string]int{}, ""
	for range 4 {
		ids := round(open, after)
		for _, id := range ids {
			seen[id]++
		}
		after = ids[len(ids)-1]
	}
	if len(seen) != 250 || seen["1"] != 2 || seen["250"] != 1 || seen["x"] != 0 {
		t.Errorf("after four rounds %d were seen, 1 %d times, 250 %d times", len(seen), seen["1"], seen["250"])
	}
	if got := round(open[:6], "249"); !cmp.Equal(got, []string{"248", "249", "250"}) {
		t.Errorf("of a few: %v", got)
	}
}

func TestSubjectFitsInBytes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"a\nb", "a b"},
		{strings.Repeat("x", 200), strings.Repeat("x", 200)},
		{strings.Repeat("x", 201), strings.Repeat("x", 197) + "…"},
		{strings.Repeat("é", 101), strings.Repeat("é", 98) + "…"},
	} {
		if got := subject(tc.in); got != tc.want {
			t.Errorf("subject(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestSearchesAreToldHowLongAgo(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   time.Duration
		want string
	}{
		{-time.Hour, "1 hours ago"},
		{0, "1 hours ago"},
		{2*time.Hour + time.Minute, "3 hours ago"},
		{999 * time.Hour, "42 days ago"},
		{998 * 24 * time.Hour, "999 days ago"},
		{999 * 24 * time.Hour, ""},
	} {
		if got := longAgo(tc.in); got != tc.want {
			t.Errorf("longAgo(%s) = %q, want %q", tc.in, got, tc.want)
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
