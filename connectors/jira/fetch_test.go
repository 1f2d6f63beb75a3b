package jira

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestAKeyCountsOnlyWhereLabelAndPropertyAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	ref := w.create(t, "k1")
	if err := w.jira.EditLabels(ref.Key, "acc-max", []string{"drawbridge-k2"}, []string{"drawbridge-k1"}); err != nil {
		t.Fatal(err)
	}
	s, err := w.Fetch(t.Context(), ref)
	if err != nil || s.Key != "" {
		t.Errorf("key %q, %v, want none", s.Key, err)
	}
	if refs, err := w.Find(t.Context(), "k2"); err != nil || len(refs) != 0 {
		t.Errorf("find = %v, %v, want nothing", refs, err)
	}
}

func TestFetchTellsWhoMovedTheTicketAndWhen(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "ITSEC", Type: "Access Request", Summary: "s", Priority: "High"})
		if err != nil {
			t.Fatal(err)
		}
		w.time.Advance(time.Minute)
		if err := w.jira.Move(ref.Key, "acc-robot", "In Review", nil); err != nil {
			t.Fatal(err)
		}
		w.time.Advance(time.Minute)
		if err := w.jira.Move(ref.Key, "acc-kim", "Approved", map[string]any{"customfield_10050": "2h"}); err != nil {
			t.Fatal(err)
		}
		s, err := w.Fetch(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		kim, robot := "acc-kim", "acc-robot"
		if w.conf.Deployment == dataCenter {
			kim, robot = "kim", "robot"
		}
		if s.Status != "Approved" || s.Category != "done" || s.Key != "k1" || !s.Ours || s.Priority != "High" || s.Fields["customfield_10050"] != "2h" {
			t.Errorf("snapshot %+v", s)
		}
		type move struct{ by, from, to string }
		var got []move
		for _, step := range s.History {
			if step.Field == "status" {
				got = append(got, move{step.By.Account, step.From, step.To})
				if step.By.Account == "acc-robot" && !step.By.Automation {
					t.Errorf("%+v is an app", step.By)
				}
				if step.ID == "" || step.At.IsZero() {
					t.Errorf("step %+v has no id or time", step)
				}
			}
		}
		if want := []move{{robot, "Open", "In Review"}, {kim, "In Review", "Approved"}}; !cmp.Equal(got, want, cmp.AllowUnexported(move{})) {
			t.Errorf("moves %v, want %v", got, want)
		}
	})
}

func TestALongHistoryIsReadWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	ref := w.create(t, "k1")
	for n := range 130 {
		w.time.Advance(time.Second)
		if err := w.jira.Edit(ref.Key, "acc-ana", map[string]any{"summary": strings.Repeat("x", n+1)}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := w.Fetch(t.Context(), ref)
	if err != nil || len(s.History) < 130 {
		t.Errorf("%d steps, %v, want 130 at least", len(s.History), err)
	}
	if last := s.History[len(s.History)-1]; len(last.To) != 130 {
		t.Errorf("last step is %+v", last)
	}
}
