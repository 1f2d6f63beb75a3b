package redmine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

func watching(t *testing.T, w *world) {
	front := httptest.NewServer(door(t, w.desk)) // a web server that tells the time, as there is one before every Redmine
	defer front.Close()
	a, b := create(t, w.connector, "k1"), create(t, w.connector, "k2")
	there := func(change func(*Config)) *connector { return open(t, front.URL, w.account, change) }
	_, cursor, err := there(func(*Config) {}).Watch(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.desk.Move(t, "kim", b.ID, "Approved")
	changes, next, err := there(func(c *Config) { c.Overlap = time.Hour }).Watch(t.Context(), cursor, []connectors.Ref{a, b}) // as after a restart
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
	later := progress{At: time.Now().Add(3 * time.Hour)}.cursor()
	if changes, _, err = w.Watch(t.Context(), later, []connectors.Ref{a, b}); err != nil || len(changes) != 0 {
		t.Errorf("watch from later = %v, %v, want nothing", changes, err)
	}
	if _, _, err = w.Watch(t.Context(), "nonsense", nil); err == nil {
		t.Error("a cursor of somebody else was taken")
	}
}

func gone(t *testing.T, w *world) {
	ref, stays := create(t, w.connector, "k1"), create(t, w.connector, "k2")
	_, cursor, err := w.Watch(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.desk.Act(t, "admin", http.MethodDelete, "issues/"+ref.ID+".json", nil)
	changes, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref, stays})
	if err != nil || !slices.ContainsFunc(changes, func(c connectors.Change) bool { return c.Ref.ID == ref.ID }) {
		t.Errorf("watch = %v, %v, want %s", changes, err, ref.ID)
	}
	_, err = w.Fetch(t.Context(), ref)
	connectortest.Permanent(t, err)
	if !strings.Contains(fmt.Sprint(err), connectors.ErrNotFound.Error()) {
		t.Errorf("fetch = %v, want not found", err)
	}
}

func webhook(t *testing.T, w *world) {
	notices := connectortest.ListenForNotices(t)
	w.desk.Forward(t, notices.URL)
	quiet, ref := create(t, w.connector, "k1"), create(t, w.connector, "k2")
	if err := w.Comment(t.Context(), quiet, connectors.Note{Key: "n", Body: "ours"}); err != nil {
		t.Fatal(err)
	}
	w.desk.Move(t, "kim", ref.ID, "Approved")
	heard := func(ref connectors.Ref) bool {
		return slices.ContainsFunc(notices.Changes(t, w, w.desk.Secret), func(c connectors.Change) bool { return c.Ref == ref })
	}
	desktest.Eventually(t, func() bool { return heard(ref) })
	if heard(quiet) {
		t.Error("the script told of what we did ourselves")
	}
}
