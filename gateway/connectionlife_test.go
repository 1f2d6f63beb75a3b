package gateway

import (
	"errors"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/store"
)

func TestWithState(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, state, was, want string }{
		{"none yet", "kind: Connection\nname: a\nconnector: epm # the tool\nsettings: {}\n", "paused", "active",
			"kind: Connection\nname: a\nconnector: epm # the tool\nstate: paused\nsettings: {}\n"},
		{"another", "kind: Connection\nconnector: epm\nstate: paused   # for now\nname: a\n", "active", "paused", "kind: Connection\nconnector: epm\nstate: active   # for now\nname: a\n"},
		{"quoted", "connector: epm\nstate: \"disabled\"\n", "active", "disabled", "connector: epm\nstate: active\n"},
		{"in the settings is another's", "connector: webhook\nsettings:\n  decision:\n    state: {url: x}\n", "disabled", "active",
			"connector: webhook\nstate: disabled\nsettings:\n  decision:\n    state: {url: x}\n"},
		{"at the end", "name: a\nconnector: epm", "paused", "active", "name: a\nconnector: epm\nstate: paused\n"},
	} {
		was, got, err := withState(test.text, test.state)
		if err != nil || was != test.was || got != test.want {
			t.Errorf("%s: was %q, now\n%s%v; want\n%s", test.name, was, got, err, test.want)
		}
	}
	for _, text := range []string{"{kind: Connection, name: a, connector: epm}\n", "a: [", "", "name: a\n"} {
		if _, got, err := withState(text, "paused"); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// living is a gateway with the starter rules, and an EPM request that was planned.
func living(t *testing.T) (g *Gateway, caseID string) {
	t.Helper()
	g = newTestGateway(t)
	if _, err := g.Apply(t.Context(), starterTexts(t), "tester", ""); err != nil {
		t.Fatal(err)
	}
	commits(t, g)
	if _, err := g.Accept(t.Context(), "epm", "", sent(body)); err != nil {
		t.Fatal(err)
	}
	if _, err := g.planSome(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := g.store.CaseByRequest(t.Context(), "epm", "t-100", "r-1")
	if err != nil {
		t.Fatal(err)
	}
	return g, c.ID
}

func TestAConnectionIsPausedAndGoesOn(t *testing.T) {
	t.Parallel()
	g, _ := living(t)
	set := func(state string, want bool) {
		t.Helper()
		if changed, err := g.SetConnectionState(t.Context(), "epm", state, "ana", "for a test"); err != nil || changed != want {
			t.Fatalf("%s: changed is %v, %v", state, changed, err)
		}
		v, err := g.Connection(t.Context(), "epm")
		if err != nil || v.State != state {
			t.Fatalf("it is %+v, %v", v, err)
		}
	}
	set("active", false)
	set("paused", true)
	set("disabled", true)
	if _, err := g.Accept(t.Context(), "epm", "", sent(strings.Replace(body, "r-1", "r-2", 1))); err == nil {
		t.Error("a disabled connection takes events")
	}
	set("active", true)
	versions, err := g.store.DocumentVersions(t.Context(), kindConnection, "epm")
	if err != nil || len(versions) != 4 || versions[0].Author != "ana" || versions[0].Why != "for a test" {
		t.Errorf("versions are %+v, %v", versions, err)
	}
	for name, test := range map[string]struct{ connection, state, says string }{
		"unknown connection": {"nobody", "active", "no connection"}, "unknown state": {"epm", "asleep", "active, paused or disabled"},
	} {
		if _, err := g.SetConnectionState(t.Context(), test.connection, test.state, "ana", ""); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestClearingAQueueGivesUpWhatWasCounted(t *testing.T) {
	t.Parallel()
	g, caseID := living(t)
	pending, dead, err := g.QueueOf(t.Context(), "jira")
	if err != nil || pending != 1 || dead != 0 {
		t.Fatalf("counted %d and %d, %v", pending, dead, err)
	}
	if _, err := g.ClearQueue(t.Context(), "jira", 0, "ana", ""); err == nil || !strings.Contains(err.Error(), "1 pending and 0 dead") {
		t.Errorf("more was given up than was counted: %v", err)
	}
	cleared, err := g.ClearQueue(t.Context(), "jira", 1, "ana", "started over")
	if err != nil || cleared.Canceled != 1 {
		t.Fatalf("cleared %+v, %v", cleared, err)
	}
	owed, err := g.store.DeliveriesOfCase(t.Context(), caseID)
	if err != nil || owed[0].State != store.Canceled {
		t.Errorf("owed is %+v, %v", owed, err)
	}
	if rows, err := g.store.RecordOfKind(t.Context(), "queue.cleared"); err != nil || len(rows) != 1 || rows[0].Subject != "jira" {
		t.Errorf("the record has %+v, %v", rows, err)
	}
	if _, err := g.ClearQueue(t.Context(), "nobody", -1, "ana", ""); err == nil {
		t.Error("a queue of nobody was cleared")
	}
}

func TestDeletingAConnectionIsRefusedWhileItIsNeeded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"epm", "jira"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, caseID := living(t)
			refused := func(may Deleting, says ...string) {
				t.Helper()
				_, err := g.DeleteConnection(t.Context(), name, may, "ana", "")
				refusal, ok := errors.AsType[*Refusal](err)
				if !ok {
					t.Fatalf("%+v: got %v", may, err)
				}
				for _, word := range says {
					if !strings.Contains(refusal.Text, word) {
						t.Errorf("%+v: %q lacks %q", may, refusal.Text, word)
					}
				}
			}
			refused(Deleting{}, "cases that are not closed have to do with it (1)", "rules use it")
			refused(Deleting{Rules: true}, "cases that are not closed")
			refused(Deleting{Cancel: true}, "rules use it", "epm-app")
			if v, err := g.Connection(t.Context(), name); err != nil || v.State != "active" {
				t.Errorf("a refusal left it %+v, %v", v, err)
			}
			if _, err := g.DeleteConnection(t.Context(), name, Deleting{Cancel: true, Rules: true}, "ana", "replaced"); err != nil {
				t.Fatal(err)
			}
			if _, err := g.Connection(t.Context(), name); err == nil {
				t.Error("it is still there")
			}
			c, err := g.Case(t.Context(), caseID)
			if err != nil || c.State != caseClosed || len(c.Events) != 1 {
				t.Errorf("its history is %+v, %v", c, err)
			}
			for _, d := range c.Deliveries {
				if d.State != store.Canceled {
					t.Errorf("%s to %s is %s", d.Action, d.To, d.State)
				}
			}
			d, err := g.store.Document(t.Context(), kindConnection, name, 0)
			if err != nil || !d.Deleted || d.Author != "ana" {
				t.Errorf("the document is %+v, %v", d, err)
			}
			if _, faults := newCatalogue(t.Context(), g.opener, documentsOf(t, g), 0, nil); len(faults) != 0 {
				t.Errorf("what is left is at fault: %v", Faults(faults))
			}
			if _, err := g.DeleteConnection(t.Context(), name, Deleting{}, "ana", ""); err == nil {
				t.Error("it was deleted twice")
			}
			again := map[string]string{"epm": epmConnection, "jira": jiraConnection}[name]
			if _, err := g.Apply(t.Context(), texts(again), "tester", ""); err != nil {
				t.Errorf("made again: %v", err)
			}
		})
	}
}

func documentsOf(t *testing.T, g *Gateway) []store.Document {
	t.Helper()
	docs, err := g.store.Documents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return docs
}
