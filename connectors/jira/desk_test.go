package jira

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

// deployments runs a test against both kinds of Jira.
func deployments(t *testing.T, test func(*testing.T, *world)) {
	for _, kind := range []string{cloud, dataCenter} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, worldOptions{jira: jirastandin.Options{DataCenter: kind == dataCenter}}))
		})
	}
}

// journey makes every call there is, once.
func journey(t *testing.T, w *world) {
	t.Helper()
	ctx := t.Context()
	check := func(name string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	check("ping", w.Ping(ctx))
	_, err := w.Describe(ctx, connectors.Place{Project: "ITSEC", Type: "Access Request"})
	check("describe", err)
	_, cursor, err := w.Watch(ctx, "", nil)
	check("watch", err)
	ref := w.create(t, "k1")
	_, err = w.Find(ctx, "k1")
	check("find", err)
	check("update", w.Update(ctx, ref, connectors.Ticket{Summary: "new", Labels: []string{"more"}, Fields: map[string]any{"customfield_10042": "IT"}}))
	check("comment", w.Comment(ctx, ref, connectors.Note{Key: "n1", Body: "hello"}))
	check("attach", w.Attach(ctx, ref, connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")}))
	check("transition", w.Transition(ctx, ref, connectors.Move{Status: "Done", Note: &connectors.Note{Key: "n2", Body: "done"}}))
	_, err = w.Fetch(ctx, ref)
	check("fetch", err)
	w.time.Advance(10 * time.Minute)
	_, _, err = w.Watch(ctx, cursor, []connectors.Ref{ref})
	check("watch", err)
	_, err = w.Groups(ctx, w.kim())
	check("groups", err)
	_, _, err = w.People(ctx, "")
	check("people", err)
	desk, err := w.Create(ctx, "k2", connectors.Ticket{Project: "DESK", Type: "Service Request", Summary: "access"})
	check("create request", err)
	check("comment on request", w.Comment(ctx, desk, connectors.Note{Key: "n3", Body: "note"}))
	_, err = w.Fetch(ctx, desk)
	check("fetch request", err)
}

func TestCreatingTwiceLeavesOneTicket(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		ticket := request()
		if w.conf.Deployment == dataCenter {
			ticket.Fields["customfield_10080"] = "kim"
		}
		action := connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &ticket}
		first, err := connectors.Do(t.Context(), w.connector, action)
		if err != nil {
			t.Fatal(err)
		}
		second, err := connectors.Do(t.Context(), w.connector, action)
		if err != nil {
			t.Fatal(err)
		}
		if !second.Found || second.Ref != first.Ref || len(second.Twins) != 0 {
			t.Errorf("second create = %+v, want the first ticket %+v found", second, first.Ref)
		}
		i := w.issue(t, first.Ref)
		if want := []string{"drawbridge", "drawbridge-k1", "epm", "two_words"}; !cmp.Equal(i.Labels, want) {
			t.Errorf("labels %v, want %v", i.Labels, want)
		}
		if got := string(i.Properties["drawbridge"]); strings.TrimSpace(got) != `{"key":"k1"}` {
			t.Errorf("property %s", got)
		}
		if i.Summary != "Ana asks to run Setup Tool" || i.Fields["customfield_10070"] != "High" {
			t.Errorf("ticket %+v", i)
		}
		if first.Ref.URL != "https://jira.example.org/browse/"+first.Ref.Key {
			t.Errorf("URL %s", first.Ref.URL)
		}
	})
}

func TestALostAnswerLeavesTheCreateInDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.jira.CutNext("create")
	_, err := w.Create(t.Context(), "k1", request())
	if e := connectors.AsError(err); err == nil || e.Kind != connectors.Temporary || !e.Sent {
		t.Fatalf("create = %v, want temporary and sent", err)
	}
	refs, err := w.Find(t.Context(), "k1")
	if err != nil || len(refs) != 1 {
		t.Errorf("find = %v, %v, want the ticket", refs, err)
	}
}

func TestADataCenterTicketWithoutItsPropertyIsMendedWhenRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{jira: jirastandin.Options{DataCenter: true}})
	w.jira.FailOn("set-property", 1, 500, nil)
	ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "ITSEC", Type: "Task", Summary: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if refs, err := w.Find(t.Context(), "k1"); err != nil || len(refs) != 1 {
		t.Fatalf("find = %v, %v, want the ticket by its label", refs, err)
	}
	s, err := w.Fetch(t.Context(), ref)
	if err != nil || s.Key != "k1" {
		t.Errorf("fetch = %q, %v, want the key", s.Key, err)
	}
	if got := string(w.issue(t, ref).Properties["drawbridge"]); strings.TrimSpace(got) != `{"key":"k1"}` {
		t.Errorf("property %s", got)
	}
}

func TestClonesAreNotFound(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "ITSEC", Type: "Task", Summary: "s"})
		if err != nil {
			t.Fatal(err)
		}
		w.time.Advance(time.Second)
		clone, err := w.jira.Clone(ref.Key, "acc-ana")
		if err != nil {
			t.Fatal(err)
		}
		refs, err := w.Find(t.Context(), "k1")
		if err != nil || len(refs) != 1 || refs[0] != ref {
			t.Errorf("find = %v, %v, want %v", refs, err, ref)
		}
		copied, _ := w.jira.Issue(clone)
		s, err := w.Fetch(t.Context(), connectors.Ref{ID: copied.ID})
		if err != nil || s.Key != "" || s.Ours {
			t.Errorf("fetch of the clone: key %q, ours %v, %v", s.Key, s.Ours, err)
		}
	})
}

