package connectors

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestReachTellsAddressesApart(t *testing.T) {
	t.Parallel()
	r, err := newReach(Outbound{Proxy: "http://proxy.corp:3128", AllowHosts: []string{"jira.corp", "169.254.10.1", "[fd00::1]"}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		host, address string
		taken         bool
	}{
		{"example.com", "93.184.216.34:443", true},
		{"example.com", "[2606:2800:220:1:248:1893:25c8:1946]:443", true},
		{"example.com", "10.0.0.1:443", false},
		{"example.com", "169.254.169.254:80", false},
		{"example.com", "100.100.100.200:80", false},
		{"example.com", "127.0.0.1:443", false},
		{"example.com", "0.0.0.0:443", false},
		{"example.com", "[::1]:443", false},
		{"example.com", "[fd00::1]:443", false},
		{"example.com", "[fe80::1]:443", false},
		{"example.com", "[::ffff:10.0.0.1]:443", false},
		{"example.com", "[64:ff9b::a00:1]:443", false},
		{"jira.corp", "93.184.216.34:443", true},
		{"jira.corp", "10.0.0.1:443", true},
		{"jira.corp", "172.16.9.9:443", true},
		{"jira.corp", "192.168.1.1:8443", true},
		{"jira.corp", "100.64.0.1:443", true},
		{"jira.corp", "127.0.0.1:443", true},
		{"jira.corp", "[::1]:443", true},
		{"jira.corp", "[fd00::1]:443", true},
		{"jira.corp", "169.254.169.254:80", false}, // a name that came to point at the metadata
		{"jira.corp", "[fe80::1]:443", false},
		{"jira.corp", "0.0.0.0:443", false},
		{"169.254.10.1", "169.254.10.1:80", true}, // named to the letter
		{"fd00::1", "[fd00::1]:443", true},
		{"proxy.corp", "10.0.0.9:3128", true},
	}
	for _, tt := range tests {
		network := "tcp4"
		if strings.HasPrefix(tt.address, "[") {
			network = "tcp6"
		}
		control := r.control(tt.host)
		taken := control == nil || control(network, tt.address, nil) == nil
		if taken != tt.taken {
			t.Errorf("%s at %s: taken %t, want %t", tt.host, tt.address, taken, tt.taken)
		}
	}
}

func TestReachLooksTheHostUpBeforeTheProxyIsAsked(t *testing.T) {
	t.Parallel()
	known := map[string][]netip.Addr{
		"public.example": {netip.MustParseAddr("93.184.216.34")},
		"mixed.example":  {netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("10.0.0.1")},
		"mapped.example": {netip.MustParseAddr("::ffff:93.184.216.34")},
		"hidden.example": {netip.MustParseAddr("::ffff:10.0.0.1")},
		"empty.example":  nil,
	}
	lookup := func(_ context.Context, _, host string) ([]netip.Addr, error) {
		if addrs, ok := known[host]; ok {
			return addrs, nil
		}
		return nil, errors.New("no such host")
	}
	tests := []struct {
		name, proxy, host, want string
	}{
		{"public", "http://proxy", "public.example", ""},
		{"public, in capitals", "http://proxy", "PUBLIC.example.", ""},
		{"public, mapped", "http://proxy", "mapped.example", ""},
		{"one of two private", "http://proxy", "mixed.example", "private address"},
		{"private, mapped", "http://proxy", "hidden.example", "private address"},
		{"unknown here", "http://proxy", "inside.example", "cannot be looked up here"},
		{"without an address", "http://proxy", "empty.example", "cannot be looked up here"},
		{"allowed, never looked up", "http://proxy", "Allowed.example", ""},
		{"no proxy, checked when dialled", "", "mixed.example", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := newReach(Outbound{Proxy: tt.proxy, AllowHosts: []string{"allowed.example"}})
			if err != nil {
				t.Fatal(err)
			}
			r.lookup = lookup
			err = r.checkBehindProxy(t.Context(), tt.host)
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	r, _ := newReach(Outbound{Proxy: "http://proxy"})
	r.lookup = lookup
	if err := r.checkBehindProxy(stopped, "inside.example"); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: got %v", err)
	}
}
