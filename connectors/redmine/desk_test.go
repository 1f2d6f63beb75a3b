package redmine

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

// TestRedmine runs everything against a real Redmine, which the parts share.
func TestRedmine(t *testing.T) {
	t.Parallel()
	desk := desktest.StartRedmine(t, (&Config{}).DeskScript("https://bridge.example.com/in/redmine"), 400)
	known := newWorld(t, desk) // the account the desk script was told of
	t.Run("promises of every connector", func(t *testing.T) {
		t.Parallel()
		connectortest.Run(t, suite(desk))
	})
	t.Run("the desk script signs what it tells", func(t *testing.T) {
		t.Parallel()
		webhook(t, known)
	})
	for name, test := range map[string]func(*testing.T, *world){
		"creating twice leaves one ticket":             creatingTwice,
		"a snapshot tells who did what":                snapshot,
		"a refused status is a permanent failure":      refusedStatus,
		"a closed ticket is opened again":              reopened,
		"a key that was touched is none":               touchedKey,
		"a key in the description survives edits":      keyInDescription,
		"hostile text is shown and searched as it is":  hostileText,
		"long texts are cut on a rune":                 longTexts,
		"an update that is refused names the field":    refusedUpdate,
		"notes are private and written once":           notes,
		"a file survives as it is":                     files,
		"watching misses nothing":                      watching,
		"a ticket that is gone is told":                gone,
		"ping names what is missing":                   ping,
		"a ticket without our key is no success":       keyNotTaken,
		"describe tells fields and statuses":           describe,
		"groups and people":                            directory,
		"wrong credentials are not taken for an empty": wrongCredentials,
		"requests as they are sent":                    requestsAsSent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, desk))
		})
	}
}

func suite(desk *desktest.Redmine) connectortest.Suite {
	return connectortest.Suite{
		New: func(t *testing.T, base string) connectors.Connector {
			return open(t, base, desktest.Account{Token: connectortest.Canary}, byLine)
		},
		Standin: func(t *testing.T) http.Handler { return door(t, desk) },
		Ticket:  request(),
		Change:  connectors.Ticket{Summary: "Ana asks again", Fields: map[string]any{"Department": "IT"}},
		Note:    connectors.Note{Key: "note", Body: "accepted"},
		Move:    connectors.Move{Status: "Approved", Fields: map[string]any{"Systems": []string{"Mail"}}},
		File:    connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")},
		Place:   connectors.Place{Project: "access", Type: "Support"},
		Account: desk.Person("kim").ID,
		Ref:     connectors.Ref{ID: "1"},
		Inbound: []connectors.Request{notice(`{"issue":7,"journal":42}`)},
		Verification: connectors.Verification{
			HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}},
		},
	}
}

func creatingTwice(t *testing.T, w *world) {
	for _, c := range []*connector{w.connector, w.again(t, byLine)} {
		ticket := request()
		action := connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &ticket}
		first, err := connectors.Do(t.Context(), c, action)
		if err != nil {
			t.Fatal(err)
		}
		second, err := connectors.Do(t.Context(), c, action)
		if err != nil || !second.Found || second.Ref != first.Ref || len(second.Twins) != 0 {
			t.Errorf("second create = %+v, %v, want the first ticket %+v found", second, err, first.Ref)
		}
		if first.Ref.URL != w.desk.URL+"/issues/"+first.Ref.ID || first.Ref.Key != "#"+first.Ref.ID {
			t.Errorf("ref %+v", first.Ref)
		}
		// A ticket of another account with our key is not ours.
		other := newWorld(t, w.desk)
		create(t, other.again(t, func(conf *Config) { conf.KeyField = c.conf.KeyField }), "k1")
		if refs, err := c.Find(t.Context(), "k1"); err != nil || len(refs) != 1 || refs[0] != first.Ref {
			t.Errorf("find = %v, %v, want %v", refs, err, first.Ref)
		}
	}
}

