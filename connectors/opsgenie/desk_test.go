package opsgenie

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	og "github.com/drawbridge-itsm/drawbridge/connectors/opsgenie/opsgeniestandin"
)

const kim, lee = "kim@corp.example", "lee@corp.example"

func TestRequestsAsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, og.Options{})
	var ref connectors.Ref
	var cursor connectors.Cursor
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"ping", func() error { return w.Ping(t.Context()) }},
		{"create", func() (err error) { ref, err = w.Create(t.Context(), "k1", request()); return err }},
		{"find", func() error { _, err := w.Find(t.Context(), "k1"); return err }},
		{"update", func() error {
			return w.Update(t.Context(), ref, connectors.Ticket{Summary: "new", Description: "text", Priority: "P1", Labels: []string{"more"}, Fields: map[string]any{"department": "IT"}})
		}},
		{"comment", func() error {
			return w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**Refused:** not yours\n\n- one"})
		}},
		{"acknowledge", func() error { return w.Transition(t.Context(), ref, connectors.Move{Status: "Acknowledged"}) }},
		{"unacknowledge", func() error { return w.Transition(t.Context(), ref, connectors.Move{Status: "open"}) }},
		{"close", func() error { return w.Transition(t.Context(), ref, connectors.Move{Status: "closed"}) }},
		{"fetch", func() error { _, err := w.Fetch(t.Context(), ref); return err }},
		{"watch-begin", func() (err error) { _, cursor, err = w.Watch(t.Context(), "", nil); return err }},
		{"watch", func() error {
			_, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref, {ID: "gone"}})
			return err
		}},
	} {
		w.tape.Take()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		connectortest.Golden(t, step.name, w.tape.Take())
	}
	one, _ := w.desk.Alert(ref.ID)
	if one.Message != "new" || one.Priority != "P1" || one.Details["department"] != "IT" || one.Details["seats"] != "3" || !slices.Equal(one.Tags, []string{"epm", "a b", "more"}) ||
		!slices.Equal(one.Notes, []string{"Refused: not yours\n\n- one\n\ndrawbridge-note:n1"}) || !slices.Equal(one.Actions, []string{"Approve", "Deny"}) {
		t.Errorf("the alert is %+v", one)
	}
}

func TestTheOutcomeIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, og.Options{Slow: 3})
	ref := w.create(t, "k1")
	connectortest.Must(t, w.desk.Move(ref.ID, kim, "web", "close", ""))
	if err := w.Transition(t.Context(), ref, connectors.Move{Status: "open"}); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a closed alert was opened: %v", err)
	}
	connectortest.Must(t, w.desk.Delete(ref.ID))
	if err := w.Comment(t.Context(), ref, connectors.Note{Body: "x"}); !errors.Is(err, connectors.ErrNotFound) || connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("comment on an alert that is gone = %v", err)
	}

	never := newWorld(t, og.Options{Slow: 1 << 30})
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	_, err := never.Create(ctx, "k1", request())
	if e := connectors.AsError(err); err == nil || e.Kind != connectors.Temporary || !e.Sent {
		t.Errorf("create = %v, want it in doubt", err)
	}
	if got := never.find(t, "k1"); len(got) != 1 {
		t.Errorf("found %v", got)
	}
}

func TestACreateWhoseAnswerWasLostLeavesOneAlert(t *testing.T) {
	t.Parallel()
	for _, cut := range []string{"create", "outcome"} {
		for _, lag := range []time.Duration{0, time.Minute} {
			w := newWorld(t, og.Options{Lag: lag, Hidden: lag})
			ticket := request()
			action := connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &ticket}
			if cut == "create" {
				w.desk.Faults.CutNext(cut)
			} else { // a question that is lost Go's client asks again by itself
				w.desk.Faults.FailOn(cut, 1, http.StatusBadGateway, nil)
			}
			if _, err := connectors.Do(t.Context(), w.connector, action); err == nil || !connectors.AsError(err).Sent {
				t.Fatalf("%s: %v, want the create in doubt", cut, err)
			}
			w.desk.Faults.Heal()
			done, err := connectors.Do(t.Context(), w.connector, action)
			connectortest.Must(t, err)
			if all := w.desk.Alerts(); len(all) != 1 || done.Ref.ID != all[0].ID || done.Found != (lag == 0) {
				t.Errorf("%s, lag %s: %+v, %d alerts", cut, lag, done, len(all))
			}
		}
	}
}

