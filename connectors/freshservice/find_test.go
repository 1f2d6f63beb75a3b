package freshservice

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
)

// The answer to a create is lost: one ticket is found, and it is ours once it is read.
func TestLostCreateIsFound(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		ticket connectors.Ticket
		cut    string
	}{
		{"ticket", request(), "create"}, {"its seal", request(), "note"}, {"service request", serviceOrder(), "place"},
		{"its tags", serviceOrder(), "update"}, {"change", changeOrder(), "create"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, freshservicestandin.Options{Lag: time.Hour})
			w.site.CutNext(tt.cut)
			ref, err := w.Create(t.Context(), "k1", tt.ticket)
			if tt.cut != "note" && (err == nil || !connectors.AsError(err).Sent) {
				t.Fatalf("create = %v, %v", ref, err)
			}
			done, err := connectors.Do(t.Context(), w.connector, connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &tt.ticket})
			connectortest.Must(t, err)
			if !done.Found || len(done.Twins) > 0 || len(w.site.Tickets()) != 1 {
				t.Fatalf("again: %+v with %d tickets", done, len(w.site.Tickets()))
			}
			for range 2 {
				if s := w.fetch(t, done.Ref); s.Key != "k1" || !s.Ours {
					t.Errorf("snapshot has key %q, ours %t", s.Key, s.Ours)
				}
			}
			if ids := w.find(t, "k1"); len(ids) != 1 {
				t.Errorf("found %v", ids)
			}
		})
	}
}

// A ticket whose create was thought to have failed, and the one that was opened in its place: both are ours, so that one
// of them can be closed.
func TestTwinsAreFound(t *testing.T) {
	t.Parallel()
	for _, ticket := range []connectors.Ticket{request(), serviceOrder(), changeOrder()} {
		w := newWorld(t, freshservicestandin.Options{})
		first := w.create(t, "k1", ticket)
		connectortest.Must(t, w.site.DropNotes(first.ID, freshservicestandin.Bridge))
		w.time.Advance(time.Second)
		second := w.create(t, "k1", ticket)
		w.time.Advance(time.Second)
		_, err := w.site.Clone(first.ID)
		connectortest.Must(t, err)
		if ids := w.find(t, "k1"); !cmp.Equal(ids, []string{first.ID, second.ID}) {
			t.Errorf("%s: found %v, want %s and %s", ticket.Type, ids, first.ID, second.ID)
		}
		if s := w.fetch(t, first); !s.Ours || s.Key != "k1" {
			t.Errorf("%s: the twin has key %q, ours %t", ticket.Type, s.Key, s.Ours)
		}
	}
}

// Somebody gives an older ticket of theirs our key.
func TestOlderTicketsOfOthersAreNotOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	older := w.create(t, "k0", connectors.Ticket{Summary: "Something else"})
	connectortest.Must(t, w.site.DropNotes(older.ID, freshservicestandin.Bridge))
	w.time.Advance(time.Second)
	ref := w.create(t, "k1", request())
	connectortest.Must(t, w.site.SetTags(older.ID, "drawbridge-k1"))
	if ids := w.find(t, "k1"); !cmp.Equal(ids, []string{ref.ID}) {
		t.Errorf("found %v, want %s", ids, ref.ID)
	}
	if s := w.fetch(t, older); s.Ours || s.Key != "" {
		t.Errorf("the older ticket has key %q, ours %t", s.Key, s.Ours)
	}
}

func TestClonesAreNotOurs(t *testing.T) {
	t.Parallel()
	for _, ticket := range []connectors.Ticket{request(), serviceOrder(), changeOrder()} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, seal lost: %t", ticket.Type, lost), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, freshservicestandin.Options{})
				ref := w.create(t, "k1", ticket)
				if lost {
					connectortest.Must(t, w.site.DropNotes(ref.ID, freshservicestandin.Bridge))
				}
				w.time.Advance(time.Minute)
				clone, err := w.site.Clone(ref.ID)
				connectortest.Must(t, err)
				if s := w.fetch(t, connectors.Ref{ID: clone}); s.Ours || s.Key != "" {
					t.Errorf("the clone has key %q, ours %t", s.Key, s.Ours)
				}
				if ids := w.find(t, "k1"); !cmp.Equal(ids, []string{ref.ID}) {
					t.Errorf("found %v, want %s", ids, ref.ID)
				}
				if s := w.fetch(t, ref); !s.Ours || s.Key != "k1" {
					t.Errorf("the ticket has key %q, ours %t", s.Key, s.Ours)
				}
			})
		}
	}
}

func TestKeyThatWasChangedIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	for n, tags := range [][]string{{}, {"drawbridge-other"}, {"drawbridge-k3", "drawbridge-other"}, {"drawbridge-K4"}} {
		ref := w.create(t, fmt.Sprint("k", n+1), request())
		connectortest.Must(t, w.site.SetTags(ref.ID, tags...))
		if s := w.fetch(t, ref); s.Key != "" || s.Ours {
			t.Errorf("tags %v: key %q, ours %t", tags, s.Key, s.Ours)
		}
	}
}

