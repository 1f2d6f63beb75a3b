package connectortest

import (
	"regexp"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Desk is a connector that can do all that desks can.
type Desk interface {
	connectors.Connector
	connectors.Creator
	connectors.Finder
	connectors.Updater
	connectors.Commenter
	connectors.Transitioner
	connectors.Attacher
	connectors.Fetcher
	connectors.Watcher
	connectors.Describer
	connectors.Directory
}

// Work is what a connector is asked for at one desk.
type Work struct {
	Ticket, Change connectors.Ticket
	Move, Back     connectors.Move
	Place          connectors.Place
	Account        string
}

// Requests makes a connector do each of its calls and compares what it sent for each with testdata/golden.
func Requests(t *testing.T, c Desk, tape *Tape, w Work) {
	t.Helper()
	ctx := t.Context()
	var ref connectors.Ref
	var cursor connectors.Cursor
	for _, r := range []struct {
		name string
		send func() error
	}{
		{"find", func() error { _, err := c.Find(ctx, "k1"); return err }},
		{"create", func() (err error) { ref, err = c.Create(ctx, "k1", w.Ticket); return err }},
		{"ping", func() error { return c.Ping(ctx) }}, // which looks at a ticket
		{"update", func() error { return c.Update(ctx, ref, w.Change) }},
		{"comment", func() error {
			return c.Comment(ctx, ref, connectors.Note{Key: "n1", Body: "**Refused:** <script>"})
		}},
		{"comment-public", func() error {
			return c.Comment(ctx, ref, connectors.Note{Key: "n2", Body: "done", Public: true})
		}},
		{"attach", func() error {
			return c.Attach(ctx, ref, connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")})
		}},
		{"transition", func() error { return c.Transition(ctx, ref, w.Move) }},
		{"reopen", func() error { return c.Transition(ctx, ref, w.Back) }},
		{"fetch", func() error { _, err := c.Fetch(ctx, ref); return err }},
		{"watch-start", func() (err error) { _, cursor, err = c.Watch(ctx, "", nil); return err }},
		{"watch", func() error { _, _, err := c.Watch(ctx, cursor, []connectors.Ref{ref}); return err }},
		{"describe", func() error { _, err := c.Describe(ctx, w.Place); return err }},
		{"groups", func() error { _, err := c.Groups(ctx, w.Account); return err }},
	} {
		tape.Take()
		if err := r.send(); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		Golden(t, r.name, steady(tape.Take()))
	}
}

// varies are the parts of a request that differ from run to run, with what stands in their place.
var varies = []struct {
	part *regexp.Regexp
	sign string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?`), "TIME"},
	{regexp.MustCompile(`/(ticket|issues|user|users|group|roles)/\d+`), "/$1/ID"},
	{regexp.MustCompile(`(issue_id=|\(id = )\d+`), "${1}ID"},
	{regexp.MustCompile(`/user/bridge\d+`), "/user/bridge"},
	{regexp.MustCompile(`If-Match: .*`), "If-Match: VERSION"},
	{regexp.MustCompile(`"token": ".*"`), `"token": "TOKEN"`},
}

func steady(text string) string {
	for _, v := range varies {
		text = v.part.ReplaceAllString(text, v.sign)
	}
	return text
}