func TestAnAliasIsOneOpenAlert(t *testing.T) {
	t.Parallel()
	w := newWorld(t, og.Options{})
	first := w.create(t, "k1")
	if second := w.create(t, "k1"); second != first || w.desk.Alerts()[0].Count != 2 {
		t.Errorf("%v and %v", first, second)
	}
	connectortest.Must(t, w.desk.Move(first.ID, kim, "web", "close", ""))
	ticket := request()
	done, err := connectors.Do(t.Context(), w.connector, connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &ticket})
	if err != nil || !done.Found || done.Ref.ID != first.ID {
		t.Errorf("after a close: %+v, %v", done, err)
	}
	clone, err := w.desk.Clone(first.ID)
	connectortest.Must(t, err)
	if got := w.find(t, "k1"); !cmp.Equal(got, []string{first.ID}) {
		t.Errorf("found %v", got)
	}
	if s := w.fetch(t, connectors.Ref{ID: clone}); s.Ours || s.Key != "" {
		t.Errorf("an alert of another integration counts as ours: %+v", s)
	}
}

func TestWhatIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, og.Options{})
	ref := w.create(t, "k1")
	for _, tc := range []struct {
		change func(*connectors.Ticket)
		want   string
	}{
		{func(t *connectors.Ticket) { t.Summary = "" }, "summary"},
		{func(t *connectors.Ticket) { t.Type = "Incident" }, "there is: alert"},
		{func(t *connectors.Ticket) { t.Priority = "High" }, "P1, P2, P3, P4, P5"},
		{func(t *connectors.Ticket) { t.Fields = map[string]any{"action": "Approve"} }, "not set as a field"},
		{func(t *connectors.Ticket) { t.Fields = map[string]any{"x": map[string]any{}} }, "texts"},
		{func(t *connectors.Ticket) { t.Fields = map[string]any{"a": strings.Repeat("a", 7999), "b": "c"} }, "8000"},
	} {
		ticket := request()
		tc.change(&ticket)
		_, err := w.Create(t.Context(), "k2", ticket)
		connectortest.Refused(t, err, tc.want)
	}
	connectortest.Refused(t, w.Update(t.Context(), ref, connectors.Ticket{Fields: map[string]any{"entity": "x"}}), "entity")
	connectortest.Refused(t, w.Comment(t.Context(), ref, connectors.Note{Body: "x", Public: true}), "public")
	connectortest.Refused(t, w.Comment(t.Context(), ref, connectors.Note{Body: " "}), "empty")
	connectortest.Refused(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Approved"}), "open, acknowledged, closed")
	connectortest.Refused(t, w.Transition(t.Context(), connectors.Ref{ID: "../x"}, connectors.Move{Status: "closed"}), "id")
	for _, key := range []string{"", `a" OR status: "open`, "a b", strings.Repeat("k", 201), "a/../b"} {
		_, err := w.Find(t.Context(), key)
		connectortest.Refused(t, err, "key")
	}
	if len(w.desk.Alerts()) != 1 {
		t.Errorf("%d alerts", len(w.desk.Alerts()))
	}
}