func TestANoteIsWrittenOnce(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "ITSEC", Type: "Task", Summary: "s"})
		if err != nil {
			t.Fatal(err)
		}
		w.jira.CutNext("comment")
		note := connectors.Note{Key: "n1", Body: "accepted at *10:00*"}
		if err := w.Comment(t.Context(), ref, note); err == nil || !connectors.AsError(err).Sent {
			t.Fatalf("comment = %v, want a lost answer", err)
		}
		if err := w.Comment(t.Context(), ref, note); err != nil {
			t.Fatal(err)
		}
		if err := w.Comment(t.Context(), ref, connectors.Note{Key: "n2", Body: "accepted at *10:00*"}); err != nil {
			t.Fatal(err)
		}
		if got := w.issue(t, ref).Comments; len(got) != 2 {
			t.Errorf("%d comments, want 2: %+v", len(got), got)
		}
	})
}

func TestTransitionGoesByTargetStatus(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "ITSEC", Type: "Access Request", Summary: "s"})
		if err != nil {
			t.Fatal(err)
		}
		move := connectors.Move{Status: "approved", Fields: map[string]any{"customfield_10050": "1h"}, Note: &connectors.Note{Key: "n", Body: "by rule"}}
		for range 2 {
			if err := w.Transition(t.Context(), ref, move); err != nil {
				t.Fatal(err)
			}
		}
		i := w.issue(t, ref)
		if i.Status != "Approved" || i.Fields["customfield_10050"] != "1h" || len(i.Comments) != 1 {
			t.Errorf("ticket %+v", i)
		}
		if err := w.Transition(t.Context(), ref, connectors.Move{Status: "Done"}); err != nil {
			t.Fatal(err)
		}
		if i = w.issue(t, ref); i.Status != "Done" || i.Resolution == "" {
			t.Errorf("status %q, resolution %q, want both", i.Status, i.Resolution)
		}
	})
}

func TestTransitionSaysWhatIsInItsWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	ref := w.create(t, "k1")
	for _, tc := range []struct {
		name string
		move connectors.Move
		want string
	}{
		{"no such status", connectors.Move{Status: "Granted"}, `no way leads from here to status "Granted"; reachable are: Approved, Declined, Done, In Review, Won't do`},
		{"not on the screen", connectors.Move{Status: "Declined", Fields: map[string]any{"customfield_10050": "1h"}}, "field customfield_10050 is not on its screen"},
		{"no status", connectors.Move{}, "no status is given"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := w.Transition(t.Context(), ref, tc.move)
			if err == nil || connectors.AsError(err).Kind != connectors.Permanent || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("transition = %v, want permanent with %q", err, tc.want)
			}
		})
	}
}

func TestAFileIsAttachedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	ref := w.create(t, "k1")
	file := connectors.File{Name: `..\..\a"b.txt`, Type: "text/plain", Content: []byte("hello")}
	w.jira.CutNext("attach")
	if err := w.Attach(t.Context(), ref, file); err == nil {
		t.Fatal("want a lost answer")
	}
	if err := w.Attach(t.Context(), ref, file); err != nil {
		t.Fatal(err)
	}
	got := w.issue(t, ref).Files
	if len(got) != 1 || got[0].Name != "a_b.txt" || string(got[0].Data) != "hello" {
		t.Errorf("files %+v", got)
	}
}

func TestUpdateKeepsWhatItIsNotAskedToChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	ref := w.create(t, "k1")
	if err := w.Update(t.Context(), ref, connectors.Ticket{Priority: "Low", Labels: []string{"late"}}); err != nil {
		t.Fatal(err)
	}
	i := w.issue(t, ref)
	if i.Priority != "Low" || i.Summary != "Ana asks to run Setup Tool" || !cmp.Equal(i.Labels, []string{"drawbridge", "drawbridge-k1", "epm", "late", "two_words"}, cmpopts.SortSlices(strings.Compare)) {
		t.Errorf("ticket %+v", i)
	}
	if err := w.Update(t.Context(), ref, connectors.Ticket{Fields: map[string]any{"labels": []string{"x"}}}); err == nil {
		t.Error("labels set as a field were taken")
	}
}

func TestPingNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		if err := w.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.jira.Deny("TRANSITION_ISSUES", "ADD_COMMENTS")
		if err := w.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "TRANSITION_ISSUES, ADD_COMMENTS") {
			t.Errorf("ping = %v, want the permissions", err)
		}
	})
}

func TestWrongCredentialsAreNotTakenForAnEmptyJira(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{
		jira:   jirastandin.Options{AnonymousReads: true},
		change: func(c *Config) { c.Auth.Basic.Token = connectors.SecretValue("canary-wrong") },
	})
	_, err := w.Find(t.Context(), "k1")
	if err == nil || connectors.AsError(err).Kind != connectors.Unwell {
		t.Errorf("find = %v, want unwell", err)
	}
	_, err = w.Describe(t.Context(), connectors.Place{Project: "ITSEC", Type: "Task"})
	if err == nil || connectors.AsError(err).Kind != connectors.Unwell || strings.Contains(err.Error(), "canary") {
		t.Errorf("describe = %v, want unwell", err)
	}
}
