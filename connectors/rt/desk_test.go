package rt

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// TestRequestTracker runs everything against a real Request Tracker, which the parts share.
func TestRequestTracker(t *testing.T) {
	t.Parallel()
	desk := desktest.StartRequestTracker(t, (&Config{}).DeskScript("https://bridge.example.com/in/rt"), 400)
	t.Run("promises of every connector", func(t *testing.T) {
		t.Parallel()
		connectortest.Run(t, suite(desk))
	})
	for name, test := range map[string]func(*testing.T, *world){
		"creating twice leaves one ticket":             creatingTwice,
		"a snapshot tells who did what":                snapshot,
		"a refused status is a permanent failure":      refusedStatus,
		"a move never runs over somebody else's":       moveUnderIfMatch,
		"a closed ticket is opened again":              reopened,
		"a key that was touched is none":               touchedKey,
		"a merged ticket is answered with the other":   merged,
		"hostile text is shown and searched as it is":  hostileText,
		"a long subject is cut on a rune":              longSubject,
		"an update that is refused names the field":    refusedUpdate,
		"notes are internal and written once":          notes,
		"a file survives as it is":                     files,
		"watching misses nothing":                      watching,
		"a ticket that is gone is told":                gone,
		"ping names what is missing":                   ping,
		"ping names each right that is missing":        missingRights,
		"a ticket opened without our key is told":      lostKey,
		"a ticket we may not see is told":              unseenTicket,
		"a note we may not see is told":                unseenNotes,
		"fields left out at create are told":           lostFields,
		"a queue without the field for our key":        withoutKeyField,
		"describe tells fields and values":             describe,
		"groups and people":                            directory,
		"the desk script signs what it tells":          webhook,
		"wrong credentials are the connection's fault": wrongCredentials,
		"requests as they are sent":                    requestsAsSent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, desk))
		})
	}
}

func suite(desk *desktest.RequestTracker) connectortest.Suite {
	d := &doors{desk: desk, whose: map[string]desktest.Account{}}
	return connectortest.Suite{
		New:     func(t *testing.T, base string) connectors.Connector { return open(t, base, d.account(t)) },
		Standin: d.open,
		Ticket:  request(),
		Change:  connectors.Ticket{Summary: "Ana asks again", Fields: map[string]any{"Department": "IT"}},
		Note:    connectors.Note{Key: "note", Body: "accepted"},
		Move:    connectors.Move{Status: "approved", Fields: map[string]any{"Systems": "Mail"}},
		File:    connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")},
		Place:   connectors.Place{Project: "Access"},
		Account: "kim",
		Ref:     connectors.Ref{ID: "1"},
		Inbound: []connectors.Request{notice(`{"ticket":7,"transaction":42}`)},
		Verification: connectors.Verification{
			HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}},
		},
	}
}

func creatingTwice(t *testing.T, w *world) {
	ticket := request()
	action := connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &ticket}
	first, err := connectors.Do(t.Context(), w.connector, action)
	if err != nil {
		t.Fatal(err)
	}
	second, err := connectors.Do(t.Context(), w.connector, action)
	if err != nil || !second.Found || second.Ref != first.Ref || len(second.Twins) != 0 {
		t.Errorf("second create = %+v, %v, want the first ticket %+v found", second, err, first.Ref)
	}
	if first.Ref.URL != w.rt.URL+"/Ticket/Display.html?id="+first.Ref.ID || first.Ref.Key != "#"+first.Ref.ID {
		t.Errorf("ref %+v", first.Ref)
	}
	// A ticket of another account with our key is not ours.
	other := newWorld(t, w.rt)
	other.create(t, "k1")
	if refs, err := w.Find(t.Context(), "k1"); err != nil || len(refs) != 1 || refs[0] != first.Ref {
		t.Errorf("find = %v, %v, want %v", refs, err, first.Ref)
	}
}

func snapshot(t *testing.T, w *world) {
	ref := w.create(t, "k1")
	w.rt.Act(t, "kim", http.MethodPut, "ticket/"+ref.ID, map[string]any{"CustomFields": map[string]any{"Department": "Finance"}})
	w.rt.Move(t, "kim", ref.ID, "approved")
	s := w.fetch(t, ref)
	if s.Key != "k1" || !s.Ours || s.Status != "approved" || s.Summary != request().Summary || s.Created.IsZero() || s.Updated.IsZero() || !s.Creator.Ours {
		t.Errorf("snapshot %+v", s)
	}
	if s.Fields["Department"] != "Finance" || !cmp.Equal(listed(s.Fields["Systems"]), []string{"Mail", "Payroll"}) {
		t.Errorf("fields %v", s.Fields)
	}
	kim := connectors.Account{Person: connectors.Person{Account: "kim", Name: "Kim Example", Mail: "kim@example.test"}}
	type step struct{ field, from, to string }
	var steps []step
	for _, h := range s.History {
		if h.By != kim || h.ID == "" || h.At.IsZero() {
			t.Errorf("step %+v, want one by %+v", h, kim)
		}
		steps = append(steps, step{h.Field, h.From, h.To})
	}
	for _, want := range []step{{"Department", "Sales", "Finance"}, {"status", "new", "approved"}} {
		if !containsStep(steps, want) {
			t.Errorf("steps %v, want %v among them", steps, want)
		}
	}
}

