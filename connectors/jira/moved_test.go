package jira

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func TestATicketIsKnownByItsIdWhereverItIsMoved(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		ref, err := w.Create(t.Context(), "k1", connectors.Ticket{Project: "ITSEC", Type: "Access Request", Summary: "s"})
		if err != nil {
			t.Fatal(err)
		}
		_, cursor, err := w.Watch(t.Context(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		w.time.Advance(10 * time.Minute)
		key, err := w.jira.MoveProject(ref.Key, "acc-kim", "DESK")
		if err != nil {
			t.Fatal(err)
		}
		changes, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref})
		if err != nil || len(changes) != 1 || changes[0].Ref.ID != ref.ID || changes[0].Ref.Key != key {
			t.Errorf("watch = %v, %v, want the ticket under its new key", changes, err)
		}
		s, err := w.Fetch(t.Context(), ref)
		if err != nil || s.Ref.ID != ref.ID || s.Ref.Key != key || s.Key != "k1" || !strings.HasSuffix(s.Ref.URL, "/browse/"+key) {
			t.Errorf("fetch = %+v, %v, want it under its new key", s.Ref, err)
		}
		byKey, err := w.Fetch(t.Context(), connectors.Ref{Key: ref.Key})
		if err != nil || byKey.Ref.ID != ref.ID {
			t.Errorf("fetch by the former key = %+v, %v", byKey.Ref, err)
		}
		if refs, err := w.Find(t.Context(), "k1"); err != nil || len(refs) != 1 || refs[0].Key != key {
			t.Errorf("find = %v, %v", refs, err)
		}
		// What is written now goes by the place it is in: a service desk, where notes are internal.
		if err := w.Comment(t.Context(), ref, connectors.Note{Key: "n", Body: "x"}); err != nil {
			t.Fatal(err)
		}
		if got := w.issue(t, ref).Comments; len(got) != 1 || got[0].Public {
			t.Errorf("comments %+v, want an internal one", got)
		}
	})
}

func TestADeletedTicketIsNoticed(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		var open []connectors.Ref
		for _, key := range []string{"k1", "k2", "k3"} {
			open = append(open, w.create(t, key))
		}
		w.time.Advance(time.Hour)
		_, cursor, err := w.Watch(t.Context(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		w.time.Advance(20 * time.Minute)
		if err := w.jira.Delete(open[1].Key, "acc-kim"); err != nil {
			t.Fatal(err)
		}
		changes, _, err := w.Watch(t.Context(), cursor, open)
		if err != nil || len(changes) != 1 || changes[0].Ref.ID != open[1].ID {
			t.Errorf("watch = %v, %v, want the one that is gone", changes, err)
		}
		if _, err := w.Fetch(t.Context(), open[1]); !errors.Is(err, connectors.ErrNotFound) {
			t.Errorf("fetch = %v, want not found", err)
		}
		if err := w.Comment(t.Context(), open[1], connectors.Note{Body: "x"}); connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("comment = %v, want permanent", err)
		}
	})
}

func TestADataCenterIsAskedForAllOpenTicketsInTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{jira: jirastandin.Options{DataCenter: true}})
	var open []connectors.Ref
	for n := range 2*lookedAfter + 5 {
		ref, err := w.Create(t.Context(), "k"+strings.Repeat("x", n+1), connectors.Ticket{Project: "ITSEC", Type: "Task", Summary: "s"})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, ref)
	}
	gone := open[len(open)-1]
	if err := w.jira.Delete(gone.Key, "acc-kim"); err != nil {
		t.Fatal(err)
	}
	_, cursor, err := w.Watch(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for range 3 {
		w.time.Advance(10 * time.Minute)
		var changes []connectors.Change
		if changes, cursor, err = w.Watch(t.Context(), cursor, open); err != nil {
			t.Fatal(err)
		}
		found = found || slices.ContainsFunc(changes, func(c connectors.Change) bool { return c.Ref.ID == gone.ID })
	}
	if !found {
		t.Error("after three rounds nobody noticed that a ticket is gone")
	}
}

func TestAttachmentsStandInTheSnapshot(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		ref := w.create(t, "k1")
		if err := w.Attach(t.Context(), ref, connectors.File{Name: "ours.txt", Type: "text/plain", Content: []byte("four")}); err != nil {
			t.Fatal(err)
		}
		w.time.Advance(time.Minute)
		other := httptest.NewServer(w.jira)
		t.Cleanup(other.Close)
		body, kind, err := form("theirs.bin", connectors.File{Content: []byte("eightbit")})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, other.URL+"/rest/api/2/issue/"+ref.ID+"/attachments", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("X-Atlassian-Token", "no-check")
		req.Header.Set("Authorization", "Bearer token-kim")
		resp, err := other.Client().Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("Kim attaches: %+v, %v", resp, err)
		}
		resp.Body.Close()
		s, err := w.Fetch(t.Context(), ref)
		if err != nil || len(s.Files) != 2 {
			t.Fatalf("files %+v, %v", s.Files, err)
		}
		ours, theirs := s.Files[0], s.Files[1]
		if ours.Name != "ours.txt" || ours.Size != 4 || !ours.By.Ours || ours.At.IsZero() || ours.ID == "" {
			t.Errorf("ours is %+v", ours)
		}
		if theirs.Name != "theirs.bin" || theirs.Size != 8 || theirs.By.Ours || theirs.By.Account != w.kim() || !theirs.At.After(ours.At) {
			t.Errorf("theirs is %+v", theirs)
		}
	})
}
