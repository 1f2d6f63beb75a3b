package jira

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func TestWatchMissesNothing(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		var refs []connectors.Ref
		for _, key := range []string{"k1", "k2", "k3"} {
			ref, err := w.Create(t.Context(), key, connectors.Ticket{Project: "ITSEC", Type: "Task", Summary: "s"})
			if err != nil {
				t.Fatal(err)
			}
			refs = append(refs, ref)
		}
		changes, cursor, err := w.Watch(t.Context(), "", nil)
		if err != nil || len(changes) != 0 {
			t.Fatalf("first watch = %v, %v, want nothing: empty means from now", changes, err)
		}
		w.time.Advance(time.Hour)
		if _, cursor, err = w.Watch(t.Context(), cursor, nil); err != nil {
			t.Fatal(err)
		}
		w.time.Advance(time.Hour)
		if err := w.jira.Move(refs[1].Key, "acc-kim", "Done", nil); err != nil {
			t.Fatal(err)
		}
		w.time.Advance(time.Second)
		changes, cursor, err = w.Watch(t.Context(), cursor, nil)
		if err != nil || len(changes) != 1 || changes[0].Ref != refs[1] || changes[0].At.IsZero() {
			t.Fatalf("watch = %v, %v, want %v", changes, err, refs[1])
		}
		again, _, err := w.Watch(t.Context(), cursor, nil)
		if err != nil || !cmp.Equal(again, changes) {
			t.Errorf("watch again = %v, %v, want the same change by the same id: %v", again, err, changes)
		}
	})
}

func TestWatchAsksForAFewOpenTicketsById(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{jira: jirastandin.Options{IndexLag: func() time.Duration { return 12 * time.Hour }}})
	ref, gone := w.create(t, "k1"), w.create(t, "k2")
	_, cursor, err := w.Watch(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.time.Advance(time.Minute)
	if err := w.jira.Move(ref.Key, "acc-kim", "Approved", nil); err != nil {
		t.Fatal(err)
	}
	if err := w.jira.Delete(gone.Key, "acc-ana"); err != nil {
		t.Fatal(err)
	}
	changes, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref, gone})
	if err != nil || len(changes) != 2 || changes[0].Ref.ID != ref.ID || changes[1].Ref.ID != gone.ID {
		t.Errorf("watch = %v, %v, want both although the index lags", changes, err)
	}
}

func TestWallClockIsTheAccountsAndNeverTooLate(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, at, want string }{
		{"winter", "2026-11-20T10:05:59Z", "2026-11-20 11:05"},
		{"summer", "2026-07-01T10:05:00Z", "2026-07-01 12:05"},
		{"an hour twice", "2026-10-25T01:30:00Z", "2026-10-25 01:30"},
		{"before an hour that comes twice", "2026-10-25T00:30:00Z", "2026-10-25 01:30"},
		{"after an hour left out", "2026-03-29T01:30:00Z", "2026-03-29 03:30"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(time.RFC3339, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := wallClock(at, berlin); got != tc.want {
				t.Errorf("wallClock = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestEveryOpenTicketHasItsTurn(t *testing.T) {
	t.Parallel()
	var open []connectors.Ref
	for n := range 250 {
		open = append(open, connectors.Ref{ID: strconv.Itoa(n)})
	}
	seen := map[string]bool{}
	for turn := range 3 {
		part := some(open, turn, 100)
		if len(part) != 100 {
			t.Errorf("turn %d has %d tickets", turn, len(part))
		}
		for _, ref := range part {
			seen[ref.ID] = true
		}
	}
	if len(seen) != len(open) {
		t.Errorf("three turns look after %d of %d tickets", len(seen), len(open))
	}
	if got := some(open[:7], 5, 100); len(got) != 7 {
		t.Errorf("of seven tickets %d are looked after", len(got))
	}
	if got := some(nil, 5, 100); len(got) != 0 {
		t.Errorf("of none %d are looked after", len(got))
	}
}
