package jira

import (
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestARequestTypeIsSetByTheOneCreate(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		for _, given := range []string{"get access", "id"} {
			key := "k-" + given[:2]
			if given == "id" {
				types, err := w.readRequestTypes(t.Context(), "DESK")
				if err != nil || len(types) != 2 {
					t.Fatalf("request types %v, %v", types, err)
				}
				given = types[0].ID
			}
			w.tape.take()
			ref, err := w.Create(t.Context(), key, connectors.Ticket{
				Project: "DESK", Type: "Service Request", Summary: "s", Fields: map[string]any{"customfield_10010": given},
			})
			if err != nil {
				t.Fatal(err)
			}
			writes := 0
			for _, one := range w.tape.take() {
				if strings.HasPrefix(one.Call, "POST ") {
					writes++
				}
			}
			if writes != 1 {
				t.Errorf("%d posts, want the create alone", writes)
			}
			if got := w.issue(t, ref).Fields["customfield_10010"]; got != "Get access" {
				t.Errorf("request type %q", got)
			}
			s, err := w.Fetch(t.Context(), ref)
			if err != nil || len(s.Approvals) != 2 || s.Key != key {
				t.Errorf("snapshot %+v, %v, want two approvers asked", s, err)
			}
		}
		_, err := w.Create(t.Context(), "k2", connectors.Ticket{
			Project: "DESK", Type: "Service Request", Summary: "s", Fields: map[string]any{"customfield_10010": "Get nothing"},
		})
		if e := connectors.AsError(err); e == nil || e.Kind != connectors.Permanent || e.Sent || !strings.Contains(err.Error(), `no request type "Get nothing"; it has: Get access, Report a finding`) {
			t.Errorf("create = %v, want the types there are", err)
		}
		schema, err := w.Describe(t.Context(), connectors.Place{Project: "DESK", Type: "Service Request"})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range schema.Fields {
			if f.ID == "customfield_10010" && (f.Type != "text" || strings.Join(f.Allowed, ",") != "Get access,Report a finding") {
				t.Errorf("described as %+v", f)
			}
		}
	})
}

func TestApprovalsAreReadAndNeverAnswered(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "DESK", Type: "Service Request", Summary: "s"})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.jira.Answer(ref.Key, "acc-lee", "decline"); err != nil {
			t.Fatal(err)
		}
		w.time.Advance(1e9)
		if err := w.jira.Move(ref.Key, "acc-kim", "Waiting for approval", nil); err != nil {
			t.Fatal(err)
		}
		if err := w.Transition(t.Context(), ref, connectors.Move{Status: "Resolved", Note: &connectors.Note{Key: "n", Body: "x"}}); err != nil {
			t.Fatal(err)
		}
		s, err := w.Fetch(t.Context(), ref)
		if err != nil || len(s.Approvals) != 4 || s.Approvals[0].ID == s.Approvals[2].ID {
			t.Fatalf("approvals %+v, %v, want two of two", s.Approvals, err)
		}
		lee := w.kim()[:len(w.kim())-3] + "lee"
		for _, a := range s.Approvals[:2] {
			said := a.By.Account == lee
			if a.Final != connectors.Denied || (a.Outcome == connectors.Denied) != said || a.At.IsZero() == said || a.By.Name == "" {
				t.Errorf("first approval: %+v", a)
			}
		}
		for _, a := range s.Approvals[2:] {
			if a.Final != connectors.Pending || a.Outcome != connectors.Pending || !a.At.IsZero() {
				t.Errorf("second approval: %+v", a)
			}
		}
		for _, one := range w.tape.take() {
			if strings.Contains(one.Call, "/approval") && !strings.HasPrefix(one.Call, "GET ") {
				t.Errorf("sent %s", one.Call)
			}
		}
	})
}
