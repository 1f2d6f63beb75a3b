package opsgenie

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	og "github.com/drawbridge-itsm/drawbridge/connectors/opsgenie/opsgeniestandin"
)

func TestSnapshotTellsWhoDidWhat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		do   func(w *world, id string) error
		want []string // field, from, to, who
	}{
		{"nothing", func(*world, string) error { return nil }, nil},
		{"an action", func(w *world, id string) error { return w.desk.Execute(id, "Kim@Corp.example", "web", "approve") }, []string{"action||Approve|kim@corp.example"}},
		{"an action after another", func(w *world, id string) error {
			return errors.Join(w.desk.Execute(id, kim, "web", "Approve"), w.desk.Execute(id, lee, "mobile", "Deny"))
		}, []string{"action||Approve|kim@corp.example", "action|Approve||lee@corp.example", "action||Deny|lee@corp.example"}},
		{"an action of a program in a name", func(w *world, id string) error { return w.desk.Execute(id, kim, "api", "Approve") }, []string{"action||Approve|kim@corp.example automation"}},
		{"an action of nobody", func(w *world, id string) error { return w.desk.Execute(id, "System", "web", "Approve") }, []string{"action||Approve| automation"}},
		{"an action of a name that is no user", func(w *world, id string) error { return w.desk.Execute(id, "Kim <kim@corp.example>", "web", "Approve") }, []string{"action||Approve| automation"}},
		{"another action", func(w *world, id string) error { return w.desk.Execute(id, kim, "web", "Restart") }, nil},
		{"a webhook without a log", func(w *world, id string) error { return w.desk.Pretend(id, kim, "Approve") }, nil},
		{"a note that looks like a log", func(w *world, id string) error {
			return w.desk.Note(id, kim, "Custom action [Approve] executed via web")
		}, nil},
		{"acknowledged twice, and left", func(w *world, id string) error {
			return errors.Join(w.desk.Move(id, kim, "web", "acknowledge", ""), w.desk.Move(id, lee, "web", "acknowledge", ""), w.desk.Move(id, "System", "policy", "unacknowledge", ""))
		}, []string{"status|open|acknowledged|kim@corp.example", "status|acknowledged|open| automation"}},
		{"closed", func(w *world, id string) error { return w.desk.Move(id, kim, "web", "close", "") }, []string{"status|open|closed|kim@corp.example"}},
		{"closed with a note", func(w *world, id string) error { return w.desk.Move(id, kim, "web", "close", "Approved\nfor a week") },
			[]string{"status|open|closed|kim@corp.example", "answer||Approved|kim@corp.example"}},
		{"our own call", func(w *world, id string) error {
			return w.Transition(context.Background(), connectors.Ref{ID: id}, connectors.Move{Status: "closed"})
		}, []string{"status|open|closed|drawbridge ours automation"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, og.Options{})
			ref := w.create(t, "k1")
			w.time.Advance(time.Minute)
			connectortest.Must(t, tc.do(w, ref.ID))
			got := w.fetch(t, ref)
			if !got.Ours || got.Key != "k1" || !got.Creator.Ours || got.Fields["department"] != "Sales" || got.Fields["entity"] != "PC-1" || got.Priority != "P2" {
				t.Errorf("snapshot %+v", got)
			}
			var steps []string
			ids := map[string]bool{}
			for _, s := range got.History {
				who := s.By.Account
				if s.By.Ours {
					who += " ours"
				}
				if s.By.Automation {
					who += " automation"
				}
				if ids[s.ID] || s.ID == "" || s.At.IsZero() {
					t.Errorf("step %+v", s)
				}
				ids[s.ID] = true
				steps = append(steps, strings.Join([]string{s.Field, s.From, s.To, who}, "|"))
			}
			if d := cmp.Diff(tc.want, steps); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
		})
	}
}

// What is told of an alert comes in pages, all of which are read.
func TestALongHistoryIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, og.Options{})
	ref := w.create(t, "k1")
	for range 260 {
		connectortest.Must(t, w.desk.Note(ref.ID, lee, "noise"))
	}
	connectortest.Must(t, w.desk.Note(ref.ID, kim, "Approved."))
	connectortest.Must(t, w.desk.Execute(ref.ID, kim, "web", "Deny"))
	if s := w.fetch(t, ref); s.Fields["answer"] != "Approved" || s.Fields["action"] != "Deny" {
		t.Errorf("answer %q, action %q", s.Fields["answer"], s.Fields["action"])
	}
	silent := newWorld(t, og.Options{}, func(c *Config) { c.Answers = nil })
	ref = silent.create(t, "k1")
	connectortest.Must(t, silent.desk.Note(ref.ID, kim, "Approved"))
	if s := silent.fetch(t, ref); s.Fields["answer"] != "" {
		t.Errorf("a note answers although nobody said so: %v", s.Fields)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, og.Options{})
	one, two := w.create(t, "k1"), w.create(t, "k2")
	clone, err := w.desk.Clone(one.ID)
	connectortest.Must(t, err)
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	seen := map[string]bool{}
	watch := func(open ...connectors.Ref) (fresh []string) {
		t.Helper()
		w.time.Advance(10 * time.Minute)
		changes, next, err := w.Watch(t.Context(), cursor, open)
		connectortest.Must(t, err)
		for _, c := range changes {
			if !seen[c.ID] {
				fresh = append(fresh, c.Ref.ID)
			}
			seen[c.ID] = true
		}
		cursor = next
		return fresh
	}
	watch(one, two)
	if got := watch(one, two); len(got) != 0 {
		t.Errorf("told of %v where nothing happened", got)
	}
	connectortest.Must(t, w.desk.Execute(one.ID, kim, "web", "Approve"))
	connectortest.Must(t, w.desk.Note(clone, kim, "x"))
	if got := watch(); !cmp.Equal(got, []string{one.ID}) {
		t.Errorf("told of %v, want %s", got, one.ID)
	}
	if got := watch(one); !cmp.Equal(got, []string{one.ID}) {
		t.Errorf("told of %v, want the entry in its log", got)
	}
	connectortest.Must(t, w.desk.Delete(two.ID))
	if got := watch(two); !cmp.Equal(got, []string{two.ID}) {
		t.Errorf("told of %v, want the one that is gone", got)
	}
	if _, err := w.Fetch(t.Context(), two); !errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("fetch = %v", err)
	}
	if _, _, err := w.Watch(t.Context(), "nonsense", nil); err == nil {
		t.Error("a cursor of somebody else was taken")
	}
}
