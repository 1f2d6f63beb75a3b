package slack

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/slack/slackstandin"
)

// world is a connector in front of a stand-in.
type world struct {
	*connector
	slack *slackstandin.Server
	tape  *connectortest.Tape
	time  *connectortest.Clock
}

func newWorld(t testing.TB, o slackstandin.Options) *world {
	t.Helper()
	w := &world{time: connectortest.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))}
	o.Now, o.Token, o.SigningSecret, o.Address = w.time.Now, connectortest.Canary, connectortest.Canary, "https://bridge.example.com/in/slack"
	o.People = append(o.People, slackstandin.Person{ID: "U0KIM", Name: "Kim", Mail: "kim@corp.example"})
	w.slack = slackstandin.New(o)
	w.tape = &connectortest.Tape{Next: w.slack}
	w.connector = open(t, w.tape, w.time)
	return w
}

// open builds a connector against a handler.
func open(t testing.TB, handler http.Handler, at *connectortest.Clock) *connector {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := (&Config{BaseURL: server.URL, Team: "T0CORP", App: "A0BRIDGE", Token: connectors.SecretValue(connectortest.Canary)}).Open(connectortest.EnvAt(t, at))
	if err != nil {
		t.Fatal(err)
	}
	return c.(*connector)
}

// ticket is a request as a rule would put it.
func ticket() connectors.Ticket {
	return connectors.Ticket{
		Project: "C0SEC", Type: "ask", Summary: "Ana asks to run\n<Setup> Tool", Description: "**Reason:** I need <!channel> & [docs](https://corp.example/a?b=1&c=2)\n\n- `CORP\\ana` on PC-1",
		Priority: "High", Fields: map[string]any{"durations": []any{"1h", "once"}, "reason": "Why"},
	}
}

func (w *world) create(t testing.TB, key string) connectors.Ref {
	t.Helper()
	ref, err := w.Create(t.Context(), key, ticket())
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return ref
}

// click is a click as our connector receives it.
func (w *world) click(t testing.TB, c slackstandin.Click) connectors.Request {
	t.Helper()
	r, err := w.slack.Request(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, r.ContentLength)
	if _, err := r.Body.Read(body); err != nil {
		t.Fatal(err)
	}
	return connectors.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body, Time: w.time.Now()}
}

// votes receives a click.
func (w *world) votesOf(t testing.TB, c slackstandin.Click) []connectors.Vote {
	t.Helper()
	got, err := w.Receive(t.Context(), w.click(t, c))
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	if answer := got.Reply(connectors.CaseState{}); answer.Status != http.StatusOK || len(answer.Body) > 0 {
		t.Errorf("a click is answered %+v", answer)
	}
	return got.Votes
}
