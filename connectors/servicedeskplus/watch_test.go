package servicedeskplus

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	desk "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
)

func ids(changes []connectors.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Ref.ID)
	}
	return out
}

func TestWatchGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]desk.Options{"short words": {MaxRows: 2}, "long words": {MaxRows: 3, LongWords: true}} {
		change := func(c *Config) {
			if o.LongWords {
				c.SearchWords = "long"
			}
		}
		w := newWorld(t, o, change)
		changes, cursor, err := w.Watch(t.Context(), "", nil)
		if err != nil || len(changes) != 0 {
			t.Fatalf("%s: start: %v, %v", name, changes, err)
		}
		var want []string
		for i := range 7 {
			w.time.Advance(time.Second)
			want = append(want, create(t, w.connector, fmt.Sprintf("k%d", i)).ID)
		}
		stranger, err := w.desk.Clone(want[0], desk.Max)
		connectortest.Must(t, err)
		changes, next, err := w.again(t, change).Watch(t.Context(), cursor, nil)
		connectortest.Must(t, err)
		if d := cmp.Diff(want, ids(changes)); d != "" || slices.Contains(ids(changes), stranger) {
			t.Errorf("%s: told of (-want +got):\n%s", name, d)
		}
		w.time.Advance(10 * time.Minute)
		_, next, err = w.Watch(t.Context(), next, nil) // the overlap tells them once more
		connectortest.Must(t, err)
		w.time.Advance(time.Minute)
		connectortest.Must(t, w.desk.Move(want[3], desk.Max, "On Hold"))
		changes, _, err = w.again(t, change).Watch(t.Context(), next, nil)
		if err != nil || !cmp.Equal(ids(changes), want[3:4]) {
			t.Errorf("%s: later told of %v, %v, want %s", name, ids(changes), err, want[3])
		}
		if _, _, err := w.Watch(t.Context(), "nonsense", nil); err == nil {
			t.Errorf("%s: a cursor of somebody else was taken", name)
		}
	}
}

func TestWatchSurvivesManyAtOneTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{MaxRows: 2})
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	var want []string
	for i := range 5 {
		want = append(want, create(t, w.connector, fmt.Sprintf("k%d", i)).ID)
	}
	changes, _, err := w.Watch(t.Context(), cursor, nil)
	if err != nil || !cmp.Equal(ids(changes), want) {
		t.Errorf("told of %v, %v, want %v", ids(changes), err, want)
	}
}

func TestWatchSeesAnApprovalThatMovesNoTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{QuietApprovals: true})
	ref := create(t, w.connector, "k1")
	w.time.Advance(20 * time.Minute)
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	first, cursor, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref})
	connectortest.Must(t, err)
	connectortest.Must(t, w.desk.Answer(ref.ID, desk.Kim, desk.Approved))
	second, cursor, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref})
	connectortest.Must(t, err)
	third, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref})
	connectortest.Must(t, err)
	if len(first) != 1 || len(second) != 1 || len(third) != 1 || first[0].ID == second[0].ID || second[0].ID != third[0].ID {
		t.Errorf("told of %+v, %+v, %+v", first, second, third)
	}
}

func TestWatchTellsOfWhatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{})
	gone, stays := create(t, w.connector, "k1"), create(t, w.connector, "k2")
	w.time.Advance(20 * time.Minute)
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	connectortest.Must(t, w.desk.Delete(gone.ID, desk.Max))
	changes, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{gone, stays})
	if err != nil || !slices.Contains(ids(changes), gone.ID) {
		t.Errorf("told of %v, %v, want %s", ids(changes), err, gone.ID)
	}
}

func TestOpenRequestsAreLookedAtInRounds(t *testing.T) {
	t.Parallel()
	var open []connectors.Ref
	for i := range 250 {
		open = append(open, connectors.Ref{ID: fmt.Sprintf("%d", 99999999999999900+i)})
	}
	slices.Reverse(open)
	seen, at := map[string]int{}, ""
	for range 3 {
		part := round(append(open, connectors.Ref{ID: "../x"}), at)
		for _, id := range part {
			seen[id]++
		}
		at = part[len(part)-1]
	}
	if len(seen) != 250 {
		t.Errorf("three rounds saw %d of 250", len(seen))
	}
	if next := round(open, at); next[0] != "99999999999999900" {
		t.Errorf("the next round starts with %s", next[0])
	}
	if round(nil, "7") != nil {
		t.Error("nothing to look at, but something was")
	}
}

func TestAChangeGetsItsLastIDWhenItIsOver(t *testing.T) {
	t.Parallel()
	c := spoken(t, nil)
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	id := func(name string, after time.Duration) string {
		return c.changed(request{ID: "7", Updated: stamp{at}, Approval: &named{Name: name}}, at.Add(after)).ID
	}
	if id("", time.Second) == id("", 2*time.Second) || id("", 2*time.Second) == id("", settle) || id("", settle) != id("", time.Hour) || id("Approved", time.Hour) == id("", time.Hour) {
		t.Errorf("ids %s, %s, %s", id("", time.Second), id("", settle), id("Approved", time.Hour))
	}
}