func TestLongTextsAreCutOnARune(t *testing.T) {
	t.Parallel()
	w := newWorld(t, og.Options{}, func(c *Config) { c.NoteLimit = 200 })
	ticket := request()
	ticket.Summary, ticket.Description = strings.Repeat("ü", 3000), strings.Repeat("ß", 30000)
	ticket.Fields = map[string]any{"long": strings.Repeat("é", 9000)}
	ref, err := w.Create(t.Context(), "k1", ticket)
	connectortest.Must(t, err)
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: strings.Repeat("é", 3000)}))
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "again"}))
	one, _ := w.desk.Alert(ref.ID)
	if utf8.RuneCountInString(one.Message) != maxMessage || utf8.RuneCountInString(one.Description) != maxDescription || len(one.Notes) != 1 || !strings.HasSuffix(one.Notes[0], "drawbridge-note:n1") {
		t.Errorf("%d, %d, %q", utf8.RuneCountInString(one.Message), utf8.RuneCountInString(one.Description), one.Notes)
	}
	for _, text := range []string{one.Message, one.Description, one.Details["long"], one.Notes[0]} {
		if !utf8.ValidString(text) {
			t.Errorf("%.20q is cut within a rune", text)
		}
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, og.Options{})
	w.desk.Faults.FailNext(1, http.StatusTooManyRequests, http.Header{"X-Ratelimit-State": {"THROTTLED"}, "X-Ratelimit-Period-In-Sec": {"60"}})
	err := w.Ping(t.Context())
	if e := connectors.AsError(err); err == nil || e.Kind != connectors.Throttled || e.RetryAfter != time.Minute {
		t.Errorf("too fast: %v", err)
	}
	region := newWorld(t, og.Options{Key: "of another region"})
	if err := region.Ping(t.Context()); err == nil || connectors.AsError(err).Kind != connectors.Unwell || !strings.Contains(err.Error(), "other region") || !strings.Contains(err.Error(), "opsgenie-eu") {
		t.Errorf("another region's key: %v", err)
	}
	for right, want := range map[string]string{"read": "may not read", "write": "may not change"} {
		connectortest.Permanent(t, newWorld(t, og.Options{Denied: []string{right}}).Ping(t.Context()), want)
	}
	other := newWorld(t, og.Options{}, func(c *Config) { c.Integration = "00000000-aaaa-4bbb-8ccc-000000000000" })
	connectortest.Permanent(t, other.Ping(t.Context()), "another integration")
	if _, err := other.Create(t.Context(), "k1", request()); err == nil || !strings.Contains(err.Error(), "integration") {
		t.Errorf("create = %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"as they should be": {func(*Config) {}, ""},
		"elsewhere":         {func(c *Config) { c.Host = "opsgenie" }, "host"},
		"plain":             {func(c *Config) { c.BaseURL = "http://api.opsgenie.com/v2" }, "base_url"},
		"no key":            {func(c *Config) { c.Key = connectors.Secret{} }, "key is missing"},
		"no integration":    {func(c *Config) { c.Integration = "" }, "integration"},
		"somebody's user":   {func(c *Config) { c.User = kim }, "user"},
		"a long action":     {func(c *Config) { c.Actions = []string{strings.Repeat("a", 51)} }, "actions"},
		"an open pattern":   {func(c *Config) { c.ActionLog = `action (?P<action>.*) via (?P<via>.*)` }, "action_log"},
		"no groups":         {func(c *Config) { c.ActionLog = `^x$` }, "action_log"},
		"answer":            {func(c *Config) { c.Answers = []string{"Yes."} }, "answers"},
		"programs":          {func(c *Config) { c.PeopleVia = []string{"api"} }, "people_via"},
		"note":              {func(c *Config) { c.NoteLimit = 30000 }, "note_limit"},
		"ask":               {func(c *Config) { c.Ask = -1 }, "ask"},
		"lag":               {func(c *Config) { c.IndexLag = -1 }, "index_lag"},
		"overlap":           {func(c *Config) { c.Overlap = 1 }, "overlap"},
		"batch":             {func(c *Config) { c.Batch = 1000 }, "batch"},
	} {
		c := settings()
		tc.change(&c)
		err := c.withDefaults().faults()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// That Opsgenie ends is told wherever notices are, and when the connection opens; its successor does not.
func TestTheEndOfOpsgenieIsTold(t *testing.T) {
	t.Parallel()
	for host := range hosts {
		conf := settings()
		conf.Host = host
		env := connectortest.Env(t)
		var log bytes.Buffer
		env.Log = slog.New(slog.NewTextHandler(&log, nil))
		c, err := conf.Open(env)
		connectortest.Must(t, err)
		told := slices.Contains(connectors.Notices(c), ends)
		if logged := strings.Contains(log.String(), "5 April 2027"); told != (host != jsm) || logged != told {
			t.Errorf("%s: told %t, logged %t", host, told, logged)
		}
	}
}
