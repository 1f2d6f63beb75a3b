package servicenow

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/servicenow/servicenowstandin"
)

// TestRequests compares what goes over the wire with golden files. Sys_ids are random; those that a test makes are named.
func TestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	var ref connectors.Ref
	check := func(name string, act func() error) {
		t.Helper()
		w.tape.Take()
		connectortest.Must(t, act())
		text := w.tape.Take()
		if at, err := w.place(ref); err == nil {
			text = strings.ReplaceAll(text, at.id, "TICKET")
		}
		for word, id := range map[string]string{"ANA": w.id(t, "sys_user", "ana"), "APPROVERS": w.id(t, "sys_user_group", "Approvers")} {
			text = strings.ReplaceAll(text, id, word)
		}
		connectortest.Golden(t, name, text)
	}
	check("create", func() (err error) { ref, err = w.Create(t.Context(), "k1", request()); return err })
	check("find", func() error { _, err := w.Find(t.Context(), "k1"); return err })
	check("update", func() error { return w.Update(t.Context(), ref, connectors.Ticket{Summary: "Ana asks again"}) })
	check("comment", func() error {
		return w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**accepted** by epm"})
	})
	check("comment-public", func() error {
		return w.Comment(t.Context(), ref, connectors.Note{Key: "n2", Body: "granted", Public: true})
	})
	check("attach", func() error {
		return w.Attach(t.Context(), ref, connectors.File{Name: `C:\a b.txt`, Type: "text/plain", Content: []byte("x")})
	})
	check("transition", func() error {
		return w.Transition(t.Context(), ref, connectors.Move{Status: "Resolved", Fields: map[string]any{"close_code": "Solved", "close_notes": "done"}})
	})
	check("fetch", func() error { _, err := w.Fetch(t.Context(), ref); return err })
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	check("watch", func() error { _, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref}); return err })
}

// id is the sys_id of a person or group.
func (w *world) id(t testing.TB, table, name string) string {
	t.Helper()
	id, err := w.lookUp(t.Context(), table, name)
	connectortest.Must(t, err)
	w.tape.Take()
	return id
}

func TestATicketIsOpenedAsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	ref, err := w.Create(t.Context(), "k1", request())
	connectortest.Must(t, err)
	got := w.ticket(t, ref)
	for field, want := range map[string]string{
		"short_description": "Ana asks to run Setup Tool", "description": "Reason: I need it\n\n- CORP\\ana on PC-1", "priority": "2", "correlation_id": "drawbridge:k1",
		"correlation_display": "drawbridge", "u_department": "Sales", "caller_id": w.id(t, "sys_user", "ana"), "assignment_group": w.id(t, "sys_user_group", "Approvers"),
	} {
		if got.Fields[field] != want {
			t.Errorf("%s is %q, want %q", field, got.Fields[field], want)
		}
	}
	if ref.Key != got.Number || !strings.HasSuffix(ref.URL, "/incident.do?sys_id="+got.ID) {
		t.Errorf("ref %+v", ref)
	}
	for _, table := range []string{"change_request", "sc_req_item", "sc_task"} {
		if made := w.ticket(t, w.createIn(t, "in-"+table, table)); made.Table != table {
			t.Errorf("opened in %s, want %s", made.Table, table)
		}
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	for _, tc := range []struct {
		name   string
		key    string
		change func(*connectors.Ticket)
		want   string
	}{
		{"another table", "k1", func(t *connectors.Ticket) { t.Project = "sys_user" }, `"sys_user" is not among the tables`},
		{"a path", "k1", func(t *connectors.Ticket) { t.Project = "incident/../sys_user" }, "not among the tables"},
		{"no summary", "k1", func(t *connectors.Ticket) { t.Summary = "" }, "summary is empty"},
		{"a key that searches", "k1^ORsys_idISNOTEMPTY", func(*connectors.Ticket) {}, "the key has other characters"},
		{"our own field", "k1", func(t *connectors.Ticket) { t.Fields["correlation_id"] = "x" }, "correlation_id is not a rule's"},
		{"a field of the system", "k1", func(t *connectors.Ticket) { t.Fields["sys_created_by"] = "x" }, "not the name of a field"},
		{"no such person", "k1", func(t *connectors.Ticket) { t.Fields["caller_id"] = "nobody" }, "field caller_id"},
		{"a person that searches", "k1", func(t *connectors.Ticket) { t.Fields["caller_id"] = "x^ORuser_name=ana" }, "field caller_id"},
		{"a person that is a script", "k1", func(t *connectors.Ticket) { t.Fields["caller_id"] = "javascript:gs.getUserID()" }, "field caller_id"},
		{"no such priority", "k1", func(t *connectors.Ticket) { t.Priority = "Blocker" }, "there are: 1 - Critical"},
	} {
		ticket := request()
		tc.change(&ticket)
		_, err := w.Create(t.Context(), tc.key, ticket)
		t.Run(tc.name, func(t *testing.T) { connectortest.Permanent(t, err, tc.want) })
	}
	if made := w.desk.Tickets(); len(made) != 0 {
		t.Errorf("%d tickets were made", len(made))
	}
}

