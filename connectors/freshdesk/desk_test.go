package freshdesk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk/freshdeskstandin"
)

// Every request that is made, as it is sent.
func TestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	ref := w.create(t, "k1", request())
	connectortest.Golden(t, "create", w.tape.Take())
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "*accepted* <script>"}))
	connectortest.Golden(t, "comment", w.tape.Take())
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Body: "for you", Public: true}))
	connectortest.Golden(t, "comment_public", w.tape.Take())
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Closed", Fields: map[string]any{"cf_closing_reason": "done"}}))
	connectortest.Golden(t, "transition", w.tape.Take())
	connectortest.Must(t, w.Update(t.Context(), ref, connectors.Ticket{Summary: "Again", Labels: []string{"new"}}))
	connectortest.Golden(t, "update", w.tape.Take())
	connectortest.Must(t, w.Attach(t.Context(), ref, connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")}))
	connectortest.Golden(t, "attach", w.tape.Take())
	w.find(t, "k1")
	connectortest.Golden(t, "find", w.tape.Take())
	w.fetch(t, ref)
	connectortest.Golden(t, "fetch", w.tape.Take())
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	w.tape.Take()
	_, _, err = w.Watch(t.Context(), cursor, []connectors.Ref{ref})
	connectortest.Must(t, err)
	connectortest.Golden(t, "watch", w.tape.Take())
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	ref := w.create(t, "k1", request())
	_, err := w.site.NoteAs(ref.ID, 11, "Declined\nnot today")
	connectortest.Must(t, err)
	connectortest.Must(t, w.site.Move(ref.ID, "Declined"))
	at := w.time.Now()
	got := w.fetch(t, ref)
	want := connectors.Snapshot{
		Ref: connectors.Ref{ID: "42", Key: "#42", URL: w.conf.BaseURL + "/a/tickets/42"}, Key: "k1", Ours: true, Status: "Declined", Category: "open",
		Summary: "Ana asks to run Setup Tool", Priority: "High", Description: "<p><strong>Reason:</strong> &lt;b&gt;I need it&lt;/b&gt;</p>",
		Fields: map[string]any{
			"answer": "Declined", "answer_reason": "not today", "cf_risk": "high", "cf_details": "line one\nline two", "cf_drawbridge_key": "k1", "group_id": 5.0,
			"requester_id": 8.0, "tags": []any{"epm"}, "type": "Question",
		},
		Creator: connectors.Account{Person: connectors.Person{Account: "8"}, Ours: true}, Created: at, Updated: at,
		History: got.History,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("snapshot (-want +got):\n%s", d)
	}
	if len(got.History) != 1 || got.History[0].By.Account != "11" || got.History[0].To != "Declined" || got.History[0].Field != "answer" {
		t.Errorf("history %+v", got.History)
	}
}

func TestNotesThatAreNoAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	ref := w.create(t, "k1", request())
	note, err := w.site.NoteAs(ref.ID, 11, "I will look at it")
	connectortest.Must(t, err)
	connectortest.Must(t, w.site.EditNote(ref.ID, note, "Approved"))
	connectortest.Must(t, w.site.MailAs(ref.ID, 11, "Approved"))
	connectortest.Must(t, w.site.PublicNoteAs(ref.ID, 11, "Approved"))
	_, err = w.site.NoteAs(ref.ID, 11, "Approved by me")
	connectortest.Must(t, err)
	if got := w.fetch(t, ref); len(got.History) != 0 || got.Fields["answer"] != "" {
		t.Errorf("history %+v, answer %q", got.History, got.Fields["answer"])
	}
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	ref := w.create(t, "k1", request())
	err := w.Transition(t.Context(), ref, connectors.Move{Status: "Closed"})
	if e := connectors.AsError(err); err == nil || e.Kind != connectors.Permanent || !strings.Contains(err.Error(), "cf_closing_reason") {
		t.Errorf("close without its field = %v", err)
	}
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "closed", Fields: map[string]any{"cf_closing_reason": "done"}}))
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Open"}))
	if s := w.fetch(t, ref); s.Status != "Open" {
		t.Errorf("status %s", s.Status)
	}
	calls := w.site.Requests("update")
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Open"}))
	if w.site.Requests("update") != calls {
		t.Error("a ticket that was there already was moved")
	}
}

func TestCommentOnceAndPrivate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	ref := w.create(t, "k1", request())
	for range 3 {
		connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "text"}))
	}
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n2", Body: "for you", Public: true}))
	shown, _ := w.site.Ticket(ref.ID)
	var private []bool
	for _, n := range shown.Notes {
		private = append(private, n.Private)
	}
	if !cmp.Equal(private, []bool{true, true, false}) {
		t.Errorf("private are %v", private)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	a, b := w.create(t, "k1", request()), w.create(t, "k2", request())
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	watch := func(open ...connectors.Ref) (ids []string) {
		t.Helper()
		w.time.Advance(time.Hour)
		changes, next, err := w.Watch(t.Context(), cursor, open)
		connectortest.Must(t, err)
		for _, c := range changes {
			ids = append(ids, c.Ref.ID)
		}
		cursor = next
		return ids
	}
	watch(a, b)
	if got := watch(a, b); len(got) != 0 {
		t.Errorf("told of %v where nothing happened", got)
	}
	_, err = w.site.NoteAs(b.ID, 11, "Approved")
	connectortest.Must(t, err)
	if got := watch(a, b); !cmp.Equal(got, []string{b.ID}) {
		t.Errorf("told of %v", got)
	}
	watch()
	connectortest.Must(t, w.site.Delete(a.ID))
	if got := watch(a, b); !cmp.Equal(got, []string{a.ID}) {
		t.Errorf("told of %v", got)
	}
	if _, err := w.Fetch(t.Context(), a); !errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("fetch of a deleted ticket = %v", err)
	}
}

// Whoever has any agent's key can write a note in another's name. So no note answers where the operator did not say so.
func TestNotesAnswerOnlyWhereTheOperatorSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{}, func(c *Config) { c.Answers = nil })
	ref := w.create(t, "k1", request())
	_, err := w.site.NoteAs(ref.ID, 11, "Approved")
	connectortest.Must(t, err)
	if got := w.fetch(t, ref); len(got.History) != 0 || got.Fields["answer"] != "" {
		t.Errorf("history %+v, answer %q", got.History, got.Fields["answer"])
	}
	named := func(marked []string) bool {
		return slices.ContainsFunc(marked, func(line string) bool { return strings.HasPrefix(line, "answers: ") })
	}
	if named(w.Unverified()) || !named(newWorld(t, freshdeskstandin.Options{}).Unverified()) {
		t.Error("answers by note are to be named where they are in use")
	}
}

// A connection without the answers in English.
func TestAnswersInOtherWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{}, func(c *Config) { c.Answers = []string{"Genehmigt", "Nicht genehmigt"} })
	ref := w.create(t, "k1", request())
	for n, text := range []string{"Approved", "nicht Genehmigt."} {
		w.time.Advance(time.Minute)
		_, err := w.site.NoteAs(ref.ID, 11, text)
		connectortest.Must(t, err)
		if got := fmt.Sprint(w.fetch(t, ref).Fields["answer"]); got != []string{"", "Nicht genehmigt"}[n] {
			t.Errorf("after %q the answer is %q", text, got)
		}
	}
}
