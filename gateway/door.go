package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// door is what this replica remembers at its front door.
type door struct {
	guard  *guard
	hashes *verify.Hashes
	tokens *tokens
	uses   uses
}

func newDoor(s *store.Store, now func() time.Time) *door {
	return &door{guard: newGuard(), hashes: verify.NewHashes(now), tokens: newTokens(s, now)}
}

// admit lets a request of a connection in: from where it may come, by a sender that has not guessed too often, with good
// credentials, not too fast. It returns the request without what carried the credentials.
func (g *Gateway) admit(ctx context.Context, c *connection, pathToken string, r connectors.Request) (connectors.Request, error) {
	if !c.admits(r.Peer) {
		return r, &Refusal{Status: http.StatusForbidden, Text: "this address may not send to this connection"}
	}
	who := senderOf(c.doc.Name, c.version, r.Peer)
	what := passwordIn(r)
	if wait := g.door.guard.wait(who, what, g.now()); wait > 0 {
		return r, guessedTooOften(wait)
	}
	used, err := c.verifier.Verify(ctx, r, pathToken)
	switch {
	case errors.Is(err, connectors.ErrForged):
		g.door.guard.wrong(who, g.now())
		return r, &Refusal{Status: http.StatusUnauthorized, Text: wrongCredentials, Cause: err, Challenge: c.verifier.Challenge()}
	case ctx.Err() != nil:
		return r, ctx.Err()
	case err != nil:
		return r, &Refusal{Status: http.StatusServiceUnavailable, Text: "the credentials cannot be checked at the moment", Cause: err, RetryAfter: time.Second}
	}
	now := g.now()
	g.door.guard.right(who, what, now)
	g.door.uses.note(c.doc.Name, used, now)
	if c.doc.State == stateDisabled {
		return r, &Refusal{Status: http.StatusForbidden, Text: "this connection is disabled"}
	}
	if wait := takeOne(c.rate, now); wait > 0 {
		return r, &Refusal{Status: http.StatusTooManyRequests, Text: "this connection takes no more at the moment; send it again later", RetryAfter: wait}
	}
	return c.verifier.Strip(r, "/in/"+c.doc.Name), nil
}

// passwordIn is the password a request shows, where it shows one.
func passwordIn(r connectors.Request) shown {
	h := r.Header.Get("Authorization")
	if scheme, _, _ := strings.Cut(h, " "); !strings.EqualFold(scheme, "Basic") {
		return shown{}
	}
	return shownOf(h)
}

const wrongCredentials = "the credentials or the signature are missing or wrong"

func guessedTooOften(wait time.Duration) *Refusal {
	return &Refusal{Status: http.StatusTooManyRequests, Text: "credentials were wrong too often; try again later", RetryAfter: wait}
}

// takeOne takes one from a limit, which may be none, or tells when there will be one again.
func takeOne(limit *rate.Limiter, now time.Time) time.Duration {
	if limit == nil {
		return 0
	}
	one := limit.ReserveN(now, 1)
	wait := one.DelayFrom(now)
	if wait > 0 {
		one.CancelAt(now)
	}
	return wait
}

// admits tells whether a connection takes requests from an address.
func (c *connection) admits(peer netip.Addr) bool {
	peer = peer.Unmap().WithZone("")
	return len(c.from) == 0 || slices.ContainsFunc(c.from, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// networks reads inbound.from: networks, or single addresses.
func networks(texts []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for i, text := range texts {
		network, err := netip.ParsePrefix(text)
		if addr, bad := netip.ParseAddr(text); bad == nil && addr.Zone() == "" {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("inbound.from[%d]: a network or an address is wanted: 192.0.2.0/24, 2001:db8::1", i)
		}
		if network.Masked() != network {
			return nil, fmt.Errorf("inbound.from[%d]: %s is an address in %s; which of the two is meant?", i, network.Addr(), network.Masked())
		}
		if network.Addr().Is4In6() {
			return nil, fmt.Errorf("inbound.from[%d]: write it as IPv4", i)
		}
		list = append(list, network)
	}
	return list, nil
}

// RateSettings bound how many requests a connection takes, on each replica.
type RateSettings struct {
	PerSecond float64 `yaml:"per_second"`
	Burst     int     `yaml:"burst"` // how many may come at once; default: those of one second
}

func (r *RateSettings) limiter() (*rate.Limiter, error) {
	if r == nil {
		return nil, nil
	}
	if !(r.PerSecond > 0) || r.PerSecond > 1e6 {
		return nil, errors.New("inbound.rate.per_second: more than 0, at most 1000000")
	}
	if r.Burst < 0 || r.Burst > 1e6 {
		return nil, errors.New("inbound.rate.burst: at most 1000000")
	}
	return rate.NewLimiter(rate.Limit(r.PerSecond), cmp.Or(r.Burst, max(1, int(r.PerSecond)))), nil
}

// uses remembers which credentials were good, until that is stored.
type uses struct {
	mu   sync.Mutex
	seen map[[2]string]store.CredentialUse
}

func (u *uses) note(connection, mark string, at time.Time) {
	if mark == "" {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	id := [2]string{connection, mark}
	use, known := u.seen[id]
	if !known {
		use = store.CredentialUse{Connection: connection, Mark: mark, First: at}
		if u.seen == nil {
			u.seen = map[[2]string]store.CredentialUse{}
		}
	}
	use.Last = at
	u.seen[id] = use
}

// take empties the memory, in the order the store wants.
func (u *uses) take() []store.CredentialUse {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := make([]store.CredentialUse, 0, len(u.seen))
	for _, use := range u.seen {
		list = append(list, use)
	}
	u.seen = nil
	slices.SortFunc(list, func(a, b store.CredentialUse) int {
		return cmp.Or(cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Mark, b.Mark))
	})
	return list
}

const (
	doorEvery  = 10 * time.Second
	pruneBatch = 500
)

// doorLoop stores which credentials were used and forgets what is over, until ctx ends and once more then.
func (g *Gateway) doorLoop(ctx context.Context) {
	tick := time.NewTicker(doorEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if err := g.keepDoor(context.WithoutCancel(ctx)); err != nil {
			g.log.Error("store use of credentials", "error", err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func (g *Gateway) keepDoor(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	now := g.now()
	g.door.guard.sweep(now)
	if err := g.storeUses(ctx); err != nil {
		return err
	}
	_, err := g.store.PruneTokens(ctx, now, pruneBatch)
	return err
}

func (g *Gateway) storeUses(ctx context.Context) error {
	seen := g.door.uses.take()
	if len(seen) == 0 {
		return nil
	}
	err := g.store.InTx(ctx, func(tx *store.Tx) error { return tx.NoteCredentialUses(ctx, seen) })
	if err != nil {
		for _, u := range seen { // for the next time
			g.door.uses.note(u.Connection, u.Mark, u.Last)
		}
	}
	return err
}
