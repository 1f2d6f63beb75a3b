package freshdesk

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk/freshdeskstandin"
)

func TestLostCreateIsFound(t *testing.T) {
	t.Parallel()
	for _, cut := range []string{"create", "note"} {
		t.Run(cut, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, freshdeskstandin.Options{Lag: time.Hour})
			w.site.CutNext(cut)
			if _, err := w.Create(t.Context(), "k1", request()); cut == "create" && (err == nil || !connectors.AsError(err).Sent) {
				t.Fatalf("create = %v", err)
			}
			ticket := request()
			done, err := connectors.Do(t.Context(), w.connector, connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &ticket})
			connectortest.Must(t, err)
			if !done.Found || len(done.Twins) > 0 || len(w.site.Tickets()) != 1 {
				t.Fatalf("again: %+v with %d tickets", done, len(w.site.Tickets()))
			}
			if s := w.fetch(t, done.Ref); s.Key != "k1" || !s.Ours {
				t.Errorf("snapshot has key %q, ours %t", s.Key, s.Ours)
			}
		})
	}
}

// The list of tickets does not reach back far enough, the search does.
func TestOldTicketsAreFoundByTheSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{Lag: time.Minute})
	ref := w.create(t, "k1", request())
	w.time.Advance(90 * 24 * time.Hour)
	if ids := w.find(t, "k1"); !cmp.Equal(ids, []string{ref.ID}) {
		t.Errorf("found %v", ids)
	}
	if ids := w.find(t, "k"); len(ids) != 0 {
		t.Errorf("found %v by a part of the key", ids)
	}
}

func TestClonesAreNotOurs(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		w := newWorld(t, freshdeskstandin.Options{})
		ref := w.create(t, "k1", request())
		if lost {
			connectortest.Must(t, w.site.DropNotes(ref.ID, freshdeskstandin.Bridge))
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
	}
}

// Somebody changes the field of our key, or the seal: the ticket is ours no more.
func TestKeyThatWasChangedIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	a, b := w.create(t, "k1", request()), w.create(t, "k2", request())
	connectortest.Must(t, w.site.Edit(a.ID, "cf_drawbridge_key", "k2"))
	if s := w.fetch(t, a); s.Key != "" || s.Ours {
		t.Errorf("another's key: key %q, ours %t", s.Key, s.Ours)
	}
	if ids := w.find(t, "k2"); !cmp.Equal(ids, []string{b.ID}) {
		t.Errorf("found %v, want %s", ids, b.ID)
	}
	shown, _ := w.site.Ticket(b.ID)
	connectortest.Must(t, w.site.EditNote(b.ID, shown.Notes[0].ID, strings.Replace(shown.Notes[0].Body, "k2@", "k9@", 1)))
	connectortest.Must(t, w.site.Edit(b.ID, "cf_drawbridge_key", "k9"))
	w.fetch(t, b) // sealed anew, with what is there
	connectortest.Must(t, w.site.Edit(b.ID, "cf_drawbridge_key", "k2"))
	if s := w.fetch(t, b); s.Key != "" || s.Ours {
		t.Errorf("edited seal: key %q, ours %t", s.Key, s.Ours)
	}
}

// A desk that stamps every note as edited is not written full.
func TestSealsAreNotWrittenForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	ref := w.create(t, "k1", request())
	for range 5 {
		shown, _ := w.site.Ticket(ref.ID)
		for _, n := range shown.Notes {
			connectortest.Must(t, w.site.EditNote(ref.ID, n.ID, "This ticket belongs to Drawbridge. Leave this note as it is: drawbridge:k1@"+ref.ID))
		}
		_, err := w.Fetch(t.Context(), ref)
		if len(shown.Notes) < 3 != (err == nil) {
			t.Errorf("fetch with %d seals = %v", len(shown.Notes), err)
		}
	}
	if shown, _ := w.site.Ticket(ref.ID); len(shown.Notes) != 3 {
		t.Errorf("%d seals were written", len(shown.Notes))
	}
}

func TestInjection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	w.create(t, "k1", request())
	for _, key := range []string{"", "k1' OR status:'2", `k1"`, "k1 k2", "k1%27", "k\n1", strings.Repeat("k", 41)} {
		if _, err := w.Find(t.Context(), key); connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("find %q = %v", key, err)
		}
		if _, err := w.Create(t.Context(), key, request()); connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("create with key %q = %v", key, err)
		}
	}
	ticket := request()
	ticket.Summary, ticket.Description = "<script>"+strings.Repeat("ä", 400), "<img src=x onerror=alert(1)>"
	ticket.Fields = map[string]any{"cf_department": "a\nb" + strings.Repeat("ä", 400)}
	ref := w.create(t, "k2", ticket)
	shown, _ := w.site.Ticket(ref.ID)
	if utf8.RuneCountInString(shown.Subject) != 255 || strings.Contains(shown.Description, "<img") || utf8.RuneCountInString(shown.Fields["cf_department"].(string)) != 255 {
		t.Errorf("ticket %+v", shown)
	}
	for _, field := range []string{"status", "tags", "unique_external_id", "cf_drawbridge_key", "cf_unknown"} {
		ticket := request()
		ticket.Fields = map[string]any{field: "x"}
		if _, err := w.Create(t.Context(), "k3", ticket); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("create with field %s = %v", field, err)
		}
	}
	ticket = request()
	ticket.Project = "elsewhere"
	if _, err := w.Create(t.Context(), "k3", ticket); connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("create in a project = %v", err)
	}
}
