package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// timed is a gateway that accepts, on a clock that can be put on, with a vendor besides that shows what reaches it.
type timed struct {
	*Gateway
	after atomic.Int64
	probe probe
}

func (g *timed) put(d time.Duration) { g.after.Store(int64(d)) }

// probe is a source that remembers the last request it was given. The request's body says what comes of it.
type probe struct {
	last atomic.Pointer[connectors.Request]
}

func (p *probe) Open(connectors.Env) (connectors.Connector, error) { return p, nil }
func (p *probe) Ping(context.Context) error                        { return nil }

func (p *probe) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	p.last.Store(&r)
	if string(r.Body) == "bad" {
		return connectors.Received{}, &connectors.Malformed{Reason: "it is bad"}
	}
	id := string(r.Body)
	return connectors.Received{Events: []connectors.Event{{Kind: connectors.AccessRequested, Dedupe: id, RequestID: id, URL: r.URL.String()}}}, nil
}

func newTimed(t *testing.T, docs ...string) *timed {
	t.Helper()
	g := &timed{}
	vendors := builtin.Vendors()
	vendors["probe"] = func() connectors.Config { return &g.probe }
	var err error
	g.Gateway, err = New(t.Context(), Options{
		Store: storetest.New(t, storetest.SQLite), Vendors: vendors, Vault: testVault(), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return decidedAt.Add(time.Duration(g.after.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	g.apply(t, docs...)
	commits(t, g.Gateway)
	return g
}

func (g *timed) apply(t *testing.T, docs ...string) {
	t.Helper()
	if _, err := g.Apply(t.Context(), texts(docs...), "tester", ""); err != nil {
		t.Fatal(err)
	}
}

// probing is a connection of the probe.
func probing(inbound string) string {
	return "kind: Connection\nname: probe\nconnector: probe\ninbound:\n  " + strings.ReplaceAll(strings.TrimSpace(inbound), "\n", "\n  ") + "\n"
}

// call is a request to the probe.
func call(body string, peer netip.Addr, headers ...string) connectors.Request {
	r := connectors.Request{Method: http.MethodPost, URL: &url.URL{Path: "/in/probe"}, Body: []byte(body), Peer: peer, Time: decidedAt, Header: http.Header{}}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// status is what a request comes to: 200 for accepted.
func (g *timed) status(t *testing.T, r connectors.Request) (int, *Refusal) {
	t.Helper()
	_, err := g.Accept(t.Context(), "probe", "", r)
	refusal, ok := errors.AsType[*Refusal](err)
	switch {
	case err == nil:
		return http.StatusOK, nil
	case !ok:
		t.Fatalf("got %v", err)
	}
	return refusal.Status, refusal
}

func TestAcceptLooksAtTheAddressFirst(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("from: [192.0.2.0/24, 198.51.100.7, '2001:db8::/32']\nverify: {bearer: {tokens: [{value: s3cret-1}]}}"))
	for address, want := range map[string]int{
		"192.0.2.200": 200, "::ffff:192.0.2.200": 200, "198.51.100.7": 200, "2001:db8::1": 200,
		"192.0.3.1": 403, "198.51.100.8": 403, "2001:db9::1": 403, "::1": 403,
	} {
		if got, _ := g.status(t, call(address, netip.MustParseAddr(address), "Authorization", "Bearer s3cret-1")); got != want {
			t.Errorf("%s: got %d, want %d", address, got, want)
		}
	}
	if got, _ := g.status(t, call("nowhere", netip.Addr{}, "Authorization", "Bearer s3cret-1")); got != 403 {
		t.Errorf("no address: got %d", got)
	}
	if got, r := g.status(t, call("x", there, "Authorization", "Bearer guess")); got != 401 || r.Challenge != `Bearer realm="drawbridge"` {
		t.Errorf("an address that may, with a guess: got %d, %+v", got, r)
	}
}

func TestInboundSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"from: [192.0.2.0/33]":                   "inbound.from[0]: a network or an address is wanted",
		"from: [192.0.2.1, everywhere]":          "inbound.from[1]: a network or an address is wanted",
		"from: [192.0.2.1/24]":                   "192.0.2.1 is an address in 192.0.2.0/24; which of the two is meant?",
		"from: ['::ffff:192.0.2.0/120']":         "inbound.from[0]: write it as IPv4",
		"from: ['fe80::1%eth0']":                 "inbound.from[0]: a network or an address is wanted",
		"rate: {per_second: 0}":                  "inbound.rate.per_second: more than 0",
		"rate: {per_second: -1}":                 "inbound.rate.per_second: more than 0",
		"rate: {per_second: .nan}":               "inbound.rate.per_second: more than 0",
		"rate: {per_second: 5, burst: -1}":       "inbound.rate.burst",
		"rate: {per_second: 5, burst: 10000000}": "inbound.rate.burst",
		"rate: {per_hour: 5}":                    "per_hour",
	} {
		_, _, err := testOpener().open(t.Context(), []byte(strings.Replace(epmConnection, "status: 200", setting, 1)), "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", setting, err, want)
		}
	}
}

func TestAcceptTakesNoMoreThanTheRate(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("rate: {per_second: 2, burst: 5}\nverify: {bearer: {tokens: [{value: s3cret-1}]}}"))
	good := func(id string) (int, *Refusal) {
		return g.status(t, call(id, here, "Authorization", "Bearer s3cret-1"))
	}
	for range 10 { // of no account
		if got, _ := g.status(t, call("x", there, "Authorization", "Bearer guess")); got != 401 {
			t.Fatalf("a guess: got %d", got)
		}
	}
	for n := range 5 {
		if got, _ := good(string(rune('a' + n))); got != 200 {
			t.Fatalf("request %d: got %d", n+1, got)
		}
	}
	for range 3 { // refused ones take nothing
		if got, r := good("f"); got != 429 || r.RetryAfter != 500*time.Millisecond {
			t.Errorf("one too many: got %d, %+v", got, r)
		}
	}
	g.put(500 * time.Millisecond)
	if got, _ := good("f"); got != 200 {
		t.Errorf("half a second later: got %d", got)
	}
	if got, _ := good("g"); got != 429 {
		t.Errorf("and one more: got %d", got)
	}
}

