package redmine

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
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
	permanent(t, err)
	if !strings.Contains(fmt.Sprint(err), connectors.ErrNotFound.Error()) {
		t.Errorf("fetch = %v, want not found", err)
	}
}

func webhook(t *testing.T, w *world) {
	var mu sync.Mutex
	var notices []connectors.Request
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		notices = append(notices, connectors.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body})
	}))
	defer hook.Close()
	w.desk.Forward(t, hook.URL)
	quiet, ref := create(t, w.connector, "k1"), create(t, w.connector, "k2")
	if err := w.Comment(t.Context(), quiet, connectors.Note{Key: "n", Body: "ours"}); err != nil {
		t.Fatal(err)
	}
	w.desk.Move(t, "kim", ref.ID, "Approved")
	given := connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(w.desk.Secret)}}}
	verifier, err := verify.New(w.Verification(), given, verify.Env{Vault: &connectors.Vault{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	heard := func(id string) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range notices {
			if _, err := verifier.Verify(t.Context(), r, ""); err != nil {
				t.Errorf("verify: %v", err)
			}
			changed := r
			changed.Body = append(bytes.Clone(r.Body), ' ')
			if _, err := verifier.Verify(t.Context(), changed, ""); err == nil {
				t.Error("a changed body was taken")
			}
			got, err := w.Receive(t.Context(), r)
			if err != nil || len(got.Changes) != 1 || got.Changes[0].ID == "" {
				t.Errorf("receive = %+v, %v", got, err)
				continue
			}
			if got.Changes[0].Ref.ID == id {
				return true
			}
		}
		return false
	}
	eventually(t, func() bool { return heard(ref.ID) })
	if heard(quiet.ID) {
		t.Error("the script told of what we did ourselves")
	}
}
