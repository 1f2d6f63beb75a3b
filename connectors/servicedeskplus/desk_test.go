package servicedeskplus

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	desk "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
)

var longText = strings.Repeat("ünïcödé ", 60)

func TestALostAnswerLeavesOneRequest(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){"by field": func(*Config) {}, "by subject": bySubject} {
		w := newWorld(t, desk.Options{}, change)
		w.desk.CutNext("create")
		action := connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: new(ticket())}
		if _, err := connectors.Do(t.Context(), w.connector, action); err == nil || !connectors.AsError(err).Sent {
			t.Fatalf("%s: cut: %v", name, err)
		}
		done, err := connectors.Do(t.Context(), w.again(t, change), action)
		if err != nil || !done.Found || len(done.Twins) > 0 || len(w.desk.Tickets()) != 1 {
			t.Errorf("%s: %+v, %v, %d requests", name, done, err, len(w.desk.Tickets()))
		}
		if done.Ref.Key != "#800" || done.Ref.ID != w.desk.Tickets()[0].ID {
			t.Errorf("%s: ref %+v", name, done.Ref)
		}
	}
}

func TestFindLeavesOutWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){"by field": func(*Config) {}, "by subject": bySubject} {
		w := newWorld(t, desk.Options{SearchLag: time.Minute}, change)
		first := create(t, w.connector, "k1")
		if found, err := w.Find(t.Context(), "k1"); err != nil || len(found) != 0 {
			t.Errorf("%s: while the index lags: %v, %v", name, found, err)
		}
		_, err := w.desk.Clone(first.ID, desk.Max)
		connectortest.Must(t, err)
		second := create(t, w.connector, "k1")
		create(t, w.connector, "k12")
		connectortest.Must(t, w.desk.Edit(create(t, w.connector, "K1").ID, desk.Max, "description", "[drawbridge:k1]"))
		trashed := create(t, w.connector, "k1")
		connectortest.Must(t, w.desk.Trash(trashed.ID, desk.Max))
		w.time.Advance(time.Hour)
		found, err := w.Find(t.Context(), "k1")
		if err != nil || !cmp.Equal(found, []connectors.Ref{first, second}) {
			t.Errorf("%s: found %v, %v, want %v", name, found, err, []connectors.Ref{first, second})
		}
	}
}

func TestNothingAnEventHoldsBecomesASearchOrMarkup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{})
	for _, key := range []string{"", `k"`, "k1'", `k1"},{"field":"id"`, "k 1", "k\n1", "k]", strings.Repeat("k", 151)} {
		_, err := w.Find(t.Context(), key)
		connectortest.Permanent(t, err)
		_, err = w.Create(t.Context(), key, ticket())
		connectortest.Permanent(t, err)
	}
	hostile := ticket()
	hostile.Summary = "x\"}]}&input_data={} [drawbridge:other]\r\n" + longText
	hostile.Description = `<img src=x onerror=alert(1)> [a](javascript:alert(1)) "}}` + "\x00"
	hostile.Fields = map[string]any{"udf_char2": `"},{"field":"x"} ` + "\u202e"}
	ref, err := w.Create(t.Context(), "k1", hostile)
	connectortest.Must(t, err)
	got, _ := w.desk.Ticket(ref.ID)
	if utf8.RuneCountInString(got.Subject) != 250 || !strings.HasPrefix(got.Subject, `x"}]}&input_data={} [drawbridge:other] ü`) || !strings.HasSuffix(got.Subject, "…") {
		t.Errorf("subject %q", got.Subject)
	}
	if strings.Contains(got.Description, "<img") || strings.Contains(got.Description, "href") || got.Additional["udf_char2"] != `"},{"field":"x"}` {
		t.Errorf("description %q, field %q", got.Description, got.Additional["udf_char2"])
	}
	if s := fetch(t, w.connector, ref); s.Key != "k1" {
		t.Errorf("key %q", s.Key)
	}
	for _, id := range []string{"", "0", "1/notes", "../x", "1?x", "-1", "1e9"} {
		_, err := w.Fetch(t.Context(), connectors.Ref{ID: id})
		connectortest.Permanent(t, err)
	}
	for name, v := range map[string]any{"udf_char1": "mine", "created_by": "x", "approval_status": "Approved", "a b": 1, "udf_fields": map[string]any{"udf_char1": "x"}, "udf_fields.x": "", "impact_details": 1, "category": 7.0} {
		connectortest.Permanent(t, w.Update(t.Context(), ref, connectors.Ticket{Fields: map[string]any{name: v}}), "field ")
	}
}