func TestAcceptLooksAtNoMoreGuesses(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("verify: {basic: {user: epm, passwords: [{value: s3cret-1}]}}"))
	as := func(peer netip.Addr, password string) connectors.Request {
		r := call("r-1", peer)
		(&http.Request{Header: r.Header}).SetBasicAuth("epm", password)
		return r
	}
	if got, _ := g.status(t, as(there, "s3cret-1")); got != 200 {
		t.Fatalf("got %d", got)
	}
	for n := range wrongBurst {
		if got, _ := g.status(t, as(here, "guess")); got != 401 {
			t.Fatalf("guess %d: got %d", n+1, got)
		}
	}
	// From now on nothing is looked at, not even what is right.
	for _, password := range []string{"guess", "s3cret-1"} {
		if got, r := g.status(t, as(here, password)); got != 429 || r.RetryAfter <= 0 || strings.Contains(r.Text, password) {
			t.Errorf("%s: got %d, %+v", password, got, r)
		}
	}
	if got, _ := g.status(t, as(there, "s3cret-1")); got != 200 {
		t.Errorf("somebody else: got %d", got)
	}
	// Nor does a mistake keep out who was right before.
	for range 3 * wrongBurst {
		g.status(t, as(there, "typo"))
	}
	if got, _ := g.status(t, as(there, "s3cret-1")); got != 200 {
		t.Errorf("somebody who was right before: got %d", got)
	}
	g.put(wrongEvery)
	if got, _ := g.status(t, as(here, "s3cret-1")); got != 200 {
		t.Errorf("ten seconds later: got %d", got)
	}
}

