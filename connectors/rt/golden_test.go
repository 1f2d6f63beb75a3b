package rt

import (
	"net/http/httptest"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

func requestsAsSent(t *testing.T, w *world) {
	tape := desktest.Tape(t, w.rt.URL, "If-Match")
	front := httptest.NewServer(tape)
	t.Cleanup(front.Close)
	c := open(t, front.URL, w.account)
	var ref connectors.Ref
	var cursor connectors.Cursor
	desktest.Requests(t, tape, []desktest.Request{
		{Name: "find", Send: func() error { _, err := c.Find(t.Context(), "k1"); return err }},
		{Name: "create", Send: func() (err error) { ref, err = c.Create(t.Context(), "k1", request()); return err }},
		{Name: "ping", Send: func() error { return c.Ping(t.Context()) }},
		{Name: "update", Send: func() error {
			return c.Update(t.Context(), ref, connectors.Ticket{Summary: "new", Fields: map[string]any{"Department": "IT"}})
		}},
		{Name: "comment", Send: func() error {
			return c.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**Refused:** <script>"})
		}},
		{Name: "comment-public", Send: func() error {
			return c.Comment(t.Context(), ref, connectors.Note{Key: "n2", Body: "done", Public: true})
		}},
		{Name: "attach", Send: func() error {
			return c.Attach(t.Context(), ref, connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")})
		}},
		{Name: "transition", Send: func() error {
			return c.Transition(t.Context(), ref, connectors.Move{Status: "approved", Fields: map[string]any{"Systems": "Mail"}})
		}},
		{Name: "reopen", Send: func() error { return c.Transition(t.Context(), ref, connectors.Move{Status: "open"}) }},
		{Name: "fetch", Send: func() error { _, err := c.Fetch(t.Context(), ref); return err }},
		{Name: "watch-start", Send: func() (err error) { _, cursor, err = c.Watch(t.Context(), "", nil); return err }},
		{Name: "watch", Send: func() error { _, _, err := c.Watch(t.Context(), cursor, []connectors.Ref{ref}); return err }},
		{Name: "describe", Send: func() error { _, err := c.Describe(t.Context(), connectors.Place{Project: "Access"}); return err }},
		{Name: "groups", Send: func() error { _, err := c.Groups(t.Context(), "kim"); return err }},
	})
}