func TestValuesInTheDesksOwnShapeHoldNoMarkup(t *testing.T) {
	t.Parallel()
	const script, text = "<script>alert(1)</script>\x00", "&lt;script&gt;alert(1)&lt;/script&gt;"
	got, err := (&connector{}).body(connectors.Ticket{Fields: map[string]any{
		"resolution":          map[string]any{"content": script, "add_to_linked_requests": true},
		"assets":              []any{map[string]any{"name": "R&D " + script}, 7.0},
		"email_ids_to_notify": []string{script},
		"site":                map[string]any{"name": script},
		"udf_ref1":            map[string]any{"name": script},
		"scheduled_text":      script + strings.Repeat("x", maxValue),
	}})
	connectortest.Must(t, err)
	long, _ := got["scheduled_text"].(string)
	if !strings.HasPrefix(long, text) || !strings.HasSuffix(long, "…") {
		t.Errorf("a text is sent as %.60q, want it cut and without markup", long)
	}
	delete(got, "scheduled_text")
	want := map[string]any{
		"resolution":          map[string]any{"content": text, "add_to_linked_requests": true},
		"assets":              []any{map[string]any{"name": "R&D " + text}, 7.0},
		"email_ids_to_notify": []any{text},
		"site":                map[string]any{"name": text},
		"udf_fields":          map[string]any{"udf_ref1": map[string]any{"name": text}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("body (-want +got):\n%s", d)
	}
}

func TestPingNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, edition string
		deny          []string
		words         []string
	}{
		{"nothing", desk.Cloud, nil, nil},
		{"read", desk.Cloud, []string{"read"}, []string{"scope SDPOnDemand.requests.READ"}},
		{"create", desk.Cloud, []string{"create"}, []string{"scope SDPOnDemand.requests.CREATE"}},
		{"update", desk.Cloud, []string{"update"}, []string{"scope SDPOnDemand.requests.UPDATE"}},
		{"two", desk.Cloud, []string{"create", "update"}, []string{"SDPOnDemand.requests.CREATE", "SDPOnDemand.requests.UPDATE"}},
		{"nothing on premises", desk.OnPrem, nil, nil},
		{"read on premises", desk.OnPrem, []string{"read"}, []string{"the role's right to view requests"}},
		{"create on premises", desk.OnPrem, []string{"create"}, []string{"the role's right to create requests"}},
		{"update on premises", desk.OnPrem, []string{"update"}, []string{"the role's right to edit requests"}},
	} {
		w := newWorld(t, desk.Options{Edition: tt.edition})
		w.desk.Deny(tt.deny...)
		err := w.Ping(t.Context())
		if len(tt.words) == 0 {
			connectortest.Must(t, err)
		} else {
			connectortest.Permanent(t, err, tt.words...)
			for _, other := range []string{"READ", "CREATE", "UPDATE", "view", "create", "edit"} {
				if !strings.Contains(strings.Join(tt.words, " "), other) && strings.Contains(err.Error(), "requests."+other) {
					t.Errorf("%s: %q names %s as well", tt.name, err, other)
				}
			}
		}
		if len(w.desk.Tickets()) > 0 {
			t.Errorf("%s: ping made a request", tt.name)
		}
	}
	connectortest.Permanent(t, newWorld(t, desk.Options{}, func(c *Config) { c.KeyField = "udf_char9" }).Ping(t.Context()), "udf_fields.udf_char9")
	ignoring := newWorld(t, desk.Options{IgnoresSearch: true})
	create(t, ignoring.connector, "k1")
	misnamed := ignoring.again(t, func(c *Config) { c.KeyField = "udf_char9" })
	connectortest.Permanent(t, misnamed.Ping(t.Context()), "does not search by the field udf_char9")
	_, err := misnamed.Find(t.Context(), "k1")
	connectortest.Permanent(t, err, "does not search by the field udf_char9")
}

