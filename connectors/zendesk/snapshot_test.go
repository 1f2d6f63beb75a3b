package zendesk

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
)

func TestTheKeyIsGoneWhereAnybodyTouchedIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	one, two := w.create(t, "k1"), w.create(t, "k2")
	if s := w.fetch(t, one); s.Key != "k1" || !s.Ours || !s.Creator.Ours {
		t.Errorf("snapshot %+v", s)
	}
	connectortest.Must(t, w.desk.Edit(one.ID, somebody, map[string]any{"external_id": "k3"}))
	connectortest.Must(t, w.desk.Edit(one.ID, somebody, map[string]any{"external_id": "k1"}))
	if s := w.fetch(t, one); s.Key != "" {
		t.Errorf("edited and put back: key %q, want none", s.Key)
	}
	three := w.create(t, "k4")
	w.desk.SwapKeys(two.ID, three.ID) // without a trace
	if a, b := w.fetch(t, two), w.fetch(t, three); a.Key != "" || b.Key != "" {
		t.Errorf("swapped: keys %q and %q, want none", a.Key, b.Key)
	}
	clone := w.desk.Clone(two.ID, somebody, zendeskstandin.Bridge)
	if s := w.fetch(t, connectors.Ref{ID: clone}); s.Ours || s.Key != "" || s.Creator.Ours {
		t.Errorf("a clone said to be from us counts as ours: %+v", s)
	}
}

func TestSnapshotTellsWhoDidWhat(t *testing.T) {
	t.Parallel()
	type step struct {
		field, from, to, by string
		ours, automation    bool
	}
	for _, tc := range []struct {
		name    string
		o       zendeskstandin.Options
		do      func(w *world, id string) error
		status  string
		want    []step
		howMany int
	}{
		{
			"a person approves", zendeskstandin.Options{}, func(w *world, id string) error { return w.desk.Move(id, kim, "Approved") },
			"Approved", []step{{"status", "New", "Approved", "101", false, false}}, 1,
		},
		{
			"without custom statuses", zendeskstandin.Options{NoCustomStatuses: true}, func(w *world, id string) error { return w.desk.Move(id, kim, "solved") },
			"solved", []step{{"status", "new", "solved", "101", false, false}}, 1,
		},
		{
			"within one category", zendeskstandin.Options{}, func(w *world, id string) error {
				return errors.Join(w.desk.Move(id, kim, "Approved"), w.desk.Move(id, lee, "Declined"))
			},
			"Declined", []step{{"status", "New", "Approved", "101", false, false}, {"status", "Approved", "Declined", "102", false, false}}, 2,
		},
		{
			"a rule in a person's name", zendeskstandin.Options{}, func(w *world, id string) error { return w.desk.MoveBy(id, kim, "rule", "Approved") },
			"Approved", []step{{"status", "New", "Approved", "101", false, true}}, 1,
		},
		{
			"a program with a person's token", zendeskstandin.Options{}, func(w *world, id string) error { return w.desk.MoveBy(id, kim, "api", "Approved") },
			"Approved", []step{{"status", "New", "Approved", "101", false, true}}, 1,
		},
		{
			"Zendesk itself", zendeskstandin.Options{}, func(w *world, id string) error { return w.desk.MoveBy(id, itself, "web", "Approved") },
			"Approved", []step{{"status", "New", "Approved", "-1", false, true}}, 1,
		},
		{
			"a trigger in the same update", zendeskstandin.Options{}, func(w *world, id string) error { return w.desk.MoveAndTrigger(id, kim, 360001, "approved", "Approved") },
			"Approved", []step{{"360001", "pending", "approved", "101", false, false}, {"status", "New", "Approved", "101", false, true}}, 2,
		},
		{
			"we ourselves", zendeskstandin.Options{}, func(w *world, id string) error {
				return w.Transition(t.Context(), connectors.Ref{ID: id}, connectors.Move{Status: "In review"})
			},
			"In review", []step{{"status", "New", "In review", "9001", true, true}}, 1,
		},
		{
			"edits", zendeskstandin.Options{}, func(w *world, id string) error {
				return w.desk.Edit(id, somebody, map[string]any{"subject": "harmless", "priority": "low", "360004": []any{"mail", "payroll"}})
			},
			"New", []step{
				{"360004", "", "mail payroll", "103", false, false}, {"priority", "high", "low", "103", false, false},
				{"summary", "Ana asks to run Setup Tool", "harmless", "103", false, false},
			}, 3,
		},
		{
			"solved and closed by Zendesk", zendeskstandin.Options{}, func(w *world, id string) error {
				return errors.Join(w.desk.Move(id, kim, "Approved"), w.desk.MoveBy(id, itself, "rule", "closed"))
			},
			"closed", []step{{"status", "New", "Approved", "101", false, false}, {"status", "Approved", "closed", "-1", false, true}}, 2,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.o)
			ref := w.create(t, "k1")
			w.time.Advance(time.Minute)
			connectortest.Must(t, tc.do(w, ref.ID))
			s := w.fetch(t, ref)
			if s.Status != tc.status {
				t.Errorf("status %q, want %q", s.Status, tc.status)
			}
			var got []step
			ids := map[string]bool{}
			for _, h := range s.History {
				got = append(got, step{h.Field, h.From, h.To, h.By.Account, h.By.Ours, h.By.Automation})
				if ids[h.ID] || h.At.IsZero() {
					t.Errorf("step %+v has no id of its own, or no time", h)
				}
				ids[h.ID] = true
			}
			if d := cmp.Diff(tc.want, got, cmp.AllowUnexported(step{})); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
			again := w.fetch(t, ref)
			if d := cmp.Diff(s, again); d != "" {
				t.Errorf("read again (-first +second):\n%s", d)
			}
		})
	}
}

func TestSnapshotHasFieldsPeopleAndFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	ref := w.create(t, "k1")
	connectortest.Must(t, w.Attach(t.Context(), ref, connectors.File{Name: "a.txt", Content: []byte("abc")}))
	connectortest.Must(t, w.desk.CommentAs(ref.ID, 105, "drawbridge:k9", false))
	connectortest.Must(t, w.desk.Move(ref.ID, 105, "Open"))
	connectortest.Must(t, w.desk.Move(ref.ID, kim, "Pending"))
	s := w.fetch(t, ref)
	if s.Fields["360002"] != "Sales" || s.Fields["360001"] != "pending" || s.Fields["group_id"] != "42" || s.Fields["requester_id"] != "104" || s.Fields["type"] != "task" {
		t.Errorf("fields %v", s.Fields)
	}
	if s.Category != "pending" || s.Priority != "high" || s.Summary != "Ana asks to run Setup Tool" || !strings.Contains(s.Description, "I need <it>") || s.Created.IsZero() {
		t.Errorf("snapshot %+v", s)
	}
	want := []connectors.Account{
		{Person: connectors.Person{Account: "105", Name: "Kim Okafor"}}, // whose mail address nobody proved
		{Person: connectors.Person{Account: "101", Name: "Kim Okafor", Mail: "kim@corp.example"}},
	}
	if d := cmp.Diff(want, []connectors.Account{s.History[0].By, s.History[1].By}); d != "" {
		t.Errorf("people (-want +got):\n%s", d)
	}
	if len(s.Files) != 1 || s.Files[0].Name != "a.txt" || s.Files[0].Size != 3 || !s.Files[0].By.Ours || s.Files[0].At.IsZero() {
		t.Errorf("files %+v", s.Files)
	}
}

func TestALongHistoryIsReadWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	ref := w.create(t, "k1")
	for i := range 130 {
		connectortest.Must(t, w.desk.Move(ref.ID, lee, []string{"Open", "Pending"}[i%2]))
	}
	connectortest.Must(t, w.desk.Move(ref.ID, kim, "Approved"))
	if s := w.fetch(t, ref); len(s.History) != 131 || s.History[130].By.Account != "101" {
		t.Errorf("%d steps", len(s.History))
	}
}

func TestMergedAndDeletedTicketsAreGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	one, two, three := w.create(t, "k1"), w.create(t, "k2"), w.create(t, "k3")
	connectortest.Must(t, w.desk.Merge(one.ID, two.ID, kim))
	connectortest.Must(t, w.desk.Delete(three.ID, kim))
	for _, ref := range []connectors.Ref{one, three, {ID: "7"}} {
		if _, err := w.Fetch(t.Context(), ref); !errors.Is(err, connectors.ErrNotFound) || connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("fetch %s = %v, want not found", ref.ID, err)
		}
	}
	if s := w.fetch(t, two); s.Key != "k2" {
		t.Errorf("the other ticket has key %q", s.Key)
	}
	if refs, err := w.Find(t.Context(), "k1"); err != nil || len(refs) != 0 {
		t.Errorf("found %v, %v, want none", refs, err)
	}
	connectortest.Refused(t, w.Comment(t.Context(), one, connectors.Note{Key: "n", Body: "x"}), "closed")
}

func TestWhatIsMissingBesideATicketDoesNotMakeItGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{}, func(c *Config) { c.Approvals = &Approvals{Workflow: "w"} })
	ref := w.create(t, "k1")
	if _, err := w.Fetch(t.Context(), ref); err == nil || errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("an account without approvals: %v", err)
	}
	w = newWorld(t, zendeskstandin.Options{})
	ref = w.create(t, "k1")
	w.desk.Faults.FailOn("people", 1, http.StatusNotFound, nil)
	if _, err := w.Fetch(t.Context(), ref); err == nil || errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("people that are not found: %v", err)
	}
}

func TestApprovalsAreTheDesksOwn(t *testing.T) {
	t.Parallel()
	with := func(c *Config) { c.Approvals = &Approvals{Workflow: "01JJWORKFLOW"} }
	w := newWorld(t, zendeskstandin.Options{Approvals: true}, with)
	ref, other := w.create(t, "k1"), w.create(t, "k2")
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	w.desk.Ask(other.ID, lee)
	first := w.desk.Ask(ref.ID, lee)
	w.time.Advance(time.Minute)
	connectortest.Must(t, w.desk.Answer(first, lee, "withdrawn"))
	second := w.desk.Ask(ref.ID, kim)
	type answer struct{ id, by, outcome, final string }
	told := func() (out []answer) {
		for _, a := range w.fetch(t, ref).Approvals {
			out = append(out, answer{a.ID, a.By.Account, string(a.Outcome), string(a.Final)})
		}
		return out
	}
	if d := cmp.Diff([]answer{{first, "102", "pending", "pending"}, {second, "101", "pending", "pending"}}, told(), cmp.AllowUnexported(answer{})); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
	w.time.Advance(time.Minute)
	connectortest.Must(t, w.desk.Answer(second, kim, "approved"))
	if d := cmp.Diff([]answer{{first, "102", "pending", "pending"}, {second, "101", "approved", "approved"}}, told(), cmp.AllowUnexported(answer{})); d != "" {
		t.Errorf("answered (-want +got):\n%s", d)
	}
	last := w.fetch(t, ref).Approvals[1]
	if last.By.Name != "Kim Okafor" || last.By.Mail != "kim@corp.example" || !last.At.Equal(w.time.Now()) {
		t.Errorf("approval %+v", last)
	}
	changes, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref})
	connectortest.Must(t, err)
	found := false
	for _, c := range changes {
		found = found || c.Ref.ID == ref.ID && c.ID == ref.ID+"@approval@"+second+"@approved"
	}
	if !found {
		t.Errorf("watching told %v, want the answer among it", changes)
	}
	connectortest.Must(t, w.desk.Answer(w.desk.Ask(ref.ID, somebody), somebody, "rejected"))
	if got := told(); len(got) != 3 || got[2].final != "denied" {
		t.Errorf("rejected: %v", got)
	}
	if s := newWorld(t, zendeskstandin.Options{Approvals: true}); s.fetch(t, s.create(t, "k1")).Approvals != nil || s.desk.Requests("approvals") != 0 {
		t.Error("approvals were read though the connection does not ask for them")
	}
}

func TestATicketMovedWhileItIsReadIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, zendeskstandin.Options{})
	ref := w.create(t, "k1")
	w.between(t, func() { connectortest.Must(t, w.desk.Move(ref.ID, kim, "Approved")) })
	if s := w.fetch(t, ref); s.Status != "Approved" || len(s.History) != 1 {
		t.Errorf("snapshot %+v", s)
	}
}
