package signin

import (
	"context"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	askAgain = 5 * time.Second  // after the provider did not answer
	knownFor = 10 * time.Minute // then it is asked again: it may have moved
)

// discovery is what the provider said of itself when it was asked.
type discovery struct {
	mu    sync.Mutex
	found *oidc.Provider
	at    time.Time // of the last question
	fault error
}

// known returns what the provider says of itself, asking it where that is not known or long ago. One that is known stays
// known while it does not answer.
func (p *Provider) known(ctx context.Context) (*oidc.Provider, error) {
	d := &p.asked
	d.mu.Lock()
	defer d.mu.Unlock()
	now := p.Now()
	fresh := knownFor
	if d.fault != nil {
		fresh = askAgain
	}
	if d.at.IsZero() || now.Sub(d.at) >= fresh {
		found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.Issuer)
		if ctx.Err() != nil {
			return nil, ctx.Err() // it says nothing of the provider
		}
		d.at, d.fault = now, err
		if err == nil {
			d.found = found
		}
	}
	if d.found == nil {
		return nil, &Refused{Text: "Your identity provider cannot be reached just now. Please try again in a moment.", Cause: withoutBody("ask the identity provider", d.fault)}
	}
	return d.found, nil
}