func TestRefusalsNameTheField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{})
	for _, tt := range []struct {
		change func(*connectors.Ticket)
		words  []string
	}{
		{func(x *connectors.Ticket) { x.Type = "With category"; x.Fields = nil }, []string{"mandatory field is missing: category, urgency", "4012"}},
		{func(x *connectors.Ticket) { x.Type = "None such" }, []string{"not known there: template", "4001"}},
		{func(x *connectors.Ticket) { x.Priority = "Extreme" }, []string{"not known there: priority"}},
		{func(x *connectors.Ticket) { x.Fields = map[string]any{"bogus": "x"} }, []string{"bogus"}},
		{func(x *connectors.Ticket) { x.Fields = map[string]any{"udf_none": "x"} }, []string{"udf_none"}},
		{func(x *connectors.Ticket) { x.Summary = " \n" }, []string{"summary is empty"}},
	} {
		x := ticket()
		tt.change(&x)
		_, err := w.Create(t.Context(), "k1", x)
		connectortest.Permanent(t, err, tt.words...)
		if connectors.AsError(err).Sent {
			t.Errorf("%v: the error says the desk may have acted", err)
		}
	}
	if len(w.desk.Tickets()) > 0 {
		t.Error("a refused request was made")
	}
	connectortest.Permanent(t, w.Transition(t.Context(), create(t, w.connector, "k1"), connectors.Move{Status: "Nowhere"}), "status")
}

func TestARequestOfAnotherAccountIsNoneOfOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{}, func(c *Config) { c.Account = "somebody@example.com" })
	_, err := w.Create(t.Context(), "k1", ticket())
	connectortest.Permanent(t, err, "#800", "created by somebody else")
	if !connectors.AsError(err).Sent {
		t.Error("the error says there is no request")
	}
	byID := w.again(t, func(c *Config) { c.Account = "100000000000000100" })
	ref := create(t, byID, "k2")
	if s := fetch(t, byID, ref); !s.Ours || s.Key != "k2" {
		t.Errorf("by id: ours %t, key %q", s.Ours, s.Key)
	}
	if s := fetch(t, w.connector, ref); s.Ours || s.Key != "" {
		t.Errorf("for somebody else: ours %t, key %q", s.Ours, s.Key)
	}
	clone, err := w.desk.Clone(ref.ID, desk.Max)
	connectortest.Must(t, err)
	if s := fetch(t, byID, connectors.Ref{ID: clone}); s.Ours || s.Key != "" {
		t.Errorf("a clone: ours %t, key %q", s.Ours, s.Key)
	}
}

func TestTransition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{})
	ref := create(t, w.connector, "k1")
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "on hold", Note: &connectors.Note{Key: "n", Body: "waits"}}))
	writes := w.desk.Requests("update")
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "On Hold", Note: &connectors.Note{Key: "n", Body: "waits"}}))
	got, _ := w.desk.Ticket(ref.ID)
	if w.desk.Requests("update") != writes || got.Status != "On Hold" || len(got.Notes) != 1 || got.Notes[0].Public {
		t.Errorf("moved again: %+v", got)
	}
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Closed", Fields: map[string]any{"closure_code": "success", "requester_ack_resolution": false}}))
	got, _ = w.desk.Ticket(ref.ID)
	if got.Status != "Closed" || w.desk.Requests("close") != 1 || got.Closure["closure_code"].(map[string]any)["name"] != "success" {
		t.Errorf("closed: %+v", got)
	}
	if s := fetch(t, w.connector, ref); s.Category != "closed" || s.Status != "Closed" {
		t.Errorf("closed: %s, %s", s.Status, s.Category)
	}
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Open"}))
	if s := fetch(t, w.connector, ref); s.Category != "open" || s.Status != "Open" {
		t.Errorf("open again: %s, %s", s.Status, s.Category)
	}
	connectortest.Permanent(t, w.Transition(t.Context(), ref, connectors.Move{}))
	connectortest.Permanent(t, w.Transition(t.Context(), ref, connectors.Move{Status: "On Hold", Fields: map[string]any{"closure_code": "x"}}), "closing only")
	connectortest.Permanent(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Closed", Fields: map[string]any{"closure_code": 7}}), "closure_code")
}