// Whatever proves a sender is gone before a connector sees the request, and stands nowhere afterwards.
func TestCredentialsAreKeptNowhere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		verify, path string
		headers      []string
		url          url.URL
	}{
		"a token in the query": {"{token: {tokens: [{value: s3cret-1}]}}", "", nil, url.URL{Path: "/in/probe", RawQuery: "a=b&%74oken=s3cret-1&c"}},
		"a token in the path":  {"{token: {tokens: [{value: s3cret-1}]}}", "s3cret-1", nil, url.URL{Path: "/in/probe/s3cret-1", RawQuery: "a=b"}},
		"a bearer token":       {"{bearer: {tokens: [{value: s3cret-1}]}}", "", []string{"Authorization", "Bearer s3cret-1"}, url.URL{Path: "/in/probe"}},
		"a header":             {"{header: {name: X-Key, values: [{value: s3cret-1}]}}", "", []string{"X-Key", "s3cret-1"}, url.URL{Path: "/in/probe"}},
		"nothing that counts":  {"{none: true}", "s3cret-1", []string{"Authorization", "s3cret-1"}, url.URL{Path: "/in/probe/s3cret-1", RawQuery: "token=s3cret-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newTimed(t, probing("verify: "+test.verify))
			for _, body := range []string{"r-1", "bad"} {
				r := call(body, here, test.headers...)
				r.URL = &test.url
				if _, err := g.Accept(t.Context(), "probe", test.path, r); err != nil {
					t.Fatal(err)
				}
			}
			seen := g.probe.last.Load()
			text := seen.URL.String() + seen.URL.RawPath
			for name, values := range seen.Header {
				text += name + strings.Join(values, "")
			}
			if strings.Contains(text, "s3cret") || seen.URL.Path != "/in/probe" {
				t.Errorf("the connector sees %s", text)
			}
			if found := g.find(t, "s3cret"); found != "" {
				t.Errorf("it stands in %s", found)
			}
		})
	}
}

// find looks for a text in every file of the database.
func (g *timed) find(t *testing.T, text string) string {
	t.Helper()
	var file string
	if err := g.store.DB().QueryRowContext(t.Context(), `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&file); err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob(file + "*")
	if err != nil || len(all) == 0 {
		t.Fatalf("find the database: %v, %v", all, err)
	}
	for _, name := range all {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), text) {
			return filepath.Base(name)
		}
	}
	return ""
}

func TestUsesOfCredentialsAreStored(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("verify: {bearer: {tokens: [{value: s3cret-1}, {value: s3cret-2}]}}"))
	use := func(token string, after time.Duration) {
		t.Helper()
		g.put(after)
		if got, _ := g.status(t, call(token, here, "Authorization", "Bearer "+token)); got != 200 {
			t.Fatalf("got %d", got)
		}
	}
	use("s3cret-1", time.Second)
	use("s3cret-1", 2*time.Second)
	if err := g.keepDoor(t.Context()); err != nil {
		t.Fatal(err)
	}
	use("s3cret-1", 3*time.Second)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	g.doorLoop(ctx) // stores what is left before it ends
	list, err := g.Credentials(t.Context(), "probe")
	if err != nil || len(list) != 2 {
		t.Fatalf("got %+v, %v", list, err)
	}
	if first := list[0]; !first.FirstUsed.Equal(decidedAt.Add(time.Second)) || !first.LastUsed.Equal(decidedAt.Add(3*time.Second)) || first.For != "tokens" || first.Where != "in the document" || !first.Made.IsZero() {
		t.Errorf("the first is %+v", first)
	}
	if !list[1].LastUsed.IsZero() || list[1].Mark == list[0].Mark {
		t.Errorf("the second is %+v", list[1])
	}
	// The same document with the next secret in place of the first: what is kept of the second goes on.
	use("s3cret-2", 4*time.Second)
	g.apply(t, probing("verify: {bearer: {tokens: [{value: s3cret-2}, {value: s3cret-3}]}}"))
	if err := g.keepDoor(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := g.Credentials(t.Context(), "probe")
	if err != nil || again[0].Mark != list[1].Mark || !again[0].LastUsed.Equal(decidedAt.Add(4*time.Second)) || !again[1].LastUsed.IsZero() {
		t.Errorf("after the rotation: %+v, %v", again, err)
	}
}

func TestUsesThatCannotBeStoredAreNotLost(t *testing.T) {
	t.Parallel()
	g := newTimed(t)
	g.door.uses.note("probe", "m", decidedAt)
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := g.storeUses(ended); err == nil {
		t.Fatal("stored by a context that has ended")
	}
	if left := g.door.uses.take(); !slices.Contains(left, store.CredentialUse{Connection: "probe", Mark: "m", First: decidedAt, Last: decidedAt}) {
		t.Errorf("left are %+v", left)
	}
}
