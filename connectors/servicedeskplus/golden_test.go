package servicedeskplus

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	desk "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
)

func TestRequestsAsSent(t *testing.T) {
	t.Parallel()
	for _, edition := range []string{desk.Cloud, desk.OnPrem} {
		t.Run(edition, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, desk.Options{Edition: edition, History: "history"}, withHistory)
			var ref connectors.Ref
			var cursor connectors.Cursor
			for _, step := range []struct {
				name string
				do   func() error
			}{
				{"ping", func() error { return w.Ping(t.Context()) }},
				{"find", func() error { _, err := w.Find(t.Context(), "k1"); return err }},
				{"create", func() (err error) { ref, err = w.Create(t.Context(), "k1", ticket()); return err }},
				{"update", func() error {
					return w.Update(t.Context(), ref, connectors.Ticket{Summary: "new", Description: "now `x`", Fields: map[string]any{"udf_char2": "IT", "technician": map[string]any{"id": desk.Kim}}})
				}},
				{"comment", func() error {
					return w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**Refused:** <script>"})
				}},
				{"comment-public", func() error {
					return w.Comment(t.Context(), ref, connectors.Note{Body: "done", Public: true})
				}},
				{"transition", func() error {
					return w.Transition(t.Context(), ref, connectors.Move{Status: "On Hold", Fields: map[string]any{"status_change_comments": "waits"}})
				}},
				{"close", func() error {
					return w.Transition(t.Context(), ref, connectors.Move{Status: "Closed", Fields: map[string]any{"closure_code": "success", "closure_comments": "granted", "update_reason": "done"}})
				}},
				{"reopen", func() error { return w.Transition(t.Context(), ref, connectors.Move{Status: "Open"}) }},
				{"fetch", func() error { _, err := w.Fetch(t.Context(), ref); return err }},
				{"watch-start", func() (err error) { _, cursor, err = w.Watch(t.Context(), "", nil); return err }},
				{"watch", func() error {
					w.time.Advance(30 * time.Minute)
					_, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref})
					return err
				}},
			} {
				w.tape.Take()
				if err := step.do(); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				connectortest.Golden(t, edition+"-"+step.name, w.tape.Take())
			}
		})
	}
}

func TestTheKeyStandsAtTheEndOfTheSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{}, bySubject)
	long := ticket()
	long.Summary = longText
	ref, err := w.Create(t.Context(), "k1", long)
	connectortest.Must(t, err)
	connectortest.Golden(t, "subject-create", w.tape.Take())
	connectortest.Must(t, w.Update(t.Context(), ref, connectors.Ticket{Summary: "changed"}))
	connectortest.Golden(t, "subject-update", w.tape.Take())
	_, err = w.Find(t.Context(), "k1")
	connectortest.Must(t, err)
	connectortest.Golden(t, "subject-find", w.tape.Take())
	if s := fetch(t, w.connector, ref); s.Key != "k1" || s.Summary != "changed" {
		t.Errorf("key %q, summary %q", s.Key, s.Summary)
	}
}