func TestTextOfAnEventStaysText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	hostile := "^ORsys_idISNOTEMPTY^NQstate=7 [code]<script>alert(1)</script>[/code] javascript:gs.log(1) {\"state\":\"7\"}"
	ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "incident", Summary: hostile, Fields: map[string]any{"u_department": "a^b"}})
	connectortest.Must(t, err)
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n", Body: hostile}))
	got := w.ticket(t, ref)
	if got.Fields["short_description"] != hostile || got.State != "New" || got.Fields["u_department"] != "a^b" {
		t.Errorf("ticket %+v", got)
	}
	if text := got.Notes[0].Text; strings.Contains(text, "[code]") || strings.Contains(text, "[/code]") || !strings.Contains(text, "alert(1)") {
		t.Errorf("the note is %q", text)
	}
	if refs, err := w.Find(t.Context(), "k1"); err != nil || len(refs) != 1 {
		t.Errorf("find = %v, %v", refs, err)
	}
}

func TestTextsFitTheColumnsOfTheInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{Lengths: map[string]int{"task.description": 50, "incident.description": 50, "incident.u_department": 10}})
	ref, err := w.Create(t.Context(), "k1", connectors.Ticket{
		Project: "incident", Summary: strings.Repeat("é", 500), Description: strings.Repeat("日", 500), Fields: map[string]any{"u_department": "Sales and Marketing"},
	})
	connectortest.Must(t, err)
	got := w.ticket(t, ref).Fields
	for field, want := range map[string]string{
		"short_description": strings.Repeat("é", 159) + "…", "description": strings.Repeat("日", 49) + "…", "u_department": "Sales and…",
	} {
		if got[field] != want {
			t.Errorf("%s is %q, want %q", field, got[field], want)
		}
	}
}

func TestFieldsThatAreDroppedOrCutAreNoticed(t *testing.T) {
	t.Parallel()
	t.Run("our key at create", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servicenowstandin.Options{Dropped: []string{"incident.correlation_id"}})
		_, err := w.Create(t.Context(), "k1", request())
		connectortest.Permanent(t, err, "INC0010001 was opened without our key")
		if !connectors.AsError(err).Sent {
			t.Error("the error says nothing was made")
		}
	})
	t.Run("another account at create", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servicenowstandin.Options{APIKey: "key"}, func(c *Config) {
			c.User, c.Auth = "robot", Auth{APIKey: &APIKey{Key: connectors.SecretValue("key")}}
		})
		_, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "incident", Summary: "s"})
		connectortest.Permanent(t, err, `opened by "drawbridge" and not by user "robot"`)
	})
	t.Run("an update", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servicenowstandin.Options{Dropped: []string{"incident.short_description"}})
		connectortest.Permanent(t, w.Update(t.Context(), w.create(t, "k1"), connectors.Ticket{Summary: "new", Fields: map[string]any{"u_unknown": "x"}}),
			"short_description (left out or changed)", "u_unknown (there is no such field")
	})
	t.Run("a cut the dictionary does not tell of", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servicenowstandin.Options{Unreadable: []string{"sys_dictionary"}, Lengths: map[string]int{"incident.u_department": 5}})
		connectortest.Permanent(t, w.Update(t.Context(), w.create(t, "k1"), connectors.Ticket{Fields: map[string]any{"u_department": "Marketing"}}), "u_department (cut to 5 characters)")
	})
	t.Run("a note", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servicenowstandin.Options{Dropped: []string{"incident.work_notes"}})
		connectortest.Permanent(t, w.Comment(t.Context(), w.create(t, "k1"), connectors.Note{Key: "n", Body: "b"}), "able to write work_notes")
	})
	t.Run("a state", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servicenowstandin.Options{Dropped: []string{"incident.state"}})
		connectortest.Permanent(t, w.Transition(t.Context(), w.create(t, "k1"), connectors.Move{Status: "In Progress"}), `the ticket stays "New"`)
	})
	t.Run("a field of a state", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servicenowstandin.Options{Dropped: []string{"incident.u_department"}})
		connectortest.Permanent(t, w.Transition(t.Context(), w.create(t, "k1"), connectors.Move{Status: "In Progress", Fields: map[string]any{"u_department": "x"}}), "did not keep u_department")
	})
}

func TestFindTakesOnlyWhatIsOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	first := w.create(t, "k1")
	w.time.Advance(time.Minute)
	second := w.createIn(t, "k1", "sc_req_item")
	clone, err := w.desk.Clone(first.Key, "max")
	connectortest.Must(t, err)
	other := w.create(t, "k2")
	connectortest.Must(t, w.desk.Edit(other.Key, "max", map[string]string{"correlation_id": "drawbridge:k1"})) // our ticket, another key
	third := w.create(t, "k3")
	connectortest.Must(t, w.desk.Edit(third.Key, "max", map[string]string{"correlation_id": "x"}))
	connectortest.Must(t, w.desk.Edit(third.Key, "max", map[string]string{"correlation_id": "drawbridge:k3"})) // put back
	got, err := w.Find(t.Context(), "k1")
	connectortest.Must(t, err)
	if d := cmp.Diff([]connectors.Ref{first, second}, got); d != "" {
		t.Errorf("besides %s and %s (-want +got):\n%s", clone, other.Key, d)
	}
	for _, key := range []string{"k2", "k3", "k"} {
		if got, err := w.Find(t.Context(), key); err != nil || len(got) != 0 {
			t.Errorf("find %s = %v, %v, want none", key, got, err)
		}
	}
	if s := w.fetch(t, other); s.Key != "" || !s.Ours {
		t.Errorf("a ticket whose key was replaced has key %q, ours %t", s.Key, s.Ours)
	}
	copied, _ := w.desk.Ticket(clone)
	if s := w.fetch(t, w.ref(place{"incident", copied.ID}, clone)); s.Key != "" || s.Ours {
		t.Errorf("a clone has key %q, ours %t", s.Key, s.Ours)
	}
}

// ignoring is an instance that understands nothing of a search but its limit, as one does with misspelt columns.
type ignoring struct{ next http.Handler }

func (i ignoring) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if r.Method == http.MethodGet && !strings.Contains(r.URL.Path, "sys_user") && !strings.Contains(r.URL.Path, "sys_choice") {
		query.Del("sysparm_query")
		r.URL.RawQuery = query.Encode()
	}
	i.next.ServeHTTP(w, r)
}

func TestRowsThatWereNotAskedForAreNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	a, b := w.create(t, "k1"), w.create(t, "k2")
	connectortest.Must(t, w.desk.Move(b.Key, "kim", "In Progress", nil))
	connectortest.Must(t, w.desk.CommentAs(b.Key, "kim", "x", false))
	connectortest.Must(t, w.desk.AttachAs(b.Key, "kim", "b.txt", 1))
	connectortest.Must(t, w.desk.Ask(b.Key, "system", "lee"))
	clone, err := w.desk.Clone(a.Key, "max")
	connectortest.Must(t, err)
	c := open(t, ignoring{w.desk}, w.time)
	if got, err := c.Find(t.Context(), "k1"); err != nil || len(got) != 1 || got[0].ID != a.ID {
		t.Errorf("find = %v, %v", got, err)
	}
	if got, err := c.Find(t.Context(), "k9"); err != nil || len(got) != 0 {
		t.Errorf("find of nothing = %v, %v", got, err)
	}
	s, err := c.Fetch(t.Context(), a)
	connectortest.Must(t, err)
	if len(s.History) != 0 || len(s.Approvals) != 0 || len(s.Files) != 0 || s.Key != "k1" {
		t.Errorf("a quiet ticket is told as %+v", s)
	}
	_, cursor, err := c.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	changes, _, err := c.Watch(t.Context(), cursor, nil)
	connectortest.Must(t, err)
	for _, one := range changes {
		if one.Ref.Key == clone {
			t.Errorf("told of somebody else's ticket %+v", one)
		}
	}
	if groups, err := w.Groups(t.Context(), "kim"); err != nil || !cmp.Equal(groups, []string{"Approvers"}) {
		t.Errorf("groups = %v, %v", groups, err)
	}
}

func TestALostAnswerLeavesOneTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	ticket := request()
	for n := range 20 {
		key := "k" + string(rune('a'+n))
		create := connectors.Action{Kind: connectors.Create, Key: key, Ticket: &ticket}
		w.desk.CutNext("create")
		if _, err := connectors.Do(t.Context(), w, create); err == nil || !connectors.AsError(err).Sent {
			t.Fatalf("the cut create = %v, want it in doubt", err)
		}
		done, err := connectors.Do(t.Context(), w, create)
		if err != nil || !done.Found || len(done.Twins) != 0 {
			t.Fatalf("the second create = %+v, %v", done, err)
		}
	}
	if made := w.desk.Tickets(); len(made) != 20 {
		t.Errorf("%d tickets, want 20", len(made))
	}
}

