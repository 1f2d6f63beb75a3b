package rt

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

func watching(t *testing.T, w *world) {
	a, b := w.create(t, "k1"), w.create(t, "k2")
	_, cursor, err := w.Watch(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.rt.Move(t, "kim", b.ID, "approved")
	again := open(t, w.rt.URL, w.account, func(c *Config) { c.Overlap = time.Hour }) // as after a restart
	changes, next, err := again.Watch(t.Context(), cursor, []connectors.Ref{a, b})
	if err != nil || next == cursor {
		t.Fatalf("watch = %v, cursor %s, %v", changes, next, err)
	}
	var told []string
	for _, c := range changes {
		told = append(told, c.Ref.ID)
		if c.ID == "" || c.At.IsZero() {
			t.Errorf("change %+v", c)
		}
	}
	if !cmp.Equal(told, []string{a.ID, b.ID}) {
		t.Errorf("watch told of %v, want %s and %s", told, a.ID, b.ID)
	}
	// Nobody updated anything in what is still to come.
	later := progress{At: time.Now().Add(3 * time.Hour)}.cursor()
	if changes, _, err = w.Watch(t.Context(), later, []connectors.Ref{a, b}); err != nil || len(changes) != 0 {
		t.Errorf("watch from later = %v, %v, want nothing: times are in the account's own zone", changes, err)
	}
	if _, _, err = w.Watch(t.Context(), "nonsense", nil); err == nil {
		t.Error("a cursor of somebody else was taken")
	}
}

func gone(t *testing.T, w *world) {
	ref, stays := w.create(t, "k1"), w.create(t, "k2")
	w.rt.Move(t, "root", ref.ID, "deleted")
	_, cursor, err := w.Watch(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	changes, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref, stays})
	if err != nil || !told(changes, ref.ID) {
		t.Errorf("watch = %v, %v, want %s", changes, err, ref.ID)
	}
	if s := w.fetch(t, ref); s.Status != "deleted" {
		t.Errorf("status %q, want deleted", s.Status)
	}
	if _, err := w.Fetch(t.Context(), connectors.Ref{ID: "99999"}); err == nil || connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("fetch of no ticket = %v", err)
	}
}

func told(changes []connectors.Change, id string) bool {
	for _, c := range changes {
		if c.Ref.ID == id {
			return true
		}
	}
	return false
}

func webhook(t *testing.T, w *world) {
	notices := connectortest.ListenForNotices(t)
	w.rt.Forward(t, notices.URL)
	quiet, ref := w.create(t, "k1"), w.create(t, "k2")
	if err := w.Comment(t.Context(), quiet, connectors.Note{Key: "n", Body: "ours"}); err != nil {
		t.Fatal(err)
	}
	w.rt.Move(t, "kim", ref.ID, "approved")
	heard := func(ref connectors.Ref) bool {
		return slices.ContainsFunc(notices.Changes(t, w, w.rt.Secret), func(c connectors.Change) bool { return c.Ref == ref })
	}
	desktest.Eventually(t, func() bool { return heard(ref) })
	if heard(quiet) {
		t.Error("the script told of what we did ourselves")
	}
}
