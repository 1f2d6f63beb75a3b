package freshservice

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

// Every request that is made, as it is sent.
func TestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	w.tape.Take()
	ticket := w.create(t, "k1", request())
	connectortest.Golden(t, "create_ticket", w.tape.Take())
	order := w.create(t, "k2", serviceOrder())
	connectortest.Golden(t, "create_service_request", w.tape.Take())
	change := w.create(t, "k3", changeOrder())
	connectortest.Golden(t, "create_change", w.tape.Take())
	connectortest.Must(t, w.Comment(t.Context(), ticket, connectors.Note{Key: "n1", Body: "*accepted* <script>"}))
	connectortest.Golden(t, "comment", w.tape.Take())
	connectortest.Must(t, w.Comment(t.Context(), change, connectors.Note{Body: "accepted"}))
	connectortest.Golden(t, "comment_change", w.tape.Take())
	connectortest.Must(t, w.Transition(t.Context(), ticket, connectors.Move{Status: "Closed", Fields: map[string]any{"closing_reason": "done"}}))
	connectortest.Golden(t, "transition", w.tape.Take())
	connectortest.Must(t, w.Update(t.Context(), ticket, connectors.Ticket{Summary: "Again", Labels: []string{"new"}}))
	connectortest.Golden(t, "update", w.tape.Take())
	connectortest.Must(t, w.Attach(t.Context(), order, connectors.File{Name: `..\a"b.txt`, Type: "text/plain", Content: []byte("x")}))
	connectortest.Golden(t, "attach", w.tape.Take())
	w.find(t, "k1")
	connectortest.Golden(t, "find", w.tape.Take())
	w.fetch(t, order)
	connectortest.Golden(t, "fetch", w.tape.Take())
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	w.tape.Take()
	_, _, err = w.Watch(t.Context(), cursor, []connectors.Ref{order, change})
	connectortest.Must(t, err)
	connectortest.Golden(t, "watch", w.tape.Take())
}

func TestTextsOfAServiceRequestAreCutAndCleaned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	w.tape.Take()
	order := serviceOrder()
	order.Fields = map[string]any{"tool": "Setup\x00 \u202eTool " + strings.Repeat("é", freshworks.MaxText), "parts": []any{map[string]any{"name": "a\x00b"}}, "requested_for": "ana\x00@corp.example"}
	_, _ = w.Create(t.Context(), "k1", order) // what the stand-in says of it does not matter here
	sent := w.tape.Take()
	for _, bad := range []string{`\u0000`, `\u202e`, "\u202e", strings.Repeat("é", freshworks.MaxText)} {
		if strings.Contains(sent, bad) {
			t.Errorf("the order was sent with %.20q", bad)
		}
	}
	for _, good := range []string{`"Setup Tool é`, `é…"`, `"ab"`, `"ana@corp.example"`} {
		if !strings.Contains(sent, good) {
			t.Errorf("the order was sent without %s: %.2000s", good, sent)
		}
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	ref := w.create(t, "k1", request())
	connectortest.Must(t, w.Attach(t.Context(), ref, connectors.File{Name: "a.txt", Content: []byte("x")}))
	got := w.fetch(t, ref)
	if len(got.Files) != 1 || !got.Files[0].By.Ours || got.Files[0].Size != 1 {
		t.Errorf("files %+v", got.Files)
	}
	got.Files = nil
	at := w.time.Now()
	ours := connectors.Account{Person: connectors.Person{Account: "8"}, Ours: true}
	want := connectors.Snapshot{
		Ref: connectors.Ref{ID: "42", Key: "INC-42", URL: w.conf.BaseURL + "/a/tickets/42"}, Key: "k1", Ours: true, Status: "Open", Category: "open",
		Summary: "Ana asks to run Setup Tool", Priority: "High", Description: "<p><strong>Reason:</strong> &lt;b&gt;I need it&lt;/b&gt;</p>",
		Fields: map[string]any{
			"answer": "", "answer_reason": "", "risk_level": "high", "details": "line one\nline two", "impact": 2.0, "requester_id": 8.0,
			"tags": []any{"drawbridge-k1", "epm"}, "type": "Incident", "workspace_id": 1.0,
		},
		Creator: ours, Created: at, Updated: at,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("snapshot (-want +got):\n%s", d)
	}
}

func TestTagsOfOthersStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	ref := w.create(t, "k1", request())
	connectortest.Must(t, w.site.SetTags(ref.ID, "drawbridge-k1", "vip"))
	connectortest.Must(t, w.Update(t.Context(), ref, connectors.Ticket{Labels: []string{"new", "VIP"}}))
	shown, _ := w.site.Ticket(ref.ID)
	if want := []string{"drawbridge-k1", "vip", "new"}; !cmp.Equal(shown.Tags, want) {
		t.Errorf("tags %v, want %v", shown.Tags, want)
	}
}

func TestCommentOnceAndPrivate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
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
	change := w.create(t, "k2", changeOrder())
	if err := w.Comment(t.Context(), change, connectors.Note{Body: "x", Public: true}); connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("a public note on a change = %v", err)
	}
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	ref := w.create(t, "k1", request())
	err := w.Transition(t.Context(), ref, connectors.Move{Status: "Closed"})
	if e := connectors.AsError(err); err == nil || e.Kind != connectors.Permanent || !strings.Contains(err.Error(), "closing_reason") {
		t.Errorf("close without its field = %v", err)
	}
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "closed", Fields: map[string]any{"closing_reason": "done"}}))
	if s := w.fetch(t, ref); s.Status != "Closed" || s.Category != "closed" {
		t.Errorf("status %s, category %s", s.Status, s.Category)
	}
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "2", Note: &connectors.Note{Body: "open again"}}))
	if s := w.fetch(t, ref); s.Status != "Open" {
		t.Errorf("status %s", s.Status)
	}
	if err := w.Transition(t.Context(), ref, connectors.Move{Status: "Lost"}); err == nil || !strings.Contains(err.Error(), "Approved") {
		t.Errorf("an unknown status = %v", err)
	}
}

func TestRefusalsAreToldInTheDesksWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	ticket := request()
	ticket.Fields = map[string]any{"risk_level": "none"}
	_, err := w.Create(t.Context(), "k1", ticket)
	if e := connectors.AsError(err); e.Kind != connectors.Permanent || e.Sent || !strings.Contains(err.Error(), "risk_level") || !strings.Contains(err.Error(), "invalid_value") {
		t.Errorf("create = %v", err)
	}
	w.site.FailNext(1, http.StatusTooManyRequests, http.Header{"Retry-After": {"17"}})
	_, err = w.Fetch(t.Context(), connectors.Ref{ID: "42"})
	if e := connectors.AsError(err); e.Kind != connectors.Throttled || e.RetryAfter != 17*time.Second {
		t.Errorf("fetch = %v", err)
	}
}
