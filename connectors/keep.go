package connectors

import "context"

// Keeper remembers for a connection what is no setting because it changes by itself, a refresh token for instance. It
// outlives the process and is the same on all replicas.
type Keeper interface {
	// Trade puts in place of the text kept under name what f makes of it; empty text is nothing. For one name one f
	// runs at a time, whichever replica it runs on; others wait. What f returned is stored, sealed, before Trade
	// returns nil. Where f fails, what was kept stays. Once f runs, the end of ctx does not end it.
	Trade(ctx context.Context, name string, f func(ctx context.Context, kept string) (string, error)) error
}
