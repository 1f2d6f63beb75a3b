package gateway

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often credentials may be wrong before nobody looks at them any more: for one sender, and for all of them who were
// never right, however many addresses somebody guesses from.
const (
	wrongBurst  = 20
	wrongEvery  = 10 * time.Second
	crowdBurst  = 200
	crowdEvery  = time.Second
	knownFor    = time.Hour // somebody who was right is not kept out by what others do from the same address
	mostSenders = 10_000
)

// guard slows down guessing. It looks at senders before their credentials are, and is told what these came to. Each
// replica has its own.
type guard struct {
	mu      sync.Mutex
	senders map[sender]*guesses
}

// sender is who sends to a connection, as far as that can be told without credentials. A new version of the document
// starts afresh: an admin may have mended what was wrong. Without a network it stands for all of them.
type sender struct {
	connection string
	version    int64
	network    netip.Prefix
}

type guesses struct {
	left  *rate.Limiter // wrong ones
	right time.Time     // the last time they were good
	shown shown         // what was shown then
	seen  time.Time
}

// shown is the digest of a password or a typed secret, as a sender showed it; zero for what nobody guesses: a signature,
// a token, a certificate.
type shown [sha256.Size]byte

func shownOf(parts ...string) shown {
	return sha256.Sum256([]byte(strings.Join(parts, "\x00")))
}

func newGuard() *guard { return &guard{senders: map[sender]*guesses{}} }

// senderOf is the sender at an address. A network of IPv6 is one sender: a host has as many addresses there as it likes.
func senderOf(connection string, version int64, peer netip.Addr) sender {
	peer, bits := peer.Unmap().WithZone(""), 64
	if peer.Is4() {
		bits = 32
	}
	network, _ := peer.Prefix(bits) // of no address it is none
	return sender{connection, version, network}
}

func (s sender) crowd() sender {
	return sender{connection: s.connection, version: s.version}
}

// wait tells how long the sender has to wait before its credentials are looked at; 0: they are. Who was right lately
// does not wait for what others do from the same address; where secrets can be guessed, only who shows the same again.
func (g *guard) wait(s sender, what shown, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if own := g.senders[s]; own != nil {
		if now.Sub(own.right) < knownFor {
			if what == (shown{}) || what == own.shown {
				return 0
			}
			return own.wait(now, wrongEvery)
		}
		if wait := own.wait(now, wrongEvery); wait > 0 {
			return wait
		}
	}
	if all := g.senders[s.crowd()]; all != nil {
		return all.wait(now, crowdEvery)
	}
	return 0
}

func (g *guesses) wait(now time.Time, every time.Duration) time.Duration {
	missing := 1 - g.left.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return max(time.Duration(missing*float64(every)), time.Second)
}

// wrong notes credentials that were not good.
func (g *guard) wrong(s sender, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.of(s, now, wrongEvery, wrongBurst).left.AllowN(now, 1)
	g.of(s.crowd(), now, crowdEvery, crowdBurst).left.AllowN(now, 1)
}

// right notes credentials that were good.
func (g *guard) right(s sender, what shown, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	own := g.of(s, now, wrongEvery, wrongBurst)
	own.right = now
	if what != (shown{}) { // a token does not make its password forgotten
		own.shown = what
	}
}

func (g *guard) of(s sender, now time.Time, every time.Duration, burst int) *guesses {
	known := g.senders[s]
	if known == nil {
		if len(g.senders) >= mostSenders {
			g.forget(now)
		}
		known = &guesses{left: rate.NewLimiter(rate.Every(every), burst)}
		g.senders[s] = known
	}
	known.seen = now
	return known
}

// sweep forgets senders who were quiet for long enough that nothing is left to know of them.
func (g *guard) sweep(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for s, known := range g.senders {
		if now.Sub(known.seen) > knownFor {
			delete(g.senders, s)
		}
	}
}

// forget makes room. Who was right lately, and all of them together, are remembered longest.
func (g *guard) forget(now time.Time) {
	for s, known := range g.senders {
		if len(g.senders) < mostSenders {
			return
		}
		if s.network.IsValid() && now.Sub(known.right) >= knownFor {
			delete(g.senders, s)
		}
	}
	for s := range g.senders {
		if len(g.senders) < mostSenders {
			return
		}
		delete(g.senders, s)
	}
}