func containsStep[T comparable](all []T, one T) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func refusedStatus(t *testing.T, w *world) {
	ref := w.create(t, "k1")
	connectortest.Refused(t, w.Transition(t.Context(), ref, connectors.Move{Status: "bogus"}), `transition to "bogus"`, "isn't a valid status", `stays "new"`)
	connectortest.Refused(t, w.Transition(t.Context(), ref, connectors.Move{Status: "deleted"}), "Permission Denied")
	connectortest.Refused(t, w.Transition(t.Context(), ref, connectors.Move{Status: "approved", Fields: map[string]any{"Nothing": "x"}}), `"Nothing"`)
	if s := w.fetch(t, ref); s.Status != "new" {
		t.Errorf("status %q, want new", s.Status)
	}
}

func moveUnderIfMatch(t *testing.T, w *world) {
	ref := w.create(t, "k1")
	w.between(t, func(r *http.Request) bool { return r.Method == http.MethodGet }, func() { w.rt.Move(t, "kim", ref.ID, "declined") })
	err := w.Transition(t.Context(), ref, connectors.Move{Status: "approved"})
	if e := connectors.AsError(err); err == nil || e.Kind != connectors.Temporary || e.Sent || e.Status != http.StatusPreconditionFailed {
		t.Errorf("transition = %v, want a temporary failure that changed nothing", err)
	}
	if s := w.fetch(t, ref); s.Status != "declined" {
		t.Errorf("status %q, want Kim's", s.Status)
	}
}

func reopened(t *testing.T, w *world) {
	ref := w.create(t, "k1")
	for _, status := range []string{"declined", "open", "approved", "Approved"} {
		move := connectors.Move{Status: status, Note: &connectors.Note{Key: "n-" + status, Body: "moved"}}
		if err := w.Transition(t.Context(), ref, move); err != nil {
			t.Fatal(err)
		}
	}
	s := w.fetch(t, ref)
	var steps []string
	for _, h := range s.History {
		if h.Field == "status" && h.By.Ours {
			steps = append(steps, h.To)
		}
	}
	if !cmp.Equal(steps, []string{"declined", "open", "approved"}) {
		t.Errorf("steps %v of %+v", steps, s.History)
	}
}

func touchedKey(t *testing.T, w *world) {
	ref, other := w.create(t, "k1"), w.create(t, "k2")
	set := func(id, key string) {
		w.rt.Act(t, "max", http.MethodPut, "ticket/"+id, map[string]any{"CustomFields": map[string]any{defaultKeyField: key}})
	}
	set(other.ID, "k1")
	if refs, err := w.Find(t.Context(), "k1"); err != nil || len(refs) != 1 || refs[0] != ref {
		t.Errorf("find = %v, %v, want %v only", refs, err, ref)
	}
	if s := w.fetch(t, other); s.Key != "" || !s.Ours {
		t.Errorf("key %q, want none on a ticket whose key was changed", s.Key)
	}
}

func merged(t *testing.T, w *world) {
	ref, into := w.create(t, "k1"), w.create(t, "k2")
	w.rt.Move(t, "kim", ref.ID, "approved")
	w.rt.Act(t, "root", http.MethodPut, "ticket/"+ref.ID, map[string]any{"MergeInto": into.ID})
	s := w.fetch(t, ref)
	if s.Ref.ID != into.ID || s.Key != "k2" {
		t.Errorf("fetch = %+v with key %q, want ticket %s", s.Ref, s.Key, into.ID)
	}
	for _, h := range s.History {
		if h.Field == "status" {
			t.Errorf("step %+v came along from the other ticket", h)
		}
	}
	changes, _, err := w.gone(t.Context(), []connectors.Ref{ref, into}, "")
	if err != nil || len(changes) != 1 || changes[0].Ref.ID != ref.ID {
		t.Errorf("gone = %v, %v, want %s", changes, err, ref.ID)
	}
}

