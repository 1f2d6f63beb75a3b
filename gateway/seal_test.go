package gateway

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestSealLoopSealsAndGivesItsLeaseBack(t *testing.T) {
	t.Parallel()
	g := sealing(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.sealLoop(ctx)
	}()
	if err := g.store.InTx(ctx, func(tx *store.Tx) error { return tx.Record(ctx, store.Entry{At: g.now(), Kind: "step"}) }); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		head, err := g.store.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if head.N == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the entry is not sealed")
		}
	}
	stop()
	<-done
	other := audit.Sealer{Store: g.store, Vault: g.opener.vault, Holder: "another"}
	if err := g.store.InTx(t.Context(), func(tx *store.Tx) error { return tx.Record(t.Context(), store.Entry{At: g.now(), Kind: "step"}) }); err != nil {
		t.Fatal(err)
	}
	if n, err := other.Round(t.Context()); n != 1 || err != nil {
		t.Errorf("another replica sealed %d, %v", n, err)
	}
}

func TestReceiptOfADecision(t *testing.T) {
	t.Parallel()
	g := sealing(t)
	issue := func() (text string) {
		err := g.store.InTx(t.Context(), func(tx *store.Tx) error {
			receipts, err := tx.Accept(t.Context(), []store.Arrival{{Event: store.Event{Connection: "epm", Dedupe: "1", RequestID: "R1", ReceivedAt: g.now(), Normal: []byte(`{}`)}}})
			if err != nil {
				return err
			}
			caze, err := tx.CaseByRequest(t.Context(), "epm", "", "R1")
			if err != nil || caze.ID != receipts[0].CaseID {
				return errors.Join(err, store.ErrConflict)
			}
			text, err = g.receipt(t.Context(), tx, store.Decision{ID: "d", CaseID: caze.ID, Outcome: "approved", By: "bob", At: g.now()})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	text := issue()
	r, err := audit.ParseReceipt(text)
	if err != nil {
		t.Fatal(err)
	}
	key, sure, err := audit.PublicKey(t.Context(), g.store.Queries, g.opener.vault)
	if err != nil || !sure || r.Check(key) != nil || r.Request != "R1" || r.By != "bob" {
		t.Errorf("receipt = %+v, %v", r, err)
	}
	if again := issue(); again != text {
		t.Error("a second receipt was given")
	}
	g.opener.vault = &connectors.Vault{}
	if again := issue(); again != "" {
		t.Errorf("a receipt without the key file: %q", again)
	}
}

// sealing is a gateway with nothing published.
func sealing(t *testing.T) *Gateway {
	t.Helper()
	g, err := New(t.Context(), Options{
		Store: storetest.New(t, storetest.SQLite), Log: slog.New(slog.DiscardHandler), Poll: time.Millisecond,
		Vault: &connectors.Vault{Keys: map[string][]byte{"k1": make([]byte, 32)}, Current: "k1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
