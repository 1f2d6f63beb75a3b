package gateway

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var (
	here  = netip.MustParseAddr("192.0.2.1")
	there = netip.MustParseAddr("198.51.100.7")
)

func from(peer netip.Addr) sender { return senderOf("epm", 1, peer) }

func TestGuardSlowsDownOneSender(t *testing.T) {
	t.Parallel()
	g, now := newGuard(), decidedAt
	tries := 0
	for ; g.wait(from(here), shown{}, now) == 0; tries++ {
		g.wrong(from(here), now)
	}
	if tries != wrongBurst {
		t.Errorf("%d guesses were looked at, want %d", tries, wrongBurst)
	}
	if wait := g.wait(from(here), shown{}, now); wait <= 0 || wait > wrongEvery {
		t.Errorf("the wait is %s", wait)
	}
	for _, other := range []sender{from(there), senderOf("apono", 1, here), senderOf("epm", 2, here)} {
		if wait := g.wait(other, shown{}, now); wait != 0 {
			t.Errorf("%v waits %s for what it did not do", other, wait)
		}
	}
	tries = 0
	for second := range 3600 {
		for later := now.Add(time.Duration(second) * time.Second); g.wait(from(here), shown{}, later) == 0; tries++ {
			g.wrong(from(here), later)
		}
	}
	if tries < 355 || tries > 362 {
		t.Errorf("%d guesses an hour, want one in ten seconds", tries)
	}
}

func TestGuardKeepsNobodyOutWhoWasRight(t *testing.T) {
	t.Parallel()
	g, now := newGuard(), decidedAt
	g.right(from(here), shown{}, now)
	for range 10 * wrongBurst {
		g.wrong(from(here), now)
	}
	if wait := g.wait(from(here), shown{}, now.Add(knownFor-time.Second)); wait != 0 {
		t.Errorf("it waits %s", wait)
	}
	for range 10 * wrongBurst {
		g.wrong(from(here), now.Add(knownFor))
	}
	if wait := g.wait(from(here), shown{}, now.Add(knownFor)); wait == 0 {
		t.Error("an hour later it is still trusted")
	}
}

func TestGuardSlowsDownACrowd(t *testing.T) {
	t.Parallel()
	g, now := newGuard(), decidedAt
	g.right(from(there), shown{}, now)
	looked := 0
	for n := range 1000 {
		peer := from(netip.AddrFrom4([4]byte{10, 1, byte(n / 250), byte(n % 250)}))
		if g.wait(peer, shown{}, now) == 0 {
			looked++
			g.wrong(peer, now)
		}
	}
	if looked != crowdBurst {
		t.Errorf("%d guesses of a thousand strangers were looked at, want %d", looked, crowdBurst)
	}
	if wait := g.wait(from(there), shown{}, now); wait != 0 {
		t.Errorf("who was right waits %s", wait)
	}
	if wait := g.wait(from(here), shown{}, now); wait <= 0 || wait > time.Second {
		t.Errorf("a stranger waits %s", wait)
	}
}

func TestSendersAreNetworks(t *testing.T) {
	t.Parallel()
	for a, b := range map[string]string{
		"192.0.2.1": "::ffff:192.0.2.1", "2001:db8::1": "2001:db8::ffff:1", "fe80::1%eth0": "fe80::2%eth1",
	} {
		if one, other := from(netip.MustParseAddr(a)), from(netip.MustParseAddr(b)); one != other {
			t.Errorf("%s and %s are two senders: %v, %v", a, b, one, other)
		}
	}
	for a, b := range map[string]string{"192.0.2.1": "192.0.2.2", "2001:db8::1": "2001:db8:0:1::1"} {
		if from(netip.MustParseAddr(a)) == from(netip.MustParseAddr(b)) {
			t.Errorf("%s and %s are one sender", a, b)
		}
	}
	g := newGuard()
	for range 2 * crowdBurst { // without an address
		g.wrong(from(netip.Addr{}), decidedAt)
	}
	if g.wait(from(netip.Addr{}), shown{}, decidedAt) == 0 {
		t.Error("a sender without an address may guess for ever")
	}
}

func TestGuardForgets(t *testing.T) {
	t.Parallel()
	g, now := newGuard(), decidedAt
	g.right(from(there), shown{}, now)
	for n := range 3 * mostSenders {
		g.wrong(from(netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::1", n/65536, n%65536))), now)
	}
	if len(g.senders) > mostSenders {
		t.Errorf("it remembers %d senders", len(g.senders))
	}
	if g.wait(from(there), shown{}, now) != 0 || g.wait(from(here), shown{}, now) == 0 {
		t.Error("it forgot who was right, or what the crowd did")
	}
	g.sweep(now.Add(knownFor + time.Second))
	if len(g.senders) != 0 {
		t.Errorf("it remembers %d senders for ever", len(g.senders))
	}
	for n := range 2 * mostSenders { // all of them right
		g.right(from(netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::1", n/65536, n%65536))), shown{}, now)
	}
	if len(g.senders) > mostSenders {
		t.Errorf("it remembers %d senders who were right", len(g.senders))
	}
}
