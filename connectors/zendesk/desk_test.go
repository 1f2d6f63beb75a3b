package zendesk

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
)

const (
	kim      int64 = 101
	lee      int64 = 102
	somebody int64 = 103
	itself   int64 = -1
)

func TestRequestsAsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{Approvals: true}, func(c *Config) { c.Approvals = &Approvals{Workflow: "01JJWORKFLOW"} })
	connectortest.Must(t, w.Ping(t.Context()))
	var ref connectors.Ref
	var cursor connectors.Cursor
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"create", func() (err error) { ref, err = w.Create(t.Context(), "k1", request()); return err }},
		{"find", func() error { _, err := w.Find(t.Context(), "k1"); return err }},
		{"update", func() error {
			return w.Update(t.Context(), ref, connectors.Ticket{Summary: "new", Labels: []string{"more"}, Fields: map[string]any{"360002": "IT"}})
		}},
		{"comment", func() error {
			return w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**Refused:** {{ticket.requester.email}}"})
		}},
		{"comment-public", func() error { return w.Comment(t.Context(), ref, connectors.Note{Body: "hello", Public: true}) }},
		{"transition", func() error {
			return w.Transition(t.Context(), ref, connectors.Move{Status: "approved", Fields: map[string]any{"360003": "granted"}})
		}},
		{"attach", func() error {
			return w.Attach(t.Context(), ref, connectors.File{Name: "event.json", Type: "application/json", Content: []byte("{}")})
		}},
		{"fetch", func() error { w.desk.Ask(ref.ID, kim); _, err := w.Fetch(t.Context(), ref); return err }},
		{"watch-begin", func() (err error) { _, cursor, err = w.Watch(t.Context(), "", nil); return err }},
		{"watch", func() error {
			w.time.Advance(30 * time.Second)
			_, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref, {ID: "7"}})
			return err
		}},
		{"ping", func() error { return w.Ping(t.Context()) }},
	} {
		w.tape.Take()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		connectortest.Golden(t, step.name, w.tape.Take())
	}
}

func TestACreateWhoseAnswerWasLostLeavesOneTicket(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, time.Minute} {
		w := newWorld(t, zendeskstandin.Options{Lag: lag})
		ticket := request()
		action := connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &ticket}
		w.desk.Faults.CutNext("create")
		w.desk.Faults.CutNext("create") // Go itself sends a request with an Idempotency-Key again, once
		if _, err := connectors.Do(t.Context(), w.connector, action); err == nil || !connectors.AsError(err).Sent {
			t.Fatalf("got %v, want the create in doubt", err)
		}
		w.desk.Faults.Heal()
		second, err := connectors.Do(t.Context(), w.connector, action)
		connectortest.Must(t, err)
		if second.Found != (lag == 0) || len(w.desk.Tickets()) != 1 || second.Ref.ID != w.desk.Tickets()[0].ID {
			t.Errorf("lag %s: got %+v and %d tickets, want one", lag, second, len(w.desk.Tickets()))
		}
		w.time.Advance(lag)
		if refs, err := w.Find(t.Context(), "k1"); err != nil || len(refs) != 1 || refs[0] != second.Ref {
			t.Errorf("lag %s: found %v, %v", lag, refs, err)
		}
	}
}

func TestAnotherBodyUnderTheSameKeyIsTheFirstTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{Lag: time.Minute})
	ref := w.create(t, "k1")
	other := request()
	other.Summary = "something else"
	if _, err := w.Create(t.Context(), "k1", other); err == nil || connectors.AsError(err).Kind != connectors.Temporary || !connectors.AsError(err).Sent {
		t.Errorf("while it is not seen: %v, want it in doubt", err)
	}
	w.time.Advance(time.Minute)
	if got, err := w.Create(t.Context(), "k1", other); err != nil || got != ref {
		t.Errorf("got %v, %v, want %v", got, err, ref)
	}
}

func TestFindLeavesOutWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	ref := w.create(t, "k1")
	w.desk.Clone(ref.ID, somebody, somebody)
	w.desk.Clone(ref.ID, somebody, zendeskstandin.Bridge) // said to be ours
	edited := w.create(t, "k2")
	connectortest.Must(t, w.desk.Edit(edited.ID, somebody, map[string]any{"external_id": "k1"}))
	if refs, err := w.Find(t.Context(), "k1"); err != nil || len(refs) != 1 || refs[0] != ref {
		t.Errorf("found %v, %v, want %v", refs, err, ref)
	}
	for _, key := range []string{"", "k1,k2", "a b", `k"`, "k1&role=admin", strings.Repeat("x", 201)} {
		_, err := w.Find(t.Context(), key)
		connectortest.Refused(t, err, "the key has other characters")
		_, err = w.Create(t.Context(), key, request())
		connectortest.Refused(t, err, "the key has other characters")
	}
	connectortest.Must(t, w.desk.Delete(ref.ID, kim))
	if refs, err := w.Find(t.Context(), "k1"); err != nil || len(refs) != 0 {
		t.Errorf("found %v, %v, want none", refs, err)
	}
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{RequiredOnSolve: true})
	ref := w.create(t, "k1")
	move := func(m connectors.Move) error { return w.Transition(t.Context(), ref, m) }
	connectortest.Refused(t, move(connectors.Move{Status: "Bogus"}), `there is no status "Bogus"`, "Approved, Declined")
	connectortest.Refused(t, move(connectors.Move{}), "no status is given")
	connectortest.Refused(t, move(connectors.Move{Status: "Approved"}), "Resolution: is required when solving a ticket")
	connectortest.Must(t, move(connectors.Move{Status: "1001", Fields: map[string]any{"360003": "granted"}, Note: &connectors.Note{Key: "n1", Body: "moved"}}))
	before := w.desk.Requests("update")
	connectortest.Must(t, move(connectors.Move{Status: "approved", Note: &connectors.Note{Key: "n1", Body: "moved"}}))
	if w.desk.Requests("update") != before || len(w.look(t, ref).Comments) != 2 {
		t.Errorf("the second move did something: %+v", w.look(t, ref).Comments)
	}
	connectortest.Must(t, move(connectors.Move{Status: "Open"})) // opened again
	connectortest.Must(t, move(connectors.Move{Status: "hold"}))
	if got := w.look(t, ref).Status; got != "On-hold" {
		t.Errorf("status %q", got)
	}
	connectortest.Refused(t, move(connectors.Move{Status: "Open", Fields: map[string]any{"999999": "x"}}), "left out custom field 999999")
	connectortest.Must(t, move(connectors.Move{Status: "closed"}))
	connectortest.Must(t, move(connectors.Move{Status: "closed"}))
	connectortest.Refused(t, move(connectors.Move{Status: "Open"}), "closed")

	plain := newWorld(t, zendeskstandin.Options{NoCustomStatuses: true})
	ref = plain.create(t, "k1")
	connectortest.Must(t, plain.Transition(t.Context(), ref, connectors.Move{Status: "Solved"}))
	if got := plain.look(t, ref).Status; got != "solved" {
		t.Errorf("status %q", got)
	}
	connectortest.Refused(t, plain.Transition(t.Context(), ref, connectors.Move{Status: "Approved"}), "new, open, pending")
}

// between has something happen after the first request that reads a ticket.
func (w *world) between(t *testing.T, do func()) {
	next, done := w.tape.Next, false
	w.tape.Next = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(rw, r)
		if !done && r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/api/v2/tickets/") {
			done = true
			do()
		}
	})
}