func hostileText(t *testing.T, w *world) {
	hostile := `x' OR Status = 'new' \' -- "</p><script>alert(1)</script>` + "\n%s\x00\u202e${1}"
	ref, err := w.Create(t.Context(), "k1", connectors.Ticket{
		Project: "Access", Summary: hostile, Description: hostile, Fields: map[string]any{"Department": hostile},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := w.fetch(t, ref)
	if want := subject(hostile); s.Summary != want || !strings.Contains(want, `x' OR Status = 'new' \' --`) {
		t.Errorf("summary %q, want %q", s.Summary, want)
	}
	if want := markdown.Lines(hostile, maxValue); s.Fields["Department"] != want {
		t.Errorf("department %q, want %q", s.Fields["Department"], want)
	}
	text := w.rt.Act(t, "kim", http.MethodGet, "ticket/"+ref.ID+"/attachments?fields=ContentType,Content", nil)
	if !strings.Contains(text, "&lt;script&gt;") || strings.Contains(text, "<script>") {
		t.Errorf("the text is kept as %s", text)
	}
	for _, key := range []string{"x' OR 'a' = 'a", `k\`, "", "a b"} {
		if refs, err := w.Find(t.Context(), key); err == nil || len(refs) != 0 {
			t.Errorf("find %q = %v, %v, want a refusal", key, refs, err)
		}
	}
	if refs, err := w.Find(t.Context(), "k"); err != nil || len(refs) != 0 {
		t.Errorf("find of a part of a key = %v, %v", refs, err)
	}
}

func longSubject(t *testing.T, w *world) {
	ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "Access", Summary: strings.Repeat("é", 300), Description: strings.Repeat("ü ", 1e5)})
	if err != nil {
		t.Fatal(err)
	}
	if s := w.fetch(t, ref); s.Summary != strings.Repeat("é", 98)+"…" {
		t.Errorf("summary %q (%d bytes)", s.Summary, len(s.Summary))
	}
}

func refusedUpdate(t *testing.T, w *world) {
	ref := w.create(t, "k1")
	update := func(x connectors.Ticket) error { return w.Update(t.Context(), ref, x) }
	connectortest.Refused(t, update(connectors.Ticket{Fields: map[string]any{"Owner": "nobody-knows"}}), "Owner did not change", "does not exist")
	connectortest.Refused(t, update(connectors.Ticket{Fields: map[string]any{"Due": "when pigs fly"}}), "Due did not change")
	connectortest.Refused(t, update(connectors.Ticket{Fields: map[string]any{"Nothing": "x"}}), `"Nothing"`)
	connectortest.Refused(t, update(connectors.Ticket{Fields: map[string]any{defaultKeyField: "x"}}), "holds our key")
	connectortest.Refused(t, update(connectors.Ticket{Description: "new"}), "add a comment")
	for range 2 { // the second changes nothing
		if err := update(connectors.Ticket{Summary: "new", Priority: "Low", Fields: map[string]any{"Department": "IT", "Systems": []any{"Mail"}, "Due": "2027-01-02 03:04:05"}}); err != nil {
			t.Fatal(err)
		}
	}
	s := w.fetch(t, ref)
	if s.Summary != "new" || s.Fields["Department"] != "IT" || s.Fields["Systems"] != "Mail" || s.Key != "k1" {
		t.Errorf("ticket %+v", s)
	}
}

func notes(t *testing.T, w *world) {
	ref := w.create(t, "k1")
	for _, n := range []connectors.Note{{Key: "n1", Body: "inside *only*"}, {Key: "n1", Body: "inside *only*"}, {Key: "n2", Body: "for all", Public: true}, {Key: "n2", Body: "for all", Public: true}} {
		if err := w.Comment(t.Context(), ref, n); err != nil {
			t.Fatal(err)
		}
	}
	history, err := w.history(t.Context(), ref.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, x := range history {
		if x.Type == "Comment" || x.Type == "Correspond" {
			types = append(types, x.Type)
		}
	}
	if !cmp.Equal(types, []string{"Comment", "Correspond"}) {
		t.Errorf("entries %v, want one comment and one reply: %+v", types, history)
	}
	connectortest.Refused(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n3", Body: "  "}), "empty")
	if err := w.Comment(t.Context(), connectors.Ref{ID: "99999"}, connectors.Note{Key: "n", Body: "x"}); err == nil {
		t.Error("a note on no ticket was taken")
	}
}

func files(t *testing.T, w *world) {
	ref := w.create(t, "k1")
	content := []byte("a\r\nb\x00\xff\n")
	for range 2 {
		if err := w.Attach(t.Context(), ref, connectors.File{Name: `..\..\Gründe "x".txt`, Type: "text/plain", Content: content}); err != nil {
			t.Fatal(err)
		}
	}
	s := w.fetch(t, ref)
	if len(s.Files) != 1 || s.Files[0].Name != "Gründe _x_.txt" || s.Files[0].Size != int64(len(content)) || !s.Files[0].By.Ours || s.Files[0].At.IsZero() {
		t.Errorf("files %+v", s.Files)
	}
	connectortest.Refused(t, w.Attach(t.Context(), ref, connectors.File{Name: "a"}), "empty file")
}