func TestNotesAreInternalUnlessPublicAndWrittenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	ref := w.create(t, "k1")
	for _, n := range []connectors.Note{{Key: "a", Body: "inside"}, {Key: "a", Body: "inside"}, {Key: "b", Body: "outside", Public: true}, {Body: "unnamed"}} {
		connectortest.Must(t, w.Comment(t.Context(), ref, n))
	}
	connectortest.Must(t, w.desk.CommentAs(ref.Key, "max", "text\n\ndrawbridge-note:c", false)) // somebody else's mark
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "c", Body: "ours"}))
	w.desk.CutNext("update")
	if err := w.Comment(t.Context(), ref, connectors.Note{Key: "d", Body: "cut"}); err == nil {
		t.Error("a note whose answer was lost was told as written")
	}
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "d", Body: "cut"}))
	want := []servicenowstandin.Note{
		{By: "drawbridge", Text: "inside\n\ndrawbridge-note:a"}, {By: "drawbridge", Text: "outside\n\ndrawbridge-note:b", Public: true}, {By: "drawbridge", Text: "unnamed"},
		{By: "max", Text: "text\n\ndrawbridge-note:c"}, {By: "drawbridge", Text: "ours\n\ndrawbridge-note:c"}, {By: "drawbridge", Text: "cut\n\ndrawbridge-note:d"},
	}
	if d := cmp.Diff(want, w.ticket(t, ref).Notes); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
	connectortest.Permanent(t, w.Comment(t.Context(), ref, connectors.Note{Body: " "}), "empty")
}

func TestTransition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	ref := w.create(t, "k1")
	resolve := connectors.Move{Status: "resolved", Fields: map[string]any{"close_code": "Solved", "close_notes": "done"}, Note: &connectors.Note{Key: "n", Body: "closed"}}
	connectortest.Permanent(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Resolved"}), "mandatory: close_code")
	connectortest.Permanent(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Nowhere"}), "no state", "In Progress")
	for range 2 {
		connectortest.Must(t, w.Transition(t.Context(), ref, resolve))
	}
	if got := w.ticket(t, ref); got.State != "Resolved" || len(got.Notes) != 1 || got.Fields["sys_mod_count"] != "2" {
		t.Errorf("ticket %+v", got)
	}
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "2"})) // open again
	if got := w.fetch(t, ref); got.Status != "In Progress" || got.Category != "active" {
		t.Errorf("status %s, %s", got.Status, got.Category)
	}
	change := w.createIn(t, "k2", "change_request")
	connectortest.Permanent(t, w.Transition(t.Context(), change, connectors.Move{Status: "Implement"}), "aborted by Business Rule")
	connectortest.Must(t, w.Transition(t.Context(), change, connectors.Move{Status: "Canceled"}))
	if got := w.fetch(t, change); got.Status != "Canceled" || got.Category != "inactive" {
		t.Errorf("status %s, %s", got.Status, got.Category)
	}
}

func TestFilesAreAttachedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	ref := w.create(t, "k1")
	for range 2 {
		connectortest.Must(t, w.Attach(t.Context(), ref, connectors.File{Name: "../evidence.json", Type: "application/json", Content: []byte("{}")}))
	}
	w.time.Advance(time.Second)
	connectortest.Must(t, w.desk.AttachAs(ref.Key, "kim", "kim.txt", 7))
	connectortest.Permanent(t, w.Attach(t.Context(), ref, connectors.File{Name: "a"}), "empty")
	s := w.fetch(t, ref)
	if len(s.Files) != 2 || s.Files[0].Name != "evidence.json" || s.Files[0].Size != 2 || !s.Files[0].By.Ours || s.Files[1].By.Name != "Kim Example" || s.Files[1].At.IsZero() {
		t.Errorf("files %+v", s.Files)
	}
}

func TestDeletedTicketsAreNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	ref := w.create(t, "k1")
	connectortest.Must(t, w.desk.Delete(ref.Key))
	for name, err := range map[string]error{
		"fetch":      func() error { _, err := w.Fetch(t.Context(), ref); return err }(),
		"update":     w.Update(t.Context(), ref, connectors.Ticket{Summary: "s"}),
		"transition": w.Transition(t.Context(), ref, connectors.Move{Status: "Closed"}),
		"comment":    w.Comment(t.Context(), ref, connectors.Note{Key: "n", Body: "b"}),
	} {
		if !errors.Is(err, connectors.ErrNotFound) {
			t.Errorf("%s = %v", name, err)
		}
	}
	for _, id := range []string{"", "x", "sys_user/" + strings.Repeat("a", 32), "incident/../sys_user", strings.Repeat("a", 32)} {
		_, err := w.Fetch(t.Context(), connectors.Ref{ID: id})
		connectortest.Permanent(t, err, "not one of ServiceNow's")
	}
}
