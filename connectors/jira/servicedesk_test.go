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

func TestApprovalsThatAreNotFoundAreNoneOnlyWhereTheTicketIsNoRequest(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		fields map[string]any
		hidden bool // the request is not found either
		fails  bool
	}{
		{"the request is there", nil, false, true},
		{"it has a request type", map[string]any{"customfield_10010": "Get access"}, true, true},
		{"an agent's ticket", nil, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			deployments(t, func(t *testing.T, w *world) {
				ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "DESK", Type: "Service Request", Summary: "s", Fields: tc.fields})
				if err != nil {
					t.Fatal(err)
				}
				w.jira.FailOn("approvals", 1, 404, nil)
				if tc.hidden {
					w.jira.FailOn("request", 1, 404, nil)
				}
				s, err := w.Fetch(t.Context(), ref)
				if !tc.fails {
					if err != nil || len(s.Approvals) != 0 {
						t.Errorf("fetch = %+v, %v, want no approvals", s.Approvals, err)
					}
					return
				}
				if e := connectors.AsError(err); err == nil || e.Kind != connectors.Temporary || e.Sent {
					t.Errorf("fetch = %+v, %v, want a failure to be tried again", s.Approvals, err)
				}
			})
		})
	}
}
