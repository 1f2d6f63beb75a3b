package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// sealEvery is how old an entry of the record gets at most before it is sealed.
const sealEvery = time.Second

// sealLoop seals the record while this replica holds the sealer's lease, until ctx ends. What keeps it from sealing is
// logged when it begins and when it has passed, not each second.
func (g *Gateway) sealLoop(ctx context.Context) {
	sealer := audit.Sealer{Store: g.store, Vault: g.opener.vault, Holder: g.holder}
	tick := time.NewTicker(min(g.poll, sealEvery))
	defer tick.Stop()
	fault := ""
	for ctx.Err() == nil {
		_, err := sealer.Round(ctx)
		switch {
		case ctx.Err() != nil:
		case err == nil && fault != "":
			g.log.Info("the record is sealed again")
			fault = ""
		case err != nil && err.Error() != fault:
			g.log.Error("seal record", "error", err, "tampered", errors.Is(err, audit.ErrTampered) || errors.Is(err, audit.ErrExchanged))
			fault = err.Error()
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	releaseCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := sealer.Release(releaseCtx); err != nil {
		g.log.Error("release the sealer's lease", "error", err)
	}
}

// signed is a comment with the signed receipt of a decision under it, in the transaction that records what became of the
// decision.
func (g *Gateway) signed(ctx context.Context, tx *store.Tx, d store.Decision, text string) (string, error) {
	receipt, err := g.receipt(ctx, tx, d)
	if err != nil {
		return "", fmt.Errorf("sign receipt: %w", err)
	}
	if receipt == "" {
		return escape(text), nil
	}
	return escape(text) + "\n\n```\n" + receipt + "\n```", nil
}

// receipt gives the signed receipt of a decision; empty where there is no key to sign with. Asked again, the same receipt
// is given.
func (g *Gateway) receipt(ctx context.Context, tx *store.Tx, d store.Decision) (string, error) {
	key, err := audit.OpenKey(ctx, tx, g.opener.vault)
	if errors.Is(err, audit.ErrLocked) || errors.Is(err, audit.ErrExchanged) {
		g.log.Warn("no receipt is given", "decision", d.ID, "error", err)
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return audit.Issue(ctx, tx, key, d, g.now())
}