func TestComment(t *testing.T) {
	t.Parallel()
	for _, wrapper := range []string{"request_note", "note"} {
		w := newWorld(t, desk.Options{NoteWrapper: wrapper})
		ref := create(t, w.connector, "k1")
		connectortest.Must(t, w.desk.CommentAs(ref.ID, desk.Max, "<p>drawbridge-note:n1</p>"))
		w.desk.CutNext("comment")
		if err := w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**accepted**"}); wrapper == "request_note" && err == nil {
			t.Error("the answer was not lost")
		}
		connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**accepted**"}))
		connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n2", Body: "for all", Public: true}))
		got, _ := w.desk.Ticket(ref.ID)
		if len(got.Notes) != 3 || got.Notes[1].Text != "<p><strong>accepted</strong></p><p>drawbridge-note:n1</p>" || got.Notes[1].Public || !got.Notes[2].Public {
			t.Errorf("%s: notes %+v", wrapper, got.Notes)
		}
		connectortest.Permanent(t, w.Comment(t.Context(), ref, connectors.Note{Body: " "}))
		connectortest.Permanent(t, w.Comment(t.Context(), ref, connectors.Note{Key: "a b", Body: "x"}))
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{})
	ref := create(t, w.connector, "k1")
	for range 2 {
		connectortest.Must(t, w.Attach(t.Context(), ref, connectors.File{Name: `..\a/"b".txt`, Content: []byte("xyz")}))
	}
	s := fetch(t, w.connector, ref)
	if len(s.Files) != 1 || s.Files[0].Name != "_b_.txt" || s.Files[0].Size != 3 || !s.Files[0].By.Ours || s.Files[0].At.IsZero() {
		t.Errorf("files %+v", s.Files)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	s, err := newWorld(t, desk.Options{MaxRows: 2}).Describe(t.Context(), connectors.Place{})
	connectortest.Must(t, err)
	if !slices.Contains(s.Statuses, "Closed") || !slices.Contains(s.Fields[1].Allowed, "High") || !s.Fields[0].Required {
		t.Errorf("schema %+v", s)
	}
}

func TestGoneRequestsAreNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{})
	trashed, deleted := create(t, w.connector, "k1"), create(t, w.connector, "k2")
	connectortest.Must(t, w.desk.Trash(trashed.ID, desk.Max))
	connectortest.Must(t, w.desk.Delete(deleted.ID, desk.Max))
	for _, ref := range []connectors.Ref{trashed, deleted} {
		if _, err := w.Fetch(t.Context(), ref); !errors.Is(err, connectors.ErrNotFound) {
			t.Errorf("%s: %v, want not found", ref.Key, err)
		}
	}
}

func TestApprovalsThatCannotBeReadAreNoMissingRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{})
	ref := create(t, w.connector, "k1")
	w.desk.FailOn("levels", 1, http.StatusNotFound, nil)
	if _, err := w.Fetch(t.Context(), ref); err == nil || errors.Is(err, connectors.ErrNotFound) || connectors.AsError(err).Kind != connectors.Temporary {
		t.Errorf("got %v", err)
	}
}

func TestATokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{})
	ref := create(t, w.connector, "k1")
	w.desk.RevokeTokens()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := w.Fetch(t.Context(), ref); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.desk.Requests("token"); n < 2 || n > 3 { // a call may still come with the token that was just renewed
		t.Errorf("tokens were asked for %d times, want 2", n)
	}
	wrong := w.again(t, func(c *Config) { c.Auth.OAuth.ClientSecret = connectors.SecretValue("no") })
	if err := wrong.Ping(t.Context()); err == nil || connectors.AsError(err).Kind != connectors.Unwell || !strings.Contains(err.Error(), "refresh token") {
		t.Errorf("a wrong secret: %v", err)
	}
}
