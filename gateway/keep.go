package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const (
	tradeTime  = 30 * time.Second // the longest one trade may take
	tradeLease = 2 * tradeTime
	tradeLook  = 50 * time.Millisecond // how often a trade that waits looks whether it is its turn
	keepTime   = 10 * time.Second
)

// keeper remembers for one connection what its connector asks it to, sealed in the database.
type keeper struct {
	store      *store.Store
	vault      *connectors.Vault
	connection string
	now        func() time.Time
}

// Trade implements connectors.Keeper. A lease sees to it that one trade is under way at a time; no transaction is open
// meanwhile. A trade that has begun goes on to its end where its caller gives up: what was traded in is good for nothing.
func (k keeper) Trade(ctx context.Context, name string, f func(context.Context, string) (string, error)) error {
	if _, err := k.vault.Seal("probe"); err != nil { // before something is traded that could not be stored
		return &connectors.Error{Kind: connectors.Unwell, Err: fmt.Errorf("seal what is to be kept: %w", err)}
	}
	lease, err := k.alone(ctx, name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tradeTime)
	defer cancel()
	defer k.release(ctx, lease)
	kept, err := k.read(ctx, name)
	if err != nil {
		return err
	}
	next, err := f(ctx, kept)
	if err != nil {
		return err
	}
	return k.write(ctx, lease, name, next)
}

// alone waits until nobody else trades. Its holder has a name of its own: two of this process must wait as well.
func (k keeper) alone(ctx context.Context, name string) (store.Lease, error) {
	holder := store.NewID()
	look := time.NewTicker(tradeLook)
	defer look.Stop()
	for {
		lease, ours, err := k.store.Acquire(ctx, "keep/"+k.connection+"/"+name, holder, tradeLease)
		if err != nil || ours {
			return lease, err
		}
		select {
		case <-ctx.Done():
			return store.Lease{}, fmt.Errorf("wait for the trade of another: %w", ctx.Err())
		case <-look.C:
		}
	}
}

func (k keeper) release(ctx context.Context, lease store.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	_ = k.store.Release(ctx, lease) // it ends by itself
}

func (k keeper) read(ctx context.Context, name string) (string, error) {
	sealed, err := k.store.Kept(ctx, k.connection, name)
	if err != nil || sealed == "" {
		return "", err
	}
	text, err := k.vault.Open(sealed)
	if err != nil {
		return "", &connectors.Error{Kind: connectors.Unwell, Err: fmt.Errorf("open what is kept: %w", err)}
	}
	return text, nil
}

func (k keeper) write(ctx context.Context, lease store.Lease, name, text string) error {
	sealed := ""
	if text != "" {
		var err error
		if sealed, err = k.vault.Seal(text); err != nil {
			return fmt.Errorf("seal what is to be kept: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	return k.store.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.HoldsLease(ctx, lease); err != nil {
			return err
		}
		return tx.Keep(ctx, k.connection, name, sealed, k.now())
	})
}
