package jira

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestNotesAtAServiceDeskAreInternalUnlessPublic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "DESK", Type: "Service Request", Summary: "s"})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []connectors.Note{{Body: "for {us}"}, {Body: "for all", Public: true}} {
		if err := w.Comment(t.Context(), ref, n); err != nil {
			t.Fatal(err)
		}
	}
	got := w.issue(t, ref).Comments
	if len(got) != 2 || got[0].Public || !got[1].Public {
		t.Errorf("comments %+v, want the first internal, the second public", got)
	}
}

func TestServiceDeskApprovalsAreReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "DESK", Type: "Service Request", Summary: "s"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Fetch(t.Context(), ref)
	if err != nil || len(s.Approvals) != 2 || s.Approvals[0].Final != connectors.Pending || s.Approvals[0].Outcome != connectors.Pending {
		t.Fatalf("approvals %+v, %v, want two pending", s.Approvals, err)
	}
	w.time.Advance(time.Minute)
	if err := w.jira.Answer(ref.Key, "acc-lee", "approve"); err != nil {
		t.Fatal(err)
	}
	if s, err = w.Fetch(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, a := range s.Approvals {
		if a.By.Account == "acc-lee" {
			found = a.Outcome == connectors.Approved && a.Final == connectors.Approved && !a.At.IsZero()
		}
	}
	if !found {
		t.Errorf("approvals %+v, want lee's final approval", s.Approvals)
	}
}