func (w *world) set(t *testing.T, who string, ref connectors.Ref, fields map[string]any) {
	t.Helper()
	w.desk.Act(t, who, http.MethodPut, "issues/"+ref.ID+".json", map[string]any{"issue": fields})
}

// field is the number of a custom field.
func (w *world) field(t *testing.T, name string) int64 {
	t.Helper()
	p, err := w.project(t.Context(), "access")
	if err != nil {
		t.Fatal(err)
	}
	f, ok := p.field(name)
	if !ok {
		t.Fatalf("there is no field %s", name)
	}
	return f.ID
}

func snapshot(t *testing.T, w *world) {
	ref := create(t, w.connector, "k1")
	w.set(t, "kim", ref, map[string]any{"custom_fields": []any{map[string]any{"id": w.field(t, "Department"), "value": "Finance"}}, "subject": "by Kim"})
	w.desk.Move(t, "kim", ref.ID, "Approved")
	s := fetch(t, w.connector, ref)
	if s.Key != "k1" || !s.Ours || s.Status != "Approved" || s.Category != "closed" || s.Summary != "by Kim" || s.Priority != "High" || s.Created.IsZero() || s.Updated.IsZero() || !s.Creator.Ours {
		t.Errorf("snapshot %+v", s)
	}
	if s.Fields["Department"] != "Finance" || s.Fields["due_date"] != "2031-02-03" || !cmp.Equal(listed(s.Fields["Systems"]), []string{"Mail", "Payroll"}) {
		t.Errorf("fields %v", s.Fields)
	}
	kim := connectors.Account{Person: connectors.Person{Account: w.desk.Person("kim").ID, Name: "Kim Example"}}
	type step struct{ field, from, to string }
	var steps []step
	for _, h := range s.History {
		if h.By != kim || h.ID == "" || h.At.IsZero() {
			t.Errorf("step %+v, want one by %+v", h, kim)
		}
		steps = append(steps, step{h.Field, h.From, h.To})
	}
	for _, want := range []step{{"Department", "Sales", "Finance"}, {"summary", request().Summary, "by Kim"}, {"status", "New", "Approved"}} {
		if !slices.Contains(steps, want) {
			t.Errorf("steps %v, want %v among them", steps, want)
		}
	}
}

