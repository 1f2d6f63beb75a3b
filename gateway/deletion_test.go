package gateway

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// beside is another program on the same database, which the first hears nothing of until it looks.
func (g *timed) beside(t *testing.T) *Gateway {
	t.Helper()
	vendors := builtin.Vendors()
	vendors["probe"] = func() connectors.Config { return &probe{} }
	other, err := New(t.Context(), Options{Store: g.store, Vendors: vendors, Vault: testVault(), Log: slog.New(slog.DiscardHandler), Now: g.now})
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func remove(t *testing.T, g *Gateway, name string) {
	t.Helper()
	if _, err := g.DeleteConnection(t.Context(), name, Deleting{Cancel: true, Rules: true}, "ana", "replaced"); err != nil {
		t.Fatal(err)
	}
}

func TestAConnectionThatAnotherProgramDeletedTakesNothing(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("verify: {none: true}"))
	remove(t, g.beside(t), "probe")
	for _, body := range []string{"r-1", "bad"} {
		if status, _ := g.status(t, call(body, here)); status != http.StatusNotFound {
			t.Errorf("%s is answered %d, want 404", body, status)
		}
	}
	_, err := g.SendSamples(t.Context(), "probe", []connectors.Sample{{Name: "own", Body: []byte("r-2")}}, "ana")
	if !errors.Is(err, errGone) {
		t.Errorf("a sample is answered %v", err)
	}
	if err := g.noteChanges(t.Context(), "probe", []connectors.Change{{Ref: connectors.Ref{ID: "1"}}}); !errors.Is(err, errGone) {
		t.Errorf("a change is answered %v", err)
	}
	if stored, err := g.store.UnfinishedCases(t.Context(), "probe", 10); err != nil || len(stored) != 0 {
		t.Errorf("it has the cases %v, %v", stored, err)
	}
	if kept, err := g.store.Quarantines(t.Context(), "", 10); err != nil || len(kept) != 0 {
		t.Errorf("it has in quarantine %+v, %v", kept, err)
	}
}

// One that is deleted takes nobody else's events with it, though they are committed together.
func TestEventsOfOthersAreStoredBesideThoseOfADeletedConnection(t *testing.T) {
	t.Parallel()
	other := strings.Replace(probing("verify: {none: true}"), "name: probe", "name: other", 1)
	g := newTimed(t, probing("verify: {none: true}"), other)
	remove(t, g.beside(t), "other")
	event := func(connection string) []store.Arrival {
		return []store.Arrival{{Event: store.Event{Connection: connection, Kind: "access.requested", Normal: []byte("{}"), ReceivedAt: decidedAt}}}
	}
	answers := make(chan outcome[[]store.Receipt], 2)
	g.commits.flush([]waiting[[]store.Arrival, []store.Receipt]{{event("other"), answers}, {event("probe"), answers}})
	if gone, there := <-answers, <-answers; !errors.Is(gone.err, errGone) || there.err != nil || len(there.result) != 1 {
		t.Errorf("got %+v and %+v", gone, there)
	}
}

func TestTokensEndWithTheirConnection(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing(tooling))
	token := g.token(t, withSecret("typed-s3cret"))
	if !g.good(t, token) {
		t.Fatal("it was never good")
	}
	made, err := g.MakeSecret(t.Context(), "probe", "kim", "")
	if err != nil {
		t.Fatal(err)
	}
	there := g.beside(t)
	remove(t, there, "probe")
	if stored, err := g.store.Token(t.Context(), hashOf(token)); err != nil || stored.RevokedAt.IsZero() {
		t.Errorf("the token is %+v, %v; want it revoked", stored, err)
	}
	if secrets, err := g.store.ClientSecrets(t.Context(), "probe"); err != nil || len(secrets) != 0 {
		t.Errorf("its secrets are %+v, %v", secrets, err)
	}
	for _, secret := range []string{"typed-s3cret", made.Secret} {
		_, err := g.Token(t.Context(), withSecret(secret))
		if refusal, ok := errors.AsType[*TokenRefusal](err); !ok || refusal.Code != InvalidClient {
			t.Errorf("a token is given out after the deletion: %v", err)
		}
	}
	if _, err := there.Apply(t.Context(), texts(probing(tooling)), "tester", ""); err != nil {
		t.Fatal(err)
	}
	if err := g.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.good(t, token) {
		t.Error("a token of before is good at the connection made anew")
	}
}