func TestAMoveNeverRunsOverAPersons(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	ref := w.create(t, "k1")
	w.between(t, func() {
		w.time.Advance(time.Second)
		connectortest.Must(t, w.desk.Move(ref.ID, kim, "Declined"))
	})
	err := w.Transition(t.Context(), ref, connectors.Move{Status: "Approved"})
	if e := connectors.AsError(err); err == nil || e.Kind != connectors.Temporary || e.Sent || e.Status != http.StatusConflict {
		t.Errorf("transition = %v, want a temporary failure that changed nothing", err)
	}
	if got := w.look(t, ref).Status; got != "Declined" {
		t.Errorf("status %q, want Kim's", got)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	ref := w.create(t, "k1")
	for _, n := range []connectors.Note{{Key: "n1", Body: "inside *only*"}, {Key: "n1", Body: "inside *only*"}, {Key: "n2", Body: "for all", Public: true}} {
		connectortest.Must(t, w.Comment(t.Context(), ref, n))
	}
	connectortest.Must(t, w.desk.CommentAs(ref.ID, somebody, "drawbridge-note:n3", false))
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n3", Body: "ours"}))
	got := w.look(t, ref).Comments
	if len(got) != 5 || got[0].Public || got[1].Public || !got[2].Public || got[4].Public || !strings.HasPrefix(got[1].Text, "inside only") {
		t.Errorf("comments %+v", got)
	}
	connectortest.Refused(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n", Body: "  "}), "empty")
	connectortest.Refused(t, w.Comment(t.Context(), ref, connectors.Note{Key: "a b", Body: "x"}), "note's key")
}

func TestAPrivateNoteThatCameOutPublicIsAnError(t *testing.T) {
	t.Parallel()
	desk := newWorld(t, zendeskstandin.Options{})
	ref := desk.create(t, "k1")
	next := desk.tape.Next
	desk.tape.Next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"ticket":{"id":` + ref.ID + `,"status":"new"},"audit":{"events":[{"type":"Comment","public":true}]}}`))
			return
		}
		next.ServeHTTP(w, r)
	})
	err := desk.Comment(t.Context(), ref, connectors.Note{Body: "for us"})
	if e := connectors.AsError(err); err == nil || e.Kind != connectors.Permanent || !e.Sent || !strings.Contains(err.Error(), "made a private comment public") {
		t.Errorf("got %v", err)
	}
}

func TestFilesAreAttachedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	ref := w.create(t, "k1")
	for range 2 {
		connectortest.Must(t, w.Attach(t.Context(), ref, connectors.File{Name: `..\..\Gründe "x".txt`, Type: "text/plain", Content: []byte("a\x00")}))
	}
	got := w.look(t, ref).Comments
	if len(got) != 2 || got[1].Public || !cmp.Equal(got[1].Files, []string{"Gründe _x_.txt"}) {
		t.Errorf("comments %+v", got)
	}
	connectortest.Refused(t, w.Attach(t.Context(), ref, connectors.File{Name: "a"}), "none that are empty")
}

func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	hostile := `<script>alert(1)</script> {{ticket.requester.email}} {{dc.secret}} external_id:k1 OR "x"` + "\x00\u202e"
	ref, err := w.Create(t.Context(), "k1", connectors.Ticket{
		Project: "Access", Summary: hostile, Description: hostile, Labels: []string{`a,b "c" {{dc.secret}}`, "closed_by_merge", strings.Repeat("É", 300)},
		Fields: map[string]any{"360002": hostile},
	})
	connectortest.Must(t, err)
	got := w.look(t, ref)
	for _, text := range []string{got.Subject, got.Text, got.Comments[0].HTML} {
		if strings.Contains(text, "LEAKED") || strings.ContainsAny(text, "\x00\u202e") {
			t.Errorf("a placeholder was filled in, or a sign that does not show stayed: %q", text)
		}
	}
	if strings.Contains(got.Comments[0].HTML, "<script>") || !strings.Contains(got.Text, "<script>alert(1)</script>") || got.Text[len(got.Text)-len("drawbridge:k1"):] != "drawbridge:k1" {
		t.Errorf("text %q", got.Text)
	}
	if len(got.Tags) != 3 || got.Tags[0] != "drawbridge" || got.Tags[1] != "a_b__c____dc.secret__" || got.Tags[2] != strings.Repeat("é", 80) {
		t.Errorf("tags %q", got.Tags)
	}
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n", Body: "drawbridge:k9\n\n" + hostile}))
	if s := w.fetch(t, ref); s.Key != "k1" {
		t.Errorf("key %q", s.Key)
	}
}

func TestLongTextsAreCutOnARune(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	for i, text := range []string{strings.Repeat("é", 1e5), strings.Repeat("{{", 5e4), strings.Repeat("**ü** ", 3e4), strings.Repeat("&", 7e4)} {
		key := "k" + string(rune('0'+i))
		ref, err := w.Create(t.Context(), key, connectors.Ticket{Summary: text, Description: text, Fields: map[string]any{"360002": text}})
		connectortest.Must(t, err)
		got := w.look(t, ref)
		if html := got.Comments[0].HTML; len(html) > maxText || len(html) < maxText/2 || !strings.HasSuffix(html, "<p>drawbridge:"+key+"</p>") || !strings.Contains(html, "…") {
			t.Errorf("a text of %d bytes became %d", len(text), len(html))
		}
		if n := utf8.RuneCountInString(got.Subject); n > maxSubject || n < 100 || !strings.HasSuffix(got.Subject, "…") {
			t.Errorf("a subject of %d characters", n)
		}
		if value := got.Custom[360002].(string); len(value) > maxText || !strings.HasSuffix(value, "…") {
			t.Errorf("a value of %d bytes", len(value))
		}
		if s := w.fetch(t, ref); s.Key != key {
			t.Errorf("key %q", s.Key)
		}
	}
}

func TestRefusedFieldsAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	ref := w.create(t, "k1")
	update := func(x connectors.Ticket) error { return w.Update(t.Context(), ref, x) }
	connectortest.Refused(t, update(connectors.Ticket{Priority: "P1"}), `no priority "P1"`, "urgent")
	connectortest.Refused(t, update(connectors.Ticket{Type: "Bug"}), `no type "Bug"`)
	connectortest.Refused(t, update(connectors.Ticket{Fields: map[string]any{"Department": "x"}}), "Department", "by number")
	connectortest.Refused(t, update(connectors.Ticket{Fields: map[string]any{"external_id": "x"}}), "external_id")
	connectortest.Refused(t, update(connectors.Ticket{Fields: map[string]any{"999999": "x"}}), "left out custom field 999999")
	connectortest.Refused(t, update(connectors.Ticket{Fields: map[string]any{"360001": "perhaps"}}), "Approval: perhaps is invalid")
	connectortest.Refused(t, update(connectors.Ticket{Fields: map[string]any{"requester": "x@y"}}), "name and email")
	connectortest.Refused(t, update(connectors.Ticket{Description: "new"}), "add a comment")
	_, err := w.Create(t.Context(), "k2", connectors.Ticket{Project: "Nobody", Summary: "s"})
	connectortest.Refused(t, err, `no group "Nobody"`, "Access, Approvers")
	connectortest.Must(t, update(connectors.Ticket{Summary: "new", Priority: "LOW", Labels: []string{"more"}, Fields: map[string]any{"360004": []string{"payroll", "mail"}}}))
	if got := w.look(t, ref); got.Subject != "new" || got.Priority != "low" || !cmp.Equal(got.Tags, []string{"drawbridge", "epm", "two_words", "more"}) {
		t.Errorf("ticket %+v", got)
	}
}