func refusedStatus(t *testing.T, w *world) {
	ref := create(t, w.connector, "k1")
	move := func(m connectors.Move) error { return w.Transition(t.Context(), ref, m) }
	connectortest.Permanent(t, move(connectors.Move{Status: "Feedback"}), `no way leads from "New" to status "Feedback"`, "reachable are: New, In Progress, Approved, Declined")
	connectortest.Permanent(t, move(connectors.Move{Status: "Approved", Fields: map[string]any{"Nothing": "x"}}), `"Nothing"`)
	// What Redmine does where it was not asked before: 204, and nothing changed.
	before, err := w.issue(t.Context(), ref.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	before.Allowed = []status{{named: named{ID: 4, Name: "Feedback"}}}
	connectortest.Permanent(t, w.move(t.Context(), ref.ID, before, connectors.Move{Status: "Feedback"}), `the ticket stays "New"`)
	if s := fetch(t, w.connector, ref); s.Status != "New" || s.Category != "open" {
		t.Errorf("status %q, want New", s.Status)
	}
}

func reopened(t *testing.T, w *world) {
	ref := create(t, w.connector, "k1")
	for _, status := range []string{"Declined", "In Progress", "Approved", "approved"} {
		move := connectors.Move{Status: status, Note: &connectors.Note{Key: "n-" + strings.ReplaceAll(status, " ", "-"), Body: "moved"}}
		if err := w.Transition(t.Context(), ref, move); err != nil {
			t.Fatal(err)
		}
	}
	var steps []string
	for _, h := range fetch(t, w.connector, ref).History {
		if h.Field == "status" && h.By.Ours {
			steps = append(steps, h.To)
		}
	}
	if !cmp.Equal(steps, []string{"Declined", "In Progress", "Approved"}) {
		t.Errorf("steps %v", steps)
	}
}

func touchedKey(t *testing.T, w *world) {
	ref, other := create(t, w.connector, "k1"), create(t, w.connector, "k2")
	w.set(t, "max", other, map[string]any{"custom_fields": []any{map[string]any{"id": w.field(t, keyField), "value": "k1"}}})
	if refs, err := w.Find(t.Context(), "k1"); err != nil || len(refs) != 1 || refs[0] != ref {
		t.Errorf("find = %v, %v, want %v only", refs, err, ref)
	}
	if s := fetch(t, w.connector, other); s.Key != "" || !s.Ours {
		t.Errorf("key %q, want none on a ticket whose key was changed", s.Key)
	}
}

func keyInDescription(t *testing.T, w *world) {
	c := w.again(t, byLine)
	ref, other := create(t, c, "k1"), create(t, c, "k2")
	w.set(t, "max", ref, map[string]any{"description": "More words.\n\ndrawbridge:k1"})
	w.set(t, "max", other, map[string]any{"description": "More words.\n\ndrawbridge:k1"})
	if err := c.Update(t.Context(), ref, connectors.Ticket{Description: "Ours again"}); err != nil {
		t.Fatal(err)
	}
	if refs, err := c.Find(t.Context(), "k1"); err != nil || len(refs) != 1 || refs[0] != ref {
		t.Errorf("find = %v, %v, want %v only", refs, err, ref)
	}
	if s := fetch(t, c, ref); s.Key != "k1" || !strings.HasPrefix(s.Description, "Ours again") {
		t.Errorf("key %q of %q, want k1", s.Key, s.Description)
	}
	if s := fetch(t, c, other); s.Key != "" {
		t.Errorf("key %q, want none", s.Key)
	}
	if refs, err := c.Find(t.Context(), "k"); err != nil || len(refs) != 0 {
		t.Errorf("find of a part of a key = %v, %v", refs, err)
	}
}

func hostileText(t *testing.T, w *world) {
	hostile := `x' OR 1=1 -- "</p><script>alert(1)</script>` + "\nh1. big *bold* {{include(Wiki)}} [[Wiki]] @kim #1 !http://x/y.png! \"a\":javascript:x\x00\u202e"
	ref, err := w.Create(t.Context(), "k1", connectors.Ticket{
		Project: "access", Type: "Support", Summary: hostile, Description: hostile, Fields: map[string]any{"Department": "a%_'\"b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := fetch(t, w.connector, ref)
	if !strings.HasPrefix(s.Summary, `x' OR 1=1 -- "</p><script>`) || s.Fields["Department"] != "a%_'\"b" {
		t.Errorf("snapshot %+v", s)
	}
	for _, mark := range []string{"<", "*", "{{", "[[", "@kim", " #1", "!h", `"`, "h1."} {
		if strings.Contains(s.Description, mark) {
			t.Errorf("the description has %s: %s", mark, s.Description)
		}
	}
	for _, setting := range []string{"x' OR 'a' = 'a", "%", "", "a b", "k1,k2"} {
		if refs, err := w.Find(t.Context(), setting); err == nil || len(refs) != 0 {
			t.Errorf("find %q = %v, %v, want a refusal", setting, refs, err)
		}
	}
}

func longTexts(t *testing.T, w *world) {
	c := w.again(t, byLine)
	ref, err := c.Create(t.Context(), "k1", connectors.Ticket{Project: "access", Type: "Support", Summary: strings.Repeat("é", 300), Description: strings.Repeat("ü*", 1e5)})
	if err != nil {
		t.Fatal(err)
	}
	if s := fetch(t, c, ref); s.Summary != strings.Repeat("é", 254)+"…" || s.Key != "k1" || len(s.Description) > maxText+2 || len(s.Description) < maxText-100 {
		t.Errorf("summary of %d bytes, description of %d, key %q", len(s.Summary), len(s.Description), s.Key)
	}
}

func refusedUpdate(t *testing.T, w *world) {
	ref := create(t, w.connector, "k1")
	update := func(x connectors.Ticket) error { return w.Update(t.Context(), ref, x) }
	connectortest.Permanent(t, update(connectors.Ticket{Fields: map[string]any{"assigned_to_id": 99999}}), "")
	connectortest.Permanent(t, update(connectors.Ticket{Fields: map[string]any{"due_date": "when pigs fly"}}), "Due date")
	connectortest.Permanent(t, update(connectors.Ticket{Fields: map[string]any{"Systems": "Nuclear"}}), "Systems")
	connectortest.Permanent(t, update(connectors.Ticket{Fields: map[string]any{"is_private": true}}), "left out is_private")
	connectortest.Permanent(t, update(connectors.Ticket{Fields: map[string]any{"Nothing": "x"}}), `"Nothing"`)
	connectortest.Permanent(t, update(connectors.Ticket{Fields: map[string]any{keyField: "x"}}), "holds our key")
	connectortest.Permanent(t, update(connectors.Ticket{Priority: "Sky-high"}), "there are: Low, Normal, High")
	for range 2 {
		if err := update(connectors.Ticket{Summary: "new", Priority: "Low", Description: "more", Fields: map[string]any{"Department": "IT", "Systems": []any{"Mail"}}}); err != nil {
			t.Fatal(err)
		}
	}
	s := fetch(t, w.connector, ref)
	if s.Summary != "new" || s.Description != "more" || s.Priority != "Low" || s.Fields["Department"] != "IT" || s.Key != "k1" {
		t.Errorf("ticket %+v", s)
	}
}

func notes(t *testing.T, w *world) {
	ref := create(t, w.connector, "k1")
	for _, n := range []connectors.Note{{Key: "n1", Body: "inside *only*"}, {Key: "n1", Body: "inside *only*"}, {Key: "n2", Body: "for all", Public: true}, {Key: "n2", Body: "for all", Public: true}} {
		if err := w.Comment(t.Context(), ref, n); err != nil {
			t.Fatal(err)
		}
	}
	i, err := w.issue(t.Context(), ref.ID, "journals")
	if err != nil {
		t.Fatal(err)
	}
	var private []bool
	for _, j := range i.Journals {
		private = append(private, j.Private)
	}
	if !cmp.Equal(private, []bool{true, false}) {
		t.Errorf("notes %+v, want a private and a public one", i.Journals)
	}
	connectortest.Permanent(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n3", Body: "  "}), "empty")
	// An account that may not write in private does not write.
	guest := open(t, w.desk.URL, w.desk.NoRights)
	connectortest.Permanent(t, guest.Comment(t.Context(), ref, connectors.Note{Key: "n4", Body: "secret"}), "set_notes_private")
	if i, err = w.issue(t.Context(), ref.ID, "journals"); err != nil || len(i.Journals) != 2 {
		t.Errorf("%d notes, %v", len(i.Journals), err)
	}
}

func files(t *testing.T, w *world) {
	ref := create(t, w.connector, "k1")
	content := []byte("a\r\nb\x00\xff\n")
	for range 2 {
		if err := w.Attach(t.Context(), ref, connectors.File{Name: `..\..\Gründe "x".txt`, Type: "text/plain", Content: content}); err != nil {
			t.Fatal(err)
		}
	}
	s := fetch(t, w.connector, ref)
	if len(s.Files) != 1 || s.Files[0].Name != "Gründe _x_.txt" || s.Files[0].Size != int64(len(content)) || !s.Files[0].By.Ours || s.Files[0].At.IsZero() {
		t.Errorf("files %+v", s.Files)
	}
}
