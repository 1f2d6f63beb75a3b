package gateway

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestTradesOfAllReplicasComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		var under, trades atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			k := keeper{store: s, vault: testVault(), connection: "jira", now: time.Now}
			wg.Go(func() {
				for range 2 {
					err := k.Trade(t.Context(), "refresh_token", func(_ context.Context, kept string) (string, error) {
						if under.Add(1) != 1 {
							t.Error("two trades are under way")
						}
						defer under.Add(-1)
						n, _ := strconv.Atoi(kept) // nothing is 0
						if n != int(trades.Load()) {
							t.Errorf("kept is %q after %d trades", kept, trades.Load())
						}
						trades.Add(1)
						return strconv.Itoa(n + 1), nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if trades.Load() != 8 {
			t.Errorf("%d trades, want 8", trades.Load())
		}
		if sealed, err := s.Kept(t.Context(), "jira", "refresh_token"); err != nil || sealed == "8" || sealed == "" {
			t.Errorf("stored is %q, %v, want it sealed", sealed, err)
		}
	})
}

func TestATradeThatFailsLeavesWhatWasKept(t *testing.T) {
	t.Parallel()
	k := keeper{store: storetest.New(t, storetest.SQLite), vault: testVault(), connection: "jira", now: time.Now}
	give := func(text string, fault error) func(context.Context, string) (string, error) {
		return func(context.Context, string) (string, error) { return text, fault }
	}
	if err := k.Trade(t.Context(), "x", give("one", nil)); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if err := k.Trade(t.Context(), "x", give("two", refused)); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	err := k.Trade(t.Context(), "x", func(_ context.Context, kept string) (string, error) {
		if kept != "one" {
			t.Errorf("kept is %q", kept)
		}
		return kept, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhatWasTradedIsStoredThoughTheCallerGaveUp(t *testing.T) {
	t.Parallel()
	k := keeper{store: storetest.New(t, storetest.SQLite), vault: testVault(), connection: "jira", now: time.Now}
	ctx, cancel := context.WithCancel(t.Context())
	if err := k.Trade(ctx, "x", func(ctx context.Context, _ string) (string, error) {
		cancel()
		if ctx.Err() != nil {
			t.Error("the trade was ended half-way")
		}
		return "new", nil
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := k.read(t.Context(), "x"); err != nil || got != "new" {
		t.Errorf("kept is %q, %v", got, err)
	}
}

func TestNothingIsTradedThatCouldNotBeSealed(t *testing.T) {
	t.Parallel()
	k := keeper{store: storetest.New(t, storetest.SQLite), vault: &connectors.Vault{}, connection: "jira", now: time.Now}
	err := k.Trade(t.Context(), "x", func(context.Context, string) (string, error) {
		t.Error("traded")
		return "", nil
	})
	if err == nil || connectors.AsError(err).Kind != connectors.Unwell {
		t.Errorf("got %v", err)
	}
}

func TestAConnectionMadeAnewRemembersNothing(t *testing.T) {
	t.Parallel()
	g := newTimed(t)
	k := keeper{store: g.store, vault: testVault(), connection: "probe", now: time.Now}
	if err := k.Trade(t.Context(), "x", func(context.Context, string) (string, error) { return "old", nil }); err != nil {
		t.Fatal(err)
	}
	g.apply(t, probing("verify: {none: true}"))
	if got, err := k.read(t.Context(), "x"); err != nil || got != "" {
		t.Errorf("kept is %q, %v", got, err)
	}
}

// subscriber is a desk that is asked for webhooks.
type subscriber struct {
	connectors.Connector
	asked []string
	fault error
}

func (s *subscriber) Subscribe(_ context.Context, notices string) (time.Duration, error) {
	s.asked = append(s.asked, notices)
	return time.Hour, s.fault
}

func TestWebhooksAreKeptAlive(t *testing.T) {
	t.Parallel()
	g := newTimed(t)
	w := newWorker(g.Gateway, "jira")
	desk := &subscriber{}
	conn := &connection{doc: ConnectionDoc{Name: "jira"}, connector: desk}
	conn.doc.Delivery.Timeout = time.Second
	round := func(after time.Duration, asked, notices int) {
		t.Helper()
		if err := w.subscribe(t.Context(), conn, decidedAt.Add(after)); err != nil {
			t.Fatal(err)
		}
		open, err := g.Notices(t.Context(), false)
		if err != nil || len(open.Notices) != notices || len(desk.asked) != asked {
			t.Fatalf("after %s: asked %v, notices %+v, %v", after, desk.asked, open, err)
		}
	}
	round(0, 0, 1) // without an address of our own nobody is asked, and an admin is told
	g.baseURL = "https://bridge.example/"
	round(time.Minute, 0, 1)
	round(6*time.Minute, 1, 0)
	round(65*time.Minute, 1, 0)
	desk.fault = connectors.Permanently("the token lacks the scope manage:jira-webhook")
	round(66*time.Minute, 2, 1)
	round(70*time.Minute, 2, 1)
	round(71*time.Minute, 3, 1)
	desk.fault = nil
	round(76*time.Minute, 4, 0)
	again := *conn // published anew
	conn = &again
	round(77*time.Minute, 5, 0)
	if desk.asked[0] != "https://bridge.example/in/jira" {
		t.Errorf("asked for %s", desk.asked[0])
	}
}

var _ connectors.Keeper = keeper{}