// A seal that was edited, or that names another ticket or key, is none.
func TestForgedSeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	a, b := w.create(t, "k1", request()), w.create(t, "k2", request())
	sealOf := func(ref connectors.Ref) string {
		shown, _ := w.site.Ticket(ref.ID)
		return strings.TrimSuffix(strings.TrimPrefix(shown.Notes[0].Body, "<p>"), "</p>")
	}
	connectortest.Must(t, w.site.SetTags(b.ID, "drawbridge-k1"))
	_, err := w.site.NoteAs(b.ID, 13, strings.Replace(sealOf(a), "@"+a.ID, "@"+b.ID, 1)) // by somebody else
	connectortest.Must(t, err)
	_, err = w.site.NoteAs(b.ID, freshservicestandin.Bridge, sealOf(a)) // of another ticket
	connectortest.Must(t, err)
	if s := w.fetch(t, b); s.Key != "" || s.Ours {
		t.Errorf("key %q, ours %t", s.Key, s.Ours)
	}
	if ids := w.find(t, "k1"); !cmp.Equal(ids, []string{a.ID}) {
		t.Errorf("found %v, want %s", ids, a.ID)
	}
}

func TestPagesAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	ref := w.create(t, "k1", request())
	for n := range 130 {
		_, err := w.site.NoteAs(ref.ID, 13, fmt.Sprint("note ", n))
		connectortest.Must(t, err)
	}
	_, err := w.site.NoteAs(ref.ID, 11, "Approved")
	connectortest.Must(t, err)
	for n := range 110 {
		w.create(t, fmt.Sprint("m", n), request())
	}
	if s := w.fetch(t, ref); s.Fields["answer"] != "Approved" {
		t.Error("the answer behind 130 notes was not found")
	}
	if ids := w.find(t, "m109"); len(ids) != 1 {
		t.Errorf("found %v", ids)
	}
}

func TestWorkspaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{}, func(c *Config) { c.Workspaces = []int64{1, 3} })
	ticket := request()
	ticket.Project = "3"
	ref := w.create(t, "k1", ticket)
	if shown, _ := w.site.Ticket(ref.ID); shown.Workspace != 3 {
		t.Errorf("workspace %d", shown.Workspace)
	}
	if ids := w.find(t, "k1"); !cmp.Equal(ids, []string{ref.ID}) {
		t.Errorf("found %v", ids)
	}
	for _, place := range []string{"5", "x", "-1", "", "primary"} {
		ticket.Project = place
		if _, err := w.Create(t.Context(), "k2", ticket); connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("create in workspace %s = %v", place, err)
		}
	}
}

// Nothing an event holds becomes part of a query, markup or a field of ours.
func TestInjection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	w.create(t, "k1", request())
	for _, key := range []string{"", "k1' OR tag:'x", `k1"`, "k1 k2", "k1%27", "k\n1", strings.Repeat("k", 41)} {
		if _, err := w.Find(t.Context(), key); connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("find %q = %v", key, err)
		}
		if _, err := w.Create(t.Context(), key, request()); connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("create with key %q = %v", key, err)
		}
	}
	ticket := request()
	ticket.Summary = "<script>\u202e" + strings.Repeat("ä", 400)
	ticket.Description = "<img src=x onerror=alert(1)>" + strings.Repeat("ä", 70000)
	ref := w.create(t, "k2", ticket)
	shown, _ := w.site.Ticket(ref.ID)
	if n := utf8.RuneCountInString(shown.Subject); n != 255 || !utf8.ValidString(shown.Subject) || strings.Contains(shown.Subject, "\u202e") {
		t.Errorf("subject of %d runes: %.40s", n, shown.Subject)
	}
	if strings.Contains(shown.Description, "<img") || utf8.RuneCountInString(shown.Description) > 60000 {
		t.Errorf("description %.60s", shown.Description)
	}
	for _, field := range []string{"status", "tags", "id", "answer", "unknown", "workspace_id"} {
		ticket := request()
		ticket.Fields = map[string]any{field: "x"}
		if _, err := w.Create(t.Context(), "k3", ticket); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("create with field %s = %v", field, err)
		}
	}
	if _, err := w.Create(t.Context(), "k3", connectors.Ticket{Type: "Service Request 12", Summary: "x", Fields: map[string]any{"drawbridge_key": "x"}}); err == nil {
		t.Error("a rule set the field of our key")
	}
}

// The summary holds a text that looks like one of our notes: it is none.
func TestCommentThatLooksLikeASeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	ref := w.create(t, "k1", request())
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "This ticket belongs to Drawbridge. Leave this note as it is: drawbridge:k9@" + ref.ID}))
	if s := w.fetch(t, ref); s.Key != "k1" || !s.Ours {
		t.Errorf("key %q, ours %t", s.Key, s.Ours)
	}
}
